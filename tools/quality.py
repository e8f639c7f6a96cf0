"""What each connector keeps to: the rules, computed, against what its ``quality.toml`` says.

python -m tools.quality            says where a file and the connector disagree; exits with 1 if so
python -m tools.quality --tighten  lowers the counts of what is left to what is found

A file has a table per rule::

    [probes]
    status = "done"                # done · open (with left and reason) · exempt (with reason)
    except.makeApiCall = "why"     # what the rule finds and is right; * stands for any text

*done* is believed only if the rule finds nothing beside the exceptions, *open* only if it finds no
more than ``left``; an exception or a count that is not needed any more has to go.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from junctor.errors import JunctorError
from junctor.language.connector import Connector, ModuleDef
from junctor.language.forms import schema_of, secrets_of
from junctor.runtime.registry import Registry
from junctor.simulators import SIMULATORS
from junctor.testing import contracts_connectors as contracts
from junctor.testing.contracts_fields import check_units, fields_of, unexplained

__all__ = [
    "MARKS",
    "RULES",
    "Rule",
    "compared",
    "connectors",
    "disagreements",
    "file_of",
    "page",
    "read",
]

ROOT = Path(__file__).resolve().parent.parent
CONNECTORS = ROOT / "src" / "junctor" / "connectors"
STATUSES = ("done", "open", "exempt")
MARKS = {"done": "✓", "open": "open", "exempt": "·"}
_ID = re.compile(r"(?<=[a-z])(Id|Ids|Sid|Sids)$|_ids?$|^ids?$")

Finds = Callable[[Connector], Iterator[str]]


@dataclass(frozen=True)
class Rule:
    """One rule; ``finds`` gives what breaks it."""

    name: str
    says: str
    finds: Finds


def handmade(connector: Connector) -> list[ModuleDef]:
    """The modules that are not from a catalogue."""
    return [module for module in connector.modules.values() if not module.generated]


def _asked(check: Callable[..., None], *given: Any) -> bool:
    """Whether it holds, or does not apply."""
    try:
        check(*given)
    except contracts.NotAsked:
        return True
    except (AssertionError, JunctorError):
        return False
    return True


@cache
def _text(*parts: str) -> str:
    file = ROOT.joinpath(*parts)
    return file.read_text(encoding="utf-8") if file.is_file() else ""


@cache
def _below(*parts: str) -> str:
    folder = ROOT.joinpath(*parts)
    files = sorted(folder.rglob("*.py")) if folder.is_dir() else []
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def _forms(connector: Connector) -> Iterator[str]:
    kept = json.loads(_text("tests", "contract", "snapshots", f"{connector.name}.json") or "{}")
    for module in connector.modules.values():
        if module.name not in kept.get("generated" if module.generated else "modules", {}):
            yield module.name
    yield from (kind for kind in connector.connections if kind not in kept.get("connections", {}))


def _page(connector: Connector) -> Iterator[str]:
    name = f"connectors/{connector.name}.md"
    text = _text("docs", *name.split("/"))
    if f"]({name})" not in _text("docs", "index.md"):
        yield "docs/index.md"
    yield from (each.name for each in handmade(connector) if f"`{each.id}`" not in text)


def _reference(connector: Connector) -> Iterator[str]:
    text = _text("docs", "reference", "connectors.md")
    yield from (each.name for each in connector.modules.values() if f"`{each.id}`" not in text)


def _words(connector: Connector) -> Iterator[str]:
    for module in connector.modules.values():
        if not _asked(contracts.check_words, module) or not _asked(contracts.check_form, module):
            yield module.name


def _help(connector: Connector) -> Iterator[str]:
    for module in handmade(connector):
        yield from (f"{module.name}.{name}" for name in unexplained(module))


def _examples(connector: Connector) -> Iterator[str]:
    for module in handmade(connector):
        schema = schema_of(module)
        for name in schema["required"]:
            field = schema["properties"][name]
            shown = ("x-example", "x-options", "enum", "format", "x-multiline")
            if field.get("type") == "string" and not any(key in field for key in shown):
                yield f"{module.name}.{name}"


def _lists(connector: Connector) -> Iterator[str]:
    for module in handmade(connector):
        for name, field in fields_of(module):
            if _ID.search(name) and "[]" not in name and "x-options" not in field:
                yield f"{module.name}.{name}"


def _effects(connector: Connector) -> Iterator[str]:
    for module in connector.modules.values():
        if contracts.is_call(module) and not _asked(contracts.check_effect, module):
            yield module.name


def _probes(connector: Connector) -> Iterator[str]:
    for module in handmade(connector):
        if module.effect == "once" and module.probe is None:
            yield module.name


def _backfill(connector: Connector) -> Iterator[str]:
    for module in connector.modules.values():
        if module.hook is not None and module.hook.backfill is None:
            yield module.name


def _budgets(connector: Connector) -> Iterator[str]:
    yield from (kind for kind, each in connector.connections.items() if not each.budgets)


def _vendor_words(connector: Connector) -> Iterator[str]:
    if connector.error_text is None and connector.errors is None:
        yield "error_text"


def _bad_input(connector: Connector) -> Iterator[str]:
    if f'"{connector.name}": Vendor(' not in _text("tests", "contract", "test_bad_input.py"):
        yield "tests/contract/test_bad_input.py"


def _simulator(connector: Connector) -> Iterator[str]:
    if connector.name not in SIMULATORS:
        yield "simulator"


def _contract(connector: Connector) -> Iterator[str]:
    yield from (f"{each.where} {each.rule}" for each in contracts.problems(connector))


def _conformance(connector: Connector) -> Iterator[str]:
    if not re.search(rf"\b{connector.name}\b", _below("tools", "conform")):
        yield "make conform"


def _hooks(connector: Connector) -> Iterator[str]:
    for module in connector.modules.values():
        if module.kind == "instant" and not _asked(contracts.check_hook, module):
            yield module.name


def _rotation(connector: Connector) -> Iterator[str]:
    for kind, each in connector.connections.items():
        if not secrets_of(each.form) or (each.test is None and each.probe is None):
            yield kind


def _redaction(connector: Connector) -> Iterator[str]:
    for kind, each in connector.connections.items():
        if not _asked(contracts.check_signing, each):
            yield kind


def _units(connector: Connector) -> Iterator[str]:
    yield from (each.name for each in handmade(connector) if not _asked(check_units, each))


def _phones(connector: Connector) -> Iterator[str]:
    forms = [each.form for each in connector.connections.values()]
    if any("country" in getattr(form, "__dataclass_fields__", {}) for form in forms):
        return
    for module in handmade(connector):
        for name, field in fields_of(module):
            if field.get("format") == "phone":
                yield f"{module.name}.{name}"


RULES: tuple[Rule, ...] = (
    Rule("forms", "Every form is in a snapshot: whole, or as a hash if from a catalogue.", _forms),
    Rule("page", "It has a page that names its hand-made modules, linked from the index.", _page),
    Rule("reference", "Every module is in the reference that is made from the code.", _reference),
    Rule("words", "Every module has label and help, every field a label.", _words),
    Rule("help", "Every field says more than its label: help, format, choice, example.", _help),
    Rule(
        "examples", "A required text that is neither free nor picked shows an example.", _examples
    ),
    Rule("pick-lists", "Every ID is picked from the user's own account.", _lists),
    Rule("units", "Every time span and amount of money says its unit.", _units),
    Rule("phones", "Phone numbers are read by the connection's country, bad ones named.", _phones),
    Rule("effects", "Every write says what repeating it would do.", _effects),
    Rule("probes", "What must not be repeated can be looked for.", _probes),
    Rule("backfill", "What an instant trigger missed in a downtime is fetched.", _backfill),
    Rule("hooks", "A delivery that is not genuine is refused.", _hooks),
    Rule("budgets", "The vendor's limits are declared and kept to.", _budgets),
    Rule("vendor-words", "Refusals carry the vendor's own message.", _vendor_words),
    Rule("bad-input", "Bad input and bad days are tested, one by one.", _bad_input),
    Rule("simulator", "There is a double of the vendor to try it with.", _simulator),
    Rule("conformance", "Its requests are compared with the vendor's specification.", _conformance),
    Rule("contract", "It passes the suite that every connector must pass.", _contract),
    Rule("rotation", "A new secret can take the old one's place, and is tested first.", _rotation),
    Rule("redaction", "No secret shows, wherever an account or a request is shown.", _redaction),
)


# The files


def connectors() -> list[Connector]:
    """The connectors that have a file, by name."""
    return [each for each in Registry.load().connectors() if file_of(each.name).is_file()]


def file_of(name: str) -> Path:
    """Where a connector's file is: in its package, or beside its one file."""
    package = CONNECTORS / name
    return package / "quality.toml" if package.is_dir() else CONNECTORS / f"{name}.quality.toml"


