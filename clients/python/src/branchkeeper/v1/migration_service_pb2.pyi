import datetime

from branchkeeper.v1 import branch_pb2 as _branch_pb2
from branchkeeper.v1 import migration_pb2 as _migration_pb2
from branchkeeper.v1 import run_pb2 as _run_pb2
from branchkeeper.v1 import status_pb2 as _status_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ApplyRequest(_message.Message):
    __slots__ = ("branch", "target_migration", "transaction_mode", "request_id", "dry_run", "plan_digest")
    BRANCH_FIELD_NUMBER: _ClassVar[int]
    TARGET_MIGRATION_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_MODE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    PLAN_DIGEST_FIELD_NUMBER: _ClassVar[int]
    branch: str
    target_migration: str
    transaction_mode: _migration_pb2.TransactionMode
    request_id: str
    dry_run: bool
    plan_digest: str
    def __init__(self, branch: _Optional[str] = ..., target_migration: _Optional[str] = ..., transaction_mode: _Optional[_Union[_migration_pb2.TransactionMode, str]] = ..., request_id: _Optional[str] = ..., dry_run: bool = ..., plan_digest: _Optional[str] = ...) -> None: ...

class ApplyResponse(_message.Message):
    __slots__ = ("run_id", "result")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    result: _migration_pb2.MigrationResult
    def __init__(self, run_id: _Optional[str] = ..., result: _Optional[_Union[_migration_pb2.MigrationResult, _Mapping]] = ...) -> None: ...

class PlanRequest(_message.Message):
    __slots__ = ("branch", "target_migration", "direction", "steps", "transaction_mode")
    BRANCH_FIELD_NUMBER: _ClassVar[int]
    TARGET_MIGRATION_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_MODE_FIELD_NUMBER: _ClassVar[int]
    branch: str
    target_migration: str
    direction: _migration_pb2.Direction
    steps: int
    transaction_mode: _migration_pb2.TransactionMode
    def __init__(self, branch: _Optional[str] = ..., target_migration: _Optional[str] = ..., direction: _Optional[_Union[_migration_pb2.Direction, str]] = ..., steps: _Optional[int] = ..., transaction_mode: _Optional[_Union[_migration_pb2.TransactionMode, str]] = ...) -> None: ...

class PlanResponse(_message.Message):
    __slots__ = ("branch_id", "branch_code", "migrations", "digest", "warnings", "direction", "provider")
    BRANCH_ID_FIELD_NUMBER: _ClassVar[int]
    BRANCH_CODE_FIELD_NUMBER: _ClassVar[int]
    MIGRATIONS_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    branch_id: str
    branch_code: str
    migrations: _containers.RepeatedCompositeFieldContainer[PlannedMigration]
    digest: str
    warnings: _containers.RepeatedScalarFieldContainer[str]
    direction: _migration_pb2.Direction
    provider: _branch_pb2.Provider
    def __init__(self, branch_id: _Optional[str] = ..., branch_code: _Optional[str] = ..., migrations: _Optional[_Iterable[_Union[PlannedMigration, _Mapping]]] = ..., digest: _Optional[str] = ..., warnings: _Optional[_Iterable[str]] = ..., direction: _Optional[_Union[_migration_pb2.Direction, str]] = ..., provider: _Optional[_Union[_branch_pb2.Provider, str]] = ...) -> None: ...

class PlannedMigration(_message.Message):
    __slots__ = ("info", "statements", "file", "statements_done", "in_doubt")
    INFO_FIELD_NUMBER: _ClassVar[int]
    STATEMENTS_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    STATEMENTS_DONE_FIELD_NUMBER: _ClassVar[int]
    IN_DOUBT_FIELD_NUMBER: _ClassVar[int]
    info: _migration_pb2.MigrationInfo
    statements: _containers.RepeatedCompositeFieldContainer[PlannedStatement]
    file: str
    statements_done: int
    in_doubt: bool
    def __init__(self, info: _Optional[_Union[_migration_pb2.MigrationInfo, _Mapping]] = ..., statements: _Optional[_Iterable[_Union[PlannedStatement, _Mapping]]] = ..., file: _Optional[str] = ..., statements_done: _Optional[int] = ..., in_doubt: bool = ...) -> None: ...

