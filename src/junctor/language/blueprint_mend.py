"""Module names that circulate and that Make never had, and what is meant by each.

Blueprints written by language models and by hand hold ids such as ``builtin:Sleep``. They are read
as the module that does what the name says, with its fields under their real names. The document
itself is not changed: an export gives back what was imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

__all__ = ["MENDS", "OPERATORS", "UNAVAILABLE", "Mend", "Mended", "advice_for", "mended", "nearest"]


@dataclass(frozen=True, slots=True)
class Mend:
    """What an invented name is read as."""

    module: str
    fields: Mapping[str, str] = field(default_factory=dict)
    """Field as written → field of the real module, wherever it stands."""
    note: str = ""
    """What else to know, as a sentence."""
    filter_field: str | None = None
    """A field that holds what belongs into the module's filter."""


_SCHEDULE = "When a scenario starts is said in its scheduling, not by a module: set it there."
_PASSES = "Bundles pass through it."
_ITEMS = {"items": "array", "list": "array", "data": "array", "input": "array"}
_SECONDS = {"timeout": "duration", "delay": "duration", "seconds": "duration", "time": "duration"}
_HOOK = {"webhook": "hook", "webhookId": "hook", "hookId": "hook"}
_REPLY = {"statusCode": "status", "responseBody": "body", "content": "body", "data": "body"}
_FEEDER = Mend("builtin:BasicFeeder", _ITEMS)
_SLEEP = Mend("util:FunctionSleep", _SECONDS)
_NUMBERS = Mend("util:FunctionAggregator2", {"function": "fn", "sourceModule": "feeder"})
_NOTHING = Mend("placeholder:Placeholder", note=_PASSES)
_FILTER = Mend(
    "placeholder:Placeholder",
    note="A filter stands on the module that it guards; this one guards what follows.",
    filter_field="conditions",
)
_SCHEDULER = Mend("placeholder:Placeholder", note=_SCHEDULE)

MENDS: Mapping[str, Mend] = {
    "builtin:BasicFilter": _FILTER,
    "builtin:BasicIterator": _FEEDER,
    "builtin:BasicScheduleTrigger": _SCHEDULER,
    "builtin:BasicScheduler": _SCHEDULER,
    "builtin:Filter": _FILTER,
    "builtin:Iterator": _FEEDER,
    "builtin:Noop": _NOTHING,
    "builtin:Router": Mend("builtin:BasicRouter"),
    "builtin:Scheduler": _SCHEDULER,
    "builtin:Sleep": _SLEEP,
    "datastore:ActionAddRecord": Mend("datastore:AddRecord"),
    "datastore:ActionGetRecord": Mend("datastore:GetRecord"),
    "datastore:ActionSearchRecords": Mend("datastore:SearchRecord"),
    "datastore:ActionUpdateRecord": Mend("datastore:UpdateRecord"),
    "datastore:SearchRecords": Mend("datastore:SearchRecord"),
    "flow:ActionRouter": Mend("builtin:BasicRouter"),
    "flow:Router": Mend("builtin:BasicRouter"),
    "flow:Sleep": _SLEEP,
    "gateway:CustomWebhook": Mend("gateway:CustomWebHook", _HOOK),
    "gateway:RunOnSchedule": _SCHEDULER,
    "gateway:WebhookResponse": Mend("gateway:WebhookRespond", _REPLY),
    "tools:Compose": Mend("util:ComposeTransformer", {"text": "value"}),
    "tools:ComposeString": Mend("util:ComposeTransformer", {"text": "value"}),
    "tools:GetVariable": Mend("util:GetVariable2"),
    "tools:GetVariables": Mend("util:GetVariables"),
    "tools:IncrementFunction": Mend("util:FunctionIncrement"),
    "tools:Iterator": _FEEDER,
    "tools:NumericAggregator": _NUMBERS,
    "tools:SetMultipleVariables": Mend("util:SetVariables"),
    "tools:SetVariable": Mend("util:SetVariable2"),
    "tools:SetVariables": Mend("util:SetVariables"),
    "tools:Sleep": _SLEEP,
    "tools:Switch": Mend("util:Switcher"),
    "tools:TextAggregator": Mend(
        "util:TextAggregator",
        {"text": "value", "delimiter": "otherRowSeparator", "separator": "otherRowSeparator"},
    ),
    "util:NumericAggregator": _NUMBERS,
    "util:NumericalAggregator": _NUMBERS,
    "util:Sleep": _SLEEP,
    "util:TableAggregator": Mend("util:AggregateAggregator"),
    "webhook:CustomWebhook": Mend("gateway:CustomWebHook", _HOOK),
    "webhook:customWebhook": Mend("gateway:CustomWebHook", _HOOK),
}
"""Invented name → what it is read as. ``http:MakeARequest`` depends on its fields: `mended`."""

_V4 = frozenset(
    {
        "authenticationType",
        "queryParameters",
        "jsonStringBodyContent",
        "inputMethod",
        "bodyContent",
        "stopOnHttpError",
        "allowRedirects",
    }
)
"""Fields that only the newer HTTP module has."""

_MAPPED = frozenset({"value", "array", "duration", "status", "body"})
"""Real fields that stand in the mapper, even if the invented module had them as parameters."""

