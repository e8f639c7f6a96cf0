"""Compiles Crisp's routes into the connector's catalogue: facts only.

python -m tools.catalogue_crisp SPECS  writes src/junctor/connectors/crisp/catalogue.json

SPECS is a folder with ``crisp_rest_v1.derived.openapi.json`` and
``routes_from_node_sdk_11.3.0.json``, derived from the vendor's library for Node (crisp-api 11.3.0,
MIT). What is taken: methods, paths, names and types of parameters and bodies, choices, tiers.
Descriptions and examples are not.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from junctor.language.catalogue import words

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "src" / "junctor" / "connectors" / "crisp" / "catalogue.json"
SPEC = "crisp_rest_v1.derived.openapi.json"
ROUTES = "routes_from_node_sdk_11.3.0.json"

KEPT = ("type", "enum", "format")
REF = "#/components/schemas/"

Schema = dict[str, Any]


def schema(found: Schema) -> Schema:
    """A schema without its descriptions."""
    if "$ref" in found:
        return {"$ref": found["$ref"].removeprefix(REF)}
    out = {key: found[key] for key in KEPT if key in found}
    if "const" in found:
        out["enum"] = [found["const"]]
    if "items" in found:
        out["items"] = schema(found["items"])
    if found.get("properties"):
        out["properties"] = {name: schema(each) for name, each in found["properties"].items()}
        if found.get("required"):
            out["required"] = sorted(found["required"])
    return out


def result(operation: dict[str, Any]) -> str:
    """``list``, ``object`` or ``none``: what the answer's data is."""
    content = operation["responses"]["200"].get("content")
    if not content:
        return "none"
    data = content["application/json"]["schema"]["properties"].get("data") or {}
    if data.get("type") == "array":
        return "list"
    return "object" if data else "none"


def used(types: dict[str, Schema], roots: list[Schema]) -> dict[str, Schema]:
    """The types that these schemas need, and those need, by name."""
    found: dict[str, Schema] = {}
    waiting = list(roots)
    while waiting:
        each = waiting.pop()
        name = each.get("$ref")
        if name and name not in found and name in types:
            found[name] = schema(types[name])
            waiting.append(found[name])
        waiting += each.get("properties", {}).values()
        if "items" in each:
            waiting.append(each["items"])
    return dict(sorted(found.items()))


def named(routes: list[dict[str, Any]]) -> dict[tuple[str, str], str]:
    """A name for each route: the library's method, with its class where two share one."""
    counts = Counter(route["sdk_method"] for route in routes)
    names: dict[tuple[str, str], str] = {}
    for route in routes:
        name = route["sdk_method"]
        if counts[name] > 1:
            name = f"{name}Of{route['sdk_class'].removesuffix('Service')}"
        # A route that two methods of the library share is one operation.
        names.setdefault((route["method"], route["path"]), name)
    return names


LABELS = {
    "batchBlockConversations": "Block conversations in bulk",
    "batchInboxConversations": "Move conversations to an inbox in bulk",
    "batchOrderInboxes": "Set the order of inboxes",
    "batchReadConversations": "Mark conversations as read in bulk",
    "batchRemoveConversations": "Remove conversations or people in bulk",
    "batchReportConversations": "Report conversations in bulk",
    "batchResolveConversations": "Resolve conversations in bulk",
    "batchRoutingConversations": "Assign conversations in bulk",
    "batchUnreadConversations": "Mark conversations as unread in bulk",
    "batchUnresolveConversations": "Reopen conversations in bulk",
    "batchUpdateConversationsData": "Update data of conversations or people in bulk",
    "batchUpdateConversationsSegments": "Update segments of conversations or people in bulk",
    "changeBillPeriodForWebsitePlanSubscription": "Change the period of a website's plan",
    "checkConnectSessionValidity": "Check if the plugin's session exists",
    "checkCouponAvailabilityForWebsitePlanSubscription": "Get a coupon for a website's plan",
    "deliverWidgetDataFetchActionForConversation": "Fetch or edit data of a conversation's widget",
    "getConnectAccount": "Get the plugin's account",
    "getConnectEndpointsOfPluginConnect": "Get real-time endpoints of the plugin",
    "getConnectEndpointsOfWebsiteConnect": "Get real-time endpoints of a website",
    "getConversationMetas": "Get a conversation's details",
    "getConversationRoutingAssign": "Get a conversation's operator",
    "getSubscriptionDetails": "Get a plugin subscription",
    "getSubscriptionSettings": "Get settings of a plugin subscription",
    "listAllActiveSubscriptionsOfPlanSubscription": "List active plan subscriptions",
    "listAllActiveSubscriptionsOfPluginSubscription": "List active plugin subscriptions",
    "listAllConnectWebsites": "List websites of the plugin",
    "listAnimationMedias": "List animations",
    "listConnectWebsitesSince": "List websites of the plugin since a date",
    "listSubscriptionsForWebsite": "List plugin subscriptions of a website",
    "markConversationAsUnread": "Mark a conversation as unread",
    "markMessagesDeliveredInConversation": "Mark messages as delivered",
    "pinpointVisitorsOnMap": "Locate visitors on a map",
    "redeemCouponForWebsitePlanSubscription": "Redeem a coupon for a website's plan",
    "reportPluginUsageToBill": "Report usage of a plugin to its bill",
    "rollVerifyKey": "Replace the verification key",
    "saveSubscriptionSettings": "Save settings of a plugin subscription",
    "updateConversationOpenState": "Mark a conversation as open or closed",
    "updateSubscriptionSettings": "Update settings of a plugin subscription",
}
"""Names that rules alone would leave in the library's jargon."""

