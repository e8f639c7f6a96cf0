"""Bodies that say that they are JSON and are not: data errors, whatever is wrong with them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from junctor.errors import DataError
from junctor.language.deliveries import Delivery
from junctor.language.messages import Response

BROKEN = [b"{", b'{"n": "\xff"}', b"\xff\xfe{\x00}\x00", b"[" * 100_000, b'"\\ud800"x']


@pytest.mark.parametrize("body", BROKEN)
def test_a_delivery_that_is_not_json(body: bytes) -> None:
    delivery = Delivery(
        id="d-1",
        method="POST",
        query=(),
        headers={},
        body=body,
        received_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    with pytest.raises(DataError, match="not valid JSON"):
        delivery.json()


@pytest.mark.parametrize("body", BROKEN)
def test_an_answer_that_is_not_json(body: bytes) -> None:
    with pytest.raises(DataError, match="not valid JSON"):
        Response(200, {"content-type": "application/json"}, body).json()
