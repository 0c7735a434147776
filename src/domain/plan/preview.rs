use super::{Direction, Plan, Segment, Unit};
use crate::domain::{BranchId, Checksum, Ledger, RowState};

/// What a plan for a branch is known by: the branch, the direction, what the ledger says, and every statement with the
/// transaction that it is part of. Whatever of these changes, changes the digest.
///
/// A table's rebuild is what the table makes of it, so its part is the SQL that it comes to. `becomes` has that of the
/// first statements that are still to be run, in the plan's order, as far as it could be told; where nothing is rebuilt it
/// may be empty.
pub fn plan_digest(
    branch: BranchId,
    direction: Direction,
    ledger: &Ledger,
    plan: &Plan,
    becomes: &[Vec<String>],
) -> Checksum {
    let mut becomes = becomes.iter();
    let mut parts = vec!["plan 1".to_owned(), branch.to_string(), direction.as_str().to_owned()];
    for row in &ledger.rows {
        parts.extend(["row".to_owned(), row.id.clone(), row.checksum.as_str().to_owned()]);
        if let RowState::Partial(progress) = &row.state {
            parts.push(format!("half {}", progress.direction.as_str()));
            parts.extend(progress.done.iter().map(|digest| digest.as_str().to_owned()));
            parts.extend(progress.intent.iter().map(|intent| format!("begun {}", intent.to_stored())));
        }
    }
    for unit in &plan.units {
        match unit {
            Unit::Atomic(_) => parts.push("together".to_owned()),
            Unit::Stepwise(_, segments) => {
                parts.push("stepwise".to_owned());
                parts.extend(segments.iter().map(|segment| match segment {
                    Segment::Transaction(range) => format!("{}-{}", range.start, range.end),
                    Segment::Alone(index) => format!("alone {index}"),
                }));
            }
        }
        for planned in unit.migrations() {
            let (id, checksum) = (&planned.migration.id, &planned.migration.checksum);
            parts.extend(["migration".to_owned(), id.to_string(), checksum.as_str().to_owned()]);
            let statements = planned.script().statements.iter().skip(planned.begin());
            for statement in statements {
                parts.push(format!("{:?} {}", statement.rebuild, statement.sql));
                let sql = becomes.next().filter(|_| statement.rebuild.is_some());
                parts.extend(sql.into_iter().flatten().map(|sql| format!("becomes {sql}")));
            }
        }
    }
    Checksum::of_parts(parts.iter().map(String::as_str))
}

/// The number of the transaction that each statement of each of the plan's migrations is part of, from 1, for those that
/// are still to be run. A statement that runs outside any transaction has a number of its own.
pub fn transactions(plan: &Plan) -> Vec<Vec<u32>> {
    let mut number = 0;
    let mut numbers = Vec::new();
    for unit in &plan.units {
        match unit {
            Unit::Atomic(together) => {
                number += 1;
                numbers.extend(together.iter().map(|planned| vec![number; planned.script().statements.len()]));
            }
            Unit::Stepwise(_, segments) => {
                let mut of_migration = Vec::new();
                for segment in segments {
                    number += 1;
                    let count = match segment {
                        Segment::Transaction(range) => range.len(),
                        Segment::Alone(_) => 1,
                    };
                    of_migration.extend(std::iter::repeat_n(number, count));
                }
                numbers.push(of_migration);
            }
        }
    }
    numbers
}
