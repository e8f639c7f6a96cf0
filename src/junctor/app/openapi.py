"""OpenAPI documents added, shown and removed: connectors made at run time."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from junctor.adapters.transport import AiohttpTransport
from junctor.app.settings import Settings
from junctor.errors import Conflict, DataError, JunctorError, Misconfigured, NotFound, TooLarge
from junctor.language.connector import Request
from junctor.language.openapi import compile_document, connector_of
from junctor.language.openapi_text import LARGEST, read_text
from junctor.runtime.documents import Documents
from junctor.runtime.registry import Registry

__all__ = ["add_document", "compile_text", "fetch", "problem_of", "remove_document"]


async def fetch(source: str, settings: Settings) -> bytes:
    """The document of a file, or of an address, which is reached as any module's would be."""
    if urlsplit(source).scheme not in {"http", "https"}:
        return await asyncio.to_thread(_read, source)
    request = Request("GET", source, redirects=3, max_bytes=LARGEST)
    async with AiohttpTransport(settings.egress_allow) as transport:
        answer = await transport.send(request)
    if answer.status != 200:
        raise NotFound(f"{_shown(source)} answered {answer.status}; is it the document itself?")
    return answer.body


def _read(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise Misconfigured(
            f"{path} can't be read: {error.strerror or error}.", path=path
        ) from error
    if len(content) > LARGEST:
        raise TooLarge(what=path, limit=LARGEST)
    return content


def compile_text(
    content: bytes, *, name: str, source: str, base_url: str | None = None
) -> dict[str, Any]:
    """The compiled document. Errors name the document, the place in it and the mend."""
    try:
        compiled = compile_document(read_text(content), name=name, base_url=base_url, source=source)
        connector = connector_of(compiled)
    except DataError as error:
        raise Misconfigured(
            f"{_shown(source)} can't be made a connector: {error.params['reason']}.",
            path=_shown(source),
        ) from error
    except RecursionError as error:
        raise Misconfigured(f"{_shown(source)} is nested too deeply.") from error
    assert connector.modules
    return {**compiled, "source": _shown(source)}


def add_document(
    compiled: dict[str, Any], documents: Documents, *, replace: bool = False
) -> tuple[Path, bool]:
    """Keeps a compiled document: its file, and whether it replaced another.

    `Conflict` if a package offers a connector of that name, or a document does and ``replace`` was
    not said.
    """
    name = compiled["name"]
    if Registry.load().packaged(name):
        raise Conflict(f"'{name}' is a connector already; give yours another name with --name.")
    known = name in documents.names()
    if known and not replace:
        raise Conflict(f"There is a document '{name}' already; --replace puts this in its place.")
    return documents.save(compiled), known


def remove_document(name: str, documents: Documents) -> None:
    """Takes a document away. `NotFound` says which there are."""
    if not documents.remove(name):
        known = ", ".join(documents.names()) or "none"
        raise NotFound(f"There is no OpenAPI document '{name}'. There are: {known}.")


def _shown(source: str) -> str:
    """Where a document came from, without what may be a key in its address."""
    parts = urlsplit(source)
    if parts.scheme not in {"http", "https"}:
        return source
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=host, query="", fragment="").geturl()


def problem_of(name: str, documents: Documents) -> JunctorError | None:
    """Why a kept document can't be used; ``None`` if it can."""
    try:
        documents.connector(name)
    except JunctorError as error:
        return error
    return None
