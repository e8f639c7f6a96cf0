"""Compiles a scenario once per version: modules linked by what comes next, mappings as functions.

What a mapping may read is decided here: the modules before it on its own way. Modules of another
route, or between an aggregator and its source, are not among them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from inspect import signature
from itertools import repeat
from typing import Any

from junctor.engine.nodes import Evaluate, Node, Step
from junctor.errors import Misconfigured, Unsupported
from junctor.language.connector import ModuleDef
from junctor.language.expressions import FAILED, compile_value, uses
from junctor.language.filters import compile_filter
from junctor.language.forms import bind
from junctor.language.retry import RetryPolicy, timeout_of
from junctor.language.scenario import Filter, Module, Scenario

__all__ = ["Plan", "compile_plan", "downstream"]

Find = Callable[[str], ModuleDef | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A compiled scenario. Shared by all runs of its version; holds nothing of any run."""

    name: str
    version: int
    head: Node | None
    """The trigger's node, or the first module's if there is no trigger."""
    trigger: Module | None
    respond: bool
    """Whether a responder may answer the hook's caller."""
    order_key: Evaluate | None
    """Text by which runs are sequential, of an env with the trigger's bundle in slot 1."""
    max_errors: int
    """Failures in a row after which a scenario that asks for its items is switched off."""
    cycles: int
    """How often, at most, a run that is not one delivery's goes through its modules."""
    auto_commit: bool
    """Whether a transactional module's writes are applied after it, not at the end of the cycle."""
    trigger_last: bool
    """Whether a trigger that polls goes on only when the cycle is committed."""
    transactional: bool
    """Whether there is anything to commit."""
    remembers: bool
    """Whether a resumed run must know what was written and not applied."""
    slots: int
    """Length of an env: the scope, then one slot per module."""
    variables: bool
    """Whether a mapping reads ``var``."""
    nodes: Mapping[int, Node]
    """Modules by id."""
    pins: Mapping[int, tuple[str, int, str]]
    """Module id → (module, version, hash of its signature), for the run's header."""


def compile_plan(
    scenario: Scenario,
    find: Find,
    *,
    version: int = 0,
    given: Mapping[int, Mapping[str, Any]] | None = None,
) -> Plan:
    """The plan of a scenario; ``given`` are parameters from outside it, by module id.

    Raises `Unsupported` with the path of a reachable module that ``find`` does not know,
    `Misconfigured` on a structure that can't run, and what the expressions raise.
    """
    compiler = _Compiler(scenario, find, given or {})
    head, _ = compiler.flow(scenario.flow, {}, {})
    trigger = scenario.flow[0] if head is not None and head.step is Step.TRIGGER else None
    key = scenario.settings.order_key
    order_key = None
    if key is not None:
        if trigger is None:
            raise Misconfigured(reason="settings.order_key is given, but there is no trigger")
        order_key = compile_value(key, {trigger.id: 1})
    for node in compiler.nodes:
        node.lane_call = _lane_call(node)
        # The first module's failure is the run's: nothing else could go on.
        # So is one inside a handler: a way begun there would not lead back to what it is for.
        node.aside = scenario.settings.dlq and node is not head and not node.inside
    transactional = any(
        node.polls or (node.definition is not None and node.definition.transactional)
        for node in compiler.nodes
    )
    return Plan(
        name=scenario.name,
        version=version,
        head=head,
        trigger=trigger,
        respond=any(_kind(node) == "responder" for node in compiler.nodes),
        max_errors=scenario.settings.max_errors,
        cycles=max(1, scenario.settings.roundtrips),
        auto_commit=scenario.settings.auto_commit,
        trigger_last=scenario.settings.auto_commit_trigger_last,
        transactional=transactional,
        remembers=transactional or any(map(_remembers, scenario.modules(), repeat(find))),
        order_key=order_key,
        slots=len(compiler.slots) + 1,
        variables=compiler.variables,
        nodes={node.id: node for node in compiler.nodes},
        pins={node.id: _pin(node) for node in compiler.nodes if node.definition is not None},
    )


