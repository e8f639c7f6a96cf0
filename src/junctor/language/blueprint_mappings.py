"""Looks at mappings: can they be read and run, and does what they map from exist?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from junctor.errors import ExpressionError
from junctor.language.blueprint_report import Report
from junctor.language.blueprint_sight import Sight
from junctor.language.expressions import FAILED, compile_template, parse, warnings_of
from junctor.language.expressions.nodes import Call, Chain, Path, Template, Unary
from junctor.language.lossless import Steps
from junctor.language.scenario import Module, Severity

__all__ = ["Mappings", "Say", "listed"]

Say = Callable[[Steps, Severity, str, str], None]
"""Takes a finding: place, severity, message, and the path that the place is below."""

_PLACEHOLDER = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|YOUR[A-Z_]*")
"""A name in capitals that someone who published a blueprint left for a value of one's own."""

_NEAR = 0.8
"""How alike two field names must be for one to be taken as a slip of the other."""

_OPEN = frozenset({"any", "json", "dynamicCollection"})
"""Types of fields that may hold anything."""


@dataclass(frozen=True, slots=True)
class _Read:
    """What one text maps from, and what is wrong with it."""

    modules: tuple[int, ...]
    paths: tuple[Path, ...]
    findings: tuple[tuple[Severity, str], ...]


class Mappings:
    """Looks at templates, and counts them in a report."""

    def __init__(self, report: Report, modules: Mapping[int, Module], say: Say) -> None:
        self.report = report
        self.modules = modules
        self.say = say
        self._slots = dict.fromkeys(modules, 0)
        self._read: dict[tuple[str, bool], _Read | ExpressionError] = {}
        self._slips: dict[tuple[Any, ...], tuple[str, str] | None] = {}

    def look(self, value: Any, steps: Steps, sight: Sight | None, at: str = "") -> None:
        """Every text below ``value`` that holds expressions."""
        path = sight.module.path if sight is not None else at
        for text, below in _texts(value, steps):
            self.report.expressions += 1
            handling = ".onerror" in path
            read = self._read.get((text, handling))
            if read is None:
                read = self._read[text, handling] = self._understood(text, handling=handling)
            if isinstance(read, ExpressionError):
                self.say(below, "error", _unreadable(text, read), path)
                continue
            self.report.parsed += 1
            for severity, message in read.findings:
                self.say(below, severity, message, path)
            if sight is not None:
                for wanted in read.modules:
                    self._reference(wanted, below, sight)
                self._fields(read.paths, below, sight)

    def _understood(self, text: str, *, handling: bool) -> _Read | ExpressionError:
        """What a text maps from and what is wrong with it; blueprints repeat many texts."""
        try:
            template = parse(text)
        except ExpressionError as error:
            return error
        findings: list[tuple[Severity, str]] = []
        findings += [("warning", f"{_cut(text)}: {note.message}") for note in warnings_of(text)]
        paths = tuple(path for path in _paths(template) if isinstance(path.root, int))
        modules = {path.root for path in paths if isinstance(path.root, int)}
        try:
            slots = self._slots | dict.fromkeys(modules, 0)
            compile_template(text, slots | {FAILED: 0} if handling else slots)
        except ExpressionError as error:  # an unknown function, too few arguments …
            findings.append(("error", _cannot_run(text, template, error)))
        return _Read(tuple(sorted(modules)), paths, tuple(dict.fromkeys(findings)))

    def _reference(self, wanted: int, steps: Steps, sight: Sight) -> None:
        """A mapping from a module that can't be seen from here."""
        if wanted in sight.visible:
            return
        at = sight.module.path
        number = steps[3] if steps[:1] == ("outputs",) and len(steps) > 3 else None
        branches = sight.branches[number : number + 1] if isinstance(number, int) else ()
        if any(wanted in branch for branch in branches):
            return
        choice = listed(sight.visible)
        collector = next((by for lost, by in sight.collected if lost == wanted), None)
        if wanted not in self.modules:
            message = f"Module {wanted} is not in this blueprint. Map from {choice} instead."
        elif wanted == sight.module.id:
            message = f"Module {wanted} uses its own output. Map from {choice} instead."
        elif collector is not None:
            self.say(
                steps,
                "warning",
                f"Bundles of module {wanted} end in the aggregator {collector}, so this is empty. "
                f"Map from module {collector}.",
                at,
            )
            return
        else:
            message = (
                f"Module {wanted} ({self.modules[wanted].module}) does not run before module "
                f"{sight.module.id} on its way. Map from {choice} instead."
            )
        self.say(steps, "error", message, at)

    def _fields(self, paths: tuple[Path, ...], steps: Steps, sight: Sight) -> None:
        """Fields that look like a slip of one that the module is known to give.

        Exports list only the fields that were seen once, so a name that is like none of them is
        probably right; one that is nearly another is probably not.
        """
        for path in paths:
            source = self.modules.get(path.root) if isinstance(path.root, int) else None
            if source is None or not source.interface or source.id not in sight.visible:
                continue
            key = (path.root, *(step.to for step in path.steps))
            if key not in self._slips:
                self._slips[key] = _slip(path, source.interface)
            slip = self._slips[key]
            if slip is None:
                continue
            wrong, near = slip
            self.say(
                steps,
                "warning",
                f"Module {path.root} gives no {wrong!r} as far as is known, but {near!r}. "
                "If that is meant, correct the name.",
                sight.module.path,
            )


