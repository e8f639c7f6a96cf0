"""The way of a person to a vendor's page and back, with the tokens that come of it.

What is sent along is a state of 256 random bits, used once and within ten minutes. Only its hash is
stored, with the organisation, the connection and who began it; PKCE binds the code to us. Who began
in a browser also has a cookie there, and nobody else's browser can end it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import structlog

from junctor.adapters.postgres.connections import Begun
from junctor.errors import Conflict, JunctorError, Misconfigured, Unauthorized
from junctor.language import ids
from junctor.language.connector import OAuth, Request, Token
from junctor.language.oauth import authorize_url, exchange
from junctor.ports.vault import Vault
from junctor.runtime.accounts import Account, Accounts
from junctor.runtime.tokens import seal_tokens, without

__all__ = ["LIFETIME", "Authorizing", "Ended", "Start"]

log = structlog.get_logger(__name__)

LIFETIME = 600.0
"""Seconds that a person has on the vendor's page."""
_STATE = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What begins an authorisation."""

    url: str
    """Where the person goes."""
    id: bytes
    """Under which its end is found."""
    cookie: str | None
    """What the browser must bring back, if one began it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A good end."""

    organization_id: UUID
    connection_id: UUID
    connector: str
    account: str
    actor: str


class Authorizing:
    """Begins and ends authorisations."""

    def __init__(self, accounts: Accounts, vault: Vault) -> None:
        self._accounts = accounts
        self._vault = vault

    async def begin(
        self,
        organization_id: UUID,
        connection_id: UUID,
        *,
        redirect_uri: str,
        actor: str,
        browser: bool = False,
        switch: bool = False,
    ) -> Start:
        """``switch``: the vendor's account may be another one than before.

        `Misconfigured` if the connection is of a kind without OAuth.
        """
        self._accounts.forget(organization_id, connection_id)
        account = await self._accounts.get(organization_id, connection_id)
        oauth = account.definition.oauth
        if oauth is None:
            raise Misconfigured(
                f"This {account.connector.label} connection needs no authorisation: "
                "its kind has a key of its own."
            )
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        cookie = secrets.token_urlsafe(32) if browser else None
        state_id = _hash(state)
        keyring = await self._vault.keyring(organization_id)
        url = authorize_url(
            oauth,
            account.form,
            account.base_url,
            redirect_uri=redirect_uri,
            state=state,
            verifier=verifier,
        )
        await self._accounts.store.begin(
            Begun(
                organization_id=organization_id,
                id=state_id,
                connection_id=connection_id,
                base_url=account.base_url,
                redirect_uri=redirect_uri,
                sealed=keyring.seal(verifier.encode(), _aad(connection_id, state_id)),
                browser=None if cookie is None else _hash(cookie),
                switch=switch,
                actor=actor,
            ),
            LIFETIME,
        )
        return Start(url=url, id=state_id, cookie=cookie)

    async def end(self, query: Mapping[str, str], cookie: str | None) -> Ended:
        """What the browser brought back. Whatever comes of it, its state can't be used again.

        `Unauthorized` if nobody began it so; else what went wrong, which is also noted for who
        waits for it.
        """
        state = query.get("state", "")
        begun = await self._accounts.store.use(_hash(state)) if _STATE.fullmatch(state) else None
        if begun is None:
            raise Unauthorized(
                "This authorisation was not begun here, was used before, or took longer than ten "
                "minutes. Begin it anew."
            )
        try:
            ended = await self._ended(begun, query, cookie)
        except JunctorError as error:
            await self._accounts.store.end(begun, account=None, error=error.message)
            raise
        except BaseException:
            await self._accounts.store.end(begun, account=None, error="It was interrupted.")
            raise
        await self._accounts.store.end(begun, account=ended.account, error=None)
        log.info(
            "authorized", connection=ids.show("con", begun.connection_id), account=ended.account
        )
        return ended

    async def _ended(self, begun: Begun, query: Mapping[str, str], cookie: str | None) -> Ended:
        if begun.browser is not None and not hmac.compare_digest(
            begun.browser, _hash(cookie or "")
        ):
            raise Unauthorized("This authorisation was begun in another browser. Begin it anew.")
        self._accounts.forget(begun.organization_id, begun.connection_id)
        account = await self._accounts.get(begun.organization_id, begun.connection_id)
        oauth = account.definition.oauth
        if oauth is None or account.base_url != begun.base_url:
            raise Conflict("The connection was changed meanwhile. Begin anew.")
        keyring = await self._vault.keyring(begun.organization_id)
        verifier = keyring.open(begun.sealed, _aad(begun.connection_id, begun.id)).decode()
        code = query.get("code", "")
        client = oauth.client(account.form)
        hidden = (code, verifier, str.__str__(client.secret))
        if query.get("error"):
            said = (query["error"], query.get("error_description", ""))
            words = without(": ".join(text for text in said if text), *hidden)
            raise Unauthorized(f"{account.connector.label} has not allowed it: {words}.")
        if oauth.issuer and query.get("iss", oauth.issuer) != oauth.issuer:
            raise Unauthorized("The answer is from another issuer. Begin anew.")
        if not code or len(code) > 4000:
            raise Unauthorized(f"{account.connector.label} gave no code. Begin anew.")
        request = exchange(
            oauth, account.form, code=code, redirect_uri=begun.redirect_uri, verifier=verifier
        )
        token = await self._exchanged(account, oauth, request, hidden)
        who = oauth.account(token)
        stored = await self._accounts.store.store_account(
            begun.organization_id,
            begun.connection_id,
            await seal_tokens(self._vault, account, token),
            token.expires_in,
            who,
            switch=begun.switch,
        )
        if not stored:
            raise Conflict(
                f"This is another account ({who[1] or who[0] or 'unnamed'}) than the connection "
                "had. Choose the same one, or allow another: authorize with --switch."
            )
        self._accounts.forget(begun.organization_id, begun.connection_id)
        return Ended(
            organization_id=begun.organization_id,
            connection_id=begun.connection_id,
            connector=account.connector.label,
            account=who[1] or who[0],
            actor=begun.actor,
        )

    async def _exchanged(
        self, account: Account, oauth: OAuth, request: Request, hidden: tuple[str, ...]
    ) -> Token:
        try:
            return oauth.granted(await self._accounts.ask(account, request))
        except JunctorError as error:
            raise Unauthorized(without(error.message, *hidden)) from None


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _aad(connection_id: UUID, state_id: bytes) -> bytes:
    return connection_id.bytes + state_id + b"verifier"
