"""What is tried again, and when. The rules are those of docs/clients.md."""

import random
import time
import uuid
from typing import Any, Optional

import grpc

from . import _semantics
from ._errors import BranchkeeperError
from ._semantics import Reason
from .v1 import ApplyAllRequest, RunEvent

_Code = grpc.StatusCode
_BROKEN = (_Code.UNAVAILABLE, _Code.INTERNAL, _Code.UNKNOWN, _Code.CANCELLED, _Code.ABORTED)


def repeatable(method: str, request: Any) -> bool:
    """Whether doing it twice is the same as doing it once."""
    return method in _semantics.READ or (method in _semantics.NAMED and bool(request.request_id))


def again(error: BranchkeeperError, can_repeat: bool) -> bool:
    """Whether the status says that trying again is safe and may help."""
    if error.code == _Code.RESOURCE_EXHAUSTED and error.reason in (Reason.OVERLOADED, Reason.RATE_LIMITED):
        return True
    if not can_repeat:
        return False
    asked = error.code in (_Code.RESOURCE_EXHAUSTED, _Code.ABORTED) and error.retry_delay is not None
    return error.code == _Code.UNAVAILABLE or asked


def wait_after(failures: int, error: Optional[BranchkeeperError]) -> float:
    """Seconds to wait after so many failures in a row."""
    longest = min(_semantics.BACKOFF_MAX, _semantics.BACKOFF_INITIAL * 2.0 ** min(failures - 1, 16))
    asked = error.retry_delay if error is not None else None
    return (asked or 0.0) + random.random() * longest


class Attempts:
    """The attempts of one call that answers once."""

    def __init__(self, can_repeat: bool, timeout: float) -> None:
        self._can_repeat = can_repeat
        self._end = time.monotonic() + timeout
        self._failures = 0

    def left(self) -> float:
        """Seconds until the deadline."""
        return max(0.0, self._end - time.monotonic())

    def wait(self, error: BranchkeeperError) -> float:
        """Seconds to wait before the next attempt; raises `error` when there is to be none."""
        self._failures += 1
        if self._failures >= _semantics.MAX_ATTEMPTS or not again(error, self._can_repeat):
            raise error
        wait = wait_after(self._failures, error)
        if wait >= self.left():
            raise error
        return wait


class Following:
    """Where a stream of a run's events stands, over all its connections."""

    def __init__(self, request: Optional[ApplyAllRequest], run_id: str, after: int, timeout: Optional[float]) -> None:
        self.request = request
        self.run_id = run_id
        self.last = after
        self.over = False
        self._end = None if timeout is None else time.monotonic() + timeout
        self._failures = 0
        self._failing_since = 0.0

    def left(self) -> Optional[float]:
        """Seconds until the deadline, if there is one."""
        return None if self._end is None else max(0.0, self._end - time.monotonic())

    def take(self, event: RunEvent) -> bool:
        """Notes an event; False when it was seen before."""
        self.run_id = event.run_id
        if event.sequence <= self.last:
            return False
        self.last = event.sequence
        self.over = event.WhichOneof("event") == "run_finished"
        self._failures = 0
        return True

    def wait(self, error: Optional[BranchkeeperError]) -> float:
        """Seconds to wait before the stream is opened again; raises when it is not to be."""
        if error is None:
            error = BranchkeeperError(_Code.UNAVAILABLE, "the stream ended before the run")
        now = time.monotonic()
        if self._failures == 0:
            self._failing_since = now
        self._failures += 1
        broken = not error.reason and error.code in _BROKEN
        if not broken and not again(error, True):
            raise error
        begun = bool(self.run_id)
        if not begun and self._failures >= _semantics.MAX_ATTEMPTS:
            raise error
        if begun and now - self._failing_since > _semantics.REATTACH_FOR:
            raise error
        wait = wait_after(self._failures, error)
        if self._end is not None and now + wait >= self._end:
            raise error
        return wait


class Readiness:
    """The wait for a service to be ready."""

    def __init__(self, service: str, timeout: float) -> None:
        self._service = service
        self._timeout = timeout
        self._end = time.monotonic() + timeout
        self._pause = 0.1

    def check_timeout(self) -> float:
        """Seconds that one check may take."""
        return max(0.001, min(_semantics.READY_CHECK, self._end - time.monotonic()))

    def wait(self, seen: str) -> float:
        """Seconds to wait before the next check; raises when the time is over."""
        pause = self._pause
        self._pause = min(1.0, pause * 2)
        if time.monotonic() + pause >= self._end:
            text = f"{self._service} was not ready within {self._timeout:g} s; the last answer was {seen}"
            raise BranchkeeperError(_Code.DEADLINE_EXCEEDED, text)
        return pause

    @staticmethod
    def seen(error: BranchkeeperError) -> str:
        """What a failed check shows; raises `error` when waiting does not help."""
        if error.code in (_Code.NOT_FOUND, _Code.UNAVAILABLE, _Code.DEADLINE_EXCEEDED):
            return str(error)
        raise error


def new_request_id() -> str:
    """A name for a request that has none."""
    return str(uuid.uuid4())
