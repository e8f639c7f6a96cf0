"""What connectors say of their quality is true."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from junctor.language.connector import Connector
from junctor.runtime.registry import Registry
from tools import quality

FOUND = quality.connectors()
CLEAN = Connector(name="clean", label="Clean")


@pytest.mark.parametrize("connector", FOUND, ids=lambda each: each.name)
def test_a_connector_keeps_to_what_its_file_says(connector: Connector) -> None:
    assert quality.disagreements(connector) == []


def test_every_connector_that_reaches_a_service_has_a_file() -> None:
    reach = {
        each.name
        for each in Registry.load().connectors()
        if each.connections or any(module.hook is not None for module in each.modules.values())
    }
    assert {each.name for each in FOUND} >= reach | {"rss"}


def test_the_page_shows_every_rule_and_connector() -> None:
    page = quality.page(FOUND)
    assert all(f"**{rule.name}** " in page for rule in quality.RULES)
    assert all(f"\n## {each.label}\n" in page for each in FOUND)
    assert "?" not in page


def finds(*names: str) -> quality.Rule:
    def found(_connector: Connector) -> Iterator[str]:
        yield from names

    return quality.Rule("rule", "It is as it should be.", found)


@pytest.mark.parametrize(
    ("found", "entry", "said"),
    [
        ((), {"status": "done"}, ""),
        (("a",), {"status": "done"}, "is not done: a"),
        (("a",), {"status": "done", "except": {"a": "It is right as it is."}}, ""),
        (("a", "b"), {"status": "done", "except": {"a*": "It is right."}}, "is not done: b"),
        ((), {"status": "done", "except": {"a": "It is right as it is."}}, "remove it"),
        (("a",), {"status": "done", "except": {"a": "so"}}, "give the reason"),
        (("a",), {"status": "open", "left": 1, "reason": "It takes a while."}, ""),
        (("a",), {"status": "open", "left": 2, "reason": "It takes a while."}, "but 1 are"),
        (("a",), {"status": "open", "left": 1}, "give the reason"),
        ((), {"status": "open", "left": 0, "reason": "It takes a while."}, "it is done"),
        (("a",), {"status": "exempt", "reason": "There is no such thing."}, ""),
        (("a",), {"status": "exempt"}, "give the reason"),
        ((), {"status": "finished"}, "can't be read"),
        ((), {"status": "done", "because": "so"}, "can't be read"),
    ],
)
def test_a_file_that_says_more_than_is_true_is_told(
    found: tuple[str, ...], entry: dict[str, Any], said: str
) -> None:
    told = list(quality.compared(finds(*found), entry, CLEAN))
    assert said in " ".join(told) if said else told == []
