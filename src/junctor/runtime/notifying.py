"""Notices told, by e-mail and webhook: at least once each, and a storm as one message.

A notice is handed to the channels that want it; each channel has one open message per kind, which
gathers. When it is due it is closed, sent, and noted as sent; a process that dies between the two
leaves a message that is sent again, with the same id (``webhook-id``, ``Message-ID``).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import msgspec
import structlog

from junctor.adapters.mail import Login, MailServers
from junctor.adapters.postgres.database import Pool
from junctor.adapters.postgres.queries import load
from junctor.errors import JunctorError, Misconfigured, VendorRefused
from junctor.language.mail import Outgoing, addresses, compose, domain_of, recipients
from junctor.language.messages import Request
from junctor.ports.transport import Transport
from junctor.ports.vault import Vault
from junctor.runtime.notice_texts import SHOWN, Item, Told, told

__all__ = ["MOST_TRIES", "Notifier", "Post", "new_secret", "post_of", "seal_aad", "sign"]

log = structlog.get_logger(__name__)

MOST_TRIES: Final = 10
"""After so many, 18 hours in all, a message is given up."""
TIMEOUT: Final = 20.0
"""Seconds a webhook may take to answer."""
_BATCH: Final = 1000
TURN: Final = 40.0
"""Seconds after which a turn begins no more messages: what is new must be handed out, too."""
_AT_ONCE: Final = 8
"""Messages on their way at the same time; one of a channel."""
_OF_ONE: Final = 2
"""Of them, of one organisation: whose webhooks hang delays nobody else's messages."""
_PREFIX: Final = "whsec_"


@dataclass(frozen=True, slots=True)
class Post:
    """The installation's mail account, for notifications."""

    login: Login
    sender: str
    """``a@b.c`` or ``Name <a@b.c>``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Receiver:
    """A channel, as a message needs it."""

    name: str
    kind: str
    address: str = field(repr=False)
    secret: bytes = field(default=b"", repr=False)
    organization: str
    zone: str


_PORTS: Final = {"smtp": (587, "starttls"), "smtps": (465, "tls"), "smtp+plain": (25, "none")}


def post_of(url: str | None) -> Post | None:
    """The account of ``JUNCTOR_SMTP_URL``: ``smtps://user:password@host:465?from=a@b.c``.

    ``smtp`` encrypts by STARTTLS, ``smtps`` from the start, ``smtp+plain`` not at all. User name
    and password are percent-encoded. `Misconfigured` says what is wrong, and never the password.
    """
    if not url:
        return None
    mend = "write it as smtps://user:password@mail.example.com:465?from=junctor@example.com"
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        raise Misconfigured(f"JUNCTOR_SMTP_URL can't be read: {mend}.") from None
    if parts.scheme not in _PORTS or not host:
        raise Misconfigured(f"JUNCTOR_SMTP_URL names no mail server: {mend}.")
    usual, security = _PORTS[parts.scheme]
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    sender = (parse_qs(parts.query).get("from") or [user])[0]
    with suppress(JunctorError):
        if addresses("from", [sender]):
            login = Login(
                host=host, port=port or usual, security=security, user=user, password=password
            )
            return Post(login, sender)
    raise Misconfigured(f"JUNCTOR_SMTP_URL does not say from whom mail comes: {mend}.")


def new_secret() -> str:
    """A webhook's secret: 192 random bits."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(24)).decode()


