"""The door for mail: SMTP for mailhooks, and for nothing else.

A mail is answered with 250 only after it is stored; whoever sends it keeps it until then and sends
it again otherwise, and the inbox knows it by its Message-ID. Nothing is relayed: only addresses of
hooks are known here.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, Protocol

import psycopg
import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session

from junctor.errors import JunctorError, NotFound, TooLarge, Unauthorized
from junctor.language.connector import Delivery
from junctor.language.mail import MOST_BYTES, message_id_of
from junctor.language.verifiers import BY_MAIL
from junctor.ports.inbox import Answered
from junctor.runtime.hooks import Hook

__all__ = ["Inlet", "MailDoor"]

log = structlog.get_logger(__name__)

MOST_SESSIONS = 50
MOST_RECIPIENTS = 20
IDLE_SECONDS = 60.0
_AWAY = "451 4.3.0 Not stored. Please send it again later."
_UNKNOWN = "550 5.1.1 There is no such address here."


class Inlet(Protocol):
    """What is needed of `runtime.ingest.Ingest`."""

    async def hook(self, token: str) -> Hook:
        """The hook; `NotFound`."""
        ...

    async def deliver(self, hook: Hook, delivery: Delivery) -> Answered:
        """Verified and durable when it returns."""
        ...


class MailDoor:
    """Listens. ``domain`` is what stands after the @; mail to others is refused."""

    def __init__(
        self,
        inlet: Inlet,
        *,
        domain: str,
        most_bytes: int = MOST_BYTES,
        most_sessions: int = MOST_SESSIONS,
    ) -> None:
        self._handler = _Handler(inlet, domain.lower())
        self._domain = domain
        self._most_bytes = most_bytes
        self._most_sessions = most_sessions
        self._sessions: set[_Smtp] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Begins to listen; the port (chosen by the system if it was 0). `OSError` if taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            self._session,
            host,
            port,
            reuse_port=True,  # the next server begins before this one ends
        )
        number: int = self._server.sockets[0].getsockname()[1]
        log.info("takes_mail", host=host, port=number, domain=self._domain)
        return number

    async def stop(self) -> None:
        """Takes no more, and ends the sessions; a mail that is being stored gets its answer."""
        if self._server is not None:
            self._server.close()
            await self._handler.idle()
            for session in list(self._sessions):
                session.hang_up()
            for _ in range(3):  # their ends are told in the next turns of the loop
                await asyncio.sleep(0)
            self._server = None

    def _session(self) -> _Smtp:
        return _Smtp(
            self._handler,
            self._sessions,
            self._most_sessions,
            hostname=self._domain.strip("[]"),
            ident="Junctor",
            data_size_limit=self._most_bytes,
            enable_SMTPUTF8=True,
            timeout=IDLE_SECONDS,
            command_call_limit={"*": 100},
            loop=asyncio.get_running_loop(),
        )


class _Smtp(SMTP):
    """One session; one too many is told to come later."""

    def __init__(self, handler: _Handler, sessions: set[_Smtp], most: int, **rest: Any) -> None:
        super().__init__(handler, **rest)
        self._all = sessions
        self._most = most
        self._wire: asyncio.Transport | None = None

    def connection_made(self, transport: Any) -> None:
        if len(self._all) >= self._most:
            transport.write(b"421 4.3.2 Too many sessions. Please come again later.\r\n")
            transport.close()
            return
        self._all.add(self)
        self._wire = transport
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self in self._all:
            self._all.discard(self)
            super().connection_lost(error)

    def hang_up(self) -> None:
        """Ends the session."""
        if self._wire is not None:
            self._wire.abort()


class _Handler:
    """What aiosmtpd asks at each step of a session; its answers are SMTP's."""

    def __init__(self, inlet: Inlet, domain: str) -> None:
        self._inlet = inlet
        self._domain = domain
        self._storing: set[asyncio.Task[Any]] = set()

    async def idle(self) -> None:
        """Waits for the mails that are being stored."""
        if self._storing:
            await asyncio.wait(self._storing)

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        """Known or not; several at once are fine."""
        del server, session, options
        if len(envelope.rcpt_tos) >= MOST_RECIPIENTS:
            return "452 4.5.3 Too many recipients at once."
        try:
            await self._hook(address)
        except NotFound:
            return _UNKNOWN
        except (JunctorError, psycopg.Error, OSError) as error:
            log.warning("mail_not_looked_up", error=str(error))
            return _AWAY
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Stored for every recipient, or to be sent again: then who has it already knows it."""
        del server
        task = asyncio.ensure_future(self._store(session, envelope))
        self._storing.add(task)
        task.add_done_callback(self._storing.discard)
        return await asyncio.shield(task)

    async def handle_exception(self, error: Exception) -> str:
        """Whatever was sent: nothing was acknowledged."""
        log.error("mail_not_served", error=repr(error))
        return _AWAY

    async def _store(self, session: Session, envelope: Envelope) -> str:
        raw = envelope.original_content or b""
        peer = session.peer[0] if isinstance(session.peer, tuple) else ""
        key = message_id_of(raw)
        for address in dict.fromkeys(envelope.rcpt_tos):
            try:
                hook = await self._hook(address)
                await self._inlet.deliver(
                    hook,
                    Delivery(
                        id="",
                        method=BY_MAIL,
                        query=(),
                        headers={
                            "mail-from": envelope.mail_from or "",
                            "rcpt-to": address,
                            "message-id": key,
                        },
                        body=raw,
                        received_at=datetime.now(UTC),
                        remote=peer,
                        settings=hook.stored,
                    ),
                )
            except NotFound:
                return _UNKNOWN
            except Unauthorized as error:
                return f"550 5.7.1 {error.message}"
            except TooLarge:
                return "552 5.3.4 The mail is too large."
            except (JunctorError, psycopg.Error, OSError) as error:
                log.warning("mail_not_stored", error=str(error))
                return _AWAY
        return "250 2.0.0 Stored."

    async def _hook(self, address: str) -> Hook:
        """The mailhook of an address; `NotFound`, for a web hook's token, too."""
        token, _, domain = address.rpartition("@")
        # `token+anything` is the same address: people and lists like to add to theirs.
        token = token.partition("+")[0].lower()
        if domain.lower() != self._domain or not token:
            raise NotFound(what="A hook at this address")
        hook = await self._inlet.hook(token)
        if not hook.definition.mail:
            raise NotFound(what="A mailhook at this address")
        return hook
