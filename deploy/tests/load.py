"""A steady load of calls, and one stream of events, as callers make them with the library."""

import threading
import time
from collections import Counter
from pathlib import Path
from typing import Callable, Dict, List

import branchkeeper
import grpc
from branchkeeper import v1
from google.protobuf.message import DecodeError
from replica import TOKEN

# Between two calls of one caller, in seconds. The machines that run tests are small: it is the restarts that count.
PAUSE = 0.05


class Load:
    """Callers that go on until they are stopped, each with its own connection and its own branch."""

    def __init__(self, target: str, ca_file: Path, branches: List[str]) -> None:
        self.done: "Counter[str]" = Counter()
        self.failed: Dict[str, List[str]] = {}
        self._longest: Dict[str, float] = {}
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._threads = []
        for branch in branches:
            client = branchkeeper.connect(target, ca_file=ca_file, token=TOKEN)
            client.migrations.Apply = _showing_what_it_got(client)
            self._threads.append(threading.Thread(target=self._call, args=(client, branch), daemon=True))

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends the load; may be called again, and before it has begun."""
        self._over.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(120)
            assert not thread.is_alive(), "a call does not end"

    def counts(self) -> "Counter[str]":
        with self._lock:
            return Counter(self.done)

    def report(self) -> str:
        return ", ".join(
            f"{name}: {self.done[name]} answered (the slowest in {self._longest[name]:.1f} s), "
            f"{len(self.failed.get(name, []))} failed"
            for name in sorted(self.done)
        )

    def _call(self, client: branchkeeper.Client, branch: str) -> None:
        turn = 0
        while not self._over.is_set():
            turn += 1
            # Reads, which are tried again; named changes, which are too; and a change that never is.
            self._time("Status", lambda: self._status(client))
            self._time("Pending", lambda: self._pending(client, branch))
            self._time("Apply", lambda: self._apply(client, branch))
            self._time("UpdateBranch", lambda: self._rename(client, branch, f"turn {turn}"))
        client.close()

    def _time(self, name: str, call: Callable[[], None]) -> None:
        begun = time.monotonic()
        try:
            call()
        except branchkeeper.BranchkeeperError as error:
            with self._lock:
                self.failed.setdefault(name, []).append(f"{error.code}: {error}")
        else:
            took = time.monotonic() - begun
            with self._lock:
                self.done[name] += 1
                self._longest[name] = max(took, self._longest.get(name, 0.0))
        self._over.wait(PAUSE)

    @staticmethod
    def _status(client: branchkeeper.Client) -> None:
        assert client.migrations.Status(v1.StatusRequest(page_size=10)).total_branches > 0

    @staticmethod
    def _pending(client: branchkeeper.Client, branch: str) -> None:
        assert client.migrations.Pending(v1.PendingRequest(branch=branch)).branch_code == branch

    @staticmethod
    def _apply(client: branchkeeper.Client, branch: str) -> None:
        assert client.apply(branch).result.success

    @staticmethod
    def _rename(client: branchkeeper.Client, branch: str, name: str) -> None:
        request = v1.UpdateBranchRequest(branch=branch, value=v1.Branch(name=name))
        request.update_mask.paths.append("name")
        assert client.branches.UpdateBranch(request).branch.name == name


def _showing_what_it_got(client: branchkeeper.Client) -> "grpc.UnaryUnaryMultiCallable[v1.ApplyRequest, v1.ApplyResponse]":
    """Apply as the stub has it. An answer that is none is printed: what the library reports does not say whose it was."""

    def read(answer: bytes) -> v1.ApplyResponse:
        try:
            return v1.ApplyResponse.FromString(answer)
        except DecodeError:
            print(f"not an answer to Apply, {len(answer)} bytes: {answer[:2000]!r}")
            raise

    return client.channel.unary_unary(
        "/branchkeeper.v1.MigrationService/Apply",
        request_serializer=v1.ApplyRequest.SerializeToString,
        response_deserializer=read,
    )


class Stream:
    """One open ApplyAll, read to its end in a thread of its own."""

    def __init__(self, client: branchkeeper.Client, request: v1.ApplyAllRequest) -> None:
        self.events: List[v1.RunEvent] = []
        self.error: "BaseException | None" = None
        self._thread = threading.Thread(target=self._read, args=(client, request), daemon=True)
        self._thread.start()

    def is_over(self) -> bool:
        return not self._thread.is_alive()

    def wait(self, seconds: float) -> None:
        """Waits for the end, as long as there is an event in every so many seconds."""
        seen = -1
        while not self.is_over():
            assert len(self.events) > seen, f"no event for {seconds:g} s, after {seen}: {self.events[-1]}"
            seen = len(self.events)
            self._thread.join(seconds)
        if self.error is not None:
            raise self.error

    def finished(self) -> List[str]:
        """The branches that are through, in their order."""
        return [event.branch_finished.branch_code for event in list(self.events) if event.HasField("branch_finished")]

    def _read(self, client: branchkeeper.Client, request: v1.ApplyAllRequest) -> None:
        try:
            for event in client.apply_all(request):
                self.events.append(event)
        except BaseException as error:  # It is raised where somebody waits.
            self.error = error
