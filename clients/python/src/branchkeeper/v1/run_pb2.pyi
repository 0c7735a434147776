import datetime

from branchkeeper.v1 import branch_pb2 as _branch_pb2
from branchkeeper.v1 import migration_pb2 as _migration_pb2
from branchkeeper.v1 import status_pb2 as _status_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RunKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RUN_KIND_UNSPECIFIED: _ClassVar[RunKind]
    RUN_KIND_APPLY: _ClassVar[RunKind]
    RUN_KIND_APPLY_ALL: _ClassVar[RunKind]
    RUN_KIND_AUTO_MIGRATE: _ClassVar[RunKind]
    RUN_KIND_ROLLBACK: _ClassVar[RunKind]

class RunState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RUN_STATE_UNSPECIFIED: _ClassVar[RunState]
    RUN_STATE_QUEUED: _ClassVar[RunState]
    RUN_STATE_RUNNING: _ClassVar[RunState]
    RUN_STATE_SUCCEEDED: _ClassVar[RunState]
    RUN_STATE_FAILED: _ClassVar[RunState]
    RUN_STATE_CANCELLED: _ClassVar[RunState]
RUN_KIND_UNSPECIFIED: RunKind
RUN_KIND_APPLY: RunKind
RUN_KIND_APPLY_ALL: RunKind
RUN_KIND_AUTO_MIGRATE: RunKind
RUN_KIND_ROLLBACK: RunKind
RUN_STATE_UNSPECIFIED: RunState
RUN_STATE_QUEUED: RunState
RUN_STATE_RUNNING: RunState
RUN_STATE_SUCCEEDED: RunState
RUN_STATE_FAILED: RunState
RUN_STATE_CANCELLED: RunState

class Run(_message.Message):
    __slots__ = ("id", "kind", "state", "requested_by", "request_id", "create_time", "start_time", "end_time", "result", "last_sequence", "branches_total", "dry_run")
    ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_BY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    BRANCHES_TOTAL_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    id: str
    kind: RunKind
    state: RunState
    requested_by: str
    request_id: str
    create_time: _timestamp_pb2.Timestamp
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    result: _migration_pb2.MigrationResult
    last_sequence: int
    branches_total: int
    dry_run: bool
    def __init__(self, id: _Optional[str] = ..., kind: _Optional[_Union[RunKind, str]] = ..., state: _Optional[_Union[RunState, str]] = ..., requested_by: _Optional[str] = ..., request_id: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., result: _Optional[_Union[_migration_pb2.MigrationResult, _Mapping]] = ..., last_sequence: _Optional[int] = ..., branches_total: _Optional[int] = ..., dry_run: bool = ...) -> None: ...

class RunEvent(_message.Message):
    __slots__ = ("run_id", "sequence", "time", "run_started", "branch_started", "migration_started", "statement_finished", "migration_finished", "branch_finished", "run_finished")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    RUN_STARTED_FIELD_NUMBER: _ClassVar[int]
    BRANCH_STARTED_FIELD_NUMBER: _ClassVar[int]
    MIGRATION_STARTED_FIELD_NUMBER: _ClassVar[int]
    STATEMENT_FINISHED_FIELD_NUMBER: _ClassVar[int]
    MIGRATION_FINISHED_FIELD_NUMBER: _ClassVar[int]
    BRANCH_FINISHED_FIELD_NUMBER: _ClassVar[int]
    RUN_FINISHED_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    sequence: int
    time: _timestamp_pb2.Timestamp
    run_started: RunStarted
    branch_started: BranchStarted
    migration_started: MigrationStarted
    statement_finished: StatementFinished
    migration_finished: MigrationFinished
    branch_finished: BranchFinished
    run_finished: RunFinished
    def __init__(self, run_id: _Optional[str] = ..., sequence: _Optional[int] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., run_started: _Optional[_Union[RunStarted, _Mapping]] = ..., branch_started: _Optional[_Union[BranchStarted, _Mapping]] = ..., migration_started: _Optional[_Union[MigrationStarted, _Mapping]] = ..., statement_finished: _Optional[_Union[StatementFinished, _Mapping]] = ..., migration_finished: _Optional[_Union[MigrationFinished, _Mapping]] = ..., branch_finished: _Optional[_Union[BranchFinished, _Mapping]] = ..., run_finished: _Optional[_Union[RunFinished, _Mapping]] = ...) -> None: ...

