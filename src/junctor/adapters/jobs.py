"""Jobs: Procrastinate on our Postgres, in a schema of its own.

Whatever is to be done at a time or now and then is a job; who owns a run is not (that is a row).
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from procrastinate import App, PsycopgConnector

__all__ = ["job_app", "work"]

_OPTIONS: Final = "-c search_path=procrastinate -c role=junctor_engine"
_GRACE_SECONDS: Final = 5.0


def job_app(url: str) -> App:
    """An app without tasks yet; opened by `work` or ``app.open_async``."""
    connector = PsycopgConnector(
        conninfo=url,
        min_size=1,
        max_size=3,
        kwargs={"options": _OPTIONS, "application_name": "junctor jobs"},
    )
    return App(connector=connector)


async def work(app: App, stop: asyncio.Event) -> None:
    """Runs jobs until ``stop`` is set; those under way get some seconds to end.

    Raises what ends the worker early.
    """
    async with app.open_async():
        worker = asyncio.create_task(
            app.run_worker_async(
                install_signal_handlers=False,
                listen_notify=True,
                shutdown_graceful_timeout=_GRACE_SECONDS,
            ),
            name="jobs",
        )
        stopping = asyncio.create_task(stop.wait(), name="jobs stop")
        try:
            await asyncio.wait({worker, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            if not worker.done():
                worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await worker
