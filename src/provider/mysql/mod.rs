//! What MySQL and MariaDB contribute. MariaDB is recognised by its version; where the two differ, the texts say so in
//! comments that only one of them reads: `/*!50720 … */` is MySQL's, `/*M!100100 … */` MariaDB's.

mod account;
mod asked;
mod confined;
mod copy;
mod dialect;
mod failure;
mod place;
mod quoting;
mod spare;
mod vigil;
mod wire;

pub(super) use copy::Copy;
pub(super) use dialect::DIALECT;
pub(super) use spare::Spare;
pub(super) use wire::Wire;