class RunStarted(_message.Message):
    __slots__ = ("branches_total",)
    BRANCHES_TOTAL_FIELD_NUMBER: _ClassVar[int]
    branches_total: int
    def __init__(self, branches_total: _Optional[int] = ...) -> None: ...

class BranchStarted(_message.Message):
    __slots__ = ("branch_code", "provider", "pending_migrations", "direction")
    BRANCH_CODE_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    PENDING_MIGRATIONS_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    branch_code: str
    provider: _branch_pb2.Provider
    pending_migrations: int
    direction: _migration_pb2.Direction
    def __init__(self, branch_code: _Optional[str] = ..., provider: _Optional[_Union[_branch_pb2.Provider, str]] = ..., pending_migrations: _Optional[int] = ..., direction: _Optional[_Union[_migration_pb2.Direction, str]] = ...) -> None: ...

class MigrationStarted(_message.Message):
    __slots__ = ("branch_code", "migration_id", "index", "total", "direction")
    BRANCH_CODE_FIELD_NUMBER: _ClassVar[int]
    MIGRATION_ID_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    branch_code: str
    migration_id: str
    index: int
    total: int
    direction: _migration_pb2.Direction
    def __init__(self, branch_code: _Optional[str] = ..., migration_id: _Optional[str] = ..., index: _Optional[int] = ..., total: _Optional[int] = ..., direction: _Optional[_Union[_migration_pb2.Direction, str]] = ...) -> None: ...

class StatementFinished(_message.Message):
    __slots__ = ("branch_code", "migration_id", "index", "total", "duration")
    BRANCH_CODE_FIELD_NUMBER: _ClassVar[int]
    MIGRATION_ID_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    branch_code: str
    migration_id: str
    index: int
    total: int
    duration: _duration_pb2.Duration
    def __init__(self, branch_code: _Optional[str] = ..., migration_id: _Optional[str] = ..., index: _Optional[int] = ..., total: _Optional[int] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class MigrationFinished(_message.Message):
    __slots__ = ("branch_code", "migration_id", "duration", "direction")
    BRANCH_CODE_FIELD_NUMBER: _ClassVar[int]
    MIGRATION_ID_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    branch_code: str
    migration_id: str
    duration: _duration_pb2.Duration
    direction: _migration_pb2.Direction
    def __init__(self, branch_code: _Optional[str] = ..., migration_id: _Optional[str] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., direction: _Optional[_Union[_migration_pb2.Direction, str]] = ...) -> None: ...

class BranchFinished(_message.Message):
    __slots__ = ("branch_code", "status", "applied_migrations", "error", "duration", "branches_done", "branches_total", "rolled_back_migrations")
    BRANCH_CODE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    APPLIED_MIGRATIONS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    BRANCHES_DONE_FIELD_NUMBER: _ClassVar[int]
    BRANCHES_TOTAL_FIELD_NUMBER: _ClassVar[int]
    ROLLED_BACK_MIGRATIONS_FIELD_NUMBER: _ClassVar[int]
    branch_code: str
    status: _status_pb2.MigrationStatus
    applied_migrations: _containers.RepeatedScalarFieldContainer[str]
    error: _migration_pb2.MigrationError
    duration: _duration_pb2.Duration
    branches_done: int
    branches_total: int
    rolled_back_migrations: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, branch_code: _Optional[str] = ..., status: _Optional[_Union[_status_pb2.MigrationStatus, str]] = ..., applied_migrations: _Optional[_Iterable[str]] = ..., error: _Optional[_Union[_migration_pb2.MigrationError, _Mapping]] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., branches_done: _Optional[int] = ..., branches_total: _Optional[int] = ..., rolled_back_migrations: _Optional[_Iterable[str]] = ...) -> None: ...

class RunFinished(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: _migration_pb2.MigrationResult
    def __init__(self, result: _Optional[_Union[_migration_pb2.MigrationResult, _Mapping]] = ...) -> None: ...
