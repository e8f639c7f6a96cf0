"""Patterns, replacements, HTML to text and what is found in texts."""

from __future__ import annotations

from typing import Any

import pytest

from junctor.connectors.regexp import regexp
from junctor.errors import BundleInvalid
from junctor.language.forms import bind, schema_of


def run(name: str, parameters: dict[str, Any] | None = None, **mapper: Any) -> Any:
    module = regexp.modules[name]
    made = module.function(**bind(module, mapper, parameters or {}))
    return made if isinstance(made, dict) else list(made)


def parsed(pattern: str, text: str, **parameters: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run("Parser", {"pattern": pattern, **parameters}, text=text)
    mapped = run("AdvancedParser", parameters, text=text, pattern=pattern)
    assert mapped == found
    return found


def test_groups_are_numbered_and_named() -> None:
    assert parsed(r"(\d+) (?<unit>\w+)(x)?", "take 12 eggs") == [
        {"$1": "12", "$2": "eggs", "unit": "eggs", "$3": None, "i": 1, "__IMTMATCH__": "12 eggs"}
    ]


def test_a_pattern_without_groups() -> None:
    assert parsed("b+", "abba") == [{"i": 1, "__IMTMATCH__": "bb"}]


def whole(pattern: str, text: str, **parameters: Any) -> list[str]:
    return [bundle["__IMTMATCH__"] for bundle in parsed(pattern, text, **parameters)]


@pytest.mark.parametrize(
    ("pattern", "text", "parameters", "found"),
    [
        ("a", "aAa", {}, ["a"]),
        ("a", "aAa", {"global": True}, ["a", "a"]),
        ("a", "aAa", {"global": True, "sensitive": False}, ["a", "A", "a"]),
        ("^b", "a\nb", {}, []),
        ("^b", "a\nb", {"multiline": True}, ["b"]),
        ("a.b", "a\nb", {}, []),
        ("a.b", "a\nb", {"singleline": True}, ["a\nb"]),
        ("x*", "axx", {"global": True, "ignoreInfiniteLoopsWhenGlobal": True}, ["xx"]),
        ("x*", "axx", {}, [""]),
    ],
)
def test_flags(pattern: str, text: str, parameters: dict[str, Any], found: list[str]) -> None:
    assert whole(pattern, text, **parameters) == found


def test_no_match_ends_the_way_unless_it_should_go_on() -> None:
    assert parsed("x", "a") == []
    assert parsed("x", "a", continueWhenNoRes=True) == [{"__IMTLENGTH__": 0}]
    assert parsed("x", "") == []


def test_many_matches_are_numbered_through() -> None:
    found = parsed(r"(\d)", "12" * 5_000, **{"global": True})
    assert len(found) == 10_000
    assert found[-1] == {"$1": "2", "i": 10_000, "__IMTMATCH__": "2"}


@pytest.mark.parametrize(
    ("pattern", "text", "said"),
    [
        ("(", "a", "is no regular expression"),
        ("(a|a)*$", "a" * 5_000 + "b", "took longer than"),
        ("x*", "ax", "matches no characters at position 0"),
    ],
)
def test_patterns_that_can_not_be_used(pattern: str, text: str, said: str) -> None:
    with pytest.raises(BundleInvalid, match=rf"'pattern'.*{said}"):
        run("Parser", {"pattern": pattern, "global": True}, text=text)


def test_texts_are_bounded() -> None:
    with pytest.raises(BundleInvalid, match="the most is 10,000,000; split it"):
        run("Parser", {"pattern": "a"}, text="a" * 10_000_001)


@pytest.mark.parametrize(
    ("mapper", "text"),
    [
        ({"pattern": "a"}, "Aa\naa"),
        ({"pattern": "a", "value": "-", "global": True}, "A-\n--"),
        ({"pattern": "a", "value": "-", "sensitive": False}, "-a\naa"),
        ({"pattern": "(?<x>a)$", "value": "[$1$<x>$&]", "multiline": True}, "A[aaa]\naa"),
        ({"pattern": "a.a", "value": "-", "singleline": True}, "A-a"),
    ],
)
def test_replace(mapper: dict[str, Any], text: str) -> None:
    given = "Aa\naa"
    expected = text if "value" in mapper else "A\naa"
    assert run("Replace", text=given, **mapper) == {"text": expected}


def test_a_wrong_pattern_is_not_replaced() -> None:
    with pytest.raises(BundleInvalid, match="'pattern'"):
        run("Replace", text="a", pattern="(")


def as_text(html: str, **mapper: Any) -> str:
    return str(run("HTMLToText", html=html, **mapper)["text"])


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One\n  two</p><p>three", "One two\n\nthree"),
        ("<h1>A <b>b</b></h1>c", "A B\n\nc"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("a <a href='http://x.y/?a=1&amp;b'>link</a>.", "a link [http://x.y/?a=1&b]."),
        ("<a href=http://x.y>http://x.y</a>", "http://x.y"),
        ("<a href='mailto:a@b.c'>me</a> <a href='#top'>up</a>", "me [a@b.c] up"),
        ("<a>x<a href=u>y", "xy [u]"),
        ("<ul><li>a<ul><li>b</ul><li>c</ul>", " * a\n    * b\n * c"),
        ("<ol start=9><li>a<li>b</ol>", " 9. a\n 10. b"),
        ("<table><tr><th>a<td>b<tr><td>c</table>", "a b\nc"),
        ("<img alt=logo src=/l.png><img src=data:x>", "logo [/l.png]"),
        ("a<hr>b", "a\n\n" + "-" * 40 + "\n\nb"),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ("<style>p{}</style>a<script>if (1<2) x</script>b<!-- c -->", "ab"),
        ("a<svg><title>x</title><svg></svg>y</svg>b", "ab"),
        ("<!doctype html><?x?><body>a</body>", "a"),
        ("1 < 2 &amp; 3 &gt; 2 &nbsp;&#65;", "1 < 2 & 3 > 2 A"),
        ("<p title='>'>a</p x>b</p", "a\n\nb</p"),
        ('<p class="a>b</p>c', "b\n\nc"),
        ("</ul></h1></x>a</>b", "a</>b"),
        ("", ""),
    ],
)
def test_html_to_text(html: str, text: str) -> None:
    assert as_text(html) == text


