"""The stories of the contract tests (``tests/contract/test_*_simulated.py``), to be told again.

There they are told to a simulator; `make conform` tells them again with Prism in between. So what
the tests cover and what is proved of the wire can't drift apart.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from junctor.language.connector import Connector

__all__ = ["Story", "stories"]

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = ROOT / "tests" / "contract"


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One contract test's own part: it does modules' operations, in order."""

    name: str
    vendor: str
    connector: Connector
    tell: Callable[..., Awaitable[Any]]
    """Called with a function ``do(module, **mapper)`` and the simulator."""


def stories() -> list[Story]:
    """All of them, in the order of files and of tests."""
    for folder in (ROOT, CONTRACT):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    found: list[Story] = []
    for file in sorted(CONTRACT.glob("test_*_simulated.py")):
        found += _of(_loaded(file))
    return found


def _loaded(file: Path) -> ModuleType:
    if file.stem in sys.modules:
        return sys.modules[file.stem]
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return module


def _of(module: ModuleType) -> Iterator[Story]:
    if not hasattr(module, "play"):
        return
    heard: list[tuple[str, Connector, Callable[..., Awaitable[Any]]]] = []

    def play(name: str, connector: Connector, story: Callable[..., Awaitable[Any]]) -> None:
        heard.append((name, connector, story))

    module.play = play  # type: ignore[attr-defined]  # the tests' own way to run a story
    for name, test in list(vars(module).items()):
        told = name.startswith("test_") and inspect.isfunction(test)
        if not told or test.__module__ != module.__name__ or "play" not in test.__code__.co_names:
            continue
        if inspect.signature(test).parameters:
            continue
        heard.clear()
        test()
        for vendor, connector, story in heard:
            yield Story(name=name, vendor=vendor, connector=connector, tell=story)
