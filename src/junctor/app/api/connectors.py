"""Connectors on offer."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Router, get, post
from litestar.params import FromPath, JSONBody

from junctor.app.api.connections import Option, Options, OptionsAsked
from junctor.app.api.http import ApiRequest, Page, core_of
from junctor.errors import NotFound
from junctor.language import forms
from junctor.language.connector import Connector, Example, ModuleDef

__all__ = ["router"]


class ModuleView(msgspec.Struct):
    """A module on offer, with its form as JSON Schema."""

    id: str
    name: str
    label: str
    kind: str
    help: str
    schema: dict[str, Any]
    examples: list[str]
    """Of what sorts of bundles there is an example."""


class ExampleView(msgspec.Struct):
    """A bundle as a module may give it out, and what such bundles hold, as JSON Schema."""

    name: str
    bundle: dict[str, Any]
    schema: dict[str, Any]


class ConnectorSummary(msgspec.Struct):
    """A connector in a list."""

    name: str
    label: str
    help: str
    modules: int


class ConnectorView(msgspec.Struct):
    """A connector with its modules and the forms of its connections."""

    name: str
    label: str
    help: str
    docs: str
    modules: list[ModuleView]
    connections: dict[str, dict[str, Any]]


@get("/connectors", summary="List connectors")
async def list_connectors(request: ApiRequest) -> Page[ConnectorSummary]:
    """Every connector installed here."""
    found = sorted(core_of(request).registry.connectors(), key=lambda each: each.name)
    return Page(
        items=[
            ConnectorSummary(each.name, each.label, each.help, len(each.modules)) for each in found
        ]
    )


@get("/connectors/{name:str}", summary="A connector")
async def read_connector(request: ApiRequest, name: FromPath[str]) -> ConnectorView:
    """A connector with its modules' forms."""
    found = core_of(request).registry.connector(name)
    if found is None:
        raise NotFound(f"There is no connector '{name[:60]}'.")
    return ConnectorView(
        name=found.name,
        label=found.label,
        help=found.help,
        docs=found.docs,
        modules=[_module(module) for module in found.modules.values()],
        connections={kind: _form(found, kind) for kind in found.connections},
    )


@get("/connectors/{name:str}/modules/{module:str}/examples", summary="Examples of bundles")
async def read_examples(
    request: ApiRequest, name: FromPath[str], module: FromPath[str]
) -> Page[ExampleView]:
    """What a module gives out, one of each sort, to map before the first real one came."""
    found = core_of(request).registry.find(f"{name}:{module}")
    if found is None:
        raise NotFound(f"There is no module '{name[:60]}:{module[:60]}'.")
    return Page(
        [ExampleView(each.name, dict(each.bundle), dict(each.schema)) for each in _of(found)]
    )


@post("/connectors/{name:str}/options", summary="A pick-list without account", status_code=200)
async def list_own_options(
    request: ApiRequest, name: FromPath[str], data: JSONBody[OptionsAsked]
) -> Options:
    """What a field of a module may hold whose connector has no accounts: Junctor's own things, such
    as the hooks that a run can wait for.
    """
    from junctor.app.picking import choices

    if data.module.partition(":")[0] != name:
        raise NotFound(f"'{data.module[:60]}' is no module of '{name[:60]}'.")
    rows = await choices(
        core_of(request),
        request.user.organization_id,
        data.module,
        data.field,
        connection_id=None,
        values=data.values,
    )
    return Options([Option(row.value, row.label) for row in rows])


def _of(module: ModuleDef) -> tuple[Example, ...]:
    return tuple(module.examples()) if module.examples is not None else ()


def _module(module: ModuleDef) -> ModuleView:
    schema = dict(forms.schema_of(module))
    names = [example.name for example in _of(module)]
    return ModuleView(module.id, module.name, module.label, module.kind, module.help, schema, names)


def _form(connector: Connector, kind: str) -> dict[str, Any]:
    form = connector.connections[kind].form
    return dict(forms.form_of(form, connector=connector.name))


router = Router(
    path="/",
    tags=["connectors"],
    route_handlers=[list_connectors, read_connector, read_examples, list_own_options],
)
