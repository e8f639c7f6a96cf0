"""A vendor that does everything wrong, and deliveries that stop their worker."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import AsyncExitStack

from torture.account import Account, conclude, latencies
from torture.attendant import Operator
from torture.load import Event, Load
from torture.outcome import Options, Outcome
from torture.rig import Rig, until
from torture.rows import row
from torture.rows.kills import background
from torture.scenarios import Hook, flow, plant, post

TIMEOUT = 2.0
"""Seconds that a request to a vendor that never ends its answer may take here."""
GROWTH = 64.0
"""Megabytes by which a worker may grow, with an answer of 16 MB in it at a time."""
GROWTH_BESIDE_OTHERS = 160.0
"""As many in the short form: a machine that works for other tests, too, lets more answers wait."""

SILENT = {"hang", "idle", "drip"}
"""What only time ends. Others have their answer, however long a busy machine takes for it."""

UNKNOWN = {"uncertain"}
ENDS: dict[str, set[str]] = {
    "hang": UNKNOWN, "idle": UNKNOWN, "drip": UNKNOWN, "reset": UNKNOWN, "cut": UNKNOWN,
    "drop": UNKNOWN, "garbage": UNKNOWN, "broken": UNKNOWN, "huge": UNKNOWN, "endless": UNKNOWN,
    "bomb": UNKNOWN,
    # The vendor has said 200 to the end; what can't be parsed is given as it is.
    "html": {"finished"}, "truncated": {"finished", "uncertain"},
    "loop": {"incomplete"},
    "busy": {"finished"}, "away": {"finished"},
}  # fmt: skip
"""How a run must end whose vendor does this. Where bytes left and no complete answer came, nobody
knows; where the vendor refused, it is tried again."""


LARGE = ("huge", "endless", "bomb")
"""Answers that are cut at 16 MB, one after another: what a worker holds is so much for each."""


@row("vendor", short=True, alone=True)
async def vendor(options: Options) -> Outcome:
    """A vendor that hangs, drips, resets, cuts, answers garbage, 10 GB, loops, 429 and 503 storms.

    Every fault comes while others are well served: what has been sent and not answered is never
    sent again, refusals are tried again, workers don't grow, and good calls stay quick.
    """
    begun = time.monotonic()
    each = int(options.pick(2, 10, 60))
    outcome = Outcome()
    async with Rig.up(options, servers=1, workers=2) as rig, AsyncExitStack() as stack:
        assert rig.sink is not None
        port = rig.sink.port
        load = await stack.enter_async_context(Load(rig, []))
        good = plant(rig, flow(post(3, port, "ok", "a")), steps=("a",))
        await load.some(20, good)  # everything is loaded once
        await conclude(rig, load, Outcome(), seconds=30)
        calm = await _measured(load, good, options)  # by its end their jobs are loaded, too
        grown = {worker.name: worker.rss() for worker in rig.workers}
        peak = dict(grown)
        stormy: list[int] = []

        async def watch() -> None:
            while True:
                for worker in rig.workers:
                    peak[worker.name] = max(peak[worker.name], worker.rss())
                await asyncio.sleep(0.05)

        await background(stack, watch())
        faulty = {fault: plant(rig, _flow(port, fault)) for fault in ENDS}
        for fault, hook in faulty.items():
            if fault not in LARGE:
                for _ in range(each):
                    load.send(hook)
        large = asyncio.create_task(_one_by_one(rig, load, [faulty[fault] for fault in LARGE]))
        stormy = await _measured(load, good, options)
        await large
        await load.finish()
        account = await conclude(rig, load, outcome, seconds=90)
        _judge(load, account, faulty, outcome)
        before, during = (latencies(rig, load, numbers) for numbers in (calm, stormy))
        p95 = [some[int(len(some) * 0.95)] * 1000 for some in (before, during) if some]
        growth = max(peak[name] - grown[name] for name in peak)
        most = options.pick(GROWTH_BESIDE_OTHERS, GROWTH, GROWTH)
        outcome.expect(growth <= most, f"a worker grew by {growth:.0f} MB")
        outcome.notes.append(
            f"{len(ENDS)} faults ×{each}; workers grew by {growth:.0f} MB at most; good calls"
            f" p95 {p95[0]:.0f} ms before and {p95[-1]:.0f} ms during"
        )
    outcome.seconds = time.monotonic() - begun
    return outcome


async def _one_by_one(rig: Rig, load: Load, hooks: list[Hook]) -> None:
    """An event for each hook, three times over, the next when the last one's run has ended."""
    for _ in range(3):
        for hook in hooks:
            event = load.send(hook)
            await until(
                lambda hook=hook, event=event: _ended(rig, hook, event),  # type: ignore[misc]  # bound as they are now
                "a large answer's run ends",
            )  # fmt: skip


