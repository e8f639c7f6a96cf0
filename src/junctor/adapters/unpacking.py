"""Bodies that came packed: unpacked piece by piece, and an error if they end too early.

A client that unpacks by itself takes half a gzip stream for a whole body; an answer that is cut off
must never look like a complete one.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator

import aiohttp

__all__ = ["unpacked"]

_STEP = 256 * 1024
"""Bytes unpacked at a time, so that a small body of a great many zeros fills no memory."""
_EITHER = zlib.MAX_WBITS | 32
"""With a gzip or zlib header."""


async def unpacked(pieces: AsyncIterator[bytes], encoding: str) -> AsyncIterator[bytes]:
    """The pieces as they were before gzip or deflate; as they are, if ``encoding`` is another.

    Raises `aiohttp.ClientPayloadError` if they are damaged or end before their end.
    """
    if encoding.strip().lower() not in {"gzip", "x-gzip", "deflate"}:
        async for piece in pieces:
            yield piece
        return
    stream = None
    async for piece in pieces:
        left = piece
        while left:
            if stream is None or stream.eof:  # gzip bodies may be several, one after another
                stream = zlib.decompressobj(_EITHER if _headed(left) else -zlib.MAX_WBITS)
            try:
                out = stream.decompress(left, _STEP)
            except zlib.error as error:
                raise aiohttp.ClientPayloadError(f"its {encoding} body is damaged") from error
            left = stream.unused_data if stream.eof else stream.unconsumed_tail
            if out:
                yield out
    if stream is not None and not stream.eof:
        raise aiohttp.ClientPayloadError(f"its {encoding} body is cut off")


def _headed(begin: bytes) -> bool:
    """Whether it begins as gzip or zlib does; some send deflate without any header."""
    return begin[:1] == b"\x1f" or (begin[0] & 0x0F == 8 and begin[0] >> 4 <= 7)
