"""A whole Junctor on loopback, to be hurt: Postgres, servers, workers, the sink.

Everything is a process of its own and the very program that users run; nothing in the product knows
of this. Ends of processes are SIGKILL unless a row says otherwise.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import psycopg

from junctor.adapters.postgres.embedded import Embedded
from junctor.adapters.postgres.migrate import migrate
from junctor.adapters.system import process_name
from junctor.app.settings import is_free
from torture.absences import Absences
from torture.outcome import Failed, Options

__all__ = ["ORGANIZATION", "ROOT", "Process", "Rig", "until"]

ROOT = Path(__file__).resolve().parent.parent
ORGANIZATION = UUID(int=1)
TEAM = UUID(int=2)
PR_SET_PDEATHSIG = 1
READY_SECONDS = 180.0
"""Starting a dozen processes takes a while where others work, too."""
LAST_WORDS = 15
"""Lines of a log that are shown where its process ended by itself."""


def _die_with_parent() -> None:
    """So that nothing outlives a rig that was killed itself (Linux)."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def free_port() -> int:
    """A port nobody listens on, of those that the system gives to nobody by itself: it stays free
    while a killed server is started again.
    """
    while True:
        port = secrets.choice(range(20_000, 32_000))
        if is_free("127.0.0.1", port):
            return port


async def until(
    look: Callable[[], bool], what: str, *, seconds: float = READY_SECONDS, pause: float = 0.05
) -> float:
    """Waits until it is so; how long that took. `Failed` if it never is."""
    begun = time.monotonic()
    while True:
        with suppress(psycopg.OperationalError):
            if await asyncio.to_thread(look):
                return time.monotonic() - begun
        if time.monotonic() - begun > seconds:
            raise Failed(f"{what}: not within {seconds:g} s")
        await asyncio.sleep(pause)


