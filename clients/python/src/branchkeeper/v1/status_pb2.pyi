import datetime

from branchkeeper.v1 import branch_pb2 as _branch_pb2
from branchkeeper.v1 import migration_pb2 as _migration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MigrationStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MIGRATION_STATUS_UNSPECIFIED: _ClassVar[MigrationStatus]
    MIGRATION_STATUS_PENDING: _ClassVar[MigrationStatus]
    MIGRATION_STATUS_IN_PROGRESS: _ClassVar[MigrationStatus]
    MIGRATION_STATUS_COMPLETED: _ClassVar[MigrationStatus]
    MIGRATION_STATUS_FAILED: _ClassVar[MigrationStatus]
    MIGRATION_STATUS_REQUIRES_MANUAL_INTERVENTION: _ClassVar[MigrationStatus]
MIGRATION_STATUS_UNSPECIFIED: MigrationStatus
MIGRATION_STATUS_PENDING: MigrationStatus
MIGRATION_STATUS_IN_PROGRESS: MigrationStatus
MIGRATION_STATUS_COMPLETED: MigrationStatus
MIGRATION_STATUS_FAILED: MigrationStatus
MIGRATION_STATUS_REQUIRES_MANUAL_INTERVENTION: MigrationStatus

class BranchStatus(_message.Message):
    __slots__ = ("branch_id", "branch_code", "branch_name", "provider", "last_migration_applied", "status", "last_attempt_time", "retry_count", "next_attempt_time", "error_details", "failure_class", "is_locked", "lock_owner", "lock_expires_time", "pending_count", "error", "is_active", "hold")
    BRANCH_ID_FIELD_NUMBER: _ClassVar[int]
    BRANCH_CODE_FIELD_NUMBER: _ClassVar[int]
    BRANCH_NAME_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    LAST_MIGRATION_APPLIED_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    LAST_ATTEMPT_TIME_FIELD_NUMBER: _ClassVar[int]
    RETRY_COUNT_FIELD_NUMBER: _ClassVar[int]
    NEXT_ATTEMPT_TIME_FIELD_NUMBER: _ClassVar[int]
    ERROR_DETAILS_FIELD_NUMBER: _ClassVar[int]
    FAILURE_CLASS_FIELD_NUMBER: _ClassVar[int]
    IS_LOCKED_FIELD_NUMBER: _ClassVar[int]
    LOCK_OWNER_FIELD_NUMBER: _ClassVar[int]
    LOCK_EXPIRES_TIME_FIELD_NUMBER: _ClassVar[int]
    PENDING_COUNT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    IS_ACTIVE_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    branch_id: str
    branch_code: str
    branch_name: str
    provider: _branch_pb2.Provider
    last_migration_applied: str
    status: MigrationStatus
    last_attempt_time: _timestamp_pb2.Timestamp
    retry_count: int
    next_attempt_time: _timestamp_pb2.Timestamp
    error_details: str
    failure_class: _migration_pb2.FailureClass
    is_locked: bool
    lock_owner: str
    lock_expires_time: _timestamp_pb2.Timestamp
    pending_count: int
    error: _migration_pb2.MigrationError
    is_active: bool
    hold: Hold
    def __init__(self, branch_id: _Optional[str] = ..., branch_code: _Optional[str] = ..., branch_name: _Optional[str] = ..., provider: _Optional[_Union[_branch_pb2.Provider, str]] = ..., last_migration_applied: _Optional[str] = ..., status: _Optional[_Union[MigrationStatus, str]] = ..., last_attempt_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., retry_count: _Optional[int] = ..., next_attempt_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., error_details: _Optional[str] = ..., failure_class: _Optional[_Union[_migration_pb2.FailureClass, str]] = ..., is_locked: bool = ..., lock_owner: _Optional[str] = ..., lock_expires_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., pending_count: _Optional[int] = ..., error: _Optional[_Union[_migration_pb2.MigrationError, _Mapping]] = ..., is_active: bool = ..., hold: _Optional[_Union[Hold, _Mapping]] = ...) -> None: ...

class Hold(_message.Message):
    __slots__ = ("since_time", "run_id", "migrations")
    SINCE_TIME_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    MIGRATIONS_FIELD_NUMBER: _ClassVar[int]
    since_time: _timestamp_pb2.Timestamp
    run_id: str
    migrations: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, since_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., run_id: _Optional[str] = ..., migrations: _Optional[_Iterable[str]] = ...) -> None: ...
