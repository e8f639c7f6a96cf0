"""Two versions compared: what came, went, moved and changed, and nothing that did not."""

from __future__ import annotations

from typing import Any

import pytest

from junctor.language.blueprint import load
from junctor.language.scenario import Scenario
from junctor.language.versions import Change, compare, field_changes


def placed(id_: int, text: str = "", **rest: Any) -> dict[str, Any]:
    return {"id": id_, "module": "json:CreateJSON", "version": 1, "mapper": {"text": text}, **rest}


def router(id_: int, *flows: list[dict[str, Any]]) -> dict[str, Any]:
    routes = [{"flow": flow} for flow in flows]
    return {"id": id_, "module": "builtin:BasicRouter", "version": 1, "routes": routes}


def scenario(*flow: dict[str, Any], name: str = "s", **settings: Any) -> Scenario:
    document = {"name": name, "flow": list(flow), "metadata": {"scenario": settings}}
    return load(document).scenario


def test_the_same_is_the_same() -> None:
    one = scenario(placed(1), router(2, [placed(3)], [placed(4)]))
    found = compare(one, one, {"connections": {"3": "a"}}, {"connections": {"3": "a"}})
    assert found.same
    assert (found.changed, found.moved) == ((), ())


def test_a_module_put_in_moves_no_other() -> None:
    found = compare(scenario(placed(1), placed(2)), scenario(placed(1), placed(9), placed(2)))
    assert [(each.id, each.place, each.after) for each in found.added] == [(9, "flow", 1)]
    assert (found.moved, found.changed, found.removed) == ((), (), ())


def test_a_module_taken_out_is_told_with_where_it_was() -> None:
    found = compare(
        scenario(placed(1), router(2, [placed(3, label="x"), placed(4)])),
        scenario(placed(1), router(2, [placed(3)])),
    )
    assert [(each.id, each.place, each.after) for each in found.removed] == [(4, "2.routes[0]", 3)]
    assert found.moved == ()


@pytest.mark.parametrize(
    ("old", "new", "moved"),
    [
        ((placed(1), placed(2), placed(3)), (placed(1), placed(3), placed(2)), {2, 3}),
        (
            (placed(1), router(2, [placed(3)], [placed(4)])),
            (placed(1), placed(3), router(2, [], [placed(4)])),
            {3},
        ),
        (
            (placed(1), placed(2), placed(5, onerror=[placed(6)])),
            (placed(1), placed(6), placed(2), placed(5)),
            {6},
        ),
    ],
)
def test_what_stands_elsewhere_has_moved_and_only_that(old: Any, new: Any, moved: set[int]) -> None:
    found = compare(scenario(*old), scenario(*new))
    assert {now.id for _, now in found.moved} <= moved
    assert len(found.moved) == 1
    assert (found.added, found.removed) == ((), ())


def test_a_route_put_first_moves_nothing_in_the_others() -> None:
    found = compare(
        scenario(placed(1), router(2, [placed(3)], [placed(4)])),
        scenario(placed(1), router(2, [placed(9)], [placed(3)], [placed(4)])),
    )
    assert [each.id for each in found.added] == [9]
    assert found.moved == ()
    ((change,),) = [each.changes for each in found.changed]
    assert (found.changed[0].id, change.path, change.kind) == (2, "routes[0]", "added")


def test_fields_are_named_by_path_with_both_values() -> None:
    found = compare(
        scenario(placed(1, "a", mapper={"rows": [{"x": 1}, {"x": 2}], "gone": True})),
        scenario(placed(1, "a", mapper={"rows": [{"x": 1}, {"x": 3}, {"x": 4}]})),
    )
    (module,) = found.changed
    assert module.changes == (
        Change("mapper.rows[1].x", "changed", 2, 3),
        Change("mapper.rows[2]", "added", None, {"x": 4}),
        Change("mapper.gone", "removed", True, None),
    )


def test_a_filter_is_compared_by_its_conditions() -> None:
    def only(value: str) -> dict[str, Any]:
        condition = {"a": "{{1.x}}", "o": "text:equal", "b": value}
        return placed(2, filter={"name": "f", "conditions": [[condition]]})

    found = compare(scenario(placed(1), only("a")), scenario(placed(1), only("b")))
    assert found.changed[0].changes == (Change("filter.groups[0][0].b", "changed", "a", "b"),)


def test_the_scenario_and_its_bindings() -> None:
    found = compare(
        scenario(placed(1), name="a", sequential=False),
        scenario(placed(1), name="b", sequential=True),
        {"connections": {"1": "con_a"}, "hooks": {"1": "hok_a"}},
        {"connections": {"1": "con_b"}},
    )
    assert found.scenario == (
        Change("name", "changed", "a", "b"),
        Change("settings.sequential", "changed", False, True),
    )
    assert found.bindings == (
        Change("connections.1", "changed", "con_a", "con_b"),
        Change("hooks.1", "removed", "hok_a", None),
    )
    assert found.changed == ()


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [(1, 1.0, True), (1, True, False), ("1", 1, False), ([], {}, False), (None, None, True)],
)
def test_what_counts_as_different(old: Any, new: Any, same: bool) -> None:
    assert (not list(field_changes(old, new))) is same
