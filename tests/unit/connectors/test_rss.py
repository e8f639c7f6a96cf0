"""Feeds: read as they are written, watched, and never a trap."""

from __future__ import annotations

import socket
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from junctor.connectors.rss import action_read_articles, articles, rss, trigger_new_article
from junctor.errors import BundleInvalid, DataError
from junctor.language.connector import Request, Response
from junctor.language.forms import bind
from junctor.language.polling import fresh

RSS = b"""<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"
 xmlns:media="http://search.yahoo.com/mrss/" xmlns:content="http://purl.org/rss/1.0/modules/content/"
 xmlns:g="http://base.google.com/ns/1.0" xmlns:dc="http://purl.org/dc/elements/1.1/">
<channel><title>T</title>
<item><title>Old</title><link>https://x.test/1</link><guid isPermaLink="false">g1</guid>
<pubDate>Mon, 05 Jan 2026 10:00:00 +0100</pubDate>
<description>&lt;b&gt;short&lt;/b&gt;</description>
<content:encoded>&lt;p&gt;long&lt;/p&gt;</content:encoded><dc:creator>Ann</dc:creator>
<comments>https://x.test/1#c</comments><category>a</category><category>b</category>
<source url="https://y.test/feed">Y</source><itunes:duration>12</itunes:duration>
<enclosure url="https://x.test/a.mp3" type="audio/mpeg" length="12"/>
<media:thumbnail url="https://x.test/t.png"/><g:price>9 EUR</g:price></item>
<item><title>New</title><link>https://x.test/2</link>
<pubDate>Tue, 06 Jan 2026 10:00:00 GMT</pubDate></item>
</channel></rss>"""

ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xmlns:media="http://search.yahoo.com/mrss/">
<title>T</title><entry><id>t3_1</id><title>Grüße</title><link href="https://x.test/3"/>
<author><name>/u/ann</name></author><updated>2026-01-07T10:00:00Z</updated>
<content type="html">&lt;i&gt;x&lt;/i&gt;</content></entry></feed>""".encode()


def read(document: bytes, *include: str) -> list[dict[str, Any]]:
    return articles(Response(200, {"content-type": "application/xml"}, document), include)


def test_an_rss_item_has_what_blueprints_map() -> None:
    new, old = read(RSS)
    assert (new["title"], new["guid"]) == ("New", "https://x.test/2")
    fields = old.pop("rssFields")
    assert old == {
        "title": "Old",
        "description": "<p>long</p>",
        "summary": "<b>short</b>",
        "author": "Ann",
        "url": "https://x.test/1",
        "guid": "g1",
        "dateUpdated": datetime(2026, 1, 5, 9, tzinfo=UTC),
        "dateCreated": datetime(2026, 1, 5, 9, tzinfo=UTC),
        "comments": "https://x.test/1#c",
        "image": {"title": "", "url": "https://x.test/t.png"},
        "categories": ["a", "b"],
        "source": {"title": "Y", "url": "https://y.test/feed"},
        "enclosures": [{"url": "https://x.test/a.mp3", "type": "audio/mpeg", "length": 12}],
    }
    assert fields["pubdate"] == "Mon, 05 Jan 2026 10:00:00 +0100"
    assert fields["category"] == ["a", "b"]
    assert fields["media:thumbnail"] == {"props": {"url": "https://x.test/t.png"}, "value": ""}


def test_an_atom_entry_is_the_same() -> None:
    [entry] = read(ATOM)
    assert (entry["title"], entry["author"], entry["guid"]) == ("Grüße", "/u/ann", "t3_1")
    assert entry["description"] == "<i>x</i>"
    assert entry["dateCreated"] == entry["dateUpdated"] == datetime(2026, 1, 7, 10, tzinfo=UTC)


def test_fields_of_their_own() -> None:
    old = read(RSS, "itunes", "google-merchant-center")[1]
    assert old["itunes"] == {"duration": "12"}
    assert old["googleMerchantCenter"] == {"price": "9 EUR"}


def ask(name: str, **mapper: Any) -> tuple[Request, Any]:
    module = rss.modules[name]
    flow = module.function(**bind(module, {"url": "https://x.test/feed", **mapper}, mapper))
    return next(flow), flow


def finish(flow: Any, document: bytes) -> list[dict[str, Any]]:
    with pytest.raises(StopIteration) as stopped:
        flow.send(Response(200, {}, document))
    found: list[dict[str, Any]] = stopped.value.value
    return found


def test_requests() -> None:
    request, _ = ask("ActionReadArticles", username="u", password="p", gzip=False)
    assert request.headers["Authorization"] == "Basic dTpw"
    assert request.headers["Accept-Encoding"] == "identity"
    assert request.redirects == 5
    request, _ = ask("TriggerNewArticle", gzip=True)
    assert "Authorization" not in request.headers
    for url in ("file:///etc/passwd", "ftp://x.test", "/etc/passwd"):
        with pytest.raises(BundleInvalid, match="http"):
            next(trigger_new_article(url))
        with pytest.raises(BundleInvalid, match="http"):
            next(action_read_articles(url))


@pytest.mark.parametrize(
    ("mapper", "titles"),
    [
        ({}, ["New", "Old"]),
        ({"maxResults": 1}, ["New"]),
        ({"filterDateFrom": "2026-01-06"}, ["New"]),
        ({"filterDateTo": "2026-01-05T09:00:00Z"}, ["Old"]),
        ({"filterDateFrom": "2026-02-01"}, []),
    ],
)
def test_filters(mapper: dict[str, Any], titles: list[str]) -> None:
    _, flow = ask("ActionReadArticles", **mapper)
    assert [article["title"] for article in finish(flow, RSS)] == titles


def test_a_watched_feed_gives_what_is_new() -> None:
    module = rss.modules["TriggerNewArticle"]
    assert module.poll is not None
    none, state = fresh(read(RSS), None, module.poll)
    assert none == []
    later = RSS.replace(b"<item><title>New", ATOM_ITEM + b"<item><title>New")
    new, state = fresh(read(later), state, module.poll, limit=10)
    assert [article["title"] for article in new] == ["Newer"]
    assert fresh(read(later), state, module.poll)[0] == []
    first, _ = fresh(read(RSS), None, module.poll, start="all", limit=1)
    assert [article["title"] for article in first] == ["Old"]


ATOM_ITEM = (
    b"<item><title>Newer</title><guid>g9</guid>"
    b"<pubDate>Wed, 07 Jan 2026 10:00:00 GMT</pubDate></item>"
)


@pytest.mark.parametrize("document", [b"", b"<html><body>Hello</body></html>", b"{}", b"\xff\xfe"])
def test_what_is_no_feed_is_said(document: bytes) -> None:
    with pytest.raises(DataError, match="no RSS or Atom feed"):
        read(document)


def test_a_feed_that_is_not_well_formed_is_read_all_the_same() -> None:
    [article] = read(b"<rss version='2.0'><channel><item><title>a & b<br></title><link>u</link>")
    assert article["title"].startswith("a & b")
    assert article["rssFields"] == {}


BOMB = b"<!DOCTYPE r [<!ENTITY a 'aaaaaaaaaa'>" + b"".join(
    b"<!ENTITY %c '%s'>" % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9)
)
OUTSIDE = b"<!DOCTYPE r [<!ENTITY x SYSTEM '%s'>]><rss version='2.0'><channel><item><title>&x;"
TRAPS = {
    "entities": BOMB + b"]><rss version='2.0'><channel><item><title>&j;</title></item></channel>",
    "a file": OUTSIDE % b"file:///etc/passwd" + b"</title></item></channel></rss>",
    "depth": b"<rss><channel><item>" + b"<x>" * 300_000,
    "items": b"<rss><channel>" + b"<item/>" * 20_000 + b"</channel></rss>",
    "elements": b"<rss><channel><item>" + b"<a/>" * 20_000 + b"</item></channel></rss>",
    "a long broken one": b"<rss><channel><item><title>" + b"<a " * 1_000_000,
}


@pytest.mark.parametrize("trap", TRAPS)
def test_traps_are_refused_quickly(trap: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: Any, **__: Any) -> None:
        raise AssertionError("a feed must not open anything")

    monkeypatch.setattr(socket, "socket", no_network)
    before = time.process_time()
    with pytest.raises(DataError):
        read(TRAPS[trap])
    assert time.process_time() - before < 2


@pytest.mark.parametrize("unit", [b"<", b"<a ", b"&a;", b"</", b"<a href='", b"&lt;", b"<![CDATA["])
def test_short_broken_ones_take_little_time(unit: bytes) -> None:
    document = b"<rss version='2.0'><channel><item><title>" + unit * (60 * 1024 // len(unit))
    before = time.process_time()
    read(document)
    assert time.process_time() - before < 3
