"""Looks at every module, mapping, filter and setting of an imported blueprint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from junctor.errors import ExpressionError, JunctorError
from junctor.language.blueprint import Imported, blueprint_of, placed, requirements
from junctor.language.blueprint_report import Alias, Known, Report, Unsupported
from junctor.language.blueprint_sight import Sight, sights
from junctor.language.connector import ModuleDef
from junctor.language.expressions import compile_template, parse, uses
from junctor.language.filters import OPERATORS
from junctor.language.forms import schema_of
from junctor.language.lossless import Steps, path_text
from junctor.language.scenario import Condition, Filter, Module, Problem, Severity

__all__ = ["Checker"]

INVENTED = frozenset(
    {
        "builtin:BasicFilter",
        "builtin:BasicIterator",
        "builtin:ErrorHandler",
        "builtin:Iterator",
        "builtin:Sleep",
        "datastore:ActionAddRecord",
        "gateway:CustomWebhook",
        "gateway:WebhookResponse",
        "http:MakeARequest",
        "util:NumericAggregator",
        "util:NumericalAggregator",
        "util:TableAggregator",
    }
)
"""Names that circulate in blueprints written by language models; Make never exported them."""


class Checker:
    """Fills a report."""

    def __init__(self, report: Report, imported: Imported, known: Known) -> None:
        self.report = report
        self.imported = imported
        self.known = known
        self.ids = {module.id: module for module in imported.scenario.modules()}

    def run(self) -> None:
        """Adds everything that was found to the report."""
        scenario = self.imported.scenario
        self.report.name = scenario.name
        self.report.problems += self.imported.problems
        self.report.requirements = requirements(scenario, self.imported.document)
        if not scenario.flow:
            self._say((), "warning", "the flow is empty: there is nothing to run.", "flow")
        for sight in sights(scenario.flow):
            self._module(sight)
        self._tools()
        self._filter_on_trigger()
        self._settings()

    def _say(self, steps: Steps, severity: Severity, message: str, at: str = "") -> None:
        base = self.imported.path + (f".{at}" if at else "")
        self.report.problems.append(Problem(path_text(steps, base), severity, message))

    def _module(self, sight: Sight) -> None:
        module = sight.module
        self.report.total += 1
        definition = self._definition(module)
        for number, route in enumerate(module.routes):
            if route.disabled:
                self._say(
                    ("routes", number),
                    "info",
                    f"Route {number + 1} is disabled: its {len(route.flow)} modules don't run.",
                    module.path,
                )
        self._mapped(module.mapper, ("mapper",), sight)
        self._filter(module.filter, ("filter",), sight)
        for number, branch in enumerate(module.branches):
            self._filter(branch.filter, ("branches", number), sight)
        self._mapped(module.flags.get("groupBy"), ("flags", "groupBy"), sight)
        for number, output in enumerate(module.outputs):
            self._mapped(output, ("outputs", number), sight)
        self._feeder(sight)
        if definition is not None:
            self._required(module, definition)

    def _definition(self, module: Module) -> ModuleDef | None:
        """The module's definition, unless none here serves it; says so then."""
        if not module.module:
            return None  # reported by the reader
        try:
            found = self.known(module.module)
        except JunctorError as error:  # an installed connector that can't be loaded
            self._say(("module",), "error", f"{module.module}: {error.message}", module.path)
            return None
        app = module.module.partition(":")[0]
        if found is None:
            advice = _advice(app)
            entry = self.report.unsupported.setdefault(app, Unsupported(app, advice=advice))
            entry.count += 1
            if module.module not in entry.modules:
                entry.modules.append(module.module)
            self._say(
                ("module",),
                "warning",
                f"{module.module} is not supported here, so module {module.id} can't run. {advice}",
                module.path,
            )
            return None
        if found.id != module.module:
            path = f"{self.imported.path}.{module.path}.module"
            self.report.aliases.append(Alias(path, module.module, found.id))
            invented = module.module in INVENTED or app == "tools"
            self._say(
                ("module",),
                "warning" if invented else "info",
                f"{module.module} is taken as {found.id}."
                + (" Make has no module of this name. Check its fields." if invented else ""),
                module.path,
            )
        # Versions count per name: that of an invented name says nothing about the real module.
        served = found.blueprint_versions if found.id == module.module else ()
        if served and module.version is not None and module.version not in served:
            versions = " or ".join(map(str, served))
            self._say(
                ("version",),
                "warning",
                f"{module.module} has version {module.version}; only {versions} runs here. "
                "Replace it by a new module of that kind.",
                module.path,
            )
            return None
        if found.kind == "placeholder":
            self._say(
                ("module",),
                "info",
                f"Module {module.id} is an empty place: bundles pass through it.",
                module.path,
            )
        self.report.runnable += 1
        return found

    def _mapped(self, value: Any, steps: Steps, sight: Sight | None, at: str = "") -> None:
        """Every text below ``value`` that holds expressions."""
        path = sight.module.path if sight is not None else at
        for text, below in _texts(value, steps):
            self.report.expressions += 1
            try:
                template = parse(text)
            except ExpressionError as error:
                self._say(below, "error", _expression_message(text, error), path)
                continue
            self.report.parsed += 1
            if template.recovered:
                self._say(
                    below,
                    "warning",
                    f"{_cut(text)} has doubled braces; {{{{{{{{…}}}}}}}} is read as {{{{…}}}}. "
                    "Remove the extra braces.",
                    path,
                )
            used = uses(text)
            try:
                compile_template(text, dict.fromkeys(used.modules, 0))
            except ExpressionError as error:  # an unknown function, too few arguments …
                self._say(below, "error", f"{_cut(text)} can't run: {error.message}", path)
            if sight is not None:
                for wanted in sorted(used.modules):
                    self._reference(wanted, below, sight)

    def _reference(self, wanted: int, steps: Steps, sight: Sight) -> None:
        """A mapping from a module that can't be seen from here."""
        if wanted in sight.visible:
            return
        at = sight.module.path
        number = steps[3] if steps[:1] == ("outputs",) and len(steps) > 3 else None
        branches = sight.branches[number : number + 1] if isinstance(number, int) else ()
        if any(wanted in branch for branch in branches):
            return
        choice = _listed(sight.visible)
        collector = next((by for lost, by in sight.collected if lost == wanted), None)
        if wanted not in self.ids:
            message = f"Module {wanted} is not in this blueprint. Map from {choice} instead."
        elif wanted == sight.module.id:
            message = f"Module {wanted} uses its own output. Map from {choice} instead."
        elif collector is not None:
            self._say(
                steps,
                "warning",
                f"Bundles of module {wanted} end in the aggregator {collector}, so this is empty. "
                f"Map from module {collector}.",
                at,
            )
            return
        else:
            message = (
                f"Module {wanted} ({self.ids[wanted].module}) does not run before module "
                f"{sight.module.id} on its way. Map from {choice} instead."
            )
        self._say(steps, "error", message, at)

    def _filter(self, filter_: Filter | None, steps: Steps, sight: Sight) -> None:
        for number, group in enumerate(filter_.groups if filter_ else ()):
            for index, condition in enumerate(group):
                here = (*steps, "conditions", number, index)
                self._operator(condition, here, sight.module)
                self._mapped(condition.a, (*here, "a"), sight)
                self._mapped(condition.b, (*here, "b"), sight)

    def _operator(self, condition: Condition, steps: Steps, module: Module) -> None:
        known = OPERATORS.get(condition.operator)
        if known is None:
            near = get_close_matches(condition.operator, OPERATORS, n=1) or ["text:equal"]
            self._say(
                (*steps, "o"),
                "error",
                f"There is no filter operator {condition.operator!r}. Use one that exists, "
                f"like {near[0]!r}.",
                module.path,
            )
        elif known.invented:
            self._say(
                (*steps, "o"),
                "warning",
                f"Make has no filter operator {condition.operator!r}; it works here as "
                f"{known.label!r}.",
                module.path,
            )

    def _feeder(self, sight: Sight) -> None:
        feeder = sight.module.parameters.get("feeder")
        if isinstance(feeder, int) and not isinstance(feeder, bool) and feeder not in sight.visible:
            self._say(
                ("parameters", "feeder"),
                "error",
                f"The aggregator's source is module {feeder}, which does not run before it. "
                f"Choose {_listed(sight.visible)}.",
                sight.module.path,
            )

    def _required(self, module: Module, definition: ModuleDef) -> None:
        schema = schema_of(definition)
        mapper = module.mapper if isinstance(module.mapper, Mapping) else {}
        for name in schema.get("required", ()):
            if mapper.get(name) is None and module.parameters.get(name) is None:
                form = schema.get("properties", {}).get(name, {})
                self._say(
                    ("parameters" if form.get("x-static") else "mapper", name),
                    "error",
                    f"{module.module} needs {form.get('title', name)!r} ({name}), which is "
                    "missing. Give it a value.",
                    module.path,
                )

    def _tools(self) -> None:
        """Modules that only an agent calls: counted, their expressions parsed, no references."""
        for steps, raw in placed(blueprint_of(self.imported.document)):
            if "tools" in steps:
                self.report.total += 1
                at = path_text(steps, "").removeprefix(".")
                self._mapped(raw.get("mapper"), ("mapper",), None, at)

    def _filter_on_trigger(self) -> None:
        first = next(iter(self.imported.scenario.flow), None)
        if first is not None and first.filter is not None and first.filter.groups:
            self._say(
                ("filter",),
                "error",
                f"{first.module} is the first module, and nothing comes to its filter "
                f"{first.filter.name!r}. Move the filter to the next module.",
                first.path,
            )

    def _settings(self) -> None:
        """Settings that are kept and not obeyed."""
        metadata = blueprint_of(self.imported.document).get("metadata")
        if not isinstance(metadata, dict):
            return
        given = metadata.get("scenario")
        settings = given if isinstance(given, dict) else {}
        kept = {
            "dlq": (
                settings.get("dlq") is False,
                "Storing incomplete runs is off; they are stored here all the same.",
            ),
            "freshVariables": (
                bool(settings.get("freshVariables")),
                "freshVariables is kept; what it does is not documented, so it does nothing here.",
            ),
            "slots": (
                settings.get("slots") is not None,
                "slots is kept; what it does is not documented, so it does nothing here.",
            ),
        }
        for key, (applies, message) in kept.items():
            if applies:
                self._say(("metadata", "scenario", key), "info", message)
        if metadata.get("instant") is True:
            self._say(
                ("metadata", "instant"),
                "info",
                "Make would deactivate this scenario at its first error and end its runs after "
                "40 minutes; here it stays active and its runs may take longer.",
            )


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


def _advice(app: str) -> str:
    if app in {"builtin", "util", "gateway", "tools", "flow"}:
        return "Replace it by a module from the list (`junctor connectors`)."
    if app == "http":
        return "Use http:MakeRequest, which can authenticate too."
    return (
        f"Call {app}'s API with http:MakeRequest, or import its OpenAPI description to get "
        "modules for it."
    )


def _expression_message(text: str, error: ExpressionError) -> str:
    position = error.params.get("position", 0)
    return f"{_cut(text, position)} can't be read: {error.message} (position {position})"


def _cut(text: str, around: int = 0) -> str:
    start = max(0, min(around - 20, len(text) - 60))
    shown = text[start : start + 60]
    return ("…" if start else "") + repr(shown)[1:-1] + ("…" if start + 60 < len(text) else "")


def _listed(ids: frozenset[int]) -> str:
    if not ids:
        return "a module before it (there is none)"
    shown = [str(number) for number in sorted(ids)]
    more = "" if len(shown) <= 12 else f" … ({len(shown)} in all)"
    return ("module " if len(shown) == 1 else "one of ") + ", ".join(shown[:12]) + more
