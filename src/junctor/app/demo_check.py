"""What the demo must have done, computed from the simulated calls alone, and whether it did.

Pure and independent of expressions and engine: the example's texts are written out here again.
"""

from __future__ import annotations

from calendar import month_name
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

__all__ = ["Expected", "compare", "expect"]

Row = Mapping[str, Any]


@dataclass(slots=True)
class Expected:
    """What one caller's contact must hold: tags, notes, names."""

    name: str = ""
    tags: set[str] = field(default_factory=set)
    notes: Counter[str] = field(default_factory=Counter)


def expect(events: Iterable[Row], contacts: Iterable[Row]) -> dict[str, Expected]:
    """By phone number, from Toky's events (each once) and Toky's contacts."""
    known = {contact["phone"]: contact for contact in contacts}
    out: dict[str, Expected] = defaultdict(Expected)
    for event in events:
        if event["state"] not in {"missed", "voicemail"}:
            continue
        phone = event["from_number"]
        caller = known.get(phone)
        entry = out[phone]
        entry.name = caller["contact_name"] if caller else event["caller_name"] or "Unknown caller"
        voicemail = event["state"] == "voicemail"
        entry.tags |= {
            "missed-call",
            "known-caller" if caller else "new-caller",
            "voicemail" if voicemail else "no-message",
        }
        entry.notes[_note(event, caller, voicemail=voicemail)] += 1
    return dict(out)


def _note(event: Row, caller: Row | None, *, voicemail: bool) -> str:
    at = datetime.strptime(event["date"], "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - only shown again
    when = f"{at.day} {month_name[at.month]} {at.year} {at.hour:02}:{at.minute:02}"
    head = (
        f"Known in Toky as {caller['contact_name']}."
        if caller
        else "Not in Toky's contacts before this call."
    )
    outcome = "left a voicemail" if voicemail else "hung up without a message"
    return (
        f"{head}\nCall from {event['from_number']} to {event['to_number']} on {when}.\n"
        f"Outcome: {outcome}, after {event['duration']} s.\n"
        f"Agent: {event['agent_name'] or 'nobody'}.\n"
        f"Recording: {event['record_url'] or 'none'}"
    )


def compare(expected: Mapping[str, Expected], before: Row, after: Row) -> list[str]:
    """What differs between HighLevel's state and what must be there; empty: nothing does.

    ``before`` and ``after`` are states of the simulated location; ``before`` may hold contacts.
    """
    problems: list[str] = []
    by_phone: dict[str, list[Row]] = defaultdict(list)
    for contact in after["contacts"]:
        by_phone[contact.get("phone") or ""].append(contact)
    notes: dict[str, Counter[str]] = defaultdict(Counter)
    earlier = {note["id"] for note in before["notes"]}
    for note in after["notes"]:
        if note["id"] not in earlier:
            notes[note["contactId"]][note["body"]] += 1
    tags_before = {contact["id"]: set(contact["tags"]) for contact in before["contacts"]}
    for phone, wanted in expected.items():
        found = by_phone.get(phone, [])
        if len(found) != 1:
            problems.append(f"{phone}: {len(found)} contacts instead of 1")
            continue
        problems += _contact(phone, wanted, found[0], tags_before, notes.pop(found[0]["id"], None))
    problems += [f"contact {key}: notes that nothing asked for" for key in notes]
    phones = {contact.get("phone") for contact in before["contacts"]}
    total = len(before["contacts"]) + len(set(expected) - phones)
    if len(after["contacts"]) != total:
        problems.append(f"{len(after['contacts'])} contacts instead of {total}")
    return problems


def _contact(
    phone: str,
    wanted: Expected,
    found: Row,
    tags_before: Mapping[str, set[str]],
    notes: Counter[str] | None,
) -> list[str]:
    problems = []
    tags = wanted.tags | tags_before.get(found["id"], set())
    if set(found["tags"]) != tags or len(found["tags"]) != len(set(found["tags"])):
        problems.append(f"{phone}: tags {sorted(found['tags'])} instead of {sorted(tags)}")
    name = " ".join(filter(None, (found.get("firstName"), found.get("lastName"))))
    if name.casefold() != wanted.name.casefold():
        problems.append(f"{phone}: name '{name}' instead of '{wanted.name}'")
    if (notes or Counter()) != wanted.notes:
        missing = sum((wanted.notes - (notes or Counter())).values())
        extra = sum(((notes or Counter()) - wanted.notes).values())
        problems.append(f"{phone}: {missing} notes missing, {extra} too many")
    return problems
