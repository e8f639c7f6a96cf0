"""What a notice says to people: what happened, to which scenario, and what to do next.

Only counts, codes, names and ids are told. What a vendor or a bundle said stays in the run, where a
token is needed to read it: mail and webhooks go through strangers' hands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Final, get_args
from uuid import UUID

from junctor.language import ids
from junctor.runtime.notices import Kind

__all__ = ["KINDS", "Item", "Told", "public_params", "sentence", "title", "told"]

KINDS: Final[tuple[str, ...]] = get_args(Kind)
"""Every kind of notice."""

SHOWN: Final = 10
"""Different things that one message names."""

_TITLES: Final[Mapping[str, str]] = {
    "run_stopped": "A run stopped and waits for somebody",
    "errors_repeated": "A scenario fails again and again",
    "scenario_deactivated": "A scenario was switched off",
    "queue_full": "Deliveries queue up",
    "connection_marked": "A connection must be connected anew",
    "connection_expires": "A connection's access ends soon",
    "key_old": "A key is due to be changed",
    "unusual_use": "A connection is used in an unusual way",
    "disk_low": "Disk space runs out",
    "backup_failed": "A backup failed",
    "spool_damaged": "Deliveries in the spool could not be taken",
}

_PUBLIC: Final = frozenset(
    {"state", "code", "errors", "connection", "connector", "days", "limit", "used", "minutes"}
    | {"what", "free", "total", "level", "machine", "bundles"}
)
"""Parameters that may leave: numbers, codes, and names that people here have given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing that happened, perhaps several times."""

    kind: str
    count: int
    first: datetime
    last: datetime
    scenario_id: UUID | None = None
    scenario: str | None = None
    run_id: UUID | None = None
    """The latest of its runs."""
    subject: str = ""
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A message: a line, a text for people, and the same as data."""

    subject: str
    text: str
    data: dict[str, Any]


def title(kind: str) -> str:
    """A kind in a few words."""
    return _TITLES.get(kind, kind.replace("_", " "))


def public_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """What of a notice's parameters may leave: no text of a vendor's or a bundle's."""
    return {
        name: value[:200] if isinstance(value, str) else value
        for name, value in params.items()
        if name in _PUBLIC and isinstance(value, str | int | float | bool)
    }


def sentence(item: Item) -> str:
    """What happened, in one sentence."""
    of = public_params(item.params)
    name = f"Scenario '{_line(item.scenario)}'" if item.scenario else "A scenario"
    error = f" (error {of['code']})" if of.get("code") else ""
    connection = f"Connection '{_line(str(of.get('connection') or item.subject))}'"
    match item.kind:
        case "run_stopped" if of.get("state") == "uncertain":
            return f"{name}: something was sent, and whether it arrived is unknown{error}."
        case "run_stopped" if isinstance(of.get("bundles"), int) and int(of["bundles"]) > 1:
            return (
                f"{name}: {of['bundles']} bundles of a run were set aside as incomplete runs, and "
                f"are not tried again by themselves{error}."
            )
        case "run_stopped":
            return f"{name}: a run is incomplete and is not tried again by itself{error}."
        case "errors_repeated":
            return f"{name} has failed {of.get('errors', 'several')} times in a row{error}."
        case "scenario_deactivated":
            failed = of.get("errors", "several")
            return f"{name} was switched off after {failed} failures in a row{error}."
        case "queue_full" if item.scenario_id is not None:
            waits = of.get("minutes", "many")
            return f"{name}: the oldest delivery has waited for {waits} minutes."
        case "queue_full":
            return (
                f"New deliveries are refused: {_amount(of, 'used')} of {_amount(of, 'limit')} "
                f"{_WHATS.get(str(of.get('what')), 'are used')}."
            )
        case "connection_marked":
            return f"{connection} does not work any more: somebody must connect it anew."
        case "connection_expires" if isinstance(of.get("days"), int) and int(of["days"]) > 0:
            return f"{connection} has access for {of['days']} more days, and it can't be renewed."
        case "connection_expires":
            return f"{connection} has access that ends or has ended, and it can't be renewed."
        case "key_old":
            return f"{connection} has a key that is {of.get('days', 'many')} days old."
        case "unusual_use":
            return f"{connection}: the vendor refuses its key, or it sends far more than usual."
        case "disk_low":
            refused = "Deliveries are refused: " if of.get("level") == "full" else ""
            return (
                f"{refused}{_size(of.get('free'))} of {_size(of.get('total'))} are free where "
                f"{of.get('what', 'the data')} lies, on {of.get('machine', 'a machine')}."
            )
        case "backup_failed":
            return f"The last backup failed{error}: what changes now is in no backup."
        case "spool_damaged":
            return (
                f"What lay in a server's spool could not be taken into the inbox: it is kept as "
                f"'{_line(item.subject)}' in the spool's folder 'aside'."
            )
        case _:
            return f"{title(item.kind)}."


