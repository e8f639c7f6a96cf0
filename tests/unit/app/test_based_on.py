"""Writes say which revision they start from: what is answered if that is no longer so."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from junctor.app.api.envelope import Failure
from junctor.app.api.http import based_on
from junctor.errors import Conflict
from tests.support import asynchronous


@dataclass(frozen=True)
class Thing:
    revision: int


async def now() -> Thing:
    return Thing(7)


@pytest.mark.parametrize(
    ("said", "expected"), [("*", None), ('"7"', 7), ('W/"12"', 12), (" 3 ", 3)]
)
@asynchronous
async def test_what_was_read_is_what_is_expected(said: str, expected: int | None) -> None:
    async with based_on(said, now) as found:
        assert found == expected


@pytest.mark.parametrize(
    ("said", "status"), [(None, 428), ("seven", 412), ("", 412), ("1234567890", 412), ("-1", 412)]
)
@asynchronous
async def test_nothing_is_written_without_a_revision(said: str | None, status: int) -> None:
    with pytest.raises(Failure) as caught:
        async with based_on(said, now):
            pytest.fail("it was written")
    assert (caught.value.http_status, caught.value.path) == (status, "header.If-Match")


@asynchronous
async def test_a_write_that_lost_is_told_what_there_is_now() -> None:
    with pytest.raises(Failure, match="at revision 7 by now") as caught:
        async with based_on('"6"', now):
            raise Conflict("somebody was faster")
    assert (caught.value.http_status, caught.value.params["revision"]) == (412, 7)
    assert isinstance(caught.value.__cause__, Conflict)


@pytest.mark.parametrize("said", ["*", '"7"'])
@asynchronous
async def test_a_conflict_about_something_else_stays_one(said: str) -> None:
    with pytest.raises(Conflict, match="its name is taken"):
        async with based_on(said, now):
            raise Conflict("its name is taken")
