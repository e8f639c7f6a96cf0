"""OpenAPI documents that users added: files of compiled facts in one folder, a connector each.

The folder is read by every process on its machine, or of a cluster if it is shared. A file is
replaced whole, never written in place, so a reader sees the old one or the new one.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from junctor.errors import JunctorError, Misconfigured
from junctor.language.connector import Connector
from junctor.language.ids import CONNECTOR

__all__ = ["Documents"]

_LARGEST = 64 * 1024 * 1024
"""Bytes of a compiled document; `language.openapi` makes none as large."""


class Documents:
    """The documents in a folder, which need not exist."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> tuple[str, ...]:
        """The connectors' names; none is loaded for it."""
        try:
            files = [each.stem for each in self._folder.iterdir() if each.suffix == ".json"]
        except OSError:
            return ()
        return tuple(sorted(name for name in files if CONNECTOR.fullmatch(name)))

    def facts(self, name: str) -> dict[str, Any] | None:
        """What was compiled; ``None`` if there is none. `Misconfigured` if it is no document."""
        if not CONNECTOR.fullmatch(name):
            return None
        file = self._file(name)
        try:
            if file.stat().st_size > _LARGEST:
                raise Misconfigured(f"{file} is too large to be a connector; add it again.")
            found = msgspec.json.decode(file.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            raise Misconfigured(f"{file} can't be read ({error}); add it again.") from error
        if not isinstance(found, dict) or found.get("name") != name:
            raise Misconfigured(f"{file} is not the connector '{name}'; add it again.")
        return found

    def connector(self, name: str) -> Connector | None:
        """The connector; ``None`` if there is none. `Misconfigured` if its file can't be used."""
        found = self.facts(name)
        if found is None:
            return None
        # Imported now: every process looks for documents, and few find one.
        made = import_module("junctor.language.openapi")
        try:
            connector: Connector = made.connector_of(found)
        except JunctorError:
            raise
        except Exception as error:  # a file of somebody's own making may lack anything
            raise Misconfigured(
                f"{self._file(name)} is damaged ({type(error).__name__}: {error}); add it again."
            ) from error
        return connector

    def save(self, compiled: Mapping[str, Any]) -> Path:
        """Writes a compiled document, in place of an older one of its name."""
        file = self._file(compiled["name"])
        content = msgspec.json.format(msgspec.json.encode(compiled), indent=1)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self._folder, prefix=".", suffix=".new")
            try:
                with os.fdopen(handle, "wb") as out:
                    out.write(content)
                    out.flush()
                    os.fsync(out.fileno())
                # Other users' processes read it too; it holds no secret.
                Path(temporary).chmod(0o644)
                Path(temporary).replace(file)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise Misconfigured(
                f"{self._folder} can't be written: {error.strerror or error}. "
                "JUNCTOR_CONNECTORS_DIR may name another folder.",
                path=str(self._folder),
            ) from error
        return file

    def remove(self, name: str) -> bool:
        """Removes a document; whether there was one."""
        if not CONNECTOR.fullmatch(name):
            return False
        try:
            self._file(name).unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise Misconfigured(
                f"{self._file(name)} can't be removed: {error.strerror or error}."
            ) from error
        return True

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.json"
