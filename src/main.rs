//! The program `branchkeeper`.

use std::process::ExitCode;

fn main() -> ExitCode {
    branchkeeper::cli::main()
}
