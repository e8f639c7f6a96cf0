"""OAuth tokens at work: opened, kept for a moment, and renewed by one process at a time.

A refresh token may be used once, whoever has it. So a renewal is claimed in the connection's row,
by the generation of the tokens it starts from: one claims it, all others go on with the old access
token while it lasts, or wait for the new one. No transaction is open while the vendor is asked
(ADR 0027).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4
from weakref import WeakValueDictionary

import msgspec
import structlog

from junctor.adapters.postgres.connections import Kept, PostgresConnections
from junctor.errors import Fault, JunctorError, Misconfigured, NotSent, Reconnect, Retry
from junctor.language import ids
from junctor.language.connector import Request, Response, Secret
from junctor.language.oauth import OAuth, Token, renewal
from junctor.ports.vault import Vault

if TYPE_CHECKING:
    from junctor.runtime.accounts import Account

__all__ = ["Held", "Tokens", "seal_aad", "seal_tokens", "tokens_aad", "without"]

log = structlog.get_logger(__name__)

READ_AGAIN = 5.0
"""Seconds after which another process's renewal, or its failure, is surely seen."""
SPARE = 300.0
"""Seconds before its end that a token is renewed, or a tenth of its life if that is less."""
CLAIM = 60.0
"""Seconds that nobody else renews; longer than the request may take."""
PATIENCE = 45.0
"""Seconds that one waits for another's renewal when the old token is of no use."""
YOUNG = 60.0
"""A token that is refused so many seconds after it was given is refused for another reason than
its age, and a new one would be, too."""

Key = tuple[UUID, UUID]


@dataclass(frozen=True, slots=True)
class Held:
    """Tokens, opened. Instants are of the monotonic clock."""

    token: Token
    generation: int
    ends: float | None
    read_until: float

    def due(self, now: float) -> bool:
        """Whether it should be renewed."""
        if self.ends is None:
            return False
        life = self.token.expires_in or 10 * SPARE
        return self.ends - now <= min(SPARE, life / 10)

    def usable(self, now: float) -> bool:
        """Whether it surely is still good while a request goes out."""
        return self.ends is None or self.ends > now + 2

    def young(self, now: float) -> bool:
        """Whether it was given just now."""
        if self.ends is None or self.token.expires_in is None:
            return False
        return now - (self.ends - self.token.expires_in) < min(YOUNG, self.token.expires_in / 10)


def seal_aad(organization_id: UUID, connection_id: UUID, base_url: str) -> bytes:
    """What a connection's secrets are sealed to; another base URL can't open them."""
    return organization_id.bytes + connection_id.bytes + base_url.encode()


def tokens_aad(account: Account) -> bytes:
    """What tokens are sealed to: connection, base URL and client; another one can't open them."""
    assert account.organization_id is not None
    assert account.connection_id is not None
    oauth = _oauth(account)
    own = seal_aad(account.organization_id, account.connection_id, account.base_url)
    return own + b"\0tokens\0" + oauth.client(account.form).id.encode()


async def seal_tokens(vault: Vault, account: Account, token: Token) -> bytes:
    """Tokens as they are stored."""
    assert account.organization_id is not None
    keyring = await vault.keyring(account.organization_id)
    content = {
        "access": str.__str__(token.value),
        "refresh": None if token.refresh is None else str.__str__(token.refresh),
        "expires_in": token.expires_in,
        "facts": dict(token.facts),
    }
    return keyring.seal(msgspec.json.encode(content), tokens_aad(account))


def without(text: str, *secrets: str | None) -> str:
    """A vendor's words, without what they may have repeated, and not too many."""
    for secret in secrets:
        if secret and len(secret) >= 4:
            text = text.replace(secret, "…")
    return " ".join(text.split())[:500]


