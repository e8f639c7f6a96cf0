"""The HTTP modules: pages, files, shared cookies, and the finer points of version 3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from junctor.connectors.http import http
from junctor.connectors.http.building import FILE_BYTES, file_name, url_of
from junctor.connectors.http.sharing import shares
from junctor.errors import BundleInvalid, DataError, VendorRefused
from junctor.language.asks.records import ReadState, WriteState
from junctor.language.connector import Multipart, Part, Request, Response, Tls
from junctor.language.cookies import Cookie
from junctor.language.forms import bind

URL = "https://x.test/a"
Answer = Callable[[Request], Any]


def play(name: str, answer: Answer, *, state: Any = None, **mapper: Any) -> tuple[Any, list[Any]]:
    """The module's result, and all that it asked for."""
    module = http.modules[name]
    flow = module.function(**bind(module, {"url": URL, **mapper}, {}))
    asked: list[Any] = []
    reply: Any = None
    try:
        while True:
            wanted = flow.send(reply)
            asked.append(wanted)
            if isinstance(wanted, Request):
                reply = answer(wanted)
            else:
                reply = state if isinstance(wanted, ReadState) else None
    except StopIteration as stop:
        return stop.value, asked


def page(content: Any, **headers: str) -> Response:
    return Response(200, headers, msgspec.json.encode(content), URL)


def data(bundles: list[dict[str, Any]]) -> list[Any]:
    return [bundle["data"] for bundle in bundles]


# Pages


def test_pages_by_offset_end_with_a_short_one() -> None:
    def answer(request: Request) -> Response:
        start = int(dict(request.query)["offset"])
        return page({"meta": {}, "items": list(range(start, min(start + 2, 5)))})

    bundles, asked = play(
        "MakeRequest",
        answer,
        paginationType="offsetBased",
        paginationSize=2,
        paginationSizeParameter="limit",
        queryParameters=[{"name": "q", "value": "1"}],
    )
    assert [each["items"] for each in data(bundles)] == [[0, 1], [2, 3], [4]]
    assert asked[1].query == (("q", "1"), ("limit", "2"), ("offset", "2"))


def test_pages_by_number_end_with_an_empty_one_that_is_left_out() -> None:
    bundles, asked = play(
        "MakeRequest",
        lambda request: page([1] if int(dict(request.query)["p"]) < 2 else []),
        paginationType="pageBased",
        paginationParameter="p",
        paginationStart=0,
    )
    assert data(bundles) == [[1], [1]]
    assert [dict(each.query)["p"] for each in asked] == ["0", "1", "2"]


def test_an_empty_list_is_still_an_answer() -> None:
    bundles, _ = play("MakeRequest", lambda _: page([]), paginationType="pageBased")
    assert data(bundles) == [[]]


def test_pages_by_token() -> None:
    def answer(request: Request) -> Response:
        token = dict(request.query).get("page_token", "")
        return page({"at": token, "meta": {"next": {"": "t1", "t1": "t2"}.get(token)}})

    bundles, _ = play(
        "MakeRequest", answer, paginationType="tokenBased", paginationPath="meta.next"
    )
    assert [each["at"] for each in data(bundles)] == ["", "t1", "t2"]


@pytest.mark.parametrize("way", ["body", "link"])
def test_pages_by_address(way: str) -> None:
    def answer(request: Request) -> Response:
        last = request.url.endswith("2")
        if way == "body":
            return page({"next": None if last else "?page=2"})
        link = '<https://x.test/a?page=1>; rel="first"'
        return page([], link=link if last else link + ', </a?page=2>; title="a, b"; rel="x next"')

    bundles, asked = play(
        "MakeRequest",
        answer,
        paginationType="urlBased",
        paginationPath="next" if way == "body" else "",
        queryParameters=[{"name": "q", "value": "1"}],
    )
    assert len(bundles) == 2
    assert (asked[1].url, asked[1].query) == ("https://x.test/a?page=2", ())


