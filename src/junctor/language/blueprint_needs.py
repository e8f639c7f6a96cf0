"""What a blueprint asks for before it can run here: connections, hooks, data stores and the like.

Their numbers in an export mean something only in the organisation it came from, so an import asks
for each of them once. Exports describe themselves: ``metadata.parameters`` has the type, and
``metadata.restore`` the name the user knew it by.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from junctor.language.blueprint_place import find, placed
from junctor.language.lossless import path_text, plain
from junctor.language.scenario import Scenario

__all__ = ["Requirement", "requirements"]

_KINDS = {
    "account": "connection",
    "hook": "hook",
    "keychain": "keychain",
    "datastore": "datastore",
    "udt": "structure",
    "scenario": "scenario",
    "device": "device",
    "aiagent": "agent",
}
"""First part of a form type → what it is called here."""

_PARAMETERS = {
    "__IMTCONN__": "account",
    "account": "account",
    "connection": "account",
    "makeConnectionId": "account",
    "__IMTHOOK__": "hook",
    "hook": "hook",
    "datastore": "datastore",
}
"""Parameters that name a requirement by themselves, in blueprints without ``metadata``."""

_HOOKED = {"gateway:CustomWebHook": "gateway-webhook", "gateway:CustomMailHook": "gateway-mailhook"}
"""Triggers that can't do without a hook, whatever their parameters say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One thing to choose on import, and the modules that use it."""

    kind: str
    """``connection``, ``hook``, ``keychain``, ``datastore``, ``structure``, ``scenario`` …"""
    type: str
    """As the form says it: ``account:google``, ``hook:gateway-webhook``, ``datastore``."""
    parameter: str
    """The static parameter that holds it, e.g. ``__IMTCONN__``."""
    value: Any
    """Its number (or a placeholder text) in the blueprint; None: not chosen yet."""
    label: str
    """What its former owner called it, or the best name there is."""
    modules: tuple[int, ...]
    """Ids of the modules that use it."""
    paths: tuple[str, ...]
    """Where its value stands, as JSON paths."""


def requirements(scenario: Scenario, document: Any) -> list[Requirement]:
    """What the blueprint's modules ask for, each once, in order of first use."""
    place = find(document)
    raw_at = {path_text(s, "").removeprefix("."): (s, raw) for s, raw in placed(place.blueprint)}
    found: dict[tuple[Any, ...], Requirement] = {}
    for module in scenario.modules():
        steps, raw = raw_at[module.path]
        connector = module.module.partition(":")[0]
        for parameter, form_type, declared in _asked(raw, module.module):
            value = module.parameters.get(parameter)
            kind = _KINDS[form_type.partition(":")[0]]
            path = path_text((*place.path, *steps, "parameters", parameter))
            made = Requirement(
                kind=kind,
                type=form_type,
                parameter=parameter,
                value=value,
                label=_label(raw, parameter) or f"{connector} {kind}",
                modules=(module.id,),
                paths=(path,),
            )
            key = _identity(made, declared=declared)
            known = found.get(key)
            found[key] = made if known is None else _joined(known, made)
    return list(found.values())


def _identity(made: Requirement, *, declared: bool) -> tuple[Any, ...]:
    """What makes two askings one. A number is one account whatever each module's form calls it."""
    if made.value is None or made.value == "":
        return (made.kind, made.paths)
    if declared and isinstance(made.value, int):
        return (made.kind, made.value)
    return (made.kind, made.type, repr(made.value))


def _joined(known: Requirement, more: Requirement) -> Requirement:
    return replace(
        known, modules=(*known.modules, *more.modules), paths=(*known.paths, *more.paths)
    )


def _asked(raw: Mapping[str, Any], name: str) -> Iterator[tuple[str, str, bool]]:
    """Parameters of one module to be chosen, their form types, and if its form said so."""
    given = raw.get("parameters")
    parameters = given if isinstance(given, dict) else {}
    connector = name.partition(":")[0]
    said: set[str] = set()
    for field in _form(raw):
        parameter, kind = field.get("name"), field.get("type")
        if not isinstance(parameter, str) or not isinstance(kind, str):
            continue
        if kind.partition(":")[0] in _KINDS:
            said.add(parameter)
            if not _empty(parameters.get(parameter)) or field.get("required") is True:
                yield parameter, kind, True
    for parameter, kind in _PARAMETERS.items():
        if parameter not in said and not _empty(parameters.get(parameter)):
            said.add(parameter)
            yield parameter, kind if kind == "datastore" else f"{kind}:{connector}", False
    if name in _HOOKED and "hook" not in said:
        yield "hook", f"hook:{_HOOKED[name]}", False


def _form(raw: Mapping[str, Any]) -> list[dict[str, Any]]:
    metadata = raw.get("metadata")
    form = metadata.get("parameters") if isinstance(metadata, dict) else None
    return [field for field in form if isinstance(field, dict)] if isinstance(form, list) else []


def _empty(value: Any) -> bool:
    return value is None or value == ""


def _label(raw: Mapping[str, Any], parameter: str) -> str:
    value: Any = raw
    for key in ("metadata", "restore", "parameters", parameter, "label"):
        value = value.get(key) if isinstance(value, dict) else None
    return str(plain(value)) if isinstance(value, str) else ""
