"""A file through a run: fetched by one module, sent by the next, never in a bundle."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from junctor.engine.journal import Tag
from junctor.language.connector import Field, Request, Response
from junctor.language.files import Content, File, file_of
from tests.support import asynchronous
from tests.unit.runtime.drive_kit import Bench, placed, world

CONTENT = bytes(range(256)) * 40


@world.action("Fetches a file", effect="read")
def fetch_file() -> Any:
    answer: Response = yield Request("GET", "https://vendor.test/file", keep_above=1000)
    return {"data": answer.content(), "size": answer.size}


@world.action("Stores a file", effect="idempotent")
def store_file(data: Annotated[Content, Field(label="Data")]) -> Request:
    return Request("PUT", "https://vendor.test/store", body=data)


def vendor(request: Request) -> Response:
    return Response(200, {}, CONTENT if request.url.endswith("/file") else b"{}")


def bench() -> Bench:
    return Bench(
        placed(2, "fetchFile"), placed(3, "storeFile", {"data": "{{2.data}}"}), handler=vendor
    )


@asynchronous
async def test_a_file_is_handed_on_without_being_in_a_bundle() -> None:
    made = bench()
    flight = await made.run()
    assert flight.state == "finished"
    [name] = [name for _, _, name in made.blobs.stored]
    assert made.transport.sent[1].body == File(name, len(CONTENT))
    [done] = made.records(Tag.DONE, 2)
    assert file_of(done[5][0]["data"]) == File(name, len(CONTENT))
    assert done[6] == len(CONTENT)  # transferred bytes are those of the file
    [stored] = made.records(Tag.DONE, 3)
    assert stored[6] == len(CONTENT) + 2


@asynchronous
async def test_a_run_that_was_cut_goes_on_with_the_file_that_it_kept() -> None:
    reached = asyncio.Event()

    async def hangs(request: Request) -> Response:
        if request.method == "PUT" and not reached.is_set():
            reached.set()
            await asyncio.Event().wait()
        return vendor(request)

    store = placed(4, "storeFile", {"data": "{{2.data}}"})
    made = Bench(placed(2, "fetchFile"), placed(3, "send"), store, handler=hangs)
    going = asyncio.create_task(made.run())
    await reached.wait()
    going.cancel()
    await asyncio.gather(going, return_exceptions=True)
    made.crash()
    flight = await made.drive(await made.flight(await made.claimed(), read_back=True))
    assert flight.state == "finished"
    fetched, _, sent, again = made.transport.sent
    assert fetched.method == "GET"
    assert sent.body == again.body  # the file was not fetched anew, and is the same
    assert isinstance(again.body, File)
    assert len(made.blobs.stored) == 1
