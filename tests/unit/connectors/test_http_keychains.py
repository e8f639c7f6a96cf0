"""Keychains: where they may go, what they add, what they refuse."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from junctor.connectors.http import http
from junctor.errors import BundleInvalid, Misconfigured, RateLimited, Reconnect, VendorUnavailable
from junctor.language.connector import Proxy, Request, Response, Secret
from junctor.language.forms import build

HOSTS = "api.example.com, *.example.org"
URL = "https://api.example.com/v1"


def form(kind: str, **values: Any) -> Any:
    return build(http.connections[kind].form, {"hosts": HOSTS, **values})


def signed(kind: str, request: Request | None = None, **values: Any) -> Request:
    given = request if request is not None else Request("GET", URL)
    return http.connections[kind].sign(given, form(kind, **values))


def test_a_key_in_a_header() -> None:
    typed = Request("GET", URL, headers={"x-api-key": "mapped", "A": "b"})
    made = signed("apikey", typed, key="long-key", name="X-API-Key")
    assert made.headers == {"A": "b", "X-API-Key": "long-key"}
    made = signed("apikey", key="long-key", template="Bearer {key}")
    assert made.headers == {"Authorization": "Bearer long-key"}


def test_a_key_in_the_query() -> None:
    typed = Request("GET", URL, query=(("key", "mapped"), ("a", "1"), ("a", "2")))
    made = signed("apikey", typed, key="long-key", placement="query", name="key")
    assert made.query == (("a", "1"), ("a", "2"), ("key", "long-key"))
    made = signed("apikey", Request("GET", URL, query={"a": "1"}), key="k", placement="query")
    assert made.query == (("a", "1"), ("Authorization", "k"))


def test_user_and_password() -> None:
    assert signed("basic", user="ü", password="p").headers == {"Authorization": "Basic w7w6cA=="}
    assert signed("basic", user="u").headers == {"Authorization": "Basic dTo="}


def test_a_typed_token() -> None:
    made = signed("oauth2", flow="token", accessToken="tok", prefix="token")
    assert made.headers == {"Authorization": "token tok"}


def test_a_proxy_has_no_hosts_of_others() -> None:
    proxy: Any = build(
        http.connections["proxy"].form,
        {"url": "http://p.test:3128/", "user": "u", "password": "pw"},
    )
    made = http.connections["proxy"].sign(Request("GET", "https://anywhere.test/"), proxy)
    assert made.proxy == Proxy(url="http://p.test:3128", user="u", password=Secret("pw"))
    assert "pw" not in repr(made)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.test/",
        "http://api.example.com/",
        "https://api.example.com:8443/",
        "https://api.example.com.evil.test/",
        "https://evil.test/?x=api.example.com",
        "https://u:p@api.example.com/",
        "https://evil.test\\@api.example.com/",
        "https://api.example.com\\.evil.test/",
        "https://api.example.com\t.evil.test/",
        "https://example.org/",
        "https://evilexample.org/",
        "https://api.example.com:x/",
    ],
)
@pytest.mark.parametrize("kind", ["apikey", "basic", "oauth2"])
def test_no_other_host_gets_it(kind: str, url: str) -> None:
    filled: dict[str, dict[str, Any]] = {
        "apikey": {"key": "canary"},
        "basic": {"user": "u", "password": "canary"},
        "oauth2": {"flow": "token", "accessToken": "canary"},
    }
    with pytest.raises(Misconfigured, match="add this host to the connection") as caught:
        signed(kind, Request("GET", url), **filled[kind])
    assert "canary" not in str(caught.value)
    assert HOSTS in str(caught.value)


@pytest.mark.parametrize(
    ("hosts", "url"),
    [
        (HOSTS, "https://API.example.com./v1"),
        (HOSTS, "https://a.b.example.org/v1"),
        ("api.example.com:8443", "https://api.example.com:8443/"),
        ("http://10.0.0.7:8080", "http://10.0.0.7:8080/x"),
        ("[2001:db8::1]:8443", "https://[2001:db8::1]:8443/"),
        ("https://a.test/", "https://a.test/deep/path"),
    ],
)
def test_its_hosts_get_it(hosts: str, url: str) -> None:
    assert signed("basic", Request("GET", url), hosts=hosts, user="u").headers


@pytest.mark.parametrize(
    ("kind", "values", "reason"),
    [
        ("apikey", {"key": "k", "hosts": " , "}, "name the hosts"),
        ("apikey", {"key": "k", "hosts": "*"}, "is no host"),
        ("apikey", {"key": "k", "hosts": "*.com"}, "too wide"),
        ("apikey", {"key": "k", "hosts": "a.test/path"}, "without a path"),
        ("apikey", {"key": "k", "hosts": "ftp://a.test"}, "is no host"),
        ("apikey", {"key": "k", "hosts": "a.test:99999"}, "is no host"),
        ("apikey", {"key": "k", "hosts": "u@a.test"}, "is no host"),
        ("apikey", {"key": "k", "name": "Accept"}, "no header for a key"),
        ("apikey", {"key": "k", "name": "X Key"}, "no header for a key"),
        ("apikey", {"key": "k\r\nX: y"}, "line break"),
        ("apikey", {"key": "k", "template": "Bearer"}, "must stand in it once"),
        ("apikey", {"key": "k", "placement": "query", "name": " "}, "name"),
        ("basic", {"user": "a:b"}, "colon"),
        ("oauth2", {"flow": "token"}, "type the token"),
        ("oauth2", {"clientId": "c", "tokenUrl": "https://t.test"}, "client credentials need"),
        (
            "oauth2",
            {"clientId": "c", "clientSecret": "s", "tokenUrl": "http://t.test"},
            "begins with https",
        ),
        ("tls", {}, "give a client certificate"),
        ("tls", {"authorities": "nonsense"}, "BEGIN CERTIFICATE"),
        ("proxy", {"url": "https://p.test:1"}, "http://host:port"),
        ("proxy", {"url": "http://p.test"}, "http://host:port"),
        ("proxy", {"url": "http://u:p@p.test:1"}, "have fields"),
    ],
)
def test_what_a_form_refuses(kind: str, values: dict[str, Any], reason: str) -> None:
    if reason == "name":
        values = {**values, "name": ""}
        assert form(kind, **values).name == "Authorization"  # empty leaves the default
        return
    with pytest.raises(BundleInvalid, match=reason):
        form(kind, **values)


def test_a_test_address_is_bound_too() -> None:
    test = http.connections["basic"].test
    assert callable(test)
    assert test(form("basic", user="u")) is None
    made = test(form("basic", user="u", testUrl=URL))
    assert made is not None
    assert (made.method, made.url) == ("GET", URL)
    with pytest.raises(Misconfigured):
        form("basic", user="u", testUrl="https://evil.test/")


def test_a_certificate_needs_its_key() -> None:
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"word"),
    )
    from junctor.connectors.http import keychains

    keychains._check_key(Secret(key.decode()), Secret("word"))
    for given, password in ((None, None), (Secret("x"), None), (Secret(key.decode()), None)):
        with pytest.raises(BundleInvalid, match="private key"):
            keychains._check_key(given, password)


# Tokens

CLIENT = {"clientId": "id", "clientSecret": "s/1", "tokenUrl": "https://login.test/token"}


def grant() -> Any:
    return http.connections["oauth2"].grant


def test_a_token_is_asked_for_as_the_standard_says() -> None:
    made = grant().request(form("oauth2", **CLIENT, scope="a b", audience="x"))
    assert made.url == "https://login.test/token"
    assert made.form == {"grant_type": "client_credentials", "scope": "a b", "audience": "x"}
    assert made.headers["Authorization"] == "Basic aWQ6cyUyRjE="  # id:s%2F1
    made = grant().request(form("oauth2", **CLIENT, clientIn="body"))
    assert made.form["client_secret"] == "s/1"
    assert "Authorization" not in made.headers
    assert grant().request(form("oauth2", flow="token", accessToken="t")) is None


def test_a_token_is_read_and_put_in_place() -> None:
    body = b'{"access_token":"tok","expires_in":"3600","refresh_token":"ref"}'
    token = grant().granted(Response(200, {}, body))
    assert (token.value, token.expires_in, token.refresh) == ("tok", 3600.0, "ref")
    assert "tok" not in repr(token)
    account = grant().put(form("oauth2", **CLIENT), token)
    assert http.connections["oauth2"].sign(Request("GET", URL), account).headers == {
        "Authorization": "Bearer tok"
    }


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, b'{"error":"invalid_client","error_description":"no such"}', Reconnect),
        (401, b"no", Reconnect),
        (200, b"{}", Reconnect),
        (200, b'{"access_token":7}', Reconnect),
        (429, b"", RateLimited),
        (503, b"", VendorUnavailable),
    ],
)
def test_no_token(status: int, body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        grant().granted(Response(status, {}, body))
    if b"invalid_client" in body:
        assert "invalid_client no such" in str(caught.value)
