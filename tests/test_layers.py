"""The layers: a file imports only from layers above its own. Read from the source, not run."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.support import SOURCE, python_files

ABOVE = {
    "errors": set[str](),
    "language": {"errors"},
    "engine": {"errors", "language"},
    "ports": {"errors", "language", "engine"},
    "adapters": {"errors", "language", "engine", "ports"},
    "testing": {"errors", "language", "engine", "ports"},
    "runtime": {"errors", "language", "engine", "ports", "adapters"},
    "app": {
        "errors", "language", "engine", "ports", "adapters", "testing", "runtime",
        "connectors", "simulators",
    },
    "connectors": {"errors", "language"},
    "simulators": {"errors", "language"},
}  # fmt: skip
"""What each layer may import besides itself (a connector: only its own package)."""

PURE = {"errors", "language", "engine"}
IMPURE_MODULES = {
    "aiohttp", "asyncio", "concurrent", "ftplib", "http.client", "http.server", "httpx",
    "imaplib", "litestar", "logging", "multiprocessing", "os", "pathlib", "poplib",
    "procrastinate", "psycopg", "psycopg_pool", "random", "secrets", "select", "selectors",
    "shutil", "signal", "smtplib", "socket", "socketserver", "sqlite3", "ssl", "structlog",
    "subprocess", "tempfile", "threading", "time", "typer", "uvicorn", "uvloop",
}  # fmt: skip
"""Modules that do I/O, read the clock, or draw chances: the pure layers get those by argument."""
IMPURE_CALLS = {
    "open", "input", "print", "eval", "exec", "compile", "__import__",
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today",
    "uuid.uuid1", "uuid.uuid4", "uuid4", "uuid1",
}  # fmt: skip

FILES = python_files("src")


def layer_of(module: str) -> str:
    """The layer of ``junctor.x.y``: ``x``; ``python -m junctor`` is a command."""
    if module == "junctor.__main__":
        return "app"
    return module.split(".")[1] if "." in module else "junctor"


def name_of(path: Path) -> str:
    """The dotted name of a file below src/."""
    parts = ["junctor", *path.relative_to(SOURCE).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(source: str, module: str, *, is_package: bool = False) -> list[tuple[int, str]]:
    """Every module that a source imports, anywhere in it, as (line, dotted name).

    ``from a import b`` counts as ``a`` and as ``a.b``, as b may be a module.
    """
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                kept = len(parts) - node.level + is_package
                base = ".".join([*parts[:kept], *([base] if base else [])])
            found.append((node.lineno, base))
            found += [(node.lineno, f"{base}.{alias.name}") for alias in node.names]
    return found


def breaches(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """Every import of a source that its layer forbids, as ``line: reason``."""
    layer = layer_of(module)
    if layer == "junctor":  # the package's own __init__: it may import nothing of ours
        allowed = set[str]()
    elif layer not in ABOVE:
        return [f"1: {module} is in no layer; layers are {', '.join(ABOVE)}"]
    else:
        allowed = ABOVE[layer]
    out = []
    for line, name in imports_of(source, module, is_package=is_package):
        top = name.split(".")[0]
        if top == "junctor" and name != "junctor":
            other = layer_of(name)
            if other in ABOVE and other != layer and other not in allowed:
                out.append(f"{line}: {layer} may not import {name}")
            if layer == other == "connectors" and not _same_connector(module, name):
                out.append(f"{line}: a connector may not import another one ({name})")
        elif layer in PURE and IMPURE_MODULES & {top, name}:
            out.append(f"{line}: {layer} is pure and may not import {name}")
    return sorted(set(out))


def _same_connector(module: str, name: str) -> bool:
    own, other = module.split("."), name.split(".")
    if len(own) < 3 or len(other) < 3:  # the package of all connectors may gather them
        return True
    return own[2] == other[2] or other[2].startswith("_")  # helpers of all of them


def impure_calls(source: str) -> list[str]:
    """Calls that do I/O, read the clock or draw chances, as ``line: name``."""
    out = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in IMPURE_CALLS or name.removeprefix("datetime.") in IMPURE_CALLS:
                out.append(f"{node.lineno}: {name}()")
    return out


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_imports_only_from_layers_above_its_own(path: Path) -> None:
    found = breaches(path.read_text(), name_of(path), is_package=path.name == "__init__.py")
    assert not found, f"{path.relative_to(SOURCE)}: {found}"


@pytest.mark.parametrize(
    "path", [path for path in FILES if layer_of(name_of(path)) in PURE], ids=name_of
)
def test_a_pure_layer_touches_nothing(path: Path) -> None:
    found = impure_calls(path.read_text())
    assert not found, f"{path.relative_to(SOURCE)} is in a pure layer: {found}"


@pytest.mark.parametrize(
    ("module", "source", "count"),
    [
        ("junctor.engine.run", "import junctor.runtime.drive", 1),
        ("junctor.engine.run", "from junctor import runtime", 1),
        ("junctor.engine.run", "def f():\n    from ..adapters import vault", 1),
        ("junctor.engine.run", "from .plan import Plan\nfrom ..language import values", 0),
        ("junctor.language.values", "import asyncio", 1),
        ("junctor.language.values", "from datetime import datetime", 0),
        ("junctor.runtime.drive", "import asyncio\nfrom junctor.ports.journal import Journal", 0),
        ("junctor.runtime.drive", "from junctor.app import settings", 1),
        ("junctor.adapters.vault", "from junctor.runtime import worker", 1),
        ("junctor.testing.fakes", "from junctor.adapters import blobs", 1),
        ("junctor.connectors.toky", "from junctor.language.connector import Request", 0),
        ("junctor.connectors.toky", "from junctor.engine import plan", 1),
        ("junctor.connectors.toky", "from junctor.connectors.http import http", 1),
        ("junctor.connectors.crisp.hooks", "from junctor.connectors.crisp.base import crisp", 0),
        ("junctor.simulators.toky", "from junctor.simulators.server import App\nimport uvicorn", 0),
        ("junctor.simulators.toky", "from junctor.connectors import toky", 1),
        ("junctor.stray", "", 1),
    ],
)
def test_the_check_finds_what_it_should(module: str, source: str, count: int) -> None:
    assert len({line.split(":")[0] for line in breaches(source, module)}) == count


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("x = open('a')", 1),
        ("datetime.datetime.now()", 1),
        ("datetime.now(UTC)", 1),
        ("eval('1')", 1),
        ("self.open()\nre.compile('a')", 0),
    ],
)
def test_the_check_finds_impure_calls(source: str, count: int) -> None:
    assert len(impure_calls(source)) == count
