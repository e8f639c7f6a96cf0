"""Which cookies are kept, and where they go."""

from __future__ import annotations

import msgspec
import pytest

from junctor.language.cookies import MOST, Cookie, cookie_header, jar_after
from junctor.language.messages import Response

URL = "https://www.example.com/shop/cart"
DATE = "Sat, 21 Nov 2026 10:00:00 GMT"


def jar(*lines: str, url: str = URL) -> tuple[Cookie, ...]:
    return jar_after((), url, lines, date=DATE)


@pytest.mark.parametrize(
    ("line", "cookie"),
    [
        ("a=1", Cookie("a", "1", "www.example.com", "/shop")),
        ("a=1; Path=/", Cookie("a", "1", "www.example.com")),
        ("a=1=2; Path=x", Cookie("a", "1=2", "www.example.com", "/shop")),
        ("a=; Path=/; Secure", Cookie("a", "", "www.example.com", "/", True, True)),
        ("a=1; Path=/; Domain=.Example.com", Cookie("a", "1", "example.com", "/", False)),
        ("a=1; Path=/; Max-Age=60", Cookie("a", "1", "www.example.com")),
        ("a=1; Path=/; Expires=Sun, 22 Nov 2026 10:00:00 GMT", Cookie("a", "1", "www.example.com")),
    ],
)
def test_what_is_kept(line: str, cookie: Cookie) -> None:
    assert jar(line) == (cookie,)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "novalue",
        "=1",
        "a=1; Domain=other.test",
        "a=1; Domain=com",
        "a=1; Domain=ww.example.com",
        "a=1\x01",
        "a=" + "x" * 5000,
        "a=1; Max-Age=0",
        "a=1; Max-Age=-1",
        "a=1; Expires=Fri, 20 Nov 2026 10:00:00 GMT",
    ],
)
def test_what_is_not(line: str) -> None:
    assert jar(line) == ()


def test_no_secure_cookie_from_a_plain_address_and_no_domain_of_a_number() -> None:
    assert jar("a=1; Secure", url="http://www.example.com/") == ()
    assert jar("a=1; Domain=0.0.1", url="http://10.0.0.1/") == ()
    assert jar("a=1; Domain=10.0.0.1", url="http://10.0.0.1/") != ()


def test_a_cookie_is_replaced_and_deleted() -> None:
    kept = jar("a=1; Path=/", "b=2; Path=/", "a=3; Path=/")
    assert [(each.name, each.value) for each in kept] == [("b", "2"), ("a", "3")]
    gone = jar_after(kept, URL, ["a=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT"])
    assert [each.name for each in gone] == ["b"]


def test_a_jar_has_a_bottom() -> None:
    kept = jar(*(f"c{number}=1" for number in range(MOST + 20)))
    assert len(kept) == MOST
    assert kept[0].name == "c20"


@pytest.mark.parametrize(
    ("url", "header"),
    [
        ("https://www.example.com/shop/cart", "deep=1; all=2; wide=3; safe=4"),
        ("https://www.example.com/shopping", "all=2; wide=3; safe=4"),
        ("http://www.example.com/", "all=2; wide=3"),
        ("https://api.example.com/", "wide=3"),
        ("https://example.com/", "wide=3"),
        ("https://badexample.com/", ""),
        ("https://other.test/", ""),
    ],
)
def test_where_they_go(url: str, header: str) -> None:
    kept = jar(
        "deep=1; Path=/shop",
        "all=2; Path=/",
        "wide=3; Path=/; Domain=example.com",
        "safe=4; Path=/; Secure",
    )
    assert cookie_header(kept, url) == header


def test_an_answer_takes_its_jar_into_the_journal_and_back() -> None:
    answer = Response(200, {"a": "b"}, b"c", URL, jar("a=1"))
    packed = msgspec.msgpack.decode(msgspec.msgpack.encode(answer.as_record()))
    assert Response.of_record(packed) == answer
    assert Response.of_record([200, {}, b"", ""]) == Response(200, {}, b"")
