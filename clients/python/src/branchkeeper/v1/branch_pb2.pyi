import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Provider(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROVIDER_UNSPECIFIED: _ClassVar[Provider]
    PROVIDER_SQLITE: _ClassVar[Provider]
    PROVIDER_SQLSERVER: _ClassVar[Provider]
    PROVIDER_POSTGRES: _ClassVar[Provider]
    PROVIDER_MYSQL: _ClassVar[Provider]

class SslMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SSL_MODE_UNSPECIFIED: _ClassVar[SslMode]
    SSL_MODE_DISABLE: _ClassVar[SslMode]
    SSL_MODE_PREFER: _ClassVar[SslMode]
    SSL_MODE_REQUIRE: _ClassVar[SslMode]
    SSL_MODE_VERIFY_CA: _ClassVar[SslMode]
    SSL_MODE_VERIFY_FULL: _ClassVar[SslMode]
PROVIDER_UNSPECIFIED: Provider
PROVIDER_SQLITE: Provider
PROVIDER_SQLSERVER: Provider
PROVIDER_POSTGRES: Provider
PROVIDER_MYSQL: Provider
SSL_MODE_UNSPECIFIED: SslMode
SSL_MODE_DISABLE: SslMode
SSL_MODE_PREFER: SslMode
SSL_MODE_REQUIRE: SslMode
SSL_MODE_VERIFY_CA: SslMode
SSL_MODE_VERIFY_FULL: SslMode

class Branch(_message.Message):
    __slots__ = ("id", "code", "name", "provider", "connection", "labels", "is_active", "environment", "create_time", "update_time")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    CONNECTION_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    IS_ACTIVE_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    id: str
    code: str
    name: str
    provider: Provider
    connection: Connection
    labels: _containers.ScalarMap[str, str]
    is_active: bool
    environment: str
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., code: _Optional[str] = ..., name: _Optional[str] = ..., provider: _Optional[_Union[Provider, str]] = ..., connection: _Optional[_Union[Connection, _Mapping]] = ..., labels: _Optional[_Mapping[str, str]] = ..., is_active: bool = ..., environment: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Connection(_message.Message):
    __slots__ = ("sqlite", "server")
    SQLITE_FIELD_NUMBER: _ClassVar[int]
    SERVER_FIELD_NUMBER: _ClassVar[int]
    sqlite: SqliteConnection
    server: ServerConnection
    def __init__(self, sqlite: _Optional[_Union[SqliteConnection, _Mapping]] = ..., server: _Optional[_Union[ServerConnection, _Mapping]] = ...) -> None: ...

class SqliteConnection(_message.Message):
    __slots__ = ("path",)
    PATH_FIELD_NUMBER: _ClassVar[int]
    path: str
    def __init__(self, path: _Optional[str] = ...) -> None: ...

class ServerConnection(_message.Message):
    __slots__ = ("host", "port", "database", "schema", "username", "password", "password_ref", "ssl_mode", "ssl_ca_file", "options", "has_password")
    class OptionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    HOST_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    DATABASE_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    USERNAME_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_REF_FIELD_NUMBER: _ClassVar[int]
    SSL_MODE_FIELD_NUMBER: _ClassVar[int]
    SSL_CA_FILE_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    HAS_PASSWORD_FIELD_NUMBER: _ClassVar[int]
    host: str
    port: int
    database: str
    schema: str
    username: str
    password: str
    password_ref: str
    ssl_mode: SslMode
    ssl_ca_file: str
    options: _containers.ScalarMap[str, str]
    has_password: bool
    def __init__(self, host: _Optional[str] = ..., port: _Optional[int] = ..., database: _Optional[str] = ..., schema: _Optional[str] = ..., username: _Optional[str] = ..., password: _Optional[str] = ..., password_ref: _Optional[str] = ..., ssl_mode: _Optional[_Union[SslMode, str]] = ..., ssl_ca_file: _Optional[str] = ..., options: _Optional[_Mapping[str, str]] = ..., has_password: bool = ...) -> None: ...
