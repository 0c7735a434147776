"""The client for asyncio: as `branchkeeper.client`, with `await`, `async for` and `async with`."""

import asyncio
from typing import TYPE_CHECKING, Any, AsyncIterator, Callable, Optional, Union, cast

import grpc
import grpc.aio
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

if TYPE_CHECKING:
    from .v1.access_service_pb2_grpc import AccessServiceAsyncStub
    from .v1.audit_service_pb2_grpc import AuditServiceAsyncStub
    from .v1.branch_service_pb2_grpc import BranchServiceAsyncStub
    from .v1.migration_service_pb2_grpc import MigrationServiceAsyncStub
    from .v1.notification_service_pb2_grpc import NotificationServiceAsyncStub

__all__ = ["Client", "connect"]


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
    """A client of the service at `target`; see `branchkeeper.connect`. To be called inside an event loop."""
    options, secret = check(
        target, ca_file, cert_file, key_file, token, token_file, allow_insecure_token, deadline, run_deadline, keepalive
    )
    return Client(options, secret)


class Client:
    """A connection to the service; made by `connect`. Belongs to the event loop in which it was made."""

    def __init__(self, options: Options, token: Token) -> None:
        settings = options.channel_options()
        interceptors = [_Unary(options, token), _Stream(token)]
        if options.tls:
            channel = grpc.aio.secure_channel(
                options.address, options.credentials(), settings, interceptors=interceptors
            )
        else:
            channel = grpc.aio.insecure_channel(options.address, settings, interceptors=interceptors)
        self._closed = False
        self.channel: grpc.aio.Channel = channel
        """For stubs of other services: their calls get the token, the deadline and the errors too."""
        self.branches: "BranchServiceAsyncStub" = cast(Any, BranchServiceStub(channel))
        """The register of branches."""
        self.migrations: "MigrationServiceAsyncStub" = cast(Any, MigrationServiceStub(channel))
        """Migrating, and where branches stand."""
        self.audit: "AuditServiceAsyncStub" = cast(Any, AuditServiceStub(channel))
        """Who did what."""
        self.access: "AccessServiceAsyncStub" = cast(Any, AccessServiceStub(channel))
        """Who may call."""
        self.notifications: "NotificationServiceAsyncStub" = cast(Any, NotificationServiceStub(channel))
        """What people are told of."""
        self._health = health_pb2_grpc.HealthStub(channel)

    async def apply(self, request: Union[str, v1.ApplyRequest], *, timeout: Optional[float] = None) -> v1.ApplyResponse:
        """Migrates one branch; see `branchkeeper.Client.apply`."""
        full = v1.ApplyRequest()
        full.CopyFrom(v1.ApplyRequest(branch=request) if isinstance(request, str) else request)
        full.request_id = full.request_id or new_request_id()
        answer: v1.ApplyResponse = await self.migrations.Apply(full, timeout=timeout)
        return answer

    def apply_all(
        self, request: Optional[v1.ApplyAllRequest] = None, *, timeout: Optional[float] = None
    ) -> AsyncIterator[v1.RunEvent]:
        """Migrates all active branches that `request` selects, and gives the events; see `branchkeeper.Client.apply_all`."""
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
    ) -> AsyncIterator[v1.RunEvent]:
        """Gives the events of a run after a sequence number, to the run's end; see `branchkeeper.Client.watch_run`."""
        return self._follow(Following(None, run_id, after_sequence, timeout), include_statements)

    async def _follow(self, following: Following, include_statements: bool) -> AsyncIterator[v1.RunEvent]:
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
                    assert following.request is not None
                    call = self.migrations.ApplyAll(following.request, timeout=following.left())
                async for answer in call:
                    if following.take(answer.event):
                        yield answer.event
                    if following.over:
                        return
            except BranchkeeperError as failed:
                error = failed
            except grpc.aio.AioRpcError as failed:
                error = from_rpc(failed)
            finally:
                if call is not None:
                    call.cancel()
            if error is None and following.run_id and await self._is_over(following):
                return
            if self._closed and error is not None:
                raise error
            await asyncio.sleep(following.wait(error))

    async def _is_over(self, following: Following) -> bool:
        request = v1.GetRunRequest(run_id=following.run_id)
        run = (await self.migrations.GetRun(request, timeout=following.left())).run
        return bool(run.HasField("end_time") and run.last_sequence <= following.last)

    async def wait_ready(
        self, service: str = "branchkeeper.v1.MigrationService", *, timeout: float = _semantics.READY_TIMEOUT
    ) -> None:
        """Waits until the service is there and ready to work; see `branchkeeper.Client.wait_ready`."""
        readiness = Readiness(service, timeout)
        while True:
            try:
                request = health_pb2.HealthCheckRequest(service=service)
                answer = await self._health.Check(request, timeout=readiness.check_timeout())
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    return
                seen = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
            except BranchkeeperError as error:
                seen = readiness.seen(error)
            await asyncio.sleep(readiness.wait(seen))

    async def close(self) -> None:
        """Closes the connection. Calls that are under way fail."""
        self._closed = True
        await self.channel.close()

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _full(details: Any, timeout: Optional[float], token: Token) -> Any:
    metadata = grpc.aio.Metadata(*(details.metadata or ()), *token.metadata())
    return details._replace(timeout=timeout, metadata=metadata)