class PlannedStatement(_message.Message):
    __slots__ = ("sql", "line", "column", "transactional", "destructive", "note", "blocking", "transaction")
    SQL_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    COLUMN_FIELD_NUMBER: _ClassVar[int]
    TRANSACTIONAL_FIELD_NUMBER: _ClassVar[int]
    DESTRUCTIVE_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    BLOCKING_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_FIELD_NUMBER: _ClassVar[int]
    sql: str
    line: int
    column: int
    transactional: bool
    destructive: bool
    note: str
    blocking: bool
    transaction: int
    def __init__(self, sql: _Optional[str] = ..., line: _Optional[int] = ..., column: _Optional[int] = ..., transactional: bool = ..., destructive: bool = ..., note: _Optional[str] = ..., blocking: bool = ..., transaction: _Optional[int] = ...) -> None: ...

class RollbackRequest(_message.Message):
    __slots__ = ("branch", "steps", "target_migration", "allow_data_loss", "request_id", "plan_digest")
    BRANCH_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    TARGET_MIGRATION_FIELD_NUMBER: _ClassVar[int]
    ALLOW_DATA_LOSS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    PLAN_DIGEST_FIELD_NUMBER: _ClassVar[int]
    branch: str
    steps: int
    target_migration: str
    allow_data_loss: bool
    request_id: str
    plan_digest: str
    def __init__(self, branch: _Optional[str] = ..., steps: _Optional[int] = ..., target_migration: _Optional[str] = ..., allow_data_loss: bool = ..., request_id: _Optional[str] = ..., plan_digest: _Optional[str] = ...) -> None: ...

class RollbackResponse(_message.Message):
    __slots__ = ("run_id", "result")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    result: _migration_pb2.MigrationResult
    def __init__(self, run_id: _Optional[str] = ..., result: _Optional[_Union[_migration_pb2.MigrationResult, _Mapping]] = ...) -> None: ...

class ApplyAllRequest(_message.Message):
    __slots__ = ("branches", "labels", "providers", "target_migration", "max_parallel", "stop_on_error", "include_statements", "request_id")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    BRANCHES_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    PROVIDERS_FIELD_NUMBER: _ClassVar[int]
    TARGET_MIGRATION_FIELD_NUMBER: _ClassVar[int]
    MAX_PARALLEL_FIELD_NUMBER: _ClassVar[int]
    STOP_ON_ERROR_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_STATEMENTS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    branches: _containers.RepeatedScalarFieldContainer[str]
    labels: _containers.ScalarMap[str, str]
    providers: _containers.RepeatedScalarFieldContainer[_branch_pb2.Provider]
    target_migration: str
    max_parallel: int
    stop_on_error: bool
    include_statements: bool
    request_id: str
    def __init__(self, branches: _Optional[_Iterable[str]] = ..., labels: _Optional[_Mapping[str, str]] = ..., providers: _Optional[_Iterable[_Union[_branch_pb2.Provider, str]]] = ..., target_migration: _Optional[str] = ..., max_parallel: _Optional[int] = ..., stop_on_error: bool = ..., include_statements: bool = ..., request_id: _Optional[str] = ...) -> None: ...

class ApplyAllResponse(_message.Message):
    __slots__ = ("event",)
    EVENT_FIELD_NUMBER: _ClassVar[int]
    event: _run_pb2.RunEvent
    def __init__(self, event: _Optional[_Union[_run_pb2.RunEvent, _Mapping]] = ...) -> None: ...

