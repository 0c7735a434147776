"""Where the service is, and how to speak with it."""

import ipaddress
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, List, Optional, Tuple, Union
from urllib.parse import urlsplit

import grpc

from . import _semantics

PathLike = Union[str, "os.PathLike[str]"]


@dataclass(frozen=True)
class Options:
    """What `connect` was given, checked."""

    address: str
    tls: bool
    ca_file: Optional[PathLike] = None
    cert_file: Optional[PathLike] = None
    key_file: Optional[PathLike] = None
    deadline: float = _semantics.DEADLINE
    run_deadline: float = _semantics.RUN_DEADLINE
    keepalive: float = _semantics.KEEPALIVE_INTERVAL

    def channel_options(self) -> List[Tuple[str, Any]]:
        """What gRPC is to be told about the channel."""
        options: List[Tuple[str, Any]] = [
            ("grpc.primary_user_agent", f"branchkeeper-python/{_semantics.VERSION}"),
            ("grpc.max_receive_message_length", _semantics.MAX_MESSAGE_BYTES),
            # A service that was restarted is found again soon, not after minutes.
            ("grpc.initial_reconnect_backoff_ms", int(_semantics.BACKOFF_INITIAL * 1000)),
            ("grpc.min_reconnect_backoff_ms", int(_semantics.BACKOFF_MAX * 1000)),
            ("grpc.max_reconnect_backoff_ms", int(_semantics.BACKOFF_MAX * 1000)),
        ]
        if self.keepalive > 0:
            options += [
                ("grpc.keepalive_time_ms", int(self.keepalive * 1000)),
                ("grpc.keepalive_timeout_ms", int(_semantics.KEEPALIVE_TIMEOUT * 1000)),
                ("grpc.http2.max_pings_without_data", 0),
            ]
        return options

    def credentials(self) -> "grpc.ChannelCredentials":
        """What TLS needs. Reads the files."""

        def read(file: Optional[PathLike]) -> Optional[bytes]:
            return None if file is None else Path(file).read_bytes()

        return grpc.ssl_channel_credentials(read(self.ca_file), read(self.key_file), read(self.cert_file))


def check(
    target: str,
    ca_file: Optional[PathLike],
    cert_file: Optional[PathLike],
    key_file: Optional[PathLike],
    token: Optional[str],
    token_file: Optional[PathLike],
    allow_insecure_token: bool,
    deadline: float,
    run_deadline: float,
    keepalive: float,
) -> Tuple[Options, "Token"]:
    """The options, or ValueError saying what is wrong with them. Nothing that was given is repeated: it may be secret."""
    url = urlsplit(target if "://" in target else f"http://{target}")
    try:
        host, port = url.hostname, url.port
    except ValueError:
        host, port = None, None
    wrong = url.scheme not in ("http", "https") or url.path not in ("", "/") or url.query or url.fragment or url.username
    if wrong or not host:
        raise ValueError("the target is not an address; write it like https://keeper.example:50051")
    tls = url.scheme == "https"
    if not tls and (ca_file or cert_file or key_file):
        raise ValueError("certificates need TLS; begin the target with https://")
    if bool(cert_file) != bool(key_file):
        raise ValueError("cert_file and key_file belong together; give both or neither")
    if token is not None and token_file is not None:
        raise ValueError("token and token_file exclude each other; give one of them")
    has_token = token is not None or token_file is not None
    if has_token and not tls and not allow_insecure_token and not _is_this_machine(host):
        raise ValueError("a token would be sent in the clear; use https://, or allow_insecure_token if the network is safe")
    if deadline <= 0 or run_deadline <= 0:
        raise ValueError("deadlines have to be above 0 seconds")
    name = f"[{host}]" if ":" in host else host
    address = f"{name}:{_semantics.PORT if port is None else port}"
    options = Options(address, tls, ca_file, cert_file, key_file, deadline, run_deadline, keepalive)
    return options, Token(token, token_file)


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Token:
    """The token that every call carries, if any."""

    def __init__(self, token: Optional[str], file: Optional[PathLike]) -> None:
        self._token = None if token is None else token.strip()
        self._file = file
        self._seen: Optional[Tuple[int, int]] = None
        self._lock = threading.Lock()

    def metadata(self) -> List[Tuple[str, str]]:
        """The metadata to add to a call. OSError when the file cannot be read."""
        with self._lock:
            if self._file is not None:
                found = os.stat(self._file)
                seen = (found.st_mtime_ns, found.st_size)
                if seen != self._seen:
                    self._token = Path(self._file).read_text().strip()
                    self._seen = seen
            return [] if self._token is None else [("authorization", f"Bearer {self._token}")]