OPERATORS: Mapping[str, str] = {
    "array:contains": "array:contain",
    "array:notcontains": "array:notcontain",
    "basic:exist": "exist",
    "basic:exists": "exist",
    "basic:notexist": "notexist",
    "boolean:equals": "boolean:equal",
    "contains": "text:contain",
    "date:after": "date:greater",
    "date:before": "date:less",
    "equal": "text:equal",
    "equals": "text:equal",
    "exists": "exist",
    "notequal": "text:notequal",
    "notexists": "notexist",
    "number:equals": "number:equal",
    "number:greaterequal": "number:greaterorequal",
    "number:greaterthan": "number:greater",
    "number:greaterthanorequal": "number:greaterorequal",
    "number:lessequal": "number:lessorequal",
    "number:lessthan": "number:less",
    "number:lessthanorequal": "number:lessorequal",
    "number:notequals": "number:notequal",
    "string:contain": "text:contain",
    "string:contains": "text:contain",
    "string:notequal": "text:notequal",
    "text:contains": "text:contain",
    "text:endswith": "text:endwith",
    "text:equals": "text:equal",
    "text:exists": "exist",
    "text:matches": "text:pattern",
    "text:notcontains": "text:notcontain",
    "text:notequals": "text:notequal",
    "text:regex": "text:pattern",
    "text:startswith": "text:startwith",
}
"""Invented filter operator, in lower case → the one that is meant."""

UNAVAILABLE: Mapping[str, str] = {
    "ai-tools": "It works with Make's own language model",
    "ai-local-agent": "It is Make's own agent, which works with Make's own language model",
    "ai": "It works with Make's own language model",
    "code": "Code only runs where it can be isolated from this machine, and no such way is here",
    "custom-js": "Code only runs where it can be isolated from this machine, and no such way is "
    "here",
}
"""App → why its modules can't run here."""

_OWN = frozenset(
    {"builtin", "util", "gateway", "tools", "flow", "json", "csv", "xml", "regexp", "datastore"}
    | {"markdown", "rss", "email", "scenario-service", "scenarios", "placeholder"}
)
"""Apps that belong to the language itself: no vendor's API stands behind them."""


@dataclass(frozen=True, slots=True)
class Mended:
    """An invented module under its real name."""

    module: str
    parameters: dict[str, Any]
    mapper: Any
    filter: Any
    fields: tuple[tuple[str, str], ...]
    """Fields that were read under another name."""
    note: str


def mended(name: str, parameters: dict[str, Any], mapper: Any, filter_: Any) -> Mended | None:
    """The real module for an invented name; ``None`` for every other name."""
    mend = _http(parameters, mapper) if name == "http:MakeARequest" else MENDS.get(name)
    if mend is None:
        return None
    own = dict(mapper) if isinstance(mapper, dict) else {}
    kept: dict[str, Any] = {}
    renamed: list[tuple[str, str]] = []
    taken = parameters.keys() | own.keys()
    for key, value in parameters.items():
        meant = mend.fields.get(key, key)
        if meant != key and meant in taken:
            meant = key  # the real field is there as well: it counts
        if meant != key:
            renamed.append((key, meant))
        if meant in _MAPPED and meant != key:
            own.setdefault(meant, value)
        else:
            kept[meant] = value
    for key in [key for key in own if mend.fields.get(key, key) not in {key, *taken}]:
        renamed.append((key, mend.fields[key]))
        own[mend.fields[key]] = own.pop(key)
    if "otherRowSeparator" in kept:
        kept.setdefault("rowSeparator", "other")
    if mend.filter_field is not None and filter_ in (None, {}, []):
        conditions = own.pop(mend.filter_field, None) or kept.pop(mend.filter_field, None)
        if isinstance(conditions, list):
            filter_ = {"name": "", "conditions": conditions}
            renamed.append((mend.filter_field, "filter.conditions"))
    changed = own if isinstance(mapper, dict) or own else mapper
    return Mended(mend.module, kept, changed, filter_, tuple(renamed), mend.note)


def nearest(wanted: str, offered: list[str]) -> str | None:
    """The module on offer whose id looks most like a mistyped or half-remembered one."""
    folded = {each.casefold(): each for each in offered}
    app, _, name = wanted.casefold().partition(":")
    if wanted.casefold() in folded:
        return folded[wanted.casefold()]
    beside = [each for each in folded if each.startswith(app + ":")]
    found = get_close_matches(f"{app}:{name}", beside, n=1, cutoff=0.8)
    if not found:
        found = get_close_matches(f"{app}:{name}", list(folded), n=1, cutoff=0.87)
    return folded[found[0]] if found else None


def advice_for(app: str) -> str:
    """What to do about an app that nobody here offers."""
    reason = UNAVAILABLE.get(app)
    if reason is not None:
        return f"{reason}. Call a service for it with http:MakeRequest."
    if app in _OWN:
        return "Replace it by a module from the list (`junctor connectors`)."
    if app == "http":
        return "Use http:MakeRequest, which can authenticate too."
    return (
        f"Call {app}'s API with http:MakeRequest, or import its OpenAPI description to get "
        "modules for it."
    )


def _http(parameters: Mapping[str, Any], mapper: Any) -> Mend:
    given = parameters.keys() | (mapper.keys() if isinstance(mapper, dict) else set())
    return Mend("http:MakeRequest" if given & _V4 else "http:ActionSendData")
