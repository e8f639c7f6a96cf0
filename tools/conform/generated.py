"""Modules made from catalogues, to Prism's mock: only what they send is judged.

Each is called twice: with the least that its operation asks for, and with all that it takes. The
values are made from the schemas of the very document that judges them, and the same every time;
what is judged is whether the connector's form takes them and its request carries them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from junctor.errors import JunctorError
from junctor.language.connector import Ask, ModuleDef, Request, Response
from junctor.language.forms import Slot, bind, schema_of, slots_of
from junctor.runtime.effects import perform
from junctor.runtime.registry import Registry
from junctor.simulators import make
from tools.conform.counting import Count
from tools.conform.documents import Source
from tools.conform.inputs import Maker
from tools.conform.merging import Document, follow, mended, shape, without_answers
from tools.conform.prism import listening
from tools.conform.stage import Stage, on_stage

__all__ = ["mapper_for", "operation_of", "to_mock"]

WHOLE = " whole"
"""Stands for the whole body where a module has no fields for its parts."""
WHOLE_BODY = "The request's content, as a collection."
"""The help of that field (`language.catalogue`)."""
PHONE = "+12025550142"
_TOLD = re.compile(r"`([A-Z]+) (/[^`]*)`")


class _Enough(Exception):
    """The first request is out: a mock's answer tells nothing."""


async def to_mock(vendor: str, judge: Source) -> Count:
    """Every generated module of a vendor, once with little and once with all."""
    [connector] = [each for each in Registry.load().connectors() if each.name == vendor]
    modules = [each for each in connector.modules.values() if each.generated]
    count = Count("generated, to the mock", set(), {each.id for each in modules})
    if not modules:
        return count
    simulator = make(vendor, seed=7)
    left = modules
    for number, whole in enumerate(judge.apart):
        here = [each for each in left if _has(each, whole, simulator.prefix)]
        left = [each for each in left if each not in here]
        if not here:
            continue
        document, _ = mended(without_answers(whole))
        async with listening(document, f"{vendor}-mock-{number}") as prism:
            base = prism + simulator.prefix
            async with on_stage(connector, simulator.credentials, base=base, behind=base) as stage:
                for module in here:
                    await _judged(stage, module, whole, simulator.prefix)
        count.violations += stage.violations
        count.covered |= {each.module for each in stage.exchanges}
    return count


def _has(module: ModuleDef, document: Document, prefix: str) -> bool:
    try:
        return bool(operation_of(module, document, prefix))
    except LookupError:
        return False


async def _judged(stage: Stage, module: ModuleDef, document: Document, prefix: str) -> None:
    for least in (True, False):
        try:
            mapper = mapper_for(module, document, prefix, least=least)
            await _first(stage, module, bind(module, mapper, {}))
        except (JunctorError, LookupError, TypeError, ValueError) as error:
            stage.failed(f"{module.id} ({'least' if least else 'all'})", error)


async def _first(stage: Stage, module: ModuleDef, arguments: Mapping[str, Any]) -> None:
    async def send(request: Request | Ask, _step: int) -> Response:
        assert isinstance(request, Request)
        await stage.judged(module.id, request)
        raise _Enough

    try:
        await perform(module, arguments, send)
    except _Enough:
        return
    raise ValueError("it sent nothing")


def operation_of(module: ModuleDef, document: Document, prefix: str) -> dict[str, Any]:
    """What the document says of a module's operation. `LookupError` if it says nothing."""
    told = _TOLD.search(module.help)
    if told is None:
        raise LookupError("its help does not name its operation")
    method, route = told[1].lower(), shape(prefix + told[2])
    for path, row in document["paths"].items():
        if shape(path) == route and method in row:
            found: dict[str, Any] = row[method]
            return {
                **found,
                "parameters": [*row.get("parameters", ()), *found.get("parameters", ())],
            }
    raise LookupError(f"the document has no {told[1]} {prefix}{told[2]}")


def mapper_for(
    module: ModuleDef, document: Document, prefix: str, *, least: bool
) -> dict[str, Any]:
    """Values for a module's fields, as a user would map them."""
    operation = operation_of(module, document, prefix)
    maker = Maker(document, f"{module.id} {least}", required_only=least)
    needed, schemas = _schemas(operation, document)
    form = schema_of(module)["properties"]
    mapper: dict[str, Any] = {}
    for slot in slots_of(module.function):
        if slot.name == module.limit_field:
            mapper[slot.key] = 20
            continue
        name = _vendors(slot, schemas)
        if least and not slot.required and name not in needed:
            continue
        if slot.hint is bytes:
            mapper[slot.key] = b"data"
        elif schemas.get(name):
            mapper[slot.key] = maker.asked(schemas[name])
        else:
            mapper[slot.key] = maker.value(form[slot.key])
        if slot.field.format == "phone":
            # The form asks for more than the document: a number that there can be.
            many = isinstance(mapper[slot.key], list)
            mapper[slot.key] = [PHONE] if many else PHONE
    return mapper


def _schemas(operation: Mapping[str, Any], document: Document) -> tuple[set[str], dict[str, Any]]:
    """By the vendor's name in letters alone: the schema of each parameter and body property."""
    found: dict[str, Any] = {}
    needed: set[str] = set()
    for reference in operation.get("parameters", ()):
        each = follow(document, reference)
        if each.get("in") == "header":
            continue  # the connection's business, or the connector's
        key = _key(each["name"])
        found[key] = each.get("schema", {})
        if each.get("required"):
            needed.add(key)
    body = follow(document, operation.get("requestBody", {}))
    for row in body.get("content", {}).values():
        rows, must = _properties(document, row.get("schema", {}))
        for name, schema in rows.items():
            found.setdefault(_key(name), schema)
            found["body" + _key(name)] = schema
        needed |= {_key(name) for name in must}
        found[WHOLE] = row.get("schema", {})
        if body.get("required"):
            needed.add(WHOLE)
        break
    return needed, found


def _properties(document: Document, schema: Any) -> tuple[dict[str, Any], list[str]]:
    plain = follow(document, schema)
    rows, must = dict(plain.get("properties", {})), list(plain.get("required", ()))
    parts = [*plain.get("allOf", ()), *(plain.get("oneOf") or plain.get("anyOf") or ())[:1]]
    for part in parts:
        more, needed = _properties(document, part)
        rows, must = {**more, **rows}, [*must, *needed]
    return rows, must


def _vendors(slot: Slot, schemas: Mapping[str, Any]) -> str:
    if slot.key == "body" and slot.field.help == WHOLE_BODY:
        return WHOLE
    name = _key(slot.key)
    for tried in (name, name.removeprefix("path"), name.removeprefix("query")):
        if tried in schemas:
            return tried
    return name


def _key(name: str) -> str:
    spoken = name.replace("<", "before").replace(">", "after")
    return re.sub(r"[^a-z0-9]", "", spoken.lower())
