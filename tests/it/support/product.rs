//! The database servers that the tests start: where each is found, how its data folder is made, how it is run.

use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::private::{Account, CERTIFICATE, KEY, run};

/// MySQL's and MariaDB's list of sessions. MySQL's usual one can't be read while any session runs a text with an emoji in
/// it, such as another test's.
pub(crate) const SESSIONS: &str =
    "/*!80022 performance_schema.processlist */ /*M!100000 information_schema.processlist */";

/// A kind of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Product {
    Postgres,
    MariaDb,
    MySql,
    /// Never started by the tests: there is one by URL or none.
    SqlServer,
}

impl Product {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::MariaDb => "MariaDB",
            Self::MySql => "MySQL",
            Self::SqlServer => "SQL Server",
        }
    }

    /// The variable by which a server can be given to the tests.
    pub(crate) fn variable(self) -> &'static str {
        match self {
            Self::Postgres => "BRANCHKEEPER_TEST_POSTGRES_URL",
            Self::MariaDb => "BRANCHKEEPER_TEST_MARIADB_URL",
            Self::MySql => "BRANCHKEEPER_TEST_MYSQL_URL",
            Self::SqlServer => "BRANCHKEEPER_TEST_SQLSERVER_URL",
        }
    }

    pub(crate) fn schemes(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &["postgres://", "postgresql://"],
            Self::MariaDb | Self::MySql => &["mysql://", "mariadb://"],
            Self::SqlServer => &["sqlserver://", "mssql://"],
        }
    }

    pub(crate) fn port(self) -> u16 {
        match self {
            Self::Postgres => 5432,
            Self::MariaDb | Self::MySql => 3306,
            Self::SqlServer => 1433,
        }
    }

    /// The account of a private server that may do everything.
    pub(crate) fn administrator(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::MariaDb | Self::MySql => "branchkeeper",
            Self::SqlServer => "sa",
        }
    }

    /// The database to connect to for making others.
    pub(crate) fn maintenance(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::MariaDb | Self::MySql => "mysql",
            Self::SqlServer => "master",
        }
    }

    /// The signal at which the server ends at once, its children with it.
    pub(super) fn signal(self) -> &'static str {
        if self == Self::Postgres { "QUIT" } else { "KILL" }
    }
}

/// A server's programs.
pub(super) struct Programs {
    product: Product,
    folder: PathBuf,
}

