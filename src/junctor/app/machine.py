"""Everything that runs on one machine: database, server, workers, and their end.

`Machine` is what ``junctor up`` and the demo hold: it starts the parts in order, keeps them alive,
and stops them in the reverse order in a few seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import replace
from socket import socket
from typing import Any

from junctor.adapters.postgres.embedded import Embedded
from junctor.app.handover import listen
from junctor.app.settings import Settings, free_port, is_free
from junctor.app.supervisor import Child, Supervisor, junctor_command
from junctor.errors import JunctorError, Misconfigured

__all__ = ["Machine", "connections_for", "fetch_json"]

Say = Callable[[str], None]

REFUSED_WITHIN = 0.15
"""Seconds in which a data directory that is held elsewhere is refused."""
CONNECTIONS_OF_A_WORKER = 24
"""At the most; about ten when it has nothing to do."""
SERVER_RETIRES = 190.0
"""Seconds that a server which was replaced may take for the requests that it still has."""
CHECK_EVERY = 1.0
"""Seconds between looks at the database's process."""


def connections_for(workers: int) -> int:
    """How many connections the database must allow for so many workers, the server and commands."""
    return max(100, 40 + CONNECTIONS_OF_A_WORKER * workers)


class Machine:
    """One machine's Junctor. ``say`` tells a person what happens, a line at a time."""

    def __init__(self, settings: Settings, *, say: Say) -> None:
        self.settings = settings
        self._say = say
        self._embedded: Embedded | None = None
        self._supervisor: Supervisor | None = None
        self._socket: socket | None = None
        self._starting: asyncio.Task[None] | None = None
        self._watch: asyncio.Task[None] | None = None
        self.backup = True
        """Whether the database is backed up before a migration."""
        self._reloads = 0
        self.url = ""
        """Of the database, as its owner. It may hold a password: never shown."""

    async def begin_database(self) -> None:
        """Takes the data directory and begins to start its database.

        Where there is one already its URL is known, so this returns while it still starts and the
        other processes load beside it; `database_ready` waits for it.
        """
        settings = self.settings
        settings.ensure_data_dir()
        if settings.database_url:
            self.url = settings.database_url
            return
        most = {"max_connections": str(connections_for(settings.workers))}
        embedded = self._embedded = Embedded(settings.data_dir, settings=most)
        self._starting = asyncio.create_task(self._start(embedded), name="start database")
        if (embedded.cluster / "PG_VERSION").exists():
            # A directory that somebody else holds is refused at once.
            await asyncio.wait({self._starting}, timeout=REFUSED_WITHIN)
        if self._starting.done() or not (embedded.cluster / "PG_VERSION").exists():
            await self._starting
        self.url = embedded.url

    async def database_ready(self) -> str:
        """Waits for the database and brings its schema up to date; returns its URL."""
        if self._starting is not None:
            await self._starting
        from junctor.app.backup import bring_up_to_date

        await bring_up_to_date(self.settings, self.url, backup=self.backup, say=self._say)
        return self.url

    async def _start(self, embedded: Embedded) -> None:
        await asyncio.to_thread(embedded.start)
        if embedded.adopted:
            self._say("The database of an earlier start was still running; using it.")
        self._watch = asyncio.create_task(self._keep_database(embedded), name="keep database")

    def choose_port(self) -> None:
        """Takes the port, or says which other one; `Misconfigured` if a chosen one is taken."""
        settings = self.settings
        port = settings.port
        if port == 0 or not (settings.port_fixed or is_free(settings.host, port)):
            port = free_port(settings.host, port) if port else 0
            if port:
                self._say(f"Port {settings.port} is taken; using {port}.")
        self._socket = listen(settings.host, port)
        self.settings = replace(settings, port=self._socket.getsockname()[1])

    def start_processes(self, *, allow: tuple[str, ...] = ()) -> None:
        """Starts server and workers; ``allow`` are more addresses their requests may reach."""
        assert self._socket is not None, "choose_port comes first"
        lines = (self.settings.public_url, *self.settings.with_allowed(allow).egress_allow)
        self.settings.address_file.write_text("".join(f"{line}\n" for line in lines))
        supervisor = self._children()
        env = self._environment(allow)
        fd = self._socket.fileno()
        server = junctor_command("server", "--fd", str(fd))
        supervisor.start(
            Child(
                name="server",
                command=server,
                env=env,
                pass_fds=(fd,),
                retire=signal.SIGQUIT,
                retire_seconds=SERVER_RETIRES,
            )
        )
        for number in range(1, self.settings.workers + 1):
            name = f"worker-{number}"
            command = junctor_command("worker", "--name", name)
            supervisor.start(Child(name=name, command=command, env=env, retire=signal.SIGTERM))

    def start_child(self, child: Child) -> None:
        """Keeps one more process alive (a simulator, say)."""
        self._children().start(child)

    async def ready(self, *, within: float = 30.0) -> None:
        """Waits until ``/readyz`` is well; `Misconfigured` says what was not, and where to look."""
        host = "127.0.0.1" if self.settings.host in {"0.0.0.0", "::"} else self.settings.host  # noqa: S104 - read, not bound
        address = f"http://{host}:{self.settings.port}/readyz"
        deadline = time.monotonic() + within
        last: Any = "no answer"
        while time.monotonic() < deadline:
            status, last = await asyncio.to_thread(fetch_json, address)
            if status == 200:
                return
            await asyncio.sleep(0.03)
        raise Misconfigured(
            f"Junctor did not become ready in {within:.0f} s: {last}. "
            f"The logs are in {self.settings.logs}.",
            logs=str(self.settings.logs),
        )

    async def reload(self) -> None:
        """Replaces server and workers one by one, so that each is of the release installed now.

        The result is written where `junctor reload` reads it.
        """
        if self._supervisor is None:
            return
        self._say("Replacing server and workers.")
        failed = await self._supervisor.reload()
        self._reloads += 1
        self.tell_running(failed=failed)
        self._say(f"{failed} could not be replaced." if failed else "All were replaced.")

    def tell_running(self, *, failed: str | None = None) -> None:
        """Says in the data directory who supervises this machine, for `junctor reload`."""
        path = self.settings.supervisor_file
        new = path.with_suffix(".new")
        said = {"pid": os.getpid(), "reloads": self._reloads, "failed": failed}
        new.write_text(json.dumps(said))
        new.replace(path)

    async def stop(self) -> None:
        """Stops everything that was started, in reverse."""
        if self._starting is not None:  # it can't be interrupted halfway
            await asyncio.gather(self._starting, return_exceptions=True)
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        if self._supervisor is not None:
            await self._supervisor.stop()
            self.settings.address_file.unlink(missing_ok=True)
            self.settings.supervisor_file.unlink(missing_ok=True)
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._embedded is not None:
            await asyncio.to_thread(self._embedded.stop)
            self._embedded = None

    def _children(self) -> Supervisor:
        if self._supervisor is None:
            self._supervisor = Supervisor(
                self.settings.logs, on_event=lambda name, what: self._say(f"{name} {what}.")
            )
        return self._supervisor

    def _environment(self, allow: tuple[str, ...]) -> dict[str, str]:
        settings = self.settings
        return {
            "JUNCTOR_DATA_DIR": str(settings.data_dir),
            "JUNCTOR_DATABASE_URL": self.url,
            "JUNCTOR_HOST": settings.host,
            "JUNCTOR_PORT": str(settings.port),
            "JUNCTOR_PUBLIC_URL": settings.public_url,
            "JUNCTOR_EGRESS_ALLOW": ",".join(dict.fromkeys((*settings.egress_allow, *allow))),
            "JUNCTOR_LOG_LEVEL": settings.log_level,
            "JUNCTOR_SPOOL_DIR": str(settings.spool_dir),
        }

    async def _keep_database(self, embedded: Embedded) -> None:
        while True:
            await asyncio.sleep(CHECK_EVERY)
            if await asyncio.to_thread(embedded.alive):
                continue
            self._say("The database ended; restarting it.")
            try:
                await asyncio.to_thread(embedded.stop)
                await asyncio.to_thread(embedded.start)
            except JunctorError as error:
                self._say(f"The database could not be restarted: {error.message}")


def fetch_json(
    url: str, *, method: str = "GET", body: Any = None, headers: Mapping[str, str] | None = None
) -> tuple[int, Any]:
    """A request to our own server or a simulator on this machine: status and JSON; 0: no answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(  # noqa: S310 - an address of this machine, made here
        url,
        data=data,
        method=method,
        headers={"content-type": "application/json", **(headers or {})},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        with error:
            try:
                return error.code, json.loads(error.read() or b"null")
            except ValueError:
                return error.code, None
    except (OSError, ValueError):
        return 0, None