def read(name: str) -> dict[str, Any]:
    """What a connector's file says, by rule."""
    return tomllib.loads(file_of(name).read_text(encoding="utf-8"))


def disagreements(connector: Connector) -> list[str]:
    """Where its file and the connector disagree, each with what to do."""
    said = read(connector.name)
    known = {rule.name for rule in RULES}
    out = [f"[{name}] is no rule" for name in said if name not in known]
    for rule in RULES:
        if rule.name not in said:
            out.append(f"[{rule.name}] is missing: {rule.says}")
        else:
            out += [f"[{rule.name}] {text}" for text in compared(rule, said[rule.name], connector)]
    return out


def compared(rule: Rule, entry: Mapping[str, Any], connector: Connector) -> Iterator[str]:
    """What is wrong with one table of a file."""
    status, reason = entry.get("status"), str(entry.get("reason", "")).strip()
    strange = entry.keys() - {"status", "reason", "left", "except"}
    if status not in STATUSES or strange:
        yield f"can't be read: status {status!r}, {', '.join(sorted(strange)) or 'no other keys'}"
        return
    if status != "done" and len(reason) < 10:
        yield f"is {status}: give the reason"
    found = list(rule.finds(connector))
    excused: Mapping[str, str] = entry.get("except", {})
    for pattern, why in excused.items():
        if len(str(why).strip()) < 10:
            yield f"except {pattern}: give the reason"
        if not any(fnmatchcase(each, pattern) for each in found):
            yield f"except {pattern}: nothing needs it any more; remove it"
    left = [each for each in found if not any(fnmatchcase(each, one) for one in excused)]
    if status == "done" and left:
        yield f"is not done: {', '.join(left[:8])}{' …' if len(left) > 8 else ''}"
    if status == "open" and len(left) != entry.get("left"):
        yield f"left = {entry.get('left')}, but {len(left)} are: {', '.join(left[:8])}"
    if status == "open" and not left:
        yield "is open, but nothing is left: it is done"


