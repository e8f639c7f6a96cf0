"""Which OpenAPI documents judge which vendor, and how they are read.

The vendors' own are used where the shared folder has them (``JUNCTOR_SHARED``, or ``shared`` beside
the checkout); else a document made of the compiled catalogue, which says less of answers. Toky has
published none: ours is ``toky.yaml``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from tools.conform.merging import Document, Load, Merged, mended
from tools.conform.patches import patched

__all__ = ["Source", "from_catalogue", "shared_folder", "source"]

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What judges one vendor."""

    vendor: str
    document: Document
    """One document; its paths are those of requests, the base URL's included."""
    used: tuple[str, ...]
    """Where it comes from, in words."""
    apart: tuple[Document, ...] = ()
    """The same in parts, the first that has an operation judging it, where one address has several:
    HighLevel's version 3 has one for every social network, its older ones one for each."""
    patches: tuple[str, ...] = ()
    """Which known errors of the vendor's document were mended."""


def shared_folder() -> Path | None:
    """The folder with the vendors' specifications, if there is one."""
    said = os.environ.get("JUNCTOR_SHARED")
    found = (Path(said) if said else ROOT.parent / "shared") / "specs"
    return found if found.is_dir() else None


def source(vendor: str) -> Source:
    """The document of a vendor, mended. `KeyError` if there is no such vendor."""
    specs = shared_folder()
    made = _VENDORS[vendor](specs)
    document, lost = mended(made.document)
    document, names = patched(vendor, document)
    apart = [patched(vendor, mended(each)[0])[0] for each in made.apart] or [document]
    if lost:
        names = [
            *names,
            f"references to schemas that are in no file, read as anything: {len(lost)}",
        ]
    return Source(
        vendor=vendor, document=document, used=made.used, patches=tuple(names), apart=tuple(apart)
    )


def _toky(specs: Path | None) -> Source:
    del specs
    content = yaml.safe_load((HERE / "toky.yaml").read_text(encoding="utf-8"))
    return Source(vendor="toky", document=content, used=("tools/conform/toky.yaml (ours)",))


def _crisp(specs: Path | None) -> Source:
    file = specs / "crisp" / "crisp_rest_v1.derived.openapi.json" if specs else None
    if file is not None and file.exists():
        merged = Merged("Crisp")
        merged.add("crisp", _read(file), _nothing, version="3.1.0")
        used = f"{file.name} (derived from the vendor's own client library)"
        return Source(vendor="crisp", document=merged.document, used=(used,))
    rows = _package("crisp", "catalogue.json")
    document = from_catalogue(rows["operations"], rows["types"], prefix="/v1")
    return Source(vendor="crisp", document=document, used=("our catalogue",))


def _signalwire(specs: Path | None) -> Source:
    folder = specs / "signalwire" if specs else None
    if folder is not None and folder.is_dir():
        merged = Merged("SignalWire")
        used = []
        for name in ("compatibility.wire.openapi.json", "signalwire-rest.openapi.yaml"):
            count = merged.add(
                name.partition(".")[0], _read(folder / name), _nothing, version="3.1.0"
            )
            used.append(f"{name} ({count} operations)")
        return Source(vendor="signalwire", document=merged.document, used=tuple(used))
    rows = _package("signalwire", "catalogue.json")
    document = from_catalogue(rows["operations"], rows["types"])
    return Source(vendor="signalwire", document=document, used=("our catalogue",))


def _highlevel(specs: Path | None) -> Source:
    folder = specs / "highlevel" / "apps" if specs else None
    if folder is None or not folder.is_dir():
        return Source(
            vendor="highlevel",
            document=from_catalogue(list(_highlevel_rows()), {}),
            used=("our catalogue",),
        )
    merged = Merged("HighLevel")
    used, apart = [], []
    for place, version in ((folder / "v3", "3"), (folder, "2")):
        found = sorted(place.glob("*.json"))
        alone, count = Merged(f"HighLevel, version {version}"), 0
        for file in found:
            name, content = f"{file.stem.removesuffix('-v3')}-{version}", _read(file)
            count += merged.add(name, content, _beside(file))
            alone.add(name, content, _beside(file))
        used.append(f"version {version}: {len(found)} documents ({count} operations)")
        apart.append(alone.document)
    return Source(
        vendor="highlevel", document=merged.document, used=tuple(used), apart=tuple(apart)
    )


