"""RSS and Atom feeds, watched and read."""

from __future__ import annotations

import base64
import hashlib
import io
from calendar import timegm
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any
from xml.parsers import expat  # entities are refused below, see `_Raw`

from junctor.errors import BundleInvalid, DataError
from junctor.language.connector import Bundle, Connector, Field, Flow, Poll, Request, Response

__all__ = ["action_read_articles", "articles", "rss", "trigger_new_article"]

rss = Connector(name="rss", label="RSS", docs="docs/mail.md", help="RSS and Atom feeds.")

_LONGEST = 8 * 1024 * 1024
"""Bytes of a feed, decompressed."""
_LONGEST_BROKEN = 64 * 1024
"""The same of one that is no well-formed XML: guessing at it takes time that grows too fast."""
_MOST_ITEMS = 10_000
_MOST_ELEMENTS = 1_000
"""In one item."""
_ITEMS = frozenset({"item", "entry"})

_Url = Annotated[
    str, Field(label="URL", format="uri", example="https://example.com/feed", static=False)
]
_Username = Annotated[
    str, Field(label="User name", help="If the feed asks for one.", advanced=True)
]
_Password = Annotated[str, Field(label="Password", format="password", advanced=True)]
_Include = Annotated[
    list[str],
    Field(
        label="Process RSS fields",
        help="`itunes` or `google-merchant-center`: those fields as a collection of their own.",
        static=True,
        advanced=True,
    ),
]
_Max = Annotated[
    int,
    Field(
        label="Maximum number of returned items",
        key="maxResults",
        help="The most items of one cycle.",
        minimum=1,
    ),
]
_Gzip = Annotated[bool, Field(label="Request compressed content", advanced=True)]


def _date_of(article: Bundle) -> datetime | None:
    found = article["dateCreated"] or article["dateUpdated"]
    return found if isinstance(found, datetime) else None


@rss.module(
    "Watch RSS feed items",
    kind="trigger",
    name="TriggerNewArticle",
    effect="read",
    poll=Poll(
        id=lambda article: str(article["guid"]),
        date=_date_of,
        newest_first=True,
        limit_field="max_results",
    ),
)
def trigger_new_article(
    url: _Url,
    max_results: _Max = 10,
    username: _Username = "",
    password: _Password = "",
    include: _Include = [],  # noqa: B006  # a form's default; `bind` copies it
    gzip: _Gzip = True,
) -> Flow:
    """Starts when a feed has a new item."""
    del max_results
    response = yield _request(url, username, password, gzip=gzip)
    return articles(response, include)


@rss.search("Retrieve RSS feed items", name="ActionReadArticles", limit_field="max_results")
def action_read_articles(
    url: _Url,
    max_results: _Max = 10,
    filter_date_from: Annotated[datetime | None, Field(label="Date from", key="filterDateFrom")] = (
        None
    ),
    filter_date_to: Annotated[datetime | None, Field(label="Date to", key="filterDateTo")] = None,
    username: _Username = "",
    password: _Password = "",
    include: _Include = [],  # noqa: B006  # a form's default; `bind` copies it
    gzip: _Gzip = True,
) -> Flow:
    """Gives a feed's items, newest first, perhaps only those of a time.

    An item without a date is left out where a date is asked for.
    """
    response = yield _request(url, username, password, gzip=gzip)
    found = articles(response, include)
    if filter_date_from is not None or filter_date_to is not None:
        first = filter_date_from or datetime.min.replace(tzinfo=UTC)
        last = filter_date_to or datetime.max.replace(tzinfo=UTC)
        dated = ((article, _date_of(article)) for article in found)
        found = [article for article, date in dated if date is not None and first <= date <= last]
    return found[:max_results]


def _request(url: str, username: str, password: str, *, gzip: bool) -> Request:
    if not url.startswith(("http://", "https://")):
        raise BundleInvalid(field="url", reason=f"{url!r} must begin with http:// or https://")
    headers = {"Accept": "application/rss+xml, application/atom+xml, application/xml, */*;q=0.5"}
    if not gzip:
        headers["Accept-Encoding"] = "identity"
    if username or password:
        packed = base64.b64encode(f"{username}:{password}".encode()).decode()
        headers["Authorization"] = f"Basic {packed}"
    return Request("GET", url, headers=headers, redirects=5, max_bytes=_LONGEST)


# Reading


def articles(response: Response, include: Iterable[str] = ()) -> list[Bundle]:
    """The items of a feed, newest first. `DataError` if it is none, or would cost too much.

    ``{"title", "description", "summary", "author", "url", "guid", "dateUpdated", "dateCreated",
    "comments", "image", "categories", "source", "enclosures", "rssFields"}``; ``rssFields`` has the
    item's elements as they are named there, those with attributes as ``{"props", "value"}``.
    """
    import feedparser  # noqa: PLC0415  # it takes a while, and few scenarios read feeds

    raw = _fields(response.body)
    # A stream: from text or bytes it might make a file or an address to open.
    feed = feedparser.parse(
        io.BytesIO(response.body),
        response_headers={"content-type": response.headers.get("content-type", "")},
        sanitize_html=False,
        resolve_relative_uris=False,
    )
    if not feed.get("version") and not feed.entries:
        raise DataError(reason=f"there is no RSS or Atom feed at {response.url or 'this address'}")
    if len(raw) != len(feed.entries):  # it isn't well formed, and only feedparser makes sense of it
        raw = [{} for _ in feed.entries]
    wanted = set(include)
    found = [_article(entry, own, wanted) for entry, own in zip(feed.entries, raw, strict=True)]
    old = datetime.min.replace(tzinfo=UTC)
    return sorted(found, key=lambda article: _date_of(article) or old, reverse=True)


