"""A data directory of an earlier major version: upgraded, and never lost on the way.

An earlier PostgreSQL is what the system's packages brought, or what JUNCTOR_OLD_POSTGRES names.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from junctor.adapters.postgres import account, upgrade
from junctor.adapters.postgres.embedded import Embedded
from junctor.adapters.postgres.migrate import migrate, pending
from junctor.errors import Misconfigured
from tests.support import memory

FAST = {"fsync": "off", "shared_buffers": "16MB", "max_connections": "10"}


@pytest.fixture(scope="module")
def earlier() -> tuple[str, Path]:
    for major in ("17", "16", "15"):
        found = upgrade.old_programs(major, Path("/nonexistent"))
        if found is not None:
            return major, found
    pytest.skip("no PostgreSQL 15, 16 or 17 is installed here, so none can be upgraded")


@pytest.fixture
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="junctor-test-", dir=memory()) as folder:
        path = Path(folder) / "data"
        yield path
        Embedded(path).stop()


def made_before(directory: Path, programs: Path) -> None:
    """As the release of before left it, killed while it ran: with data, and to be recovered."""
    directory.mkdir()
    user = account.server_user(directory / "postgres")
    account.make_reachable(user, programs / "postgres", directory)
    password = secrets.token_urlsafe(8)
    (directory / "postgres.password").write_text(password)
    cluster, sockets = directory / "postgres", directory / "run"
    for folder in (cluster, sockets):
        account.make_directory(user, folder)

    def call(program: str, *arguments: str) -> None:
        subprocess.run(
            [programs / program, *arguments],
            check=True,
            cwd="/",
            env={**account.ENVIRONMENT},
            stdout=subprocess.DEVNULL,
            **user.identity,
        )

    words = account.temporary_file(user, password)
    data = f"--pgdata={cluster}"
    options = ("--username=junctor", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C")
    call("initdb", data, f"--pwfile={words}", *options, "--no-sync")
    words.unlink()
    run = f"-c listen_addresses= -c unix_socket_directories={sockets} -c fsync=off"
    call("pg_ctl", "start", "--wait", data, f"--options={run}", f"--log={cluster}/log")
    url = f"postgresql://junctor:{password}@/%s?host={sockets}"
    with psycopg.connect(url % "postgres", autocommit=True) as db:
        db.execute("create database junctor")
    asyncio.run(migrate(url % "junctor"))
    with psycopg.connect(url % "junctor") as db:
        db.execute("create table kept as select generate_series(1, 1000) as n")
    call("pg_ctl", "stop", "--mode=immediate", data)


@pytest.mark.timeout(300)  # two servers and several copies, on a busy machine
def test_an_earlier_major_is_upgraded_and_kept(
    directory: Path, earlier: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    major, programs = earlier
    made_before(directory, programs)
    cluster = directory / "postgres"

    # Without its programs nothing is touched, and the message says how to get them.
    monkeypatch.setattr(upgrade, "_likely", lambda *_: iter([Path("/nonexistent")]))
    before = sorted(str(p) for p in cluster.rglob("*"))
    with pytest.raises(Misconfigured, match=rf"pip install --target .*=={major}\.\*") as told:
        Embedded(directory, settings=FAST).start()
    assert "JUNCTOR_OLD_POSTGRES" in str(told.value)
    assert sorted(str(p) for p in cluster.rglob("*")) == before
    monkeypatch.undo()

    # What a killed upgrade left is begun anew.
    (directory / "postgres.upgrading").mkdir()
    (directory / "postgres.upgrading" / "half").touch()
    with Embedded(directory, settings=FAST) as server:
        with psycopg.connect(server.url) as db:
            assert db.execute("select count(*), sum(n) from kept").fetchone() == (1000, 500500)
            version = db.info.server_version // 10000
        assert version > int(major)
        assert asyncio.run(pending(server.url)) == []
    assert (directory / f"postgres.{major}" / "PG_VERSION").read_text().strip() == major
    assert not (directory / "postgres.upgrading").exists()

    # Killed between the two last steps: the whole copy takes its place.
    cluster.rename(directory / "postgres.upgraded")
    with Embedded(directory, settings=FAST) as server, psycopg.connect(server.url) as db:
        assert db.execute("select count(*) from kept").fetchone() == (1000,)


def test_the_data_of_a_later_major_is_refused(directory: Path) -> None:
    with Embedded(directory, settings=FAST):
        pass
    (directory / "postgres" / "PG_VERSION").write_text("99\n")
    with pytest.raises(Misconfigured, match="of PostgreSQL 99"):
        Embedded(directory, settings=FAST).start()
    shutil.rmtree(directory / "postgres")
