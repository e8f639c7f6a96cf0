"""A vendor's operations as modules: facts that `tools/` compiled, labels of our own.

A catalogue is plain data, read from a file of the connector's package:

    {"source": "…", "licence": "…",
     "types": {"Person": {"type": "object", "properties": {…}, "required": […]}},
     "operations": [{"name": "getPerson", "method": "GET", "path": "/people/{id}",
                     "query": {"page": {"type": "integer"}}, "needs": ["page"],
                     "body": {"$ref": "Person"}, "body_required": true, "form": false,
                     "items": "data", "paging": "…",
                     "result": "list" | "object" | "none", "scopes": ["people:read"]}]}

Schemas are JSON Schema's ``type``, ``enum``, ``items``, ``properties``, ``required``, ``format``,
and ``$ref`` to a name of ``types``; whatever else there is means: anything. A connector says what
the facts don't in `Conventions`; modules it has made by hand win, see ``taken``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any, Literal, TypedDict

from junctor.language.calls import effect_of_method, refusal
from junctor.language.connector import (
    Effect,
    Field,
    Flow,
    ModuleDef,
    Paging,
    Request,
    Response,
    path,
)
from junctor.language.signatures import REQUIRED, Argument, Described, identifier

__all__ = ["Conventions", "Types", "help_of", "label_of", "modules_from", "words"]

Operation = Mapping[str, Any]
Schema = Mapping[str, Any]

DEEPEST = 4
"""Levels of nested objects that a form shows; below them a collection of anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conventions:
    """What a vendor's operations have in common and its specification does not say."""

    items: str | None = None
    """Dotted path to the result inside every answer."""
    page: str = ""
    """The parameter that takes the number of the page; operations with it are asked page by page.
    In a path it becomes ``{page}``, see `Paging`."""
    paging: Paging | None = None
    known: Mapping[str, Any] = field(default_factory=dict)
    """Parameters that mean the same everywhere, by the vendor's name: type, label and pick-list,
    as ``Annotated[type, Field(…)]``."""
    filled: Mapping[str, str] = field(default_factory=dict)
    """By parameter of a path: the text (not quoted) that stands there if it is left empty."""
    headers: Callable[[Operation], Mapping[str, str]] = lambda _operation: {}
    """Headers of an operation, such as its version."""
    effects: Mapping[str, Effect] = field(default_factory=dict)
    """By operation, where the method alone (or ``patch``) does not tell."""
    patch: Effect = "once"
    """The effect of PATCH; ``idempotent`` where the vendor merges fields."""
    error_text: Callable[[Response], str] = lambda _response: ""
    """The vendor's own message, as `Connector.error_text`."""
    pagings: Mapping[str, Paging] = field(default_factory=dict)
    """Other ways to page, by the name that operations give in ``paging``."""
    note: Callable[[Operation], str] = lambda _operation: ""
    """A sentence for the help: which scopes it needs, or the like."""


def modules_from(
    catalogue: Mapping[str, Any],
    connector: str,
    conventions: Conventions,
    *,
    taken: Collection[str] = (),
) -> Iterator[ModuleDef]:
    """A module for each operation whose name is not in ``taken`` (those made by hand)."""
    types = Types(catalogue.get("types", {}))
    for operation in catalogue["operations"]:
        if operation["name"] not in taken:
            yield _module(operation, connector, conventions, types)


def _module(
    operation: Operation, connector: str, conventions: Conventions, types: Types
) -> ModuleDef:
    name, method = operation["name"], operation["method"]
    paged = conventions.page != "" and conventions.page in {
        *_names_in(operation["path"]),
        *operation.get("query", {}),
    }
    listing = operation.get("result") == "list" and method == "GET"
    call = _Call(operation, conventions, types, paged=paged, listing=listing or paged)
    head = method == "HEAD"
    paging = conventions.pagings.get(operation.get("paging", ""))
    function = Described(
        call.exists if head else call.request,
        call.arguments,
        name=identifier(name),
        doc=help_of(operation),
    )
    note = conventions.note(operation)
    effect = conventions.effects.get(name) or (
        conventions.patch if method == "PATCH" else effect_of_method(method)
    )
    return ModuleDef(
        connector=connector,
        name=name,
        label=label_of(operation),
        kind="search" if call.listing else "action",
        function=function,
        help="\n\n".join(part for part in (help_of(operation), note) if part),
        effect="read" if call.listing else effect,
        items=None if head else operation.get("items", conventions.items),
        paging=conventions.paging if paged else paging,
        limit_field="limit" if call.listing else None,
        generated=True,
    )


