"""Custom webhooks: what comes in, whom they believe, what goes out."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from junctor.connectors.gateway import HookSettings, custom_webhook, gateway
from junctor.errors import BundleInvalid, DataError, Unauthorized
from junctor.language.connector import Answer, Delivery
from junctor.language.forms import bind, build
from junctor.language.learned import learned
from junctor.language.verifiers import caller_of


def delivery(
    body: bytes = b"",
    kind: str = "",
    *,
    query: tuple[tuple[str, str], ...] = (),
    headers: dict[str, str] | None = None,
    **settings: Any,
) -> Delivery:
    return Delivery(
        id="d",
        method="POST",
        query=query,
        headers={**({"content-type": kind} if kind else {}), **(headers or {})},
        body=body,
        received_at=datetime(2026, 1, 2, tzinfo=UTC),
        settings=settings,
    )


def received(*args: Any, **options: Any) -> dict[str, Any]:
    [bundle] = custom_webhook(delivery(*args, **options))
    return bundle


FORM = "application/x-www-form-urlencoded"
JSON = "application/json; charset=utf-8"


@pytest.mark.parametrize(
    ("body", "kind", "bundle"),
    [
        (b"", "", {}),
        (b'{"a":1}', JSON, {"a": 1}),
        (b'{"a":1}', "application/vnd.api+json", {"a": 1}),
        (b'{"a":1}', "", {"a": 1}),
        (b"[1,2]", JSON, {"array": [1, 2]}),
        (b"3", JSON, {"value": 3}),
        (b"{not json", "text/plain", {"value": "{not json"}),
        (b"hi", "text/plain", {"value": "hi"}),
        (b"\xe4", "text/plain; charset=latin-1", {"value": "ä"}),
        (b"\xe4", "text/plain; charset=nonsense", {"value": "\ufffd"}),
        (b"a=1&b=&a=2&a=3", FORM, {"a": ["1", "2", "3"], "b": ""}),
    ],
)
def test_bodies(body: bytes, kind: str, bundle: dict[str, Any]) -> None:
    assert received(body, kind) == bundle


def test_the_query_wins() -> None:
    query = (("a", "q"), ("t", "1"), ("t", "2"))
    assert received(b'{"a":1,"b":2}', JSON, query=query) == {"a": "q", "b": 2, "t": ["1", "2"]}


def test_declared_json_must_be_json() -> None:
    with pytest.raises(DataError, match="not valid JSON"):
        received(b"{", JSON)


MULTIPART = (
    b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\nline\r\nbreak\r\n'
    b'--B\r\nContent-Disposition: form-data; name="f"; filename="x.pdf"\r\n'
    b"Content-Type: application/pdf\r\n\r\n\x00--B\xff\r\n--B--\r\n"
)


def test_multipart() -> None:
    assert received(MULTIPART, 'multipart/form-data; boundary="B"') == {
        "a": "line\r\nbreak",
        "f": {"name": "x.pdf", "mime": "application/pdf", "data": b"\x00--B\xff"},
    }


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (MULTIPART, "multipart/form-data"),
        (MULTIPART[:-8], "multipart/form-data; boundary=B"),
        (b"--B\r\n\r\nx\r\n--B--", "multipart/form-data; boundary=B"),
        (b"--B\r\nno end", "multipart/form-data; boundary=B"),
    ],
)
def test_broken_multipart_is_refused(body: bytes, kind: str) -> None:
    with pytest.raises(DataError, match="multipart"):
        received(body, kind)


def test_a_body_cannot_pretend_to_be_a_file() -> None:
    found = received(b'{"f":{"name":"x","mime":"y","data":"/etc/passwd"}}', JSON)
    assert type(found["f"]["data"]) is str


def test_options() -> None:
    found = received(b'{"a": 1}', JSON, stringify=True, method=True)
    assert found == {"value": '{"a": 1}', "__IMTMETHOD__": "POST"}


def test_credentials_are_no_headers() -> None:
    given = Delivery(
        id="d",
        method="GET",
        query=(),
        headers={"x-a": "1", "authorization": "s", "cookie": "s", "x-make-apikey": "s"},
        body=b"",
        received_at=datetime(2026, 1, 2, tzinfo=UTC),
        settings={"headers": True},
    )
    [bundle] = custom_webhook(given)
    assert bundle == {"__IMTHEADERS__": [{"name": "x-a", "value": "1"}]}


# Whom it believes


def verify(given: Delivery, **settings: Any) -> None:
    hook = gateway.modules["CustomWebHook"].hook
    assert hook is not None
    hook.verify(given, settings)


def test_without_secrets_the_address_is_the_key() -> None:
    verify(delivery())


def test_an_api_key() -> None:
    verify(delivery(headers={"x-make-apikey": "long-key-1"}), api_key="long-key-1")
    with pytest.raises(Unauthorized):
        verify(delivery(headers={"x-make-apikey": "long-key-2"}), api_key="long-key-1")


def test_a_signature() -> None:
    signature = hmac.new(b"long-secret", b"body", hashlib.sha256).hexdigest()
    headers = {"x-signature-256": f"sha256={signature}"}
    verify(delivery(b"body", headers=headers), signing_secret="long-secret")
    with pytest.raises(Unauthorized):
        verify(delivery(b"Body", headers=headers), signing_secret="long-secret")


def test_every_secret_that_is_set_must_match() -> None:
    with pytest.raises(Unauthorized):
        verify(
            delivery(headers={"x-make-apikey": "long-key-1"}),
            api_key="long-key-1",
            signing_secret="long-secret",
        )


# The answer


def answered(**mapper: Any) -> Answer:
    module = gateway.modules["WebhookRespond"]
    answer: Answer = module.function(**bind(module, mapper, {}))
    return answer


@pytest.mark.parametrize(
    ("body", "sent", "kind"),
    [
        ("hi", b"hi", "text/plain; charset=utf-8"),
        (None, b"", "text/plain; charset=utf-8"),
        ({"a": [1]}, b'{"a":[1]}', "application/json"),
        ([1], b"[1]", "application/json"),
        (b"\x00", b"\x00", "application/octet-stream"),
    ],
)
def test_answers(body: Any, sent: bytes, kind: str) -> None:
    assert answered(status="201", body=body) == Answer(
        status=201, headers=(("content-type", kind),), body=sent
    )


def test_headers_of_an_answer() -> None:
    rows = [{"key": "Content-Type", "value": "text/html"}, {"name": "X-A", "value": 1}]
    rows.append({"key": "Content-Length", "value": "9"})
    assert answered(headers=rows).headers == (("content-type", "text/html"), ("x-a", "1"))


def test_an_answer_has_its_bounds() -> None:
    with pytest.raises(BundleInvalid, match="line break"):
        answered(headers=[{"key": "X", "value": "1\r\nSet-Cookie: a"}])
    with pytest.raises(BundleInvalid, match="more than 16"):
        answered(headers=[{"key": f"X-{number}", "value": ""} for number in range(17)])
    with pytest.raises(BundleInvalid, match="too large; the most is 599"):
        answered(status=600)


# Who may call, and what


@pytest.mark.parametrize(
    ("remote", "networks", "good"),
    [
        ("203.0.113.7", ["203.0.113.7"], True),
        ("203.0.113.8", ["203.0.113.7"], False),
        ("203.0.113.8", ["203.0.113.9/24", "10.0.0.0/8"], True),
        ("::ffff:203.0.113.7", ["203.0.113.7"], True),
        ("2001:db8::5", ["2001:db8::/32"], True),
        ("2001:db9::5", ["2001:db8::/32"], False),
        ("", ["0.0.0.0/0"], False),
        ("unix", ["0.0.0.0/0"], False),
    ],
)
def test_only_listed_addresses_may_call(remote: str, networks: list[str], good: bool) -> None:
    given = replace(delivery(), remote=remote)
    if good:
        verify(given, networks=networks)
        return
    with pytest.raises(Unauthorized, match="is not on the list"):
        verify(given, networks=networks)


def test_whom_a_proxy_says_it_was() -> None:
    proxies = ("10.0.0.0/8",)
    assert caller_of("203.0.113.7", "198.51.100.1", ()) == "203.0.113.7"
    assert caller_of("203.0.113.7", "198.51.100.1", proxies) == "203.0.113.7"
    assert caller_of("10.0.0.1", "198.51.100.1", proxies) == "198.51.100.1"
    # What the caller itself wrote stands before what the proxies did.
    assert caller_of("10.0.0.1", "10.9.9.9, 198.51.100.1, 10.0.0.2", proxies) == "198.51.100.1"
    assert caller_of("10.0.0.1", "nonsense", proxies) == "10.0.0.1"
    assert caller_of("10.0.0.1", "", proxies) == "10.0.0.1"


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"networks": ["203.0.113.0/33"]}, "no address or network"),
        ({"networks": ["somewhere"]}, "no address or network"),
        ({"structure": [{"label": "x"}]}, "a list of fields"),
        ({"validation": "types"}, "there is no structure"),
        ({"validation": "other"}, "validation"),
    ],
)
def test_settings_that_can_not_be(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(BundleInvalid, match=reason):
        build(HookSettings, values)


STRUCTURE = [
    {"name": "id", "type": "number", "required": True},
    {"name": "tags", "type": "array", "spec": {"type": "text"}},
]


@pytest.mark.parametrize(
    ("body", "validation", "reason"),
    [
        (b'{"id":1,"tags":["a"]}', "strict", ""),
        (b'{"id":"1","other":2}', "types", ""),
        (b'{"id":"x","other":2}', "off", ""),
        (b'{"id":"x"}', "types", "id"),
        (b'{"tags":[]}', "types", "id"),
        (b'{"id":1,"other":2}', "strict", "other"),
        (b"{", "types", "not valid JSON"),
    ],
)
def test_what_does_not_fit_the_structure(body: bytes, validation: str, reason: str) -> None:
    hook = gateway.modules["CustomWebHook"].hook
    assert hook is not None
    assert hook.check is not None
    settings: dict[str, Any] = {
        "structure": STRUCTURE, "validation": validation, "method": True
    }  # fmt: skip
    assert hook.inspects(settings) is (validation != "off")
    given = delivery(body, JSON, **settings)
    if not reason:
        hook.check(given)
        return
    with pytest.raises(DataError, match=reason):
        hook.check(given)


def test_a_structure_is_learned() -> None:
    hook = gateway.modules["CustomWebHook"].hook
    assert hook is not None
    assert hook.learn is not None
    assert hook.inspects({"learning": True})
    assert not hook.inspects({})
    given = delivery(
        b'{"t":"x","n":1,"b":true,"z":null,"e":[],"l":[1,2],"m":[1,"a"],'
        b'"c":[{"a":1},{"a":null,"b":"x"}]}',
        JSON,
    )
    found = {row["name"]: row for row in hook.learn(given)}
    assert {name: row["type"] for name, row in found.items()} == {
        "t": "text", "n": "number", "b": "boolean", "z": "any", "e": "array", "l": "array",
        "m": "array", "c": "array",
    }  # fmt: skip
    assert found["l"]["spec"] == {"type": "number"}
    assert found["m"]["spec"] == {"type": "any"}
    assert [row["name"] for row in found["c"]["spec"]] == ["a", "b"]
    [file] = [row for row in hook.learn(delivery(MULTIPART, "multipart/form-data; boundary=B"))
              if row["name"] == "f"]  # fmt: skip
    assert [row["type"] for row in file["spec"]] == ["text", "text", "buffer"]
    deep: dict[str, Any] = {}
    for _ in range(100):
        deep = {"a": deep}
    assert str(learned(deep)).count("'name'") == 20


def test_cookies_of_an_answer_stay_apart() -> None:
    rows = [{"key": "Set-Cookie", "value": "a=1"}, {"key": "Set-Cookie", "value": "b=2"}]
    assert answered(headers=rows).headers[:2] == (("set-cookie", "a=1"), ("set-cookie", "b=2"))
    for bad in ({"key": "X Y", "value": ""}, {"key": "X", "value": "v" * 4097}):
        with pytest.raises(BundleInvalid, match="can't be sent"):
            answered(headers=[bad])
