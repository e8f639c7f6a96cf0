"""Waiting for a hint, but not for ever."""

from __future__ import annotations

import asyncio

__all__ = ["hinted"]


async def hinted(hint: asyncio.Event, seconds: float) -> bool:
    """Whether the event is set within so many seconds; it stays set.

    Cancelled, it ends, whatever else happens at that moment. `asyncio.wait_for` does not in Python
    3.11: a cancellation that comes together with what is waited for is forgotten (bpo-42130), and a
    loop around it that is to end goes on for ever.
    """
    try:
        async with asyncio.timeout(seconds):
            return await hint.wait()
    except TimeoutError:
        return False