def _kind(node: Node) -> str:
    return "" if node.definition is None else node.definition.kind


def _mapped(mapper: Any, seen: Slots, verbatim: frozenset[str]) -> Evaluate:
    """The compiled mapper, some fields of it as they are."""
    evaluate = compile_value(_without(mapper, verbatim), seen)
    if not verbatim or not isinstance(mapper, Mapping):
        return evaluate
    kept = {name: value for name, value in mapper.items() if name in verbatim}
    return lambda env: {**evaluate(env), **kept}


def _without(mapper: Any, names: frozenset[str]) -> Any:
    if not names or not isinstance(mapper, Mapping):
        return mapper
    return {name: value for name, value in mapper.items() if name not in names}


def _remembers(module: Module, find: Find) -> bool:
    definition = find(module.module)
    asked = definition.remembers if definition is not None else None
    return asked is not None and asked(module.mapper if isinstance(module.mapper, Mapping) else {})


def _pin(node: Node) -> tuple[str, int, str]:
    definition = node.definition
    assert definition is not None
    form = _ADDRESSES.sub("", str(signature(definition.function)))
    shape = f"{definition.id} {definition.version} {definition.effect} {form}"
    return definition.id, definition.version, blake2b(shape.encode(), digest_size=8).hexdigest()


def _lane_call(node: Node) -> Node | None:
    """The call that bundles of this module may begin ahead of their turn, if they may."""
    if node.lanes < 2 or node.step not in {Step.STREAM, Step.CALL}:
        return None
    after = node.next
    while after is not None and after.step is Step.PURE:
        if after.definition is None or not after.definition.stateless:
            return None
        after = after.next
    return after if after is not None and after.step is Step.CALL else None


_ADDRESSES = re.compile(" at 0x[0-9a-f]+")  # of the process; a hash must not depend on it

_STEPS: Mapping[str, Step] = {
    "trigger": Step.TRIGGER,
    "instant": Step.TRIGGER,
    "action": Step.CALL,
    "search": Step.CALL,
    "transform": Step.PURE,
    "responder": Step.RESPOND,
    "router": Step.ROUTER,
    "if_else": Step.CHOICE,
    "merge": Step.MERGE,
    "iterator": Step.STREAM,
    "repeater": Step.STREAM,
    "aggregator": Step.AGGREGATE,
    "set_variables": Step.SET,
    "get_variables": Step.GET,
    "sleep": Step.WAIT,
    "waiter": Step.AWAIT,
    "returner": Step.RESPOND,
    "namer": Step.NAME,
    "directive": Step.DIRECTIVE,
    "placeholder": Step.PASS,
}

_FLOW = frozenset({"iterator", "repeater", "set_variables", "get_variables", "sleep"})
_KEYWORDS = frozenset(
    {
        "transform", "responder", "action", "search", "trigger", "returner", "namer", "directive",
        "waiter",
    }
)  # fmt: skip
_NO_SOURCES = frozenset({Step.ROUTER, Step.CHOICE, Step.DIRECTIVE, Step.PASS})
"""Modules that give out no bundles of their own."""

Slots = dict[int, int]