@pytest.mark.parametrize(
    "there", ["https://evil.test/a", "http://x.test/a", "https://x.test:8443/", "//evil.test"]
)
def test_credentials_do_not_follow_a_page_to_another_host(there: str) -> None:
    with pytest.raises(DataError, match="another host"):
        play(
            "MakeRequest",
            lambda _: page({"next": there}),
            paginationType="urlBased",
            paginationPath="next",
        )


@pytest.mark.parametrize(
    ("mapper", "content", "error", "reason"),
    [
        ({"paginationType": "tokenBased"}, {}, BundleInvalid, "say where in the answer"),
        ({"paginationType": "pageBased"}, {"a": [], "b": []}, BundleInvalid, "the list is"),
        ({"paginationType": "offsetBased", "paginationItems": "a.b"}, {"a": {"b": 1}},
         BundleInvalid, "a.b holds none"),
        ({"paginationType": "urlBased", "paginationPath": "n"}, {"n": 1}, DataError, "no text"),
        ({"paginationType": "urlBased", "paginationPath": "n"}, {"n": URL}, DataError, "repeats"),
        ({"paginationType": "other"}, {}, BundleInvalid, "paginationType"),
    ],
)  # fmt: skip
def test_pages_that_can_not_be(
    mapper: dict[str, Any], content: Any, error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        play("MakeRequest", lambda _: page(content), **mapper)


def test_pages_have_an_end() -> None:
    bundles, _ = play(
        "MakeRequest", lambda _: page([1]), paginationType="pageBased", paginationLimit=7
    )
    assert len(bundles) == 7


def test_a_page_that_fails() -> None:
    def answer(request: Request) -> Response:
        first = dict(request.query)["page"] == "1"
        return page([1]) if first else Response(404, {}, b"gone")

    with pytest.raises(VendorRefused, match="gone"):
        play("MakeRequest", answer, paginationType="pageBased")
    bundles, _ = play("MakeRequest", answer, paginationType="pageBased", stopOnHttpError=False)
    assert [each["statusCode"] for each in bundles] == [200, 404]


# Files


@pytest.mark.parametrize("name", ["ActionGetFile", "DownloadFile"])
def test_a_file(name: str) -> None:
    headers = {"content-disposition": 'attachment; filename="a b.pdf"'}
    found, [sent] = play(name, lambda _: Response(200, headers, b"\x00%PDF", URL))
    assert (found["fileName"], found["data"], found["statusCode"]) == ("a b.pdf", b"\x00%PDF", 200)
    assert (sent.method, sent.max_bytes, sent.redirects) == ("GET", FILE_BYTES, 10)
    with pytest.raises(VendorRefused):
        play(name, lambda _: Response(404, {}, b""), handleErrors=True)
    assert type(play(name, lambda _: Response(200, {}, b'{"a":1}', URL))[0]["data"]) is bytes


@pytest.mark.parametrize(
    ("said", "url", "name"),
    [
        ("", "https://x.test/a/b%20c.txt?x=/y", "b c.txt"),
        ("", "https://x.test/", "file"),
        ("attachment; filename=plain.txt; size=3", URL, "plain.txt"),
        ('attachment; filename="q\\"uo.txt"', URL, "quo.txt"),
        ("attachment; filename=x.txt; filename*=UTF-8''%e2%82%ac.txt", URL, "€.txt"),
        ("attachment; filename*=nonsense''%80.txt; filename=x.txt", URL, "x.txt"),
        ('attachment; filename="Ã¼.txt"', URL, "ü.txt"),
        ('attachment; filename="../../etc/passwd"', URL, "passwd"),
        ('attachment; filename="..\\\\..\\\\boot.ini"', URL, "boot.ini"),
        ('attachment; filename=".bashrc"', URL, "bashrc"),
        ('attachment; filename=".."', URL, "a"),
        ('attachment; filename="a\x00\x07b.txt"', URL, "ab.txt"),
        ('attachment; filename="' + "ä" * 300 + '.txt"', URL, "ä" * 98 + ".txt"),
    ],
)
def test_the_name_of_a_file(said: str, url: str, name: str) -> None:
    assert file_name(Response(200, {"content-disposition": said}, b"", url)) == name


# Shared cookies


@pytest.mark.parametrize("name", ["ActionSendData", "ActionGetFile", "MakeRequest", "DownloadFile"])
def test_cookies_are_shared_in_a_run(name: str) -> None:
    jar = (Cookie("s", "1", "x.test"),)

    def answer(request: Request) -> Response:
        assert request.cookies == jar
        return Response(200, {}, b"", URL, cookies=(*jar, Cookie("t", "2", "x.test")))

    _, asked = play(name, answer, state=[list(jar[0])], shareCookies=True)
    assert asked[0] == ReadState("run", shared="http.cookies")
    assert asked[2] == WriteState(
        [["s", "1", "x.test", "/", True, False], ["t", "2", "x.test", "/", True, False]],
        "run",
        shared="http.cookies",
    )


def test_cookies_that_stay_as_they_were_are_not_written_again() -> None:
    _, asked = play("MakeRequest", lambda _: Response(200, {}, b"", URL), shareCookies=True)
    assert len(asked) == 2
    _, asked = play("MakeRequest", lambda _: Response(200, {}, b"", URL))
    assert [each.cookies for each in asked] == [None]


# The finer points


def first(name: str, **mapper: Any) -> Request:
    _, [sent] = play(name, lambda _: Response(200, {}, b"", URL), **mapper)
    assert isinstance(sent, Request)
    return sent


def test_repeated_query_keys_are_numbered_unless_told_otherwise() -> None:
    rows = [{"name": "a", "value": 1}, {"name": "b", "value": 2}, {"name": "a", "value": 3}]
    sent = first("ActionSendData", qs=rows)
    assert sent.query == (("a[0]", "1"), ("b", "2"), ("a[1]", "3"))
    assert first("ActionSendData", qs=rows, useQuerystring=True).query == (
        ("a", "1"),
        ("b", "2"),
        ("a", "3"),
    )
    assert tuple(first("MakeRequest", queryParameters=rows).query)[2] == ("a", "3")


def test_serialized_addresses() -> None:
    assert url_of("https://x.test/a b%20c%zz?q=ü[1]", serialize=True) == (
        "https://x.test/a%20b%20c%25zz?q=%C3%BC%5B1%5D"
    )
    assert first("ActionSendData", url="https://x.test/a%zz").url == "https://x.test/a%zz"


def test_compression_may_be_refused() -> None:
    assert first("ActionSendData", gzip=False).headers == {"Accept-Encoding": "identity"}
    assert first("ActionSendData", gzip=True).headers == {}


def test_an_own_certificate_must_be_one() -> None:
    assert first("ActionSendData", ca=" ").tls is None
    with pytest.raises(BundleInvalid, match="BEGIN CERTIFICATE"):
        first("ActionSendData", ca="nonsense")
    assert Tls(authorities="x") != Tls()


def test_parts_may_say_what_they_are() -> None:
    rows = [{"fieldType": "file", "name": "f", "data": b"x", "mimeType": "image/png"}]
    sent = first("MakeRequest", method="post", contentType="multipart", multipartBodyContent=rows)
    assert sent.body == Multipart((Part("f", b"x", "file", "image/png"),))


def test_typed_json_must_be_json_and_is_sent_as_typed() -> None:
    options: dict[str, Any] = {"method": "post", "contentType": "json"}
    sent = first("MakeRequest", **options, jsonStringBodyContent='{"a": 1.0, "a": 2}')
    assert sent.body == b'{"a": 1.0, "a": 2}'
    for text in ("", "{", '{"a": "line\nbreak"}', "[" * 5000):
        with pytest.raises(BundleInvalid, match="not valid JSON"):
            first("MakeRequest", **options, jsonStringBodyContent=text)


def test_a_setting_of_the_wrong_kind_shares_no_cookies() -> None:
    """Asked of mappers as imported, whatever stands there."""
    kinds: tuple[Any, ...] = ([], {}, None, True, "true")
    assert [shares({"shareCookies": value}) for value in kinds] == [
        False,
        False,
        False,
        True,
        True,
    ]
