"""An OpenAPI document as a connector: any vendor's API, without a line of code.

`compile_document` turns a document of version 3.0 or 3.1 into plain, bounded data much like
a catalogue's (`language.catalogue`): operations with their parameters, bodies and paging, kinds of
account, and notes on what was left out. `connector_of` makes the connector of it; that is quick,
and forms are made when they are looked at. Nothing is fetched: references to other documents are
left out.

A document may say what its author knows better than our rules, with these extensions of an
operation:

    x-junctor-name    the module's name            x-junctor-effect  read, idempotent or once
    x-junctor-label   its label                    x-junctor-items   where the answer's list is
    x-junctor-paging  a `Paging` as an object      x-junctor-hidden  true: no module
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from junctor.errors import DataError, Misconfigured
from junctor.language.catalogue import words
from junctor.language.connector import Connector
from junctor.language.ids import CONNECTOR
from junctor.language.openapi_accounts import connections_of, kinds_of
from junctor.language.openapi_modules import modules_of
from junctor.language.openapi_paging import listing_of, paging_of
from junctor.language.openapi_schemas import Resolver, as_list, as_mapping, short

__all__ = ["FORMAT", "compile_document", "connector_of"]

FORMAT = 1
"""Of the compiled data; another number is compiled anew from the document."""
MOST_OPERATIONS = 3_000
MOST_PARAMETERS = 200
_METHODS = ("get", "head", "post", "put", "patch", "delete")
_EFFECTS = ("read", "idempotent", "once")
_IGNORED_HEADERS = {"accept", "authorization", "content-type", "host", "content-length", "cookie"}
_HEADER = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]{1,100}")
_BY_METHOD = {"get": "read", "head": "read", "put": "idempotent", "delete": "idempotent"}


def compile_document(
    document: Any, *, name: str, base_url: str | None = None, source: str = ""
) -> dict[str, Any]:
    """The document's facts as plain JSON data, for `connector_of`.

    ``base_url`` stands in for the document's first server; ``source`` is the address it came from,
    against which a relative server is read. Raises `DataError` that names the place in the
    document, `Misconfigured` on a name or base URL that can't be used.
    """
    if not CONNECTOR.fullmatch(name):
        raise Misconfigured(
            f"'{name[:60]}' can't be a connector's name: use 2 to 40 small letters, digits and "
            "hyphens, a letter first.",
            path="name",
        )
    if not isinstance(document, dict):
        raise DataError(reason="the document must be an object with `openapi` and `paths`")
    version = document.get("openapi")
    if not isinstance(version, str) or not re.match(r"3\.[01](\.|$)", version):
        said = "swagger " + str(document["swagger"])[:10] if "swagger" in document else version
        raise DataError(
            reason=f"openapi: it says {str(said)[:40]!r}; versions 3.0 and 3.1 are read "
            "(older documents can be converted)"
        )
    if not isinstance(document.get("paths"), dict):
        raise DataError(reason="paths: the document has none, so it offers no operation")
    return _Compiler(document, name, base_url, source).compiled()


def connector_of(compiled: Mapping[str, Any]) -> Connector:
    """The connector of a compiled document. `Misconfigured` on data of another format."""
    if compiled.get("format") != FORMAT:
        raise Misconfigured(
            f"The document of '{str(compiled.get('name'))[:60]}' was compiled by another version "
            "of Junctor; add it again."
        )
    made = Connector(
        name=compiled["name"],
        label=compiled["label"],
        docs=compiled["docs"],
        help=compiled["help"],
        connections=connections_of(compiled) if compiled["accounts"] else {},
    )
    for module in modules_of(compiled):
        made.add(module)
    return made


class _Compiler:
    """The work on one document."""

    def __init__(
        self, document: Mapping[str, Any], name: str, base_url: str | None, source: str
    ) -> None:
        self._document = document
        self._name = name
        self._resolver = Resolver(document)
        self._notes: list[str] = []
        self._base = _checked_base(base_url, "the base URL") if base_url else self._server(source)
        self._operations: list[dict[str, Any]] = []
        self._taken: set[str] = set()

    def compiled(self) -> dict[str, Any]:
        """Everything, once."""
        info = as_mapping(self._document.get("info"))
        raw = []
        for where, method, template, given, shared in self._found():
            made = self._operation(where, method, template, given, shared)
            if made is not None:
                raw.append(given)
                self._operations.append(made)
        if not self._operations:
            why = f" ({'; '.join(self._notes[:3])})" if self._notes else ""
            raise DataError(reason=f"paths: no operation in it can be used{why}")
        kinds, notes, free = kinds_of(self._document, raw, self._resolver)
        notes += self._notes
        if self._resolver.foreign:
            some = ", ".join(sorted(self._resolver.foreign)[:5])
            notes.append(f"references to other documents were left out: {some}")
        if not kinds and not free:
            raise DataError(
                reason="security: no kind of account that the document asks for is supported "
                f"({'; '.join(notes[:3])})"
            )
        docs = as_mapping(self._document.get("externalDocs")).get("url")
        return {
            "format": FORMAT,
            "name": self._name,
            "label": short(info.get("title"), 60) or words(self._name),
            "version": short(str(info.get("version", "")), 40),
            "help": short(info.get("summary"), 300) or short(info.get("description"), 300),
            "docs": docs if isinstance(docs, str) and docs.startswith("https://") else "",
            "base_url": self._base,
            "accounts": kinds,
            "test": self._test(),
            "operations": self._operations,
            "notes": notes[:100],
        }

    # Servers

    def _server(self, source: str) -> str:
        given = [each for each in as_list(self._document.get("servers")) if isinstance(each, dict)]
        url = _server_url(given[0]) if given else "/"
        if "://" not in url:
            if not source.startswith(("https://", "http://")):
                raise Misconfigured(
                    "The document does not say where its API is (servers); give it with "
                    "--base-url https://….",
                    path="base_url",
                )
            url = _joined(source, url)
        return _checked_base(url, "servers[0].url")

    def _elsewhere(self, given: Mapping[str, Any]) -> bool:
        """Whether an operation has servers of its own, to which our accounts must not be sent."""
        own = [each for each in as_list(given.get("servers")) if isinstance(each, dict)]
        return bool(own) and _joined(self._base, _server_url(own[0])).rstrip("/") != self._base

    # Operations

    def _found(self) -> Iterator[tuple[str, str, str, Mapping[str, Any], list[Any]]]:
        count = 0
        for template, item in self._document["paths"].items():
            if not isinstance(template, str) or not template.startswith("/"):
                if not str(template).startswith("x-"):
                    self._note(f"paths: {str(template)[:80]!r} begins with no slash")
                continue
            if not isinstance(item, dict):
                raise DataError(reason=f"paths.{template[:200]}: an object is expected")
            plain = self._resolver.resolved(item)
            for method in _METHODS:
                given = plain.get(method)
                if given is None:
                    continue
                where = f"paths.{template[:200]}.{method}"
                if not isinstance(given, dict):
                    raise DataError(reason=f"{where}: an object is expected")
                if given.get("x-junctor-hidden") is True:
                    continue
                if self._elsewhere(given) or ("servers" not in given and self._elsewhere(plain)):
                    self._note(f"{where} is at another server")
                    continue
                count += 1
                if count > MOST_OPERATIONS:
                    raise DataError(
                        reason=f"paths: there are more than {MOST_OPERATIONS} operations; remove "
                        "those that you don't need, or split the document"
                    )
                yield where, method, template, given, as_list(plain.get("parameters"))

    def _operation(
        self,
        where: str,
        method: str,
        template: str,
        given: Mapping[str, Any],
        shared: list[Any],
    ) -> dict[str, Any] | None:
        self._resolver.begin()
        address = template.partition("?")[0].partition("#")[0]
        params = self._params(where, address, [*shared, *as_list(given.get("parameters"))])
        if params is None:
            return None
        body = self._body(given)
        if body is not None and body.get("unknown"):
            self._note(f"{where}: its body ({body['unknown']}) can't be sent")
            return None
        answer, schema = self._answer(given)
        effect = given.get("x-junctor-effect")
        if effect is not None and effect not in _EFFECTS:
            raise DataError(
                reason=f"{where}.x-junctor-effect: {str(effect)[:40]!r} is none of "
                f"{', '.join(_EFFECTS)}"
            )
        paging = paging_of(given, params, schema, where) if method == "get" else None
        items = listing_of(given, address, schema, paged=paging is not None)
        search = items is not None and method == "get" and answer == "json"
        label = short(given.get("x-junctor-label"), 80)
        said = given.get("x-junctor-name") or given.get("operationId")
        name = self._named(said, method, address)
        operation = {
            "name": name,
            "method": method.upper(),
            "path": address,
            "label": label,
            "summary": short(given.get("summary"), 300) or short(given.get("description"), 300),
            "deprecated": given.get("deprecated") is True,
            "effect": effect or _BY_METHOD.get(method, "once"),
            "params": params,
            "body": body,
            "answer": answer,
            "search": search,
            "items": items if search else None,
            "paging": paging if search else None,
        }
        return {key: value for key, value in operation.items() if value not in (None, "", False)}

    def _named(self, said: Any, method: str, address: str) -> str:
        """The module's name: the document's, or one made of method and path; never one twice."""
        text = said if isinstance(said, str) else ""
        parts = re.findall(r"[A-Za-z0-9]+", text)[:20]
        if not parts:
            parts = [method, *re.findall(r"[A-Za-z0-9]+", address)[:20]]
        first, *rest = parts
        name = first[0].lower() + first[1:] + "".join(each[0].upper() + each[1:] for each in rest)
        name = name[:80] if name[0].isalpha() else f"n{name[:79]}"
        found, number = name, 1
        while found in self._taken:
            number += 1
            found = f"{name}{number}"
        self._taken.add(found)
        return found

    def _params(self, where: str, address: str, rows: list[Any]) -> list[dict[str, Any]] | None:
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for row in rows[:MOST_PARAMETERS]:
            plain = self._resolver.resolved(row)
            name, place = plain.get("name"), plain.get("in")
            if not isinstance(name, str) or not name or not isinstance(place, str):
                self._note(f"{where}.parameters: one has no name or place")
                continue
            if place == "header" and (
                name.lower() in _IGNORED_HEADERS or not _HEADER.fullmatch(name)
            ):
                continue
            if place not in {"path", "query", "header"}:
                if plain.get("required") is True:
                    self._note(
                        f"{where}: its parameter {name[:60]!r} in {place[:20]} can't be sent"
                    )
                    return None
                continue
            content = as_mapping(plain.get("content"))
            media = as_mapping(next(iter(content.values()), None))
            schema = self._resolver.schema(plain.get("schema", media.get("schema")), 1)
            texts = self._resolver.schema(
                {k: plain[k] for k in ("description", "example") if k in plain}
            )
            style = short(plain.get("style"), 20) or ("form" if place == "query" else "simple")
            made = {
                "in": place,
                "name": name[:200],
                "schema": {**schema, **texts},
                "required": plain.get("required") is True or place == "path",
                "style": "json" if content else style,
                "explode": plain.get("explode", style == "form") is True,
            }
            found[place, name] = made
        for name in dict.fromkeys(re.findall(r"\{([^{}/]+)\}", address)):
            # A path's parameter that nobody describes is a text.
            found.setdefault(
                ("path", name),
                {"in": "path", "name": name, "schema": {"type": "string"}, "required": True},
            )
        inside = set(re.findall(r"\{([^{}/]+)\}", address))
        return [row for row in found.values() if row["in"] != "path" or row["name"] in inside]

    def _body(self, given: Mapping[str, Any]) -> dict[str, Any] | None:
        plain = self._resolver.resolved(given.get("requestBody"))
        content = {
            kind.partition(";")[0].strip().lower(): as_mapping(media)
            for kind, media in as_mapping(plain.get("content")).items()
        }
        if not content:
            return None
        kind, how = _media(content)
        required = plain.get("required") is True
        if not how:
            return {"unknown": kind[:60]} if required else None
        schema = self._resolver.schema(content[kind].get("schema"))
        made = {"kind": how, "type": kind, "schema": schema, "required": required}
        return {key: value for key, value in made.items() if value}

    def _answer(self, given: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        """How the first good answer is read, and its schema."""
        responses = as_mapping(given.get("responses"))
        good = next((code for code in responses if re.fullmatch(r"2(\d\d|XX)", str(code))), None)
        plain = self._resolver.resolved(responses.get(good or "default"))
        content = as_mapping(plain.get("content"))
        for kind, media in content.items():
            if _is_json(kind.partition(";")[0].strip().lower()):
                schema = self._resolver.schema(as_mapping(media).get("schema"), 1, sent=False)
                return "json", schema
        return "any", {}

    def _test(self) -> str | None:
        """The path of a reading operation that needs nothing, which shows whether accounts work."""
        free = [
            each["path"]
            for each in self._operations
            if each["method"] == "GET"
            and each["effect"] == "read"
            and not any(row["required"] for row in each["params"])
        ]
        likely = re.compile(r"/(me|self|account|user|whoami|profile|ping|status)s?(\.json)?$")
        return min(free, key=lambda path: (not likely.search(path), len(path)), default=None)

    def _note(self, text: str) -> None:
        if len(self._notes) < 100:
            self._notes.append(text)


def _media(content: Mapping[str, Any]) -> tuple[str, str]:
    """The content type to send, and how: JSON first, files last."""
    for how, fits in (
        ("json", _is_json),
        ("form", lambda kind: kind == "application/x-www-form-urlencoded"),
        ("multipart", lambda kind: kind == "multipart/form-data"),
        ("json", lambda kind: kind == "*/*"),
        ("text", lambda kind: kind.startswith("text/") or kind.endswith(("/xml", "+xml"))),
        ("bytes", lambda kind: re.fullmatch(r"[a-z0-9.+-]+/[a-z0-9.+*-]+", kind) is not None),
    ):
        for kind in content:
            if fits(kind) and not (how == "bytes" and kind.startswith("multipart/")):
                return kind, how
    return next(iter(content)), ""


def _is_json(kind: str) -> bool:
    return kind == "application/json" or (
        kind.startswith("application/") and kind.endswith("+json")
    )


def _server_url(server: Mapping[str, Any]) -> str:
    """The address of a server, its variables at their defaults."""
    url = server.get("url")
    text = url if isinstance(url, str) else "/"
    for name, given in list(as_mapping(server.get("variables")).items())[:50]:
        text = text.replace(f"{{{name}}}", str(as_mapping(given).get("default", "")))
    return text.strip()


def _joined(base: str, url: str) -> str:
    try:
        return urljoin(base, url)
    except ValueError:  # brackets that hold no address
        return url


def _checked_base(url: str, what: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"https", "http"} and parts.hostname and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good or "@" in parts.netloc or "{" in url or any(ord(letter) < 33 for letter in url):
        raise Misconfigured(
            f"{what}: {url[:100]!r} is no address of an API; give one with --base-url https://….",
            path="base_url",
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
