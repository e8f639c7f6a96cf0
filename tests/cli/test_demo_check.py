"""The demo's own check: it must notice whatever is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from junctor.app.demo_check import compare, expect

CALL = {
    "callid": "1",
    "state": "missed",
    "from_number": "+12025550101",
    "to_number": "+12025550199",
    "date": "2026-11-02 07:05:00",
    "duration": 0,
    "agent_name": "",
    "record_url": "",
    "caller_name": "",
}
KNOWN = {"phone": "+12025550101", "contact_name": "Ada Lovelace"}
NOTE = (
    "Known in Toky as Ada Lovelace.\n"
    "Call from +12025550101 to +12025550199 on 2 November 2026 07:05.\n"
    "Outcome: hung up without a message, after 0 s.\nAgent: nobody.\nRecording: none"
)
EMPTY: dict[str, Any] = {"contacts": [], "notes": []}


def good() -> dict[str, Any]:
    return {
        "contacts": [
            {
                "id": "c",
                "phone": "+12025550101",
                "firstName": "Ada",
                "lastName": "Lovelace",
                "tags": ["missed-call", "known-caller", "no-message"],
            }
        ],
        "notes": [{"id": "n", "contactId": "c", "body": NOTE}],
    }


def test_nothing_is_wrong_with_what_is_right() -> None:
    assert compare(expect([CALL], [KNOWN]), EMPTY, good()) == []


def test_completed_calls_leave_nothing() -> None:
    assert expect([{**CALL, "state": "completed"}], [KNOWN]) == {}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s["notes"].clear(), "1 notes missing"),
        (lambda s: s["notes"].append({**s["notes"][0], "id": "m"}), "1 too many"),
        (lambda s: s["contacts"].clear(), "0 contacts instead of 1"),
        (lambda s: s["contacts"].append(dict(s["contacts"][0])), "2 contacts instead of 1"),
        (lambda s: s["contacts"].append({"id": "d", "phone": "+1", "tags": []}), "2 contacts inst"),
        (lambda s: s["contacts"][0]["tags"].pop(), "tags"),
        (lambda s: s["contacts"][0].update(lastName="Byron"), "name"),
        (lambda s: s["notes"].append({"id": "x", "contactId": "?", "body": ""}), "nothing asked"),
    ],
)
def test_whatever_is_wrong_is_noticed(change: Any, said: str) -> None:
    state = good()
    change(state)
    problems = compare(expect([CALL], [KNOWN]), EMPTY, state)
    assert any(said in problem for problem in problems), problems
