"""How a hook knows that a delivery is genuine. Connectors choose one of these, and write none.

Each function makes a `Verifier`: called with the delivery and the hook's settings (by key, secrets
included), it returns if the delivery is genuine and raises `Unauthorized` otherwise. All work on
the raw body, compare in constant time and fail closed: a missing secret, header or key refuses.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from junctor.errors import Unauthorized
from junctor.language.connector import Delivery, Verifier

__all__ = ["api_key", "ed25519", "hmac_sha256", "if_set", "key_in_url", "url_token"]


def url_token() -> Verifier:
    """The vendor signs nothing: the hook's unguessable address is the proof, checked before."""

    def verify(_delivery: Delivery, _settings: Mapping[str, Any]) -> None:
        return None

    return verify


def key_in_url(*, setting: str = "key", parameter: str = "key") -> Verifier:
    """A key that only the vendor was told, as a parameter of the address it calls."""

    def verify(delivery: Delivery, settings: Mapping[str, Any]) -> None:
        given = [value for name, value in delivery.query if name == parameter]
        _same(given[0] if len(given) == 1 else "", settings, setting, f"the parameter {parameter}")

    return verify


def api_key(*, header: str, setting: str = "api_key") -> Verifier:
    """A key in a header."""

    def verify(delivery: Delivery, settings: Mapping[str, Any]) -> None:
        _same(delivery.headers.get(header.lower(), ""), settings, setting, f"the header {header}")

    return verify


def hmac_sha256(
    *,
    header: str,
    setting: str = "signing_secret",
    encoding: Literal["hex", "base64"] = "hex",
    prefix: str = "",
) -> Verifier:
    """HMAC-SHA256 of the raw body in a header, after an optional ``prefix`` such as ``sha256=``."""

    def verify(delivery: Delivery, settings: Mapping[str, Any]) -> None:
        secret = str(settings.get(setting) or "")
        given = delivery.headers.get(header.lower(), "")
        if not secret:
            raise Unauthorized(f"The hook has no {setting}; set one in its settings.")
        signature = _decoded(given.removeprefix(prefix), encoding)
        expected = hmac.digest(secret.encode(), delivery.body, "sha256")
        if not hmac.compare_digest(signature, expected):
            raise Unauthorized(f"The signature in the header {header} is wrong or missing.")

    return verify


def ed25519(*, header: str, setting: str = "public_key", default: str = "") -> Verifier:
    """An Ed25519 signature (base64) over the raw body, by the key in ``setting`` or ``default``.

    Keys are PEM, or the base64 of their SubjectPublicKeyInfo.
    """

    def verify(delivery: Delivery, settings: Mapping[str, Any]) -> None:
        key = _public_key(str(settings.get(setting) or default))
        signature = _decoded(delivery.headers.get(header.lower(), ""), "base64")
        try:
            key.verify(signature, delivery.body)
        except InvalidSignature as error:
            raise Unauthorized(
                f"The signature in the header {header} is wrong or missing."
            ) from error

    return verify


def if_set(**checks: Verifier) -> Verifier:
    """Every check whose setting (its name here) is filled in; with none, the address is the proof.

    For hooks whose user decides how strict they are.
    """

    def verify(delivery: Delivery, settings: Mapping[str, Any]) -> None:
        for setting, check in checks.items():
            if settings.get(setting):
                check(delivery, settings)

    return verify


def _same(given: str, settings: Mapping[str, Any], setting: str, where: str) -> None:
    secret = str(settings.get(setting) or "")
    if not secret:
        raise Unauthorized(f"The hook has no {setting}; set one in its settings.")
    if not hmac.compare_digest(given.encode(), secret.encode()):
        raise Unauthorized(f"The key in {where} is wrong or missing.")


def _decoded(text: str, encoding: Literal["hex", "base64"]) -> bytes:
    """The bytes of a signature, or none: an empty signature never matches."""
    try:
        if encoding == "hex":
            return bytes.fromhex(text)
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return b""


@lru_cache(maxsize=256)
def _public_key(text: str) -> Ed25519PublicKey:
    body = "".join(line for line in text.split("\n") if not line.startswith("-----"))
    try:
        key = load_der_public_key(base64.b64decode(body, validate=False))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Unauthorized("The hook's public key can't be read; set it as PEM.") from error
    if not isinstance(key, Ed25519PublicKey):
        raise Unauthorized("The hook's public key is no Ed25519 key.")
    return key
