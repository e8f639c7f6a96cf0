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
