"""Visitors: who is on the website right now."""

from __future__ import annotations

from dataclasses import replace

from junctor.connectors.crisp.account import below, crisp
from junctor.connectors.crisp.website import PAGES, Limit, Website
from junctor.language.connector import Request

__all__ = ["UNSIZED"]

UNSIZED = replace(PAGES, size=1)
"""Pages of a size that Crisp does not publish: only an empty one is the last."""


@crisp.action("Count visitors", effect="read", items="data")
def count_visitors(website_id: Website = "") -> Request:
    """Counts the visitors on the website right now: all, and those active."""
    return Request("GET", below(website_id, "visitors", "count"))


@crisp.search("List visitors", items="data", paging=UNSIZED, limit_field="limit")
def list_visitors(limit: Limit = 10, website_id: Website = "") -> Request:
    """Gives the visitors on the website right now: session, name, page, place and device."""
    del limit
    return Request("GET", f"{below(website_id, 'visitors', 'list')}/{{page}}")
