"""Compiles SignalWire's operations into the connector's catalogue: facts only.

python -m tools.catalogue_signalwire SPECS  writes src/junctor/connectors/signalwire/catalogue.json

SPECS is a folder with ``compatibility.wire.openapi.json`` and ``signalwire-rest.openapi.yaml``, the
vendor's own documents of its Compatibility (cXML) and REST APIs (MIT). What is taken: methods,
paths, names and types of parameters and bodies, choices, which key of an answer holds a list.
Descriptions and examples are not. It needs PyYAML.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from junctor.language.catalogue import words

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "src" / "junctor" / "connectors" / "signalwire" / "catalogue.json"
LAML = "compatibility.wire.openapi.json"
REST = "signalwire-rest.openapi.yaml"
METHODS = ("get", "post", "put", "patch", "delete")
KEPT = ("type", "enum", "format")
PAGES = {"Page", "PageSize", "PageToken", "page_number", "page_size", "page_token"}
BASIC = "SignalWireBasicAuth"
REF = "#/components/schemas/"

BY_HAND = frozenset(
    (
        "createMessage",
        "deleteRecording",
        "getRecording",
        "listNumberGroups",
        "listRecordings",
    )
)
"""Names of modules made by hand that operations of the REST API have, too."""

Schema = dict[str, Any]
Document = dict[str, Any]


def schema(found: Schema) -> Schema:
    """A schema without its texts; a union with null is its other part."""
    if "$ref" in found:
        return {"$ref": found["$ref"].removeprefix(REF)}
    for key in ("allOf", "anyOf", "oneOf"):
        parts = [part for part in found.get(key, ()) if part.get("type") != "null"]
        if len(parts) == 1:
            return schema(parts[0])
        if parts:
            return {}
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


def resolved(document: Document, found: Any) -> Any:
    """What a reference stands for, and what a schema of one part is."""
    while isinstance(found, dict):
        if "$ref" in found:
            target: Any = document
            for part in found["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            found = target
        elif len(found.get("allOf", ())) == 1:
            found = found["allOf"][0]
        else:
            break
    return found


def answer(document: Document, operation: Document) -> tuple[str, str]:
    """``list``, ``object`` or ``none``, and the key that holds the list."""
    good = [code for code in operation["responses"] if code.startswith("2")]
    found = resolved(document, operation["responses"][good[0]]) if good else {}
    content = found.get("content", {}).get("application/json", {}).get("schema")
    if content is None:
        return "none", ""
    whole = resolved(document, content)
    if whole.get("type") == "array":
        return "list", ""
    properties = {
        name: resolved(document, each) for name, each in whole.get("properties", {}).items()
    }
    lists = [name for name, each in properties.items() if each.get("type") == "array"]
    paged = {"next_page_uri", "links"} & properties.keys()
    if lists and (paged or len(properties) <= 2):
        return "list", lists[-1]
    return "object", ""


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


def camel(name: str) -> str:
    """``list_all-calls`` as ``listAllCalls``."""
    head, *tail = [part for part in re.split(r"[^A-Za-z0-9]+", name) if part]
    return head[0].lower() + head[1:] + "".join(part[0].upper() + part[1:] for part in tail)


def area(path: str) -> str:
    """The part of the vendor's API that a path belongs to, as a word."""
    return {"relay": "number", "api": ""}.get(path.split("/")[2], path.split("/")[2])


def ours(found: Document) -> bool:
    """Whether a project's token may do it; some are for the tokens of subscribers' browsers."""
    ways = found.get("security")
    return ways is None or any(not way or BASIC in way for way in ways)


def apart(laml: str, rest: Document) -> Document:
    """The Compatibility API's document, its types renamed where the other has others so named."""
    plain = json.loads(laml)["components"]["schemas"]
    other = rest["components"]["schemas"]
    for name in sorted(plain.keys() & other.keys()):
        if schema(plain[name]) != schema(other[name]):
            laml = laml.replace(f'"{REF}{name}"', f'"{REF}{name}Laml"')
            laml = laml.replace(f'"{name}":', f'"{name}Laml":')
    found: Document = json.loads(laml)
    return found


def operations(document: Document, *, laml: bool) -> Iterator[dict[str, Any]]:
    """The operations of one document, in its order."""
    for path, item in document["paths"].items():
        if path.endswith(".json"):
            continue  # another spelling of the same
        for method in METHODS:
            if method in item and ours(item[method]):
                yield one(document, path, method, item[method], item, laml=laml)


def one(
    document: Document, path: str, method: str, found: Document, item: Document, *, laml: bool
) -> dict[str, Any]:
    """One operation."""
    rows = [resolved(document, row) for row in (*item.get("parameters", ()),
                                                *found.get("parameters", ()))]  # fmt: skip
    query = {row["name"]: row for row in rows if row["in"] == "query"}
    result, items = answer(document, found)
    out: dict[str, Any] = {
        "name": camel(("laml_" if laml else "") + found["operationId"]),
        "method": method.upper(),
        "path": path,
        "api": "cXML" if laml else area(path),
    }
    kept = {name: schema(row.get("schema", {})) for name, row in query.items() if name not in PAGES}
    if kept:
        out["query"] = kept
        needs = sorted(name for name in kept if query[name].get("required"))
        if needs:
            out["needs"] = needs
    body = resolved(document, found.get("requestBody", {}))
    for kind, content in body.get("content", {}).items():
        out["body"] = schema(content["schema"])
        if body.get("required"):
            out["body_required"] = True
        if kind == "application/x-www-form-urlencoded":
            out["form"] = True
    out["result"] = result
    if items:
        out["items"] = items
    if query.keys() & PAGES:
        out["paging"] = "laml" if laml else "rest"
    return out


def labelled(rows: list[dict[str, Any]]) -> None:
    """Names and labels that each stand for one operation; a name made by hand keeps its meaning."""
    names = [row["name"] for row in rows]
    seen: set[str] = set()
    for row in rows:
        if row["name"] in BY_HAND:
            row["name"] += "Rest"
        if names.count(row["name"]) > 1 and row["name"] in seen:
            row["name"] += row["api"].capitalize()
        seen.add(row["name"])
        said = words(row["name"].removeprefix("laml").removesuffix("Rest"))
        row["label"] = f"{said} ({row['api']} API)"


def compiled(folder: Path) -> Document:
    """The catalogue."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    rest = yaml.load((folder / REST).read_text(encoding="utf-8"), Loader=loader)  # a safe one
    laml = apart((folder / LAML).read_text(encoding="utf-8"), rest)
    rows = [*operations(laml, laml=True), *operations(rest, laml=False)]
    labelled(rows)
    types: dict[str, Schema] = {}
    for document in (laml, rest):
        types |= document["components"]["schemas"]
    roots = [row["body"] for row in rows if "body" in row]
    roots += [each for row in rows for each in row.get("query", {}).values()]
    return {
        "source": "SignalWire's OpenAPI documents of its Compatibility and REST APIs",
        "licence": "MIT",
        "types": used(types, roots),
        "operations": rows,
    }


def main() -> None:
    """Writes the catalogue from the folder that the command line names."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    made = compiled(Path(sys.argv[1]))
    OUT.write_text(json.dumps(made, separators=(",", ":"), sort_keys=True) + "\n", encoding="utf-8")
    print(f"{OUT.name}: {len(made['operations'])} operations, {len(made['types'])} types")


if __name__ == "__main__":
    main()
