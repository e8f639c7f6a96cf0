"""Failures after a module's bundles have gone on: they are not sent again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import pytest
from engine_kit import Drive, World, kit, module, plan_of, route

from junctor.engine.commands import Address
from junctor.engine.journal import CHUNK
from junctor.errors import DataError
from junctor.language.connector import Bundle, Field

MANY = CHUNK + 6


@kit.transform("Gives some, then fails", name="partly")
def partly(number: Annotated[float, Field(label="Number")]) -> Iterator[Bundle]:
    for each in range(int(number)):
        yield {"value": each}
    raise DataError(reason=f"line {number:g}")


class _Unsaid:
    def add(self, _value: Any) -> None:
        """Whatever it is."""

    def result(self) -> Bundle:
        raise DataError(reason="too much")


@kit.module("Fails to say it", kind="aggregator", name="unsaid")
def unsaid(_parameters: Mapping[str, Any]) -> _Unsaid:
    return _Unsaid()


def directive(name: str, mapper: Any = None) -> tuple[Any, ...]:
    return (module(9, name, mapper or {}),)


def partial(**rest: Any) -> tuple[Any, ...]:
    return (
        module(1, "start"),
        module(2, "partly", {"number": MANY}, **rest),
        module(3, "send", {"n": "{{2.value}}"}),
        module(4, "put", {"n": "{{2.value}}"}),
    )


def collecting(name: str = "unsaid", *, source: Any = (), own: Any = ()) -> tuple[Any, ...]:
    return (
        module(1, "start"),
        module(2, "each", {"array": "{{1.array}}"}, onerror=source),
        module(3, "send", {"n": "{{2.value}}"}),
        module(4, name, {"v": "{{2.value}}"}, parameters={"feeder": 2}, onerror=own),
        module(5, "put", {"n": "{{4.array}}"}),
    )


THREE = [{"array": [1, 2, 3]}]


def counts(drive: Drive) -> dict[int, int]:
    """How often each module's effect was asked for."""
    found: dict[int, int] = {}
    for address in drive.addresses():
        found[address.module] = found.get(address.module, 0) + 1
    return found


@pytest.mark.parametrize("handler", [(), directive("break")])
def test_a_stream_that_fails_halfway_stops_the_run_and_nothing_goes_twice(handler: Any) -> None:
    plan = plan_of(*partial(onerror=handler), dlq=True)
    drive = Drive(plan)
    for resume in (False, True, True):
        result = drive.run([{}], resume=resume)
        assert (result.status, drive.asides) == ("incomplete", [])
        assert result.failed is not None
        assert result.failed[:2] == (0, 2)
        assert counts(drive) == {3: CHUNK, 4: CHUNK}


def test_one_that_fails_before_it_gave_anything_is_set_aside() -> None:
    flow = list(partial())
    flow[1] = module(2, "partly", {"number": 5})
    drive = Drive(plan_of(*flow, dlq=True))
    assert drive.run([{}]).status == "finished"
    assert [each.result.failed for each in drive.asides] == [Address(0, 2, (0,))]
    assert counts(drive) == {}


@pytest.mark.parametrize("handler", [(), directive("break"), directive("ignore")])
def test_an_aggregator_that_fails_does_not_set_its_source_aside(handler: Any) -> None:
    drive = Drive(plan_of(*collecting(source=handler), dlq=True))
    for resume in (False, True):
        result = drive.run(THREE, resume=resume)
        assert (result.status, drive.asides) == ("incomplete", [])
        assert result.failed == Address(0, 4, (0,))
        assert counts(drive) == {3: 3}


def test_the_triggers_aggregator_that_fails_stops_the_run_in_order() -> None:
    drive = Drive(plan_of(module(1, "start"), module(2, "unsaid", {}, parameters={"feeder": 1})))
    result = drive.run([{}, {}])
    assert (result.status, result.failed) == ("incomplete", Address(0, 2, ()))
    assert drive.records[-1][0] == 7


@pytest.mark.parametrize("cut", [None, 8, 9, 10])
def test_an_aggregators_own_handler_deals_with_it(cut: int | None) -> None:
    own = directive("resume", {"array": [7]})
    drive = Drive(plan_of(*collecting(own=own)))
    assert drive.run(THREE).status == "finished"
    if cut is not None:
        drive.records = drive.records[:cut]
        drive.world = World()
        result = drive.run(THREE, resume=True)
        if drive.records[cut - 1][0] == 2:  # cut off while it was being sent
            assert result.status == "uncertain"
            return
        assert result.status == "finished"
    assert drive.world.calls[-1].arguments == {"n": [7]}


def test_what_a_failed_stream_fed_is_no_part_of_what_is_set_aside_later() -> None:
    stream = module(3, "partly", {"number": MANY}, onerror=directive("ignore"))
    counted = module(4, "count", {}, parameters={"feeder": 3})
    plan = plan_of(
        module(1, "start"),
        module(2, "router", routes=(route(stream, counted), route(module(5, "send", {"n": 1})))),
        dlq=True,
    )
    drive = Drive(plan, World(lambda _: DataError(reason="no")))
    assert drive.run([{}]).status == "finished"
    (aside,) = drive.asides
    assert aside.header["fork"]["open"] == []
