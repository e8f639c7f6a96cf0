"""Scenarios as files: what happens in the world, and what the engine must make of it."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "engine"))

from engine_kit import Drive, World, find

from junctor.engine.commands import Call
from junctor.engine.journal import revive
from junctor.engine.plan import compile_plan
from junctor.errors import JunctorError
from junctor.language.connector import Bundle
from junctor.language.scenario import Branch, Condition, Filter, Module, Route, Scenario

__all__ = ["CASES", "Drive", "drive_of", "load", "scenario_of"]

CASES = sorted(path.stem for path in (Path(__file__).parent / "cases").glob("*.json"))


def load(name: str) -> dict[str, Any]:
    case: dict[str, Any] = json.loads(
        (Path(__file__).parent / "cases" / f"{name}.json").read_text()
    )
    return case


def scenario_of(case: dict[str, Any]) -> Scenario:
    return Scenario(name="case", flow=_flow(case["flow"], "flow"))


def drive_of(case: dict[str, Any]) -> Drive:
    """A driver whose world follows the case's script; calls that it does not name are echoed."""
    answers = {int(module): _said(each) for module, each in case.get("answers", {}).items()}
    world = World(_script(case.get("world", {})), answers=answers)
    return Drive(compile_plan(scenario_of(case), find), world)


def _said(given: dict[str, Any]) -> Any:
    if "error" not in given:
        return given
    return revive({"code": given["error"], "message": "as scripted", "params": {}})


def _script(world: dict[str, list[Any]]) -> Any:
    seen: dict[int, int] = defaultdict(int)

    def answer(call: Call) -> list[Bundle] | JunctorError:
        module = call.address.module
        number, seen[module] = seen[module], seen[module] + 1
        script = world.get(str(module), [])
        if number >= len(script):
            return [{"sent": call.arguments}]
        if "error" not in script[number]:
            bundles: list[Bundle] = script[number]["bundles"]
            return bundles
        given = script[number]
        return revive({"code": given["error"], "message": "as scripted", "params": {}, **given})

    return answer


def _flow(modules: list[Any], path: str) -> tuple[Module, ...]:
    return tuple(_module(each, f"{path}[{index}]") for index, each in enumerate(modules))


def _module(given: dict[str, Any], path: str) -> Module:
    routes = given.get("routes", ())
    branches = given.get("branches", ())
    return Module(
        id=given["id"],
        module=f"kit:{given['module']}",
        path=path,
        mapper=given.get("mapper"),
        parameters=given.get("parameters", {}),
        filter=_filter(given.get("filter")),
        flags=given.get("flags", {}),
        lanes=given.get("lanes", 1),
        fallback=given.get("fallback"),
        outputs=tuple(given.get("outputs", ())),
        onerror=_flow(given.get("onerror", []), f"{path}.onerror"),
        routes=tuple(
            Route(
                flow=_flow(each["flow"], f"{path}.routes[{index}].flow"),
                disabled=each.get("disabled", False),
            )
            for index, each in enumerate(routes)
        ),
        branches=tuple(
            Branch(
                label="",
                filter=_filter(each.get("conditions")),
                flow=_flow(each["flow"], f"{path}.branches[{index}].flow"),
                merge=each["merge"],
                disabled=each.get("disabled", False),
            )
            for index, each in enumerate(branches)
        ),
    )


def _filter(groups: Any) -> Filter | None:
    if groups is None:
        return None
    return Filter(
        groups=tuple(
            tuple(Condition(operator=each["o"], a=each["a"], b=each["b"]) for each in group)
            for group in groups
        )
    )
