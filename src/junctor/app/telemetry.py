"""What a process shows of itself while it works: metrics, traces, streams of logs.

`watched` opens what is set and closes it at the end; with nothing set it does nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import structlog

from junctor.adapters.system import process_name
from junctor.app import logs
from junctor.app.settings import Settings
from junctor.errors import Misconfigured
from junctor.runtime.meter import METER, Meter
from junctor.runtime.telemetry import LISTENING

if TYPE_CHECKING:
    from junctor.runtime.tracing import Tracing

__all__ = ["watched"]

LOOK = 0.5
"""Seconds between looks at how late the event loop is."""

log = structlog.get_logger(__name__)


@contextlib.asynccontextmanager
async def watched(settings: Settings, url: str, *, role: str, process: str) -> AsyncIterator[None]:
    """For the time of the block. ``role``: ``server`` or ``worker``; ``process``: its name."""
    async with contextlib.AsyncExitStack() as stack:
        if settings.log_stream:
            await stack.enter_async_context(_streaming(settings, process))
        if settings.traces:
            await stack.enter_async_context(_tracing(settings, process))
        if settings.metrics:
            await stack.enter_async_context(_metrics(settings, url, role))
        yield


@contextlib.asynccontextmanager
async def _streaming(settings: Settings, process: str) -> AsyncIterator[None]:
    from junctor.app.log_stream import Stream
    from junctor.app.log_targets import outlets

    stream = Stream(outlets(settings, process))
    logs.streamed(stream)
    LISTENING.ends = stream.ended
    try:
        yield
    finally:
        LISTENING.ends = None
        await asyncio.to_thread(stream.shut)


@contextlib.asynccontextmanager
async def _tracing(settings: Settings, process: str) -> AsyncIterator[None]:
    LISTENING.tracing = tracing = _tracer(settings, process)
    try:
        yield
    finally:
        LISTENING.tracing = None
        await asyncio.to_thread(tracing.close)


def _tracer(settings: Settings, process: str) -> Tracing:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        from junctor.runtime.tracing import Tracing
    except ImportError as error:
        raise Misconfigured(
            "JUNCTOR_TRACES is set, and what makes traces is not installed. "
            "Install junctor[otel], or unset it.",
            setting="JUNCTOR_TRACES",
        ) from error
    return Tracing(
        OTLPSpanExporter(endpoint=settings.traces),
        service=process_name(process),
        share=settings.traces_share / 100,
        hosts=settings.traces_hosts,
    )


@contextlib.asynccontextmanager
async def _metrics(settings: Settings, url: str, role: str) -> AsyncIterator[None]:
    from junctor.app.metrics import Installation, Listener, registry

    assert settings.metrics is not None
    METER.by_scenario = settings.metrics_scenarios
    installation = Installation(url) if role == "server" else None
    host, port = settings.metrics
    first = 0 if role == "server" else 1
    listener = Listener(host, port, registry(METER, installation), first=first)
    log.info("metrics ready", address=listener.address)
    looking = asyncio.create_task(look_at_lag(METER), name="lag")
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.to_thread(listener.close)
        if installation is not None:
            installation.close()


async def look_at_lag(meter: Meter, *, every: float = LOOK) -> None:
    """Measures how late the loop gives this task its turn, for ever."""
    while True:
        due = time.perf_counter() + every
        await asyncio.sleep(every)
        meter.lag.observe(max(0.0, time.perf_counter() - due))
