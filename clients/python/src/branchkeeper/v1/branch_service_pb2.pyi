import datetime

from branchkeeper.v1 import branch_pb2 as _branch_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateBranchRequest(_message.Message):
    __slots__ = ("branch",)
    BRANCH_FIELD_NUMBER: _ClassVar[int]
    branch: _branch_pb2.Branch
    def __init__(self, branch: _Optional[_Union[_branch_pb2.Branch, _Mapping]] = ...) -> None: ...

class CreateBranchResponse(_message.Message):
    __slots__ = ("branch",)
    BRANCH_FIELD_NUMBER: _ClassVar[int]
    branch: _branch_pb2.Branch
    def __init__(self, branch: _Optional[_Union[_branch_pb2.Branch, _Mapping]] = ...) -> None: ...

class GetBranchRequest(_message.Message):
    __slots__ = ("branch",)
    BRANCH_FIELD_NUMBER: _ClassVar[int]
    branch: str
    def __init__(self, branch: _Optional[str] = ...) -> None: ...

class GetBranchResponse(_message.Message):
    __slots__ = ("branch",)
    BRANCH_FIELD_NUMBER: _ClassVar[int]
    branch: _branch_pb2.Branch
    def __init__(self, branch: _Optional[_Union[_branch_pb2.Branch, _Mapping]] = ...) -> None: ...

class ListBranchesRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "labels", "providers", "is_active")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    PROVIDERS_FIELD_NUMBER: _ClassVar[int]
    IS_ACTIVE_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    labels: _containers.ScalarMap[str, str]
    providers: _containers.RepeatedScalarFieldContainer[_branch_pb2.Provider]
    is_active: bool
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., providers: _Optional[_Iterable[_Union[_branch_pb2.Provider, str]]] = ..., is_active: bool = ...) -> None: ...

class ListBranchesResponse(_message.Message):
    __slots__ = ("branches", "next_page_token")
    BRANCHES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    branches: _containers.RepeatedCompositeFieldContainer[_branch_pb2.Branch]
    next_page_token: str
    def __init__(self, branches: _Optional[_Iterable[_Union[_branch_pb2.Branch, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class UpdateBranchRequest(_message.Message):
    __slots__ = ("branch", "value", "update_mask")
    BRANCH_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    branch: str
    value: _branch_pb2.Branch
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, branch: _Optional[str] = ..., value: _Optional[_Union[_branch_pb2.Branch, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class UpdateBranchResponse(_message.Message):
    __slots__ = ("branch",)
    BRANCH_FIELD_NUMBER: _ClassVar[int]
    branch: _branch_pb2.Branch
    def __init__(self, branch: _Optional[_Union[_branch_pb2.Branch, _Mapping]] = ...) -> None: ...

class DeleteBranchRequest(_message.Message):
    __slots__ = ("branch",)
    BRANCH_FIELD_NUMBER: _ClassVar[int]
    branch: str
    def __init__(self, branch: _Optional[str] = ...) -> None: ...

class DeleteBranchResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class TestConnectionRequest(_message.Message):
    __slots__ = ("branch", "connection", "provider")
    BRANCH_FIELD_NUMBER: _ClassVar[int]
    CONNECTION_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    branch: str
    connection: _branch_pb2.Connection
    provider: _branch_pb2.Provider
    def __init__(self, branch: _Optional[str] = ..., connection: _Optional[_Union[_branch_pb2.Connection, _Mapping]] = ..., provider: _Optional[_Union[_branch_pb2.Provider, str]] = ...) -> None: ...

class TestConnectionResponse(_message.Message):
    __slots__ = ("reachable", "database_exists", "server_version", "latency", "message", "hint")
    REACHABLE_FIELD_NUMBER: _ClassVar[int]
    DATABASE_EXISTS_FIELD_NUMBER: _ClassVar[int]
    SERVER_VERSION_FIELD_NUMBER: _ClassVar[int]
    LATENCY_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    HINT_FIELD_NUMBER: _ClassVar[int]
    reachable: bool
    database_exists: bool
    server_version: str
    latency: _duration_pb2.Duration
    message: str
    hint: str
    def __init__(self, reachable: bool = ..., database_exists: bool = ..., server_version: _Optional[str] = ..., latency: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., message: _Optional[str] = ..., hint: _Optional[str] = ...) -> None: ...

class RekeyRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RekeyResponse(_message.Message):
    __slots__ = ("key_id", "rewritten", "current", "unreadable", "unreadable_branches", "overtaken")
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    REWRITTEN_FIELD_NUMBER: _ClassVar[int]
    CURRENT_FIELD_NUMBER: _ClassVar[int]
    UNREADABLE_FIELD_NUMBER: _ClassVar[int]
    UNREADABLE_BRANCHES_FIELD_NUMBER: _ClassVar[int]
    OVERTAKEN_FIELD_NUMBER: _ClassVar[int]
    key_id: str
    rewritten: int
    current: int
    unreadable: int
    unreadable_branches: _containers.RepeatedScalarFieldContainer[str]
    overtaken: int
    def __init__(self, key_id: _Optional[str] = ..., rewritten: _Optional[int] = ..., current: _Optional[int] = ..., unreadable: _Optional[int] = ..., unreadable_branches: _Optional[_Iterable[str]] = ..., overtaken: _Optional[int] = ...) -> None: ...