class _Unary(grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[misc]
    """Adds the token and the deadline to a call, does it again where that is safe, and translates errors."""

    def __init__(self, options: Options, token: Token) -> None:
        self._options = options
        self._token = token

    async def intercept_unary_unary(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        method = details.method.decode() if isinstance(details.method, bytes) else details.method
        default = self._options.run_deadline if method in _semantics.NAMED else self._options.deadline
        timeout = default if details.timeout is None else details.timeout
        attempts = Attempts(repeatable(method, request), timeout)
        while True:
            call = await continuation(_full(details, attempts.left(), self._token), request)
            try:
                await call
                return call
            except grpc.aio.AioRpcError as failed:
                error = from_rpc(failed)
                error.__cause__ = failed
                try:
                    wait = attempts.wait(error)
                except BranchkeeperError:
                    return _Failed(call, error)
            await asyncio.sleep(wait)


class _Failed(grpc.aio.UnaryUnaryCall):  # type: ignore[misc]
    """A call that ended with `error`. An interceptor that raises anything of its own makes gRPC complain to stderr."""

    def __init__(self, call: Any, error: BranchkeeperError) -> None:
        self._call = call
        self._error = error

    def __await__(self) -> Any:
        yield from ()
        raise self._error

    def cancelled(self) -> bool:
        return bool(self._call.cancelled())

    def done(self) -> bool:
        return True

    def cancel(self) -> bool:
        return False

    def time_remaining(self) -> Optional[float]:
        return None

    def add_done_callback(self, callback: Any) -> None:
        self._call.add_done_callback(callback)

    async def initial_metadata(self) -> Any:
        return await self._call.initial_metadata()

    async def trailing_metadata(self) -> Any:
        return await self._call.trailing_metadata()

    async def code(self) -> Any:
        return await self._call.code()

    async def details(self) -> Any:
        return await self._call.details()

    async def wait_for_connection(self) -> None:
        raise self._error


class _Stream(grpc.aio.UnaryStreamClientInterceptor):  # type: ignore[misc]
    """Adds the token to a stream, and translates its errors."""

    def __init__(self, token: Token) -> None:
        self._token = token

    async def intercept_unary_stream(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        call = await continuation(_full(details, details.timeout, self._token), request)
        return _translated(call)


async def _translated(call: Any) -> AsyncIterator[Any]:
    try:
        async for answer in call:
            yield answer
    except grpc.aio.AioRpcError as failed:
        raise from_rpc(failed) from failed
    finally:
        call.cancel()