UNCOUNTED = {"data", "status", "settings", "content", "metadata", "analytics", "feedback"}
WITH_ARTICLE = {
    *("get", "remove", "delete", "create", "add", "save", "update", "check", "change", "cancel"),
    *("dispatch", "pause", "resume", "test", "invite", "unlink", "redeem", "initiate", "send"),
    *("schedule", "report", "request", "assist", "abort", "forward", "generate", "compose"),
    *("subscribe", "unsubscribe", "deliver", "mark", "submit", "export", "import"),
}
JOINTS = {"in", "for", "of", "to", "from", "on", "with", "as", "exists"}


def label(name: str) -> str:
    """A label in our words: ``resolveHelpdeskLocale`` is *Get a helpdesk locale*."""
    if name in LABELS:
        return LABELS[name]
    verb, *rest = words(name).split()
    if verb == "Resolve":
        verb = "Get"
    rest = [word for word in rest if word not in {"new", "existing", "ongoing"}]
    out: list[str] = []
    phrase: list[str] = []
    counted = verb.lower() in WITH_ARTICLE
    for word in [*rest, ""]:
        if word and word not in JOINTS:
            phrase.append(word)
            continue
        singular = phrase and (
            phrase[-1] not in UNCOUNTED and (phrase[-1][-1] != "s" or phrase[-1][-2:] == "ss")
        )
        if counted and singular:
            out.append("an" if phrase[0][0].lower() in "aeio" else "a")
        out += phrase
        phrase = []
        counted = True
        if word:
            out.append(word)
    text = " ".join([verb, *out])
    return text.replace("Check a", "Check if a", 1) if text.endswith(" exists") else text


def compile_catalogue(spec: dict[str, Any], routes: list[dict[str, Any]]) -> dict[str, Any]:
    """The catalogue, in the form of `junctor.language.catalogue`."""
    names = named(routes)
    operations = []
    roots: list[Schema] = []
    for path, methods in sorted(spec["paths"].items()):
        for method, operation in sorted(methods.items()):
            row: dict[str, Any] = {
                "name": names[method.upper(), path],
                "label": label(names[method.upper(), path]),
                "method": method.upper(),
                "path": path.removeprefix("/v1"),
                "result": result(operation),
            }
            query = [each for each in operation["parameters"] if each["in"] == "query"]
            if query:
                row["query"] = {each["name"]: schema(each["schema"]) for each in query}
            needs = [each["name"] for each in query if each.get("required")]
            if needs:
                row["needs"] = needs
            body = operation.get("requestBody")
            if body is not None:
                row["body"] = schema(body["content"]["application/json"]["schema"])
                row["body_required"] = bool(body.get("required"))
                roots.append(row["body"])
            roots += row.get("query", {}).values()
            if operation.get("x-crisp-tiers"):
                row["tiers"] = operation["x-crisp-tiers"]
            operations.append(row)
    return {
        "source": "npm crisp-api 11.3.0: its routes and types",
        "licence": "MIT",
        "types": used(spec["components"]["schemas"], roots),
        "operations": operations,
    }


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print(__doc__)
        return 2
    folder = Path(arguments[0])
    spec = json.loads((folder / SPEC).read_text(encoding="utf-8"))
    routes = json.loads((folder / ROUTES).read_text(encoding="utf-8"))
    made = compile_catalogue(spec, routes)
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in made["operations"])
    types = ",\n".join(
        f"{json.dumps(name)}:{json.dumps(each, separators=(',', ':'))}"
        for name, each in made["types"].items()
    )
    OUT.write_text(
        f'{{"source":{json.dumps(made["source"])},"licence":{json.dumps(made["licence"])},\n'
        f'"types":{{\n{types}\n}},\n"operations":[\n{lines}\n]}}\n',
        encoding="utf-8",
    )
    print(f"{len(made['operations'])} operations, {len(made['types'])} types: {OUT.name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