class _Call:
    """One operation: which arguments it takes, and the request they make."""

    def __init__(
        self,
        operation: Operation,
        conventions: Conventions,
        types: Types,
        *,
        paged: bool,
        listing: bool,
    ) -> None:
        self._operation = operation
        self._conventions = conventions
        self._paged = paged
        self.listing = listing
        self._segments = [part for part in operation["path"].split("/") if part]
        self._types = types
        self._names: dict[tuple[str, str], str] = {}
        self._rows: list[Argument] = []

    def arguments(self) -> list[Argument]:
        """What the operation takes: first what must be filled in. Made once, when first needed."""
        if not self._rows:
            rows = [*self._path(), *self._query(), *self._body()]
            if self.listing:
                rows.append(_LIMIT)
            self._rows = sorted(rows, key=lambda row: not row.required)
        return self._rows

    def request(self, **given: Any) -> Request:
        """The request of the operation."""
        self.arguments()
        conventions = self._conventions
        query = self._given("query", given)
        body = self._given("body", given)
        content: Any = None
        if "" in body:
            content = body[""]
        elif body or self._operation.get("body_required"):
            content = body
        return Request(
            self._operation["method"],
            self._address(given),
            query={name: _text(value) for name, value in query.items()},
            headers=dict(conventions.headers(self._operation)),
            json=None if self._operation.get("form") else content,
            form=_form(content) if self._operation.get("form") else None,
        )

    def exists(self, **given: Any) -> Flow:
        """The flow of an operation that only says whether something is there."""
        request = self.request(**given)
        response = yield Request(
            "HEAD", request.url, query=request.query, headers=request.headers, raises=False
        )
        if response.status != 404:
            reason = self._conventions.error_text(response)
            error = refusal(response, "read", reason=reason)
            if error is not None:
                raise error
        return {"exists": response.status != 404}

    def _address(self, given: Mapping[str, Any]) -> str:
        out = ""
        for segment in self._segments:
            match = _PARAMETER.fullmatch(segment)
            if match is None:
                out += f"/{segment}"
                continue
            name = match[1]
            if self._paged and name == self._conventions.page:
                out += "/{page}"
                continue
            value = given.get(self._names["path", name])
            if value in (None, "") and name in self._conventions.filled:
                out += f"/{self._conventions.filled[name]}"
            else:
                out += path(value)
        return out + ("/" if self._operation["path"].endswith("/") else "")

    def _given(self, place: str, given: Mapping[str, Any]) -> dict[str, Any]:
        found = {}
        for (where, name), argument in self._names.items():
            value = given.get(argument, "")
            # None is what was erased on purpose: only a body can say so.
            if where == place and value != "" and (value is not None or place == "body"):
                found[name] = value
        return found

    def _path(self) -> Iterator[Argument]:
        for name in _names_in(self._operation["path"]):
            if name != self._conventions.page:
                filled = name in self._conventions.filled
                yield self._argument("path", name, str, required=not filled)

    def _query(self) -> Iterator[Argument]:
        needed = self._operation.get("needs", ())
        for name, schema in self._operation.get("query", {}).items():
            if name != self._conventions.page:
                yield self._argument(
                    "query", name, self._types.hint(schema), required=name in needed
                )

    def _body(self) -> Iterator[Argument]:
        schema = self._operation.get("body")
        if schema is None:
            return
        resolved = self._types.resolved(schema)
        properties = resolved.get("properties")
        if properties is None:
            hint = self._types.hint(resolved)
            required = bool(self._operation.get("body_required"))
            self._names["body", ""] = "body"
            label = Field(label="Body", help="The request's content, as a collection.")
            yield Argument("body", Annotated[hint, label], *(() if required else ("",)))
            return
        needed = resolved.get("required", ())
        for name, each in properties.items():
            yield self._argument("body", name, self._types.hint(each), required=name in needed)

    def _argument(self, place: str, name: str, hint: Any, *, required: bool) -> Argument:
        spoken = _spoken(name)
        argument = identifier(spoken)
        if argument in self._names.values() or argument in {"limit", "body"}:
            argument = f"{place}_{argument}"
        self._names[place, name] = argument
        known = self._conventions.known.get(name)
        default = REQUIRED if required else ""
        if known is not None and argument == identifier(name):
            return Argument(argument, known, default)
        key = name if name != argument.removesuffix("_") and place != "path" else None
        if argument.startswith(f"{place}_"):
            key = argument
        shown = Field(label=words(spoken), key=key, advanced=not required and place != "body")
        if not required and place == "body" and hint is not Any:
            hint = hint | None
        return Argument(argument, Annotated[hint, shown], default)


_LIMIT = Argument(
    "limit",
    Annotated[int, Field(label="Limit", help="The most results per cycle.", minimum=1)],
    10,
)
_PARAMETER = re.compile(r"\{([^{}]+)\}")


def _names_in(template: str) -> list[str]:
    return _PARAMETER.findall(template)


def _spoken(name: str) -> str:
    """``StartTime<`` and ``StartTime>``, which filter by a bound, in letters."""
    return name.replace("<", "_before").replace(">", "_after")


