"""A connector found by what its author types (a name, a module, a file, a folder), and checked."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from inspect import getsourcefile
from pathlib import Path
from types import ModuleType
from typing import Any

from junctor.errors import JunctorError, Misconfigured, NotFound
from junctor.language.connector import Connector
from junctor.runtime.registry import GROUP, Registry
from junctor.testing.contracts_connectors import Problem, import_problems, problems

__all__ = ["Found", "check_connector", "find_connectors"]


@dataclass(frozen=True, slots=True)
class Found:
    """A connector and the files it is written in."""

    connector: Connector
    sources: tuple[Path, ...]
    own: str
    """The package that its files may import from."""


def find_connectors(target: str) -> list[Found]:
    """The connectors of an installed name, ``module`` or ``module:attribute``, a Python file, or a
    package's folder (with its ``pyproject.toml``). Their code is run.

    `NotFound` or `Misconfigured` says what is missing there.
    """
    place = Path(target)
    if place.is_dir():
        return _of_folder(place.resolve())
    if place.suffix == ".py":
        return _of_module(_loaded(place.resolve()), None)
    registry = Registry.load()
    if registry.packaged(target):
        connector = registry.connector(target)
        assert connector is not None
        source = registry.source(target)
        return [_found(connector, importlib.import_module(source.partition(":")[0]))]
    module, _, attribute = target.partition(":")
    return _of_module(_imported(module), attribute or None)


def check_connector(found: Found) -> list[Problem]:
    """Every rule that the connector breaks."""
    out = list(problems(found.connector))
    for file in found.sources:
        text = file.read_text(encoding="utf-8", errors="replace")
        out += [
            Problem(file.name, "imports", each)
            for each in import_problems(text, (found.own, "junctor.connectors._"))
        ]
    return out


def _of_folder(folder: Path) -> list[Found]:
    file = folder / "pyproject.toml"
    try:
        project = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Misconfigured(f"{file} can't be read: {error}.", path=str(file)) from error
    entries: Any = project.get("project", {}).get("entry-points", {}).get(GROUP, {})
    if not isinstance(entries, dict) or not entries:
        raise Misconfigured(
            f'{file} offers no connector: add [project.entry-points."{GROUP}"].', path=str(file)
        )
    before = sys.path[:]
    sys.path[:0] = [str(folder / "src"), str(folder)]
    try:
        found = []
        for name, value in entries.items():
            module, _, attribute = str(value).partition(":")
            for each in _of_module(_imported(module), attribute):
                if each.connector.name != name:
                    raise Misconfigured(
                        f"{file}: the entry point '{name}' is the connector "
                        f"'{each.connector.name}'; both need one name.",
                        path=str(file),
                    )
                found.append(each)
        return found
    finally:
        sys.path[:] = before


def _loaded(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None or not file.is_file():
        raise NotFound(f"There is no Python file {file}.")
    module = importlib.util.module_from_spec(spec)
    # Type hints are looked up by a function's module.
    kept = sys.modules.get(file.stem)
    sys.modules[file.stem] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        if kept is None:
            del sys.modules[file.stem]
        else:
            sys.modules[file.stem] = kept
        raise _failed(str(file), error) from error
    return module


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and name.split(".", maxsplit=1)[0] == error.name.split(".")[0]:
            raise NotFound(
                f"There is no connector, file, folder or module '{name}'. Install its package, or "
                "give its folder."
            ) from error
        raise _failed(name, error) from error
    except (TypeError, ValueError) as error:
        raise NotFound(f"There is no connector, file, folder or module '{name}'.") from error
    except Exception as error:
        raise _failed(name, error) from error


def _failed(what: str, error: Exception) -> JunctorError:
    text = error.message if isinstance(error, JunctorError) else f"{type(error).__name__}: {error}"
    return Misconfigured(f"{what} can't be loaded ({text}).")


def _of_module(module: ModuleType, attribute: str | None) -> list[Found]:
    if attribute:
        connector = getattr(module, attribute, None)
        if not isinstance(connector, Connector):
            raise Misconfigured(f"{module.__name__}:{attribute} is no Connector.")
        return [_found(connector, module)]
    made = {id(each): each for each in vars(module).values() if isinstance(each, Connector)}
    if not made:
        raise Misconfigured(f"{module.__name__} holds no Connector at its top level.")
    return [_found(each, module) for each in made.values()]


def _found(connector: Connector, module: ModuleType) -> Found:
    return Found(connector, tuple(_sources(module)), module.__name__)


def _sources(module: ModuleType) -> Iterator[Path]:
    file = getsourcefile(module)
    if file is None:
        return
    path = Path(file)
    yield from sorted(path.parent.rglob("*.py")) if path.name == "__init__.py" else [path]
