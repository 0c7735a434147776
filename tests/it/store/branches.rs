use std::collections::HashSet;

use branchkeeper::domain::{BranchId, BranchRef, Connection, Provider, Selector, SqliteConnection};
use branchkeeper::store::{BranchFilter, Page, StoreError};

use super::fixture::{Fixture, branch, codes, labels, over_both_backends, server_connection};

over_both_backends!(
    a_branch_comes_back_as_it_was,
    codes_and_databases_are_unique,
    creating_the_same_code_at_once_works_once,
    updates_replace_everything,
    updates_keep_codes_and_databases_unique,
    updating_to_the_same_code_at_once_works_once,
    deleting_forgets_the_branch,
    a_thousand_branches_page_in_order,
    filters_combine,
    page_tokens_belong_to_their_list,
);

async fn a_branch_comes_back_as_it_was(f: Fixture) {
    let made = f
        .add_with("Br-001.Łódź".split('.').next().unwrap(), |branch| {
            branch.name = "Łódź, 'main' street; --\n".into();
            branch.provider = Provider::Postgres;
            branch.connection = server_connection();
            branch.labels = labels(&[("region", "north"), ("tier", "")]);
            branch.is_active = false;
            branch.environment = "production".into();
        })
        .await;
    for which in [made.id.to_string(), "BR-001".into(), "br-001".into()] {
        let found = f.office.branch(&which.parse().unwrap()).await.unwrap();
        assert_eq!(found.as_ref(), Some(&made), "{which}");
    }
    assert_eq!(f.office.branch(&"BR-002".parse().unwrap()).await.unwrap(), None);
    assert_eq!(f.office.branch(&BranchRef::Id(BranchId::generate())).await.unwrap(), None);
}

async fn codes_and_databases_are_unique(f: Fixture) {
    f.add("BR001").await;
    let error = f.office.create_branch(&branch("br001"), "another").await.unwrap_err();
    assert!(matches!(&error, StoreError::CodeTaken { code } if code.as_str() == "BR001"), "{error}");
    let error = f.office.create_branch(&branch("BR002"), "fingerprint of BR001").await.unwrap_err();
    assert!(matches!(&error, StoreError::DatabaseTaken { by } if by.as_str() == "BR001"), "{error}");
    let mut twin = branch("BR003");
    twin.id = f.add("BR004").await.id;
    assert!(matches!(f.office.create_branch(&twin, "third").await, Err(StoreError::Internal(_))));
    let all = f.office.branches(&BranchFilter::default(), &Page::default()).await.unwrap();
    assert_eq!(codes(&all.items), ["BR001", "BR004"]);
}

async fn creating_the_same_code_at_once_works_once(f: Fixture) {
    let replica = f.replica().await;
    let attempts = (0..8).map(|number| {
        let office = if number % 2 == 0 { f.office.clone() } else { replica.clone() };
        tokio::spawn(async move { office.create_branch(&branch("BR001"), &format!("database {number}")).await })
    });
    let mut made = 0;
    for attempt in attempts.collect::<Vec<_>>() {
        match attempt.await.unwrap() {
            Ok(()) => made += 1,
            Err(error) => assert!(matches!(error, StoreError::CodeTaken { .. }), "{error}"),
        }
    }
    assert_eq!(made, 1);
}

async fn updates_replace_everything(f: Fixture) {
    let mut changed = f.add_with("BR001", |branch| branch.labels = labels(&[("a", "1"), ("b", "2")])).await;
    changed.code = "SHOP-1".parse().unwrap();
    changed.name = "Shop".into();
    changed.labels = labels(&[("b", "3"), ("c", "4")]);
    changed.is_active = false;
    changed.environment = "staging".into();
    changed.connection = Connection::Sqlite(SqliteConnection { path: "shops/1.db".into() });
    changed.update_time += chrono::TimeDelta::seconds(5);
    f.office.update_branch(&changed, "new database").await.unwrap();
    assert_eq!(f.office.branch(&"shop-1".parse().unwrap()).await.unwrap(), Some(changed.clone()));
    assert_eq!(f.office.branch(&"BR001".parse().unwrap()).await.unwrap(), None);
    for (key, value, found) in [("a", "1", 0), ("b", "2", 0), ("b", "3", 1), ("c", "4", 1)] {
        let selector = Selector { labels: labels(&[(key, value)]), ..Selector::default() };
        let filter = BranchFilter { selector, is_active: None };
        assert_eq!(f.office.branches(&filter, &Page::default()).await.unwrap().items.len(), found, "{key}={value}");
    }
    let error = f.office.update_branch(&branch("BR002"), "x").await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound(_)), "{error}");
}

async fn updates_keep_codes_and_databases_unique(f: Fixture) {
    f.add("BR001").await;
    let mut second = f.add("BR002").await;
    let before = second.clone();
    second.code = "br001".parse().unwrap();
    let error = f.office.update_branch(&second, "fingerprint of BR002").await.unwrap_err();
    assert!(matches!(&error, StoreError::CodeTaken { code } if code.as_str() == "BR001"), "{error}");
    second.code = "BR003".parse().unwrap();
    let error = f.office.update_branch(&second, "fingerprint of BR001").await.unwrap_err();
    assert!(matches!(&error, StoreError::DatabaseTaken { by } if by.as_str() == "BR001"), "{error}");
    assert_eq!(f.office.branch(&BranchRef::Id(before.id)).await.unwrap(), Some(before.clone()));
    // Only the spelling changes: its own code is not in the way.
    second.code = "br002".parse().unwrap();
    f.office.update_branch(&second, "fingerprint of BR002").await.unwrap();
}