class Tokens:
    """The tokens of all connections that a process works with."""

    def __init__(
        self,
        store: PostgresConnections,
        vault: Vault,
        send: Callable[[Account, Request], Awaitable[Response]],
    ) -> None:
        self._store = store
        self._vault = vault
        self._send = send
        self._kept: dict[Key, Held] = {}
        self._refused: dict[Key, int] = {}
        self._locks: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()

    def refuse(self, account: Account, held: Held) -> bool:
        """The vendor refused this access token; whether it is worth trying with another."""
        key = _key(account)
        if held.young(time.monotonic()):
            return False
        if self._kept.get(key) is held:
            del self._kept[key]
        self._refused[key] = max(held.generation, self._refused.get(key, 0))
        return True

    def forget(self, account: Account) -> None:
        """Reads anew at the next use."""
        self._kept.pop(_key(account), None)

    async def peek(self, account: Account) -> Held:
        """The tokens as they are stored, old or not. `Reconnect` as `held`."""
        return await self._read(account, _key(account))

    async def prove(self, account: Account) -> None:
        """Renews at once with the account's form as it is, though it isn't stored: by this a new
        client secret shows that it works. What is had by it is stored.

        If the vendor refuses, `Reconnect`, and the tokens stay as they were; so they do with any
        other error. `Misconfigured` if there is nothing that could be renewed.
        """
        key = _key(account)
        held = await self._read(account, key)
        if held.token.refresh is None:
            raise Misconfigured("The vendor gave nothing to renew its access with: authorise it.")
        renewer = uuid4()
        if not await self._store.claim_renewal(*key, held.generation, renewer, CLAIM):
            raise NotSent(
                host=_host(account), reason="another process is renewing the access token"
            )
        renewed = asyncio.ensure_future(self._renew(account, key, held, renewer, marks=False))
        await asyncio.shield(renewed)
        self._kept.pop(key, None)

    async def held(self, account: Account) -> Held:
        """Tokens that may be used now, renewed if it is time.

        `Reconnect` if the account isn't authorised, or can't be any more; `NotSent` (or another
        `Retry`) if new ones could not be had for now.
        """
        key = _key(account)
        now = time.monotonic()
        kept = self._kept.get(key)
        if kept is not None and kept.read_until > now and not kept.due(now):
            return kept
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        elif lock.locked() and kept is not None and kept.usable(now):
            return kept  # somebody here is at it
        async with lock:
            now = time.monotonic()
            kept = self._kept.get(key)
            if kept is not None and kept.read_until > now and not kept.due(now):
                return kept
            found = await self._current(account, key)
            self._kept[key] = found
            return found

    async def _current(self, account: Account, key: Key) -> Held:
        deadline = time.monotonic() + PATIENCE
        pause = 0.02
        while True:
            held = await self._read(account, key)
            now = time.monotonic()
            refused = held.generation <= self._refused.get(key, -1)
            usable = held.usable(now) and not refused
            if usable and (held.token.refresh is None or not held.due(now)):
                return held
            if held.token.refresh is None:
                raise await self._broken(
                    account, held, "Its access has ended, and the vendor gave nothing to renew it"
                )
            renewer = uuid4()
            if await self._store.claim_renewal(*key, held.generation, renewer, CLAIM):
                # Whoever gives up waiting (a run that is stopped), the only good tokens are stored.
                renewed = asyncio.ensure_future(self._renew(account, key, held, renewer))
                if await asyncio.shield(renewed):
                    continue
            elif usable:
                return held
            if time.monotonic() > deadline:
                raise NotSent(
                    host=_host(account), reason="another process is renewing the access token"
                )
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 0.5)

    async def _read(self, account: Account, key: Key) -> Held:
        row: Kept = await self._store.tokens(*key)
        if row.refused:
            raise _reconnect(account, row.reason or "The vendor refused to renew its access")
        if row.sealed is None:
            raise _reconnect(account, "It is not authorised yet")
        keyring = await self._vault.keyring(key[0])
        try:
            content = msgspec.json.decode(keyring.open(row.sealed, tokens_aad(account)))
        except (JunctorError, ValueError) as error:
            raise _reconnect(
                account, "It was authorised for another address or another client"
            ) from error
        now = time.monotonic()
        return Held(
            _token(content),
            row.generation,
            None if row.remaining is None else now + row.remaining,
            now + READ_AGAIN,
        )

    async def _renew(
        self, account: Account, key: Key, held: Held, renewer: UUID, *, marks: bool = True
    ) -> bool:
        """Asks for new tokens and stores them. ``marks``: a refusal is one of the old ones."""
        oauth = _oauth(account)
        refresh = held.token.refresh
        assert refresh is not None
        hidden = (str.__str__(refresh), str.__str__(oauth.client(account.form).secret))
        try:
            try:
                response = await self._send(account, renewal(oauth, account.form, refresh))
                token = oauth.granted(response)
            except JunctorError:
                raise
            except Exception as error:  # a connector's own function
                raise Fault(reason=f"reading tokens raised {type(error).__name__}") from None
        except Reconnect as error:
            reason = without(error.message, *hidden)
            if not marks:
                await self._store.release_renewal(*key, renewer)
                raise Reconnect(reason) from None
            if await self._store.refuse_tokens(*key, held.generation, reason):
                log.warning("reconnect", connection=ids.show("con", key[1]), reason=reason)
                raise _reconnect(account, reason) from None
            return True  # there are newer ones
        except JunctorError as error:
            await self._store.release_renewal(*key, renewer)
            reason = without(error.message, *hidden)
            if isinstance(error, Retry) and error.retry_after is not None:
                raise
            raise NotSent(host=_host(account), reason=f"no access token: {reason}") from None
        facts = {**held.token.facts, **token.facts}
        token = Token(
            value=token.value,
            expires_in=token.expires_in,
            refresh=token.refresh or refresh,  # RFC 6749 §6: none given, the old one stays
            facts=facts,
        )
        sealed = await seal_tokens(self._vault, account, token)
        await self._store.store_tokens(*key, held.generation, sealed, token.expires_in)
        return True

    async def _broken(self, account: Account, held: Held, reason: str) -> Reconnect:
        await self._store.refuse_tokens(*_key(account), held.generation, reason)
        return _reconnect(account, reason)


def _token(content: Mapping[str, Any]) -> Token:
    refresh = content["refresh"]
    return Token(
        value=Secret(content["access"]),
        expires_in=content["expires_in"],
        refresh=None if refresh is None else Secret(refresh),
        facts=content["facts"],
    )


def _oauth(account: Account) -> OAuth:
    oauth = account.definition.oauth
    assert oauth is not None
    return oauth


def _key(account: Account) -> Key:
    if account.organization_id is None or account.connection_id is None:
        raise _reconnect(account, "It must be saved and authorised before it can be used")
    return account.organization_id, account.connection_id


def _host(account: Account) -> str:
    return urlsplit(account.base_url).hostname or account.connector.label


def _reconnect(account: Account, reason: str) -> Reconnect:
    name = ids.show("con", account.connection_id) if account.connection_id else "NAME"
    return Reconnect(
        f"The {account.connector.label} connection can't be used: {reason.rstrip('.')}. "
        f"Authorise it: junctor connections authorize {name}",
        connection=name,
    )
