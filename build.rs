//! Compiles the contract. The compiler is a library, so no machine needs `protoc`.

use std::path::PathBuf;

use prost::Message;

const FILES: [&str; 5] = [
    "branchkeeper/v1/access_service.proto",
    "branchkeeper/v1/audit_service.proto",
    "branchkeeper/v1/branch_service.proto",
    "branchkeeper/v1/migration_service.proto",
    "branchkeeper/v1/notification_service.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(FILES, ["proto"])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    // Served by reflection, so that grpcurl needs no files.
    std::fs::write(out.join("branchkeeper.binpb"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
