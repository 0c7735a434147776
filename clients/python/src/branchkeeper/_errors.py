"""The one error of every call."""

from typing import Any, Dict, List, NamedTuple, Optional

import grpc
from google.rpc import error_details_pb2, status_pb2

DOMAIN = "branchkeeper"
_DETAILS = "grpc-status-details-bin"


class Violation(NamedTuple):
    """One field of a request that cannot be accepted."""

    field: str
    """The field's name; empty when the violation is of no single field."""
    description: str
    """What is wrong with it."""


class BranchkeeperError(grpc.RpcError):  # type: ignore[misc]
    """A call that failed. What came of a migration is not an error but a result with success = False."""

    def __init__(
        self,
        code: grpc.StatusCode,
        message: str,
        *,
        reason: str = "",
        metadata: Optional[Dict[str, str]] = None,
        branch: str = "",
        retry_delay: Optional[float] = None,
        violations: Optional[List[Violation]] = None,
    ) -> None:
        super().__init__(message)
        self.code: grpc.StatusCode = code
        """The gRPC status."""
        self.message: str = message
        """What happened."""
        self.reason: str = reason
        """One of `Reason`; empty when the failure is not from the service but from the network or the library."""
        self.metadata: Dict[str, str] = metadata or {}
        """What programs can read besides, by name."""
        self.branch: str = branch or self.metadata.get("branch", "")
        """The branch that it is about; may be empty."""
        self.retry_delay: Optional[float] = retry_delay
        """When to try again, in seconds; None when the service does not say."""
        self.violations: List[Violation] = violations or []
        """The fields that cannot be accepted."""

    @property
    def hint(self) -> str:
        """What to do; may be empty."""
        return self.metadata.get("hint", "")

    def __str__(self) -> str:
        return f"{self.reason or self.code.name}: {self.message}"


def from_rpc(error: Any) -> BranchkeeperError:
    """Reads the details that the service put into its status."""
    if isinstance(error, BranchkeeperError):
        return error
    code = error.code() or grpc.StatusCode.UNKNOWN
    found: Dict[str, Any] = {}
    status = status_pb2.Status()
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS:
            try:
                status.ParseFromString(value)
            except Exception:  # A proxy's details are no reason to lose the error itself.
                status.Clear()
    for packed in status.details:
        info = error_details_pb2.ErrorInfo()
        retry = error_details_pb2.RetryInfo()
        resource = error_details_pb2.ResourceInfo()
        request = error_details_pb2.BadRequest()
        if packed.Unpack(info) and info.domain == DOMAIN:
            found["reason"] = info.reason
            found["metadata"] = dict(info.metadata)
        elif packed.Unpack(retry):
            found["retry_delay"] = retry.retry_delay.ToTimedelta().total_seconds()
        elif packed.Unpack(resource) and resource.resource_type == "branch":
            found["branch"] = resource.resource_name
        elif packed.Unpack(request):
            found["violations"] = [Violation(each.field, each.description) for each in request.field_violations]
    metadata = found.get("metadata", {})
    found["branch"] = metadata.get("branch", "") or found.get("branch", "")
    return BranchkeeperError(code, error.details() or "", **found)