impl Programs {
    /// Finds the programs, or says why there are none and what to do. MySQL's, which Debian's stable release does not
    /// have, are unpacked into the cache.
    pub(super) fn find(product: Product, account: Account, cache: &Path) -> Result<Self, String> {
        let variable = product.variable();
        let advice = |what: &str, scheme: &str| {
            format!(
                "{what}; or set {variable}={scheme}://user:password@host:port/database to a server where that user may \
                 create databases"
            )
        };
        let folder = match product {
            Product::Postgres => find_postgres()
                .ok_or_else(|| advice("initdb and postgres were not found: apt-get install postgresql", "postgres")),
            Product::MariaDb => {
                find_in_path(&["mariadb-install-db"]).and_then(|_| find_in_path(&["mariadbd"])).ok_or_else(|| {
                    advice("mariadbd was not found: apt-get install mariadb-server-core mariadb-client-core", "mysql")
                })
            }
            Product::MySql => unpack_mysql(account, cache).map_err(|problem| advice(&problem, "mysql")),
            Product::SqlServer => Err(format!("set {variable}")),
        };
        Ok(Self { product, folder: folder? })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The name of the template that these programs make, version included.
    pub(super) fn template(&self) -> String {
        if self.product == Product::MySql {
            return "mysql-template-1".into();
        }
        let program = if self.product == Product::Postgres { "postgres" } else { "mariadbd" };
        let version = self.command(Account::OURS, program).arg("--version").output().expect("it can be run");
        let text = String::from_utf8_lossy(&version.stdout).into_owned();
        let number = text.split(|c: char| !c.is_ascii_digit() && c != '.').find(|word| word.contains('.'));
        let major: Vec<&str> = number.unwrap_or_default().split('.').collect();
        match self.product {
            Product::Postgres => format!("postgres-{}-template-1", major[0]),
            _ => format!("mariadb-{}-template-1", major.iter().take(2).copied().collect::<Vec<_>>().join(".")),
        }
    }

    /// Makes `folder/data`, never started, whose administrator has the password in `folder/password`.
    pub(super) fn make_data(&self, account: Account, folder: &Path) {
        let data = folder.join("data");
        match self.product {
            Product::Postgres => run(self
                .command(account, "initdb")
                .arg("-D")
                .arg(data)
                .arg("--pwfile")
                .arg(folder.join("password"))
                .args(["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"])),
            Product::MariaDb => run(self
                .command(account, "mariadb-install-db")
                .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
                .args(["--innodb-log-file-size=16M"])
                .arg(flag("datadir", &data))),
            Product::MySql => {
                let mut command = self.command(account, "mysqld");
                run(command.args(self.mysql_flags()).arg("--initialize-insecure").arg(flag("datadir", &data)));
            }
            Product::SqlServer => unreachable!("it has no programs"),
        }
    }

    /// The command line that serves `folder/data` at `port`. Written for speed, not for surviving a power cut.
    pub(super) fn serve(&self, account: Account, folder: &Path, port: u16) -> Vec<OsString> {
        let data = folder.join("data");
        let (mut line, program) = match self.product {
            Product::Postgres => (vec!["-D".into(), data.clone().into_os_string()], "postgres"),
            Product::MariaDb => (vec!["--no-defaults".into(), "--innodb-log-file-size=16M".into()], "mariadbd"),
            Product::MySql => (self.mysql_flags(), "mysqld"),
            Product::SqlServer => unreachable!("it has no programs"),
        };
        if self.product == Product::Postgres {
            for setting in [
                "listen_addresses=127.0.0.1",
                &format!("port={port}"),
                "unix_socket_directories=",
                "fsync=off",
                "full_page_writes=off",
                "max_connections=300",
                "shared_buffers=64MB",
                "max_wal_size=256MB",
                "password_encryption=scram-sha-256",
            ] {
                line.extend(["-c".into(), setting.into()]);
            }
        } else {
            line.extend([flag("datadir", &data), flag("socket", &folder.join("socket"))]);
            // A server that starts removes what others of its kind have in a folder that they share.
            line.push(flag("tmpdir", folder));
            line.extend([flag("pid-file", &folder.join("pid")), flag("init-file", &account_file(account, folder))]);
            line.extend([format!("--port={port}").into(), "--bind-address=127.0.0.1".into()]);
            for setting in
                ["skip-name-resolve", "innodb-flush-log-at-trx-commit=2", "skip-log-bin", "max-connections=300"]
            {
                line.push(format!("--{setting}").into());
            }
        }
        let (certificate, key) = (folder.join(CERTIFICATE), folder.join(KEY));
        if certificate.exists() && self.product == Product::Postgres {
            for (name, file) in [("ssl_cert_file", &certificate), ("ssl_key_file", &key)] {
                line.extend(["-c".into(), format!("{name}={}", file.display()).into()]);
            }
            line.extend(["-c".into(), "ssl=on".into()]);
        } else if certificate.exists() {
            line.extend([flag("ssl-cert", &certificate), flag("ssl-key", &key)]);
        }
        let command = self.command(account, program);
        std::iter::once(command.get_program()).chain(command.get_args()).map(OsString::from).chain(line).collect()
    }

    /// Whether the server of `folder` takes connections at `port`.
    pub(super) fn is_ready(&self, folder: &Path, port: u16) -> bool {
        if self.product == Product::Postgres {
            let state = fs::read_to_string(folder.join("data/postmaster.pid")).unwrap_or_default();
            return state.lines().nth(7).is_some_and(|line| line.trim() == "ready");
        }
        // The server speaks first: four bytes of frame, then its protocol's version. 10 once it lets people in.
        let greets = || {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
            stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
            let mut head = [0; 5];
            stream.read_exact(&mut head).ok()?;
            Some(head[4] == 10)
        };
        greets() == Some(true)
    }

    fn command(&self, account: Account, program: &str) -> Command {
        if self.product != Product::MySql {
            // Debian has the server in one folder and its tools in another.
            let folder = Some(self.folder.clone()).filter(|folder| folder.join(program).is_file());
            let folder =
                folder.or_else(|| find_in_path(&[program])).expect("it was there when the programs were found");
            return account.command(folder.join(program));
        }
        // It runs with the libraries that it was unpacked with.
        let library = library_folder(&self.folder).expect("it was there when the programs were found");
        let mut command = account.command(loader(&library).expect("it was there when the programs were found"));
        command.arg("--library-path").arg(library).arg(self.folder.join("usr/sbin").join(program));
        command
    }

    fn mysql_flags(&self) -> Vec<OsString> {
        let usr = self.folder.join("usr");
        let mut flags: Vec<OsString> =
            ["--no-defaults", "--secure-file-priv=NULL", "--mysqlx=OFF"].map(OsString::from).into();
        flags.extend([
            flag("basedir", &usr),
            flag("lc-messages-dir", &usr.join("share/mysql")),
            flag("plugin-dir", &usr.join("lib/mysql/plugin")),
        ]);
        flags
    }
}

fn flag(name: &str, path: &Path) -> OsString {
    let mut flag = OsString::from(format!("--{name}="));
    flag.push(path);
    flag
}

/// What the server does first: it makes the administrator and shuts the accounts without a password.
fn account_file(account: Account, folder: &Path) -> PathBuf {
    let password = fs::read_to_string(folder.join("password")).expect("it was copied with the data");
    let file = folder.join("accounts.sql");
    let name = Product::MySql.administrator();
    let text = format!(
        "CREATE USER IF NOT EXISTS '{name}'@'%' IDENTIFIED BY '{password}';\n\
         GRANT ALL PRIVILEGES ON *.* TO '{name}'@'%' WITH GRANT OPTION;\n\
         DROP USER IF EXISTS 'root'@'localhost', 'root'@'127.0.0.1', 'root'@'::1';\n"
    );
    fs::write(&file, text).expect("a file can be written");
    account.own(&file);
    file
}

fn find_in_path(programs: &[&str]) -> Option<PathBuf> {
    let complete = |folder: &PathBuf| programs.iter().all(|program| folder.join(program).is_file());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/usr/bin"].map(PathBuf::from);
    // Debian puts the server into sbin and links nothing.
    let folders: Vec<PathBuf> = std::env::split_paths(&path).chain(usual).collect();
    folders.iter().find(|folder| complete(folder)).cloned()
}

fn find_postgres() -> Option<PathBuf> {
    let complete = |folder: &PathBuf| folder.join("initdb").is_file() && folder.join("postgres").is_file();
    find_in_path(&["initdb", "postgres"]).or_else(|| {
        let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
        let number = |entry: fs::DirEntry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path()));
        let mut folders: Vec<_> =
            versions.filter_map(number).map(|(version, path)| (version, path.join("bin"))).collect();
        folders.sort();
        folders.into_iter().rev().map(|(_, folder)| folder).find(complete)
    })
}

