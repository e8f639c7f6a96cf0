"""Looks at every module, mapping, filter and setting of an imported blueprint."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from junctor.errors import JunctorError, Misconfigured
from junctor.language.blueprint import Imported, blueprint_of, placed, requirements
from junctor.language.blueprint_mappings import Mappings, listed
from junctor.language.blueprint_mend import advice_for, nearest
from junctor.language.blueprint_report import Alias, Known, Offered, Report, Unsupported
from junctor.language.blueprint_settings import settings_problems
from junctor.language.blueprint_sight import Sight, sights
from junctor.language.connector import ModuleDef
from junctor.language.filters import OPERATORS
from junctor.language.forms import schema_of
from junctor.language.lossless import Steps, path_text
from junctor.language.retry import RetryPolicy, timeout_of
from junctor.language.scenario import Condition, Filter, Module, Problem, Severity

__all__ = ["Checker"]

_UNHANDLED: Mapping[str, str] = {
    "router": "A router passes bundles on, and what fails on its routes fails elsewhere",
    "merge": "Nothing handles what fails in a merge",
    "placeholder": "An empty place does nothing that could fail",
    "trigger": "A trigger that fails has no bundle to handle",
    "instant": "A trigger that fails has no bundle to handle",
}
"""Kinds of modules whose own error handlers never run, and why."""


class Checker:
    """Fills a report."""

    def __init__(
        self, report: Report, imported: Imported, known: Known, offered: Offered | None = None
    ) -> None:
        self.report = report
        self.imported = imported
        self.known = known
        self.offered = offered
        self._all: list[str] | None = None
        self._schemas: dict[str, Mapping[str, Any]] = {}
        ids = {module.id: module for module in imported.scenario.modules()}
        self.mappings = Mappings(report, ids, self._say)

    def run(self) -> None:
        """Adds everything that was found to the report."""
        scenario = self.imported.scenario
        self.report.name = scenario.name
        self.report.problems += self.imported.problems
        self.report.aliases += [Alias(*renamed) for renamed in self.imported.renamed]
        self.report.requirements = requirements(scenario, self.imported.document)
        if not scenario.flow:
            self._say((), "warning", "the flow is empty: there is nothing to run.", "flow")
        for sight in sights(scenario.flow):
            self._module(sight)
        self._tools()
        self._filter_on_trigger()
        for steps, severity, message in settings_problems(self.imported):
            self._say(steps, severity, message)

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
        mapper = module.mapper
        if definition is not None and definition.verbatim and isinstance(mapper, Mapping):
            mapper = {k: v for k, v in mapper.items() if k not in definition.verbatim}
        self.mappings.look(mapper, ("mapper",), sight)
        self._filter(module.filter, ("filter",), sight)
        for number, branch in enumerate(module.branches):
            self._filter(branch.filter, ("branches", number), sight)
        self.mappings.look(module.flags.get("groupBy"), ("flags", "groupBy"), sight)
        self._patience(module)
        for number, output in enumerate(module.outputs):
            self.mappings.look(output, ("outputs", number), sight)
        self._feeder(sight)
        if definition is not None:
            self._handler(module, definition)
            self._required(module, definition)

    def _patience(self, module: Module) -> None:
        """Its retry policy and timeout, which are ours and typed by hand."""
        for flag, read in (("retry", RetryPolicy.of), ("timeout", timeout_of)):
            try:
                read(module.flags, module.path)
            except Misconfigured as error:
                self._say(("flags", flag), "error", f"{error.params['reason']}.", module.path)

    def _definition(self, module: Module) -> ModuleDef | None:
        """The module's definition, unless none here serves it; says so then."""
        if not module.module:
            return None  # reported by the reader
        try:
            found = self.known(module.module)
        except JunctorError as error:  # an installed connector that can't be loaded
            self._say(("module",), "error", f"{module.module}: {error.message}", module.path)
            return None
        if found is None:
            self._unsupported(module)
            return None
        if found.id != module.module:
            path = f"{self.imported.path}.{module.path}.module"
            self.report.aliases.append(Alias(path, module.module, found.id))
            self._say(("module",), "info", f"{module.module} is taken as {found.id}.", module.path)
        # Versions count per name: that of an alias says nothing about the real module.
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
        if found.kind == "waiter" and self.imported.scenario.settings.sequential:
            self._say(
                ("module",),
                "info",
                f"While module {module.id} waits, the runs behind it stand: the scenario is "
                "sequential. With an order key only those of the same key do.",
                module.path,
            )
        self.report.runnable += 1
        return found

    def _unsupported(self, module: Module) -> None:
        app = module.module.partition(":")[0]
        advice = advice_for(app)
        entry = self.report.unsupported.setdefault(app, Unsupported(app, advice=advice))
        entry.count += 1
        entry.paths.append(f"{self.imported.path}.{module.path}.module")
        if module.module not in entry.modules:
            entry.modules.append(module.module)
        near = self._near(module.module)
        said = f" Did you mean {near}?" if near else ""
        self._say(
            ("module",),
            "warning",
            f"{module.module} is not supported here, so module {module.id} can't run.{said} "
            f"{advice}",
            module.path,
        )

    def _near(self, name: str) -> str | None:
        if self.offered is None:
            return None
        if self._all is None:
            self._all = sorted(self.offered())
        return nearest(name, self._all)

    def _filter(self, filter_: Filter | None, steps: Steps, sight: Sight) -> None:
        for number, group in enumerate(filter_.groups if filter_ else ()):
            for index, condition in enumerate(group):
                here = (*steps, "conditions", number, index)
                self._operator(condition, here, sight.module)
                self.mappings.look(condition.a, (*here, "a"), sight)
                self.mappings.look(condition.b, (*here, "b"), sight)

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
                f"Choose {listed(sight.visible)}.",
                sight.module.path,
            )

    def _handler(self, module: Module, definition: ModuleDef) -> None:
        why = _UNHANDLED.get(definition.kind)
        if not module.onerror or why is None or definition.poll is not None:
            return
        runs = "never runs"
        if definition.kind == "router" and module.filter is not None and module.filter.groups:
            runs = "runs only if its own filter fails"
        first = module.onerror[0]
        self._say(
            ("onerror",),
            "warning",
            f"The error handler of module {module.id} ({module.module}), which begins with module "
            f"{first.id} ({first.module}), {runs}. {why}. Put it on the modules that may fail.",
            module.path,
        )

    def _required(self, module: Module, definition: ModuleDef) -> None:
        schema = self._schemas.get(definition.id)
        if schema is None:
            schema = self._schemas[definition.id] = schema_of(definition)
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
                self.mappings.look(raw.get("mapper"), ("mapper",), None, at)

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
