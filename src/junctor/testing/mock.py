"""A mock run: any blueprint, run with samples in place of the world, to see which way data goes.

Routers, filters, iterators, aggregators, variables and transformations are the real ones. Every
effect (native or of an app that nobody here offers) and the trigger are answered by samples made
from what the blueprint says of their output, and from what later mappings read of it. Samples are
not real data, so what can't deal with them does not stop the run: it is answered by a sample too,
or left out, and a note says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from junctor.engine.commands import Call, Outcome, Settle
from junctor.errors import ExpressionError, JunctorError, Misconfigured
from junctor.language import forms
from junctor.language.connector import Answer, Bundle, ModuleDef
from junctor.language.expressions import compile_value
from junctor.language.filters import compile_filter
from junctor.language.scenario import Branch, Filter, Module, Scenario
from junctor.testing.rehearsal import Rehearsed, Setting, rehearse, rewritten
from junctor.testing.samples import Reads, fields_read, sample_bundle

__all__ = ["Mocked", "Note", "Samples", "mock_run"]

MOST_BUNDLES = 5
"""Bundles that an iterator or repeater gives in a mock run."""
MOST_MENDS = 200
"""Runs made again because a mapping could not deal with a sample."""
MOST = 20_000
"""Operations of a mock run."""

Find = Callable[[str], ModuleDef | None]


@dataclass(frozen=True, slots=True)
class Note:
    """Something that would be different in a real run. ``module`` 0: the scenario as a whole."""

    module: int
    text: str


@dataclass(slots=True, kw_only=True)
class Mocked:
    """What a mock run showed."""

    scenario: Scenario
    runs: list[Rehearsed]
    """One; with every route taken, one per branch of the if-else that has most of them."""
    unsupported: dict[int, str] = field(default_factory=dict)
    """Modules that nobody here offers, by id."""
    sampled: set[int] = field(default_factory=set)
    """Modules that were answered by samples."""
    notes: list[Note] = field(default_factory=list)
    problem: JunctorError | None = None
    """Why it could not be run at all."""
    all_routes: bool = False

    @property
    def reached(self) -> list[int]:
        """Modules that a bundle reached, in order."""
        return list(dict.fromkeys(module for run in self.runs for module in run.route))

    @property
    def ok(self) -> bool:
        """Whether it ran to its end."""
        return self.problem is None and all(r.result.status == "finished" for r in self.runs)


class Samples:
    """A world that knows only samples."""

    def __init__(self, scenario: Scenario, find: Find | None = None) -> None:
        self._find = find
        self._reads = fields_read(scenario)
        self._placed = {module.id: module for module in scenario.modules()}
        self.sampled: set[int] = set()

    def bundle(self, module: int) -> Bundle:
        """A sample of what a module gives out: by the blueprint's description, or else the module's
        own example, with whatever else is read of it.
        """
        placed = self._placed[module]
        reads = self._reads.get(module, Reads())
        made = sample_bundle(placed.interface, reads)
        return made if placed.interface else {**made, **self._example(placed, reads)}

    def _example(self, placed: Module, reads: Reads) -> Bundle:
        """Of several the one that has most of what is read; the first of equals."""
        definition = self._find(placed.module) if self._find is not None else None
        if definition is None or definition.examples is None:
            return {}
        bundles = [example.bundle for example in definition.examples()]
        return max(bundles, key=lambda bundle: len(reads.fields.keys() & bundle.keys()), default={})

    def answer(self, call: Call) -> Outcome:
        """One sample, whatever is asked."""
        self.sampled.add(call.address.module)
        return Outcome(bundles=[self.bundle(call.address.module)])

    def settle(self, _settled: Settle) -> None:
        """Samples write nothing."""


def mock_run(
    scenario: Scenario,
    find: Find,
    *,
    bundles: list[Bundle] | None = None,
    all_routes: bool = False,
    setting: Setting | None = None,
) -> Mocked:
    """Runs any scenario with samples; ``bundles`` are the trigger's, if not a sample.

    ``all_routes`` takes every route and branch, whatever the filters say. Never raises on account
    of the scenario: what is wrong with it is ``problem`` or a note.
    """
    mock = _Mock(scenario, find, setting or Setting(), all_routes=all_routes)
    mocked = mock.mocked
    branches = max((len(each.branches) for each in scenario.modules()), default=0)
    try:
        for number in range(max(1, branches) if all_routes else 1):
            mocked.runs.append(mock.run(bundles, number))
    except JunctorError as error:
        mocked.problem = error
    except RecursionError:
        mocked.problem = Misconfigured(reason="the scenario is nested too deeply")
    mocked.sampled |= mock.samples.sampled
    return mocked


class _Mock:
    def __init__(
        self, scenario: Scenario, find: Find, setting: Setting, *, all_routes: bool
    ) -> None:
        self.mocked = Mocked(scenario=scenario, runs=[], all_routes=all_routes)
        self.find = find
        self.setting = replace(setting, most=MOST)
        self.all_routes = all_routes
        self.branch = 0
        self.scenario = _ended_at_routers(self._in_scope(scenario), find, self.note)
        self.samples = Samples(scenario, find)
        self.handlers = {
            inner.id
            for module in scenario.modules()
            for inner in Scenario(name="", flow=module.onerror).modules()
        }
        self.tried: dict[int, int] = {}

    def note(self, module: int, text: str) -> None:
        """Says it once."""
        made = Note(module, text)
        if made not in self.mocked.notes:
            self.mocked.notes.append(made)

    def run(self, bundles: list[Bundle] | None, branch: int) -> Rehearsed:
        """A run to its end; again without whatever mapping fails on a sample."""
        self.branch = branch
        flow = self.scenario.flow
        if bundles is None and flow:
            head = flow[0].id
            bundles = [self.samples.bundle(head)]
        for _ in range(MOST_MENDS):
            readable = replace(self.scenario, flow=rewritten(self.scenario.flow, self.readable))
            done = rehearse(readable, self.define, self.samples, bundles or [{}], self.setting)
            failed = done.result.failed
            if done.result.status == "finished" or failed is None:
                break
            error = done.result.error
            if not self._mend(failed.module, error):
                break
        if flow and done.of(flow[0].id) and not self._native(flow[0]):
            self.samples.sampled.add(flow[0].id)
        return done

    def _native(self, module: Module) -> bool:
        definition = self.find(module.module)
        return definition is not None and definition.kind not in _STARTS

    def _mend(self, module: int, error: JunctorError | None) -> bool:
        """Leaves out what fails, a little more each time; false if there is nothing left."""
        tried = self.tried[module] = self.tried.get(module, 0) + 1
        if tried > 2:
            return False
        why = error.message if error is not None else "it failed"
        field_ = str(error.params.get("field", "")) if error is not None else ""
        filters = field_.startswith("filter[") == (tried == 1)

        def change(each: Module) -> Module:
            if each.id != module:
                return each
            if filters:
                branches = tuple(replace(branch, filter=None) for branch in each.branches)
                return replace(each, filter=None, branches=branches)
            flags = {name: value for name, value in each.flags.items() if name != "groupBy"}
            return replace(each, mapper={}, outputs=(), flags=flags)

        before = self.scenario
        self.scenario = replace(before, flow=rewritten(before.flow, change))
        if self.scenario == before:
            return self._mend(module, error)
        what = "its filter lets everything pass" if filters else "its mapping is left out"
        self.note(module, f"With sample data: {why} Here {what}.")
        return True

    # What each placed module is in a mock run.

    def define(self, module: Module) -> ModuleDef:
        """The definition that the plan gets."""
        definition = self.find(module.module)
        head = bool(self.scenario.flow) and self.scenario.flow[0].id == module.id
        if definition is None:
            self.mocked.unsupported[module.id] = module.module
            return _made_up(module, "trigger" if head else "action")
        kind = definition.kind
        if kind in _STARTS:
            if head:
                return replace(definition, kind="instant", poll=None)
            self.note(module.id, "A trigger can only be the first module; here it gives a sample.")
            return _made_up(module, "action")
        if kind == "directive" and module.id not in self.handlers:
            self.note(module.id, "A directive belongs in an error handler; here it does nothing.")
            return _made_up(module, "placeholder")
        if kind == "aggregator":
            if not self._fed(module):
                self.note(
                    module.id, "The source module of this aggregator is not before it; choose one."
                )
                return _made_up(module, "action")
            return replace(definition, function=self._collecting(module, definition))
        if kind in {"iterator", "repeater"}:
            return replace(definition, function=self._several(module, definition))
        if kind in {"transform", "returner", "namer", "responder"} or (
            kind in {"action", "search"} and definition.effect == "pure"
        ):
            return replace(definition, function=self._softly(module, definition), raw=True)
        if kind == "sleep":
            return replace(definition, function=self._sleeping(module, definition))
        if kind == "waiter":  # a sample answers it at once, whatever it is asked with
            return _made_up(module, "action")
        return definition

    def _fed(self, module: Module) -> bool:
        feeder = str(module.parameters.get("feeder"))
        before, found = _before(self.scenario.flow, module.id, {})
        if not found or not feeder.lstrip("-").isdigit():
            return False
        source = before.get(int(feeder))
        if source is None:
            return False
        definition = self.find(source.module)
        return definition is None or definition.kind not in _WITHOUT_BUNDLES

    def _softly(self, module: Module, definition: ModuleDef) -> Callable[..., Any]:
        """The function; a sample in place of a failure, as a sample is no proof of anything."""
        original = definition.function

        def called(parameters: Mapping[str, Any], mapper: Any) -> Any:
            try:
                if definition.raw:
                    made = original(parameters, mapper)
                else:
                    zone = self.setting.zone
                    made = original(**forms.bind(definition, mapper, parameters, zone=zone))
                if isinstance(made, dict | Answer):
                    return made
                return list(islice(made, MOST_BUNDLES)) if isinstance(made, Iterable) else made
            except Exception as error:
                self._sampled(module, error)
                if definition.kind == "responder":
                    return Answer()
                return self.samples.bundle(module.id)

        return called

    def _sampled(self, module: Module, error: Exception) -> None:
        self.samples.sampled.add(module.id)
        said = error.message if isinstance(error, JunctorError) else str(error)
        self.note(module.id, f"With sample data: {said} Here it gives a sample.")

    def _several(self, module: Module, definition: ModuleDef) -> Callable[..., Any]:
        original = definition.function

        def called(parameters: Mapping[str, Any], mapper: Any) -> Iterator[Bundle]:
            try:
                made = list(islice(original(parameters, mapper), MOST_BUNDLES + 1))
            except Exception as error:
                made = []
                self._sampled(module, error)
            if not made:
                self.samples.sampled.add(module.id)
                self.note(module.id, "There was nothing to go through; here it gives a sample.")
            if len(made) > MOST_BUNDLES:
                self.note(module.id, f"Only the first {MOST_BUNDLES} bundles are shown.")
            sample = self.samples.bundle(module.id)
            for bundle in made[:MOST_BUNDLES] or [sample]:
                yield {**sample, **bundle}

        return called

    def _collecting(self, module: Module, definition: ModuleDef) -> Callable[..., Any]:
        return lambda parameters: _Soft(
            definition.function(parameters), lambda error: self._sampled(module, error)
        )

    def _sleeping(self, module: Module, definition: ModuleDef) -> Callable[..., Any]:
        def seconds(parameters: Mapping[str, Any], mapper: Any) -> Any:
            try:
                return definition.function(parameters, mapper)
            except Exception as error:
                self._sampled(module, error)
                return 1.0

        return seconds

    # What can't be compiled is left out; with all routes, filters are.

    def readable(self, module: Module) -> Module:
        """The module without templates that can't be read, ready for a plan."""
        flags = dict(module.flags)
        if "retry" in flags:
            flags.pop("retry")  # nothing is tried again here
        if flags.get("groupBy") not in (None, ""):
            flags["groupBy"] = self._legible(module, flags["groupBy"], "groupBy")
        branches: tuple[Branch, ...] = tuple(
            replace(branch, filter=self._condition(module, branch.filter))
            for branch in module.branches
        )
        changed = replace(
            module,
            mapper=self._legible(module, module.mapper, ""),
            filter=self._condition(module, module.filter),
            outputs=tuple(self._legible(module, each, "outputs") for each in module.outputs),
            flags=flags,
            branches=branches,
            lanes=1,
        )
        if not self.all_routes:
            return changed
        chosen = min(self.branch, len(branches) - 1)
        return replace(
            changed,
            filter=None,
            fallback=None,
            branches=tuple(
                replace(each, filter=None, disabled=each.disabled or number != chosen)
                for number, each in enumerate(branches)
            ),
        )

    def _condition(self, module: Module, given: Filter | None) -> Filter | None:
        if given is None:
            return None
        try:
            compile_filter(given, {})
        except JunctorError as error:
            self.note(module.id, f"A filter can't be read, so it lets everything pass: {error}")
            return None
        return given

    def _legible(self, module: Module, value: Any, place: str) -> Any:
        """The value with texts that can't be read left empty."""
        try:
            compile_value(value, {}, place)
        except ExpressionError as error:
            if isinstance(value, Mapping):
                return {
                    key: self._legible(module, item, f"{place}.{key}" if place else str(key))
                    for key, item in value.items()
                }
            if isinstance(value, list | tuple):
                return [self._legible(module, item, f"{place}[]") for item in value]
            self.note(module.id, f"{error.message} Here the field is empty.")
            return ""
        return value

    def _in_scope(self, scenario: Scenario) -> Scenario:
        settings = replace(scenario.settings, order_key=None)
        return replace(scenario, settings=settings)


