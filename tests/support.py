"""What several test files share."""

from __future__ import annotations

import asyncio
import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Awaitable, Callable, Coroutine
from functools import cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import pytest

P = ParamSpec("P")
T = TypeVar("T")

ROOT = Path(__file__).resolve().parent.parent
"""The root of the checkout."""
SOURCE = ROOT / "src" / "junctor"
ROOM = 4 << 30
"""Bytes; all servers of a test run together take a good one."""


def shared_dir(*parts: str) -> Path:
    """The shared material (exported blueprints, expression vectors, vendors' specifications).

    It is no part of this repository: looked for in ``JUNCTOR_SHARED``, then beside the checkout.
    The calling test is skipped, with the reason, where it isn't there.
    """
    said = os.environ.get("JUNCTOR_SHARED")
    base = Path(said) if said else ROOT.parent / "shared"
    wanted = base.joinpath(*parts)
    if not wanted.exists():
        shown = "JUNCTOR_SHARED" if said else "../shared"
        pytest.skip(f"{Path(shown, *parts)} is not here; it is no part of the repository")
    return wanted


def server_folder() -> Path:
    """A new folder for a PostgreSQL, removed by who asked for it.

    In memory where there is plenty of it: a server's files are made and removed by the thousand
    here, and what is killed is its processes, never the machine. Not below pytest's own folder: the
    server's user could not enter it.
    """
    return Path(tempfile.mkdtemp(prefix="junctor-test-", dir=memory()))


def memory() -> str | None:
    """A folder that lies in memory, if the system has one with room (containers often haven't)."""
    folder = "/dev/shm"
    try:
        roomy = shutil.disk_usage(folder).free >= ROOM
    except OSError:
        return None
    return folder if roomy and os.access(folder, os.W_OK) else None


def python_files(*folders: str) -> list[Path]:
    """Every Python file below these folders of the checkout, in order; none that tools made."""
    found = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return sorted(path for path in found if not _made(path.relative_to(ROOT)))


@cache
def tracked_files() -> tuple[Path, ...]:
    """Every file that is, or by `git add` would be, part of the repository.

    Without git (an unpacked archive) it is every file outside folders that tools make.
    """
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        found = (path.relative_to(ROOT) for path in ROOT.rglob("*"))
        names = [path for path in found if not _made(path)]
    else:
        names = [Path(os.fsdecode(name)) for name in listed.split(b"\0") if name]
    return tuple(sorted(ROOT / name for name in names if (ROOT / name).is_file()))


def _made(path: Path) -> bool:
    made = {"__pycache__", "node_modules", "dist", "build"}
    return any(
        part in made or (part.startswith(".") and part not in {".ci", ".gitignore"})
        for part in path.parts
    )


def run(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine, in an event loop of its own."""
    return asyncio.run(work, debug=False)


def pass_time(seconds: float) -> None:
    """Sets the clock of the running event loop ahead: what is waited for with a time limit is over
    now, however quick or slow this machine is.
    """
    loop = asyncio.get_running_loop()
    now = loop.time
    loop.time = lambda: now() + seconds  # type: ignore[method-assign]  # its clock is the test's


def asynchronous(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Makes an ``async def`` a test that pytest runs, with its fixtures."""

    @functools.wraps(test)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        async def work() -> None:
            await test(*args, **kwargs)

        run(work())

    return wrapper