@dataclass(slots=True)
class _Compiler:
    scenario: Scenario
    find: Find
    given: Mapping[int, Mapping[str, Any]]
    slots: Slots = field(init=False)
    nodes: list[Node] = field(default_factory=list)
    variables: bool = False

    def __post_init__(self) -> None:
        ids = [module.id for module in self.scenario.modules()]
        twice = sorted(each for each, times in Counter(ids).items() if times > 1)
        if twice:
            raise Misconfigured(reason=f"module ids {twice} occur twice; give each its own")
        self.slots = {each: number for number, each in enumerate(ids, start=1)}

    def flow(
        self,
        modules: tuple[Module, ...],
        seen: Slots,
        sources: dict[int, _Source],
        *,
        handler: bool = False,
    ) -> tuple[Node | None, list[Node]]:
        """Links a flow; returns its first node, and the nodes after which it goes on.

        ``seen`` and ``sources``: the modules that mappings here may read, and those whose bundles
        an aggregator here may collect. Both are changed as the flow goes.
        """
        head: Node | None = None
        tails: list[Node] = []
        for index, module in enumerate(modules):
            node = self.node(module, seen, handler=handler)
            if node.step is Step.TRIGGER and (index or sources or seen or handler):
                raise Misconfigured(reason=f"{module.path}: a trigger can only be the first module")
            if head is None:
                head = node
            for tail in tails:
                tail.next = node
            tails = [node]
            if node.step is Step.AGGREGATE:
                self.aggregate(node, module, sources)
                seen.clear()
                seen.update(sources[node.feeder].before)
            if node.step not in _NO_SOURCES:
                sources[node.id] = _Source(node, dict(seen))
            if node.step is Step.ROUTER:
                self.router(node, module, seen, sources, handler=handler)
                if modules[index + 1 :]:
                    path = modules[index + 1].path
                    raise Misconfigured(
                        reason=f"{path}: no module can follow a router; use a route"
                    )
                tails = []
            elif node.step is Step.CHOICE:
                merge = modules[index + 1] if modules[index + 1 :] else None
                tails = self.choice(node, module, merge, seen, sources, handler=handler)
            elif node.step is not Step.PASS:
                seen[node.id] = node.slot
        return head, tails

    def node(self, module: Module, seen: Slots, *, handler: bool) -> Node:
        """A module by itself, its mappings compiled."""
        definition = self.find(module.module)
        if definition is None:
            what = f"{module.path}: module {module.module!r} (is its connector installed?)"
            raise Unsupported(what=what)
        step = _STEPS[definition.kind]
        if step is Step.CALL and definition.effect == "pure":
            step = Step.PURE
        if step is Step.DIRECTIVE and not handler:
            raise Misconfigured(
                reason=f"{module.path}: {module.module} belongs in an error handler"
            )
        mapper = {} if module.mapper is None else module.mapper
        group_by = module.flags.get("groupBy")
        arguments = _mapped(mapper, seen, definition.verbatim)
        parameters = {**module.parameters, **self.given.get(module.id, {})}
        if definition.typed:
            parameters["__expect__"] = module.expect
        node = Node(
            id=module.id,
            slot=self.slots[module.id],
            step=step,
            path=module.path,
            module=module.module,
            definition=definition,
            filter=_filter(module.filter, seen),
            arguments=arguments,
            evaluate=_function(definition, parameters, arguments),
            parameters=parameters,
            random=self.draws(
                _without(mapper, definition.verbatim), group_by, *_sides(module.filter)
            ),
            lanes=module.lanes,
            retry=RetryPolicy.of(module.flags, module.path),
            timeout=timeout_of(module.flags, module.path),
            group_by=compile_value(group_by, seen) if group_by not in (None, "") else None,
            stop_if_empty=bool(module.flags.get("stopIfEmpty")),
            polls=definition.poll is not None,
            inside=handler,
        )
        if module.onerror:
            inside = {**seen, module.id: node.slot, FAILED: node.slot}
            node.handler, _ = self.flow(module.onerror, inside, {}, handler=True)
        self.nodes.append(node)
        return node

    def draws(self, *values: Any) -> bool:
        """Whether any of these mappings draws random numbers; notes the variables they read."""
        random = False
        for used in map(uses, values):
            self.variables |= used.variables
            random |= used.random
        return random

    def aggregate(self, node: Node, module: Module, sources: dict[int, _Source]) -> None:
        """Ties an aggregator to the module whose bundles it collects."""
        feeder = module.parameters.get("feeder")
        try:
            node.feeder = int(feeder)  # type: ignore[arg-type]  # whatever isn't a number is refused below
            source = sources[node.feeder]
        except (TypeError, ValueError, KeyError):
            raise Misconfigured(
                reason=f"{module.path}.parameters.feeder is {feeder!r}; "
                f"give the id of a module before it: {sorted(sources)}"
            ) from None
        source.node.collectors.append(node)

    def router(
        self,
        node: Node,
        module: Module,
        seen: Slots,
        sources: dict[int, _Source],
        *,
        handler: bool,
    ) -> None:
        """Links the routes of a router, the fallback apart."""
        for index, route in enumerate(module.routes):
            if route.disabled:
                continue
            head, _ = self.flow(route.flow, dict(seen), dict(sources), handler=handler)
            if index == module.fallback:
                node.fallback = head
            else:
                node.routes.append((None, head))

    def choice(
        self,
        node: Node,
        module: Module,
        merge: Module | None,
        seen: Slots,
        sources: dict[int, _Source],
        *,
        handler: bool,
    ) -> list[Node]:
        """Links the branches of an if-else; returns the nodes that go on to the merge."""
        tails: list[Node] = []
        for index, branch in enumerate(module.branches):
            if branch.disabled:
                continue
            inside = dict(seen)
            head, ends = self.flow(branch.flow, inside, dict(sources), handler=handler)
            if branch.merge and merge is not None:
                mapping = {
                    str(output.get("name")): _of_branch(output, index) for output in merge.outputs
                }
                # What a merge gives out depends on the branch that was taken, so each has its own.
                outputs = compile_value(mapping, inside)
                join = Node(
                    id=merge.id,
                    slot=self.slots[merge.id],
                    step=Step.JOIN,
                    path=merge.path,
                    module=merge.module,
                    definition=None,
                    arguments=outputs,
                    evaluate=outputs,
                    random=self.draws(mapping),
                )
                head = head or join
                for end in ends:
                    end.next = join
                tails.append(join)
            node.routes.append((_filter(branch.filter, seen), head))
            node.random |= self.draws(*_sides(branch.filter))
        return tails


