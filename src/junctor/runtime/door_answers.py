"""How the door answers: errors that only it has, and what is said to those who are refused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextlib import suppress
from typing import Any

import structlog

from junctor.errors import JunctorError
from junctor.ports.inbox import Answered
from junctor.runtime.doorkeeper import NoRoom, QueueFull

__all__ = ["FULL", "Busy", "Gone", "TooSlow", "answer_of_first", "answer_with", "refusal"]

log = structlog.get_logger(__name__)

LOOK_SECONDS = 2.0
"""Between looks whether somebody will answer the first of some duplicates."""

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_PLAIN = ((b"content-type", b"text/plain; charset=utf-8"),)


class Busy(JunctorError):
    """Too much waits to be stored. Please send it again."""

    code = "busy"
    status = 503
    retry_after = 5.0


FULL = (Busy, NoRoom, QueueFull)
"""Why a delivery is refused though nothing is wrong with it."""


class Gone(JunctorError):
    """The caller went away before its body was complete."""

    code = "gone"
    status = 400


class TooSlow(JunctorError):
    """The body did not come in time."""

    code = "too_slow"
    status = 408


def refusal(error: JunctorError) -> Answered:
    """What a caller is told of an error: its line, and when to come again if the error knows."""
    after = getattr(error, "retry_after", None)
    again = (("retry-after", f"{after:.0f}"),) if after is not None else ()
    return Answered(error.status if error.status < 500 else 503, again, error.message.encode())


async def answer_of_first(
    answered: asyncio.Future[Answered], unanswered: Callable[[], Awaitable[bool]], seconds: float
) -> Answered | None:
    """What the first of some duplicates is answered, within this time; ``None``: nothing, or not
    any more, as far as ``unanswered`` says.
    """
    until = time.monotonic() + seconds
    while not answered.done() and (left := until - time.monotonic()) > 0:
        try:
            if await unanswered():
                break
        except Exception as error:  # whatever it is: what waits for its answer gets it all the same
            log.warning("answer_not_looked_for", error=str(error))
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(answered), min(LOOK_SECONDS, left))
    return answered.result() if answered.done() else None


async def answer_with(send: Send, answer: Answered) -> None:
    """Sends an answer."""
    headers: Iterable[tuple[bytes, bytes]] = _PLAIN
    if answer.headers:
        headers = [(_line(name), _line(value)) for name, value in answer.headers]
    length = (b"content-length", str(len(answer.body)).encode())
    await send(
        {"type": "http.response.start", "status": answer.status, "headers": [*headers, length]}
    )
    await send({"type": "http.response.body", "body": answer.body})


def _line(text: str) -> bytes:
    """Part of a header: in UTF-8 what is not Latin-1, and never a line of its own."""
    try:
        raw = text.encode("latin-1")
    except UnicodeEncodeError:
        raw = text.encode("utf-8", "replace")
    return raw.translate(None, b"\r\n\0")