_STARTS = frozenset({"trigger", "instant"})
_WITHOUT_BUNDLES = frozenset({"router", "if_else", "directive", "placeholder"})


def _never(**_arguments: Any) -> Any:
    raise Misconfigured(reason="a sampled module is never called")


def _made_up(module: Module, kind: Any) -> ModuleDef:
    """A module that nobody here offers."""
    connector, _, name = module.module.partition(":")
    return ModuleDef(
        connector=connector or "unknown",
        name=name or "unknown",
        label=module.label or name,
        kind=kind,
        function=_never,
        effect="read" if kind == "action" else "pure",
    )


class _Soft:
    """A collection that leaves out what it can't take."""

    def __init__(self, inner: Any, say: Callable[[Exception], None]) -> None:
        self._inner = inner
        self._say = say

    def add(self, value: Any) -> None:
        """One more value."""
        try:
            self._inner.add(value)
        except Exception as error:
            self._say(error)

    def result(self) -> Bundle:
        """What has come of them."""
        made: Bundle = self._inner.result()
        return made


def _before(
    flow: tuple[Module, ...], wanted: int, seen: dict[int, Module]
) -> tuple[dict[int, Module], bool]:
    """The modules before one on its own way, and whether it was found."""
    seen = dict(seen)
    for module in flow:
        if module.id == wanted:
            return seen, True
        inside = {**seen, module.id: module}
        ways = [each.flow for each in module.routes] + [each.flow for each in module.branches]
        for way in ways:
            before, found = _before(way, wanted, inside)
            if found:
                return before, True
        # A handler is a way of its own: what it collects can only be given out inside it.
        before, found = _before(module.onerror, wanted, {})
        if found:
            return before, True
        seen = inside
    return seen, False


def _ended_at_routers(scenario: Scenario, find: Find, note: Callable[[int, str], None]) -> Scenario:
    """The scenario without modules that follow a router, which no bundle can reach."""

    def ended(flow: tuple[Module, ...]) -> tuple[Module, ...]:
        kept = []
        for module in flow:
            kept.append(
                replace(
                    module,
                    routes=tuple(replace(each, flow=ended(each.flow)) for each in module.routes),
                    branches=tuple(
                        replace(each, flow=ended(each.flow)) for each in module.branches
                    ),
                    onerror=ended(module.onerror),
                )
            )
            definition = find(module.module)
            if definition is not None and definition.kind == "router" and module is not flow[-1]:
                note(module.id, "Modules after this router are on no route; they are left out.")
                break
        return tuple(kept)

    return replace(scenario, flow=ended(scenario.flow))
