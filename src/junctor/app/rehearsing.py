"""Scenario tests, run: a case of a test file becomes a rehearsal, and what happened is judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, tzinfo
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from junctor.app.desk import Desk, content_of, unsupported
from junctor.app.offered import registry_of
from junctor.engine.commands import Result
from junctor.errors import BlueprintInvalid, JunctorError, Misconfigured
from junctor.language.blueprint import load
from junctor.language.connector import Bundle, Delivery, ModuleDef
from junctor.language.lossless import dumps
from junctor.language.scenario import Module, Scenario
from junctor.runtime.registry import Registry
from junctor.testing.cases import (
    SUFFIX,
    Case,
    Delivered,
    Expect,
    Given,
    Outcome,
    Rule,
    Suite,
    blueprint_of,
    judge,
    read_suite,
)
from junctor.testing.matching import as_data
from junctor.testing.mock import Mocked, Samples
from junctor.testing.rehearsal import NOW, Rehearsed, Setting, rehearse

__all__ = ["first_suite", "observed", "play", "run_case", "run_suite", "scenario_of", "test_files"]


def test_files(paths: Iterable[Path]) -> list[Path]:
    """The test files named, beside the blueprints named, and below the folders named."""
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            found.update(dict.fromkeys(sorted(path.rglob(f"*{SUFFIX}"))))
        elif path.name.endswith(SUFFIX):
            found[path] = None
        else:
            stem = path.name.removesuffix(".json").removesuffix(".blueprint")
            beside = path.with_name(stem + SUFFIX)
            if not beside.is_file():
                raise Misconfigured(
                    f"{path} has no tests: there is no {beside.name} beside it. "
                    f"`junctor test --init {path}` writes a first one."
                )
            found[beside] = None
    return list(found)


test_files.__test__ = False  # type: ignore[attr-defined]  # pytest must not take it for a test


def scenario_of(path: Path) -> Scenario:
    """A blueprint's scenario. `BlueprintInvalid` with the first thing that is wrong with it."""
    try:
        loaded = load(path.read_bytes())
    except OSError as error:
        raise Misconfigured(f"{path} can't be read: {error.strerror or error}.") from error
    wrong = next((each for each in loaded.problems if each.severity == "error"), None)
    if wrong is not None:
        raise BlueprintInvalid(reason=f"{path}: {wrong.path}: {wrong.message}")
    return loaded.scenario


def run_suite(
    path: Path, *, word: str = "", registry: Registry | None = None
) -> Iterator[tuple[Case, Outcome]]:
    """Runs the cases of a file whose names contain a word."""
    suite = read_suite(path)
    scenario = scenario_of(blueprint_of(path, suite))
    known = registry or registry_of()
    for case in suite.cases:
        if word.lower() in f"{path.name}::{case.name}".lower():
            yield case, run_case(case, suite, scenario, known)


def run_case(case: Case, suite: Suite, scenario: Scenario, registry: Registry) -> Outcome:
    """One case. Never raises on account of it: what is wrong is in ``problem``."""
    outcome = Outcome(name=case.name, new=case.expect is msgspec.UNSET)
    try:
        outcome.seen = play(merged(suite.given, case.given), scenario, registry)
    except JunctorError as error:
        outcome.problem = error.message
    except Exception as error:  # of a connector's trigger, say: one case must not end the others
        outcome.problem = f"This is a bug ({type(error).__name__}: {error})."
    else:
        outcome.differences = judge(case, outcome.seen)
    return outcome


def merged(common: Given, own: Given) -> Given:
    """A case's own values, then those of all cases."""
    names = [each.name for each in msgspec.structs.fields(Given)]
    plain = Given()
    made = {
        name: getattr(own, name)
        if getattr(own, name) != getattr(plain, name)
        else getattr(common, name)
        for name in names
    }
    for name in ("variables", "connections", "records"):
        made[name] = {**getattr(common, name), **getattr(own, name)}
    made["answers"] = [*own.answers, *common.answers]
    if own.bundles is not None or own.delivery is not None:
        made["bundles"], made["delivery"] = own.bundles, own.delivery
    return Given(**made)


def play(given: Given, scenario: Scenario, registry: Registry) -> dict[str, Any]:
    """What happens, in the shape of `cases.Expect`."""
    setting = _setting(given, scenario)
    samples = Samples(scenario, registry.find)
    auto = scenario.settings.auto_commit
    desk = Desk(given, registry.connector, samples, setting, auto_commit=auto)
    bundles = _bundles(given, scenario, registry, setting, samples)
    define = partial(_define, given=given, scenario=scenario, registry=registry)
    done = rehearse(scenario, define, desk, bundles, setting)
    seen = observed(done)
    seen["requests"] = desk.requests
    if desk.records:
        seen["records"] = desk.records
    return seen


def observed(done: Rehearsed) -> dict[str, Any]:
    """What a rehearsal shows, as plain data in the shape of `cases.Expect`."""
    result = done.result
    bundles: dict[str, list[Any]] = {}
    inputs: dict[str, list[Any]] = {}
    counts: dict[str, int] = {}
    for each in done.operations:
        key = str(each.module)
        bundles.setdefault(key, []).extend(as_data(each.bundles))
        inputs.setdefault(key, []).append(as_data(each.input))
        counts[key] = counts.get(key, 0) + 1
    seen: dict[str, Any] = {
        "status": result.status,
        "operations": result.operations,
        "route": done.route,
        "bundles": bundles,
        "inputs": inputs,
        "counts": counts,
        "stopped": {str(module): count for module, count in result.dropped.items()},
        "set_aside": [_failure(result) for result in done.asides],
        "waits": [{"module": module, "seconds": seconds} for module, seconds in done.waits],
    }
    if result.error is not None:
        seen["error"] = _failure(result)
    if done.answer is not None:
        headers = dict(done.answer.headers)
        content = content_of(done.answer.body, headers.get("content-type", ""))
        seen["answer"] = {"status": done.answer.status, "headers": headers, **content}
    return seen


