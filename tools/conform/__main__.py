"""python -m tools.conform [VENDOR …]: what the connectors send, and what the simulators answer.

Prints two counts per vendor, hand-made through Prism's proxy and generated to its mock, and every
violation. Exit status: 0 if there is none and nothing was left out, 1 if there is, 2 if Prism
can't run.
"""

from __future__ import annotations

import asyncio
import sys
import time

from junctor.runtime.registry import Registry
from junctor.simulators import make
from junctor.simulators.kit import Simulator, running
from tools.conform.counting import Count
from tools.conform.documents import Source, source
from tools.conform.generated import to_mock
from tools.conform.merging import Document, mended
from tools.conform.prism import CannotRun, listening
from tools.conform.stage import Exchange, Stage, hand_made, on_stage, template_of
from tools.conform.stories import Story, stories

VENDORS = ("toky", "crisp", "signalwire", "highlevel")


async def play(stage: Stage, tales: list[Story], simulator: Simulator) -> None:
    """Every story, then every instant trigger's own requests."""
    simulator.reset()
    await stage.connect()
    for story in tales:
        await stage.tell(story, simulator)
    simulator.reset()
    for module in hand_made(stage.connector):
        if module.kind == "instant":
            await stage.listen(module, simulator)


def only(document: Document, exchanges: list[Exchange]) -> Document:
    """The part of a document that these exchanges can be judged by."""
    wanted = {
        template
        for path in {each.path for each in exchanges}
        for template in template_of(path, document["paths"])
    }
    paths = {path: row for path, row in document["paths"].items() if path in wanted}
    return mended({**document, "paths": paths})[0]


async def proved(vendor: str, judge: Source, tales: list[Story]) -> Count:
    """Hand-made modules through Prism's proxy."""
    [connector] = [each for each in Registry.load().connectors() if each.name == vendor]
    async with running(make(vendor, seed=7)) as simulator:
        own = simulator.base_url
        async with on_stage(connector, simulator.credentials, base=own, behind=own) as stage:
            # Told once without Prism: its document may then hold no more than what is needed.
            await play(stage, tales, simulator)
            plain = stage
        document = only(judge.document, plain.exchanges)
        async with (
            listening(document, f"{vendor}-proxy", simulator.origin) as prism,
            on_stage(
                connector, simulator.credentials, base=prism + simulator.prefix, behind=own
            ) as stage,
        ):
            await play(stage, tales, simulator)
    covered = {each.module for each in stage.exchanges if each.status < 400}
    total = {module.id for module in hand_made(connector)}
    return Count("hand-made, through the proxy", covered & total, total, stage.violations)


async def main(vendors: list[str]) -> int:
    """Everything, vendor by vendor."""
    told = stories()
    wrong = 0
    for vendor in vendors:
        started = time.monotonic()
        judge = source(vendor)
        print(f"{vendor}: judged by {'; '.join(judge.used)}", flush=True)
        for name in judge.patches:
            print(f"  mended in the vendor's document: {name}")
        for count in [
            await proved(vendor, judge, [each for each in told if each.vendor == vendor]),
            await to_mock(vendor, judge),
        ]:
            print(
                f"  {count.what}: {len(count.covered)} / {len(count.total)}, "
                f"{len(count.violations)} violations"
            )
            if count.left:
                print(f"    not covered: {', '.join(count.left)}")
            for each in count.violations:
                print(f"    {each}")
            wrong += len(count.violations) + len(count.left)
        print(f"  {time.monotonic() - started:.0f} s", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    chosen = sys.argv[1:] or list(VENDORS)
    unknown = set(chosen) - set(VENDORS)
    if unknown:
        sys.exit(f"conform: no such vendor: {', '.join(sorted(unknown))}")
    try:
        sys.exit(asyncio.run(main(chosen)))
    except CannotRun as error:
        print(f"conform: {error}", file=sys.stderr)
        sys.exit(2)