class Process:
    """A server, a worker or the sink; started again under the same name after a kill."""

    def __init__(
        self, name: str, command: list[str], env: Mapping[str, str], log: Path, *, port: int = 0
    ) -> None:
        self.name, self.command, self.env, self.log, self.port = name, command, env, log, port
        self.child: subprocess.Popen[bytes] | None = None
        self.fds: tuple[int, ...] = ()
        """Listening sockets that are handed over."""
        self.resting = False
        """Whether it is down because it is meant to be."""

    def start(self, *, out: int | None = None) -> None:
        """Begins; its output goes to its log, or to ``out``."""
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(
                self.command, env=dict(self.env), cwd=ROOT, stdin=subprocess.DEVNULL,
                stdout=out or log, stderr=log, preexec_fn=_die_with_parent,
                pass_fds=self.fds,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        """Of the one that runs, or ran last."""
        assert self.child is not None
        return self.child.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.child is not None and self.child.poll() is None

    @property
    def owner(self) -> str:
        """How a worker signs what it owns."""
        return process_name(self.name, pid=self.pid)

    def signal(self, number: int) -> None:
        """Sends a signal, if it lives."""
        if self.alive:
            assert self.child is not None
            self.child.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and waits until it is gone."""
        self.signal(signal.SIGKILL)
        if self.child is not None:
            self.child.wait()

    async def end(self, *, seconds: float = 30.0) -> int:
        """SIGTERM; its exit status."""
        self.signal(signal.SIGTERM)
        assert self.child is not None
        try:
            return await asyncio.to_thread(self.child.wait, seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed(f"{self.name} did not end within {seconds:g} s of SIGTERM") from None

    def last_words(self) -> str:
        """The end of its log."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(f"    {line[:500]}" for line in lines[-LAST_WORDS:])

    def rss(self) -> float:
        """Resident megabytes."""
        with suppress(psutil.Error):
            return float(psutil.Process(self.pid).memory_info().rss) / 1e6
        return 0.0


class Rig:
    """The processes of a row, in a folder that goes with them."""

    def __init__(
        self,
        options: Options,
        *,
        folder: Path,
        postgres: Mapping[str, str] | None = None,
        effects: Path | None = None,
    ) -> None:
        self.options = options
        self.folder = folder
        self.effects_file = (effects or folder) / "effects"
        """Where the sink writes down what it did."""
        self.postgres = Embedded(folder, settings=postgres)
        self.url = ""
        """How the rig itself reaches the database."""
        self.servers: list[Process] = []
        self.workers: list[Process] = []
        self.sink: Process | None = None
        self.absences = Absences()
        """Workers that are asleep or cut off."""
        self.revived = 0
        """How often a process had ended by itself and was started again."""
        self.env: dict[str, str] = {}

    async def start(self, *, servers: int = 2, workers: int = 3) -> None:
        """Everything up; workers and servers are ready when it returns."""
        self.url = await asyncio.to_thread(self.postgres.start)
        await migrate(self.url)
        kept = {name: value for name, value in os.environ.items() if "JUNCTOR" not in name}
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        self.env = kept | {
            "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
            # Compiled files are kept, as every installation has them: a start without them costs
            # half as much again, and there are thousands.
            "PYTHONPYCACHEPREFIX": str(ROOT / ".cache" / "bytecode"),
            "JUNCTOR_DATA_DIR": str(self.folder),
            "JUNCTOR_GAP_MINUTES": "0",
            "JUNCTOR_HOST": "127.0.0.1",
            "JUNCTOR_LOG_LEVEL": "warning",
        }
        with self.db() as db:
            db.execute(
                "insert into organizations (organization_id, name, created_by)"
                " values (%s, 'torture', 'torture')",
                (ORGANIZATION,),
            )
            db.execute(
                "insert into teams (organization_id, id, name, created_by)"
                " values (%s, %s, 'torture', 'torture')",
                (ORGANIZATION, TEAM),
            )
        await self._start_sink()
        for number in range(servers):
            self.add_server(f"server{number}")
        for number in range(workers):
            self.add_worker(f"worker{number}")
        await self.ready()

    async def _start_sink(self) -> None:
        command = [sys.executable, "-m", "torture.sink", str(self.effects_file)]
        self.effects_file.touch()
        self.sink = Process("sink", command, self.env, self.folder / "sink.log")
        self.sink.start(out=subprocess.PIPE)
        assert self.sink.child is not None
        assert self.sink.child.stdout is not None
        line = await asyncio.to_thread(self.sink.child.stdout.readline)
        self.sink.port = int(line)

    def add_server(self, name: str, **env: str) -> Process:
        """One more server, at a port of its own."""
        port = free_port()
        made = self._process(name, "server", env | {"JUNCTOR_PORT": str(port)}, port=port)
        self.servers.append(made)
        return made

    def add_sharing_server(self, name: str, sock: socket.socket) -> Process:
        """One more server, on a listening socket that several share."""
        port = sock.getsockname()[1]
        made = self._made(name, "server", {"JUNCTOR_PORT": str(port)}, "--fd", str(sock.fileno()))
        made.port, made.fds = port, (sock.fileno(),)
        made.start()
        self.servers.append(made)
        return made

    def add_worker(self, name: str, **env: str) -> Process:
        """One more worker."""
        made = self._process(name, "worker", env, "--name", name)
        self.workers.append(made)
        return made

    def _process(
        self, name: str, role: str, env: Mapping[str, str], *more: str, port: int = 0
    ) -> Process:
        made = self._made(name, role, env, *more)
        made.port = port
        made.start()
        return made

    def _made(self, name: str, role: str, env: Mapping[str, str], *more: str) -> Process:
        assert self.sink is not None
        given = {
            **self.env,
            "JUNCTOR_DATABASE_URL": self.url,
            "JUNCTOR_EGRESS_ALLOW": f"127.0.0.1:{self.sink.port}",
            **env,
        }
        command = [sys.executable, "-m", "junctor", role, *more]
        return Process(name, command, given, self.folder / f"{name}.log")

    async def ready(self, *processes: Process) -> None:
        """Waits until these (all, if none is named) can work."""
        wanted = processes or (*self.servers, *self.workers)

        def look() -> bool:
            for process in wanted:
                if not process.alive:
                    raise Failed(f"{process.name} ended by itself:\n{process.last_words()}")
            with self.db() as db:
                rows = db.execute("select name from nodes where role = 'worker'").fetchall()
            living = {row[0] for row in rows}
            return all(answers(each.port) if each.port else each.owner in living for each in wanted)

        await until(look, "processes ready", pause=0.3)

    def db(self) -> psycopg.Connection[Any]:
        """The rig's own way into the database, as its owner, past every fault."""
        return psycopg.connect(self.url, autocommit=True, connect_timeout=5)

    def value(self, query: str, *given: object) -> Any:
        """The first value of the first row."""
        with self.db() as db:
            row = db.execute(query, given).fetchone()
        return row[0] if row else None

    def owned(self, owner: str) -> dict[tuple[Any, ...], int]:
        """What a worker has claimed, and the fences."""
        with self.db() as db:
            rows = db.execute(
                "select organization_id, scenario_id, order_key, fence from backlog"
                " where owner = %s",
                (owner,),
            ).fetchall()
        return {tuple(row[:3]): row[3] for row in rows}

    def kill_postgres(self) -> None:
        """The server and all its processes, at once."""
        assert self.postgres.pid is not None
        postmaster = psutil.Process(self.postgres.pid)
        family = [postmaster, *postmaster.children(recursive=True)]
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=10)

    async def start_postgres(self) -> None:
        """Up again after a kill or a stop."""
        await asyncio.to_thread(self.postgres.stop)
        await asyncio.to_thread(self.postgres.start)

    def effects(self) -> list[tuple[int, str, float]]:
        """What the sink did, in its order: event, step, moment."""
        out = []
        for line in self.effects_file.read_text().splitlines():
            number, step, at = line.split(" ")
            out.append((int(number), step, float(at)))
        return out

    async def keep(self) -> None:
        """What ends by itself is started again, as a supervisor does, until cancelled: a process
        that starts while there is no database gives up.
        """
        while True:
            await asyncio.sleep(0.3)
            for process in (*self.workers, *self.servers):
                if not process.alive and not process.resting:
                    self.options.say(f"{process.name} ended by itself:\n{process.last_words()}")
                    process.start()
                    self.revived += 1

    async def stop(self) -> None:
        """Everything down; what was stopped by a signal is let go on first."""
        for process in (*self.workers, *self.servers, *([self.sink] if self.sink else [])):
            process.kill()
            if process.child is not None and process.child.stdout is not None:
                process.child.stdout.close()
        await asyncio.to_thread(self.postgres.stop)

    @classmethod
    @asynccontextmanager
    async def up(
        cls,
        options: Options,
        *,
        servers: int = 2,
        workers: int = 3,
        postgres: Mapping[str, str] | None = None,
        folder: Path | None = None,
        effects: Path | None = None,
        prepare: Callable[[Rig], None] = lambda _rig: None,
    ) -> AsyncIterator[Rig]:
        """A rig for the time of the block; ``prepare`` is called before anything is started."""
        made = folder or Path(tempfile.mkdtemp(prefix="junctor-torture-"))
        made.chmod(0o755)
        rig = cls(options, folder=made, postgres=postgres, effects=effects)
        try:
            prepare(rig)
            await rig.start(servers=servers, workers=workers)
            yield rig
        finally:
            await rig.stop()
            if options.keep:
                print(f"  kept: {made}", flush=True)
            elif folder is None:
                shutil.rmtree(made, ignore_errors=True)


def answers(port: int) -> bool:
    """Whether a server there says that it is well."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False
