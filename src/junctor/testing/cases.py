"""Scenario tests as files: what is given, and what is expected of it. Reading, writing, judging.

``NAME.test.json`` beside ``NAME.blueprint.json`` (or ``NAME.json``) holds a `Suite`. JSON and not
YAML: a blueprint is JSON, so bundles are copied from one to the other as they are; ``no`` and
``12:30`` stay what they are; and no further package is needed. For words there is ``says``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec

from junctor.errors import Misconfigured
from junctor.language.lossless import dumps, loads, plain
from junctor.testing.matching import Difference, differences

__all__ = [
    "SUFFIX",
    "Case",
    "Delivered",
    "Expect",
    "Given",
    "Outcome",
    "Rule",
    "Suite",
    "blueprint_of",
    "judge",
    "read_suite",
    "write_expectations",
]

SUFFIX = ".test.json"


class _Strict(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Refuses keys that it does not know: a misspelled expectation must not pass."""


class Delivered(_Strict):
    """What a hook receives."""

    method: str = "POST"
    headers: dict[str, str] = {}
    query: dict[str, str | list[str]] = {}
    json: Any = msgspec.UNSET
    """A JSON body; the content type is said unless ``headers`` do."""
    body: str = ""
    """Any other body."""
    settings: dict[str, Any] = {}
    """The hook's settings."""


class Rule(_Strict):
    """How calls are answered: those of a module, or requests, or what is asked of Junctor.

    Rules are tried in order, and the first that fits and is not used up answers.
    """

    module: int | None = None
    request: str | None = None
    """``METHOD URL``, with ``*`` for anything; a URL that begins with ``/`` is a path."""
    ask: str | None = None
    """Name of an `Ask`, such as ``SendMail``."""
    where: Any = None
    """The request (as in ``expect.requests``) or the module's input must be like this, too."""
    times: int | None = None
    """How often it answers; always, if not said."""

    bundles: list[dict[str, Any]] | None = None
    """The module gives these; no request is made."""
    error: str | dict[str, Any] | None = None
    """The module fails: a name of the error (``RateLimitError``, ``rate_limited``), or
    ``{"type", "message", "retry_after"}``."""
    status: int | None = None
    """The vendor answers: status, headers, and ``json`` or ``text``."""
    headers: dict[str, str] = {}
    json: Any = msgspec.UNSET
    text: str | None = None
    timeout: bool = False
    """No complete answer comes: whether it happened is unknown."""
    unreachable: bool = False
    """Nothing could be sent."""
    answer: Any = msgspec.UNSET
    """What an `Ask` is answered with."""


class Given(_Strict):
    """What a case begins with."""

    bundles: list[dict[str, Any]] | None = None
    """What the trigger gives."""
    delivery: Delivered | None = None
    """What the trigger's hook receives, instead."""
    now: str | None = None
    """An instant with an offset: when the run begins."""
    zone: str | None = None
    locale: str | None = None
    country: str | None = None
    variables: dict[str, Any] = {}
    """What ``var.*`` reads: ``{"organization": {…}, "team": {…}, "input": {…}}``."""
    connections: dict[str, dict[str, Any]] = {}
    """Fields of connections, by connector: a location id that ends up in requests."""
    records: dict[str, dict[str, dict[str, Any]]] = {}
    """Data stores, by the id that the blueprint has for them: key → record."""
    start: str | None = None
    """Where a trigger that polls begins: ``all`` (if not said), ``now``, or a date."""
    cycles: int = 1
    """How often, at most, a trigger that polls is asked."""
    answers: list[Rule] = []
    samples: bool = False
    """Modules that no rule answers give samples, as in a mock run."""


class Expect(_Strict):
    """What is expected; what is not named may be anything. Values are matched by subset."""

    status: str | None = None
    operations: int | None = None
    route: Any = None
    """Modules in the order in which they were first reached."""
    not_reached: list[int] | None = None
    bundles: dict[str, Any] | None = None
    """All that modules gave out, by id."""
    inputs: dict[str, Any] | None = None
    """The evaluated mappings of each operation, by id."""
    counts: dict[str, int] | None = None
    """Operations, by module id."""
    stopped: dict[str, int] | None = None
    """Bundles that filters stopped, by module id."""
    requests: Any = None
    answer: Any = None
    """What the hook's caller was sent: ``status``, ``headers``, ``json`` or ``body``."""
    error: Any = None
    """``{"type", "message", "module"}`` of the error that ended the run."""
    set_aside: Any = None
    """``[{"type", "message", "module"}]`` of bundles whose rest of the way became a run of its own.
    """
    waits: Any = None
    """``[{"module", "seconds"}]``"""
    records: Any = None
    """Data stores at the end."""


class Case(_Strict):
    """One test."""

    name: str
    says: str = ""
    given: Given = msgspec.field(default_factory=Given)
    expect: Expect | msgspec.UnsetType = msgspec.UNSET


class Suite(_Strict):
    """One file."""

    cases: list[Case]
    blueprint: str | None = None
    """Its file, beside this one; without it, the one of the same name."""
    says: str = ""
    given: Given = msgspec.field(default_factory=Given)
    """For all cases; a case's own values come first."""


@dataclass(slots=True)
class Outcome:
    """A case that was run."""

    name: str
    seen: dict[str, Any] = field(default_factory=dict)
    """What happened, in the shape of `Expect`."""
    differences: list[Difference] = field(default_factory=list)
    problem: str = ""
    """Why it could not be run, or could not go on."""
    new: bool = False
    """Nothing was expected yet."""

    @property
    def ok(self) -> bool:
        """Whether all was as expected."""
        return not (self.differences or self.problem or self.new)


