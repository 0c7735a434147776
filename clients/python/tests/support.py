"""The real service, and a proxy that cuts its connections."""

import os
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import branchkeeper
from branchkeeper import v1

ROOT = Path(__file__).resolve().parents[3]
BINARY = os.environ.get("BRANCHKEEPER_BIN", str(ROOT / "target/debug/branchkeeper"))
AUTHENTICATED = {
    "BRANCHKEEPER__AUTH__JWT__SECRET_REF": "env:CLIENT_TEST_SECRET",
    "CLIENT_TEST_SECRET": "for tests only: nobody is let in by this",
}
TOKENS = ROOT / "clients/testdata"
MIGRATIONS = {
    "20260101000000_Create.sql": "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT);",
    "20260102000000_Extend.sql": "ALTER TABLE items ADD COLUMN price INTEGER;",
}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Service:
    """One service with a data folder of its own."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.port = free_port()
        self.target = f"127.0.0.1:{self.port}"
        self.process = None
        migrations = Path(self.folder.name, "migrations")
        migrations.mkdir()
        for name, sql in MIGRATIONS.items():
            (migrations / name).write_text(sql)

    def start(self, **variables: str) -> "Service":
        path = Path(self.folder.name)
        environment = {**os.environ, "BRANCHKEEPER__AUTO_MIGRATE__ENABLED": "false", **variables}
        command = [BINARY, "serve", "--listen", self.target, "--data", path / "data", "--migrations", path / "migrations"]
        with open(path / "log", "ab") as log:
            self.process = subprocess.Popen(command, cwd=path, env=environment, stdout=log, stderr=log)
        return self

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def register(self, client: branchkeeper.Client, *codes: str) -> None:
        for code in codes:
            branch = v1.Branch(code=code, provider=v1.PROVIDER_SQLITE)
            client.branches.CreateBranch(v1.CreateBranchRequest(branch=branch))

    def spoil(self, code: str) -> None:
        """Puts something into the branch's database that the migrations fail on."""
        import sqlite3

        file = Path(self.folder.name, "data/branches", code, "Database", f"{code}.db")
        file.parent.mkdir(parents=True)
        with sqlite3.connect(file) as database:
            database.execute("CREATE TABLE items (something_else TEXT)")
        database.close()

    def __enter__(self) -> "Service":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.folder.cleanup()


class CuttingProxy:
    """Passes bytes on to a port, and cuts the first `most` connections when the service has sent `limit` bytes on them."""

    def __init__(self, port: int, limit: int, most: int = 5) -> None:
        self.cuts = 0
        self._most = most
        self._port = port
        self._limit = limit
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.target = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._port))
            threading.Thread(target=self._pump, args=(client, server, None), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, self._limit), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, limit: "int | None") -> None:
        passed = 0
        try:
            while data := source.recv(512):
                sink.sendall(data)
                passed += len(data)
                if limit is not None and passed >= limit and self.cuts < self._most:
                    self.cuts += 1
                    break
        except OSError:
            pass
        for each in (source, sink):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self) -> None:
        self._listener.close()


def wait_until(what, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)
