"""The HTTP modules: what is sent, what comes out, what is an error."""

from __future__ import annotations

from typing import Any

import pytest

from junctor.connectors.http import http
from junctor.errors import (
    BundleInvalid,
    DataError,
    RateLimited,
    Uncertain,
    VendorRefused,
    VendorUnavailable,
)
from junctor.language.calls import parsed
from junctor.language.connector import Multipart, Part, Request, Response
from junctor.language.forms import bind

URL = "https://x.test/a"


def started(name: str, parameters: dict[str, Any] | None = None, **mapper: Any) -> Any:
    module = http.modules[name]
    return module.function(**bind(module, {"url": URL, **mapper}, parameters or {}))


def request(name: str, parameters: dict[str, Any] | None = None, **mapper: Any) -> Request:
    made: Request = next(started(name, parameters, **mapper))
    return made


def result(
    name: str, response: Response, parameters: dict[str, Any] | None = None, **mapper: Any
) -> Any:
    flow = started(name, parameters, **mapper)
    next(flow)
    try:
        flow.send(response)
    except StopIteration as stop:
        return stop.value
    pytest.fail("the flow wants another answer")


V3, V4 = "ActionSendData", "MakeRequest"


def test_v3_raw_body_as_exported() -> None:
    sent = request(
        V3,
        method="post",
        headers=[{"name": "X-A", "value": "1"}, {"name": "", "value": "x"}],
        qs=[{"name": "q", "value": 1}],
        bodyType="raw",
        contentType="application/json",
        data='{"a":1}',
        timeout="",
        shareCookies=False,
        followRedirect=True,
        rejectUnauthorized=True,
        serializeUrl=False,
        gzip=True,
    )
    assert sent == Request(
        "POST",
        URL,
        query=(("q", "1"),),
        headers={"X-A": "1", "Content-Type": "application/json"},
        body=b'{"a":1}',
        timeout=40,
        raises=False,
    )


def test_v3_forms() -> None:
    fields = [{"key": "a", "value": 1}, {"key": "a", "value": 2}]
    sent = request(V3, method="post", bodyType="x_www_form_urlencoded", formFields=fields)
    assert sent.form == (("a", "1"), ("a", "2"))
    rows = [
        {"fieldType": "text", "key": "a", "value": "1"},
        {"fieldType": "file", "key": "f", "fileName": "x.txt", "data": "hi"},
    ]
    for name in ("formData", "formDataFields"):
        mapper: dict[str, Any] = {name: rows}
        sent = request(V3, method="post", bodyType="multipart_form_data", **mapper)
        assert sent.body == Multipart((Part("a", b"1"), Part("f", b"hi", filename="x.txt")))


def test_v3_credentials_and_redirects() -> None:
    sent = request(V3, authUser="u", authPass="p")
    assert sent.headers["Authorization"] == "Basic dTpw"
    assert sent.redirects == 10
    assert request(V3, method="post").redirects == 0
    assert request(V3, method="post", followAllRedirects=True).redirects == 10
    assert not request(V3, rejectUnauthorized=False).verify_tls


def test_v4_json_as_exported() -> None:
    sent = request(
        V4,
        {"authenticationType": "noAuth", "tlsType": "", "proxyKeychain": ""},
        method="post",
        headers=[{"name": "A", "value": "b"}],
        contentType="json",
        inputMethod="jsonString",
        jsonStringBodyContent='{"a":1}',
        allowRedirects=False,
        requestCompressedContent=False,
        timeout="300",
    )
    assert sent == Request(
        "POST",
        URL,
        headers={"A": "b", "Accept-Encoding": "identity", "Content-Type": "application/json"},
        body=b'{"a":1}',
        timeout=300,
        raises=False,
    )


def test_v4_other_bodies() -> None:
    rows = [{"name": "a", "value": "1"}]
    assert request(V4, contentType="urlEncoded", urlEncodedBodyContent=rows).form == (("a", "1"),)
    sent = request(V4, contentType="custom", rawBodyContent="x", contentTypeValue="text/x")
    assert (sent.body, sent.headers["Content-Type"]) == (b"x", "text/x")
    sent = request(V4, contentType="json", inputMethod="dataStructure", bodyContent={"a": [1]})
    assert sent.body == b'{"a":[1]}'
    sent = request(V4, body='{"a":1}', bodyContentType="application/json")
    assert (sent.body, sent.headers["Content-Type"]) == (b'{"a":1}', "application/json")
    sent = request(V4, contentType="multipart", multipartBodyContent=[{"key": "a", "value": 1}])
    assert sent.body == Multipart((Part("a", b"1"),))


@pytest.mark.parametrize(
    ("name", "parameters", "mapper", "needed"),
    [
        (V4, {"authenticationType": "noAuth", "tlsType": "", "proxyKeychain": ""}, {}, ()),
        (V4, {}, {"authenticationType": "none"}, ()),
        (V4, {"authenticationType": "apiKey", "apiKeyKeychain": 1}, {}, ("apiKeyKeychain",)),
        (V4, {"authenticationType": "basicAuth"}, {}, ("basicAuthKeychain",)),
        (
            "DownloadFile",
            {"authenticationType": "oAuth", "tlsType": "mTls", "proxyKeychain": 7},
            {},
            ("oAuthAccount", "tlsKeychain", "proxyKeychain"),
        ),
        (V3, {}, {}, ()),
        (V3, {}, {"useMtls": True}, ("tlsKeychain",)),
        ("ActionSendDataAPIKeyAuth", {"auth": 5}, {"useMtls": "true"}, ("auth", "tlsKeychain")),
        ("ActionSendDataBasicAuth", {}, {"useMtls": False}, ("key",)),
        ("ActionSendDataOAuth", {}, {}, ("account",)),
        ("ActionGetFile", {}, {}, ()),
    ],
)
def test_which_connections_a_module_asks_for(
    name: str, parameters: dict[str, Any], mapper: dict[str, Any], needed: tuple[str, ...]
) -> None:
    module = http.modules[name]
    assert module.needs_connection is not None
    assert module.needs_connection(parameters, mapper) == needed
    for parameter in needed:
        assert set(module.connection_kinds[parameter]) <= set(http.connections)


