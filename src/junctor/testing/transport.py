"""A transport for tests: answers come from a function."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from junctor.language.connector import Request, Response

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

    async def send(self, request: Request) -> Response:
        """What the handler answers."""
        self.sent.append(request)
        answer = self.handler(request)
        return answer if isinstance(answer, Response) else await answer
