"""Connections at work: which ones a module uses, how they sign, and tokens that are kept."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
from typing import Any
from uuid import UUID, uuid4

import pytest

from junctor.connectors.http import http
from junctor.connectors.toky import toky
from junctor.errors import Misconfigured, NotSent, Reconnect, Uncertain
from junctor.language.connector import Request, Response, Secret
from junctor.runtime.accounts import Account, Accounts, absolute, bound_ids
from junctor.testing.transport import FakeTransport
from tests.support import asynchronous

URL = "https://api.example.com/v1"
ONE, TWO, THREE = uuid4(), uuid4(), uuid4()
MODULE = http.modules["MakeRequest"]
KNOWN = {"http": http, "toky": toky}


class Opened(Accounts):
    """Accounts that are not in a database."""

    def __init__(self, transport: FakeTransport, **accounts: Account) -> None:
        super().__init__(None, vault=None, transport=transport, connector=KNOWN.get)  # type: ignore[arg-type]  # not used here
        self.known = {UUID(key): account for key, account in accounts.items()}

    async def get(self, organization_id: UUID, connection_id: UUID) -> Account:
        del organization_id
        return self.known[connection_id]


def account(kind: str, **values: Any) -> Account:
    definition = http.connections[kind]
    given = values if kind == "proxy" else {"hosts": "api.example.com", **values}
    return Account(http, definition, "", definition.form(**given))


def key(**values: Any) -> Account:
    return account("apikey", key=Secret("canary-key"), **values)


PROXY = account("proxy", url="http://p.test:3128")


def accounts(transport: FakeTransport | None = None) -> Opened:
    sent = transport or FakeTransport(lambda _: Response(200, {}, b""))
    known = {str(ONE): key(), str(TWO): PROXY, str(THREE): account("basic", user="u")}
    return Opened(sent, **known)


ASKS = {"authenticationType": "apiKey", "proxyKeychain": 1}


@pytest.mark.parametrize(
    ("parameters", "bound", "ids"),
    [
        ({}, {}, ()),
        ({}, {"3": str(ONE)}, ()),
        ({"authenticationType": "apiKey"}, {"3": str(ONE)}, (ONE,)),
        (ASKS, {"3": str(ONE), "3.proxyKeychain": str(TWO)}, (ONE, TWO)),
        (ASKS, {"3.apiKeyKeychain": str(ONE), "3.proxyKeychain": str(TWO)}, (ONE, TWO)),
    ],
)
def test_which_connections_are_used(
    parameters: dict[str, Any], bound: dict[str, str], ids: tuple[UUID, ...]
) -> None:
    assert bound_ids(MODULE, 3, parameters, {}, bound, has_connections=True) == ids


@pytest.mark.parametrize(
    ("bound", "missing"),
    [({}, "'apikey' (apiKeyKeychain)"), ({"3": str(ONE)}, "'proxy' (proxyKeychain)")],
)
def test_a_connection_that_is_missing_is_named(bound: dict[str, str], missing: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        bound_ids(MODULE, 3, ASKS, {}, bound, has_connections=True)
    assert missing in str(caught.value)
    assert "choose one for it" in str(caught.value)


def test_other_modules_need_the_one_of_their_connector() -> None:
    module = next(iter(toky.modules.values()))
    assert bound_ids(module, 3, {}, {}, {"3": str(ONE)}, has_connections=True) == (ONE,)
    assert bound_ids(module, 3, {}, {}, {}, has_connections=False) == ()
    with pytest.raises(Misconfigured, match="has no connection"):
        bound_ids(module, 3, {}, {}, {}, has_connections=True)


@asynchronous
async def test_a_module_signs_with_all_its_connections() -> None:
    transport = FakeTransport(lambda _: Response(200, {}, b""))
    opened = accounts(transport)
    bound = {"3": str(ONE), "3.proxyKeychain": str(TWO)}
    found = await opened.of_module(uuid4(), MODULE, 3, ASKS, {}, bound)
    assert found is not None
    await opened.send_as(found, Request("GET", URL))
    assert transport.sent[0].headers == {"Authorization": "canary-key"}
    assert transport.sent[0].proxy is not None
    assert await opened.of_module(uuid4(), MODULE, 3, {}, {}, {}) is None


@asynchronous
async def test_a_connection_of_another_kind_is_refused() -> None:
    asks = {"authenticationType": "apiKey"}
    with pytest.raises(Misconfigured, match="of the kind apikey"):
        await accounts().of_module(uuid4(), MODULE, 3, asks, {}, {"3": str(THREE)})


@asynchronous
async def test_a_keychain_goes_to_its_hosts_only() -> None:
    transport = FakeTransport(lambda _: Response(200, {}, b""))
    with pytest.raises(Misconfigured, match="may not be sent to"):
        await accounts(transport).send_as(key(), Request("GET", "https://evil.test/"))
    assert not transport.sent


@asynchronous
async def test_a_keychain_that_is_refused_is_marked_and_a_proxy_is_not() -> None:
    opened = accounts(FakeTransport(lambda _: Response(401, {}, b"no such key")))
    marked: list[tuple[Account, str]] = []
    opened.recorder.broken = lambda account, reason: marked.append((account, reason))  # type: ignore[method-assign]  # only what is marked is of interest
    keychain = dataclasses.replace(key(), organization_id=uuid4(), connection_id=uuid4())
    await opened.send_as(keychain, Request("GET", URL))
    [(account, reason)] = marked
    assert account is keychain
    assert "refused the connection (401): no such key" in reason
    found = await opened.get(uuid4(), TWO)  # a proxy carries no key to the vendor
    await opened.send_as(found, Request("GET", URL))
    await opened.send_as(keychain, Request("GET", URL), marks=False)
    assert len(marked) == 1


@pytest.mark.parametrize(
    ("base", "url", "sent"),
    [
        ("https://acme.signalwire.com", "https://acme.signalwire.com/api/x", ""),
        ("https://ACME.signalwire.com", "https://acme.signalwire.com:443/api/x", ""),
        ("http://127.0.0.1:9/v1", "http://127.0.0.1:9/v1/a", ""),
        ("https://api.toky.co/v1", "/a", "https://api.toky.co/v1/a"),
    ],
)
def test_an_address_of_the_connection_s_own_origin_is_kept(base: str, url: str, sent: str) -> None:
    assert absolute(Request("GET", url), base).url == (sent or url)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.test/api",
        "http://acme.signalwire.com/api",
        "https://acme.signalwire.com:8443/api",
        "https://acme.signalwire.com@evil.test/api",
        "https://other.signalwire.com/api",
    ],
)
def test_any_other_address_is_refused_by_both_names(url: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        absolute(Request("GET", url), "https://acme.signalwire.com")
    assert "the connection for https://acme.signalwire.com:" in caught.value.message
    shown = url.replace("acme.signalwire.com@", "").removesuffix("/api")
    assert f"the request is for {shown}," in caught.value.message


def test_without_a_base_an_address_stays_as_it_is() -> None:
    assert absolute(Request("GET", URL), "") == Request("GET", URL)


@asynchronous
async def test_a_key_in_the_query_is_not_in_the_answer() -> None:
    def answer(request: Request) -> Response:
        return Response(200, {}, b"", request.url + "?a=1&key=canary-key&echo=canary-key")

    found = await accounts(FakeTransport(answer)).send_as(
        key(placement="query", name="key"), Request("GET", URL, query=(("a", "1"),))
    )
    assert found.url == URL + "?a=1"


# Tokens


class Vendor:
    """Gives numbered tokens, and takes those that it has not forgotten."""

    def __init__(self, age: float | None = 3600) -> None:
        self.given = 0
        self.good: set[str] = set()
        self.age = age
        self.transport = FakeTransport(self.answer)

    def answer(self, request: Request) -> Response:
        if request.url == "https://login.test/token":
            self.given += 1
            self.good.add(f"Bearer t{self.given}")
            expires = "" if self.age is None else f',"expires_in":{self.age}'
            return Response(200, {}, f'{{"access_token":"t{self.given}"{expires}}}'.encode())
        return Response(200 if request.headers["Authorization"] in self.good else 401, {}, b"")


def client(**values: Any) -> Account:
    given = {"client_id": "c", "client_secret": Secret("s"), **values}
    return account("oauth2", token_url="https://login.test/token", **given)


@asynchronous
async def test_a_token_is_fetched_once_and_again_when_refused() -> None:
    vendor = Vendor()
    opened = accounts(vendor.transport)
    for _ in range(3):
        assert (await opened.send_as(client(), Request("POST", URL))).status == 200
    assert vendor.given == 1
    vendor.good.clear()
    assert (await opened.send_as(client(), Request("POST", URL))).status == 200
    assert vendor.given == 2
    await opened.send_as(client(client_secret=Secret("other")), Request("POST", URL))
    assert vendor.given == 3


@asynchronous
async def test_a_fresh_token_that_is_refused_is_not_tried_again() -> None:
    refusing = FakeTransport(
        lambda request: (
            Response(200, {}, b'{"access_token":"t"}')
            if "login" in request.url
            else Response(401, {}, b"")
        )
    )
    assert (await accounts(refusing).send_as(client(), Request("POST", URL))).status == 401
    assert len(refusing.sent) == 2


@asynchronous
async def test_a_token_that_is_over_is_fetched_anew() -> None:
    vendor = Vendor(age=0.000001)
    opened = accounts(vendor.transport)
    for _ in range(2):
        await opened.send_as(client(), Request("POST", URL))
    assert vendor.given == 2


@asynchronous
async def test_without_a_token_nothing_is_sent() -> None:
    def cut(_: Request) -> Response:
        raise Uncertain(host="login.test", reason="cut")

    with pytest.raises(NotSent, match="no access token: cut"):
        await accounts(FakeTransport(cut)).send_as(client(), Request("POST", URL))
    refusing = FakeTransport(lambda _: Response(400, {}, b'{"error":"invalid_client"}'))
    with pytest.raises(Reconnect, match="invalid_client"):
        await accounts(refusing).send_as(client(), Request("POST", URL))
    assert len(refusing.sent) == 1


def locks() -> int:
    """How many there are in this process."""
    gc.collect()
    return sum(type(each) is asyncio.Lock for each in gc.get_objects())


@asynchronous
async def test_fetching_a_token_leaves_no_lock_behind_however_it_ends() -> None:
    vendor = Vendor()
    opened = accounts(vendor.transport)
    refusing = accounts(FakeTransport(lambda _: Response(400, {}, b'{"error":"no"}')))
    before = locks()
    await asyncio.gather(*(opened.send_as(client(), Request("POST", URL)) for _ in range(3)))
    assert vendor.given == 1
    with pytest.raises(Reconnect):
        await refusing.send_as(client(), Request("POST", URL))
    assert locks() == before


@asynchronous
async def test_testing_a_connection() -> None:
    vendor = Vendor()
    opened = accounts(vendor.transport)
    assert (await opened.test(client())).status == 204
    assert (await opened.test(client(test_url=URL))).status == 200
    assert (await opened.test(PROXY)).status == 204
    assert len(vendor.transport.sent) == 2