def _slip(path: Path, interface: tuple[Mapping[str, Any], ...]) -> tuple[str, str] | None:
    """A name on the path that its form does not have, and the one it is nearly."""
    form: Any = interface
    for step in path.steps:
        if not isinstance(step.to, str):
            if isinstance(step.to, int) or step.every:
                continue
            return None
        fields = {
            each["name"]: each
            for each in (form if isinstance(form, list | tuple) else ())
            if isinstance(each, Mapping) and isinstance(each.get("name"), str)
        }
        if not fields or step.to.startswith("__") or step.to == "error":
            return None
        found = fields.get(step.to)
        if found is None:
            near = get_close_matches(step.to, fields, n=1, cutoff=_NEAR)
            return (step.to, near[0]) if near and _one_slip(step.to, near[0]) else None
        form = found.get("spec")
        if isinstance(form, Mapping):
            form = form.get("spec")
        if str(found.get("type")) in _OPEN:
            return None
    return None


def _one_slip(written: str, known: str) -> bool:
    """Whether the names differ as a slip does, and not as ``address1`` and ``address2`` do."""
    return re.sub(r"\d+", "", written) != re.sub(r"\d+", "", known) and len(written) > 2


def _paths(template: Template) -> Iterator[Path]:
    todo: list[Any] = list(template.parts)
    while todo:
        match todo.pop():
            case Path(root, steps) as path:
                yield path
                todo.append(root)
                todo += [step.to for step in steps]
            case Call(_, arguments):
                todo += arguments
            case Unary(_, operand):
                todo.append(operand)
            case Chain(_, first, rest):
                todo += (first, *(operand for _, operand in rest))


def _texts(value: Any, steps: Steps) -> Iterator[tuple[str, Steps]]:
    if isinstance(value, str):
        if "{{" in value:
            yield value, steps
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, (*steps, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _texts(item, (*steps, index))


def _cannot_run(text: str, template: Template, error: ExpressionError) -> str:
    for path in _paths(template):
        if isinstance(path.root, str) and not path.steps and _PLACEHOLDER.fullmatch(path.root):
            return (
                f"{{{{{path.root}}}}} is a place for a value of your own. Write the value there, "
                "or keep it in a variable and map that."
            )
    return f"{_cut(text)} can't run: {error.message}"


def _unreadable(text: str, error: ExpressionError) -> str:
    position = error.params.get("position", 0)
    return f"{_cut(text, position)} can't be read: {error.message} (position {position})"


def _cut(text: str, around: int = 0) -> str:
    start = max(0, min(around - 20, len(text) - 60))
    shown = text[start : start + 60]
    return ("…" if start else "") + repr(shown)[1:-1] + ("…" if start + 60 < len(text) else "")


def listed(ids: frozenset[int]) -> str:
    """Modules to choose from, for a sentence."""
    if not ids:
        return "a module before it (there is none)"
    shown = [str(number) for number in sorted(ids)]
    more = "" if len(shown) <= 12 else f" … ({len(shown)} in all)"
    return ("module " if len(shown) == 1 else "one of ") + ", ".join(shown[:12]) + more