def _article(entry: Mapping[str, Any], own: Bundle, include: set[str]) -> Bundle:
    content = entry.get("content") or []
    summary = entry.get("summary", "")
    created, updated = entry.get("published_parsed"), _updated(entry)
    article: Bundle = {
        "title": entry.get("title", ""),
        "description": (content[0].get("value") if content else "") or summary,
        "summary": summary,
        "author": entry.get("author", ""),
        "url": entry.get("link", ""),
        "guid": entry.get("id") or entry.get("link") or _mark(entry),
        "dateUpdated": _date(updated or created),
        "dateCreated": _date(created or updated),
        "comments": entry.get("comments", ""),
        "image": _image(entry),
        "categories": [tag.get("term") or "" for tag in entry.get("tags", [])],
        "source": _source(entry),
        "enclosures": [_enclosure(each) for each in entry.get("enclosures", [])],
        "rssFields": own,
    }
    for wanted, prefix, key in (
        ("itunes", "itunes:", "itunes"),
        ("google-merchant-center", "g:", "googleMerchantCenter"),
    ):
        if wanted in include:
            article[key] = {
                name.removeprefix(prefix): value
                for name, value in own.items()
                if name.startswith(prefix)
            }
    return article


def _updated(entry: Mapping[str, Any]) -> Any:
    # `get` would give the date of publication in its place, with a warning.
    return entry["updated_parsed"] if "updated_parsed" in entry else None  # noqa: SIM401  # see above


def _date(parsed: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(timegm(parsed), UTC) if parsed is not None else None
    except (ValueError, OverflowError, TypeError, OSError):
        return None


def _mark(entry: Mapping[str, Any]) -> str:
    text = f"{entry.get('title', '')}\n{entry.get('published', '')}\n{entry.get('summary', '')}"
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]


def _image(entry: Mapping[str, Any]) -> Bundle:
    given = entry.get("image") or {}
    url = given.get("href") or given.get("url") or ""
    for each in (*entry.get("media_thumbnail", ()), *entry.get("media_content", ())):
        if not url and (each.get("medium", "image") == "image"):
            url = each.get("url", "")
    return {"title": given.get("title", ""), "url": url}


def _source(entry: Mapping[str, Any]) -> Bundle:
    given = entry.get("source") or {}
    return {"title": given.get("title", ""), "url": given.get("href") or given.get("link") or ""}


def _enclosure(given: Mapping[str, Any]) -> Bundle:
    length = str(given.get("length", "")).strip()
    return {
        "url": given.get("href", ""),
        "type": given.get("type", ""),
        "length": int(length) if length.isascii() and length.isdigit() else None,
    }


class _Raw:
    """Collects each item's own elements, as they are written."""

    def __init__(self) -> None:
        self.items: list[Bundle] = []
        self._depth = 0
        self._item_at: int | None = None
        self._elements = 0
        self._text: list[str] = []
        self._attributes: Mapping[str, str] = {}

    def start(self, full: str, attributes: Mapping[str, str]) -> None:
        name = _name(full)
        self._depth += 1
        if self._depth > 100:
            raise DataError(reason="the feed is nested too deeply")
        if self._item_at is None:
            if name.rpartition(":")[2] in _ITEMS:
                self._item_at = self._depth
                self._elements = 0
                self.items.append({})
                if len(self.items) > _MOST_ITEMS:
                    raise DataError(reason=f"the feed has more than {_MOST_ITEMS:,} items")
        elif self._depth == self._item_at + 1:
            self._text = []
            self._attributes = {_name(key): value for key, value in attributes.items()}

    def end(self, full: str) -> None:
        if self._item_at is not None:
            if self._depth == self._item_at:
                self._item_at = None
            elif self._depth == self._item_at + 1:
                self._put(_name(full).lower(), "".join(self._text).strip())
        self._depth -= 1

    def text(self, data: str) -> None:
        if self._item_at is not None:
            self._text.append(data)

    def entity(self, name: str, *_: Any) -> None:
        raise DataError(reason=f"the feed defines an entity ({name}); such feeds are not read")

    def _put(self, name: str, text: str) -> None:
        self._elements += 1
        if self._elements > _MOST_ELEMENTS:
            raise DataError(reason=f"an item of the feed has more than {_MOST_ELEMENTS:,} elements")
        item = self.items[-1]
        value: Any = {"props": self._attributes, "value": text} if self._attributes else text
        if name not in item:
            item[name] = value
        elif isinstance(item[name], list):
            item[name].append(value)
        else:
            item[name] = [item[name], value]


def _name(full: str) -> str:
    """``prefix:name``, as written, from ``namespace name prefix``."""
    parts = full.split(" ")
    return f"{parts[2]}:{parts[1]}" if len(parts) == 3 else parts[-1 if len(parts) == 1 else 1]


def _fields(document: bytes) -> list[Bundle]:
    """The elements of each item; none if the document is short and not well formed."""
    raw = _Raw()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.namespace_prefixes = True
    parser.buffer_text = True
    parser.StartElementHandler = raw.start
    parser.EndElementHandler = raw.end
    parser.CharacterDataHandler = raw.text
    parser.EntityDeclHandler = raw.entity
    try:
        parser.Parse(document, True)
    except expat.ExpatError as error:
        if len(document) > _LONGEST_BROKEN:
            raise DataError(
                reason=f"the feed is no well-formed XML ({error}), and too long to guess at"
            ) from None
        return []
    return raw.items
