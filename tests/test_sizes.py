"""Files stay small enough to be read whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import ROOT, SOURCE, python_files

MOST_LINES = 500
CORE_LINES = 2_500
"""Engine (the journal is in it) and driver together."""


def lines(path: Path) -> int:
    """How many lines a file has."""
    return len(path.read_text().splitlines())


@pytest.mark.parametrize(
    "path",
    python_files("src", "tests", "tools", "bench", "examples"),
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_no_file_is_long(path: Path) -> None:
    assert lines(path) <= MOST_LINES, f"{path.relative_to(ROOT)} has {lines(path)} lines: split it"


def test_the_core_is_small() -> None:
    files = [*(SOURCE / "engine").rglob("*.py"), *(SOURCE / "runtime").glob("drive*.py")]
    assert (SOURCE / "engine" / "commands.py") in files
    total = sum(map(lines, files))
    assert total < CORE_LINES, f"engine and driver have {total} lines: {sorted(files)}"