def _ended(rig: Rig, hook: Hook, event: Event) -> bool:
    """Whether the event's run has come to an end."""
    query = "select count(*) from runs where scenario_id = %s and name = %s and state <> 'running'"
    return bool(rig.value(query, hook.scenario, str(event.number)))


def _flow(port: int, fault: str) -> str:
    first = post(3, port, fault, "a", timeout=TIMEOUT if fault in SILENT else 60.0)
    first["mapper"]["followAllRedirects"] = True
    return flow(first, post(4, port, "ok", "b"))


async def _measured(load: Load, hook: Hook, options: Options) -> list[int]:
    """Good events at a steady rate for a while; their numbers."""
    numbers = []
    for _ in range(int(options.pick(40, 100, 400))):
        numbers.append(load.send(hook).number)
        await asyncio.sleep(0.04)
    return numbers


def _judge(load: Load, account: Account, faulty: dict[str, Hook], outcome: Outcome) -> None:
    """How the runs of each fault ended."""
    ends: dict[str, Counter[str]] = {fault: Counter() for fault in faulty}
    of = {hook: fault for fault, hook in faulty.items()}
    for event in load.events.values():
        fault = of.get(event.hook)
        if fault is None:
            continue
        state = "".join(account.states.get(run, "none") for run in account.runs[event.number])
        ends[fault][state] += 1
        for step in "ab":
            if account.effects[event.number, step] > 1:
                outcome.repeated.append(event.number)
        whole = account.effects[event.number, "a"] and account.effects[event.number, "b"]
        if state == "finished" and not whole:
            outcome.lost.append(event.number)
    for fault, found in ends.items():
        outcome.expect(
            set(found) <= ENDS[fault], f"{fault}: ended as {dict(found)}, not {sorted(ENDS[fault])}"
        )


@row("poison")
async def poison(options: Options) -> Outcome:
    """A delivery that stops its worker every time is parked after three tries; others go on.

    The vendor itself kills whichever process asks it about the poisoned event, so every worker that
    touches it dies. Deliveries before and behind it in the same scenario, and those of others,
    must all be finished, once.
    """
    begun = time.monotonic()
    outcome = Outcome()
    async with Rig.up(options, workers=2) as rig, AsyncExitStack() as stack:
        assert rig.sink is not None
        port = rig.sink.port
        ask = post(3, port, "poison", "x")
        ask["mapper"] |= {
            "method": "get", "bodyType": "", "data": "",
            "url": f'http://127.0.0.1:{port}/{{{{if(1.n = 8; "poison"; "ok")}}}}/x?n={{{{1.n}}}}',
        }  # fmt: skip
        text = flow(ask, post(4, port, "ok", "a"))
        load = await stack.enter_async_context(Load(rig, []))
        sick, well = plant(rig, text, steps=("a",)), plant(rig, flow(post(3, port, "ok", "a")))

        async def keep() -> None:
            while True:  # as a supervisor does
                for worker in rig.workers:
                    if not worker.alive:
                        worker.start()
                await asyncio.sleep(0.2)

        await background(stack, keep())
        await load.some(16, sick)
        await load.some(16, well)

        def parked() -> bool:
            query = "select count(*) from runs r join inbox i using (organization_id, id)"
            return bool(rig.value(f"{query} where r.state = 'incomplete'") == 1)

        spent = await until(parked, "the poisoned delivery is parked", seconds=120, pause=0.2)
        account = await conclude(
            rig, load, outcome, operator=Operator(rig, resumes=False, steps={4: "a"}), seconds=60
        )
        deaths = sum(1 for _, step, _ in rig.effects() if step == "poison")
        outcome.expect(outcome.ends["parked"] == 1, "exactly one delivery is parked")
        left = [run for run, state in account.states.items() if state != "finished"]
        outcome.expect(len(left) == 1, "all others are finished, or settled and finished")
        outcome.expect(3 <= deaths <= 4, f"it killed {deaths} workers: the first, then three tries")
        outcome.expect(
            all(account.effects[number, "a"] == (number != 8) for number in load.events),
            "each other event has its effect once",
        )
        outcome.notes.append(f"parked after {deaths} dead workers and {spent:.0f} s")
    outcome.seconds = time.monotonic() - begun
    return outcome