def tighten(connector: Connector) -> bool:
    """Lowers the counts of its file; never raises one. Whether it changed."""
    file = file_of(connector.name)
    text = file.read_text(encoding="utf-8")
    said = read(connector.name)
    for rule in RULES:
        entry = said.get(rule.name, {})
        if entry.get("status") != "open":
            continue
        excused = entry.get("except", {})
        found = rule.finds(connector)
        left = sum(not any(fnmatchcase(each, one) for one in excused) for each in found)
        if left < int(entry.get("left", 0)):
            where = rf"(\[{re.escape(rule.name)}\]\n(?:[^\[].*\n)*?left = )\d+"
            text = re.sub(where, rf"\g<1>{left}", text)
    changed = text != file.read_text(encoding="utf-8")
    if changed:
        file.write_text(text, encoding="utf-8")
    return changed


def page(found: list[Connector]) -> str:
    """The reference page: a table of rules and connectors, and what is open or exempt, and why."""
    lines = [
        "# Quality of the connectors",
        "",
        "What each connector that reaches a service keeps to. ✓ is done, *open* names",
        "how much is left, · is exempt. Each says it in its `quality.toml`, and",
        "`python -m tools.quality` fails where a file says more than it computes.",
        "",
        "| rule | " + " | ".join(each.label for each in found) + " |",
        "|---|" + "---|" * len(found),
    ]
    said = {each.name: read(each.name) for each in found}
    for rule in RULES:
        marks = []
        for each in found:
            entry = said[each.name].get(rule.name, {})
            left = f" {entry['left']}" if "left" in entry else ""
            marks.append(MARKS.get(str(entry.get("status")), "?") + left)
        lines.append(f"| **{rule.name}** {rule.says} | " + " | ".join(marks) + " |")
    for each in found:
        lines += ["", f"## {each.label}", ""]
        rows = [
            text
            for rule in RULES
            for text in _reasons(rule.name, said[each.name].get(rule.name, {}))
        ]
        lines += rows or ["Everything is done, without exception."]
    return "\n".join(lines) + "\n"


def _reasons(rule: str, entry: Mapping[str, Any]) -> Iterator[str]:
    if entry.get("status") != "done":
        yield f"- **{rule}**, {entry.get('status')}: {entry.get('reason', '')}"
    for pattern, why in entry.get("except", {}).items():
        yield f"- **{rule}**, except `{pattern}`: {why}"


def main(arguments: list[str]) -> int:
    """Checks, or tightens and then checks."""
    broken = 0
    for connector in connectors():
        if "--tighten" in arguments and tighten(connector):
            print(f"{file_of(connector.name).relative_to(ROOT)} is tightened")
        for text in disagreements(connector):
            broken += 1
            print(f"{file_of(connector.name).relative_to(ROOT)}: {text}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
