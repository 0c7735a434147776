//! The Unix socket: a second way in, for whom the system lets open its file.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// A listening socket. Its file is removed with it.
pub(super) struct UnixSocket {
    listener: UnixListener,
    path: PathBuf,
    inode: u64,
}

impl UnixSocket {
    /// Listens at `path`, whose file only this user and root may open. A file that a process left behind when it died is
    /// replaced; one that somebody listens at, and anything that is no socket, is not.
    pub(super) fn bind(path: &Path) -> Result<Self, String> {
        let cannot = |error: io::Error| format!("server.unix_socket: cannot listen at {}: {error}", path.display());
        match fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => {
                return Err(format!(
                    "server.unix_socket: {} exists and is no socket; name another path",
                    path.display()
                ));
            }
            Ok(_) => match std::os::unix::net::UnixStream::connect(path) {
                Ok(_) => {
                    let path = path.display();
                    return Err(format!("server.unix_socket: another process listens at {path}; stop it"));
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(error) => return Err(cannot(error)),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(cannot(error)),
        }
        // Made under a name that nobody knows, closed to others, and only then put in its place.
        let mut hidden = path.as_os_str().to_owned();
        hidden.push(format!(".{:08x}", rand::random::<u32>()));
        let hidden = PathBuf::from(hidden);
        let listener = UnixListener::bind(&hidden).map_err(cannot)?;
        let placed = fs::set_permissions(&hidden, fs::Permissions::from_mode(0o600))
            .and_then(|()| fs::metadata(&hidden))
            .and_then(|found| fs::rename(&hidden, path).map(|()| found.ino()));
        match placed {
            Ok(inode) => Ok(Self { listener, path: path.to_owned(), inode }),
            Err(error) => {
                let _ = fs::remove_file(&hidden);
                Err(cannot(error))
            }
        }
    }

    /// The next connection, with the user at its other end.
    pub(super) async fn accept(&self) -> io::Result<(UnixStream, u32)> {
        let (stream, _) = self.listener.accept().await?;
        let user = stream.peer_cred()?.uid();
        Ok((stream, user))
    }
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        // Unless another process has put its own there meanwhile.
        if fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_what_is_stale_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bk.sock");
        let socket = UnixSocket::bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(UnixSocket::bind(&path).err().unwrap().contains("another process listens"));
        let (accepted, client) = tokio::join!(socket.accept(), UnixStream::connect(&path));
        assert_eq!(accepted.unwrap().1, fs::metadata(&path).unwrap().uid());
        drop((client, socket));
        assert!(!path.exists());

        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "left behind");
        drop(UnixSocket::bind(&path).unwrap());
        fs::write(&path, "precious").unwrap();
        assert!(UnixSocket::bind(&path).err().unwrap().contains("no socket"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
