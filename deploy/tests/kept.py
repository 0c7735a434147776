"""What is searched for secrets when the tests are over, by scripts/keeping-secrets."""

import json
import os
import shutil
from pathlib import Path
from typing import Optional

import postgres
import support


# The service's program itself. `BINARY` keeps what it says by itself, which a process that may write nothing cannot.
PROGRAM = os.environ.get("BRANCHKEEPER_PROGRAM", support.BINARY)


def folder() -> Optional[Path]:
    """Where it is kept; None when nobody will search it."""
    kept = os.environ.get("KEPT")
    return Path(kept) if kept else None


def files(name: str, *paths: Path) -> None:
    """Keeps files beyond the test that they belong to."""
    kept = folder()
    if kept is not None:
        for path in paths:
            if path.is_file():
                shutil.copy(path, kept / f"{name}.{path.name}")


def text(name: str, said: str) -> None:
    """Keeps what something has said."""
    kept = folder()
    if kept is not None:
        with open(kept / name, "a", encoding="utf-8") as file:
            file.write(said)


def secret(text: str) -> None:
    """Something that is told to a service in another way than by its environment."""
    kept = folder()
    if kept is not None:
        with open(kept / "secrets", "a", encoding="utf-8") as notes:
            notes.write(json.dumps(text.strip()) + "\n")


def head_office(server: postgres.Postgres, name: str) -> None:
    """Keeps everything that is in this database."""
    kept = folder()
    if kept is not None:
        (kept / f"{name}.tables").write_text("\n".join(server.contents(name)))
