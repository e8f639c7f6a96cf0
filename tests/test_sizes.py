"""Files stay small enough to be read whole."""

from __future__ import annotations

import ast
import io
from pathlib import Path
from token import COMMENT, DEDENT, ENDMARKER, INDENT, NEWLINE, NL
from tokenize import generate_tokens

import pytest

from tests.support import ROOT, SOURCE, python_files

MOST_LINES = 500
CORE_LINES = 2_500
"""Of code, in engine (the journal is in it) and driver together: see ADR 0033."""


def lines(path: Path) -> int:
    """How many lines a file has."""
    return len(path.read_text().splitlines())


def code_lines(path: Path) -> int:
    """How many lines have code on them: without docstrings, comments and blank ones."""
    source = path.read_text()
    layout = (COMMENT, NL, NEWLINE, INDENT, DEDENT, ENDMARKER)
    found: set[int] = set()
    for token in generate_tokens(io.StringIO(source).readline):
        if token.type not in layout:
            found |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(found)


@pytest.mark.parametrize(
    "path",
    python_files("src", "tests", "tools", "bench", "torture", "examples"),
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_no_file_is_long(path: Path) -> None:
    assert lines(path) <= MOST_LINES, f"{path.relative_to(ROOT)} has {lines(path)} lines: split it"


def test_the_core_is_small() -> None:
    files = [*(SOURCE / "engine").rglob("*.py"), *(SOURCE / "runtime").glob("drive*.py")]
    assert (SOURCE / "engine" / "commands.py") in files
    total = sum(map(code_lines, files))
    assert total < CORE_LINES, f"engine and driver have {total} lines of code: {sorted(files)}"
