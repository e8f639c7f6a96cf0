"""What Crisp does not publish, in one place, and how a connection says otherwise.

A connection's field *Corrections* takes lines such as

    websites.user = /user/account/websites
    delete_website = text

The left side is a name of `ASSUMED`; the page about this connector explains each.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from junctor.errors import Misconfigured

__all__ = ["ASSUMED", "HOOK_MAX_AGE", "PAGE", "SHORT_PAGE", "read"]

ASSUMED: Mapping[str, str] = {
    # Only the plugin's list is among the vendor's published routes.
    "websites.plugin": "/plugin/connect/websites/all/{page}",
    "websites.user": "/user/account/websites",
    "websites.website": "/website/{website}",
    # The body of a deletion changed in 2024: ``object`` is today's, ``text`` the older one.
    "delete_website": "object",
    # Which header names the kind of token.
    "tier_header": "X-Crisp-Tier",
}
"""Addresses and forms that a connection may correct."""

PAGE = 50
"""Rows asked for in a page of conversations and people; 20 to 50 may be."""
SHORT_PAGE = 20
"""A page with fewer rows than this is the last; the vendor's smallest page size."""
HOOK_MAX_AGE = 300
"""Seconds that a signed delivery may be old; a hook's settings may say otherwise."""


@lru_cache(maxsize=64)
def read(corrections: str) -> Mapping[str, str]:
    """`ASSUMED` with a connection's lines in place. `Misconfigured` on a line of another form."""
    said = dict(ASSUMED)
    for line in filter(None, (line.strip() for line in corrections.splitlines())):
        name, _, value = (part.strip() for part in line.partition("="))
        allowed = {"delete_website": ("object", "text")}.get(name)
        wrong = name not in ASSUMED or not value or (allowed is not None and value not in allowed)
        if wrong or (name.startswith("websites.") and not value.startswith("/")):
            raise Misconfigured(
                reason=f"the correction {line!r} of the Crisp connection can't be read; write it "
                f"as 'websites.user = {ASSUMED['websites.user']}'; names: {', '.join(ASSUMED)}"
            )
        said[name] = value
    return said
