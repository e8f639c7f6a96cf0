"""What is said to a caller whose delivery was there before."""

from __future__ import annotations

import asyncio

import pytest

from junctor.ports.inbox import Answered
from junctor.runtime import door_answers
from junctor.runtime.door_answers import answer_of_first
from tests.support import asynchronous

YES = Answered(201, (), b"yes")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_answers, "LOOK_SECONDS", 0.001)


class Looks:
    """Says what it is told to, one after another; then the last again."""

    def __init__(self, *said: bool | Exception) -> None:
        self.said = list(said)
        self.count = 0

    async def __call__(self) -> bool:
        said = self.said[min(self.count, len(self.said) - 1)]
        self.count += 1
        if isinstance(said, Exception):
            raise said
        return said


def future() -> asyncio.Future[Answered]:
    return asyncio.get_running_loop().create_future()


@asynchronous
async def test_nothing_is_waited_for_that_will_not_come() -> None:
    looks, answered = Looks(True), future()
    assert await answer_of_first(answered, looks, 60) is None
    assert (looks.count, answered.done()) == (1, False)


@asynchronous
async def test_the_first_ones_answer_is_given_though_looking_fails() -> None:
    looks, answered = Looks(ConnectionError(), False), future()
    asking = asyncio.ensure_future(answer_of_first(answered, looks, 60))
    while looks.count < 3:
        await asyncio.sleep(0)
    answered.set_result(YES)
    assert await asking == YES


@asynchronous
async def test_a_run_that_ends_without_an_answer_ends_the_waiting() -> None:
    looks = Looks(False, False, True)
    assert await answer_of_first(future(), looks, 60) is None
    assert looks.count == 3


@asynchronous
async def test_nobody_waits_longer_than_callers_do() -> None:
    assert await answer_of_first(future(), Looks(False), 0.01) is None
