"""The server process: deliveries to the bare ingest path, everything else to the routed API."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
import socket
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import structlog
import uvicorn

from junctor.adapters.spool import SpoolFolder
from junctor.adapters.system import process_name
from junctor.app.approval_page import ApprovalPage
from junctor.app.callback import Callback
from junctor.app.core import START_PATIENCE, open_core
from junctor.app.handover import inherited, listen, raise_file_limit, tell_ready
from junctor.app.lean import settle_memory
from junctor.app.protocol import Limits, limited
from junctor.app.room import disk_of
from junctor.app.settings import Settings
from junctor.app.telemetry import watched
from junctor.errors import Misconfigured
from junctor.runtime.doorkeeper import Doorkeeper
from junctor.runtime.heartbeat import Heartbeat
from junctor.runtime.ingest import Ingest
from junctor.runtime.spooling import Spooling

__all__ = ["Application", "open_application", "serve"]

HOOKS = "/hook/"
OAUTH = "/oauth/"
APPROVE = "/approve/"
GRACE = 2
"""Seconds that open requests may take to finish when the server ends."""
DRAIN = 185.0
"""Seconds that a server which was replaced may take: a caller waits for an answer for 180."""
OTHER_FILES = 256
"""Files and sockets besides callers' connections."""
SPOOL_PATIENCE = 1.0
"""Seconds of trying before the database counts as away, where there is a spool."""


