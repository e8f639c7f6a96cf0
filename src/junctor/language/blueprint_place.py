"""Where a blueprint and its modules stand inside a document, and edits that disturb nothing else.

A document is what was imported, wrappers included. Every edit returns a new document that shares
all untouched parts with the old one, so a saved version never changes under a reader.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from junctor.errors import BlueprintInvalid, JunctorError, NotFound
from junctor.language.lossless import Steps, dumps, loads, path_text
from junctor.language.scenario import Problem

__all__ = ["Place", "blueprint_of", "find", "module_at", "placed", "set_at", "set_parameter"]

_WRAPPERS = ("blueprint", "response", "scenario")
"""Keys under which the API's answers and requests carry a blueprint."""

_MAX_WRAPPERS = 8


@dataclass(frozen=True, slots=True)
class Place:
    """Where the blueprint stands in its document.

    In ``steps``, None means "the text here is itself JSON" (the API sends blueprints as text).
    """

    blueprint: dict[str, Any]
    """The object that has ``flow``."""
    steps: tuple[str | int | None, ...]
    outer: tuple[dict[str, Any], ...]
    """Objects around it, the nearest first: they may hold scheduling, inputs and settings."""
    problems: tuple[Problem, ...] = ()
    """What was odd about JSON inside texts."""

    @property
    def path(self) -> Steps:
        """The place without the steps into texts."""
        return tuple(step for step in self.steps if step is not None)


def find(document: Any) -> Place:
    """Finds the blueprint in an export, an API answer, a clipboard or a text of JSON.

    `BlueprintInvalid` if there is none, with ``problems``.
    """
    value = document
    steps: list[str | int | None] = []
    outer: list[dict[str, Any]] = []
    problems: list[Problem] = []
    for _ in range(_MAX_WRAPPERS):
        path = tuple(step for step in steps if step is not None)
        if isinstance(value, str):
            value = _inner_json(value, path, problems)
            steps.append(None)
        elif not isinstance(value, dict):
            raise _invalid(path, f"expected an object with 'flow', found {_kind(value)}. {_MEND}")
        elif "flow" in value:
            if not isinstance(value["flow"], list):
                raise _invalid(
                    (*path, "flow"),
                    f"'flow' must be a list of modules, found {_kind(value['flow'])}. {_MEND}",
                )
            return Place(value, tuple(steps), tuple(reversed(outer)), tuple(problems))
        elif isinstance(value.get("subflows"), list) and value["subflows"]:
            outer.append(value)
            steps += ["subflows", 0]
            value = value["subflows"][0]
        else:
            key = next((key for key in _WRAPPERS if value.get(key) is not None), None)
            if key is None:
                names = ", ".join(list(value)[:6]) or "nothing"
                raise _invalid(path, f"found no 'flow' here, only {names}. {_MEND}")
            outer.append(value)
            steps.append(key)
            value = value[key]
    raise _invalid((), f"the blueprint is wrapped more than {_MAX_WRAPPERS} times. {_MEND}")


def blueprint_of(document: Any) -> dict[str, Any]:
    """The object with ``flow`` inside a document."""
    return find(document).blueprint


def placed(blueprint: dict[str, Any]) -> Iterator[tuple[Steps, dict[str, Any]]]:
    """Every module object of the flow with its steps: routes, branches, tools, handlers too."""
    yield from _walk(blueprint.get("flow"), ("flow",))


def _walk(flow: Any, steps: Steps) -> Iterator[tuple[Steps, dict[str, Any]]]:
    for index, raw in enumerate(flow if isinstance(flow, list) else ()):
        if not isinstance(raw, dict):
            continue
        here = (*steps, index)
        yield here, raw
        for key in ("routes", "branches", "tools"):
            ways = raw.get(key)
            for number, way in enumerate(ways if isinstance(ways, list) else ()):
                if isinstance(way, dict):
                    yield from _walk(way.get("flow"), (*here, key, number, "flow"))
        yield from _walk(raw.get("onerror"), (*here, "onerror"))


