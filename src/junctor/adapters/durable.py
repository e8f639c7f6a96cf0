"""Names that outlive a power cut: a file's content is as durable as the folders that lead to it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

__all__ = ["make_folder", "sync"]


def sync(path: Path) -> None:
    """Makes a file's content durable, or the names in a folder."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(path: Path, mode: int = 0o777) -> None:
    """Makes a folder where there is none, and those above it, each durably named in its own."""
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        folder.mkdir(mode=mode, exist_ok=True)
        with suppress(PermissionError):  # one that may be written and not read
            sync(folder.parent)