class PendingRequest(_message.Message):
    __slots__ = ("branch",)
    BRANCH_FIELD_NUMBER: _ClassVar[int]
    branch: str
    def __init__(self, branch: _Optional[str] = ...) -> None: ...

class PendingResponse(_message.Message):
    __slots__ = ("branch_id", "branch_code", "pending_migrations", "count")
    BRANCH_ID_FIELD_NUMBER: _ClassVar[int]
    BRANCH_CODE_FIELD_NUMBER: _ClassVar[int]
    PENDING_MIGRATIONS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    branch_id: str
    branch_code: str
    pending_migrations: _containers.RepeatedCompositeFieldContainer[_migration_pb2.MigrationInfo]
    count: int
    def __init__(self, branch_id: _Optional[str] = ..., branch_code: _Optional[str] = ..., pending_migrations: _Optional[_Iterable[_Union[_migration_pb2.MigrationInfo, _Mapping]]] = ..., count: _Optional[int] = ...) -> None: ...

class HistoryRequest(_message.Message):
    __slots__ = ("branch",)
    BRANCH_FIELD_NUMBER: _ClassVar[int]
    branch: str
    def __init__(self, branch: _Optional[str] = ...) -> None: ...

class HistoryResponse(_message.Message):
    __slots__ = ("branch_id", "branch_code", "applied_migrations", "pending_migrations", "last_migration_time", "status", "retry_count", "error_details", "hold")
    BRANCH_ID_FIELD_NUMBER: _ClassVar[int]
    BRANCH_CODE_FIELD_NUMBER: _ClassVar[int]
    APPLIED_MIGRATIONS_FIELD_NUMBER: _ClassVar[int]
    PENDING_MIGRATIONS_FIELD_NUMBER: _ClassVar[int]
    LAST_MIGRATION_TIME_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    RETRY_COUNT_FIELD_NUMBER: _ClassVar[int]
    ERROR_DETAILS_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    branch_id: str
    branch_code: str
    applied_migrations: _containers.RepeatedCompositeFieldContainer[_migration_pb2.AppliedMigration]
    pending_migrations: _containers.RepeatedScalarFieldContainer[str]
    last_migration_time: _timestamp_pb2.Timestamp
    status: _status_pb2.MigrationStatus
    retry_count: int
    error_details: str
    hold: _status_pb2.Hold
    def __init__(self, branch_id: _Optional[str] = ..., branch_code: _Optional[str] = ..., applied_migrations: _Optional[_Iterable[_Union[_migration_pb2.AppliedMigration, _Mapping]]] = ..., pending_migrations: _Optional[_Iterable[str]] = ..., last_migration_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., status: _Optional[_Union[_status_pb2.MigrationStatus, str]] = ..., retry_count: _Optional[int] = ..., error_details: _Optional[str] = ..., hold: _Optional[_Union[_status_pb2.Hold, _Mapping]] = ...) -> None: ...

class ValidateRequest(_message.Message):
    __slots__ = ("branch",)
    BRANCH_FIELD_NUMBER: _ClassVar[int]
    branch: str
    def __init__(self, branch: _Optional[str] = ...) -> None: ...

class ValidateResponse(_message.Message):
    __slots__ = ("branch_id", "branch_code", "is_valid", "status", "findings")
    BRANCH_ID_FIELD_NUMBER: _ClassVar[int]
    BRANCH_CODE_FIELD_NUMBER: _ClassVar[int]
    IS_VALID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    branch_id: str
    branch_code: str
    is_valid: bool
    status: str
    findings: _containers.RepeatedCompositeFieldContainer[_migration_pb2.Finding]
    def __init__(self, branch_id: _Optional[str] = ..., branch_code: _Optional[str] = ..., is_valid: bool = ..., status: _Optional[str] = ..., findings: _Optional[_Iterable[_Union[_migration_pb2.Finding, _Mapping]]] = ...) -> None: ...

class StatusRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "statuses", "labels", "providers")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    PROVIDERS_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    statuses: _containers.RepeatedScalarFieldContainer[_status_pb2.MigrationStatus]
    labels: _containers.ScalarMap[str, str]
    providers: _containers.RepeatedScalarFieldContainer[_branch_pb2.Provider]
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., statuses: _Optional[_Iterable[_Union[_status_pb2.MigrationStatus, str]]] = ..., labels: _Optional[_Mapping[str, str]] = ..., providers: _Optional[_Iterable[_Union[_branch_pb2.Provider, str]]] = ...) -> None: ...

class StatusResponse(_message.Message):
    __slots__ = ("branches", "totals", "total_branches", "next_page_token")
    class TotalsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    BRANCHES_FIELD_NUMBER: _ClassVar[int]
    TOTALS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_BRANCHES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    branches: _containers.RepeatedCompositeFieldContainer[_status_pb2.BranchStatus]
    totals: _containers.ScalarMap[str, int]
    total_branches: int
    next_page_token: str
    def __init__(self, branches: _Optional[_Iterable[_Union[_status_pb2.BranchStatus, _Mapping]]] = ..., totals: _Optional[_Mapping[str, int]] = ..., total_branches: _Optional[int] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class RetryRequest(_message.Message):
    __slots__ = ("branch",)
    BRANCH_FIELD_NUMBER: _ClassVar[int]
    branch: str
    def __init__(self, branch: _Optional[str] = ...) -> None: ...

class RetryResponse(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: _status_pb2.BranchStatus
    def __init__(self, status: _Optional[_Union[_status_pb2.BranchStatus, _Mapping]] = ...) -> None: ...

class ResolveRequest(_message.Message):
    __slots__ = ("branch", "migration_id", "applied")
    BRANCH_FIELD_NUMBER: _ClassVar[int]
    MIGRATION_ID_FIELD_NUMBER: _ClassVar[int]
    APPLIED_FIELD_NUMBER: _ClassVar[int]
    branch: str
    migration_id: str
    applied: bool
    def __init__(self, branch: _Optional[str] = ..., migration_id: _Optional[str] = ..., applied: bool = ...) -> None: ...

class ResolveResponse(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: _status_pb2.BranchStatus
    def __init__(self, status: _Optional[_Union[_status_pb2.BranchStatus, _Mapping]] = ...) -> None: ...

class GetRunRequest(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class GetRunResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: _run_pb2.Run
    def __init__(self, run: _Optional[_Union[_run_pb2.Run, _Mapping]] = ...) -> None: ...

class ListRunsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "states")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    states: _containers.RepeatedScalarFieldContainer[_run_pb2.RunState]
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., states: _Optional[_Iterable[_Union[_run_pb2.RunState, str]]] = ...) -> None: ...

class ListRunsResponse(_message.Message):
    __slots__ = ("runs", "next_page_token")
    RUNS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    runs: _containers.RepeatedCompositeFieldContainer[_run_pb2.Run]
    next_page_token: str
    def __init__(self, runs: _Optional[_Iterable[_Union[_run_pb2.Run, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class WatchRunRequest(_message.Message):
    __slots__ = ("run_id", "after_sequence", "include_statements")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_STATEMENTS_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    after_sequence: int
    include_statements: bool
    def __init__(self, run_id: _Optional[str] = ..., after_sequence: _Optional[int] = ..., include_statements: bool = ...) -> None: ...

class WatchRunResponse(_message.Message):
    __slots__ = ("event",)
    EVENT_FIELD_NUMBER: _ClassVar[int]
    event: _run_pb2.RunEvent
    def __init__(self, event: _Optional[_Union[_run_pb2.RunEvent, _Mapping]] = ...) -> None: ...

class CancelRunRequest(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class CancelRunResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: _run_pb2.Run
    def __init__(self, run: _Optional[_Union[_run_pb2.Run, _Mapping]] = ...) -> None: ...
