"""Doing one operation: the requests of a module, its pages, its outcome. No journal here."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from junctor.errors import DataError, Misconfigured
from junctor.language.connector import Ask, Bundle, ModuleDef, Paging, Poll, Request
from junctor.language.files import File, size_of
from junctor.language.hosts import origin
from junctor.language.polling import reaches
from junctor.runtime.outcomes import bundles_of, dig

__all__ = ["MOST_PAGES", "Send", "completed", "listed", "perform", "sent_bytes"]

Send = Callable[[Request | Ask, int], Awaitable[Any]]
"""Sends a module's n-th request and returns its complete, good answer, or raises; of what is asked
of Junctor itself, whatever is answered."""

MOST_PAGES = 10_000
"""A search that asks for more pages than this is going round in circles."""


async def perform(
    module: ModuleDef,
    arguments: Mapping[str, Any],
    send: Send,
    *,
    since: datetime | None = None,
) -> list[Bundle]:
    """The bundles of one operation of an action or search.

    ``since``: of a trigger that polls, what is older need not be listed (`polling.listed_since`).
    """
    made = module.function(**arguments)
    if since is not None and isinstance(made, Request) and module.poll and module.poll.since:
        made = module.poll.since(made, since)
    if isinstance(made, Ask):
        return _bundles(await send(made, 0))
    if isinstance(made, Request):
        if module.paging is not None:
            return await _paged(module, made, module.paging, arguments, send, since)
        return bundles_of(module, await send(made, 0))
    step = 0
    try:
        request = next(made)
        while True:
            if not isinstance(request, Request | Ask):
                raise Misconfigured(reason=f"{module.id} yielded something that is no Request")
            answer = await send(request, step)
            step += 1
            request = made.send(answer)
    except StopIteration as stop:
        return _bundles(stop.value)
    finally:
        made.close()


async def listed(
    module: ModuleDef, arguments: Mapping[str, Any], send: Send, *, since: datetime | None
) -> list[Bundle]:
    """What a trigger that polls lists: further back than it was told, as long as all that it lists
    is new (``Poll.most``). `DataError` if there is more than that.
    """
    poll, field, steps = module.poll, module.limit_field, 0

    async def counted(request: Request | Ask, _step: int) -> Any:
        nonlocal steps
        steps += 1
        return await send(request, steps - 1)

    items = await perform(module, arguments, counted, since=since)
    if since is None or poll is None or poll.most is None or field is None:
        return items
    count = int(arguments[field])
    while len(items) >= count and not reaches(items, poll, since):
        if count >= poll.most:
            raise DataError(
                reason=f"there are more than {count} new items since {since.isoformat()}, and no "
                "more are listed at once; let it start later, or narrow what it lists"
            )
        count = min(count * 4, poll.most)
        items = await perform(module, {**arguments, field: count}, counted, since=since)
    return items


async def completed(
    poll: Poll,
    items: list[Bundle],
    arguments: Mapping[str, Any],
    ask: Callable[[Ask], Awaitable[Any]],
) -> list[Bundle]:
    """The bundles of the items that a trigger passes on, where its listing is light."""
    if poll.complete is None:
        return items
    found = []
    for item in items:
        flow = poll.complete(item, arguments)
        answer = None
        try:
            while True:
                answer = await ask(flow.send(answer))
        except StopIteration as stop:
            found += _bundles(stop.value)
        finally:
            flow.close()
    return found


def _bundles(result: Any) -> list[Bundle]:
    return result if isinstance(result, list) else [] if result is None else [result]


async def _paged(
    module: ModuleDef,
    first: Request,
    paging: Paging,
    arguments: Mapping[str, Any],
    send: Send,
    since: datetime | None,
) -> list[Bundle]:
    """All pages of a search, up to its limit; of a trigger that polls, up to what is older."""
    poll = module.poll if module.poll and module.poll.page and since is not None else None
    if poll is not None and poll.page:
        paging = dataclasses.replace(paging, size=min(paging.size, poll.page))
    wanted = arguments.get(module.limit_field) if module.limit_field else None
    most = int(wanted) if wanted is not None else None
    found: list[Bundle] = []
    place: Any = paging.first
    address = first.url
    seen = set()
    for number in range(MOST_PAGES):
        left = paging.size if most is None else min(paging.size, most - len(found))
        if left <= 0:
            break
        # A page's number counts pages of one size: a smaller last one would begin elsewhere.
        size = paging.size if paging.style in {"page", "path"} else left
        request = _page(first, paging, place, size, address)
        answer = await send(request, number)
        page = bundles_of(module, answer)
        found.extend(page)
        if not page or (poll is not None and reaches(page, poll, since)):
            break
        if paging.style in {"offset", "skip"}:
            place += len(page)
        elif paging.style in {"page", "path"}:
            place += 1
        if paging.next_key:
            after = dig(answer.json(), paging.next_key)
            if not after:
                break
            if after in seen:
                raise DataError(reason=f"the vendor's next page repeats: {str(after)[:80]}")
            seen.add(after)
            if paging.style == "cursor":
                place = after
            elif paging.style == "next_url":
                address = str(after)
                if origin(address) != origin(answer.url or first.url) and not address.startswith(
                    "/"
                ):
                    raise DataError(reason="the vendor's next page is at another host")
        elif len(page) < size:
            break
    return found if most is None else found[:most]


def _page(first: Request, paging: Paging, place: Any, size: int, address: str) -> Request:
    query: dict[str, Any] = dict(first.query)
    if paging.style == "next_url" and address != first.url:
        return dataclasses.replace(first, url=address, query=())
    if paging.limit_param:
        query[paging.limit_param] = size
    if paging.style == "path":
        return dataclasses.replace(first, url=first.url.replace("{page}", str(place)), query=query)
    if paging.param and not (paging.style == "cursor" and place == paging.first):
        query[paging.param] = place
    return dataclasses.replace(first, query=query)


def sent_bytes(request: Request) -> int:
    """Bytes of a request's body, as far as they are known without encoding it again."""
    if isinstance(request.body, bytes | File):
        return size_of(request.body)
    content = request.json if request.json is not None else request.form
    if content is not None:
        return len(json.dumps(content, default=str))
    if request.body is not None:
        return sum(size_of(part.data) for part in request.body.parts)
    return 0
