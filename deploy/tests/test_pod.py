"""The program runs with the ConfigMap's own file and the Deployment's own arguments, variables and mounts."""

import os
import shutil
import subprocess
import tempfile
import time
import warnings
from pathlib import Path
from typing import Dict, Iterator, List

import branchkeeper
import grpc
import kept
import manifests
import pytest
from branchkeeper import v1
from grpc_health.v1 import health_pb2, health_pb2_grpc
from support import ROOT, free_port, wait_until

SERVING = health_pb2.HealthCheckResponse.SERVING


class Pod:
    """What the kubelet would start, with the container's paths in a folder of this test."""

    def __init__(self, root: Path, head_office: str) -> None:
        self.root = root
        self.port = free_port()
        self.process: "subprocess.Popen[bytes] | None" = None
        for mount in manifests.container()["volumeMounts"]:
            self.place(mount["mountPath"]).mkdir(parents=True, exist_ok=True)
        text = manifests.the("ConfigMap")["data"]["branchkeeper.toml"]
        self._write("/etc/branchkeeper/config/branchkeeper.toml", self._inside(text))
        key = manifests.the("Secret")["stringData"]["key"]
        kept.secret(key)
        self._write("/run/secrets/branchkeeper/key", key)
        shutil.copytree(ROOT / "branch_migrations", self.place("/etc/branchkeeper/branch_migrations"))
        self.variables = {name: self._inside(value) for name, value in manifests.environment().items()}
        self.variables["BRANCHKEEPER__HEAD_OFFICE__URL"] = head_office

    def place(self, path: str) -> Path:
        """Where a path of the container is."""
        return self.root / path.lstrip("/")

    def _write(self, path: str, text: str) -> None:
        self.place(path).write_text(text)

    def _inside(self, text: str) -> str:
        """The text with the container's paths, and its port, turned into the test's."""
        text = text.replace(":50051", f":{self.port}")
        for folder in ("/run/", "/var/lib/branchkeeper", "/etc/branchkeeper"):
            text = text.replace(folder, str(self.root) + folder)
        return text

    def _confined(self) -> List[str]:
        """As in the container: nothing can be written but the folders that are mounted for it."""
        tried = subprocess.run(["unshare", "--mount", "mount", "-o", "remount,bind,ro", "/"], capture_output=True)
        if tried.returncode != 0:
            warnings.warn("not tried with a read-only file system: this machine does not let the tests mount anything")
            return []
        mounts = manifests.container()["volumeMounts"]
        places = [str(self.place(mount["mountPath"])) for mount in mounts if not mount.get("readOnly")]
        steps = [f"mount --bind '{place}' '{place}'" for place in places]
        # The folders stay as they are when what is around them can only be read.
        steps += ["mount -o remount,bind,ro /", 'exec "$@"']
        return ["unshare", "--mount", "--", "sh", "-ec", "\n".join(steps), "sh"]

    def environment(self) -> Dict[str, str]:
        return {"PATH": os.environ["PATH"], **self.variables}

    def start(self) -> None:
        confined = self._confined()
        command = [*confined, kept.PROGRAM, *(self._inside(each) for each in manifests.container()["args"])]
        with open(self.root.parent / "pod.log", "ab") as log:
            self.process = subprocess.Popen(command, env=self.environment(), cwd="/", stdout=log, stderr=log)
        if confined:
            wait_until(lambda: self._root_is_read_only(), 10)

    def _root_is_read_only(self) -> bool:
        assert self.process is not None
        mounts = [line.split() for line in Path(f"/proc/{self.process.pid}/mounts").read_text().splitlines()]
        return any(mount[1] == "/" and "ro" in mount[3].split(",") for mount in mounts)

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """A command in the container, as `kubectl exec` runs it."""
        line = [kept.PROGRAM, *arguments]
        done = subprocess.run(line, env=self.environment(), cwd="/", capture_output=True, text=True, timeout=60)
        # Its standard output may be a new token.
        kept.text("command", done.stderr)
        return done

    def probe(self, name: str) -> bool:
        """What the kubelet finds, which knows neither TLS nor tokens."""
        probe = manifests.container()[name]
        with grpc.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            request = health_pb2.HealthCheckRequest(service=probe["grpc"]["service"])
            try:
                return health_pb2_grpc.HealthStub(channel).Check(request, timeout=probe["timeoutSeconds"]).status == SERVING
            except grpc.RpcError:
                return False

    def log(self) -> str:
        return (self.root.parent / "pod.log").read_text()


@pytest.fixture
def pod(head_office: str) -> Iterator[Pod]:
    # A short path: that of a Unix socket has 108 bytes at most.
    with tempfile.TemporaryDirectory(prefix="bk-") as folder:
        pod = Pod(Path(folder, "root"), head_office)
        pod.start()
        yield pod
        assert pod.process is not None
        if pod.process.poll() is None:
            pod.process.kill()
            pod.process.wait()
        kept.files("pod", pod.root.parent / "pod.log", *pod.place("/var/lib/branchkeeper").rglob("*"))


def test_the_pod_starts_is_probed_and_stops_in_time(pod: Pod) -> None:
    assert pod.process is not None
    startup = manifests.container()["startupProbe"]
    wait_until(lambda: pod.probe("startupProbe"), startup["periodSeconds"] * startup["failureThreshold"])
    wait_until(lambda: pod.probe("readinessProbe") and pod.probe("livenessProbe"), 30)

    # People in the container are admins; the first token is made there.
    for service in ([], [manifests.container()["readinessProbe"]["grpc"]["service"]]):
        found = pod.run("health", *service)
        assert (found.returncode, found.stdout) == (0, "SERVING\n"), found.stderr
    made = pod.run("token", "create", "deploy", "--role", "admin")
    kept.secret(made.stdout)
    assert made.returncode == 0, made.stderr
    target = f"127.0.0.1:{pod.port}"
    with branchkeeper.connect(target, token=made.stdout.strip()) as client:
        assert client.migrations.Status(v1.StatusRequest()).total_branches == 0
    with branchkeeper.connect(target) as stranger, pytest.raises(branchkeeper.BranchkeeperError) as refused:
        stranger.migrations.Status(v1.StatusRequest())
    assert refused.value.code == grpc.StatusCode.UNAUTHENTICATED

    begun = time.monotonic()
    pod.process.terminate()
    assert pod.process.wait(60) == 0, pod.log()
    hook = manifests.container()["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert hook + time.monotonic() - begun < manifests.pod()["terminationGracePeriodSeconds"]
    # JSON, a line each, and nothing that a read-only file system refused.
    assert "Read-only" not in pod.log() and all(line.startswith("{") for line in pod.log().splitlines()), pod.log()
    assert manifests.the("Secret")["stringData"]["key"] not in pod.log()
