"""What the tests share. What is missing on a machine skips its tests, with a word on what to install."""

import uuid
from typing import Iterator

import kept
import postgres
import pytest


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Postgres]:
    for found in postgres.servers():
        if found is None:
            pytest.skip("no PostgreSQL: apt-get install postgresql, or set BRANCHKEEPER_TEST_POSTGRES_URL")
        yield found


def _database(server: postgres.Postgres) -> Iterator[str]:
    name = f"bk_{uuid.uuid4().hex}"
    server.execute(f"CREATE DATABASE {name}")
    yield name
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(server: postgres.Postgres) -> Iterator[str]:
    """The name of an empty database."""
    yield from _database(server)


@pytest.fixture
def head_office(server: postgres.Postgres) -> Iterator[str]:
    """The URL of another one."""
    for name in _database(server):
        yield server.url(name)
        kept.head_office(server, name)