async fn updating_to_the_same_code_at_once_works_once(f: Fixture) {
    let branches = f.add_many(8).await;
    let replica = f.replica().await;
    let attempts = branches.into_iter().enumerate().map(|(number, mut branch)| {
        let office = if number % 2 == 0 { f.office.clone() } else { replica.clone() };
        let fingerprint = format!("fingerprint of {}", branch.code);
        branch.code = "SAME".parse().unwrap();
        tokio::spawn(async move { office.update_branch(&branch, &fingerprint).await })
    });
    let mut changed = 0;
    for attempt in attempts.collect::<Vec<_>>() {
        match attempt.await.unwrap() {
            Ok(()) => changed += 1,
            Err(error) => {
                assert!(matches!(&error, StoreError::CodeTaken { code } if code.as_str() == "SAME"), "{error}")
            }
        }
    }
    assert_eq!(changed, 1);
}

async fn deleting_forgets_the_branch(f: Fixture) {
    let gone = f.add_with("BR001", |branch| branch.labels = labels(&[("a", "1")])).await;
    f.office.delete_branch(gone.id).await.unwrap();
    assert_eq!(f.office.branch(&BranchRef::Id(gone.id)).await.unwrap(), None);
    assert_eq!(f.office.state(gone.id).await.unwrap(), None);
    assert!(matches!(f.office.delete_branch(gone.id).await, Err(StoreError::NotFound(_))));
    // Its code and its database are free again.
    f.add("BR001").await;
}

async fn a_thousand_branches_page_in_order(f: Fixture) {
    // Registered in another order than they are listed; case and punctuation must not disturb the order.
    for number in 0..1000 {
        let number = (number * 337) % 1000;
        let case = if number % 2 == 0 { "Br" } else { "bR" };
        f.add(&format!("{case}{}{number:04}", ["-", "_", "."][number % 3])).await;
    }
    let mut page = Page { size: 73, token: String::new() };
    let mut seen = Vec::new();
    loop {
        let part = f.office.branches(&BranchFilter::default(), &page).await.unwrap();
        assert!(part.items.len() <= 73);
        seen.extend(part.items.iter().map(|branch| branch.code.folded()));
        if part.next_token.is_empty() {
            break;
        }
        page.token = part.next_token;
    }
    assert_eq!(seen.len(), 1000);
    assert!(seen.is_sorted(), "in the order of bytes");
    assert_eq!(seen.iter().collect::<HashSet<_>>().len(), 1000);
    let most = f.office.branches(&BranchFilter::default(), &Page { size: u32::MAX, ..Page::default() }).await.unwrap();
    assert_eq!((most.items.len(), most.next_token.as_str()), (1000, ""));
}

async fn filters_combine(f: Fixture) {
    let north = |branch: &mut branchkeeper::domain::Branch| branch.labels = labels(&[("region", "north"), ("x", "1")]);
    f.add_with("A", north).await;
    let b = f.add_with("B", |branch| {
        north(branch);
        branch.provider = Provider::Postgres;
        branch.connection = server_connection();
    });
    let b = b.await;
    f.add_with("C", |branch| branch.labels = labels(&[("region", "south"), ("x", "1")])).await;
    f.add_with("D", |branch| branch.is_active = false).await;
    let list = async |selector: Selector, is_active: Option<bool>| {
        let filter = BranchFilter { selector, is_active };
        let found = f.office.branches(&filter, &Page::default()).await.unwrap();
        codes(&found.items).join("")
    };
    let all = Selector::default;
    assert_eq!(list(all(), None).await, "ABCD");
    assert_eq!(list(all(), Some(true)).await, "ABC");
    assert_eq!(list(all(), Some(false)).await, "D");
    assert_eq!(list(Selector { labels: labels(&[("region", "north")]), ..all() }, None).await, "AB");
    assert_eq!(list(Selector { labels: labels(&[("region", "north"), ("x", "1")]), ..all() }, None).await, "AB");
    assert_eq!(list(Selector { labels: labels(&[("region", "north"), ("x", "2")]), ..all() }, None).await, "");
    assert_eq!(list(Selector { providers: vec![Provider::Postgres], ..all() }, None).await, "B");
    assert_eq!(list(Selector { providers: Provider::ALL.to_vec(), ..all() }, None).await, "ABCD");
    let named = vec!["c".parse().unwrap(), BranchRef::Id(b.id), "unknown".parse().unwrap()];
    assert_eq!(list(Selector { branches: named.clone(), ..all() }, None).await, "BC");
    let both = Selector { branches: named, labels: labels(&[("region", "south")]), ..all() };
    assert_eq!(list(both, None).await, "C");
}

async fn page_tokens_belong_to_their_list(f: Fixture) {
    f.add_many(3).await;
    let one = Page { size: 1, token: String::new() };
    let part = f.office.branches(&BranchFilter::default(), &one).await.unwrap();
    let page = Page { size: 1, token: part.next_token };
    let active = BranchFilter { is_active: Some(true), ..BranchFilter::default() };
    for result in [
        f.office.branches(&active, &page).await.map(drop),
        f.office.statuses(&Default::default(), &page).await.map(drop),
        f.office.runs(&Default::default(), &page).await.map(drop),
        f.office.branches(&BranchFilter::default(), &Page { size: 1, token: "nonsense".into() }).await.map(drop),
    ] {
        assert!(matches!(result, Err(StoreError::BadPageToken)), "{result:?}");
    }
    assert_eq!(codes(&f.office.branches(&BranchFilter::default(), &page).await.unwrap().items), ["BR00002"]);
}
