from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from junctor.adapters.postgres import account
from junctor.adapters.postgres.embedded import Embedded
from junctor.errors import Conflict, Misconfigured
from tests.support import memory

SETTINGS = {"fsync": "off", "shared_buffers": "16MB", "max_connections": "10"}


@pytest.fixture
def directory() -> Iterator[Path]:
    # Not below pytest's folder: that one is closed to the server's user, and its path is long.
    with tempfile.TemporaryDirectory(prefix="junctor-test-", dir=memory()) as folder:
        path = Path(folder) / "data"
        yield path
        Embedded(path).stop()


def count(url: str) -> int:
    with psycopg.connect(url) as connection:
        connection.execute("create table if not exists kept (n int)")
        connection.execute("insert into kept values (1)")
        row = connection.execute("select count(*) from kept").fetchone()
    assert row is not None
    return int(row[0])


def test_it_starts_stops_and_keeps_what_it_was_told(directory: Path) -> None:
    server = Embedded(directory, settings=SETTINGS)
    url = server.start()
    assert count(url) == 1
    assert server.alive()
    assert not server.adopted
    assert (directory / "postgres.password").stat().st_mode & 0o077 == 0
    assert (directory / "postgres").stat().st_mode & 0o077 == 0
    assert (directory / "run").stat().st_mode & 0o077 == 0
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "select current_setting('listen_addresses'), current_setting('jit'), "
            "current_setting('synchronous_commit')"
        ).fetchone()
        assert row == ("", "off", "on")
    server.stop()
    assert not server.alive()
    with Embedded(directory, settings=SETTINGS) as again:
        assert count(again.url) == 2


def test_a_wrong_password_is_refused(directory: Path) -> None:
    with Embedded(directory, settings=SETTINGS) as server:
        password = (directory / "postgres.password").read_text()
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(server.url.replace(password, "wrong"))


def test_a_server_that_a_killed_supervisor_left_is_adopted(directory: Path) -> None:
    program = (
        "import sys, os, signal\n"
        "from pathlib import Path\n"
        "from junctor.adapters.postgres.embedded import Embedded\n"
        f"Embedded(Path(sys.argv[1]), settings={SETTINGS!r}).start()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(directory)], check=False)
    assert done.returncode == -signal.SIGKILL
    left = int((directory / "postgres" / "postmaster.pid").read_text().split()[0])
    server = Embedded(directory, settings=SETTINGS)
    assert count(server.start()) == 1
    assert server.adopted
    assert server.pid == left
    assert server.alive()
    server.stop()
    assert not account.works_in(left, directory / "postgres")


def test_a_server_that_was_killed_is_started_anew(directory: Path) -> None:
    server = Embedded(directory, settings=SETTINGS)
    assert count(server.start()) == 1
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    assert server._child is not None
    server._child.wait()
    assert not server.alive()
    server.stop()
    assert (directory / "postgres" / "postmaster.pid").exists()
    with Embedded(directory, settings=SETTINGS) as again:
        assert not again.adopted
        assert count(again.url) == 2


def test_a_pid_file_that_names_another_process_is_no_hindrance(directory: Path) -> None:
    server = Embedded(directory, settings=SETTINGS)
    server.start()
    pid_file = directory / "postgres" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    server.stop()
    # The number went to a live process of the server's own user, as after a reboot.
    with subprocess.Popen(
        ["/bin/sleep", "60"], **account.server_user(server.cluster).identity
    ) as p:
        try:
            pid_file.write_text("\n".join([str(p.pid), *lines[1:]]) + "\n")
            with Embedded(directory, settings=SETTINGS) as again:
                assert not again.adopted
                assert again.pid != p.pid
        finally:
            p.kill()


def test_two_supervisors_refuse_each_other(directory: Path) -> None:
    with Embedded(directory, settings=SETTINGS) as first:
        with pytest.raises(Conflict, match=f"runs on .* already .process {os.getpid()}.: stop"):
            Embedded(directory, settings=SETTINGS).start()
        with pytest.raises(Conflict, match="has started the server of"):
            first.start()
        refused = Embedded(directory, settings=SETTINGS)
        with pytest.raises(Conflict):
            refused.start()
        refused.stop()
        Embedded(directory, settings=SETTINGS).stop()  # nor one that never tried to start it
        assert first.alive()


def test_an_interrupted_initialisation_is_begun_again(directory: Path) -> None:
    (directory / "postgres.new").mkdir(parents=True)
    (directory / "postgres.new" / "half").write_text("")
    (directory / "postgres.password").write_text("")  # as a power cut may have left it
    with Embedded(directory, settings=SETTINGS) as server:
        assert count(server.url) == 1
    assert not (directory / "postgres.new").exists()


def test_data_of_another_version_is_left_alone(directory: Path) -> None:
    (directory / "postgres").mkdir(parents=True)
    (directory / "postgres" / "PG_VERSION").write_text("13\n")
    with pytest.raises(Misconfigured, match="of PostgreSQL 13, and this release brings a later"):
        Embedded(directory).start()
    with pytest.raises(Misconfigured, match="PostgreSQL 13"):
        Embedded(directory).start()  # the lock was let go


def test_what_the_server_says_is_passed_on(directory: Path) -> None:
    server = Embedded(directory, settings={**SETTINGS, "shared_buffers": "much"})
    with pytest.raises(Misconfigured, match=r'did not start: .*"shared_buffers"'):
        server.start()
    with Embedded(directory, settings=SETTINGS) as mended:
        assert count(mended.url) == 1


def test_what_the_server_says_in_its_own_log_is_passed_on(directory: Path) -> None:
    with Embedded(directory, settings=SETTINGS):
        pass
    for file in (directory / "postgres" / "pg_wal").glob("0*"):
        file.unlink()
    server = Embedded(directory, settings=SETTINGS)
    with pytest.raises(Misconfigured, match=r"did not start: .*locate a valid checkpoint record"):
        server.start()
    server.stop()


def test_a_long_path_puts_the_socket_elsewhere(directory: Path) -> None:
    deep = directory / ("d" * 90)
    server = Embedded(deep, settings=SETTINGS)
    assert count(server.start()) == 1
    folder = server._socket_directory
    try:
        assert deep not in folder.parents
        assert folder.stat().st_mode & 0o077 == 0
    finally:
        server.stop()
        folder.rmdir()


def test_a_socket_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "trap").symlink_to(tmp_path)
    with pytest.raises(Misconfigured, match="belongs to somebody else"):
        account.make_directory(account.current(), tmp_path / "trap")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_an_ordinary_user_runs_it_as_itself(directory: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    directory.mkdir()
    directory.parent.chmod(0o755)
    os.chown(directory, nobody.pw_uid, nobody.pw_gid)
    # This Python itself may be closed to others: it changes the user once it is loaded.
    program = (
        "import sys, os, json, encodings.idna, importlib.resources\n"
        "from pathlib import Path\n"
        "from junctor.adapters.postgres.embedded import Embedded\n"
        "uid, gid = int(sys.argv[2]), int(sys.argv[3])\n"
        "os.setgroups([]); os.setgid(gid); os.setuid(uid)\n"
        f"server = Embedded(Path(sys.argv[1]), settings={SETTINGS!r})\n"
        "server.start()\n"
        "owner = os.stat(f'/proc/{server.pid}').st_uid\n"
        "server.stop()\n"
        "print(json.dumps([os.geteuid(), owner]))\n"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            program,
            str(directory),
            str(nobody.pw_uid),
            str(nobody.pw_gid),
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [nobody.pw_uid, nobody.pw_uid]
