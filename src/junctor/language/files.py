"""Files too large for memory: kept beside the run that fetched them, and named in its bundles.

In a bundle such a file is a collection, `File.as_value`. What makes it one is bytes under a name
that no parser of text gives a value of that type: an answer that spells such a collection stays
what it is, data. The id is random, and only the run that the file belongs to can open it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from junctor.errors import DataError

__all__ = [
    "IN_MEMORY",
    "LARGEST",
    "Content",
    "File",
    "file_of",
    "file_or_buffer",
    "size_of",
    "too_large",
]

IN_MEMORY: Final = 16 * 1024 * 1024
"""Bytes; a longer file is not put into a bundle as a buffer, but kept beside."""
LARGEST: Final = 4 * 1024 * 1024 * 1024
"""Bytes of the largest file that is kept."""
_MARK: Final = "keptFile"


@dataclass(frozen=True, slots=True)
class File:
    """A file kept beside the run. ``size`` in bytes."""

    id: bytes
    """16 random bytes."""
    size: int

    def as_value(self) -> dict[str, Any]:
        """How a bundle holds it, and a journal."""
        return {_MARK: self.id, "size": self.size}


Content = bytes | File
"""The content of a file, in a module's signature: what takes it can send it as a stream."""


def file_of(value: Any) -> File | None:
    """The file that a value of a bundle stands for, if it stands for one."""
    if not isinstance(value, Mapping) or len(value) != 2:
        return None
    name, size = value.get(_MARK), value.get("size")
    if type(name) is not bytes or len(name) != 16 or type(size) is not int or size < 0:
        return None
    return File(name, size)


def file_or_buffer(value: Any) -> Any:
    """A value that may stand for a file, as the file; any other as it is."""
    return value if isinstance(value, File) else file_of(value) or value


def size_of(content: Content) -> int:
    """Its bytes."""
    return content.size if isinstance(content, File) else len(content)


def too_large(file: File, what: str) -> DataError:
    """Why a file can't become something that is held in memory."""
    return DataError(
        reason=f"the file of {file.size:,} bytes can't become {what}: one of more than "
        f"{IN_MEMORY:,} bytes is only passed on to modules that send files"
    )
