"""The one way out: requests over aiohttp, with every address checked at the connect itself.

What is guaranteed here and tested against a raw server: an address is checked when its socket is
made (literals and rebinding names included); `NotSent` is raised only if no byte of the request
left; `Uncertain` only if some did and no complete answer came back.
"""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, NoReturn, Self
from urllib.parse import quote, urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from junctor.adapters.certificates import Contexts
from junctor.adapters.egress import Egress, Refused
from junctor.adapters.encoding import Streamed, address_of, body_of, headers_of, is_type
from junctor.adapters.unpacking import unpacked
from junctor.errors import JunctorError, NotSent, Uncertain
from junctor.language.cookies import cookie_header, jar_after
from junctor.language.files import File
from junctor.language.messages import NO_SECRET, Proxy, Request, Response
from junctor.ports.transport import Files

__all__ = ["AiohttpTransport"]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HARMLESS = frozenset({"accept", "accept-encoding", "accept-language", "content-type"})
"""Headers that may follow a redirect to another origin; any other might hold a credential."""
_KEEP_ALIVE = 4.0
"""Seconds an idle connection is kept: less than servers usually do, so stale ones are rare."""
_CONNECT = 15.0
"""Seconds for one TCP connect, so that a dead address leaves time for the next one."""


class AiohttpTransport:
    """Sends requests from one event loop. Use as an async context manager, or call ``close``.

    ``allow`` names exact addresses and ports that may be reached although they aren't public.
    """

    def __init__(self, allow: Iterable[str] = (), *, connections_per_host: int = 100) -> None:
        self._egress = Egress(allow)
        self._per_host = connections_per_host
        self._session: aiohttp.ClientSession | None = None
        self._contexts = Contexts()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes every connection; the transport may be used again afterwards."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def send(self, request: Request, files: Files | None = None) -> Response:
        """See `ports.transport.Transport`."""
        progress = _Progress()
        host = ""
        try:
            async with asyncio.timeout(request.timeout):
                url = address_of(request)
                for hop in range(request.redirects + 1):
                    host = urlsplit(url).hostname or ""
                    response = await self._once(request, url, progress, files)
                    if request.cookies is not None:
                        request = replace(request, cookies=response.cookies)
                    location = response.headers.get("location")
                    if response.status not in _REDIRECTS or not location:
                        break
                    if hop < request.redirects:
                        request, url = _follow(request, url, location, response.status)
                return response
        except JunctorError:
            raise
        except TimeoutError:
            _fail(progress, host, f"no complete answer within {request.timeout:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            _fail(progress, host, _reason(error), error)

    async def _once(
        self, request: Request, url: str, progress: _Progress, files: Files | None
    ) -> Response:
        data, content_type = body_of(request)
        headers = headers_of(request.headers, content_type)
        if request.cookies and not any(name.lower() == "cookie" for name in headers):
            headers |= _cookie(request, url)
        if request.keep_above is not None:  # a file as it is, and as long as its length says
            headers = {"Accept-Encoding": "identity", **headers}
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"}:
            raise Refused(f"only http and https addresses are called, not {parts.scheme!r}")
        if "@" in parts.netloc:
            raise Refused("an address may not hold a user name; send it as a header")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        self._egress.check_host(parts.hostname or "", port)
        trust: ssl.SSLContext | bool = request.verify_tls
        if request.tls is not None:
            trust = self._contexts.get(request.tls, verify=request.verify_tls)
        through: dict[str, Any] = {}
        if request.proxy is not None:
            through = await self._through(request.proxy, parts.hostname or "", port)
        if isinstance(data, Streamed):
            headers["Content-Length"] = str(data.size)
        async with self._ready().request(
            request.method,
            URL(url, encoded=url.isascii()),
            data=await data.open(files) if isinstance(data, Streamed) else data,
            headers=headers,
            skip_auto_headers=("Content-Type",),
            allow_redirects=False,
            ssl=trust,
            trace_request_ctx=progress,
            **through,
        ) as answer:
            body, kept = await _received(request, answer, files)
            found = dict(_lowered(answer.headers))
        jar = request.cookies or ()
        if request.cookies is not None and "set-cookie" in found:
            lines = found["set-cookie"].split("\n")
            jar = jar_after(jar, url, lines, date=found.get("date", ""))
        return Response(answer.status, found, body, url, jar, kept)

    async def _through(self, proxy: Proxy, host: str, port: int) -> dict[str, Any]:
        """What aiohttp must know of the proxy. Its own address is checked as it connects.

        The proxy looks the target's name up itself; what we find for it may not be private either.
        """
        parts = urlsplit(proxy.url)
        if parts.scheme != "http" or not parts.hostname or "@" in parts.netloc:
            raise Refused(f"the proxy {proxy.url!r} is not written as http://host:port")
        self._egress.check_host(parts.hostname, parts.port or 80)
        try:
            await _Resolver(self._egress).resolve(host, port)
        except Refused:
            raise
        except OSError:
            pass  # a name that only the proxy knows
        out: dict[str, Any] = {"proxy": URL(proxy.url)}
        if proxy.user:
            text = f"{proxy.user}:{str.__str__(proxy.password)}"
            basic = "Basic " + base64.b64encode(text.encode()).decode()
            # aiohttp makes it Proxy-Authorization, of the tunnel or of the forwarded request.
            out["proxy_headers"] = {"Authorization": basic}
        return out

    def _ready(self) -> aiohttp.ClientSession:
        if self._session is None:
            trace = aiohttp.TraceConfig()
            trace.on_request_headers_sent.append(_about_to_write)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=_Resolver(self._egress),
                    socket_factory=self._socket,
                    limit=0,
                    limit_per_host=self._per_host,
                    ttl_dns_cache=30,
                    keepalive_timeout=_KEEP_ALIVE,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "Junctor", "Accept-Encoding": "gzip, deflate"},
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT),
                trust_env=False,
                auto_decompress=False,
                trace_configs=[trace],
                max_field_size=65536,
            )
        return self._session

    def _socket(self, info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, address = info
        self._egress.check_address(address[0], address[1])
        return socket.socket(family, kind, protocol)


class _Progress:
    """Whether bytes of a request may have left."""

    __slots__ = ("sent",)

    def __init__(self) -> None:
        self.sent = False


async def _about_to_write(
    _session: aiohttp.ClientSession,
    context: SimpleNamespace,
    _params: aiohttp.TraceRequestHeadersSentParams,
) -> None:
    # aiohttp fires this before it hands the first byte to the socket.
    context.trace_request_ctx.sent = True


class _Resolver(AbstractResolver):
    """Resolves names; one address that may not be reached refuses the whole name."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        infos = await loop.getaddrinfo(
            host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
        )
        found = []
        for kind, _, protocol, _, address in infos:
            self._egress.check_address(str(address[0]), port)
            found.append(
                ResolveResult(
                    hostname=host,
                    host=str(address[0]),
                    port=port,
                    family=kind,
                    proto=protocol,
                    flags=socket.AI_NUMERICHOST,
                )
            )
        return found

    async def close(self) -> None:
        """Nothing is held."""


def _follow(request: Request, url: str, location: str, status: int) -> tuple[Request, str]:
    target = urljoin(url, quote(location, safe="%/:=&?~#+!$,;'@()*[]|-._"))
    headers = dict(request.headers)
    if _origin(target) != _origin(url):
        headers = {name: text for name, text in headers.items() if name.lower() in _HARMLESS}
        if request.tls is not None:
            ours = replace(request.tls, certificate="", key=NO_SECRET, password=NO_SECRET)
            request = replace(request, tls=ours)
    if status == 303 or (status in {301, 302} and request.method == "POST"):
        method = request.method if request.method == "HEAD" else "GET"
        headers = {name: text for name, text in headers.items() if not is_type(name)}
        request = replace(request, method=method, json=None, form=None, body=None)
    return replace(request, headers=headers), target


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _cookie(request: Request, url: str) -> dict[str, str]:
    value = cookie_header(request.cookies or (), url)
    return {"Cookie": value} if value else {}


def _lowered(headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    grouped: dict[str, list[str]] = {}
    for name, value in headers.items():
        grouped.setdefault(name.lower(), []).append(value)
    for name, values in grouped.items():
        yield name, ("\n" if name == "set-cookie" else ", ").join(values)


async def _received(
    request: Request, answer: aiohttp.ClientResponse, files: Files | None
) -> tuple[bytes, File | None]:
    """The body, or where it is kept; whole, or an error: aiohttp raises if it is cut off."""
    keep = request.keep_above
    most = request.max_bytes
    if keep is not None and (files is None or not 200 <= answer.status < 300):
        most = min(keep, most)
        keep = None
    if request.method != "HEAD" and (answer.content_length or 0) > most:
        _too_long(most, answer.url.host)
    body = bytearray()
    encoding = answer.headers.get("Content-Encoding", "")
    pieces = unpacked(aiter(answer.content.iter_any()), encoding)
    async for piece in pieces:
        body += piece
        if len(body) > most:
            body.clear()  # the error's traceback holds this frame for as long as anybody holds it
            _too_long(most, answer.url.host)
        if keep is not None and len(body) > keep:
            assert files is not None
            return b"", await files.keep(_counted(bytes(body), pieces, most, answer.url.host))
    return bytes(body), None


async def _counted(
    begun: bytes, rest: AsyncIterator[bytes], most: int, host: str | None
) -> AsyncIterator[bytes]:
    yield begun
    size = len(begun)
    async for piece in rest:
        size += len(piece)
        if size > most:
            _too_long(most, host)
        yield piece


def _too_long(most: int, host: str | None) -> NoReturn:
    raise Uncertain(
        f"The answer of {host} is longer than {most} bytes.",
        host=host or "",
        reason=f"the answer is longer than {most} bytes",
        limit=most,
    )


def _fail(progress: _Progress, host: str, reason: str, cause: Exception | None = None) -> NoReturn:
    if not progress.sent:
        raise NotSent(host=host, reason=reason) from cause
    raise Uncertain(
        f"A request was sent to {host} and its outcome is unknown ({reason}).",
        host=host,
        reason=reason,
    ) from cause


def _reason(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        inner: BaseException = error.os_error
        return _first(inner) or type(inner).__name__
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the connection was cut"
    if isinstance(error, aiohttp.InvalidURL):
        return "the address is not valid"
    return str(error) or type(error).__name__


def _first(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return _first(error.exceptions[0])
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
