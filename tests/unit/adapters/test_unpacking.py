"""Packed bodies: whole ones are read, others are errors."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from junctor.adapters.unpacking import unpacked


def read(packed: bytes, encoding: str = "gzip", size: int = 7) -> bytes:
    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(packed), size):
            yield packed[at : at + size]

    async def all_of_it() -> bytes:
        return b"".join([piece async for piece in unpacked(pieces(), encoding)])

    return asyncio.run(all_of_it())


@given(st.binary(max_size=2000), st.integers(1, 50))
def test_whole_bodies_are_as_they_were(body: bytes, size: int) -> None:
    bare = zlib.compressobj(wbits=-15)
    assert read(gzip.compress(body), "GZip", size) == body
    assert read(zlib.compress(body), "deflate", size) == body
    assert read(bare.compress(body) + bare.flush(), "deflate", size) == body
    assert read(body, "br", size) == body
    assert read(gzip.compress(body) + gzip.compress(b"more"), "gzip", size) == body + b"more"


@given(st.data())
def test_cut_off_bodies_are_errors(data: st.DataObject) -> None:
    packed = gzip.compress(b"what was said, " * 20)
    cut = data.draw(st.integers(1, len(packed) - 1))
    with pytest.raises(aiohttp.ClientPayloadError):
        read(packed[:cut])


def test_damaged_bodies_are_errors_and_none_is_none() -> None:
    with pytest.raises(aiohttp.ClientPayloadError, match="damaged"):
        read(b"\x1f\x8b this is no gzip at all")
    assert read(b"") == b""
