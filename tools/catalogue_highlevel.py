"""Compiles HighLevel's OpenAPI documents into the connector's catalogue: facts, no prose.

python -m tools.catalogue_highlevel SPECS   writes src/junctor/connectors/highlevel/catalogue/

SPECS is a folder with the vendor's documents (GoHighLevel/highlevel-api-docs, CC0-1.0): ``apps/``
(versions by date), ``apps/v3/`` and ``common/``. Every operation of version 3 is taken, and those
that only the older documents have. ``index.json`` is read at start-up and says of each operation
what a list of modules needs; one file per app has its fields, read when one of its forms is.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

OUT = Path(__file__).parents[1] / "src/junctor/connectors/highlevel/catalogue"
METHODS = ("get", "post", "put", "patch", "delete")
DEEPEST = 4
OMITTED = {
    # Tokens are the connection's business; the vendor's older spelling of a path is there twice.
    ("POST", "/oauth/token"),
    ("POST", "/oauth/locationToken"),
    ("POST", "/oauth/location-token"),
    ("DELETE", "/contacts/{contactId}/campaigns/removeAll"),
}
OWN = ("locationId", "altId")
"""Parameters that are the connection's location if nothing else is said."""
COLUMNS = (
    *("name", "app", "method", "path", "version", "scopes"),
    *("deprecated", "paging", "items"),
)
_JSON = "application/json"


class Document:
    """One OpenAPI document, its references followed."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.content = json.loads(file.read_text(encoding="utf-8"))
        self._others: dict[Path, Document] = {}

    def follow(self, schema: Mapping[str, Any]) -> tuple[Document, Mapping[str, Any]]:
        """The schema that a reference stands for, and the document it is in."""
        here: Document = self
        for _ in range(10):
            if "$ref" not in schema:
                break
            place, _, pointer = schema["$ref"].partition("#")
            if place:
                file = (here.file.parent / place).resolve()
                here = self._others.setdefault(file, Document(file))
            found: Any = here.content
            for part in pointer.strip("/").split("/"):
                found = found.get(part, {}) if isinstance(found, dict) else {}
            schema = found
        return here, schema


def compact(document: Document, schema: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
    """A schema's type, choices and fields; nothing where it allows several or is too deep."""
    here, plain = document.follow(schema)
    parts = plain.get("allOf")
    if parts and len(parts) == 1 and "properties" not in plain:
        return compact(here, parts[0], depth)
    if any(key in plain for key in ("oneOf", "anyOf", "allOf")):
        return {}
    kind = plain.get("type")
    listed = plain.get("enum", ())
    if len(listed) == 1 and isinstance(listed[0], list):
        # The vendor writes the countries as one choice, a list of them, of type number.
        kind, listed = "string", listed[0]
        plain = {**plain, "enum": listed}
    choices = [each for each in listed if isinstance(each, str) and each]
    if kind == "string" and choices and len(choices) == len(plain["enum"]):
        return {"type": "string", "enum": list(dict.fromkeys(choices))}
    if kind == "array":
        if depth >= DEEPEST:
            return {"type": "array"}
        return {"type": "array", "items": compact(here, plain.get("items", {}), depth + 1)}
    rows = plain.get("properties")
    if rows and depth < DEEPEST:
        made: dict[str, Any] = {
            "type": "object",
            "properties": {key: compact(here, each, depth + 1) for key, each in rows.items()},
        }
        needed = [key for key in plain.get("required", ()) if key in rows]
        return {**made, "required": needed} if needed else made
    example = plain.get("example")
    if kind == "object" and not rows and isinstance(example, str) and example[:1] != "{":
        # The vendor's generator calls what it can't name an object, and shows that it is a text.
        return {"type": "string"}
    if plain.get("format") == "binary":
        return {"type": "string", "format": "binary"}
    return {"type": kind} if isinstance(kind, str) else {}


def operations(document: Document, app: str) -> Iterator[dict[str, Any]]:
    """What one document offers."""
    for path, methods in document.content["paths"].items():
        for method in METHODS:
            found = methods.get(method)
            if found is not None and (method.upper(), path) not in OMITTED:
                shared = methods.get("parameters", [])
                yield _operation(document, app, method.upper(), path, found, shared)


