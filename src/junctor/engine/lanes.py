"""Lanes: the calls of several bundles wait at once; their results are applied in bundle order.

Only what is pure and stateless is evaluated ahead, on a copy of the env, so addresses, variables
and aggregates are as with one lane.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from junctor.engine.commands import Address, Await, Command, Start
from junctor.engine.effects import command
from junctor.engine.nodes import Node, Path
from junctor.engine.recording import MISSING
from junctor.language.connector import Bundle

if TYPE_CHECKING:
    from junctor.engine.run import Run

__all__ = ["Ahead", "in_lanes"]


class Ahead(NamedTuple):
    """A bundle, where it goes on in its turn, and what was done for that module ahead."""

    node: Node
    env: list[Any]
    path: Path
    done: int
    """Operations that are counted when its turn comes."""
    output: Any = MISSING
    error: Exception | None = None
    ticket: int | None = None


def in_lanes(
    run: Run, node: Node, bundles: Iterator[Bundle], env: list[Any], path: Path
) -> Generator[Command, Any, None]:
    """Sends bundles on, the calls of up to ``node.lanes`` of them begun ahead.

    If one stops the run, the calls begun after it are awaited first, as they will have happened.
    """
    waiting: deque[Ahead] = deque()
    index = 0
    try:
        while True:
            while len(waiting) < node.lanes:
                bundle = next(bundles, None)
                if bundle is None:
                    break
                own = env.copy()
                own[node.slot] = bundle
                waiting.append((yield from _begin(run, node, own, (*path, index))))
                index += 1
            if not waiting:
                return
            lane = waiting.popleft()
            run.operations += lane.done
            yield from run.branch(lane.node, lane.env, lane.path, ahead=lane)
    except Exception:
        for lane in waiting:
            if lane.ticket is not None:
                yield Await(lane.ticket)
        raise


def _begin(run: Run, source: Node, env: list[Any], path: Path) -> Generator[Command, Any, Ahead]:
    """Evaluates a bundle up to its call, and begins that."""
    target = source.lane_call
    node = source.next
    assert node is not None
    done = 0
    try:
        while True:
            try:
                passes = run.passes(node, env, path)
            except Exception:
                passes = False  # it fails, as it stops and is counted, in its turn
            if not passes:
                return Ahead(node, env, path, done)
            if node is target:
                break
            output = run.pure(node, env, path)
            if type(output) is not dict or node.collectors:
                return Ahead(node, env, path, done, output=output)
            env[node.slot] = output
            done += 1
            assert node.next is not None
            node = node.next
        address = Address(run.cycle, node.id, path)
        if run.knows(address):
            return Ahead(node, env, path, done)
        arguments = run.arguments(node, env, path)
    except Exception as error:
        return Ahead(node, env, path, done, error=error)
    ticket = yield Start(command(node, address, arguments))
    return Ahead(node, env, path, done, ticket=ticket)