def test_how_the_text_is_laid_out() -> None:
    html = "<h2>a</h2>b"
    assert as_text(html, uppercaseHeadings=False) == "a\n\nb"
    assert as_text(html, newline="crlf") == "A\r\n\r\nb"
    assert as_text(html, newline="cr") == "A\r\rb"


@pytest.mark.parametrize("tag", ["<div>", "<b ", '<a "', "<!--", "<ul><li>", "</", "&"])
def test_html_is_read_in_linear_time(tag: str) -> None:
    assert len(as_text(tag * 20_000 + ">x")) < 5_000_000


def elements(kind: str, text: str, **mapper: Any) -> list[Any]:
    found = run("GetElementsFromText", {}, pattern=f"##{kind}", text=text, **mapper)
    return [bundle["match"] for bundle in found]


@pytest.mark.parametrize(
    ("kind", "text", "found"),
    [
        ("emails", "To: a.b+c@x-y.co.uk, <d@e.fr>. no@where @x", ["a.b+c@x-y.co.uk", "d@e.fr"]),
        ("http_urls", "see (https://x.y/a_(b)?q=1). www.z.com", ["https://x.y/a_(b)?q=1"]),
        ("ftp_urls", "ftp://x.y/a, http://z", ["ftp://x.y/a"]),
        (
            "telephone_numbers",
            "call +49 (30) 123-4567 or 555.010.0199, in 2026, id 12345",
            ["+49 (30) 123-4567", "555.010.0199"],
        ),
        ("ipv4", "10.0.0.1, 999.1.1.1 1.2.3.4.5 and 8.8.8.8.", ["10.0.0.1", "8.8.8.8"]),
        ("ipv6", "at ::1 and 2001:db8::ff00:42:8329, not 12:30", ["::1", "2001:db8::ff00:42:8329"]),
        ("html_tags", "<p class='a'>1 < 2</p>", ["<p class='a'>", "</p>"]),
        ("emoji", "a 👍🏽 b 👨‍👩‍👧 c 🇩🇪 1", ["👍🏽", "👨‍👩‍👧", "🇩🇪"]),
        (
            "key_value_pairs",
            "Name: Ada L.\n  age = 36 \nnothing",
            [{"key": "Name", "value": "Ada L."}, {"key": "age", "value": "36"}],
        ),
    ],
)
def test_elements(kind: str, text: str, found: list[Any]) -> None:
    assert elements(kind, text) == found


def test_addresses_without_a_protocol() -> None:
    text = "www.x.com/a and y.org, me@z.net"
    assert elements("http_urls", text) == []
    assert elements("http_urls", text, requireProtocol=False) == ["www.x.com/a", "y.org"]
    assert elements("ftp_urls", "ftp.x.com/a", requireProtocol=False) == ["ftp.x.com/a"]


def test_more_characters() -> None:
    assert elements("emails", "a#]b@x.com") == ["b@x.com"]
    assert elements("emails", "a#]b@x.com", specialCharsPattern="#]") == ["a#]b@x.com"]
    assert elements("http_urls", "http://x/{a}", specialCharsPattern="{}") == ["http://x/{a}"]


def test_elements_of_a_text_without_any() -> None:
    assert run("GetElementsFromText", {}, pattern="##emails", text="x") == []
    go_on = {"continueWhenNoRes": True}
    assert run("GetElementsFromText", go_on, pattern="##emails", text="x") == [{"__IMTLENGTH__": 0}]
    with pytest.raises(BundleInvalid, match="not one of: ##emails"):
        run("GetElementsFromText", {}, pattern="##numbers", text="x")


@pytest.mark.parametrize(
    "kind", ["emails", "http_urls", "telephone_numbers", "ipv6", "key_value_pairs", "html_tags"]
)
@pytest.mark.parametrize("text", ["a", "a.", "1 ", "a:", "@", "<a", "- "])
def test_elements_are_found_within_the_time_limit(kind: str, text: str) -> None:
    elements(kind, text * 30_000, requireProtocol=False)


def test_the_forms_have_labels() -> None:
    for module in regexp.modules.values():
        assert all(field.get("title") for field in schema_of(module)["properties"].values())
