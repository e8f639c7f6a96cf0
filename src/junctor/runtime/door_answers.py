"""How the door answers: errors that only it has, and what is said to those who are refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from junctor.errors import JunctorError
from junctor.ports.inbox import Answered
from junctor.runtime.doorkeeper import NoRoom, QueueFull

__all__ = ["FULL", "Busy", "Gone", "TooSlow", "answer_with", "refusal"]

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
