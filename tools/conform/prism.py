"""Running Prism: a proxy in front of a simulator, or a mock in its place."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

__all__ = ["CannotRun", "command", "listening", "refusals_in", "violations_in"]

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[1] / ".cache" / "conform"
START_WITHIN = 120.0
"""Seconds that Prism may take to read a document."""


class CannotRun(Exception):
    """Prism can't be installed or started; the message says why, and the mend."""


def command() -> list[str]:
    """What starts Prism; installs the locked version into the cache first, if need be."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise CannotRun("node and npm are not there: install Node.js 18.20 or newer")
    main = CACHE / "node_modules" / "@stoplight" / "prism-cli" / "dist" / "index.js"
    lock = (HERE / "package-lock.json").read_text(encoding="utf-8")
    stamp = CACHE / "installed.json"
    if not main.exists() or not stamp.exists() or stamp.read_text(encoding="utf-8") != lock:
        CACHE.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(HERE / name, CACHE / name)
        done = subprocess.run(
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=CACHE,
            capture_output=True,
            text=True,
            check=False,  # what it says is told
        )
        if done.returncode:
            raise CannotRun(f"npm could not install Prism: {done.stderr.strip()[-600:]}")
        stamp.write_text(lock, encoding="utf-8")
    return [node, str(main)]


@asynccontextmanager
async def listening(
    document: Mapping[str, Any], name: str, upstream: str = ""
) -> AsyncIterator[str]:
    """Prism on a free port of this machine, while the block runs; gives its origin.

    With ``upstream`` it is a proxy to there, without a mock. `CannotRun` if it does not start.
    """
    start = command()
    folder = CACHE / "documents"
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    port = _free_port()
    arguments = ["proxy" if upstream else "mock", "-h", "127.0.0.1", "-p", str(port)]
    arguments += ["-v", "error", str(file), *([upstream] if upstream else [])]
    log = folder / f"{name}.log"
    with log.open("wb") as heard:
        process = await asyncio.create_subprocess_exec(
            *start,
            *arguments,
            stdout=heard,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "NODE_OPTIONS": "--max-old-space-size=3072"},
        )
    try:
        await _answering(process, port, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def violations_in(headers: Mapping[str, str]) -> list[dict[str, Any]]:
    """What Prism says of a request and its answer, errors only: ``location``, ``message``."""
    said = headers.get("sl-violations", "")
    rows = json.loads(said) if said else []
    return [row for row in rows if str(row.get("severity", "Error")).lower() == "error"]


def refusals_in(body: bytes) -> list[str]:
    """What a mock says that is wrong with a request, a line for each error."""
    found = json.loads(body)
    rows = [
        f"{'.'.join(map(str, row.get('location', ())))}: {row.get('message')}"
        for row in found.get("validation", ())
        if str(row.get("severity", "Error")).lower() == "error"
    ]
    return rows or [f"{found.get('title')}: {found.get('detail')}"]


def _free_port() -> int:
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return int(tried.getsockname()[1])


async def _answering(process: asyncio.subprocess.Process, port: int, log: Path) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + START_WITHIN
    while loop.time() < until:
        if process.returncode is not None:
            raise CannotRun(f"Prism did not start on {log.stem}: {_end_of(log)}")
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
            continue
        writer.close()
        return
    raise CannotRun(f"Prism did not listen within {START_WITHIN:g} s on {log.stem}")


def _end_of(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-1500:].strip()
