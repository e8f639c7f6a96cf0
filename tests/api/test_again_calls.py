"""Runs done again that call others: what another began goes on, what is done anew begins anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.api.test_again import ANY, Stand, blueprint, folder, sends, standing
from tests.integration.runtime.door import WEBHOOK
from tests.support import asynchronous

__all__ = ["folder"]

START: tuple[str, dict[str, Any]] = ("scenario-service:StartSubscenario", {})
CALL: tuple[str, dict[str, Any]] = ("scenario-service:CallSubscenario", {"data": {"n": "{{1.n}}"}})


def calling(child: str, *, wait: bool = True) -> dict[str, Any]:
    made = blueprint(WEBHOOK, CALL)
    scenario = child.rpartition("/")[2]
    made["flow"][1]["parameters"] = {"scenario": scenario, "shouldWaitForExecutionEnd": wait}
    return made


async def called(it: Stand) -> str:
    made = blueprint(START, sends(it.vendor.port, "{{1.n}}1"), sends(it.vendor.port, "{{1.n}}2"))
    made["io"] = {"input_spec": [{"name": "n", "type": "integer", "required": True}]}
    made["metadata"]["instant"] = False
    return await it.scenario(made)


@pytest.mark.parametrize("wait", [True, False])
@asynchronous
async def test_a_replay_calls_anew(wait: bool, database_url: str, folder: Path) -> None:
    async with standing(database_url, folder) as it:
        child = await called(it)
        path = await it.scenario(calling(child, wait=wait))
        (run,) = await it.deliver(path, {"n": 5})
        assert run["state"] == "finished"
        again = await it.ended(await it.post(run, "replay"))
        assert again["state"] == "finished"
        runs = await it.runs(child)
        assert len(runs) == 2
        for each in runs:
            await it.ended(each)
        assert it.vendor.done == {51: 2, 52: 2}


@asynchronous
async def test_what_takes_the_place_of_one_that_took_a_place_goes_on_with_its_call(
    database_url: str,
    folder: Path,
) -> None:
    async with standing(database_url, folder) as it:
        child = await called(it)
        path = await it.scenario(calling(child))
        it.vendor.script = {52: [(422, {})]}
        (run,) = await it.deliver(path, {"n": 5})
        assert (run["state"], it.vendor.done) == ("incomplete", {51: 1})
        for _ in range(2):
            await it.draft(path, calling(child))
            assert (await it.client.post(f"{path}/activate", headers=ANY)).status_code == 200
            run = await it.ended(await it.post(run, "retry", version="newest"))
            assert run["state"] == "incomplete"
        assert len(await it.runs(child)) == 1
        await it.post(run, "retry")
        while (run := await it.ended(run))["state"] != "finished":
            pass
        assert it.vendor.done == {51: 1, 52: 1}


@asynchronous
async def test_what_an_aggregator_gives_a_second_time_is_called_with_too(
    database_url: str, folder: Path
) -> None:
    """For a bundle that was set aside, and goes on alone where the others have gone together."""
    async with standing(database_url, folder) as it:
        child = await called(it)
        each = ("builtin:BasicFeeder", {"array": '{{split("1,7,3"; ",")}}'})
        collect = ("builtin:BasicAggregator", {"v": "{{2.value}}"})
        call = (CALL[0], {"data": {"n": "{{length(4.array)}}"}})
        made = blueprint(WEBHOOK, each, sends(it.vendor.port, "{{2.value}}"), collect, call)
        made["flow"][2]["onerror"] = [
            {
                "id": 9, "module": "builtin:Break", "version": 1, "parameters": {},
                "mapper": {"retry": False, "count": "1", "interval": "1"},
            }
        ]  # fmt: skip
        made["flow"][3]["parameters"] = {"feeder": 2}
        scenario = child.rpartition("/")[2]
        made["flow"][4]["parameters"] = {"scenario": scenario, "shouldWaitForExecutionEnd": True}
        path = await it.scenario(made)
        it.vendor.script = {7: [(422, {})]}
        runs = await it.deliver(path, {"n": 1})
        (aside,) = [run for run in await it.runs(path) if run["trigger"] == "break"]
        for run in runs:
            await it.ended(run)
        assert it.vendor.done == {1: 1, 3: 1, 21: 1, 22: 1}
        await it.post(aside, "retry")
        while (await it.ended(aside))["state"] != "finished":
            pass
        assert it.vendor.done == {1: 1, 3: 1, 7: 1, 21: 1, 22: 1, 11: 1, 12: 1}
