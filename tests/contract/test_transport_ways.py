"""The real transport where it goes by other ways: own certificates, proxies, cookies, bombs."""

from __future__ import annotations

import asyncio
import socket
import ssl
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from certificates import self_signed
from raw_proxy import RawProxy
from raw_server import RawServer

from junctor.adapters.transport import AiohttpTransport
from junctor.errors import NotSent, Uncertain
from junctor.language.connector import Proxy, Request, Secret, Tls
from junctor.language.cookies import Cookie

CERTIFICATE, KEY = self_signed("server")
OURS, OUR_KEY = self_signed("us", "long-word")
CLIENT = Tls(
    authorities=CERTIFICATE.decode(),
    certificate=OURS.decode(),
    key=Secret(OUR_KEY.decode()),
    password=Secret("long-word"),
)

Story = Callable[[RawServer, AiohttpTransport, RawProxy], Awaitable[Any]]


def context(folder: Path, *, mutual: bool = False) -> ssl.SSLContext:
    """A server's side of TLS; ``mutual``: only who shows our certificate gets in."""
    file = folder / "server.pem"
    file.write_bytes(KEY + CERTIFICATE)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(file)
    if mutual:
        made.verify_mode = ssl.CERT_REQUIRED
        made.load_verify_locations(cadata=OURS.decode())
    return made


def play(
    story: Story, *, tls: ssl.SSLContext | None = None, refuse: int = 0, proxy: bool = True
) -> Any:
    async def run() -> Any:
        server, through = RawServer(tls), RawProxy(refuse)
        await server.start()
        await through.start()
        allowed = [server.address, *([through.address] if proxy else [])]
        try:
            async with AiohttpTransport(allowed) as transport:
                return await story(server, transport, through)
        finally:
            await through.stop()
            await server.stop()

    return asyncio.run(run())


def echo(**options: Any) -> Story:
    """Posts 1 to be sent back."""

    async def story(server: RawServer, transport: AiohttpTransport, _: RawProxy) -> Any:
        return (await transport.send(Request("POST", server.url("echo"), json=1, **options))).json()

    return story


# Certificates


def test_an_own_authority_is_believed(tmp_path: Path) -> None:
    own = Tls(authorities=CERTIFICATE.decode())
    assert play(echo(tls=own), tls=context(tmp_path)) == 1
    with pytest.raises(NotSent, match="certificate verify failed"):
        play(echo(tls=Tls(authorities=OURS.decode())), tls=context(tmp_path))


def test_a_client_certificate_is_shown(tmp_path: Path) -> None:
    assert play(echo(tls=CLIENT), tls=context(tmp_path, mutual=True)) == 1


def test_without_one_a_server_that_asks_for_it_gives_nothing(tmp_path: Path) -> None:
    # TLS 1.3 tells only after our first bytes that the certificate was missed.
    with pytest.raises((NotSent, Uncertain)):
        play(echo(tls=Tls(authorities=CERTIFICATE.decode())), tls=context(tmp_path, mutual=True))


@pytest.mark.parametrize(
    ("tls", "reason"),
    [
        (Tls(authorities="nonsense"), "can't be read as PEM"),
        (Tls(certificate=OURS.decode(), key=Secret("nonsense")), "client certificate can't be"),
        (
            Tls(certificate=OURS.decode(), key=Secret(OUR_KEY.decode()), password=Secret("x")),
            "client certificate can't be",
        ),
        (
            Tls(certificate=CERTIFICATE.decode(), key=CLIENT.key, password=CLIENT.password),
            "key values mismatch",
        ),
    ],
)
def test_what_is_no_certificate_is_said_before_anything_is_sent(tls: Tls, reason: str) -> None:
    with pytest.raises(NotSent, match=reason) as caught:
        play(echo(tls=tls))
    assert "PRIVATE" not in str(caught.value)


def test_contexts_are_made_once_and_connections_kept(tmp_path: Path) -> None:
    async def story(server: RawServer, transport: AiohttpTransport, _: RawProxy) -> int:
        for _number in range(3):
            await transport.send(Request("GET", server.url("echo"), tls=CLIENT))
        return server.connections

    assert play(story, tls=context(tmp_path, mutual=True)) == 1


def test_a_client_certificate_stays_with_its_origin(tmp_path: Path) -> None:
    """The second server would take it, but a redirect elsewhere does not bring it."""

    async def story(first: RawServer, transport: AiohttpTransport, _: RawProxy) -> None:
        second = RawServer(context(tmp_path, mutual=True))
        await second.start()
        transport._egress = type(transport._egress)([first.address, second.address])
        try:
            target = second.url("echo").replace("/", "|")
            url = first.url("redirect/307/" + target)
            with pytest.raises((Uncertain, NotSent)):
                await transport.send(Request("GET", url, tls=CLIENT, redirects=1))
            assert not second.requests
            assert (await transport.send(Request("GET", second.url("echo"), tls=CLIENT))).status
        finally:
            await second.stop()

    play(story, tls=context(tmp_path))


