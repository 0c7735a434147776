"""HAProxy and nginx with the very files that are shipped, pointed at the services of a test."""

import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import List, Optional, Sequence

import kept
from replica import Authority, Replica
from support import free_port, wait_until

DEPLOY = Path(__file__).resolve().parents[1]


class Balancer:
    """A running balancer; `target` is where clients find it."""

    program = ""

    def __init__(self, folder: Path, authority: Authority, replicas: Sequence[Replica]) -> None:
        self.folder = folder
        self.replicas = replicas
        self.port = free_port()
        self.target = f"https://127.0.0.1:{self.port}"
        self._files = authority.issue("keeper.example")
        self._ca = authority.file
        self._process: Optional["subprocess.Popen[bytes]"] = None

    @classmethod
    def path(cls) -> Optional[str]:
        return shutil.which(cls.program, path=os.environ.get("PATH", "") + ":/usr/sbin")

    def start(self) -> None:
        check, serve = self._commands()
        done = subprocess.run(check, env=self._environment(), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        # Debian's own file is clean, and so must ours be.
        assert "[warn" not in done.stderr.lower(), done.stderr
        with open(self.folder / "log", "ab") as log:
            self._process = subprocess.Popen(serve, env=self._environment(), stdout=log, stderr=log)
        wait_until(lambda: self._listens(), 20)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None
        kept.files(f"{self.program}-{self.port}", self.folder / "log", self.folder / "calls.log")

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def wait_for(self, replica: Replica) -> None:
        """Waits until calls go to this service."""

    def calls(self, replica: Replica) -> int:
        """How many calls this service has been given."""
        raise NotImplementedError

    def _listens(self) -> bool:
        assert self._process is not None and self._process.poll() is None, self.log()
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def _environment(self) -> "dict[str, str]":
        return dict(os.environ)

    def _commands(self) -> "tuple[List[str], List[str]]":
        raise NotImplementedError


class HaProxy(Balancer):
    program = "haproxy"

    def _environment(self) -> "dict[str, str]":
        first, second = self.replicas
        environment = {
            **os.environ,
            "HAPROXY_SOCKET": str(self.folder / "admin.sock"),
            "BRANCHKEEPER_BIND": f"127.0.0.1:{self.port}",
            "BRANCHKEEPER_CERTIFICATE": str(self._files["both"]),
            "BRANCHKEEPER_CA": str(self._ca),
            "BRANCHKEEPER_A": first.target,
            "BRANCHKEEPER_A_NAME": first.name,
            "BRANCHKEEPER_B": second.target,
            "BRANCHKEEPER_B_NAME": second.name,
        }
        if os.getuid() != 0:
            # Nobody but root may become somebody else.
            environment.update(HAPROXY_USER=str(_name()), HAPROXY_GROUP=str(_group()))
        return environment

    def _commands(self) -> "tuple[List[str], List[str]]":
        file = str(DEPLOY / "haproxy/haproxy.cfg")
        program = self.path() or self.program
        return [program, "-c", "-f", file], [program, "-db", "-f", file]

    def _servers(self) -> "dict[str, dict[str, str]]":
        """What HAProxy knows of its servers, by name."""
        with socket.socket(socket.AF_UNIX) as admin:
            admin.settimeout(10)
            admin.connect(str(self.folder / "admin.sock"))
            admin.sendall(b"show stat\n")
            text = b"".join(iter(lambda: admin.recv(65536), b"")).decode()
        head, *lines = [line.split(",") for line in text.lstrip("# ").splitlines() if line]
        rows = [dict(zip(head, line)) for line in lines]
        return {row["svname"]: row for row in rows if row["pxname"] == "branchkeeper"}

    def _listens(self) -> bool:
        # The administrators' socket comes last.
        return super()._listens() and (self.folder / "admin.sock").exists()

    def _of(self, replica: Replica) -> "dict[str, str]":
        return self._servers()["ab"[list(self.replicas).index(replica)]]

    def wait_for(self, replica: Replica) -> None:
        wait_until(lambda: self._of(replica)["status"] == "UP", 30)

    def is_out(self, replica: Replica) -> bool:
        return self._of(replica)["status"] == "DOWN"

    def calls(self, replica: Replica) -> int:
        return int(self._of(replica)["stot"])


class Nginx(Balancer):
    program = "nginx"

    def _commands(self) -> "tuple[List[str], List[str]]":
        text = (DEPLOY / "nginx/branchkeeper.conf").read_text()
        places = {
            "keeper-a.internal:50051": self.replicas[0].target,
            "keeper-b.internal:50051": self.replicas[1].target,
            "listen 443 ": f"listen 127.0.0.1:{self.port} ",
            "/etc/nginx/branchkeeper/cert.pem": str(self._files["cert"]),
            "/etc/nginx/branchkeeper/key.pem": str(self._files["key"]),
            "/etc/nginx/branchkeeper/ca.pem": str(self._ca),
        }
        for place, value in places.items():
            assert text.count(place) == 1, f"{place} is not once in the file"
            text = text.replace(place, value)
        (self.folder / "branchkeeper.conf").write_text(text)
        # What stands around it in Debian's nginx.conf, with this test's own folders.
        lines = ["pid nginx.pid;", "error_log stderr notice;", "worker_processes 2;", "daemon off;"]
        lines += ["user root;"] if os.getuid() == 0 else []
        lines += ["events { worker_connections 768; }", "http {"]
        lines += [f"{kind}_temp_path {kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")]
        lines += ["log_format calls '$upstream_addr $status $request';", "access_log calls.log calls;"]
        lines += ["include branchkeeper.conf;", "}"]
        (self.folder / "nginx.conf").write_text("\n".join(lines) + "\n")
        command = [self.path() or self.program, "-e", "stderr", "-p", str(self.folder), "-c", "nginx.conf"]
        return command + ["-t"], command

    def calls(self, replica: Replica) -> int:
        return sum(1 for line in self._lines() if replica.target in line.split(" POST ")[0])

    def handed_over(self) -> int:
        """How many calls went to another server because the first one was away."""
        # A call that went to one server after another names both.
        return sum(1 for line in self._lines() if ", " in line.split(" POST ")[0])

    def _lines(self) -> List[str]:
        return (self.folder / "calls.log").read_text().splitlines()


def _name() -> str:
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name


def _group() -> str:
    import grp

    return grp.getgrgid(os.getgid()).gr_name
