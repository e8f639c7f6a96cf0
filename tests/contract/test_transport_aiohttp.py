"""The real transport against a raw server: what left, what came back, and where it may go."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from certificates import self_signed
from raw_server import RawServer

from junctor.adapters.transport import AiohttpTransport
from junctor.errors import DataError, NotSent, Uncertain
from junctor.language.connector import Multipart, Part, Request, Response, Secret

Story = Callable[[RawServer, AiohttpTransport], Awaitable[Any]]


def play(story: Story, *, tls: ssl.SSLContext | None = None) -> Any:
    async def run() -> Any:
        server = RawServer(tls)
        await server.start()
        try:
            async with AiohttpTransport([server.address, "127.0.0.1:1"]) as transport:
                return await story(server, transport)
        finally:
            await server.stop()

    return asyncio.run(run())


def send(behaviour: str, **options: Any) -> tuple[Response, list[bytes]]:
    async def story(server: RawServer, transport: AiohttpTransport) -> Any:
        request = Request(options.pop("method", "POST"), server.url(behaviour), **options)
        return await transport.send(request), server.requests

    return play(story)  # type: ignore[no-any-return]  # play gives what the story gives


@pytest.mark.parametrize(
    "behaviour",
    [
        "cut-before-body",
        "cut",
        "cut-mid-body",
        "cut-mid-chunk",
        "garbage",
        "bad-gzip",
        "hang",
        "drip",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_whatever_happens_after_the_first_byte_is_uncertain(behaviour: str, method: str) -> None:
    with pytest.raises(Uncertain) as caught:
        send(behaviour, method=method, timeout=40)
    assert caught.value.params["host"] == "127.0.0.1"
    assert caught.value.params["reason"]


def test_a_stale_connection_is_uncertain_for_post() -> None:
    async def story(server: RawServer, transport: AiohttpTransport) -> int:
        await transport.send(Request("POST", server.url("echo"), json=1))
        with pytest.raises(Uncertain):
            await transport.send(Request("POST", server.url("cut"), json=2))
        return server.connections

    assert play(story) == 1  # the second went over the kept connection


def test_a_name_that_does_not_exist_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(_server: RawServer, transport: AiohttpTransport) -> None:
        async def unknown(*_: Any, **__: Any) -> None:  # some networks take long to say so
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
        await transport.send(Request("POST", "http://nowhere.invalid/"))

    with pytest.raises(NotSent) as caught:
        play(story)
    assert caught.value.params["host"] == "nowhere.invalid"


def test_waiting_for_a_name_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(_server: RawServer, transport: AiohttpTransport) -> None:
        async def forever(*_: Any, **__: Any) -> None:
            await asyncio.Event().wait()

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", forever)
        await transport.send(Request("POST", "http://slow.test/", timeout=0.05))

    with pytest.raises(NotSent, match="no complete answer within"):
        play(story)


def test_an_answer_over_the_limit_is_cut_while_streaming() -> None:
    with pytest.raises(Uncertain, match="longer than 1000 bytes") as cut:
        send("endless", max_bytes=1000)
    assert cut.value.params["limit"] == 1000


def test_the_limit_counts_decompressed_bytes() -> None:
    with pytest.raises(Uncertain, match="longer than 5000 bytes"):
        send("gzip/100000", max_bytes=5000)
    response, _ = send("gzip/5000", max_bytes=5000)
    assert response.body == b"a" * 5000


def test_connections_are_kept() -> None:
    async def story(server: RawServer, transport: AiohttpTransport) -> int:
        for _ in range(3):
            await transport.send(Request("GET", server.url("echo")))
        return server.connections

    assert play(story) == 1


# What is written


def test_json_form_and_raw_bodies() -> None:
    _, [json] = send("echo", json={"a": "ä"})
    assert b"\r\nContent-Type: application/json\r\n" in json
    assert json.endswith('{"a":"ä"}'.encode())
    _, [form] = send("echo", form={"a": "1 2", "b": ["x", "y"], "none": None})
    assert b"Content-Type: application/x-www-form-urlencoded" in form
    assert form.endswith(b"a=1+2&b=x&b=y")
    _, [raw] = send("echo", body=b"\x00raw", headers={"content-type": "text/x"})
    assert b"content-type: text/x" in raw
    assert raw.endswith(b"\x00raw")


def test_a_multipart_body_names_its_boundary() -> None:
    parts = (Part("a", b"1"), Part("f", b"%PDF", filename='x".pdf', content_type="application/pdf"))
    _, [sent] = send("echo", body=Multipart(parts), headers={"Content-Type": "multipart/form-data"})
    boundary = sent.partition(b"boundary=")[2].partition(b"\r\n")[0]
    assert len(boundary) > 10
    assert sent.count(b"--" + boundary) == 3
    assert b'name="f"; filename="x%22.pdf"' in sent


def test_an_empty_post_has_no_content_type() -> None:
    _, [sent] = send("echo")
    assert b"content-type" not in sent.lower()
    assert b"Content-Length: 0" in sent


def test_the_query_joins_the_address() -> None:
    _, [sent] = send("echo?x=1", query=(("a", "b c"), ("a", "&")))
    assert sent.startswith(b"POST /echo?x=1&a=b+c&a=%26 HTTP/1.1\r\n")


def test_quoted_segments_stay_quoted_and_odd_letters_become_so() -> None:
    _, [sent] = send("echo/a%2Fb%2e%2e/ü x")
    assert sent.startswith(b"POST /echo/a%2Fb%2e%2e/%C3%BC%20x HTTP")


def test_framing_headers_are_ours() -> None:
    smuggling = {"Transfer-Encoding": "chunked", "content-length": "1", "Host": "other"}
    _, [sent] = send("echo", json=1, headers=smuggling)
    assert sent.lower().count(b"content-length:") == 1
    assert b"chunked" not in sent
    assert b"Host: 127.0.0.1:" in sent


def test_a_line_break_in_a_header_is_not_sent() -> None:
    with pytest.raises(NotSent, match="control character"):
        send("echo", headers={"X-A": "1\r\nX-B: 2"})


def test_a_secret_is_never_a_json_value() -> None:
    with pytest.raises(DataError, match="can't be written as JSON"):
        send("echo", json={"token": Secret("s")})


# Redirects


def test_redirects_are_answers_unless_asked_for() -> None:
    response, _ = send("redirect/302/|echo")
    assert (response.status, response.headers["location"]) == (302, "/echo")


@pytest.mark.parametrize(("status", "method"), [(301, "GET"), (302, "GET"), (303, "GET")])
def test_post_becomes_get_where_browsers_do_so(status: int, method: str) -> None:
    response, [_, second] = send(f"redirect/{status}/|echo", json={"a": 1}, redirects=3)
    assert second.startswith(f"{method} /echo".encode())
    assert b"Content-Type" not in second
    assert response.url.endswith("/echo")


@pytest.mark.parametrize("status", [307, 308])
def test_other_redirects_repeat_the_request(status: int) -> None:
    response, [_, second] = send(f"redirect/{status}/|echo", json={"a": 1}, redirects=3)
    assert second.startswith(b"POST /echo")
    assert response.json() == {"a": 1}


def test_credentials_stay_with_their_origin() -> None:
    async def story(first: RawServer, transport: AiohttpTransport) -> tuple[bytes, bytes]:
        second = RawServer()
        await second.start()
        transport._egress = type(transport._egress)([first.address, second.address])
        headers = {"Authorization": "a", "Cookie": "b", "X-Toky-Key": "c", "Accept": "d"}
        try:
            for target in ("/echo", second.url("echo").replace("/", "|")):
                url = first.url("redirect/307/" + target.replace("/", "|"))
                await transport.send(Request("POST", url, headers=headers, redirects=1))
        finally:
            await second.stop()
        return first.requests[1], second.requests[0]

    same, other = play(story)
    assert b"X-Toky-Key: c" in same
    for name in (b"Authorization", b"Cookie", b"X-Toky-Key"):
        assert name not in other
    assert b"Accept: d" in other


def test_a_redirect_to_a_private_address_is_refused() -> None:
    with pytest.raises(Uncertain, match="not a public address"):
        send("redirect/302/http:||169.254.169.254|latest", redirects=3)


def test_a_redirect_to_another_scheme_is_refused() -> None:
    with pytest.raises(Uncertain, match="only http and https"):
        send("redirect/302/file:|||etc|passwd", redirects=3)


def test_redirects_end() -> None:
    response, requests = send("redirect/302/|redirect|302|x", redirects=2)
    assert response.status == 302
    assert len(requests) == 3


# Where requests may go


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[::127.0.0.1]",
        "localhost",
        "10.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "224.0.0.1",
        "[fe80::1]",
        "[fd00::1]",
    ],
)
def test_no_way_to_write_a_private_address_gets_out(host: str) -> None:
    with pytest.raises(NotSent):
        play(lambda _, transport: transport.send(Request("GET", f"http://{host}:9/")))


def test_a_name_with_one_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(_server: RawServer, transport: AiohttpTransport) -> None:
        async def answer(*_: Any, **__: Any) -> list[Any]:
            return [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80))
                for address in ("93.184.216.34", "10.0.0.1")
            ]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", answer)
        await transport.send(Request("GET", "http://rebinding.test/"))

    with pytest.raises(NotSent, match=r"10\.0\.0\.1 is not a public address"):
        play(story)


def test_a_socket_is_refused_even_if_the_resolver_was_fooled() -> None:
    with pytest.raises(OSError, match="not a public address"):
        AiohttpTransport()._socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 80)))


def test_only_the_exact_port_is_allowed() -> None:
    async def story(server: RawServer, transport: AiohttpTransport) -> None:
        await transport.send(Request("GET", f"http://127.0.0.1:{server.port + 1}/"))

    with pytest.raises(NotSent, match=r"JUNCTOR_EGRESS_ALLOW may list 127\.0\.0\.1:"):
        play(story)


@pytest.mark.parametrize("url", ["ftp://x.test/", "//x.test", "x", "", "http://u:p@x.test/"])
def test_only_plain_web_addresses(url: str) -> None:
    with pytest.raises(NotSent):
        play(lambda _, transport: transport.send(Request("GET", url)))


def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1/")
    response, _ = send("echo", json=1)
    assert response.status == 200


# TLS


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    certificate, key = self_signed()
    file: Path = tmp_path_factory.mktemp("tls") / "both.pem"
    file.write_bytes(key + certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def test_an_untrusted_certificate_is_not_sent(tls: ssl.SSLContext) -> None:
    async def story(server: RawServer, transport: AiohttpTransport) -> None:
        await transport.send(Request("POST", server.url("echo"), json=1))

    with pytest.raises(NotSent, match="certificate verify failed"):
        play(story, tls=tls)


def test_an_untrusted_certificate_may_be_accepted_on_request(tls: ssl.SSLContext) -> None:
    async def story(server: RawServer, transport: AiohttpTransport) -> Response:
        return await transport.send(Request("POST", server.url("echo"), json=1, verify_tls=False))

    assert play(story, tls=tls).json() == 1
