"""Services that share a head office, each with TLS and with callers who need a token."""

from pathlib import Path
from typing import Dict

import branchkeeper
import support
import trustme

TOKEN = (support.TOKENS / "token").read_text().strip()


class Authority:
    """Who signs the certificates of a test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._authority = trustme.CA()
        self.file = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(str(self.file))

    def issue(self, name: str) -> Dict[str, Path]:
        """A certificate for `name` and for this machine, as files: `cert`, `key`, and `both` in one."""
        issued = self._authority.issue_cert(name, "keeper.internal", "localhost", "127.0.0.1")
        files = {part: self._folder / f"{name}.{part}.pem" for part in ("cert", "key", "both")}
        issued.cert_chain_pems[0].write_to_path(str(files["cert"]))
        issued.private_key_pem.write_to_path(str(files["key"]))
        issued.private_key_and_cert_chain_pem.write_to_path(str(files["both"]))
        return files


class Replica(support.Service):
    """One of several services on one head office, which can be asked to stop and be started again."""

    def __init__(self, name: str, authority: Authority, head_office: str, variables: Dict[str, str]) -> None:
        super().__init__()
        self.name = name
        self._authority = authority
        files = authority.issue(name)
        self._variables = {
            **support.AUTHENTICATED,
            "BRANCHKEEPER__HEAD_OFFICE__URL": head_office,
            "BRANCHKEEPER__TLS__CERT_FILE": str(files["cert"]),
            "BRANCHKEEPER__TLS__KEY_FILE": str(files["key"]),
            "BRANCHKEEPER__LOG__FORMAT": "json",
            **variables,
        }

    def migration(self, name: str, sql: str) -> None:
        Path(self.folder.name, "migrations", name).write_text(sql)

    def client(self) -> branchkeeper.Client:
        """A client that goes around every balancer."""
        return branchkeeper.connect(f"https://{self.target}", ca_file=self._authority.file, token=TOKEN)

    def come(self) -> None:
        """Starts it and waits until it is ready."""
        self.start(**self._variables)
        with self.client() as client:
            client.wait_ready(timeout=60)

    def leave(self) -> None:
        """Asks it to stop, as a deployment does, and waits until it is gone."""
        process, self.process = self.process, None
        assert process is not None
        process.terminate()
        assert process.wait(60) == 0, self.log()[-4000:]

    def log(self) -> str:
        return Path(self.folder.name, "log").read_text()