fn library_folder(tree: &Path) -> Option<PathBuf> {
    let folders = fs::read_dir(tree.join("usr/lib")).ok()?.flatten().map(|entry| entry.path());
    folders.into_iter().find(|path| path.to_string_lossy().ends_with("-linux-gnu"))
}

fn loader(library: &Path) -> Option<PathBuf> {
    let files = fs::read_dir(library).ok()?.flatten();
    files
        .map(|entry| entry.path())
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ld-linux")))
}

/// MySQL's server from Debian's unstable release, with its libraries, in a folder of the cache.
fn unpack_mysql(account: Account, cache: &Path) -> Result<PathBuf, String> {
    let done = cache.join("mysql-tree-1");
    if done.join("usr/sbin/mysqld").is_file() {
        return Ok(done);
    }
    if find_in_path(&["mmdebstrap"]).is_none() {
        return Err("MySQL is unpacked by mmdebstrap, which was not found: apt-get install mmdebstrap".into());
    }
    let folder = cache.join(format!("making-mysql-{}-{:08x}", std::process::id(), rand::random::<u32>()));
    let mut command = Command::new("mmdebstrap");
    command.args(["--quiet", "--variant=extract", "--include=mysql-server-core"]);
    command.args(["--aptopt=Acquire::Check-Valid-Until \"false\"", "--aptopt=Acquire::Retries \"2\"", "sid"]);
    let output = command.arg(&folder).args(debian_mirror()).stdin(std::process::Stdio::null()).output();
    let output = output.map_err(|error| format!("mmdebstrap can't be run: {error}"))?;
    let usable = library_folder(&folder).is_some_and(|library| loader(&library).is_some());
    if !output.status.success() || !usable {
        let _ = fs::remove_dir_all(&folder);
        let text = String::from_utf8_lossy(&output.stderr);
        let last = text.lines().rev().find(|line| line.starts_with("E:")).unwrap_or("it gave no folder");
        return Err(format!("mmdebstrap could not unpack mysql-server-core: {last}"));
    }
    account.own(&folder);
    // Another process may have been faster; then its folder is as good as ours.
    if fs::rename(&folder, &done).is_err() {
        let _ = fs::remove_dir_all(&folder);
    }
    Ok(done)
}

/// The mirror that apt uses on a Debian machine.
fn debian_mirror() -> Option<String> {
    let more = fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten().map(|entry| entry.path());
    let files = std::iter::once(PathBuf::from("/etc/apt/sources.list")).chain(more);
    let texts = files.filter_map(|file| fs::read_to_string(file).ok());
    texts
        .flat_map(|text| text.split_whitespace().map(String::from).collect::<Vec<_>>())
        .find(|word| word.starts_with("http") && word.trim_end_matches('/').ends_with("/debian"))
}
