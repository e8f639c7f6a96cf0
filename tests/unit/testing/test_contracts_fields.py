"""The lint of units, and what counts as explained."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict

import pytest

from junctor.language.connector import Connector, Field, Request
from junctor.testing.contracts_connectors import problems
from junctor.testing.contracts_fields import check_units, unexplained


class Row(TypedDict, total=False):
    """A row."""

    price: Annotated[float, Field(label="Price")]


def module(hint: Any, field: Field) -> Any:
    connector = Connector(name="shop", label="Shop")

    def pay(x: Any) -> Request:
        """Pays what is said, once."""
        return Request("POST", "https://x.test/", json={"x": x})

    pay.__annotations__["x"] = Annotated[hint, field]
    connector.action("Pay", effect="once")(pay)
    return connector.modules["pay"]


@pytest.mark.parametrize(
    ("hint", "key", "help_", "fine"),
    [
        (int, "timeout", "", False),
        (int, "timeout", "Seconds; 30 if empty.", True),
        (float, "monetaryValue", "", False),
        (float, "monetaryValue", "In US dollars.", True),
        (float, "slotDuration", "In the unit that the next field says.", True),
        (str, "maxPrice", "", False),
        (str, "priceId", "", True),
        (bool, "timeoutAlert", "", True),
        (list[Row], "rows", "", False),
        (int, "count", "", True),
    ],
)
def test_time_spans_and_money_say_their_unit(hint: Any, key: str, help_: str, fine: bool) -> None:
    made = module(hint, Field(label="X", key=key, help=help_))
    if fine:
        check_units(made)
    else:
        with pytest.raises(AssertionError, match="say in its help in which unit"):
            check_units(made)


def test_the_check_of_connectors_asks_for_units() -> None:
    connector = Connector(name="shop", label="Shop")

    @connector.action("Wait", effect="once")
    def wait(timeout: Annotated[int, Field(label="Wait")]) -> Request:
        """Waits for something, once."""
        return Request("POST", "https://x.test/", json={"t": timeout})

    rules = [each.rule for each in problems(connector)]
    assert "units" in rules


def test_columns_of_rows_are_fields_too() -> None:
    class Told(TypedDict, total=False):
        """A row of which one column is told."""

        key: Annotated[str, Field(label="Key", help="Its name.")]
        value: Annotated[str, Field(label="Value")]

    assert unexplained(module(list[Told], Field(label="X", key="rows"))) == ["rows[].value"]