def _highlevel_rows() -> Iterator[dict[str, Any]]:
    index = _package("highlevel", "catalogue", "index.json")
    for row in index["operations"]:
        operation = dict(zip(index["columns"], row, strict=True))
        fields = _package("highlevel", "catalogue", f"{operation['app']}.json")[operation["name"]]
        header = {"Version": operation["version"]} if operation["version"] else {}
        yield {**operation, **fields, "headers": header}


_VENDORS: Mapping[str, Callable[[Path | None], Source]] = {
    "toky": _toky,
    "crisp": _crisp,
    "signalwire": _signalwire,
    "highlevel": _highlevel,
}


def from_catalogue(
    operations: list[dict[str, Any]], types: Mapping[str, Any], *, prefix: str = ""
) -> Document:
    """A document of compiled facts: requests in full, of answers only where their list is."""
    paths: dict[str, Any] = {}
    for row in operations:
        names = [part[1:-1] for part in row["path"].split("/") if part[:1] == "{"]
        parameters = [_parameter("path", name, {"type": "string"}, needed=True) for name in names]
        needs = row.get("needs", ())
        parameters += [
            _parameter("query", name, _located(schema), needed=name in needs)
            for name, schema in row.get("query", {}).items()
        ]
        parameters += [
            _parameter("header", name, {"type": "string", "enum": [value]}, needed=True)
            for name, value in row.get("headers", {}).items()
        ]
        operation: dict[str, Any] = {"parameters": parameters, "responses": _answers(row)}
        if "body" in row:
            form = row.get("form")
            kind = "application/x-www-form-urlencoded" if form else "application/json"
            if form == "multipart":
                kind = "multipart/form-data"
            operation["requestBody"] = {
                "required": bool(row.get("body_required")),
                "content": {kind: {"schema": _located(row["body"])}},
            }
        paths.setdefault(prefix + row["path"], {})[row["method"].lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Compiled facts", "version": "1"},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": {name: _located(row) for name, row in types.items()}},
    }


def _parameter(where: str, name: str, schema: Any, *, needed: bool) -> dict[str, Any]:
    return {"in": where, "name": name, "required": needed, "schema": schema}


def _answers(row: Mapping[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    if row.get("items"):
        schema = {"type": "array"}
        for key in reversed(str(row["items"]).split(".")):
            schema = {"type": "object", "required": [key], "properties": {key: schema}}
    good: dict[str, Any] = {"description": "Done"}
    if schema:
        good["content"] = {"application/json": {"schema": schema}}
    return {"2XX": good, "4XX": {"description": "Refused"}}


def _located(schema: Any) -> Any:
    """The catalogue's references, as a document has them."""
    if isinstance(schema, list):
        return [_located(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    made = {key: _located(value) for key, value in schema.items()}
    if isinstance(made.get("$ref"), str):
        made["$ref"] = "#/components/schemas/" + made["$ref"]
    return made


@cache
def _package(connector: str, *names: str) -> dict[str, Any]:
    place = files(f"junctor.connectors.{connector}").joinpath(*names)
    found: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
    return found


def _read(file: Path) -> Document:
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".json":
        found: Document = json.loads(text)
    else:
        # libyaml reads two megabytes in a second or two, the Python reader in half a minute.
        found = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return found


def _beside(file: Path) -> Load:
    """Other files by their place from this one; those of version 3 keep common ones nearer."""

    def load(place: str) -> tuple[str, Document]:
        found = file.parent / place
        if not found.exists():
            found = file.parent / place.removeprefix("../")
        version = "3" if found.is_relative_to(file.parent) else "2"
        return f"{found.stem}-{version}", _common(found)

    return load


@cache
def _common(file: Path) -> Document:
    return _read(file)


def _nothing(place: str) -> tuple[str, Document]:
    raise KeyError(place)
