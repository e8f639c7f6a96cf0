"""Ids: UUIDv7 inside, ``run_01j…`` outside.

A UUIDv7 (RFC 9562) begins with the millisecond it was made in, so rows sort by time and a partition
is found from an id. Outside, an id carries a prefix that says what it names, and is written in
Crockford's base 32 (26 characters, lower case), which keeps the order too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final
from uuid import UUID

import msgspec

from junctor.errors import NotFound

__all__ = [
    "CONNECTOR",
    "PREFIXES",
    "Ids",
    "derived",
    "derived_at",
    "milliseconds",
    "read",
    "show",
    "uuid7",
]

CONNECTOR: Final = re.compile(r"[a-z][a-z0-9-]{1,39}")
"""What a connector may be called: the first part of its modules' ids."""

PREFIXES: Final = {
    "org": "organisation",
    "team": "team",
    "tok": "token",
    "con": "connection",
    "scn": "scenario",
    "hok": "hook",
    "app": "app hook",
    "run": "run",
    "dst": "data store",
    "str": "data structure",
    "dlv": "delivery",
    "var": "variable",
    "req": "request",
    "wai": "wait",
    "ntc": "channel",
    "not": "notice",
    "era": "erasure",
}

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
# Crockford reads what people mistype: capitals, the letter o for zero, i and l for one.
_DIGITS: Final = {
    **{char: n for n, char in enumerate(_ALPHABET)},
    **{char.upper(): n for n, char in enumerate(_ALPHABET)},
    **dict.fromkeys("oO", 0),
    **dict.fromkeys("iIlL", 1),
}
_LENGTH: Final = 26
_RANDOM_BITS: Final = 74
_STEP_BYTES: Final = 4


def uuid7(ms: int, random: bytes) -> UUID:
    """The UUIDv7 of a millisecond since 1970 and at least 10 random bytes (74 bits are used)."""
    if len(random) < 10:
        raise ValueError(f"a UUIDv7 takes 10 random bytes, not {len(random)}")
    return _compose(ms, int.from_bytes(random[:10], "big") >> (80 - _RANDOM_BITS))


def derived(parent: UUID, *what: Any) -> UUID:
    """The id of something that follows from ``parent``: always the same for the same ``what``.

    A UUIDv7 of the parent's millisecond, so that a partition is found from it.
    """
    return derived_at(milliseconds(parent), parent, *what)


def derived_at(ms: int, parent: UUID, *what: Any) -> UUID:
    """The same for what happens at a time of its own: a UUIDv7 of that millisecond since 1970."""
    seed = msgspec.msgpack.encode((parent.bytes, *what))
    return uuid7(ms, blake2b(seed, digest_size=10).digest())


def _compose(ms: int, tail: int) -> UUID:
    high, low = tail >> 62, tail & ((1 << 62) - 1)
    return UUID(int=(ms & ((1 << 48) - 1)) << 80 | 7 << 76 | high << 64 | 0b10 << 62 | low)


def milliseconds(id: UUID) -> int:  # noqa: A002 - "id" is what it is called everywhere
    """When a UUIDv7 was made, in milliseconds since 1970."""
    return id.int >> 80


class Ids:
    """Makes UUIDv7s that grow within a process even when the clock stands still or goes back.

    ``now`` gives milliseconds since 1970, ``random`` so many random bytes. For one thread.
    """

    __slots__ = ("_ms", "_now", "_random", "_tail")

    def __init__(self, now: Callable[[], int], random: Callable[[int], bytes]) -> None:
        self._now = now
        self._random = random
        self._ms = -1
        self._tail = 0

    def new(self) -> UUID:
        """The next id."""
        ms = self._now()
        if ms > self._ms:
            self._ms = ms
            # One bit is left free, so that many ids of one millisecond still count upwards.
            self._tail = int.from_bytes(self._random(10), "big") >> (80 - _RANDOM_BITS + 1)
        else:
            # A random step: the next id can't be guessed from this one.
            self._tail += 1 + int.from_bytes(self._random(_STEP_BYTES), "big")
            if self._tail >> _RANDOM_BITS:
                self._ms += 1
                self._tail = int.from_bytes(self._random(10), "big") >> (80 - _RANDOM_BITS + 1)
        return _compose(self._ms, self._tail)


def show(prefix: str, id: UUID) -> str:  # noqa: A002 - "id" is what it is called everywhere
    """How an id looks outside, e.g. ``run_01jd9vq3c8f2k0t5m7w4x6y8za``."""
    if prefix not in PREFIXES:
        raise ValueError(f"{prefix!r} is not one of the prefixes {', '.join(PREFIXES)}")
    number, out = id.int, []
    for _ in range(_LENGTH):
        number, digit = number >> 5, number & 31
        out.append(_ALPHABET[digit])
    return prefix + "_" + "".join(reversed(out))


def read(prefix: str, text: str) -> UUID:
    """The id that `show` wrote. `NotFound` if it can't be one: nothing has such an id."""
    if prefix not in PREFIXES:
        raise ValueError(f"{prefix!r} is not one of the prefixes {', '.join(PREFIXES)}")
    what = PREFIXES[prefix]
    head, _, body = text.partition("_")
    if head != prefix or len(body) != _LENGTH or not all(char in _DIGITS for char in body):
        raise NotFound(
            f"'{text[:60]}' is no id of a {what}: it starts with {prefix}_ "
            f"and goes on with {_LENGTH} letters and digits"
        )
    number = 0
    for char in body:
        number = number << 5 | _DIGITS[char]
    if number >> 128:
        raise NotFound(f"'{text[:60]}' is no id of a {what}: it is too large")
    return UUID(int=number)
