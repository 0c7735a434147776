"""A PostgreSQL server for the tests: one of their own, or the one that BRANCHKEEPER_TEST_POSTGRES_URL names."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import uuid
from pathlib import Path
from typing import Any, Iterator, Optional
from urllib.parse import quote, unquote, urlsplit

import pg8000.dbapi

from support import free_port, wait_until


class Postgres:
    """Where the server is, and who may do everything there."""

    def __init__(self, host: str, port: int, user: str, password: str, maintenance: str) -> None:
        self.host = host
        self.port = port
        self.user = user
        self.password = password
        self._maintenance = maintenance

    def connect(self, name: str = "branchkeeper-tests", database: Optional[str] = None) -> Any:
        """A connection, known to the server by `name`, on which every statement is a transaction."""
        connection = pg8000.dbapi.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password or None,
            database=database or self._maintenance,
            application_name=name,
        )
        connection.autocommit = True
        return connection

    def execute(self, *statements: str) -> None:
        connection = self.connect()
        try:
            for statement in statements:
                connection.cursor().execute(statement)
        finally:
            connection.close()

    def contents(self, database: str) -> Iterator[str]:
        """Every row of every table in a database. Tables of head office have texts and numbers alone."""
        connection = self.connect(database=database)
        try:
            cursor = connection.cursor()
            cursor.execute("SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'public'")
            for (table,) in cursor.fetchall():
                cursor.execute(f"SELECT * FROM {table}")
                for row in cursor.fetchall():
                    yield table + " " + " ".join(map(str, row))
        finally:
            connection.close()

    def url(self, database: str) -> str:
        secret = f":{quote(self.password, safe='')}" if self.password else ""
        return f"postgres://{quote(self.user, safe='')}{secret}@{self.host}:{self.port}/{database}"


def _programs() -> Optional[Path]:
    folders = [Path(each).parent for each in [shutil.which("initdb")] if each]
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((each for each in folders if (each / "initdb").exists() and (each / "postgres").exists()), None)


def servers() -> Iterator[Optional[Postgres]]:
    """One server, which ends with the generator; None where there is none."""
    given = os.environ.get("BRANCHKEEPER_TEST_POSTGRES_URL")
    if given:
        url = urlsplit(given)
        user, password = unquote(url.username or "postgres"), unquote(url.password or "")
        yield Postgres(url.hostname or "127.0.0.1", url.port or 5432, user, password, url.path.strip("/") or "postgres")
        return
    programs = _programs()
    if programs is None:
        yield None
        return
    # The server refuses to run as root.
    account = pwd.getpwnam("postgres").pw_name if os.getuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="branchkeeper-", ignore_cleanup_errors=True) as folder:
        data, secret, port = Path(folder, "data"), Path(folder, "password"), free_port()
        server = Postgres("127.0.0.1", port, "postgres", uuid.uuid4().hex, "postgres")
        secret.write_text(server.password)
        if account is not None:
            for path in (folder, secret):
                shutil.chown(path, account)
        # SCRAM's thousands of rounds would take a service without optimisations a second for every branch.
        init = [programs / "initdb", "-D", data, "--pwfile", secret, "--username=postgres", "--auth=md5"]
        init += ["--encoding=UTF8", "--locale=C", "--no-sync"]
        subprocess.run(init, cwd=folder, user=account, check=True, stdout=subprocess.DEVNULL)
        settings = ["listen_addresses=127.0.0.1", f"port={port}", "unix_socket_directories=", "max_connections=300"]
        settings += ["fsync=off", "full_page_writes=off"]
        serve = [programs / "postgres", "-D", data]
        for setting in settings:
            serve += ["-c", setting]
        with open(Path(folder, "log"), "wb") as log:
            process = subprocess.Popen(serve, cwd=folder, user=account, stdout=log, stderr=log)
        try:
            wait_until(lambda: process.poll() is not None or _answers(server), 60)
            yield server
        finally:
            # At once, and whoever is still connected is cut off.
            process.send_signal(signal.SIGINT)
            process.wait(30)


def _answers(server: Postgres) -> bool:
    try:
        server.execute("SELECT 1")
    except (pg8000.dbapi.InterfaceError, pg8000.dbapi.DatabaseError):
        return False
    return True
