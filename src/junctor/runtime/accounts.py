"""Connections at work: secrets opened, requests made absolute, bound to their host and signed.

Credentials are added here and nowhere else; they never enter a bundle, an expression or a journal.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from uuid import UUID
from weakref import WeakValueDictionary

import msgspec

from junctor.adapters.postgres.budgets import PostgresBudgets
from junctor.adapters.postgres.connections import PostgresConnections
from junctor.adapters.postgres.hot import Line
from junctor.errors import JunctorError, Misconfigured, NotFound, NotSent, Reconnect, Uncertain
from junctor.language.connector import (
    Connection,
    Connector,
    ModuleDef,
    Multipart,
    OAuth,
    Request,
    Response,
    Secret,
    Token,
)
from junctor.language.hosts import origin
from junctor.ports.transport import Files, Transport
from junctor.ports.vault import Vault
from junctor.runtime.governor import Governor
from junctor.runtime.outcomes import refusal
from junctor.runtime.recorder import Recorder
from junctor.runtime.tokens import Held, Tokens, seal_aad

__all__ = ["Account", "Accounts", "absolute", "bound_ids", "fingerprint", "seal_aad"]

_KEEP_SECONDS = 5.0
_MOST_TOKENS = 1000
_UNTOLD = 300.0
"""Seconds that a token is used whose vendor doesn't say how long it lives; a 401 ends it, too."""
_SPARE = 60.0
"""Seconds before its end that a token is renewed."""


@dataclasses.dataclass(frozen=True, slots=True)
class Account:
    """A connection, opened."""

    connector: Connector
    definition: Connection
    base_url: str
    form: Any
    """An instance of ``definition.form``; its secrets show as ``…``."""
    also: tuple[Account, ...] = ()
    """More that the same requests are signed with: a certificate, a proxy."""
    organization_id: UUID | None = None
    connection_id: UUID | None = None
    """``None``: it is not saved."""


def absolute(request: Request, base_url: str) -> Request:
    """The request with its whole URL; an absolute one must be the base's own origin already.

    Without a base, the account's signer says where it may go.
    """
    url = request.url
    if not base_url and not url.startswith("/"):
        return request
    if url.startswith("/"):
        return dataclasses.replace(request, url=base_url.rstrip("/") + url)
    if origin(url) != origin(base_url):
        raise Misconfigured(
            reason=f"the request is for {_shown(url)}, and the connection for {_shown(base_url)}: "
            "its credentials are sent nowhere else. Give a path, choose a connection with that "
            "base URL, or use the HTTP module"
        )
    return request


