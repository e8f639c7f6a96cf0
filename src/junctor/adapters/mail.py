"""Mail servers: SMTP to send, IMAP to look and to file, over the standard library's clients.

Each session runs in a thread of its own small pool; its socket is made here, after the egress guard
has seen every address of the name, and is cut when the time is over. How a session ended is told
exactly: `NotSent` means that the server can't have acted, `Uncertain` that it may have.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from junctor.adapters.egress import Egress

if TYPE_CHECKING:
    from junctor.adapters.imap import ImapSession
    from junctor.adapters.mail_session import Session

__all__ = ["Login", "MailServers"]

T = TypeVar("T")

_WHOLE = 150.0
"""Seconds for a whole session."""
_AT_ONCE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Where and as whom. ``password`` never shows."""

    host: str
    port: int
    security: str
    """``tls``, ``starttls`` or ``none``."""
    user: str = ""
    password: str = ""
    verify: bool = True

    def __repr__(self) -> str:
        return f"Login({self.host}:{self.port})"

    def context(self) -> ssl.SSLContext:
        """How TLS is spoken with it."""
        context = ssl.create_default_context()
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


class MailServers:
    """Speaks to mail servers. ``allow`` as `adapters.transport.AiohttpTransport`'s."""

    def __init__(self, allow: Iterable[str] = (), *, whole: float = _WHOLE) -> None:
        self._egress = Egress(allow)
        self._whole = whole
        self._threads: ThreadPoolExecutor | None = None

    def close(self) -> None:
        """Ends the threads; sessions end with their sockets."""
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown(wait=False, cancel_futures=True)

    async def check_smtp(self, login: Login) -> None:
        """Logs in and out. `NotSent`, `Reconnect` or `VendorRefused`."""
        await self._do(login, lambda session: _sessions().smtp(session, login).quit())

    async def send(self, login: Login, sender: str, to: tuple[str, ...], message: bytes) -> None:
        """Hands the message over to the server, for all recipients or for none.

        `NotSent` if it has nothing, `VendorUnavailable` or `VendorRefused` if it said no,
        `Reconnect` if it refused the login, `Uncertain` if its answer to the whole message is lost.
        """
        await self._do(login, lambda session: _sessions().send(session, login, sender, to, message))

    async def imap(self, login: Login, work: Callable[[ImapSession], T]) -> T:
        """What ``work`` gives, in a thread, with a session that is logged in.

        `NotSent` if nothing was changed, `Uncertain` if a change was asked for and its answer is
        lost; else what `adapters.imap` raises.
        """
        return await self._do(login, lambda session: _sessions().imap(session, login, work))

    async def _do(self, login: Login, work: Callable[[Session], T]) -> T:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="mail")
        session = _sessions().Session(self._egress, login)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.run_in_executor(self._threads, session.run, work)
        # The thread ends when its socket does: that is how time is called, and cancellation told.
        timer = loop.call_later(self._whole, session.cut)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            session.cut()
            with suppress(Exception):
                await future
            raise
        finally:
            timer.cancel()


def _sessions() -> Any:
    """`adapters.mail_session`, loaded when it is first needed."""
    return import_module("junctor.adapters.mail_session")
