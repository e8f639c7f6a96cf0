"""What a wait is for, and whether a bundle is that."""

from __future__ import annotations

from typing import Any

import pytest

from junctor.connectors.wait import approval, approval_link, delivery, list_hooks
from junctor.errors import BundleInvalid
from junctor.language.asks.waits import (
    Await,
    AwaitApproval,
    AwaitDelivery,
    ListHooks,
    MakeApprovalLink,
    comparable,
    matches,
)
from junctor.language.phones import same_number


@pytest.mark.parametrize(
    ("one", "other", "country", "same"),
    [
        ("+1 (202) 555-0143", "+12025550143", "", True),
        ("001 202 555 0143", "+12025550143", "", True),
        ("(202) 555-0143", "+12025550143", "US", True),
        ("(202) 555-0143", "+12025550143", "us ", True),
        ("(202) 555-0143", "+12025550143", "DE", False),
        ("(202) 555-0143", "+12025550143", "", False),
        ("+12025550143", "+12025550144", "", False),
        ("", "", "US", False),
        ("Ada", "Ada", "US", False),
        ("1" * 200, "1" * 200, "US", False),
    ],
)
def test_phone_numbers_are_equal_however_they_are_written(
    one: str, other: str, country: str, same: bool
) -> None:
    assert same_number(one, other, country) is same
    assert same_number(other, one, country) is same


@pytest.mark.parametrize(
    ("wanted", "bundle", "fits"),
    [
        ({}, {"any": 1}, True),
        ({"From": "+12025550143"}, {"From": "+1 202-555-0143"}, True),
        ({"from.email": " ADA@example.com"}, {"from": {"email": "ada@EXAMPLE.com "}}, True),
        ({"from.email": "ada@example.com"}, {"from.email": "ada@example.com"}, True),
        ({"tags": "vip"}, {"tags": ["new", "VIP"]}, True),
        ({"n": 7}, {"n": 7.0}, True),
        ({"a": "1", "b": "2"}, {"a": "1", "b": "3"}, False),
        ({"a": "x"}, {}, False),
        ({"a": "x"}, {"a": None}, False),
        ({"a.b": "x"}, {"a": "x"}, False),
    ],
)
def test_a_bundle_fits_if_all_that_is_wanted_is_in_it(
    wanted: dict[str, Any], bundle: dict[str, Any], fits: bool
) -> None:
    assert matches({k: comparable(v) for k, v in wanted.items()}, bundle, country="US") is fits


def test_the_modules_say_what_is_awaited() -> None:
    asked = delivery(
        hook=" Replies ", match=[{"field": "From", "value": "1"}], limit=2, unit="days"
    )
    assert asked == AwaitDelivery(seconds=172_800, hook="Replies", match=(("From", "1"),))
    question = approval(
        question=" Pay? ", buttons=["Yes", " Yes", "", "No", "Not\n now"], limit=90, unit="seconds"
    )
    assert question == AwaitApproval(seconds=90, question="Pay?", choices=("Yes", "No", "Not now"))
    assert approval(question="?").choices == ("Approve", "Reject")
    assert (list_hooks(), approval_link()) == (ListHooks(), MakeApprovalLink())


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: delivery(hook=" "), "hook"),
        (lambda: delivery(hook="h", limit=31, unit="days"), "limit"),
        (lambda: delivery(hook="h", limit=0), "limit"),
        (lambda: approval(question=" "), "question"),
        (lambda: approval(question="?", buttons=list("abcdefghi")), "buttons"),
    ],
)
def test_what_nobody_could_answer_is_refused(make: Any, field: str) -> None:
    with pytest.raises(BundleInvalid) as refused:
        make()
    assert refused.value.params["field"] == field


def test_what_comes_of_a_wait() -> None:
    asked = AwaitDelivery(seconds=5, hook="h")
    assert asked.outcome({"bundle": {"a": 1}}, 1.23456) == {
        "answered": True, "timedOut": False, "bundle": {"a": 1}, "waited": 1.235,
    }  # fmt: skip
    assert asked.outcome(None, 5)["timedOut"]
    question = AwaitApproval(seconds=5, question="?")
    assert question.outcome(None, 5) == {
        "decision": "", "comment": "", "by": "", "decidedAt": None, "timedOut": True, "waited": 5,
    }  # fmt: skip
    assert Await(seconds=1).outcome({"x": 1}, 0) == {"x": 1, "timedOut": False, "waited": 0}
