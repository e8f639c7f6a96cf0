from __future__ import annotations

from typing import Any

import pytest
from engine_kit import branch, module, plan_of, route, scenario, when

from junctor.engine.plan import compile_plan
from junctor.errors import (
    DataError,
    ExpressionError,
    Misconfigured,
    NotSent,
    RateLimited,
    Reconnect,
    Unsupported,
)
from junctor.language.connector import ModuleDef
from junctor.language.retry import RetryPolicy


def test_an_unknown_module_is_named_with_its_path() -> None:
    with pytest.raises(Unsupported, match=r"flow\[1\].routes\[0\].flow\[0\]: module 'kit:x'"):
        plan_of(
            module(1, "start"),
            module(2, "router", routes=(route(module(3, "x", path="flow[1].routes[0].flow[0]")),)),
        )


def test_an_unknown_module_where_nothing_comes_is_fine() -> None:
    plan = plan_of(
        module(1, "start"), module(2, "router", routes=(route(module(3, "x"), disabled=True),))
    )
    assert set(plan.pins) == {1, 2}


@pytest.mark.parametrize(
    ("flow", "says"),
    [
        ((module(1, "keep", {}), module(2, "start")), r"flow\[2\]: a trigger"),
        ((module(1, "start"), module(1, "keep", {})), r"\[1\] occur twice"),
        ((module(1, "start"), module(2, "router"), module(3, "keep")), r"flow\[3\]: .*router"),
        ((module(1, "start"), module(2, "count")), r"flow\[2\].parameters.feeder is None.*\[1\]"),
        (
            (module(1, "start"), module(2, "count", parameters={"feeder": 9})),
            r"feeder is 9.*\[1\]",
        ),
        ((module(1, "start"), module(2, "ignore")), r"error handler"),
        ((module(1, "keep", {}, flags={"retry": 3}),), r"flow\[1\].flags.retry is 3"),
    ],
)
def test_a_structure_that_cannot_run_is_refused(flow: Any, says: str) -> None:
    with pytest.raises(Misconfigured, match=says):
        plan_of(*flow)


def test_an_expression_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(ExpressionError):
        plan_of(module(1, "start"), module(2, "keep", {"a": "{{upper(}}"}))


def test_what_a_plan_says() -> None:
    plan = plan_of(module(5, "start"), module(2, "keep", {"a": "{{5.a}}"}), order_key="{{5.from}}")
    assert plan.trigger is not None
    assert plan.trigger.id == 5
    assert not plan.respond
    assert not plan.variables
    assert plan.slots == 3
    assert plan.order_key is not None
    assert plan.order_key([None, {"from": "ann"}]) == "ann"
    assert plan.pins[2][:2] == ("kit:keep", 1)
    assert plan_of(module(1, "keep", {})).trigger is None
    assert plan_of(module(1, "answer", {"body": "{{var.input.x}}"})).respond
    assert plan_of(module(1, "answer", {"body": "{{var.input.x}}"})).variables
    assert plan_of().head is None


def test_an_order_key_needs_a_trigger() -> None:
    with pytest.raises(Misconfigured, match="order_key"):
        plan_of(module(1, "keep", {}), order_key="{{1.a}}")


def _nothing() -> dict[str, Any]:
    return {}


def test_a_pin_changes_with_the_module() -> None:
    def definition(version: int) -> ModuleDef:
        return ModuleDef(
            connector="kit",
            name="keep",
            label="",
            kind="transform",
            function=_nothing,
            version=version,
        )

    flow = scenario(module(1, "keep", {}))
    one, two = (compile_plan(flow, lambda _, v=v: definition(v)) for v in (1, 2))  # type: ignore[misc]  # a default binds the loop's value
    assert one.pins[1][1:] != two.pins[1][1:]
    assert one.pins == compile_plan(flow, lambda _: definition(1)).pins


@pytest.mark.parametrize(
    ("between", "begins"),
    [
        ((module(3, "keep", {}),), True),
        ((module(3, "upper", {"text": ""}),), True),
        ((module(3, "get", {"names": []}),), False),
        ((module(3, "put", {}),), True),
        ((module(3, "counter", {}),), False),
        ((module(3, "sleep", {"duration": 1}),), False),
        ((module(3, "router", routes=(route(module(4, "put", {})),)),), False),
    ],
)
def test_which_modules_may_be_done_ahead(between: Any, begins: bool) -> None:
    last = () if between[0].routes else (module(9, "put", {}),)
    plan = plan_of(module(1, "start"), module(2, "each", {"array": []}, lanes=4), *between, *last)
    assert plan.head is not None
    assert plan.head.next is not None
    assert (plan.head.next.lane_call is not None) == begins


def test_a_branch_that_ends_in_a_router_has_no_way_to_the_merge() -> None:
    inner = module(3, "router", routes=(route(module(4, "keep", {})),))
    plan = plan_of(
        module(1, "start"),
        module(2, "choose", branches=(branch(when("{{1.a}}", "exist"), inner, merge=True),)),
        module(5, "merge", outputs=({"name": "x", "mappings": []},)),
    )
    assert set(plan.pins) == {1, 2, 3, 4, 5}


@pytest.mark.parametrize(
    ("failures", "error", "seconds"),
    [
        (1, NotSent(), 1.0),
        (2, NotSent(), 2.0),
        (4, NotSent(), 8.0),
        (5, NotSent(), None),
        (1, RateLimited(retry_after=30), 30.0),
        (3, RateLimited(retry_after=2), 4.0),
        (1, DataError(), None),
        (1, Reconnect(), None),
    ],
)
def test_the_policy(failures: int, error: Any, seconds: float | None) -> None:
    assert RetryPolicy().delay(failures, error) == seconds


def test_a_policy_of_ones_own() -> None:
    policy = RetryPolicy.of({"retry": {"attempts": 100, "first": 10, "longest": 60}}, "flow[0]")
    assert [policy.delay(n, NotSent()) for n in (1, 2, 3, 4, 99, 100)] == [10, 20, 40, 60, 60, None]
    assert RetryPolicy.of({}, "") == RetryPolicy()


def test_a_field_that_is_verbatim_is_taken_as_typed() -> None:
    mapper = {"code": "${{a: 1}} {{1.x}}", "text": "{{1.n}}"}
    plan = plan_of(module(1, "start"), module(2, "codes", mapper))
    assert plan.head is not None
    assert plan.head.next is not None
    env = [None, {"n": 5}, None]
    assert plan.head.next.arguments(env) == {"code": "${{a: 1}} {{1.x}}", "text": 5}
