import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TransactionMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRANSACTION_MODE_UNSPECIFIED: _ClassVar[TransactionMode]
    TRANSACTION_MODE_PER_MIGRATION: _ClassVar[TransactionMode]
    TRANSACTION_MODE_ALL_IN_ONE: _ClassVar[TransactionMode]
    TRANSACTION_MODE_NONE: _ClassVar[TransactionMode]

class FailureClass(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FAILURE_CLASS_UNSPECIFIED: _ClassVar[FailureClass]
    FAILURE_CLASS_CONNECTION: _ClassVar[FailureClass]
    FAILURE_CLASS_AUTHENTICATION: _ClassVar[FailureClass]
    FAILURE_CLASS_LOCKED: _ClassVar[FailureClass]
    FAILURE_CLASS_TIMEOUT: _ClassVar[FailureClass]
    FAILURE_CLASS_SQL: _ClassVar[FailureClass]
    FAILURE_CLASS_CHECKSUM: _ClassVar[FailureClass]
    FAILURE_CLASS_CATALOGUE: _ClassVar[FailureClass]
    FAILURE_CLASS_AMBIGUOUS: _ClassVar[FailureClass]
    FAILURE_CLASS_CANCELLED: _ClassVar[FailureClass]
    FAILURE_CLASS_INTERNAL: _ClassVar[FailureClass]
    FAILURE_CLASS_PLAN_CHANGED: _ClassVar[FailureClass]

class Direction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DIRECTION_UNSPECIFIED: _ClassVar[Direction]
    DIRECTION_UP: _ClassVar[Direction]
    DIRECTION_DOWN: _ClassVar[Direction]

class Severity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SEVERITY_UNSPECIFIED: _ClassVar[Severity]
    SEVERITY_ERROR: _ClassVar[Severity]
    SEVERITY_WARNING: _ClassVar[Severity]
TRANSACTION_MODE_UNSPECIFIED: TransactionMode
TRANSACTION_MODE_PER_MIGRATION: TransactionMode
TRANSACTION_MODE_ALL_IN_ONE: TransactionMode
TRANSACTION_MODE_NONE: TransactionMode
FAILURE_CLASS_UNSPECIFIED: FailureClass
FAILURE_CLASS_CONNECTION: FailureClass
FAILURE_CLASS_AUTHENTICATION: FailureClass
FAILURE_CLASS_LOCKED: FailureClass
FAILURE_CLASS_TIMEOUT: FailureClass
FAILURE_CLASS_SQL: FailureClass
FAILURE_CLASS_CHECKSUM: FailureClass
FAILURE_CLASS_CATALOGUE: FailureClass
FAILURE_CLASS_AMBIGUOUS: FailureClass
FAILURE_CLASS_CANCELLED: FailureClass
FAILURE_CLASS_INTERNAL: FailureClass
FAILURE_CLASS_PLAN_CHANGED: FailureClass
DIRECTION_UNSPECIFIED: Direction
DIRECTION_UP: Direction
DIRECTION_DOWN: Direction
SEVERITY_UNSPECIFIED: Severity
SEVERITY_ERROR: Severity
SEVERITY_WARNING: Severity

class MigrationInfo(_message.Message):
    __slots__ = ("id", "name", "description", "checksum", "transaction_mode", "repeatable", "reversible")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    CHECKSUM_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_MODE_FIELD_NUMBER: _ClassVar[int]
    REPEATABLE_FIELD_NUMBER: _ClassVar[int]
    REVERSIBLE_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    description: str
    checksum: str
    transaction_mode: TransactionMode
    repeatable: bool
    reversible: bool
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., description: _Optional[str] = ..., checksum: _Optional[str] = ..., transaction_mode: _Optional[_Union[TransactionMode, str]] = ..., repeatable: bool = ..., reversible: bool = ...) -> None: ...

