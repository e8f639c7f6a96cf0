"""Custom webhooks: what comes in, whom they believe, what goes out."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any

import pytest

from junctor.connectors.gateway import custom_webhook, gateway
from junctor.errors import BundleInvalid, DataError, Unauthorized
from junctor.language.connector import Answer, Delivery
from junctor.language.forms import bind


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
