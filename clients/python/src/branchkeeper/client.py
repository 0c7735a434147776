"""The client for threads."""

import time
from typing import Any, Callable, Iterator, NamedTuple, Optional, Sequence, Tuple, Union

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from . import _semantics, v1
from ._errors import BranchkeeperError, from_rpc
from ._options import Options, PathLike, Token, check
from ._retry import Attempts, Following, Readiness, new_request_id, repeatable
from .v1.access_service_pb2_grpc import AccessServiceStub
from .v1.audit_service_pb2_grpc import AuditServiceStub
from .v1.branch_service_pb2_grpc import BranchServiceStub
from .v1.migration_service_pb2_grpc import MigrationServiceStub
from .v1.notification_service_pb2_grpc import NotificationServiceStub


def connect(
    target: str,
    *,
    ca_file: Optional[PathLike] = None,
    cert_file: Optional[PathLike] = None,
    key_file: Optional[PathLike] = None,
    token: Optional[str] = None,
    token_file: Optional[PathLike] = None,
    allow_insecure_token: bool = False,
    deadline: float = _semantics.DEADLINE,
    run_deadline: float = _semantics.RUN_DEADLINE,
    keepalive: float = _semantics.KEEPALIVE_INTERVAL,
) -> "Client":
    """A client of the service at `target`, such as `keeper:50051` or `https://keeper.example`.

    It does not wait for the service; `Client.wait_ready` does.

    Args:
        ca_file: PEM file with the authorities to trust. Default: the system's.
        cert_file, key_file: PEM files of the client's own certificate. Default: none.
        token, token_file: what proves who the client is; a file is read again when it has changed. Default: none.
        allow_insecure_token: send the token to other machines without TLS. Default: refuse.
        deadline: seconds for a call, its retries included, where the call gives no timeout.
        run_deadline: the same for calls that answer when a run is over.
        keepalive: seconds of silence after which a connection in use is asked for a sign of life; 0 for never.

    Raises:
        ValueError: the options do not go together.
        OSError: a certificate or key cannot be read.
    """
    options, secret = check(
        target, ca_file, cert_file, key_file, token, token_file, allow_insecure_token, deadline, run_deadline, keepalive
    )
    return Client(options, secret)


