"""A master key under a passphrase, to be kept beside a backup: scrypt, then AES-256-GCM."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from junctor.errors import Misconfigured

__all__ = ["SHORTEST", "fingerprint", "open_key", "seal_key"]

SHORTEST: Final = 12
"""Characters that a passphrase needs."""
_FORMAT: Final = "junctor-master-key-1"
_N: Final = 2**17  # 128 MB and a fraction of a second for each guess
_R: Final = 8
_P: Final = 1


def fingerprint(key: bytes) -> str:
    """What names a key without telling anything of it: 16 hexadecimal digits."""
    return hmac.new(key, b"junctor master key fingerprint", hashlib.sha256).hexdigest()[:16]


def seal_key(text: str, passphrase: str) -> str:
    """The master key's text as a JSON document that only the passphrase opens.

    `Misconfigured` if the passphrase is shorter than `SHORTEST`.
    """
    if len(passphrase) < SHORTEST:
        raise Misconfigured(
            f"The passphrase has {len(passphrase)} characters: take {SHORTEST} or more, as it "
            "guards every secret in the backup."
        )
    salt, nonce = os.urandom(16), os.urandom(12)
    sealed = AESGCM(_derive(passphrase, salt)).encrypt(nonce, text.encode(), _FORMAT.encode())
    document = {
        "format": _FORMAT,
        "kdf": f"scrypt n={_N} r={_R} p={_P}",
        "salt": base64.b64encode(salt).decode(),
        "nonce": base64.b64encode(nonce).decode(),
        "sealed": base64.b64encode(sealed).decode(),
    }
    return json.dumps(document, indent=1) + "\n"


def open_key(document: str, passphrase: str, source: str) -> str:
    """The master key's text. `Misconfigured` on a wrong passphrase or a file that was altered."""
    try:
        found = json.loads(document)
        if found["format"] != _FORMAT:
            raise ValueError("another format")
        salt, nonce, sealed = (base64.b64decode(found[n]) for n in ("salt", "nonce", "sealed"))
    except (ValueError, KeyError, TypeError) as error:
        raise Misconfigured(f"{source} is no sealed master key of this format.") from error
    try:
        return AESGCM(_derive(passphrase, salt)).decrypt(nonce, sealed, _FORMAT.encode()).decode()
    except InvalidTag as error:
        raise Misconfigured(
            f"The passphrase does not open {source}, or the file was altered."
        ) from error


def _derive(passphrase: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=_N, r=_R, p=_P).derive(passphrase.encode())