def _shown(url: str) -> str:
    """Scheme, host and port, without who may be named before them."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def bound_ids(
    module: ModuleDef,
    placed: int,
    parameters: Mapping[str, Any],
    mapper: Mapping[str, Any],
    bound: Mapping[str, str],
    *,
    has_connections: bool,
) -> tuple[UUID, ...]:
    """The connections that a placed module works through, from what the scenario has bound.

    ``bound`` is ``{"3": id, "3.tlsKeychain": id, …}``: by module id, or by module id and the
    parameter that asks for one; the first that is asked for may be bound by the id alone.
    `Misconfigured` if one is missing.
    """
    plain = bound.get(str(placed))
    if module.needs_connection is None:
        if plain is None and has_connections:
            raise Misconfigured(
                reason=f"module {placed} ({module.id}) has no connection; choose one for it"
            )
        return (UUID(plain),) if plain is not None else ()
    out = []
    for index, parameter in enumerate(module.needs_connection(parameters, mapper)):
        found = bound.get(f"{placed}.{parameter}") or (plain if not index else None)
        if found is None:
            kinds = " or ".join(f"'{kind}'" for kind in module.connection_kinds.get(parameter, ()))
            kind = f" of the kind {kinds}" if kinds else ""
            raise Misconfigured(
                reason=f"module {placed} ({module.id}) asks for a connection{kind} "
                f"({parameter}) and has none; choose one for it"
            )
        out.append(UUID(found))
    return tuple(out)


def fingerprint(request: Request) -> bytes:
    """16 bytes that change when what would be sent changes. Credentials are not part of it."""
    body: Any = request.body
    if isinstance(body, Multipart):
        body = tuple(dataclasses.astuple(part) for part in body.parts)
    content = msgspec.msgpack.encode(
        (
            request.method,
            request.url,
            _pairs(request.query),
            sorted(request.headers.items()),
            request.json,
            _pairs(request.form),
            body,
        )
    )
    return hashlib.sha256(content).digest()[:16]


def _pairs(values: Any) -> Any:
    return sorted(values.items()) if isinstance(values, Mapping) else values


class Accounts:
    """Finds, opens and uses connections."""

    def __init__(
        self,
        line: Line,
        *,
        vault: Vault,
        transport: Transport,
        connector: Callable[[str], Connector | None],
    ) -> None:
        self._line = line
        self._vault = vault
        self._transport = transport
        self._connector = connector
        self._cache: dict[tuple[UUID, UUID], tuple[float, Account]] = {}
        self._tokens: OrderedDict[bytes, tuple[float, Token]] = OrderedDict()
        # A lock is there while somebody fetches or waits, however that ends.
        self._fetching: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()
        self.store = PostgresConnections(line)
        self.tokens = Tokens(self.store, vault, self.ask)
        self.recorder = Recorder(self.store)
        self.governor = Governor(PostgresBudgets(line))

    async def close(self) -> None:
        """Writes what is still to be noted of the connections' requests."""
        await self.governor.close()
        await self.recorder.close()

    def forget(self, organization_id: UUID, connection_id: UUID) -> None:
        """Reads the connection anew at its next use, in this process."""
        kept = self._cache.pop((organization_id, connection_id), None)
        if kept is not None:
            self.tokens.forget(kept[1])

    async def get(self, organization_id: UUID, connection_id: UUID) -> Account:
        """The opened connection; remembered for a few seconds, so that a change is soon seen."""
        key = (organization_id, connection_id)
        kept = self._cache.get(key)
        if kept is not None and kept[0] > time.monotonic():
            return kept[1]
        rows = await self._line.fetch(
            "connection", {"organization": organization_id, "id": connection_id}
        )
        if not rows:
            raise NotFound(what="The connection of this module")
        _, _, connector_name, kind, base_url, settings, sealed = rows[0]
        keyring = await self._vault.keyring(organization_id)
        secrets = msgspec.json.decode(
            keyring.open(sealed, seal_aad(organization_id, connection_id, base_url))
        )
        account = dataclasses.replace(
            self.opened(connector_name, kind, base_url, settings, secrets),
            organization_id=organization_id,
            connection_id=connection_id,
        )
        self._cache[key] = (time.monotonic() + _KEEP_SECONDS, account)
        return account

    def opened(
        self,
        connector_name: str,
        kind: str,
        base_url: str,
        settings: Mapping[str, Any],
        secrets: Mapping[str, str],
    ) -> Account:
        """An account from its parts, stored or just typed in."""
        connector = self._connector(connector_name)
        if connector is None or kind not in connector.connections:
            raise Misconfigured(
                reason=f"there is no connection kind {kind!r} of {connector_name!r}"
            )
        definition = connector.connections[kind]
        known = {field.name for field in dataclasses.fields(definition.form)}
        values = {name: value for name, value in settings.items() if name in known}
        values |= {name: Secret(value) for name, value in secrets.items() if name in known}
        try:
            form = definition.form(**values)
        except TypeError as error:
            raise Misconfigured(
                reason=f"the {connector.label} connection is incomplete: {error}"
            ) from error
        if not base_url and definition.base_of is not None:
            base_url = definition.base_of(form)
        return Account(connector, definition, base_url or definition.base_url, form)

    async def of_module(
        self,
        organization_id: UUID,
        module: ModuleDef,
        placed: int,
        parameters: Mapping[str, Any],
        mapper: Mapping[str, Any],
        bound: Mapping[str, str],
    ) -> Account | None:
        """What the requests of a placed module are signed with; ``None``: nothing.

        ``mapper`` is evaluated. `Misconfigured` as `bound_ids`, and if a connection is of a kind
        that does not fit.
        """
        connector = self._connector(module.connector)
        has = connector is not None and bool(connector.connections)
        ids = bound_ids(module, placed, parameters, mapper, bound, has_connections=has)
        if not ids:
            return None
        opened = [await self.get(organization_id, each) for each in ids]
        if module.needs_connection is not None:
            asked = module.needs_connection(parameters, mapper)
            for parameter, account in zip(asked, opened, strict=True):
                _check_kind(module, placed, parameter, account)
        first, *more = opened
        return dataclasses.replace(first, also=tuple(more)) if more else first

    async def send(self, organization_id: UUID, connection_id: UUID, request: Request) -> Response:
        """Makes absolute, signs and sends."""
        return await self.send_as(await self.get(organization_id, connection_id), request)

    async def send_as(
        self,
        account: Account,
        request: Request,
        *,
        run_id: UUID | None = None,
        marks: bool = True,
        files: Files | None = None,
        permit: Callable[[], None] = lambda: None,
    ) -> Response:
        """The same with an account at hand. A token that is refused is fetched anew, once.
        ``permit`` is asked when nothing but the sending is left, and may raise.

        What was sent is noted with the connection; and that it must be connected anew, if the
        answer says so and ``marks`` is not off.
        """
        target = absolute(request, account.base_url)
        keyed: list[Account] = []
        once = functools.partial(self._try, account, target, run_id, files, keyed, permit)
        response, again = await self.governor.through(account, target, run_id, once)
        if response.status == 401 and again:  # refused, so nothing was done
            response, _ = await self.governor.through(account, target, run_id, once)
        if marks and response.status >= 400 and keyed:
            error = refusal(account.connector, response, "read")
            if isinstance(error, Reconnect):
                self.recorder.broken(keyed[0], error.message)
        return response

    async def _try(
        self,
        account: Account,
        target: Request,
        run_id: UUID | None,
        files: Files | None,
        keyed: list[Account],
        permit: Callable[[], None],
    ) -> tuple[Response, bool]:
        """The answer, and whether another token may get a better one.

        ``keyed`` becomes those accounts whose key the request carried: what a refusal is about.
        """
        signed, used, keyed[:] = await self._signed(account, target)
        permit()
        begun = time.perf_counter()
        try:
            response = await self._transport.send(signed, files)
        except JunctorError as error:
            spent = time.perf_counter() - begun
            for each in (account, *account.also):
                self.recorder.note(each, target, None, error, spent, run_id)
            raise
        spent = time.perf_counter() - begun
        for each in (account, *account.also):
            self.recorder.note(each, target, response, None, spent, run_id)
        others = [refused() for refused in used] if response.status == 401 else []
        return _without_secrets(response, target, signed), any(others)

    async def test(self, account: Account, *, marks: bool = True) -> Response:
        """The connection's own test request. `Misconfigured` if it has none.

        ``marks``: as for `send_as`.

        If there is nothing to ask, what can be made of the account without a request is made: its
        token is fetched.
        """
        test = account.definition.test
        if test is None:
            raise Misconfigured(reason=f"a {account.connector.label} connection can't be tested")
        form = account.form
        if account.definition.oauth is not None:
            form, _ = await self._form(account)
        request = test if isinstance(test, Request) else test(form)
        if request is not None:
            return await self.send_as(account, request, marks=marks)
        await self._form(account)
        return Response(204, {}, b"")

    async def _signed(
        self, account: Account, target: Request
    ) -> tuple[Request, list[Callable[[], bool]], list[Account]]:
        """The request as it is sent; for each token that it carries and that was kept from before,
        what to call if it is refused: whether another one can be had; and the accounts that put a
        key into it. A certificate or a proxy is none.
        """
        signed = target
        used, keyed = [], []
        for each in (account, *account.also):
            form, refused = await self._form(each)
            if refused is not None:
                used.append(refused)
            before, signed = signed, each.definition.sign(signed, form)
            if (before.headers, before.query, before.url) != (
                signed.headers,
                signed.query,
                signed.url,
            ):
                keyed.append(each)
        if origin(signed.url) != origin(target.url):
            raise Misconfigured(reason="signing must not change where a request goes")
        return signed, used, keyed

    async def _form(self, account: Account) -> tuple[Any, Callable[[], bool] | None]:
        """The account's form, with a token if it works by one; and what to call if that is
        refused.
        """
        if account.definition.oauth is not None:
            return await self._authorized(account, account.definition.oauth)
        grant = account.definition.grant
        request = grant.request(account.form) if grant is not None else None
        if grant is None or request is None:
            return account.form, None

        async def fetch() -> Token:
            return grant.granted(await self.ask(account, request))

        token, refused = await self._fetched(request, fetch)
        return grant.put(account.form, token), refused

    async def _authorized(
        self, account: Account, oauth: OAuth
    ) -> tuple[Any, Callable[[], bool] | None]:
        """The form with the token that its owner allowed, or with a narrower one had by it."""
        held: Held = await self.tokens.held(account)
        narrower = self._narrower(account, oauth, held)
        if narrower is None:
            return oauth.put(account.form, held.token), lambda: self.tokens.refuse(account, held)

        async def fetch() -> Token:
            nonlocal held
            response = await self.ask(account, narrower)
            if response.status == 401 and self.tokens.refuse(account, held):
                held = await self.tokens.held(account)
                response = await self.ask(account, self._narrower(account, oauth, held) or narrower)
            try:
                return oauth.granted(response)
            except Reconnect as error:
                self.recorder.broken(account, error.message)
                raise

        derived, refused = await self._fetched(narrower, fetch)
        derived = dataclasses.replace(derived, facts={**held.token.facts, **derived.facts})
        return oauth.put(account.form, derived), refused

    @staticmethod
    def _narrower(account: Account, oauth: OAuth, held: Held) -> Request | None:
        made = oauth.derive(account.form, held.token) if oauth.derive is not None else None
        return None if made is None else absolute(made, account.base_url)

    async def _fetched(
        self, request: Request, fetch: Callable[[], Awaitable[Token]]
    ) -> tuple[Token, Callable[[], bool] | None]:
        """A token that is kept in memory, or fetched."""
        # What a token is asked for with is all that decides which one is right; kept as a hash.
        key = fingerprint(request)

        def refused() -> bool:
            self._tokens.pop(key, None)
            return True

        kept = self._tokens.get(key)
        if kept is not None and kept[0] > time.monotonic():
            return kept[1], refused
        async with self._fetching.setdefault(key, asyncio.Lock()):
            kept = self._tokens.get(key)
            if kept is not None and kept[0] > time.monotonic():
                return kept[1], refused
            token = await fetch()
            age = _UNTOLD if token.expires_in is None else token.expires_in
            self._tokens[key] = (time.monotonic() + max(age - _SPARE, age / 2), token)
            while len(self._tokens) > _MOST_TOKENS:
                self._tokens.popitem(last=False)
        return token, None

    async def ask(self, account: Account, request: Request) -> Response:
        """Sends the request for a token, through the account's proxy if it has one.

        However it fails, the module's own request was not sent.
        """
        if account.base_url or account.definition.oauth is not None:
            request = _beside(request, account.base_url)
        for each in account.also:
            if each.definition.grant is None and not each.base_url:
                try:
                    request = each.definition.sign(request, each.form)
                except Misconfigured:
                    continue  # a certificate for other hosts
        try:
            return await self._transport.send(request)
        except Uncertain as error:
            host = urlsplit(request.url).hostname or ""
            raise NotSent(
                host=host, reason=f"no access token: {error.params.get('reason', error.message)}"
            ) from error