class Client:
    """A connection to the service; made by `connect`. May be used by many threads at once."""

    def __init__(self, options: Options, token: Token) -> None:
        settings = options.channel_options()
        if options.tls:
            channel = grpc.secure_channel(options.address, options.credentials(), settings)
        else:
            channel = grpc.insecure_channel(options.address, settings)
        self._closed = False
        self._bare = channel
        self.channel: grpc.Channel = grpc.intercept_channel(channel, _Interceptor(options, token))
        """For stubs of other services: their calls get the token, the deadline and the errors too."""
        self.branches = BranchServiceStub(self.channel)
        """The register of branches."""
        self.migrations = MigrationServiceStub(self.channel)
        """Migrating, and where branches stand."""
        self.audit = AuditServiceStub(self.channel)
        """Who did what."""
        self.access = AccessServiceStub(self.channel)
        """Who may call."""
        self.notifications = NotificationServiceStub(self.channel)
        """What people are told of."""
        self._health = health_pb2_grpc.HealthStub(self.channel)

    def apply(self, request: Union[str, v1.ApplyRequest], *, timeout: Optional[float] = None) -> v1.ApplyResponse:
        """Migrates one branch, given by code, id or a whole request, and returns when that is done.

        A request without request_id gets one, so that it is safe to repeat, which happens by itself. A migration that
        fails is not an error: look at `result.success`.

        Raises:
            BranchkeeperError: the request could not be carried out.
        """
        full = v1.ApplyRequest()
        full.CopyFrom(v1.ApplyRequest(branch=request) if isinstance(request, str) else request)
        full.request_id = full.request_id or new_request_id()
        answer: v1.ApplyResponse = self.migrations.Apply(full, timeout=timeout)
        return answer

    def apply_all(
        self, request: Optional[v1.ApplyAllRequest] = None, *, timeout: Optional[float] = None
    ) -> Iterator[v1.RunEvent]:
        """Migrates all active branches that `request` selects, and gives the run's events, each once and in order.

        The run begins with the first `next()`. A connection that breaks is made again, and the stream goes on after the
        last event seen. It ends after run_finished. Closing it does not stop the run: CancelRun does.

        Args:
            timeout: seconds for the whole stream. Default: none.

        Raises:
            BranchkeeperError: the request could not be carried out, or the service was away for too long.
        """
        full = v1.ApplyAllRequest()
        full.CopyFrom(request or v1.ApplyAllRequest())
        full.request_id = full.request_id or new_request_id()
        return self._follow(Following(full, "", 0, timeout), full.include_statements)

    def watch_run(
        self,
        run_id: str,
        *,
        after_sequence: int = 0,
        include_statements: bool = False,
        timeout: Optional[float] = None,
    ) -> Iterator[v1.RunEvent]:
        """Gives the events of a run after a sequence number, to the run's end, over broken connections as `apply_all`."""
        return self._follow(Following(None, run_id, after_sequence, timeout), include_statements)

    def _follow(self, following: Following, include_statements: bool) -> Iterator[v1.RunEvent]:
        while not following.over:
            error: Optional[BranchkeeperError] = None
            call: Any = None
            try:
                if following.run_id:
                    watch = v1.WatchRunRequest(
                        run_id=following.run_id,
                        after_sequence=following.last,
                        include_statements=include_statements,
                    )
                    call = self.migrations.WatchRun(watch, timeout=following.left())
                else:
                    call = self.migrations.ApplyAll(following.request, timeout=following.left())
                for answer in call:
                    if following.take(answer.event):
                        yield answer.event
                    if following.over:
                        return
            except BranchkeeperError as failed:
                error = failed
            finally:
                if call is not None:
                    call.cancel()
            if error is None and following.run_id and self._is_over(following):
                return
            if self._closed and error is not None:
                raise error
            time.sleep(following.wait(error))

    def _is_over(self, following: Following) -> bool:
        run = self.migrations.GetRun(v1.GetRunRequest(run_id=following.run_id), timeout=following.left()).run
        return bool(run.HasField("end_time") and run.last_sequence <= following.last)

    def wait_ready(
        self, service: str = "branchkeeper.v1.MigrationService", *, timeout: float = _semantics.READY_TIMEOUT
    ) -> None:
        """Waits until the service is there and ready to work.

        Raises:
            BranchkeeperError: DEADLINE_EXCEEDED when it was not ready within `timeout` seconds.
        """
        readiness = Readiness(service, timeout)
        while True:
            try:
                request = health_pb2.HealthCheckRequest(service=service)
                answer = self._health.Check(request, timeout=readiness.check_timeout())
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    return
                seen = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
            except BranchkeeperError as error:
                seen = readiness.seen(error)
            time.sleep(readiness.wait(seen))

    def close(self) -> None:
        """Closes the connection. Calls that are under way fail."""
        self._closed = True
        self._bare.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Details(NamedTuple):
    method: str
    timeout: Optional[float]
    metadata: Sequence[Tuple[str, Union[str, bytes]]]
    credentials: Optional[grpc.CallCredentials]
    wait_for_ready: Optional[bool]
    compression: Optional[grpc.Compression]


class _CallDetails(_Details, grpc.ClientCallDetails):  # type: ignore[misc]
    pass


class _Interceptor(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):  # type: ignore[misc]
    """Adds the token and the deadline to every call, does it again where that is safe, and translates errors."""

    def __init__(self, options: Options, token: Token) -> None:
        self._options = options
        self._token = token

    def intercept_unary_unary(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        runs = details.method in _semantics.NAMED
        default = self._options.run_deadline if runs else self._options.deadline
        timeout = default if details.timeout is None else details.timeout
        attempts = Attempts(repeatable(details.method, request), timeout)
        while True:
            call = continuation(self._full(details, attempts.left()), request)
            failed = call.exception()
            if failed is None:
                return call
            error = from_rpc(failed)
            try:
                wait = attempts.wait(error)
            except BranchkeeperError:
                raise error from failed
            time.sleep(wait)

    def intercept_unary_stream(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        return _Stream(continuation(self._full(details, details.timeout), request))

    def _full(self, details: Any, timeout: Optional[float]) -> _CallDetails:
        metadata = [*(details.metadata or ()), *self._token.metadata()]
        credentials, wait, compression = details.credentials, details.wait_for_ready, details.compression
        return _CallDetails(details.method, timeout, metadata, credentials, wait, compression)


class _Stream:
    """A stream whose errors are BranchkeeperError."""

    def __init__(self, call: Any) -> None:
        self._call = call

    def __iter__(self) -> "_Stream":
        return self

    def __next__(self) -> Any:
        try:
            return next(self._call)
        except grpc.RpcError as failed:
            raise from_rpc(failed) from failed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)
