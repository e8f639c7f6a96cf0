"""Reads a blueprint's objects into `Scenario`, forgiving what real exports contain.

Whatever can't be read is reported with its place and left out of the scenario; it stays in the
document. Facts about the format: exports of Make, and integromat/make-forman-schema for filters.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TypeVar

from junctor.errors import BlueprintInvalid
from junctor.language.blueprint_mend import OPERATORS, Mended, mended
from junctor.language.blueprint_place import Place
from junctor.language.blueprint_scalars import boolean, integer, shown
from junctor.language.lossless import Steps, loads, path_text, plain
from junctor.language.scenario import (
    Branch,
    Condition,
    Filter,
    Module,
    Problem,
    Route,
    Scenario,
    Settings,
    Severity,
)

__all__ = ["Reader"]

T = TypeVar("T", int, bool)


class Reader:
    """Reads one blueprint and collects `problems`; their paths start at the document's top."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.base = place.path
        self.problems: list[Problem] = []
        self.renamed: list[tuple[str, str, str]] = []
        """Invented modules: path, name as written, the module it is read as."""
        self._nameless = 0

    def scenario(self) -> Scenario:
        """The scenario, as far as it can be read."""
        raw = self.place.blueprint
        metadata = self._object(raw.get("metadata"), ("metadata",))
        for outer in self.place.outer:
            if not metadata and isinstance(outer.get("metadata"), dict):
                metadata = outer["metadata"]  # a clipboard's stands beside its subflows
        flow = self.flow(raw["flow"], ("flow",))
        self._check_ids(flow)
        self._set_aside(metadata)
        inputs, outputs = self._interface(raw)
        return Scenario(
            name=self._name(raw),
            flow=flow,
            settings=self.settings(metadata),
            scheduling=self._scheduling(raw, metadata),
            inputs=inputs,
            outputs=outputs,
        )

    def flow(self, value: Any, steps: Steps) -> tuple[Module, ...]:
        """A list of modules."""
        if value is None:
            return ()
        if not isinstance(value, list):
            self._report(steps, "error", f"Expected a list of modules, found {shown(value)}.")
            return ()
        modules = []
        for index, raw in enumerate(value):
            here = (*steps, index)
            if isinstance(raw, dict):
                modules.append(self.module(raw, here))
            else:
                self._report(
                    here,
                    "error",
                    f"Expected a module (an object), found {shown(raw)}. "
                    "Put the module itself here.",
                )
        return tuple(modules)

    def module(self, raw: dict[str, Any], steps: Steps) -> Module:
        """One module with everything below it."""
        name = self._module_name(raw, steps)
        metadata = self._object(raw.get("metadata"), (*steps, "metadata"))
        parameters = self._object(raw.get("parameters"), (*steps, "parameters"))
        mapper = self._mapper(raw.get("mapper"), steps, name)
        version = self._version(raw.get("version"), steps)
        filter_ = raw.get("filter")
        mend = mended(name, parameters, mapper, filter_)
        if mend is not None:
            self._say_mended(name, mend, steps)
            # Versions count per name: an invented one's says nothing about the real module.
            name, version, filter_ = mend.module, None, mend.filter
            parameters, mapper = mend.parameters, mend.mapper
        routes = self._routes(raw, steps)
        designer = metadata.get("designer")
        label = designer.get("name") if isinstance(designer, dict) else None
        return Module(
            id=self._id(raw.get("id"), steps, name),
            module=name,
            path=path_text(steps, "").removeprefix("."),
            version=version,
            parameters=plain(parameters),
            mapper=plain(mapper),
            filter=self.filter(filter_, (*steps, "filter")),
            routes=routes,
            fallback=self._fallback(parameters, routes, name, steps),
            branches=self._branches(raw.get("branches"), (*steps, "branches")),
            outputs=self._outputs(raw.get("outputs"), (*steps, "outputs")),
            onerror=self.flow(raw.get("onerror"), (*steps, "onerror")),
            flags=plain(self._object(raw.get("flags"), (*steps, "flags"))),
            label=plain(label) if isinstance(label, str) else "",
            expect=self._objects(metadata.get("expect"), (*steps, "metadata", "expect")),
            interface=self._objects(metadata.get("interface"), (*steps, "metadata", "interface")),
            lanes=self._lanes(metadata, steps),
        )

    def filter(self, value: Any, steps: Steps) -> Filter | None:
        """A filter: ``{name, conditions}``; no conditions: always passes."""
        if value is None or value in ([], {}):
            return None
        if not isinstance(value, dict):
            self._report(
                steps,
                "error",
                f"A filter is an object with name and conditions, found {shown(value)}. "
                "As it stands nothing would be filtered: write its conditions, or remove it.",
            )
            return None
        name = value.get("name")
        return Filter(
            name=plain(name) if isinstance(name, str) else "",
            groups=self.groups(value.get("conditions"), (*steps, "conditions")),
        )

    def groups(self, value: Any, steps: Steps) -> tuple[tuple[Condition, ...], ...]:
        """Conditions: a list (or) of lists (and)."""
        if value is None:
            return ()
        if not isinstance(value, list):
            self._report(steps, "error", f"Conditions are a list of lists, found {shown(value)}.")
            return ()
        if value and all(isinstance(item, dict) for item in value):
            self._report(
                steps,
                "warning",
                "Conditions are a list of lists, found one list; all of it is taken as one group "
                "joined by 'and'. Add the second pair of brackets.",
            )
            return (self._group(value, steps),)
        groups = []
        for index, group in enumerate(value):
            if isinstance(group, list):
                groups.append(self._group(group, (*steps, index)))
            else:
                self._report(
                    (*steps, index),
                    "error",
                    f"Expected a list of conditions, found {shown(group)}.",
                )
        return tuple(groups)

    def _group(self, value: list[Any], steps: Steps) -> tuple[Condition, ...]:
        made = []
        for index, item in enumerate(value):
            here = (*steps, index)
            operator = item.get("o") if isinstance(item, dict) else None
            if not isinstance(item, dict) or not isinstance(operator, str):
                self._report(
                    here,
                    "error",
                    f"A condition is an object with a, o (operator) and b, found {shown(item)}.",
                )
            else:
                operator = self._operator(operator, (*here, "o"))
                made.append(Condition(operator, plain(item.get("a")), plain(item.get("b"))))
        return tuple(made)

    def _operator(self, name: str, steps: Steps) -> str:
        meant = OPERATORS.get(name.casefold())
        if meant is None:
            return name
        self._report(
            steps,
            "warning",
            f"Make has no filter operator {name!r}; it is read as {meant!r}: use that.",
        )
        return meant

    def settings(self, metadata: Mapping[str, Any]) -> Settings:
        """``metadata.scenario``, with our own settings from ``metadata.junctor``."""
        at: Steps = ("metadata", "scenario")
        raw = self._object(metadata.get("scenario"), at)
        own = metadata.get("junctor")
        key = own.get("orderKey") if isinstance(own, dict) else None
        return Settings(
            roundtrips=self._setting(raw, "roundtrips", 1, at),
            max_errors=self._setting(raw, "maxErrors", 3, at),
            auto_commit=self._setting(raw, "autoCommit", True, at),
            auto_commit_trigger_last=self._setting(raw, "autoCommitTriggerLast", True, at),
            sequential=self._setting(raw, "sequential", False, at),
            confidential=self._setting(raw, "confidential", False, at),
            dataloss=self._setting(raw, "dataloss", False, at),
            dlq=self._setting(raw, "dlq", False, at),
            order_key=key if isinstance(key, str) and key else None,
        )

    def _setting(self, raw: Mapping[str, Any], key: str, default: T, at: Steps) -> T:
        value = raw.get(key)
        if value is None:
            return default
        found = boolean(value) if isinstance(default, bool) else integer(value)
        if found is None or (not isinstance(default, bool) and found < 1):
            self._report(
                (*at, key),
                "warning",
                f"{key} is {shown(value)}; {shown(default)} is used. Correct the value.",
            )
            return default
        return found

    def _name(self, raw: Mapping[str, Any]) -> str:
        for holder in (raw, *self.place.outer):
            if isinstance(holder.get("name"), str) and holder["name"].strip():
                return str(plain(holder["name"]))
        return "Untitled scenario"

    def _scheduling(
        self, raw: Mapping[str, Any], metadata: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        for holder in (raw, *self.place.outer, metadata):
            value = holder.get("scheduling")
            if isinstance(value, str) and value.lstrip().startswith("{"):
                with suppress(BlueprintInvalid):  # reported below as the text it is
                    value = loads(value).value  # the API sends it as text
            if isinstance(value, dict):
                return dict(plain(value))
            if value is not None:
                self._report(
                    (), "warning", f"scheduling is {shown(value)}, not an object; it is ignored."
                )
        return None

    def _interface(
        self, raw: Mapping[str, Any]
    ) -> tuple[tuple[Mapping[str, Any], ...], tuple[Mapping[str, Any], ...]]:
        for holder in (raw, *self.place.outer):
            for key, ins, outs in (
                ("io", "input_spec", "output_spec"),
                ("interface", "input", "output"),
                ("metadata", "input_spec", "output_spec"),
            ):
                value = holder.get(key)
                if isinstance(value, dict) and (value.get(ins) or value.get(outs)):
                    return (
                        self._objects(value.get(ins), (key, ins)),
                        self._objects(value.get(outs), (key, outs)),
                    )
        return (), ()

    def _module_name(self, raw: Mapping[str, Any], steps: Steps) -> str:
        name = raw.get("module")
        if isinstance(name, str) and name.strip():
            return name
        self._report(
            (*steps, "module"),
            "error",
            f"A module's name is a text like 'http:MakeRequest', found {shown(name)}.",
        )
        return ""

    def _say_mended(self, name: str, mend: Mended, steps: Steps) -> None:
        path = path_text((*self.base, *steps, "module"))
        self.renamed.append((path, name, mend.module))
        fields = "".join(f" Its field {old!r} is read as {new!r}." for old, new in mend.fields)
        note = f" {mend.note}" if mend.note else ""
        empty = mend.module.startswith("placeholder:")
        means = "an empty place" if empty else f"{mend.module}: use that"
        self._report(
            (*steps, "module"),
            "warning",
            f"Make has no module {name}; it is read as {means}.{fields}{note}",
        )

    def _id(self, value: Any, steps: Steps, name: str) -> int:
        number = integer(value)
        if number is None:
            self._nameless -= 1
            self._report(
                (*steps, "id"),
                "error",
                f"{name or 'a module'} needs a whole number as id, found {shown(value)}. "
                "Give it one that no other module has.",
            )
            return self._nameless
        if not isinstance(value, int):
            self._report(
                (*steps, "id"),
                "warning",
                f"The id is {shown(value)}; it is taken as {number}. Write it as a number.",
            )
        return number

    def _version(self, value: Any, steps: Steps) -> int | None:
        number = integer(value)
        if number is None and value is not None:
            self._report(
                (*steps, "version"),
                "warning",
                f"The version is {shown(value)}, not a whole number; it is ignored.",
            )
        return number

    def _mapper(self, value: Any, steps: Steps, name: str) -> Any:
        if value is None or isinstance(value, dict | list):
            return value
        self._report(
            (*steps, "mapper"),
            "error",
            f"The mapper of {name or 'the module'} must be an object of fields, "
            f"found {shown(value)}. Write {{}} if it maps nothing.",
        )
        return None

    def _routes(self, raw: Mapping[str, Any], steps: Steps) -> tuple[Route, ...]:
        mapper = raw.get("mapper")
        if raw.get("routes") is None and isinstance(mapper, dict) and mapper.get("routes"):
            self._report(
                (*steps, "mapper", "routes"),
                "error",
                "Routes stand beside 'mapper', not in it, with their modules inside; "
                "these lead nowhere. Draw the router's routes again.",
            )
        return tuple(
            Route(
                flow=self.flow(way.get("flow"), (*here, "flow")),
                disabled=way.get("disabled") is True,
            )
            for here, way in self._ways(raw.get("routes"), (*steps, "routes"))
        )

    def _branches(self, value: Any, steps: Steps) -> tuple[Branch, ...]:
        made = []
        for here, way in self._ways(value, steps):
            label = way.get("label")
            text = plain(label) if isinstance(label, str) else ""
            groups = self.groups(way.get("conditions"), (*here, "conditions"))
            otherwise = way.get("type") == "else"
            made.append(
                Branch(
                    label=text,
                    filter=None if otherwise else Filter(name=text, groups=groups),
                    flow=self.flow(way.get("flow"), (*here, "flow")),
                    merge=way.get("merge") is True,
                    disabled=way.get("disabled") is True,
                )
            )
        return tuple(made)

    def _ways(self, value: Any, steps: Steps) -> list[tuple[Steps, dict[str, Any]]]:
        """Routes or branches. A faulty one still takes its place: fallbacks count places."""
        if value is None:
            return []
        if not isinstance(value, list):
            self._report(steps, "error", f"Expected a list, found {shown(value)}.")
            return []
        ways = []
        for index, way in enumerate(value):
            if not isinstance(way, dict):
                self._report(
                    (*steps, index),
                    "error",
                    f"Expected an object with 'flow', found {shown(way)}.",
                )
            ways.append(((*steps, index), way if isinstance(way, dict) else {}))
        return ways

    def _outputs(self, value: Any, steps: Steps) -> tuple[Mapping[str, Any], ...]:
        """A merge's outputs; mappings that are no list are left out."""
        for index, output in enumerate(value if isinstance(value, list) else ()):
            mappings = output.get("mappings") if isinstance(output, dict) else None
            if mappings is not None and not isinstance(mappings, list):
                self._report(
                    (*steps, index, "mappings"),
                    "error",
                    f"An output has a list of mappings, one for each branch, "
                    f"found {shown(mappings)}.",
                )
        return tuple(
            {**output, "mappings": []}
            if output.get("mappings") is not None and not isinstance(output["mappings"], list)
            else output
            for output in self._objects(value, steps)
        )

    def _fallback(
        self, parameters: Mapping[str, Any], routes: tuple[Route, ...], name: str, steps: Steps
    ) -> int | None:
        value = parameters.get("else")
        if value is None or not (routes or name == "builtin:BasicRouter"):
            return None
        index = integer(value)
        if index is None or not 0 <= index < len(routes):
            self._report(
                (*steps, "parameters", "else"),
                "error",
                f"The fallback route is {shown(value)}, but there are {len(routes)} routes, "
                "counted from 0. Choose one of them, or remove it.",
            )
            return None
        return index

    def _lanes(self, metadata: Mapping[str, Any], steps: Steps) -> int:
        own = metadata.get("junctor")
        value = own.get("lanes") if isinstance(own, dict) else None
        lanes = integer(value)
        if value is not None and (lanes is None or lanes < 1):
            self._report(
                (*steps, "metadata", "junctor", "lanes"),
                "warning",
                f"lanes is {shown(value)}; 1 is used. Write a whole number from 1.",
            )
        return lanes if lanes is not None and lanes > 0 else 1

    def _object(self, value: Any, steps: Steps) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        if value is not None and value != []:  # PHP writes empty objects as []
            self._report(steps, "error", f"Expected an object, found {shown(value)}.")
        return {}

    def _objects(self, value: Any, steps: Steps) -> tuple[Mapping[str, Any], ...]:
        if isinstance(value, list):
            return tuple(plain(item) for item in value if isinstance(item, dict))
        if value is not None and value != {}:
            self._report(steps, "warning", f"Expected a list, found {shown(value)}.")
        return ()

    def _check_ids(self, flow: tuple[Module, ...]) -> None:
        first: dict[int, Module] = {}
        for module in Scenario(name="", flow=flow).modules():
            known = first.setdefault(module.id, module)
            if known is not module:
                self.problems.append(
                    Problem(
                        f"{path_text(self.base)}.{module.path}.id",
                        "error",
                        f"The id {module.id} is taken by {known.module or 'a module'} at "
                        f"{path_text(self.base)}.{known.path}. Give each module its own id.",
                    )
                )

    def _set_aside(self, metadata: Mapping[str, Any]) -> None:
        """Says what is kept in the document and never runs."""
        designer = metadata.get("designer")
        orphans = designer.get("orphans") if isinstance(designer, dict) else None
        if isinstance(orphans, list) and orphans:
            count = sum(len(group) if isinstance(group, list) else 1 for group in orphans)
            self._report(
                ("metadata", "designer", "orphans"),
                "info",
                f"{count} modules are connected to nothing. They are kept and never run.",
            )
        subflows = self.place.outer[0].get("subflows") if self.place.outer else None
        if isinstance(subflows, list) and len(subflows) > 1 and "subflows" in self.base:
            self.problems.append(
                Problem(
                    path_text((*self.base[:-1], 1)),
                    "warning",
                    f"The clipboard holds {len(subflows)} separate flows; only the first runs. "
                    "Connect them, or copy them one by one.",
                )
            )

    def _report(self, steps: Steps, severity: Severity, message: str) -> None:
        self.problems.append(Problem(path_text((*self.base, *steps)), severity, message))