class Application:
    """The ASGI application: ``/hook/…``, ``/oauth/…`` and ``/approve/…`` never enter the router."""

    def __init__(self, ingest: Any, api: Any, callback: Any, approvals: Any = None) -> None:
        self._ingest = ingest
        self.spool: Spooling | None = ingest.spool
        self._api = api
        self._callback = callback
        self._approvals = approvals

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One connection."""
        if scope["type"] == "http" and scope["path"].startswith(HOOKS):
            await self._ingest(scope, receive, send)
        elif scope["type"] == "http" and scope["path"].startswith(OAUTH):
            await self._callback(scope, receive, send)
        elif scope["type"] == "http" and self._approvals and scope["path"].startswith(APPROVE):
            await self._approvals(scope, receive, send)
        elif scope["type"] in {"http", "lifespan"}:
            await self._api(scope, receive, send)
        else:  # no websockets here: refuse before the upgrade
            await send({"type": "websocket.close", "code": 1000})


@contextlib.asynccontextmanager
async def open_application(settings: Settings, url: str, *, name: str) -> AsyncIterator[Any]:
    """The application with everything it needs open, closed at the end of the block."""
    from junctor.app.api.app import build

    spool = _spool(settings)
    async with open_core(settings, url, patience=START_PATIENCE) as core:
        keeper = Doorkeeper(core.engine, disk_of(settings))
        ingest = Ingest(
            url,
            server=name,
            find=core.registry.find,
            connector=core.registry.connector,
            vault=core.vault,
            public_url=settings.public_url,
            trusted_proxies=settings.trusted_proxies,
            keeper=keeper,
            patience=5.0 if spool is None else SPOOL_PATIENCE,
            spool=spool,
        )
        await keeper.start()
        await ingest.start()
        try:
            async with _mail_taken(settings, ingest):
                yield Application(ingest, build(core, ingest), Callback(core), ApprovalPage(core))
        finally:
            await ingest.stop()
            await keeper.stop()


def _spool(settings: Settings) -> SpoolFolder | None:
    """The spool's folder, if there is to be one; `Misconfigured` if it can't be written."""
    if settings.spool is None or not settings.spool_mb:
        return None
    try:
        return SpoolFolder(settings.spool, most_bytes=settings.spool_mb * 1024 * 1024)
    except OSError as error:
        raise Misconfigured(
            f"The spool {settings.spool} can't be written: {error.strerror or error}. "
            "Set JUNCTOR_SPOOL_DIR to a directory you own, or JUNCTOR_SPOOL_MB to 0.",
            path=str(settings.spool),
        ) from error


@contextlib.asynccontextmanager
async def _mail_taken(settings: Settings, ingest: Ingest) -> AsyncIterator[None]:
    """Mail for mailhooks is taken for the time of the block, if a port is set for it."""
    if not settings.mail_port:
        yield
        return
    from junctor.runtime.mailhook import MailDoor

    door = MailDoor(ingest, domain=settings.mail_domain)
    try:
        await door.start(settings.host, settings.mail_port)
    except OSError as error:
        raise Misconfigured(
            f"Port {settings.mail_port} on {settings.host} can't be used for mail: "
            f"{error.strerror or error}. Set JUNCTOR_MAIL_PORT to another one, or to 0.",
            host=settings.host,
            port=settings.mail_port,
        ) from error
    try:
        yield
    finally:
        await door.stop()


class _Server(uvicorn.Server):
    """uvicorn, ended by its event loop's signals, so that a SIGTERM is a clean exit 0.

    SIGQUIT ends it slowly: no more connections are taken, each open one gets its answer, and then
    it is closed. Another server takes what comes meanwhile.
    """

    def __init__(self, config: uvicorn.Config, limits: Limits) -> None:
        super().__init__(config)
        self._limits = limits
        self._drain_until: float | None = None
        self._told = False
        self._gone = 0
        """Ticks without a connection."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """For the time of serving."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        loop.add_signal_handler(signal.SIGQUIT, self.drain)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
                loop.remove_signal_handler(number)

    def drain(self) -> None:
        """Ends when the last connection has."""
        if self._drain_until is not None:
            return
        self._drain_until = time.monotonic() + DRAIN
        for server in self.servers:
            server.close()
        self._limits.drain()

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second; ``True`` ends it."""
        if not self._told:
            self._told = True
            tell_ready()
        ended = await super().on_tick(counter)
        if self._drain_until is None:
            return ended
        gone = not self.server_state.connections and not self.server_state.tasks
        # What was accepted a moment ago is no connection yet: one more tick.
        self._gone = self._gone + 1 if gone else 0
        return ended or self._gone > 2 or time.monotonic() > self._drain_until


def _sockets(settings: Settings, fd: int | None) -> list[socket.socket]:
    """What to listen on: a supervisor's socket, systemd's, or one of our own."""
    if fd is not None:
        return [socket.socket(fileno=fd)]
    given = inherited()
    if given:
        return given
    return [listen(settings.host, settings.port, reuse_port=settings.reuse_port)]


async def serve(settings: Settings, url: str, *, fd: int | None = None) -> None:
    """Serves until SIGTERM or SIGINT, or SIGQUIT and the end of what is in progress; ``fd`` is a
    listening socket handed over by a supervisor.
    """
    # A channel of the database is named after it, so letters and digits only; people are shown the
    # other, which has the form of workers' names.
    channel = f"server{secrets.token_hex(6)}"
    name = process_name("server")
    sockets = _sockets(settings, fd)
    log = structlog.get_logger("junctor.server")
    files = raise_file_limit(settings.max_connections + OTHER_FILES)
    most = max(16, min(settings.max_connections, files - OTHER_FILES))
    limits = Limits(most, max(8, most // 4), settings.trusted_proxies)
    async with (
        watched(settings, url, role="server", process="server"),
        open_application(settings, url, name=channel) as application,
    ):
        config = uvicorn.Config(
            application,
            loop="none",
            http=limited(limits),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            proxy_headers=False,
            backlog=2048,
            timeout_graceful_shutdown=GRACE,
        )
        settle_memory()
        # Not the settings': whoever hands a socket over has chosen its address.
        host, port = sockets[0].getsockname()[:2]
        log.info("server ready", host=host, port=port, server=name)
        heartbeat = Heartbeat(url, name=name, role="server", gap=settings.gap_minutes)
        if application.spool is not None:
            heartbeat.details["spool"] = application.spool.figures
        heartbeat.start()
        watch = asyncio.create_task(limits.watch(), name="slow connections")
        try:
            await _Server(config, limits).serve(sockets=sockets)
        finally:
            watch.cancel()
            await asyncio.to_thread(heartbeat.stop)
    log.info("server ended", server=name)
