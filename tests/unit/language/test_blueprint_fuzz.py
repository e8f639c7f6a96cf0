"""A blueprint with anything anywhere is reported on with paths, and nothing else happens."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from junctor.app.bindings import needs_of, wants_of
from junctor.app.choosing import choose
from junctor.engine.plan import compile_plan
from junctor.errors import JunctorError
from junctor.language.blueprint import dump, load
from junctor.language.blueprint_structure import fields_of
from junctor.language.check import check
from junctor.runtime.registry import Registry

REGISTRY = Registry.load()

FORM = [{"name": "note", "type": "text", "label": "Note", "spec": [{"name": "x", "type": "text"}]}]
WHOLE: dict[str, Any] = {
    "name": "Everything",
    "flow": [
        {
            "id": 1,
            "module": "gateway:CustomWebHook",
            "version": 1,
            "parameters": {"hook": 7, "maxResults": 1},
            "mapper": {},
            "metadata": {
                "designer": {"x": 0, "y": 0, "name": "In"},
                "restore": {"parameters": {"hook": {"label": "My hook"}}},
                "parameters": [{"name": "hook", "type": "hook:gateway-webhook", "required": True}],
                "expect": FORM,
                "interface": FORM,
            },
        },
        {
            "id": 2,
            "module": "builtin:BasicFeeder",
            "version": 1,
            "parameters": {},
            "mapper": {"array": "{{1.rows}}"},
            "filter": {
                "name": "Some",
                "conditions": [[{"a": "{{1.note}}", "o": "text:equal", "b": "x"}]],
            },
            "onerror": [
                {"id": 9, "module": "builtin:Ignore", "version": 1, "parameters": {}, "mapper": {}}
            ],
        },
        {
            "id": 3,
            "module": "util:SetVariables",
            "version": 1,
            "parameters": {},
            "mapper": {"variables": [{"name": "a", "value": "{{2.value}}"}], "scope": "roundtrip"},
            "flags": {"retry": {"attempts": 2}},
        },
        {
            "id": 4,
            "module": "builtin:BasicAggregator",
            "version": 1,
            "parameters": {"feeder": 2},
            "mapper": {"a": "{{3.a}}"},
            "flags": {"groupBy": "{{2.value}}", "stopIfEmpty": False},
        },
        {"id": 10, "module": "builtin:Sleep", "version": 1, "mapper": {"timeout": 2}},
        {
            "id": 5,
            "module": "builtin:BasicRouter",
            "version": 1,
            "parameters": {"else": 1},
            "mapper": None,
            "routes": [
                {
                    "flow": [
                        {"id": 6, "module": "builtin:BasicFilter", "mapper": {"conditions": []}}
                    ]
                },
                {
                    "flow": [
                        {
                            "id": 7,
                            "module": "builtin:BasicIfElse",
                            "version": 1,
                            "mapper": None,
                            "branches": [
                                {
                                    "type": "condition",
                                    "label": "y",
                                    "merge": True,
                                    "conditions": [[{"a": "{{1.note}}", "o": "exist"}]],
                                    "flow": [],
                                },
                                {"type": "else", "label": "n", "merge": True, "flow": []},
                            ],
                        },
                        {
                            "id": 8,
                            "module": "builtin:BasicMerge",
                            "version": 1,
                            "mapper": None,
                            "outputs": [{"name": "o", "mappings": ["a", "{{1.note}}"]}],
                        },
                    ],
                    "disabled": False,
                },
            ],
        },
    ],
    "metadata": {
        "instant": True,
        "version": 1,
        "scenario": {"roundtrips": 1, "maxErrors": 3, "autoCommit": True, "dlq": False},
        "designer": {"orphans": []},
    },
    "io": {"input_spec": [], "output_spec": []},
    "scheduling": {"type": "immediately"},
}
"""A blueprint of ours with all that there is; the runs below break it somewhere."""

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 12),
    st.sampled_from([10**30, -0.0, 1e308, 1.5, "{{", "{{1.a}}", "\ud800", "", "7", "{}", "[]"]),
    st.text(max_size=4),
    st.sampled_from([[], {}, [[]], [{}], {"flow": []}, [None], {"": None}, {"id": {}}]),
)
"""Values of every kind, those that code trips over above all."""


def places(value: Any, steps: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place below a value."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, item in items:
        yield (*steps, key)
        yield from places(item, (*steps, key))


PLACES = sorted(places(WHOLE), key=str)
GONE = object()


def broken(changes: list[tuple[tuple[Any, ...], Any]]) -> Any:
    """The blueprint with other values at some places, or with nothing there."""
    document = copy.deepcopy(WHOLE)
    for steps, value in changes:
        holder: Any = document
        try:
            for step in steps[:-1]:
                holder = holder[step]
            if value is GONE:
                del holder[steps[-1]]
            else:
                holder[steps[-1]] = copy.deepcopy(value)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    return document


def test_the_blueprint_that_is_broken_below_is_sound() -> None:
    report = check(json.dumps(WHOLE).encode(), "whole", REGISTRY.find, round_trip=True)
    assert [p for p in report.problems if p.severity == "error"] == []
    assert report.runnable == report.total == 10


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    st.lists(
        st.tuples(st.sampled_from(PLACES), st.one_of(ODD, st.just(GONE))), min_size=1, max_size=4
    )
)
def test_anything_anywhere_is_reported_with_its_path(
    changes: list[tuple[tuple[Any, ...], Any]],
) -> None:
    data = json.dumps(broken(changes)).encode()
    report = check(
        data,
        "f",
        REGISTRY.find,
        round_trip=True,
        offered=lambda: (module.id for module in REGISTRY.modules()),
    )
    json.dumps(report.as_json())
    for problem in report.problems:
        assert problem.path.startswith("$"), problem
        assert problem.message
        assert "our bug" not in problem.message
    try:
        imported = load(data)
    except JunctorError:
        assert not report.ok
        return
    assert load(dump(imported.document)).scenario == imported.scenario
    needs = needs_of(imported, REGISTRY.find, REGISTRY.connector)
    for want in choose(needs, [], create=True).wants:
        fields_of(imported.document, [need.path for need in want.needs], want.kind)
        assert want.line()
    assert len(wants_of(needs)) <= len(needs)
    with suppress(JunctorError):  # what has errors can't be compiled, but only for a reason
        compile_plan(imported.scenario, REGISTRY.find)