def sign(secret: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """The header ``webhook-signature``: HMAC-SHA-256 over id, time and body, as Standard Webhooks
    says (https://www.standardwebhooks.com, version 1). ``secret``: its text, ``whsec_…`` or not.
    """
    key = secret
    if secret.startswith(_PREFIX.encode()):
        with suppress(ValueError):
            key = base64.b64decode(secret.removeprefix(_PREFIX.encode()), validate=True)
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def seal_aad(organization_id: UUID, channel_id: UUID) -> bytes:
    """What a channel's address and secret are sealed to. They are sealed together, as
    ``[url, secret]``: a webhook's address often is a secret by itself.
    """
    return b"channel\0" + organization_id.bytes + channel_id.bytes


class Notifier:
    """Hands notices out and sends messages. ``engine``: an open engine pool."""

    def __init__(
        self,
        engine: Pool,
        *,
        vault: Vault,
        transport: Transport,
        mail: MailServers,
        post: Post | None,
        public_url: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._engine = engine
        self._vault = vault
        self._transport = transport
        self._mail = mail
        self._post = post
        self._public_url = public_url
        self._clock = clock
        self._sql = load("notifications")

    async def turn(self) -> dict[str, int]:
        """Hands out what is new and sends what is due; how many of each."""
        done = {"handed": 0, "sent": 0, "failed": 0}
        while count := await self._execute("hand_out", limit=_BATCH):
            done["handed"] += count
            if count < _BATCH:
                break
        until = time.monotonic() + TURN
        going: list[tuple[UUID, UUID]] = []
        one = asyncio.Lock()

        async def send() -> None:
            while time.monotonic() < until:
                async with one:
                    claimed = await self._claim(going)
                    if claimed is None:
                        return
                    way = (claimed[0], claimed[2])
                    going.append(way)
                try:
                    done["sent" if await self._send(*claimed) else "failed"] += 1
                finally:
                    going.remove(way)

        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(send())
        return done

    async def _claim(self, going: Sequence[tuple[UUID, UUID]]) -> Any:
        """The next message, of none that is being told enough: (organisation, channel)."""
        count = Counter(organization for organization, _ in going)
        rows = await self._rows(
            "claim",
            channels=[channel for _, channel in going],
            organizations=[each for each, number in count.items() if number >= _OF_ONE],
        )
        return rows[0] if rows else None

    async def test(self, organization_id: UUID, channel_id: UUID) -> None:
        """Sends a channel a message that says it is a test; raises what went wrong."""
        receiver = await self._receiver(organization_id, channel_id)
        text = "This is a test: messages of this kind tell what happened and what to do next."
        message = Told(
            subject="Test of a notification",
            text=f"{text}\n\nJunctor at {self._public_url}",
            data={"kind": "test", "title": "Test", "count": 1, "things": 0, "items": []},
        )
        refused = await self._deliver(receiver, uuid4(), message, self._clock())
        if refused is not None:
            raise VendorRefused(f"{refused.message} The other addresses were told.")

    async def _send(
        self,
        organization_id: UUID,
        message_id: UUID,
        channel_id: UUID,
        kind: str,
        attempts: int,
        created_at: datetime,
    ) -> bool:
        where = {"organization": organization_id, "id": message_id}
        refused: JunctorError | None = None
        try:
            receiver = await self._receiver(organization_id, channel_id)
            rows = await self._rows("contents", **where, limit=SHOWN)
            items = [
                Item(
                    kind=kind,
                    scenario_id=row[0],
                    scenario=row[1],
                    subject=row[2],
                    count=row[3],
                    first=row[4],
                    last=row[5],
                    run_id=row[6],
                    params=row[7],
                )
                for row in rows
            ]
            if items:  # else they are gone: there is nothing to tell
                message = told(
                    items,
                    kind=kind,
                    total=rows[0][8],
                    things=rows[0][9],
                    organization=receiver.organization,
                    zone=ZoneInfo(receiver.zone),
                    public_url=self._public_url,
                )
                refused = await self._deliver(receiver, message_id, message, created_at)
        except Exception as error:  # whatever it is: others are to be told all the same
            reason = error.message if isinstance(error, JunctorError) else type(error).__name__
            over = attempts >= MOST_TRIES
            await self._execute("failed", **where, error=reason[:500], over=over)
            log.warning("notification_failed", message=str(message_id), error=reason, over=over)
            return False
        await self._execute("sent", **where, error=refused and refused.message[:500])
        return True

    async def _receiver(self, organization_id: UUID, channel_id: UUID) -> _Receiver:
        where = {"organization": organization_id, "channel": channel_id}
        ((name, kind, address, sealed, organization, zone),) = await self._rows("receiver", **where)
        secret = b""
        if sealed is not None:
            keyring = await self._vault.keyring(organization_id)
            opened = keyring.open(sealed, seal_aad(organization_id, channel_id))
            address, text = msgspec.json.decode(opened, type=tuple[str, str])
            secret = text.encode()
        return _Receiver(
            name=name,
            kind=kind,
            address=address,
            secret=secret,
            organization=organization,
            zone=zone,
        )

    async def _deliver(
        self, receiver: _Receiver, message_id: UUID, message: Told, created_at: datetime
    ) -> JunctorError | None:
        """Raises what went wrong; returns what did for some addresses, if the others were told."""
        if receiver.kind == "email":
            return await self._by_mail(receiver, message_id, message, created_at)
        await self._by_webhook(receiver, message_id, message)
        return None

    async def _by_mail(
        self, receiver: _Receiver, message_id: UUID, message: Told, created_at: datetime
    ) -> JunctorError | None:
        if self._post is None:
            raise Misconfigured(
                "There is no mail account to send from: set JUNCTOR_SMTP_URL, for servers and "
                "workers, and where a command tries a channel."
            )
        outgoing = Outgoing(
            to=tuple(each.strip() for each in receiver.address.split(",")),
            subject=f"[Junctor] {message.subject}",
            text=message.text,
            from_=self._post.sender,
            headers=(("Auto-Submitted", "auto-generated"),),
        )
        sender = addresses("from", [self._post.sender])[0]
        raw = await asyncio.to_thread(
            compose,
            outgoing,
            message_id=f"<{message_id}@{domain_of(sender)}>",
            date=created_at,
        )
        to = recipients(outgoing)
        try:
            await self._mail.send(self._post.login, sender, to, raw)
        except VendorRefused:
            if len(to) == 1:
                raise
        else:
            return None
        # A server takes a message for all or for none: one who has left must not silence it.
        refused: VendorRefused | None = None
        told = 0
        for address in to:
            try:
                await self._mail.send(self._post.login, sender, (address,), raw)
                told += 1
            except VendorRefused as error:
                refused = error
        if refused is not None and not told:
            raise refused
        return refused

    async def _by_webhook(self, receiver: _Receiver, message_id: UUID, message: Told) -> None:
        timestamp = int(self._clock().timestamp())
        body = msgspec.json.encode(
            {
                "id": str(message_id),
                "organization": receiver.organization,
                "channel": receiver.name,
                **message.data,
                "text": message.text,
            }
        )
        headers: Mapping[str, str] = {
            "content-type": "application/json",
            "user-agent": "Junctor",
            "webhook-id": str(message_id),
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(receiver.secret, str(message_id), timestamp, body),
        }
        answer = await self._transport.send(
            Request(
                "POST",
                receiver.address,
                headers=headers,
                body=body,
                timeout=TIMEOUT,
                max_bytes=64 * 1024,
            )
        )
        if not 200 <= answer.status < 300:
            raise VendorRefused(
                f"The webhook of channel '{receiver.name}' answered {answer.status}."
            )

    async def _rows(self, name: str, **parameters: Any) -> list[Any]:
        async with self._engine.connection() as connection:
            return await (await connection.execute(self._sql[name], parameters)).fetchall()

    async def _execute(self, name: str, **parameters: Any) -> int:
        async with self._engine.connection() as connection:
            return (await connection.execute(self._sql[name], parameters)).rowcount
