"""What SignalWire leaves open, and what we take it to be; the connector's page lists it."""

from __future__ import annotations

__all__ = ["CLEARED", "CODES_FOR_NOW", "FALLBACK", "STATUS_REFUSED"]

CLEARED = ""
"""What empties an address of a number; its recorded answers show emptied ones as empty text."""

CODES_FOR_NOW = frozenset({"20429", "21611"})
"""Error codes of refusals that pass by themselves: too many requests, and a full queue of messages
(code list of the Compatibility API)."""

STATUS_REFUSED = frozenset({401, 403})
"""A token without the scope for something gets one or the other: the vendor's pages disagree."""

FALLBACK = "fallback"
"""The query parameter of our address that is entered as a number's fallback: SignalWire asks it
when the first address failed, and an action webhook is never sent twice to the same one."""