def read_suite(path: Path) -> Suite:
    """Reads a test file. `Misconfigured` naming file, place and mend."""
    try:
        document = plain(loads(path.read_bytes()).value)
    except OSError as error:
        raise Misconfigured(f"{path} can't be read: {error.strerror or error}.") from error
    try:
        suite = msgspec.convert(document, Suite)
    except msgspec.ValidationError as error:
        raise Misconfigured(f"{path}: {_advised(str(error))}") from error
    names: set[str] = set()
    for number, case in enumerate(suite.cases):
        if not case.name.strip() or case.name in names:
            raise Misconfigured(
                f"{path}: cases[{number}].name is {case.name!r}; give each case a name of its own."
            )
        names.add(case.name)
        for place, given in ((f"cases[{number}].given", case.given), ("given", suite.given)):
            for index, rule in enumerate(given.answers):
                wrong = _wrong(rule)
                if wrong:
                    raise Misconfigured(f"{path}: {place}.answers[{index}]: {wrong}")
    return suite


def _advised(message: str) -> str:
    """The message; with the name that was probably meant, if a key is unknown."""
    found = re.search(r"unknown field `([^`]*)`(?: - at `\$([^`]*)`)?", message)
    if found is None:
        return f"{message}."
    key, place = found[1], found[2] or ""
    kind = next((kind for end, kind in _PLACES if re.search(end, place)), Suite)
    names = [each.name for each in msgspec.structs.fields(kind)]
    near = get_close_matches(key, names, n=1)
    mend = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(names)}."
    return f"{key!r} is unknown at ${place}; {mend}"


_PLACES: tuple[tuple[str, type[_Strict]], ...] = (
    (r"\.answers\[[^\]]*\]$", Rule),
    (r"\.delivery$", Delivered),
    (r"\.given$", Given),
    (r"\.expect$", Expect),
    (r"\.cases\[[^\]]*\]$", Case),
)


def _wrong(rule: Rule) -> str:
    """What is wrong with a rule, if anything."""
    whom = [name for name in ("request", "ask") if getattr(rule, name) is not None]
    if len(whom) > 1:
        return "it has both 'request' and 'ask'; make two of it."
    if not whom and rule.module is None:
        return "say whom it answers: 'module', 'request' or 'ask'."
    if rule.request is not None and " " not in rule.request.strip():
        return f"'request' is {rule.request!r}; write 'METHOD URL', such as 'POST https://*'."
    ways = {
        "bundles": rule.bundles is not None,
        "error": rule.error is not None,
        "status": rule.status is not None
        or rule.json is not msgspec.UNSET
        or rule.text is not None,
        "timeout": rule.timeout,
        "unreachable": rule.unreachable,
        "answer": rule.answer is not msgspec.UNSET,
    }
    chosen = [name for name, on in ways.items() if on]
    if len(chosen) != 1:
        found = " and ".join(chosen) or "nothing"
        return f"it answers with {found}; choose one of {', '.join(ways)}."
    if chosen == ["status"] and rule.request is None:
        return "a status answers a 'request'; a module is answered with 'bundles' or 'error'."
    if chosen == ["bundles"] and rule.module is None:
        return "'bundles' answer a 'module'; a request is answered with 'status' and 'json'."
    if chosen == ["answer"] and rule.ask is None:
        return "'answer' answers an 'ask'."
    return ""


def blueprint_of(path: Path, suite: Suite) -> Path:
    """The blueprint that a test file is about. `Misconfigured` if there is none."""
    if suite.blueprint is not None:
        found = path.parent / suite.blueprint
        if not found.is_file():
            raise Misconfigured(f"{path}: there is no blueprint {suite.blueprint!r} beside it.")
        return found
    stem = path.name.removesuffix(SUFFIX)
    names = (f"{stem}.blueprint.json", f"{stem}.json")
    for name in names:
        if (path.parent / name).is_file():
            return path.parent / name
    raise Misconfigured(
        f"{path}: there is neither {names[0]} nor {names[1]} beside it; "
        'name the file in "blueprint".'
    )


def judge(case: Case, seen: Mapping[str, Any]) -> list[Difference]:
    """Where what happened is not what the case expects."""
    expect = case.expect
    if isinstance(expect, msgspec.UnsetType):
        return []
    wanted = msgspec.to_builtins(expect)
    found: list[Difference] = []
    unwanted = set(wanted.pop("not_reached", None) or ()) & set(seen["route"])
    found += [Difference("route", f"module {each} not reached", "it was") for each in unwanted]
    for name, value in wanted.items():
        if name in {"bundles", "inputs", "counts", "stopped"}:
            for module, each in value.items():
                empty: Any = 0 if name in {"counts", "stopped"} else []
                known = seen[name].get(module, empty)
                found += differences(each, known, f"{name}[{module}]")
        else:
            found += differences(value, seen.get(name), name)
    return found


def write_expectations(path: Path, seen: Mapping[str, Mapping[str, Any]]) -> None:
    """Writes what happened into those cases of a file that expect nothing yet, by name."""
    document = loads(path.read_bytes()).value
    for case in document["cases"]:
        if "expect" not in case and case["name"] in seen:
            case["expect"] = dict(seen[case["name"]])
    path.write_text(dumps(document, 2) + "\n", encoding="utf-8")
