"""How a command reaches the database: the operator's, the running machine's, or its own."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from junctor.app.settings import Settings
from junctor.errors import Conflict, Misconfigured, NotSent

if TYPE_CHECKING:
    from junctor.app.core import Core

__all__ = ["actor", "await_schema", "database", "run_async", "session"]

T = TypeVar("T")


def actor() -> str:
    """Who is named in what a command writes."""
    try:
        return f"cli:{getpass.getuser()}"
    except (OSError, KeyError):  # a user id without a name, as in some containers
        return "cli"


def run_async(main: Coroutine[Any, Any, T]) -> T:
    """Runs a command's coroutine on uvloop where there is one; logs only warnings, unless said."""
    from junctor.app import logs

    logs.quiet()
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


@asynccontextmanager
async def database(settings: Settings, *, current: bool = True) -> AsyncIterator[str]:
    """The database's URL; one that this command starts has a current schema, if ``current``.

    Without ``JUNCTOR_DATABASE_URL`` the data directory's server is used; if nothing runs it, it is
    started for this command and stopped afterwards.
    """
    if settings.database_url:
        yield settings.database_url
        return
    from junctor.adapters.postgres.embedded import Embedded

    settings.ensure_data_dir()
    embedded = Embedded(settings.data_dir)
    starting = asyncio.ensure_future(asyncio.to_thread(embedded.start))
    try:
        url = await asyncio.shield(starting)
    except Conflict:  # somebody holds the directory; if it is `junctor up`, its server answers
        yield await _running(embedded)
        return
    except asyncio.CancelledError:  # ^C: its thread goes on, and would leave a server behind
        await asyncio.wait({starting})
        if starting.exception() is None:
            await asyncio.to_thread(embedded.stop)
        raise
    try:
        if current:
            from junctor.app.backup import bring_up_to_date

            await bring_up_to_date(settings, url)
        yield url
    finally:
        await asyncio.to_thread(embedded.stop)


async def await_schema(url: str, *, within: float = 60.0, moment: float = 2.0) -> None:
    """Waits for the database and this release's schema, which another process may be making now.

    `Misconfigured` says what was still missing when time was up; what is waited for longer than a
    moment is logged, as nobody sees anything else of a process that does not begin.
    """
    import structlog
    from psycopg import OperationalError

    from junctor.adapters.postgres.database import connect
    from junctor.adapters.postgres.migrate import ready
    from junctor.runtime.complaints import Complaint

    begun = asyncio.get_running_loop().time()
    deadline = begun + within
    log = structlog.get_logger("junctor.start")
    waiting = Complaint(log.warning, "waiting_for_database")
    while True:
        try:
            connection = await connect(url, "engine")
            async with connection:
                if await ready(connection):
                    return
            missing = "its schema is not this release's: run `junctor migrate`"
        except (NotSent, Misconfigured) as error:
            missing = str(error.params.get("reason", error.message)).rstrip(".")
        except OperationalError as error:  # it went away while we asked
            missing = " ".join(str(error).split())
        now = asyncio.get_running_loop().time()
        if now > deadline:
            raise Misconfigured(f"The database can't be used: {missing}.")
        if now - begun > moment:
            waiting(missing, gives_up_in=round(deadline - now))
        await asyncio.sleep(0.05)


@asynccontextmanager
async def session() -> AsyncIterator[tuple[Core, UUID]]:
    """Everything a command needs, and the organisation it works on."""
    from junctor.app.core import open_core
    from junctor.app.owner import ensure_organization

    settings = Settings.from_env().as_running()
    async with database(settings) as url, open_core(settings, url) as core:
        yield core, await ensure_organization(core)


async def _running(embedded: Any) -> str:
    from junctor.adapters.postgres.database import connect

    last: Exception | None = None
    for _ in range(100):  # the holder may be starting it just now, or be a command that ends
        try:
            url: str = embedded.url
            await (await connect(url, "engine")).close()
        except (NotSent, FileNotFoundError, Misconfigured) as error:
            last = error
            await asyncio.sleep(0.1)
        else:
            return url
    raise Misconfigured(
        f"Another Junctor process holds {embedded.directory}, and its database does not answer: "
        f"{last}. Wait for it, or stop it.",
        path=str(embedded.directory),
    ) from last
