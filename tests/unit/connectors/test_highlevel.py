"""HighLevel: requests, phone numbers, messages and signed events."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from junctor.connectors.highlevel import events, highlevel
from junctor.connectors.highlevel.account import BASE, PrivateIntegration, e164, said, sign
from junctor.errors import BundleInvalid, Unauthorized
from junctor.language.connector import Delivery, Request, Response, Secret
from junctor.language.forms import bind
from junctor.language.values import ERASE
from tests.support import shared_dir

ACCOUNT = PrivateIntegration(token=Secret("pit-1"), location_id="loc", country="us")
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def made(name: str, **mapper: Any) -> Request:
    module = highlevel.modules[name]
    request: Request = module.function(**bind(module, mapper, {}))
    return request


def signed(request: Request) -> Request:
    return sign(replace(request, url=BASE + request.url), ACCOUNT)


def test_upsert_sends_what_is_filled_in() -> None:
    request = made(
        "upsertContact",
        firstName="Ada",
        email="",
        phone="(555) 010-0199",
        tags="vip",
        lastName=ERASE,
        customFields=[{"id": "f1", "field_value": 3}],
    )
    assert request.url == "/contacts/upsert"
    assert signed(request).json == {
        "firstName": "Ada",
        "lastName": None,
        "phone": "+15550100199",
        "tags": ["vip"],
        "customFields": [{"id": "f1", "field_value": 3}],
        "locationId": "loc",
    }


def test_upsert_must_say_who_it_is() -> None:
    with pytest.raises(BundleInvalid, match="nothing is given in email and phone"):
        made("upsertContact", firstName="Ada")


def test_every_request_carries_token_and_version() -> None:
    headers = signed(made("getContact", contactId="c1")).headers
    assert headers == {"Version": "v3", "Authorization": "Bearer pit-1"}
    older = sign(Request("GET", BASE, headers={"Version": "2021-07-28"}), ACCOUNT)
    assert older.headers["Version"] == "2021-07-28"


def test_tags_are_added() -> None:
    request = made("addTags", contactId="a/b", tags=["x", ""])
    assert (request.url, request.json) == ("/contacts/a%2Fb/tags", {"tags": ["x"]})
    with pytest.raises(BundleInvalid, match="nothing is given in tags"):
        made("addTags", contactId="c", tags=[""])


def test_a_note_is_written() -> None:
    request = made("createNote", contactId="c", body="Hi", pinned="true")
    assert request.json == {"body": "Hi", "pinned": True}
    assert highlevel.modules["createNote"].effect == "once"


def test_a_body_of_your_own_is_left_alone() -> None:
    body = {"locationId": "other", "phone": "555"}
    assert sign(Request("POST", BASE, json=body), ACCOUNT).json == body


@pytest.mark.parametrize(
    ("phone", "country", "expected"),
    [
        ("(555) 010-0199", "us", "+15550100199"),
        ("030 123456", "DE", "+4930123456"),
        ("+44 20 7946 0958", "US", "+442079460958"),
        ("anonymous", "US", "anonymous"),
        ("12", "US", "12"),
        ("030 123456", "", "030 123456"),
    ],
)
def test_phone_numbers(phone: str, country: str, expected: str) -> None:
    assert e164(phone, country) == expected


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ('{"statusCode":422,"message":["a","b"],"traceId":"t"}', "a; b"),
        ('{"message":"no"}', "no"),
        ('{"error":{"code":"x","message":"no","resolution":"do y"}}', "no; do y"),
        ('{"error":"invalid_grant"}', "invalid_grant"),
        ("{}", ""),
        ("", ""),
        ("<html>", ""),
    ],
)
def test_what_highlevel_says(body: str, text: str) -> None:
    assert said(Response(400, {}, body.encode())) == text


# Events


def delivery(body: bytes, *, key: Ed25519PrivateKey = KEY, **settings: Any) -> Delivery:
    signature = base64.b64encode(key.sign(body)).decode()
    return Delivery(
        id="d",
        method="POST",
        query=(),
        headers={"content-type": "application/json", "x-ghl-signature": signature},
        body=body,
        received_at=datetime(2026, 1, 2, tzinfo=UTC),
        settings=settings,
    )


def verify(received: Delivery, **settings: Any) -> None:
    hook = highlevel.modules["watchEvents"].hook
    assert hook is not None
    hook.verify(received, settings)


def test_a_signed_event_passes_with_the_hooks_own_key() -> None:
    verify(delivery(b'{"type":"ContactCreate"}'), public_key=PEM)


def test_other_keys_and_changed_bodies_are_refused() -> None:
    good = delivery(b'{"a":1}')
    with pytest.raises(Unauthorized):
        verify(good)  # the vendor's key
    with pytest.raises(Unauthorized):
        verify(replace(good, body=b'{"a": 1}'), public_key=PEM)
    with pytest.raises(Unauthorized):
        verify(replace(good, headers={}), public_key=PEM)


def test_the_built_in_key_is_the_vendors() -> None:
    published = shared_dir("specs", "highlevel", "webhook_ed25519_public.pem").read_text()
    assert events.PUBLIC_KEY in published


def test_every_published_example_is_taken() -> None:
    examples = json.loads(shared_dir("specs", "highlevel", "webhook_events.json").read_text())
    bodies = [
        json.dumps(example).encode() for event in examples.values() for example in event["examples"]
    ]
    assert len(bodies) > 50
    for body in bodies:
        said = json.loads(body).get("timestamp")
        at = datetime.fromisoformat(said) if said else datetime(2026, 1, 2, tzinfo=UTC)
        received = replace(delivery(body), received_at=at)
        verify(received, public_key=PEM)
        assert list(events.watch_events(received)) == [json.loads(body)]


def test_events_are_filtered_by_type() -> None:
    body = b'{"type":"ContactCreate"}'
    assert list(events.watch_events(delivery(body, types=["ContactCreate"])))
    assert not list(events.watch_events(delivery(body, types=["NoteCreate"])))


def test_an_event_counts_once() -> None:
    hook = highlevel.modules["watchEvents"].hook
    assert hook is not None
    assert hook.dedup(delivery(b'{"webhookId":"w1"}')) == "w1"
    assert hook.dedup(delivery(b"{}")) is None