def module_at(document: Any, path: str) -> dict[str, Any]:
    """The module object at ``Module.path`` (``flow[2].routes[0].flow[1]``). `NotFound` if none."""
    value: Any = blueprint_of(document)
    for step in _steps(path):
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            raise NotFound(what=f"The module at {path!r}") from None
    if not isinstance(value, dict):
        raise NotFound(what=f"The module at {path!r}")
    return value


def set_at(document: Any, path: str, value: Any) -> Any:
    """A new document with ``value`` at a path relative to the blueprint.

    Objects on the way are made where they are missing. `NotFound` if a list has no such index.
    """
    steps = _steps(path)
    if not steps:
        raise NotFound(what="An empty path")
    return _edit(document, (*find(document).steps, *steps), value, path)


def set_parameter(document: Any, module_id: int, name: str, value: Any) -> Any:
    """A new document in which the module's static parameter has this value.

    `NotFound` if no module has the id, `BlueprintInvalid` if several have.
    """
    place = find(document)
    found = [s for s, raw in placed(place.blueprint) if _same_id(raw.get("id"), module_id)]
    if not found:
        raise NotFound(what=f"Module {module_id}")
    if len(found) > 1:
        paths = " and ".join(path_text((*place.path, *steps)) for steps in found)
        raise BlueprintInvalid(
            reason=f"{len(found)} modules have the id {module_id} ({paths}). Give each its own id."
        )
    where = path_text((*place.path, *found[0], "parameters", name))
    return _edit(document, (*place.steps, *found[0], "parameters", name), value, where)


def _edit(value: Any, steps: tuple[str | int | None, ...], new: Any, where: str) -> Any:
    if not steps:
        return new
    step, rest = steps[0], steps[1:]
    if step is None:
        return dumps(_edit(loads(value).value, rest, new, where))
    if isinstance(step, int):
        if not isinstance(value, list) or step >= len(value):
            raise NotFound(what=f"The place {where}")
        return [_edit(x, rest, new, where) if i == step else x for i, x in enumerate(value)]
    if value is None or value == []:  # PHP writes empty objects as []
        value = {}
    if not isinstance(value, dict):
        raise NotFound(what=f"The place {where}")
    return {**value, step: _edit(value.get(step), rest, new, where)}


_MEND = "Use a file from 'Export blueprint', or the API's answer."


def _steps(path: str) -> Steps:
    text = path.removeprefix("$").removeprefix(".")
    steps: list[str | int] = []
    at = 0
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None:
            raise NotFound(what=f"The place {path!r}")
        index, name, quoted = match.groups()
        if index is not None:
            steps.append(int(index))
        elif name is not None:
            steps.append(name)
        else:
            steps.append(re.sub(r"\\(.)", r"\1", quoted))
        at = match.end()
    return tuple(steps)


_STEP = re.compile(r"\[(\d{1,9})\]|\.?([A-Za-z_$][\w$]*)|\['((?:[^'\\]|\\.)*)'\]")


def _same_id(value: Any, module_id: int) -> bool:
    return not isinstance(value, bool) and (value == module_id or value == str(module_id))


def _inner_json(text: str, path: Steps, problems: list[Problem]) -> Any:
    try:
        inner = loads(text)
    except JunctorError as error:
        raise _invalid(path, f"the text here is no JSON: {error.params['reason']}") from error
    at = path_text(path)
    problems += [Problem(at + p.path[1:], p.severity, p.message) for p in inner.problems]
    return inner.value


def _invalid(path: Steps, reason: str) -> BlueprintInvalid:
    at = path_text(path)
    problem = {"path": at, "severity": "error", "message": reason}
    return BlueprintInvalid(reason=f"{at}: {reason}", problems=[problem])


_KINDS: tuple[tuple[type, Callable[[Any], str]], ...] = (
    (dict, lambda _value: "an object"),
    (list, lambda value: f"a list of {len(value)}"),
    (str, lambda value: f"the text {value[:40]!r}"),
    (bool, lambda value: "true" if value else "false"),
    (int, lambda value: f"the number {value}"),
    (float, lambda value: f"the number {value}"),
)


def _kind(value: Any) -> str:
    return next((say(value) for kind, say in _KINDS if isinstance(value, kind)), "null")
