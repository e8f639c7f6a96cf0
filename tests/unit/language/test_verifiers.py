from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from junctor.errors import Unauthorized
from junctor.language.connector import Delivery
from junctor.language.verifiers import api_key, ed25519, hmac_sha256, key_in_url, max_age

BODY = b'{ "b": 1, "a": "\xc3\xa9" }'
SECRET = "correct horse battery"
SETTINGS = {"secret": SECRET}
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def delivery(body: bytes = BODY, **headers: str) -> Delivery:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Delivery(id="d", method="POST", query=(), headers=named, body=body, received_at=NOW)


def signature(body: bytes = BODY, key: str = SECRET) -> bytes:
    return hmac.new(key.encode(), body, hashlib.sha256).digest()


def refused(verify: Any, given: Delivery, settings: dict[str, Any]) -> str:
    with pytest.raises(Unauthorized) as caught:
        verify(given, settings)
    for secret in settings.values():
        assert str(secret) not in caught.value.message
    return caught.value.message


def test_the_address_may_be_the_key() -> None:
    key_in_url()(delivery(), {})


def test_hmac_accepts_what_is_signed() -> None:
    hmac_sha256(header="X-Sign", secret="secret")(delivery(x_sign=signature().hex()), SETTINGS)
    verify = hmac_sha256(header="X-Sign", secret="secret", prefix="sha256=")
    verify(delivery(x_sign="sha256=" + signature().hex().upper()), SETTINGS)
    verify = hmac_sha256(header="X-Sign", secret="secret", encoding="base64")
    verify(delivery(x_sign=base64.b64encode(signature()).decode()), SETTINGS)


GOOD = signature().hex()


@pytest.mark.parametrize(
    "given",
    [
        "",
        " ",
        GOOD[:-2],
        GOOD[:1],
        GOOD + "00",
        "0" * 64,
        "zz" * 32,
        "é" * 64,
        GOOD[:10] + " " + GOOD[10:],
        signature(key="another secret").hex(),
        signature(body=BODY + b" ").hex(),
    ],
)
def test_hmac_refuses_any_other_signature(given: str) -> None:
    refused(hmac_sha256(header="x-sign", secret="secret"), delivery(x_sign=given), SETTINGS)


def test_hmac_covers_the_raw_body() -> None:
    again = json.dumps(json.loads(BODY)).encode()
    refused(hmac_sha256(header="x-sign", secret="secret"), delivery(again, x_sign=GOOD), SETTINGS)


def test_hmac_without_header_or_prefix() -> None:
    assert "x-sign is missing" in refused(
        hmac_sha256(header="x-sign", secret="secret"), delivery(), SETTINGS
    )
    verify = hmac_sha256(header="x-sign", secret="secret", prefix="sha256=")
    assert "sha256=" in refused(verify, delivery(x_sign=GOOD), SETTINGS)


@pytest.mark.parametrize(
    "settings", [{}, {"secret": ""}, {"secret": None}, {"secret": "short"}, {"secret": 5}]
)
def test_a_missing_secret_refuses_everything(settings: dict[str, Any]) -> None:
    value = settings.get("secret")
    key = value if isinstance(value, str) else ""
    signed = delivery(x_sign=signature(key=key).hex(), x_key=key)
    for verify in (
        hmac_sha256(header="x-sign", secret="secret"),
        api_key(header="x-key", secret="secret"),
    ):
        with pytest.raises(Unauthorized):
            verify(signed, settings)


PRIVATE = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
PUBLIC = PRIVATE.public_key()
SPKI = base64.b64encode(
    PUBLIC.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
).decode()
PEM = PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
SIGNED = base64.b64encode(PRIVATE.sign(BODY)).decode()


@pytest.mark.parametrize("key", [SPKI, PEM])
def test_ed25519_accepts_what_is_signed(key: str) -> None:
    ed25519(header="X-Sign", public_key=key)(delivery(x_sign=SIGNED), {})


def test_ed25519_prefers_the_key_of_the_settings() -> None:
    other = Ed25519PrivateKey.from_private_bytes(b"\x08" * 32)
    key = base64.b64encode(
        other.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ).decode()
    verify = ed25519(header="x-sign", public_key=SPKI)
    refused(verify, delivery(x_sign=SIGNED), {"public_key": key})
    signed = base64.b64encode(other.sign(BODY)).decode()
    verify(delivery(x_sign=signed), {"public_key": key})
    refused(verify, delivery(x_sign=signed), {"public_key": "garbage"})


@pytest.mark.parametrize(
    "given",
    ["", "AAAA", SIGNED[:-4], SIGNED + "AAAA", "*" * 88, base64.b64encode(b"\0" * 64).decode()],
)
def test_ed25519_refuses_any_other_signature(given: str) -> None:
    refused(ed25519(header="x-sign", public_key=SPKI), delivery(x_sign=given), {})


def test_ed25519_covers_the_raw_body() -> None:
    again = json.dumps(json.loads(BODY)).encode()
    refused(ed25519(header="x-sign", public_key=SPKI), delivery(again, x_sign=SIGNED), {})


def test_ed25519_refuses_keys_of_another_kind() -> None:
    public = X25519PrivateKey.from_private_bytes(b"\x07" * 32).public_key()
    other = base64.b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    for key in ("", other.decode()):
        refused(ed25519(header="x-sign", public_key=key), delivery(x_sign=SIGNED), {})


def test_api_key() -> None:
    verify = api_key(header="Authorization", secret="secret", prefix="Bearer ")
    verify(delivery(authorization="Bearer " + SECRET), SETTINGS)
    for given in ("", SECRET, "Bearer ", "Bearer " + SECRET[:-1], "Bearer é" + SECRET):
        refused(verify, delivery(authorization=given), SETTINGS)


def test_max_age() -> None:
    def sent(given: Delivery) -> float:
        return float(given.headers["x-time"])

    verify = max_age(key_in_url(), 300, timestamp=sent)
    base = NOW.timestamp()
    for offset in (0, -299, 299):
        verify(delivery(x_time=str(base + offset)), {})
    for bad in (str(base - 301), str(base + 301), "soon", "nan", ""):
        refused(verify, delivery(x_time=bad), {})
    refused(verify, delivery(), {})
    refused(max_age(key_in_url(), 300, timestamp=lambda _given: None), delivery(), {})


def test_max_age_still_verifies() -> None:
    verify = max_age(
        api_key(header="x-key", secret="secret"), 300, timestamp=lambda _given: NOW.timestamp()
    )
    verify(delivery(x_key=SECRET), SETTINGS)
    refused(verify, delivery(x_key="wrong"), SETTINGS)
