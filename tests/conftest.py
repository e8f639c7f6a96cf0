"""One PostgreSQL for a whole test run, and a database of its own for each test module.

The first test that needs it starts the server; the process that started pytest stops it. Workers of
xdist find it through a file in the temporary folder that they share. A template database is
migrated once; copies of it take some ten milliseconds.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import hypothesis
import psutil
import psycopg
import pytest
from psycopg import sql

from junctor.adapters.postgres.embedded import Embedded
from junctor.adapters.postgres.migrate import migrate
from tests.support import server_folder

# The same examples at every run, however busy the machine is; bench/fuzz.py draws new ones.
hypothesis.settings.register_profile(
    "junctor",
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("junctor")

TEMPLATE = "junctor_template"
# Tests want speed, not safety from a power cut.
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": str(max(200, 50 * (os.cpu_count() or 1))),  # as many workers of xdist
    "shared_buffers": "64MB",
    "autovacuum": "off",
    "max_wal_size": "256MB",  # it may lie in memory
}


LONGEST = ("tests/durability/test_torture.py",)
WAITING = (*LONGEST, "tests/durability/", "tests/integration/postgres/", "tests/integration/test_")
"""Tests that start processes and wait for what they do."""
HEAVY = ("tests/contract/", "tests/api/", "tests/integration/", "tests/cli/", "tests/simulators/")


def on(url: str, database: str) -> str:
    """The same server, another database."""
    return urlunsplit(urlsplit(url)._replace(path="/" + database))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    with (folder / "postgres.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    base = factory.getbasetemp()
    return base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The owner's connection string of the run's server, database *junctor* (not migrated)."""
    folder = shared_folder(tmp_path_factory)
    with locked(folder):
        note = folder / "postgres.directory"
        if note.exists():
            return Embedded(Path(note.read_text())).url
        directory = server_folder()
        note.write_text(str(directory))
        server = Embedded(directory, settings=SETTINGS)
        url = server.start()
        server.leave()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"create database {TEMPLATE}")
        asyncio.run(migrate(on(url, TEMPLATE)))
        return url


@pytest.fixture(scope="module")
def database_url(postgres_url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The owner's connection string of a migrated, empty database of this test module's own."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    stem = request.node.name.rsplit("/", 1)[-1].removesuffix(".py")
    name = sql.Identifier(f"{stem}_{worker}_{os.getpid()}"[:63])
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("create database {} template {} strategy = file_copy").format(
                name, sql.Identifier(TEMPLATE)
            )
        )
        yield on(postgres_url, name.as_string(None).strip('"'))
        connection.execute(sql.SQL("drop database {} with (force)").format(name))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors, as there is always one that waits for something."""
    given = os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS")
    cores = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    return int(given) if given else cores + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest file first, then in turn files that wait for processes and files that compute:
    thus neither the processors nor, at the end, all workers but one are idle.
    """
    files = dict.fromkeys(item.nodeid.partition("::")[0] for item in items)
    waiting = [file for file in files if file.startswith(WAITING)]
    busy = sorted((file for file in files if file not in set(waiting)), key=_weight)
    turns = (file for pair in zip_longest(waiting, busy) for file in pair if file)
    place = {file: at for at, file in enumerate(turns)}
    place |= dict.fromkeys(LONGEST, -1)
    items.sort(key=lambda item: place[item.nodeid.partition("::")[0]])


def _weight(file: str) -> int:
    """By folder: what works with the database comes before what is a matter of milliseconds."""
    return next((at for at, start in enumerate(HEAVY) if file.startswith(start)), len(HEAVY))


def pytest_sessionfinish(session: pytest.Session) -> None:
    if os.environ.get("PYTEST_XDIST_WORKER"):
        return
    factory = getattr(session.config, "_tmp_path_factory", None)
    base = getattr(factory, "_basetemp", None)  # None: no test asked for a folder
    if base is None or not (base / "postgres.directory").exists():
        return
    directory = Path((base / "postgres.directory").read_text())
    Embedded(directory).stop()
    shutil.rmtree(directory, ignore_errors=True)
