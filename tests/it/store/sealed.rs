use branchkeeper::domain::{Connection, Provider, SealKey, Sealer, Secret, ServerConnection};

use super::fixture::{Fixture, over_both_backends};

over_both_backends!(passwords_are_gone_through_in_parts, a_branch_that_was_changed_since_is_left_alone);

fn sealer(byte: u8, earlier: &[u8]) -> Sealer {
    let key = |byte: &u8| SealKey::parse(&Secret::new(format!("{byte:02x}").repeat(32))).unwrap();
    Sealer::new(Some(key(&byte)), earlier.iter().map(key).collect())
}

async fn add(f: &Fixture, code: &str) {
    let sealer = sealer(1, &[]);
    f.add_with(code, |branch| {
        branch.provider = Provider::Postgres;
        branch.connection = Connection::Server(ServerConnection {
            host: "db".into(),
            database: code.into(),
            username: "keeper".into(),
            sealed_password: Some(sealer.seal(branch.id, &Secret::new("hunter2")).unwrap()),
            ..Default::default()
        });
    })
    .await;
}

async fn passwords_are_gone_through_in_parts(f: Fixture) {
    f.add("SQLITE").await;
    for code in ["A", "B", "C", "D", "E"] {
        add(&f, code).await;
    }
    let later = sealer(2, &[1]);
    let (mut after, mut sizes, mut codes) = (None, Vec::new(), Vec::new());
    loop {
        let batch = f.office.sealed_branches(after, 2).await.unwrap();
        sizes.push(batch.len());
        let Some(last) = batch.last() else { break };
        after = Some(last.id);
        codes.extend(batch.iter().map(|branch| branch.code.to_string()));
        let anew = batch.into_iter().map(|branch| {
            let password = later.open(branch.id, branch.server.sealed_password.as_ref().unwrap()).unwrap();
            let sealed_password = Some(later.seal(branch.id, &password).unwrap());
            let connection = Connection::Server(ServerConnection { sealed_password, ..branch.server.clone() });
            (branch, connection)
        });
        let anew: Vec<_> = anew.collect();
        assert_eq!(f.office.reseal_branches(&anew).await.unwrap(), anew.len() as u64);
        // What was read before is not what is there any more.
        assert_eq!(f.office.reseal_branches(&anew).await.unwrap(), 0);
    }
    codes.sort();
    assert_eq!((sizes, codes.concat().as_str()), (vec![2, 2, 1, 0], "ABCDE"));
    for branch in f.office.sealed_branches(None, 10).await.unwrap() {
        let sealed = branch.server.sealed_password.unwrap();
        assert_eq!(sealer(2, &[]).open(branch.id, &sealed).unwrap().expose(), "hunter2");
    }
}

async fn a_branch_that_was_changed_since_is_left_alone(f: Fixture) {
    add(&f, "A").await;
    let read = f.office.sealed_branches(None, 10).await.unwrap().remove(0);
    let mut changed = f.office.branch(&"A".parse().unwrap()).await.unwrap().unwrap();
    let Connection::Server(server) = &mut changed.connection else { panic!("not a server") };
    server.sealed_password = Some(sealer(1, &[]).seal(changed.id, &Secret::new("newer")).unwrap());
    f.office.update_branch(&changed, "fingerprint of A").await.unwrap();
    let stale = Connection::Server(read.server.clone());
    assert_eq!(f.office.reseal_branches(&[(read, stale)]).await.unwrap(), 0);
    assert_eq!(f.office.branch(&"A".parse().unwrap()).await.unwrap(), Some(changed));
}
