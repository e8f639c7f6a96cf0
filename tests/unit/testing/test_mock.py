"""A mock run shows the way of the data through anything that can be read."""

from __future__ import annotations

from typing import Any

import pytest
from engine_kit import branch, find, module, route, scenario, when

from junctor.language.blueprint import load
from junctor.language.scenario import Module, Scenario
from junctor.runtime.registry import Registry
from junctor.testing.mock import Mocked, mock_run
from tests.support import ROOT, shared_dir


def alien(id_: int, mapper: Any = None, **rest: Any) -> Module:
    rest.setdefault("path", f"flow[{id_}]")
    return Module(id=id_, module=f"alien:m{id_}", mapper=mapper, **rest)


def mock(*flow: Module, **rest: Any) -> Mocked:
    return mock_run(scenario(*flow), find, **rest)


def test_what_nobody_offers_gives_samples() -> None:
    done = mock(
        alien(1, interface=({"name": "items", "type": "array", "spec": [{"name": "sku"}]},)),
        module(2, "each", {"array": "{{1.items}}"}),
        alien(3, {"sku": "{{2.sku}}"}),
        module(4, "send", {"id": "{{3.made.id}}"}),
    )
    assert done.ok
    assert done.reached == [1, 2, 3, 4]
    assert done.unsupported == {1: "alien:m1", 3: "alien:m3"}
    assert done.sampled == {1, 3, 4}
    assert [each.input for each in done.runs[0].of(4)] == [{"id": "sample id"}] * 2
    assert done.notes == []


def test_given_bundles_go_through() -> None:
    done = mock(alien(1), alien(2, {"x": "{{1.x}}"}), bundles=[{"x": 1}, {"x": 2}])
    assert [each.input for each in done.runs[0].of(2)] == [{"x": 1}, {"x": 2}]


def test_filters_are_obeyed_unless_told() -> None:
    flow = (
        alien(1),
        module(2, "router", routes=(
            route(module(3, "send", filter=when("{{1.n}}", "number:less", "0"))),
            route(module(4, "send")),
            route(module(5, "send")),
        ), fallback=2),
    )  # fmt: skip
    assert mock(*flow).reached == [1, 2, 4]
    assert mock(*flow).runs[0].result.dropped == {3: 1}
    assert mock(*flow, all_routes=True).reached == [1, 2, 3, 4, 5]


def test_every_branch_is_taken_if_told() -> None:
    flow = (
        alien(1),
        module(2, "choose", branches=(
            branch(when("{{1.n}}", "text:equal", "a"), module(3, "send"), merge=True),
            branch(when("{{1.n}}", "text:equal", "b"), module(4, "send"), merge=True),
            branch(None, module(5, "send")),
        )),
        module(6, "merge"),
    )  # fmt: skip
    assert mock(*flow).reached == [1, 2, 3, 6]
    done = mock(*flow, all_routes=True)
    assert set(done.reached) == {1, 2, 3, 4, 5, 6}
    assert len(done.runs) == 3


def test_what_samples_cant_do_is_noted_and_goes_on() -> None:
    done = mock(
        alien(1, interface=({"name": "t", "type": "text", "label": "T"},)),
        module(2, "add", {"a": "{{1.t}}"}),
        module(3, "keep", {"d": "{{addDays(1.t; 1)}}", "s": "{{2.sum}}"}),
        module(4, "send", filter=when("{{parseNumber(1.t)}}", "number:less", "{{floor(1.t)}}")),
        module(5, "repeat", {"repeats": "1000"}),
        module(6, "bug"),
        module(7, "send"),
    )
    assert done.ok, done.runs
    assert done.reached == [1, 2, 3, 4, 5, 6, 7]
    assert {note.module for note in done.notes} == {2, 3, 4, 5, 6}
    assert all(note.text.startswith(("With sample data", "Only the first")) for note in done.notes)
    assert len(done.runs[0].bundles(5)) == 5


def test_an_empty_list_is_gone_through_once() -> None:
    done = mock(module(1, "start"), module(2, "each", {"array": []}), module(3, "send"))
    assert done.reached == [1, 2, 3]
    assert [note.module for note in done.notes] == [2]


def test_what_cant_be_read_is_left_empty() -> None:
    done = mock(
        alien(1),
        module(2, "send", {"a": "{{nonsense(}}", "b": ["{{1.x}}", "{{}"]},
               filter=when("{{nonsense(}}", "exist")),
    )  # fmt: skip
    assert done.ok
    assert done.runs[0].of(2)[0].input["a"] == ""
    assert any("filter can't be read" in note.text for note in done.notes)


@pytest.mark.parametrize(
    ("flow", "said"),
    [
        ((module(1, "start"), module(2, "start")), "A trigger can only be the first"),
        ((module(1, "start"), module(2, "resume", {})), "belongs in an error handler"),
        ((module(1, "start"), module(2, "collect", {}, parameters={"feeder": 9})), "source module"),
        ((module(1, "start"), module(2, "collect", {}, parameters={"feeder": "x"})), "source"),
        ((module(1, "router"), module(2, "send")), "Modules after this router"),
    ],
)
def test_wrong_structures_are_noted(flow: tuple[Module, ...], said: str) -> None:
    done = mock(*flow)
    assert done.ok
    assert any(said in note.text for note in done.notes), done.notes


def test_what_cant_be_run_at_all_is_a_problem() -> None:
    done = mock(module(1, "start"), module(1, "send", path="flow[8]"))
    assert not done.ok
    assert done.problem is not None
    assert "occur twice" in done.problem.message


def test_nothing_is_no_trouble() -> None:
    assert mock_run(Scenario(name="empty", flow=()), find).ok


def test_every_real_export_can_be_mocked() -> None:
    registry = Registry.load()
    files = sorted(shared_dir("corpus", "blueprints").glob("*.json"))
    assert files
    reached = every = 0
    for path in files:
        loaded = load(path.read_bytes()).scenario
        for all_routes in (False, True):
            done = mock_run(loaded, registry.find, all_routes=all_routes)
            assert done.ok, (path.name, done.problem, [run.result for run in done.runs])
        modules = list(loaded.modules())
        handlers = [
            inner for each in modules for inner in Scenario(name="", flow=each.onerror).modules()
        ]
        reached += len(done.reached)
        every += len(modules) - len(handlers)
    assert reached / every > 0.9  # the rest is on disabled routes, or behind a router


def test_the_examples_can_be_mocked() -> None:
    registry = Registry.load()
    for path in sorted((ROOT / "examples").glob("*.blueprint.json")):
        done = mock_run(load(path.read_bytes()).scenario, registry.find, all_routes=True)
        assert done.ok
        # A sample text is no date in the format that a mapping asks for: that is said.
        assert all("is not a date in the format" in note.text for note in done.notes)
