//! Compiles the contract; `proto` is a link to the repository's own, which packaging turns into files.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto/branchkeeper/v1");
    let mut files = Vec::new();
    for entry in std::fs::read_dir("proto/branchkeeper/v1")? {
        files.push(PathBuf::from("branchkeeper/v1").join(entry?.file_name()));
    }
    files.sort();
    let descriptors = protox::compile(files, ["proto"])?;
    tonic_prost_build::configure().build_server(false).compile_fds(descriptors)?;
    Ok(())
}