def _beside(request: Request, base_url: str) -> Request:
    """A request for a token: below the base URL, or where its vendor's connector says."""
    return absolute(request, base_url) if request.url.startswith("/") else request


def _check_kind(module: ModuleDef, placed: int, parameter: str, account: Account) -> None:
    kinds = module.connection_kinds.get(parameter, ())
    known = account.connector.connections
    fits = any(known.get(kind) is account.definition for kind in kinds or known)
    if account.connector.name != module.connector or not fits:
        raise Misconfigured(
            reason=f"the connection that module {placed} ({module.id}) has for {parameter} is "
            f"'{account.definition.label or account.connector.label}'; choose one of "
            f"'{module.connector}' of the kind {' or '.join(kinds) or 'that it asks for'}"
        )


def _without_secrets(response: Response, target: Request, signed: Request) -> Response:
    """The answer, without a key in its address that only signing had put into the query."""
    added = {str(value) for _, value in set(_rows(signed.query)) - set(_rows(target.query))}
    if not added or not response.url:
        return response
    parts = urlsplit(response.url)
    rows = parse_qsl(parts.query, keep_blank_values=True)
    kept = urlencode([(name, value) for name, value in rows if value not in added])
    return dataclasses.replace(response, url=urlunsplit(parts._replace(query=kept)))


def _rows(values: Any) -> list[tuple[str, str]]:
    pairs = values.items() if isinstance(values, Mapping) else values
    return [(name, str(value)) for name, value in pairs]