def _operation(
    document: Document,
    app: str,
    method: str,
    path: str,
    found: Mapping[str, Any],
    shared: list[Any],
) -> dict[str, Any]:
    query: dict[str, Any] = {}
    needs: list[str] = []
    version = ""
    for reference in [*shared, *found.get("parameters", [])]:
        _, each = document.follow(reference)
        name = each.get("name", "")
        if each.get("in") == "header" and name.lower() == "version":
            _, schema = document.follow(each.get("schema", {}))
            version = str((schema.get("enum") or [each.get("example", "")])[0])
        if each.get("in") == "query":
            query[name] = compact(document, each.get("schema", {}))
            if each.get("required"):
                needs.append(name)
    made: dict[str, Any] = {
        "name": _camel(found["operationId"]),
        "app": app,
        "method": method,
        "path": path,
        "version": version,
        "scopes": sorted({s for row in found.get("security", ()) for v in row.values() for s in v}),
        "deprecated": bool(found.get("deprecated")),
        "query": query,
        "needs": needs,
    }
    content = document.follow(found.get("requestBody", {}))[1].get("content", {})
    for kind, row in content.items():
        made["body"] = compact(document, row.get("schema", {})) or {"type": "object"}
        if kind != _JSON:
            made["form"] = "multipart" if kind.startswith("multipart") else "form"
        break
    if method == "GET":
        _page(document, found, made)
    return made


def _page(document: Document, found: Mapping[str, Any], made: dict[str, Any]) -> None:
    """How a list goes on, where parameters and the answer's only list say so."""
    names = made["query"]
    style = next((each for each in ("offset", "skip", "page") if each in names), "")
    if not style or "limit" not in names:
        return
    answer: Any = next(
        (row for code, row in found.get("responses", {}).items() if code[0] == "2"), {}
    )
    here, answer = document.follow(answer)
    here, schema = here.follow(answer.get("content", {}).get(_JSON, {}).get("schema", {}))
    lists = [
        key
        for key, each in schema.get("properties", {}).items()
        if here.follow(each)[1].get("type") == "array"
    ]
    if len(lists) == 1:
        made["paging"], made["items"] = style, lists[0]
        for name in ("limit", style):
            del names[name]
        made["needs"] = [name for name in made["needs"] if name in names]


def _camel(name: str) -> str:
    head, *tail = [part for part in re.split(r"[^A-Za-z0-9]+", name) if part]
    first = head.lower() if head.isupper() else head[0].lower() + head[1:]
    return first + "".join(part[0].upper() + part[1:] for part in tail)


def compiled(specs: Path) -> list[dict[str, Any]]:
    """All operations, those of version 3 first, each method and path once, names unique."""
    found: list[dict[str, Any]] = []
    seen: set[tuple[str, str]] = set()
    for folder in (specs / "apps" / "v3", specs / "apps"):
        for file in sorted(folder.glob("*.json")):
            app = file.stem.removesuffix("-v3")
            for each in operations(Document(file), app):
                key = (each["method"], re.sub(r"\{[^}]*\}", "{}", each["path"]))
                if key not in seen:
                    seen.add(key)
                    found.append(each)
    taken: set[str] = set()
    for each in sorted(found, key=lambda row: (row["app"], row["path"], row["method"])):
        name = each["name"]
        if name in taken:
            name = _camel(each["app"]) + name[0].upper() + name[1:]
        while name in taken:
            name += "2"
        taken.add(name)
        each["name"] = name
    return found


def main(specs: Path) -> None:
    """Writes the catalogue."""
    OUT.mkdir(exist_ok=True)
    for old in OUT.glob("*.json"):
        old.unlink()
    index: list[list[Any]] = []
    by_app: dict[str, dict[str, Any]] = {}
    for each in compiled(specs):
        index.append(
            [
                each["name"],
                each["app"],
                each["method"],
                each["path"],
                each["version"],
                " ".join(each["scopes"]),
                int(each["deprecated"]),
                each.get("paging", ""),
                each.get("items", ""),
            ]
        )
        keys = ("query", "needs", "body", "form")
        by_app.setdefault(each["app"], {})[each["name"]] = {
            key: each[key] for key in keys if each.get(key)
        }
    head = {
        "source": "GoHighLevel/highlevel-api-docs",
        "commit": (specs / "COMMIT").read_text(encoding="utf-8").strip(),
        "licence": "CC0-1.0",
        "columns": COLUMNS,
    }
    rows = ",\n".join(json.dumps(row, separators=(",", ":")) for row in sorted(index))
    text = json.dumps(head)[:-1] + ', "operations": [\n' + rows + "\n]}\n"
    (OUT / "index.json").write_text(text, encoding="utf-8")
    for app, fields in by_app.items():
        lines = ",\n".join(
            f"{json.dumps(name)}: {json.dumps(row, separators=(',', ':'))}"
            for name, row in sorted(fields.items())
        )
        (OUT / f"{app}.json").write_text("{\n" + lines + "\n}\n", encoding="utf-8")
    size = sum(file.stat().st_size for file in OUT.glob("*.json"))
    sys.stdout.write(f"{len(index)} operations of {len(by_app)} apps, {size:,} bytes\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
