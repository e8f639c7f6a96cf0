"""Every kind of notice is told in words, and can be asked for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args
from zoneinfo import ZoneInfo

import pytest

from junctor.app.api.notifications import NoticeKind
from junctor.runtime.notice_texts import KINDS, Item, sentence, title, told


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_says_more_than_its_name(kind: str) -> None:
    at = datetime(2026, 11, 21, tzinfo=UTC)
    item = Item(kind=kind, count=1, first=at, last=at, subject="019.damaged", params={})
    assert title(kind) != kind.replace("_", " ")
    assert sentence(item) != f"{title(kind)}."
    message = told(
        [item], kind=kind, total=1, things=1, organization="o", zone=ZoneInfo("UTC"), public_url="u"
    )
    assert title(kind) in message.text


def test_the_api_knows_every_kind() -> None:
    assert set(get_args(NoticeKind)) == set(KINDS)


def test_a_limit_is_told_as_it_was_set() -> None:
    """`junctor quotas --queue 5GB` is 5 GB: sizes are decimal, here as in all that is shown."""
    at = datetime(2026, 11, 21, tzinfo=UTC)

    def said(**params: object) -> str:
        return sentence(Item(kind="queue_full", count=1, first=at, last=at, params=params))

    assert "5.0 GB of 5.0 GB in the queue" in said(what="queued_bytes", used=5 * 10**9, limit=5e9)
    assert "999 bytes of 1.0 kB" in said(what="stored_bytes", used=999, limit=1000)
    assert "1,000 of 1,000 queued" in said(what="queued_deliveries", used=1000, limit=1000)
    assert "0 of 0 queued" in said(what="queued_deliveries", used=0, limit=0)
