//! PgBouncer in front of a server.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::server::Server;
use super::{skip, temp_dir};

/// A pooler that lives as long as the value.
pub(crate) struct Pooler {
    child: Child,
    /// Where it listens on 127.0.0.1.
    pub(crate) port: u16,
    _folder: tempfile::TempDir,
}

impl Pooler {
    /// A pooler that lends the server's sessions as `mode` says, with `more` lines of settings, once it answers. `None`,
    /// said aloud, where there is no PgBouncer.
    pub(crate) async fn start(server: &Server, mode: &str, more: &str) -> Option<Self> {
        let places = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer"];
        let Some(program) = places.iter().map(Path::new).find(|path| path.is_file()) else {
            skip::say("no PgBouncer (apt-get install pgbouncer). The tests named after poolers pass without it");
            return None;
        };
        let folder = temp_dir();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (users, file) = (folder.path().join("users"), folder.path().join("settings.ini"));
        fs::write(&users, format!("\"{}\" \"{}\"\n", server.username, server.password)).unwrap();
        let settings = format!(
            "[databases]\n* = host={} port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = plain\nauth_file = {}\npool_mode = {mode}\n{more}\n",
            server.host,
            server.port,
            users.display()
        );
        fs::write(&file, settings).unwrap();
        let mut command = Command::new(program);
        // It refuses to run as root.
        if fs::metadata("/proc/self").unwrap().uid() == 0 {
            for path in [folder.path(), &users, &file] {
                chown(path, Some(65534), Some(65534)).unwrap();
            }
            command.uid(65534);
        }
        command.arg("-q").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut pooler = Self { child: command.spawn().unwrap(), port, _folder: folder };
        let begun = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            let ended = pooler.child.try_wait().unwrap();
            assert!(ended.is_none() && begun.elapsed() < Duration::from_secs(30), "no pooler answers: {ended:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Some(pooler)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
