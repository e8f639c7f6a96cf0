"""What a run returns, as it lies among the answers: msgpack, told apart by its content type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from junctor.language.connector import Bundle
from junctor.language.values import ERASE, IGNORE

__all__ = ["RETURNED", "pack_outputs", "unpack_outputs"]

RETURNED = "application/vnd.junctor+msgpack"
"""The content type. No module that answers a hook's caller may take it."""


def pack_outputs(data: Mapping[str, Any]) -> tuple[int, tuple[tuple[str, str], ...], bytes]:
    """Status, headers and body of the answer that returns this."""
    body = msgspec.msgpack.encode(dict(data), enc_hook=_plain)
    return 200, (("content-type", RETURNED),), body


def unpack_outputs(status: int, headers: Iterable[Any], body: bytes) -> Bundle | None:
    """What was returned; ``None`` if it is an answer of another kind."""
    kinds = [value for name, value in headers if str(name).lower() == "content-type"]
    if status != 200 or kinds != [RETURNED]:
        return None
    try:
        data = msgspec.msgpack.decode(body)
    except ValueError:  # a scenario's own answer that only claims to be one
        return None
    return data if isinstance(data, dict) else {"data": data}


def _plain(value: Any) -> Any:
    if value is IGNORE or value is ERASE:
        return None
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a value of type {type(value).__name__}")
