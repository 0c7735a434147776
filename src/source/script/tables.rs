use super::cursor::Cursor;
use crate::domain::{ObjectName, Provider, TableChange};

/// Which tables a statement makes, drops or renames. Temporary tables do not count.
pub(super) fn changes(provider: Provider, mut at: Cursor<'_>) -> Vec<TableChange> {
    let changes = if at.take("CREATE") {
        created(at).into_iter().collect()
    } else if at.take("DROP") {
        dropped(at)
    } else if at.take("ALTER") {
        renamed(at).into_iter().collect()
    } else {
        Vec::new()
    };
    changes.into_iter().filter_map(|change| lasting(provider, change)).collect()
}

fn created(mut at: Cursor<'_>) -> Option<TableChange> {
    at.take_any(&["UNLOGGED", "VIRTUAL"]);
    if !at.take("TABLE") {
        return None;
    }
    at.take_all(&["IF", "NOT", "EXISTS"]);
    at.name().map(TableChange::Created)
}

fn dropped(mut at: Cursor<'_>) -> Vec<TableChange> {
    let mut changes = Vec::new();
    if !at.take("TABLE") {
        return changes;
    }
    at.take_all(&["IF", "EXISTS"]);
    while let Some(name) = at.name() {
        changes.push(TableChange::Dropped(name));
        if !at.symbol(',') {
            break;
        }
    }
    changes
}

fn renamed(mut at: Cursor<'_>) -> Option<TableChange> {
    if !at.take("TABLE") {
        return None;
    }
    at.take_all(&["IF", "EXISTS"]);
    at.take("ONLY");
    let from = at.name()?;
    at.symbol('*');
    let to = if at.take_all(&["RENAME", "TO"]) {
        ObjectName { schema: from.schema.clone(), name: at.part()? }
    } else if at.take_all(&["SET", "SCHEMA"]) {
        ObjectName { schema: Some(at.part()?), name: from.name.clone() }
    } else {
        return None;
    };
    Some(TableChange::Renamed(from, to))
}

fn lasting(provider: Provider, change: TableChange) -> Option<TableChange> {
    let lasting = |name: ObjectName| match (provider, name.schema.as_deref()) {
        (Provider::Sqlite, Some(schema)) if schema.eq_ignore_ascii_case("main") => Some(ObjectName::bare(name.name)),
        (Provider::Sqlite, Some(schema)) if schema.eq_ignore_ascii_case("temp") => None,
        (Provider::Postgres, Some("pg_temp")) => None,
        _ => Some(name),
    };
    Some(match change {
        TableChange::Created(name) => TableChange::Created(lasting(name)?),
        TableChange::Dropped(name) => TableChange::Dropped(lasting(name)?),
        TableChange::Renamed(from, to) => TableChange::Renamed(lasting(from)?, lasting(to)?),
    })
}
