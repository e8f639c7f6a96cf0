"""Questions to people: what a wait's row keeps of one, and the link under which it is answered."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

import msgspec

from junctor.errors import BundleInvalid
from junctor.language.asks.waits import AwaitApproval, Comment
from junctor.ports.vault import Keyring

__all__ = ["APPROVE", "Question", "hash_of", "new_token", "open_question", "question_aad",
           "sealed_question"]  # fmt: skip

APPROVE = "/approve/"
"""Path of the page; the token follows."""
_TOKEN = re.compile(r"[A-Za-z0-9_-]{22}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What somebody is asked."""

    question: str
    details: str
    choices: tuple[str, ...]
    comment: Comment
    token: str


def new_token() -> str:
    """128 random bits, as 22 letters."""
    return secrets.token_urlsafe(16)


def hash_of(token: str) -> bytes:
    """What the database knows of a token."""
    return hashlib.sha256(token.encode()).digest()


def question_aad(organization_id: UUID, wait_id: UUID) -> bytes:
    """What a question is sealed to."""
    return organization_id.bytes + wait_id.bytes + b"question"


def sealed_question(
    keyring: Keyring, organization_id: UUID, wait_id: UUID, asked: AwaitApproval
) -> tuple[bytes, bytes]:
    """A question for its row, and its token's hash. `BundleInvalid` on a link that isn't ours."""
    token = _token_of(asked.link) if asked.link.strip() else new_token()
    plain = msgspec.msgpack.encode(
        [asked.question, asked.details, asked.choices, asked.comment, token]
    )
    return keyring.seal(plain, question_aad(organization_id, wait_id)), hash_of(token)


def open_question(
    keyring: Keyring, organization_id: UUID, wait_id: UUID, sealed: bytes
) -> Question:
    """What `sealed_question` sealed."""
    question, details, choices, comment, token = msgspec.msgpack.decode(
        keyring.open(sealed, question_aad(organization_id, wait_id))
    )
    return Question(
        question=question, details=details, choices=tuple(choices), comment=comment, token=token
    )


def _token_of(link: str) -> str:
    path = urlsplit(link.strip()).path
    token = path.rpartition("/")[2]
    if APPROVE not in path or not _TOKEN.fullmatch(token):
        raise BundleInvalid(
            field="link",
            reason=f"{link[:60]!r} is no link of ours; map that of 'Make an approval link', or "
            "leave it empty",
        )
    return token
