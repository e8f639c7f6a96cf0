"""A transport for tests: answers come from a function."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

from junctor.language.connector import Request, Response
from junctor.ports.transport import Files

__all__ = ["FakeTransport"]

Handler = Callable[[Request], Response | Awaitable[Response]]


class FakeTransport:
    """Answers every request by ``handler``, which may be a coroutine function and may raise.

    ``sent`` keeps the requests in the order they were sent.

        transport = FakeTransport(lambda request: Response(200, {}, b"{}"))
    """

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.sent: list[Request] = []

    async def send(self, request: Request, files: Files | None = None) -> Response:
        """What the handler answers; a long one is kept, if the request says so."""
        self.sent.append(request)
        made = self.handler(request)
        answer = made if isinstance(made, Response) else await made
        keep = request.keep_above
        if files is None or keep is None or len(answer.body) <= keep:
            return answer
        return replace(answer, body=b"", file=await files.keep(_once(answer.body)))


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
