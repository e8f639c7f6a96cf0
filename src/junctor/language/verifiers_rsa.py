"""Signatures of vendors that are between two ways of signing: RSA, and a choice of verifiers.

They belong to `language.verifiers` and follow its rules: the raw body, closed on every doubt.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from junctor.errors import Unauthorized
from junctor.language.connector import Delivery, Verifier

__all__ = ["or_if", "rsa_sha256"]

MOST = 4096
"""Characters of a signature; longer ones are no signatures."""


def rsa_sha256(*, header: str, public_key: str, setting: str = "rsa_key") -> Verifier:
    """An RSA signature (PKCS #1 v1.5, SHA-256, Base64) of the body in ``header``.

    ``public_key`` is the vendor's, as Base64 of its SPKI (DER) form or as PEM; a key of the same
    form in the hook's settings under ``setting`` takes its place.
    """
    name = header.lower()

    def verify(delivery: Delivery, settings: Mapping[str, Any]) -> None:
        key = _key(str(settings.get(setting) or public_key))
        given = delivery.headers.get(name, "")
        if not given or len(given) > MOST:
            raise Unauthorized(f"The delivery is refused: it carries no signature in {name}.")
        try:
            signature = base64.b64decode(given, validate=True)
            key.verify(signature, delivery.body, PKCS1v15(), SHA256())
        except (InvalidSignature, binascii.Error, ValueError) as error:
            raise Unauthorized(
                f"The delivery is refused: the signature in {name} does not match the body."
            ) from error

    return verify


def or_if(*, setting: str, header: str, usual: Verifier, other: Verifier) -> Verifier:
    """The usual verifier; or the other one, for deliveries without ``header`` while the hook's
    setting is on. A delivery that has the header is never judged by the other.
    """
    name = header.lower()

    def verify(delivery: Delivery, settings: Mapping[str, Any]) -> None:
        older = settings.get(setting) is True and name not in delivery.headers
        (other if older else usual)(delivery, settings)

    return verify


@lru_cache(maxsize=64)
def _key(text: str) -> RSAPublicKey:
    plain = "".join(line for line in text.splitlines() if not line.startswith("-----"))
    try:
        key = load_der_public_key(base64.b64decode("".join(plain.split()), validate=True))
    except (ValueError, binascii.Error) as error:
        raise Unauthorized("The delivery is refused: the hook's RSA key can't be read.") from error
    if not isinstance(key, RSAPublicKey):
        raise Unauthorized("The delivery is refused: the hook's RSA key is of another kind.")
    return key