@pytest.mark.parametrize(
    "url", ["x", "ftp://x.test", "https://", "//x.test", "http://[::1", "javascript:1"]
)
def test_an_address_must_be_one(url: str) -> None:
    with pytest.raises(BundleInvalid, match="start it with https://"):
        request(V3, url=url)


def test_a_header_cannot_be_forged() -> None:
    with pytest.raises(BundleInvalid, match="line break"):
        request(V4, headers=[{"name": "A", "value": "b\nC: d"}])


def test_the_timeout_has_its_bounds() -> None:
    with pytest.raises(BundleInvalid, match="too large; the most is 300"):
        request(V3, timeout=30_000)


@pytest.mark.parametrize(
    ("kind", "body", "parse", "data"),
    [
        ("application/json", b'{"a":1}', True, {"a": 1}),
        ("application/json", b'{"a":1}', False, '{"a":1}'),
        ("application/problem+json", b'{"a":1}', False, '{"a":1}'),
        ("text/plain", b"hi", True, "hi"),
        ("text/plain", b'{"a":1}', True, {"a": 1}),
        ("text/html; charset=latin-1", b"\xe4", True, "ä"),
        ("image/png", b"\x89PNG", True, b"\x89PNG"),
        ("image/png", b"\x89PNG", False, b"\x89PNG"),
        ("", b"", True, ""),
    ],
)
def test_what_comes_out(kind: str, body: bytes, parse: bool, data: Any) -> None:
    response = Response(200, {"content-type": kind}, body)
    assert result(V4, response, parseResponse=parse) == {
        "statusCode": 200,
        "headers": {"content-type": kind},
        "data": data,
    }


def test_v3_gives_headers_as_rows() -> None:
    response = Response(200, {"x-a": "1", "set-cookie": "a=1\nb=2"}, b"hi")
    found = result(V3, response)
    assert found["headers"] == [
        {"name": "x-a", "value": "1"},
        {"name": "set-cookie", "value": "a=1"},
        {"name": "set-cookie", "value": "b=2"},
    ]
    assert (found["cookieHeaders"], found["fileSize"]) == (["a=1", "b=2"], 2)
    assert result(V3, Response(200, {}, b""))["cookieHeaders"] == []


@pytest.mark.parametrize(
    ("method", "status", "error"),
    [
        ("get", 404, VendorRefused),
        ("get", 401, VendorRefused),
        ("get", 429, RateLimited),
        ("get", 500, VendorUnavailable),
        ("put", 502, VendorUnavailable),
        ("post", 502, Uncertain),
        ("post", 503, VendorUnavailable),
    ],
)
def test_statuses_as_errors(method: str, status: int, error: type[Exception]) -> None:
    response = Response(status, {"retry-after": "7"}, b"because")
    with pytest.raises(error, match="because"):
        result(V4, response, method=method)
    with pytest.raises(error):
        result(V3, response, {"handleErrors": True}, method=method)


def test_statuses_as_data() -> None:
    response = Response(500, {}, b"no")
    assert result(V3, response, {"handleErrors": False})["statusCode"] == 500
    assert result(V4, response, stopOnHttpError=False)["data"] == "no"
    assert result(V3, Response(302, {}, b""), {"handleErrors": True})["statusCode"] == 302


def test_a_redirect_that_was_followed_too_often_is_a_refusal() -> None:
    again = Response(307, {"location": "/"}, b"")
    with pytest.raises(VendorRefused, match="redirected more than 10 times"):
        result(V3, again, {"handleErrors": True}, method="post", followAllRedirects=True)
    with pytest.raises(VendorRefused, match="redirected more than 10 times"):
        result(V4, again)
    not_followed = result(V3, again, {"handleErrors": True}, method="post")
    assert not_followed["statusCode"] == 307


def test_a_rate_limit_says_when() -> None:
    with pytest.raises(RateLimited) as caught:
        result(V4, Response(429, {"retry-after": "7"}, b""))
    assert caught.value.retry_after == 7


def test_an_unreadable_answer_that_says_json_stays_text_when_parsing_is_forced() -> None:
    response = Response(200, {"content-type": "application/json"}, b"{")
    assert result(V4, response)["data"] == "{"
    with pytest.raises(DataError, match="turn off parsing"):
        parsed(response)


def test_effects_follow_the_method() -> None:
    for module in http.modules.values():
        assert module.effect == ("read" if "File" in module.name else "once")
        if module.name == "DownloadFile":
            continue
        assert module.effect_of is not None
        effects = [module.effect_of({"method": name}) for name in ("", "Head", "delete", "patch")]
        assert effects == ["read", "read", "idempotent", "once"]