def _form(content: Any) -> tuple[tuple[str, str], ...]:
    """A body as a form: a list repeats its name; what was erased is empty."""
    rows: list[tuple[str, str]] = []
    for name, value in (content or {}).items():
        values = value if isinstance(value, list) else [value]
        rows += [(name, "" if each is None else str(_text(each))) for each in values]
    return tuple(rows)


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value


class Types:
    """Schemas as Python types, each named one made once."""

    def __init__(self, named: Mapping[str, Schema]) -> None:
        self._named = named
        self._made: dict[str, Any] = {}

    def resolved(self, schema: Schema) -> Schema:
        """The schema that a reference stands for."""
        seen = set()
        while "$ref" in schema:
            name = schema["$ref"]
            if name in seen or name not in self._named:
                return {}
            seen.add(name)
            schema = self._named[name]
        return schema

    def hint(self, schema: Schema, within: tuple[str, ...] = ()) -> Any:
        """The type of a value. References to themselves end in collections of anything."""
        name = str(schema.get("$ref", ""))
        if name in within or len(within) >= DEEPEST:
            return dict[str, Any] if "properties" in self.resolved(schema) else Any
        # A nested one ends sooner, so what it is may not depend on what was looked at before.
        if name and not within and name in self._made:
            return self._made[name]
        plain = self.resolved(schema)
        made = self._hint(plain, (*within, name or f"#{len(within)}"), name or "Fields")
        if name and not within:
            self._made[name] = made
        return made

    def _hint(self, schema: Schema, within: tuple[str, ...], name: str) -> Any:
        kind, choices = schema.get("type"), schema.get("enum")
        if choices and all(type(choice) is type(choices[0]) for choice in choices):
            known = isinstance(choices[0], str | int) and not isinstance(choices[0], bool)
            return Literal[tuple(choices)] if known else Any
        if isinstance(kind, list):
            rest = [each for each in kind if each != "null"]
            inner = {key: value for key, value in schema.items() if key != "type"}
            if len(rest) != 1:
                return Any
            hint = self._hint({**inner, "type": rest[0]}, within, name)
            return hint if hint is Any or len(rest) == len(kind) else hint | None
        if kind == "array":
            return list[self.hint(schema.get("items", {}), within)]  # type: ignore[misc]  # made here
        if kind == "object" and schema.get("properties"):
            needed = set(schema.get("required", ()))
            rows = {
                key: Annotated[self.hint(each, within), Field(label=words(key))]
                for key, each in schema["properties"].items()
            }
            return _record(name, rows, needed)
        simple = {"string": str, "integer": int, "number": float, "boolean": bool}
        return dict[str, Any] if kind == "object" else simple.get(str(kind), Any)


def _record(name: str, rows: Mapping[str, Any], needed: Collection[str]) -> Any:
    made: Any = TypedDict(identifier(name), dict(rows), total=False)  # type: ignore[misc]  # from data
    made.__required_keys__ = frozenset(needed & rows.keys() if isinstance(needed, set) else needed)
    made.__optional_keys__ = frozenset(rows) - made.__required_keys__
    return made


# Words

_SHORT = {"id", "url", "ip", "urn", "json", "html", "seo", "ai", "api", "mcp", "crm", "sms"}
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z]|\d|\b|_)|[A-Z]?[a-z]+|\d+|[A-Z]+")


@lru_cache(maxsize=4096)
def words(name: str) -> str:
    """A vendor's name in words, as a label: ``filter_date_start`` → ``Filter date start``."""
    found = [
        word.upper() if word.lower() in _SHORT else word.lower() for word in _WORD.findall(name)
    ]
    text = " ".join(found) or name
    return text[0].upper() + text[1:]


def label_of(operation: Operation) -> str:
    """A label made of the operation's name, or its ``label`` if the catalogue has one."""
    given = operation.get("label")
    if given:
        return str(given)
    said = words(operation["name"])
    if operation["method"] == "HEAD":
        return re.sub(r"^Check (.+?) (exists|validity)$", r"Check if \1 exists", said)
    return said


def help_of(operation: Operation) -> str:
    """A first sentence for the help, from the name and the method."""
    said = label_of(operation)
    if operation["method"] == "HEAD":
        thing = re.sub(r"^Check if (an? |the )?|\s?exists$", "", said)
        first = f"Says in `exists` whether there is such a {thing}."
    else:
        verb, _, rest = said.partition(" ")
        first = f"{_third(verb)} {rest}".strip() + "."
    return f"{first}\n\n`{operation['method']} {operation['path']}`."


def _third(verb: str) -> str:
    if verb.endswith(("s", "x", "sh", "ch", "z")):
        return f"{verb}es"
    if verb.endswith("y") and verb[-2:-1] not in set("aeiou"):
        return f"{verb[:-1]}ies"
    return f"{verb}s"