def _function(
    definition: ModuleDef, parameters: Mapping[str, Any], arguments: Evaluate
) -> Evaluate:
    """A module's function on its evaluated mapper, if the engine calls it; else the mapper."""
    function = definition.function
    if definition.raw and definition.typed:
        return lambda env: function({**parameters, "__zone__": env[0].zone}, arguments(env))
    if definition.kind in _FLOW or (definition.raw and definition.kind in _KEYWORDS):
        return lambda env: function(parameters, arguments(env))
    if definition.kind not in _KEYWORDS:
        return arguments
    return lambda env: function(**bind(definition, arguments(env), parameters, zone=env[0].zone))


@dataclass(frozen=True, slots=True)
class _Source:
    node: Node
    before: Slots


def _filter(given: Filter | None, seen: Slots) -> Evaluate | None:
    return compile_filter(given, seen) if given is not None and given.groups else None


def _sides(given: Filter | None) -> Iterator[Any]:
    for group in given.groups if given is not None else ():
        for condition in group:
            yield from (condition.a, condition.b)


def _of_branch(output: Mapping[str, Any], index: int) -> Any:
    mappings = output.get("mappings") or ()
    return mappings[index] if index < len(mappings) else None


def downstream(plan: Plan, module: int) -> frozenset[int]:
    """A module and all that may run after it, on every way: what it gives may reach them.

    After a module of an error handler also comes what follows the one that failed, as *Resume* goes
    on there.
    """
    if module not in plan.nodes:
        raise Misconfigured(
            f"There is no module {module} in version {plan.version}; "
            f"its modules are {', '.join(map(str, sorted(plan.nodes)))}.",
            module=module,
        )
    reached: dict[int, Node] = {}
    _reach(plan.nodes[module], reached)
    while True:
        known = {node.id for node in reached.values()}
        before = len(reached)
        for node in plan.nodes.values():
            if node.handler is not None and node.id not in known:
                inside: dict[int, Node] = {}
                _reach(node.handler, inside)
                if known.intersection(each.id for each in inside.values()):
                    _reach(node.next, reached)
        if len(reached) == before:
            return frozenset(known)


def _reach(node: Node | None, reached: dict[int, Node]) -> None:
    todo = [node]
    while todo:
        node = todo.pop()
        if node is not None and id(node) not in reached:
            reached[id(node)] = node  # two branches' ends of an if-else share one module's number
            todo += [node.next, node.handler, node.fallback, *(head for _, head in node.routes)]