class AppliedMigration(_message.Message):
    __slots__ = ("id", "checksum", "applied_time", "duration", "product_version", "run_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    CHECKSUM_FIELD_NUMBER: _ClassVar[int]
    APPLIED_TIME_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_VERSION_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    checksum: str
    applied_time: _timestamp_pb2.Timestamp
    duration: _duration_pb2.Duration
    product_version: str
    run_id: str
    def __init__(self, id: _Optional[str] = ..., checksum: _Optional[str] = ..., applied_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., product_version: _Optional[str] = ..., run_id: _Optional[str] = ...) -> None: ...

class MigrationError(_message.Message):
    __slots__ = ("branch_code", "migration_id", "message", "hint", "file", "line", "statement", "provider_code", "statements_done", "statements_total")
    BRANCH_CODE_FIELD_NUMBER: _ClassVar[int]
    MIGRATION_ID_FIELD_NUMBER: _ClassVar[int]
    CLASS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    HINT_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_CODE_FIELD_NUMBER: _ClassVar[int]
    STATEMENTS_DONE_FIELD_NUMBER: _ClassVar[int]
    STATEMENTS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    branch_code: str
    migration_id: str
    message: str
    hint: str
    file: str
    line: int
    statement: str
    provider_code: str
    statements_done: int
    statements_total: int
    def __init__(self, branch_code: _Optional[str] = ..., migration_id: _Optional[str] = ..., message: _Optional[str] = ..., hint: _Optional[str] = ..., file: _Optional[str] = ..., line: _Optional[int] = ..., statement: _Optional[str] = ..., provider_code: _Optional[str] = ..., statements_done: _Optional[int] = ..., statements_total: _Optional[int] = ..., **kwargs) -> None: ...

class MigrationResult(_message.Message):
    __slots__ = ("success", "applied_migrations", "errors", "duration", "branches_processed", "branches_succeeded", "branches_failed", "branches_skipped", "rolled_back_migrations", "dry_run", "not_tried")
    SUCCESS_FIELD_NUMBER: _ClassVar[int]
    APPLIED_MIGRATIONS_FIELD_NUMBER: _ClassVar[int]
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    BRANCHES_PROCESSED_FIELD_NUMBER: _ClassVar[int]
    BRANCHES_SUCCEEDED_FIELD_NUMBER: _ClassVar[int]
    BRANCHES_FAILED_FIELD_NUMBER: _ClassVar[int]
    BRANCHES_SKIPPED_FIELD_NUMBER: _ClassVar[int]
    ROLLED_BACK_MIGRATIONS_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    NOT_TRIED_FIELD_NUMBER: _ClassVar[int]
    success: bool
    applied_migrations: _containers.RepeatedScalarFieldContainer[str]
    errors: _containers.RepeatedCompositeFieldContainer[MigrationError]
    duration: _duration_pb2.Duration
    branches_processed: int
    branches_succeeded: int
    branches_failed: int
    branches_skipped: int
    rolled_back_migrations: _containers.RepeatedScalarFieldContainer[str]
    dry_run: bool
    not_tried: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, success: bool = ..., applied_migrations: _Optional[_Iterable[str]] = ..., errors: _Optional[_Iterable[_Union[MigrationError, _Mapping]]] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., branches_processed: _Optional[int] = ..., branches_succeeded: _Optional[int] = ..., branches_failed: _Optional[int] = ..., branches_skipped: _Optional[int] = ..., rolled_back_migrations: _Optional[_Iterable[str]] = ..., dry_run: bool = ..., not_tried: _Optional[_Iterable[str]] = ...) -> None: ...

class Finding(_message.Message):
    __slots__ = ("severity", "kind", "message", "object", "migration_id")
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    MIGRATION_ID_FIELD_NUMBER: _ClassVar[int]
    severity: Severity
    kind: str
    message: str
    object: str
    migration_id: str
    def __init__(self, severity: _Optional[_Union[Severity, str]] = ..., kind: _Optional[str] = ..., message: _Optional[str] = ..., object: _Optional[str] = ..., migration_id: _Optional[str] = ...) -> None: ...
