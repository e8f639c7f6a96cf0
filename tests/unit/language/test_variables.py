"""Names, types and stored form of custom variables."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from junctor.errors import Misconfigured
from junctor.language.variables import check_name, stored_value, to_stored


@pytest.mark.parametrize(
    ("kind", "value", "stored", "read"),
    [
        ("text", "a", "a", "a"),
        ("number", "1.5", 1.5, 1.5),
        ("boolean", "false", False, False),
        ("date", "2026-01-02", "2026-01-02T00:00:00.000Z", datetime(2026, 1, 2, tzinfo=UTC)),
        ("text", None, None, None),
    ],
)
def test_values_are_kept_as_json_and_read_as_they_were(
    kind: str, value: Any, stored: Any, read: Any
) -> None:
    made = to_stored(kind, value)
    assert made == {"type": kind, "value": stored}
    assert stored_value(made) == read


def test_what_is_refused() -> None:
    with pytest.raises(Misconfigured, match="text 'x' is not a number; give a number"):
        to_stored("number", "x")
    with pytest.raises(Misconfigured, match="no type of a variable: text, number"):
        to_stored("json", "x")
    with pytest.raises(Misconfigured, match="data store"):
        to_stored("text", "x" * 200_000)
    for name in ("", "1a", "a b", "ä", "a.b", "x" * 200):
        with pytest.raises(Misconfigured, match="can't be a variable's name"):
            check_name(name)
    with pytest.raises(Misconfigured, match="'name' is taken"):
        check_name("name")
    assert check_name("apiBase_2") == "apiBase_2"


def test_a_stored_date_that_is_none_is_shown_as_it_is() -> None:
    assert stored_value({"type": "date", "value": "soon"}) == "soon"