_WHATS: Final = {
    "queued_deliveries": "queued deliveries",
    "queued_bytes": "in the queue",
    "stored_bytes": "of history",
}


def steps(item: Item) -> list[str]:
    """Commands that help, the first one first."""
    scenario = ids.show("scn", item.scenario_id) if item.scenario_id else "SCENARIO"
    run = ids.show("run", item.run_id) if item.run_id else "RUN"
    of = public_params(item.params)
    connection = item.subject if item.subject.startswith("con_") else str(of.get("connection", ""))
    match item.kind:
        case "run_stopped" if of.get("state") == "uncertain":
            return [f"junctor run show {run}", f"junctor run settle {run}"]
        case "run_stopped" if isinstance(of.get("bundles"), int) and int(of["bundles"]) > 1:
            return [f"junctor runs --scenario {scenario} --state incomplete"]
        case "run_stopped":
            return [f"junctor run show {run}"]
        case "errors_repeated":
            return [f"junctor runs --scenario {scenario}", f"junctor run show {run}"]
        case "scenario_deactivated":
            return [f"junctor run show {run}", f"junctor activate {scenario}"]
        case "queue_full":
            return ["junctor quotas", "junctor doctor"]
        case "connection_marked" | "connection_expires":
            again = (f"junctor connections {verb} {connection}" for verb in ("authorize", "rotate"))
            return [f"junctor connections show {connection}", *again]
        case "key_old":
            return [f"junctor connections rotate {connection}"]
        case "unusual_use":
            return [f"junctor connections show {connection}"]
        case _:
            return ["junctor doctor"]


def told(
    items: Sequence[Item],
    *,
    kind: str,
    total: int,
    things: int,
    organization: str,
    zone: tzinfo,
    public_url: str,
) -> Told:
    """The message about ``items``, the most frequent of ``things`` different ones; ``total``: how
    often all of them happened. Times are told in ``zone``.
    """
    names = [_line(item.scenario) for item in items if item.scenario]
    about = f": {names[0]}" if names and things == 1 else f" ({total} times)" if total > 1 else ""
    lines = [f"{title(kind)}, in {_line(organization)}.", ""]
    data = []
    for item in items:
        when = item.last.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z")
        link = scenario_link(public_url, item.scenario_id) if item.scenario_id else None
        lines.append(f"* {sentence(item)}")
        lines.append(f"  {item.count} times, the last {when}" if item.count > 1 else f"  {when}")
        lines += [f"  {link}"] if link else []
        lines += [f"  $ {step}" for step in steps(item)] + [""]
        data.append(_as_data(item, link))
    if things > len(items):
        rest = things - len(items)
        lines += [f"… and {rest} more: `junctor notices --kind {kind}` lists all.", ""]
    lines.append(f"Junctor at {public_url}")
    return Told(
        subject=f"{title(kind)}{about}",
        text="\n".join(lines),
        data={"kind": kind, "title": title(kind), "count": total, "things": things, "items": data},
    )


def _as_data(item: Item, link: str | None) -> dict[str, Any]:
    scenario = None
    if item.scenario_id is not None:
        scenario = {"id": ids.show("scn", item.scenario_id), "name": item.scenario, "url": link}
    return {
        "text": sentence(item),
        "count": item.count,
        "first_at": item.first.isoformat(),
        "last_at": item.last.isoformat(),
        "scenario": scenario,
        "run": ids.show("run", item.run_id) if item.run_id else None,
        "subject": item.subject,
        "params": public_params(item.params),
        "next": steps(item),
    }


def scenario_link(public_url: str, scenario_id: UUID) -> str:
    """Where a scenario is to be seen."""
    return f"{public_url}/api/v1/scenarios/{ids.show('scn', scenario_id)}"


def _line(text: str) -> str:
    """A name as part of a line: one that holds a line break must not end a mail's header."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:200]


def _amount(of: Mapping[str, Any], name: str) -> str:
    value = of.get(name)
    return (
        _size(value)
        if "bytes" in str(of.get("what"))
        else f"{value:,}"
        if value is not None
        else "all"
    )


def _size(value: Any) -> str:
    if not isinstance(value, int | float):
        return "little"
    for unit in ("bytes", "kB", "MB", "GB"):
        if abs(value) < 1000:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