# Proxies


def test_a_proxy_forwards_and_gets_its_own_credentials_only() -> None:
    async def story(server: RawServer, transport: AiohttpTransport, through: RawProxy) -> Any:
        proxy = Proxy(url=f"http://{through.address}", user="u", password=Secret("pw"))
        headers = {"Authorization": "Bearer x"}
        answer = await transport.send(
            Request("POST", server.url("echo"), json=1, headers=headers, proxy=proxy)
        )
        return answer.json(), through.heads[0]

    got, head = play(story)
    assert got == 1
    assert b"Proxy-Authorization: Basic dTpwdw==" in head


def test_https_goes_through_a_tunnel(tmp_path: Path) -> None:
    async def story(server: RawServer, transport: AiohttpTransport, through: RawProxy) -> Any:
        proxy = Proxy(url=f"http://{through.address}", user="u", password=Secret("pw"))
        headers = {"Authorization": "Bearer x"}
        answer = await transport.send(
            Request("POST", server.url("echo"), json=1, headers=headers, proxy=proxy, tls=CLIENT)
        )
        return answer.json(), through.heads[0], server.requests[0]

    got, head, seen = play(story, tls=context(tmp_path, mutual=True))
    assert got == 1
    assert head.startswith(b"CONNECT 127.0.0.1:")
    assert b"Bearer" not in head
    assert b"Proxy-Authorization" not in seen


def test_a_proxy_that_refuses_the_tunnel_sent_nothing(tmp_path: Path) -> None:
    async def story(server: RawServer, transport: AiohttpTransport, through: RawProxy) -> None:
        proxy = Proxy(url=f"http://{through.address}")
        await transport.send(Request("POST", server.url("echo"), json=1, proxy=proxy))

    with pytest.raises(NotSent, match="407"):
        play(story, tls=context(tmp_path), refuse=407)


def test_the_address_of_a_proxy_is_checked_too() -> None:
    async def story(server: RawServer, transport: AiohttpTransport, through: RawProxy) -> None:
        proxy = Proxy(url=f"http://{through.address}")
        await transport.send(Request("GET", server.url("echo"), proxy=proxy))

    with pytest.raises(NotSent, match="not a public address"):
        play(story, proxy=False)


@pytest.mark.parametrize("url", ["https://p.test:1", "http://u:p@p.test:1", "p.test:1"])
def test_only_plain_proxies(url: str) -> None:
    with pytest.raises(NotSent, match="not written as http://host:port"):
        play(echo(proxy=Proxy(url=url)))


def test_a_proxy_is_no_way_to_a_private_address(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(_: RawServer, transport: AiohttpTransport, through: RawProxy) -> None:
        async def answer(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
            if host != "inside.test":
                return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", port))]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", answer)
        proxy = Proxy(url=f"http://{through.address}")
        for url in ("http://10.0.0.1/", "http://inside.test/"):
            with pytest.raises(NotSent, match="not a public address"):
                await transport.send(Request("GET", url, proxy=proxy))
        assert not through.heads

    play(story)


# Cookies


def test_cookies_are_kept_over_redirects_and_given_back() -> None:
    async def story(server: RawServer, transport: AiohttpTransport, _: RawProxy) -> Any:
        request = Request("GET", server.url("login/|echo"), redirects=2, cookies=())
        answer = await transport.send(request)
        return answer.cookies, server.requests[1]

    cookies, second = play(story)
    assert cookies == (Cookie("s", "1", "127.0.0.1"),)
    assert b"\r\nCookie: s=1\r\n" in second


def test_cookies_do_not_follow_to_another_host() -> None:
    async def story(server: RawServer, transport: AiohttpTransport, _: RawProxy) -> bytes:
        jar = (Cookie("s", "1", "other.test"), Cookie("t", "2", "127.0.0.1"))
        await transport.send(Request("GET", server.url("echo"), cookies=jar))
        return server.requests[0]

    assert b"Cookie: t=2\r\n" in play(story)


def test_without_a_jar_no_cookie_is_kept() -> None:
    async def story(server: RawServer, transport: AiohttpTransport, _: RawProxy) -> Any:
        answer = await transport.send(Request("GET", server.url("headers")))
        await transport.send(Request("GET", server.url("echo")))
        return answer.cookies, server.requests[1]

    cookies, second = play(story)
    assert cookies == ()
    assert b"Cookie" not in second


# Bombs


def test_a_bomb_costs_no_more_than_its_limit() -> None:
    async def story(server: RawServer, transport: AiohttpTransport, _: RawProxy) -> int:
        tracemalloc.start()
        with pytest.raises(Uncertain, match="longer than 1000000 bytes"):
            await transport.send(Request("GET", server.url("bomb/60"), max_bytes=1_000_000))
        _now, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    assert play(story) < 20_000_000