def _failure(result: Result) -> dict[str, Any]:
    assert result.error is not None
    return {
        "type": result.error.make_type,
        "code": result.error.code,
        "message": result.error.message,
        "module": result.failed.module if result.failed is not None else None,
    }


def _define(
    module: Module, *, given: Given, scenario: Scenario, registry: Registry
) -> ModuleDef | None:
    """The real module; for one that nobody here offers, a stand-in if it is answered for."""
    definition = registry.find(module.module)
    if definition is not None:
        return definition
    head = scenario.flow[0].id == module.id
    answered = any(rule.module == module.id for rule in given.answers)
    if not (head or answered or given.samples):
        return None
    connector, _, name = module.module.partition(":")
    return ModuleDef(
        connector=connector,
        name=name,
        label=module.label or name,
        kind="trigger" if head else "action",
        function=unsupported,
        effect="pure" if head else "once",
    )


def _setting(given: Given, scenario: Scenario) -> Setting:
    zone: tzinfo = ZoneInfo("UTC")
    if given.zone is not None:
        try:
            zone = ZoneInfo(given.zone)
        except (KeyError, ValueError, OSError) as error:
            raise Misconfigured(
                f"given.zone is {given.zone!r}; write a name such as Europe/Berlin."
            ) from error
    now = NOW
    if given.now is not None:
        try:
            now = datetime.fromisoformat(given.now)
            if now.tzinfo is None:
                raise ValueError
        except ValueError:
            raise Misconfigured(
                f"given.now is {given.now!r}; write an instant such as 2026-01-15T09:30:00Z."
            ) from None
    run_id = "run_rehearsal"
    own = {"name": scenario.name, "id": "scn_rehearsal", "executionId": run_id}
    variables: dict[str, Any] = {
        "scenario": own,
        "organization": {"name": "Rehearsal"},
        "team": {},
        "input": {},
        **given.variables,
    }
    return Setting(
        now=now,
        zone=zone,
        locale=given.locale or "en",
        country=given.country or "",
        cycles=given.cycles,
        variables=variables,
        run_id=run_id,
    )


def _bundles(
    given: Given, scenario: Scenario, registry: Registry, setting: Setting, samples: Samples
) -> list[Bundle] | None:
    """What the trigger gives; ``None``: it is asked for it."""
    if given.bundles is not None and given.delivery is not None:
        raise Misconfigured('"given" has both bundles and a delivery; keep one of them.')
    if given.bundles is not None:
        return [dict(bundle) for bundle in given.bundles]
    head = scenario.flow[0] if scenario.flow else None
    definition = registry.find(head.module) if head is not None else None
    if given.delivery is not None:
        if definition is None or definition.hook is None:
            raise Misconfigured(
                '"given" has a delivery, but the first module takes none; give bundles.'
            )
        delivery = _delivery(given.delivery, setting)
        return [dict(bundle) for bundle in definition.function(delivery)]
    if given.samples and head is not None:
        return [samples.bundle(head.id)]
    asked = definition is not None and definition.kind == "trigger"
    return None if asked else [{}]


def _delivery(given: Delivered, setting: Setting) -> Delivery:
    headers = {name.lower(): value for name, value in given.headers.items()}
    body = given.body.encode()
    if given.json is not msgspec.UNSET:
        body = msgspec.json.encode(given.json)
        headers.setdefault("content-type", "application/json")
    query = [
        (name, each)
        for name, value in given.query.items()
        for each in (value if isinstance(value, list) else [value])
    ]
    return Delivery(
        id="rehearsal",
        method=given.method.upper(),
        query=tuple(query),
        headers=headers,
        body=body,
        received_at=setting.now,
        settings=given.settings,
    )


def first_suite(blueprint: Path, mocked: Mocked) -> str:
    """The text of a first test file, from a mock run: its samples as bundles and as answers."""
    if mocked.problem is not None:
        raise mocked.problem
    run = mocked.runs[0]
    scenario = mocked.scenario
    head = scenario.flow[0].id if scenario.flow else 0
    rules: dict[int, Rule] = {}
    for each in run.operations:
        if each.module in mocked.sampled and each.module != head and each.bundles:
            rules.setdefault(each.module, Rule(module=each.module, bundles=as_data(each.bundles)))
    given = Given(bundles=as_data(run.bundles(head)) or [{}], answers=list(rules.values()))
    seen = observed(run)
    expect = Expect(
        status=seen["status"], operations=seen["operations"], route=seen["route"],
        stopped=seen["stopped"] or None,
    )  # fmt: skip
    suite = Suite(
        blueprint=blueprint.name,
        says="Written by `junctor test --init` from samples: put in bundles and answers of yours.",
        cases=[Case(name="Samples go the usual way", given=given, expect=expect)],
    )
    made = msgspec.to_builtins(suite)
    order = [name for name in ("blueprint", "says", "cases") if name in made]
    return dumps({name: made[name] for name in order}, 2) + "\n"
