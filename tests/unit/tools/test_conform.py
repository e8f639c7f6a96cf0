"""The pure parts of `make conform`: documents made one, known errors mended, inputs made."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
import yaml

from junctor.connectors.crisp import crisp
from junctor.language.connector import Connector, ModuleDef
from junctor.language.forms import bind
from tools.conform.documents import HERE, from_catalogue, source
from tools.conform.generated import mapper_for, operation_of
from tools.conform.inputs import Maker, text_like
from tools.conform.merging import Merged, follow, mended, operations, without_answers
from tools.conform.patches import PATCHES, patched
from tools.conform.prism import refusals_in, violations_in
from tools.conform.stage import hand_made, template_of

OK = {"200": {"description": "Done"}}


def document(**paths: Any) -> dict[str, Any]:
    return {"openapi": "3.0.3", "paths": {f"/{name}": row for name, row in paths.items()}}


def nothing(place: str) -> tuple[str, dict[str, Any]]:
    raise KeyError(place)


def test_the_first_document_with_a_route_keeps_it() -> None:
    merged = Merged("Both")
    new = {"paths": {"/a/{id}": {"get": {"summary": "new", "responses": OK}}}}
    old = {
        "paths": {
            "/a/{name}": {
                "parameters": [{"in": "path", "name": "name", "schema": {"minLength": 2}}],
                "get": {"summary": "old", "responses": OK},
                "put": {"responses": OK},
            }
        }
    }
    assert (merged.add("new", new, nothing), merged.add("old", old, nothing)) == (1, 1)
    [row] = merged.document["paths"].values()
    assert (row["get"]["summary"], sorted(row)) == ("new", ["get", "put"])
    [parameter] = row["put"]["parameters"]
    assert (parameter["name"], parameter["schema"]) == ("id", {"minLength": 2})


def test_references_across_files_become_local_and_lost_ones_anything() -> None:
    other = {"components": {"schemas": {"Error": {"type": "string"}, "Spare": {}}}}
    schema = {"$ref": "../common.json#/components/schemas/Error"}
    lost = {"$ref": "#/components/schemas/Nowhere"}
    content = document(a={"get": {"x": schema, "y": lost, "security": [{}], "responses": OK}})
    merged = Merged("One")
    merged.add("one", content, lambda _place: ("common", other))
    made, missing = mended(merged.document)
    operation = made["paths"]["/a"]["get"]
    assert follow(made, operation["x"]) == {"type": "string"}
    assert (operation["y"], missing) == ({}, ["#/components/schemas/one.Nowhere"])
    assert operation["security"] == []
    assert list(made["components"]["schemas"]) == ["common.Error"], "what nothing needs is left out"
    assert without_answers(made)["paths"]["/a"]["get"]["responses"] != OK


def test_values_fit_their_schemas_and_are_the_same_every_time() -> None:
    schema = {
        "allOf": [{"$ref": "#/named"}],
        "required": ["kind", "sizes"],
        "properties": {
            "kind": {"enum": ["only"]},
            "sizes": {"type": "array", "minItems": 2, "uniqueItems": True, "items": {"minimum": 3}},
            "more": {
                "oneOf": [{"type": "null"}, {"type": "number", "minimum": 0.5, "maximum": 0.7}]
            },
            "never": {"readOnly": True},
            "map": {"minProperties": 1, "additionalProperties": {"type": "boolean"}},
        },
    }
    whole = {"named": {"required": ["id"], "properties": {"id": {"minLength": 40}}}}
    made = [Maker(whole, "seed", required_only=False).value(schema) for _ in range(2)]
    assert made[0] == made[1]
    assert set(made[0]) == {"id", "kind", "sizes", "more", "map"}
    assert len(made[0]["id"]) == 40
    assert made[0]["more"] == 0.5
    assert len(made[0]["map"]) == 1
    least = Maker(whole, "seed", required_only=True).value(schema)
    assert set(least) == {"id", "kind", "sizes"}
    assert Maker({}, "s", required_only=True).asked({"type": "array", "items": {"const": 1}}) == [1]


@pytest.mark.parametrize(
    "pattern",
    [
        r"^[A-Za-z_]+/[A-Za-z_]+$",
        r"^([01]?[0-9]|2[0-3]):[0-5][0-9]$",
        r"^\d{4}-\d{2}-\d{2}$",
        r"^\+\d{5,17}$",
        r"^[\d#*wW]{1,32}$",
        r"^(?!next$).*$",
        r"^[a-z0-9_]*$",
    ],
)
def test_texts_match_their_patterns(pattern: str) -> None:
    for seed in range(5):
        made = text_like(pattern, random.Random(seed))
        assert made
        assert re.search(pattern, made)
    assert len(text_like(r"^[\w-]+$", random.Random(1), least=43)) >= 43


def test_a_pattern_that_cannot_be_read_is_named() -> None:
    with pytest.raises(ValueError, match="next"):
        text_like(r"^(?=next$)x+$", random.Random(1))


def test_known_errors_are_mended_and_counted() -> None:
    form = {"type": "object", "properties": {"tags": {"type": "array"}, "a": {"type": "string"}}}
    body = {"required": True, "content": {"multipart/form-data": {"schema": form}}}
    given = document(a={"post": {"requestBody": body, "responses": OK}})
    date = {"type": "object", "example": "2026-01-02"}
    country = {"type": "number", "enum": [["US", "CA"]]}
    given["components"] = {"schemas": {"A": {"properties": {"at": date, "country": country}}}}
    made, said = patched("highlevel", given)
    assert len(said) == 4
    assert all(line.endswith(": 1") for line in said)
    kept = made["paths"]["/a"]["post"]["requestBody"]
    assert kept["required"] is False
    assert list(kept["content"]["multipart/form-data"]["encoding"]) == ["tags"]
    rows = made["components"]["schemas"]["A"]["properties"]
    assert rows["at"]["type"] == "string"
    assert rows["country"] == {"type": "string", "enum": ["US", "CA"]}
    assert body["required"] is True, "the given document stays as it is"
    assert set(PATCHES) == {"toky", "crisp", "signalwire", "highlevel"}


def test_a_document_of_compiled_facts_says_what_the_facts_say() -> None:
    row = {
        "name": "find",
        "method": "GET",
        "path": "/things/{id}",
        "query": {"size": {"type": "integer"}},
        "needs": ["size"],
        "headers": {"Version": "v3"},
        "items": "data.rows",
    }
    post = {"method": "POST", "path": "/things", "body": {"$ref": "Thing"}, "form": True}
    made = from_catalogue([row, post], {"Thing": {"type": "object"}}, prefix="/v1")
    found = {(method, path): operation for method, path, operation in operations(made)}
    asked = found["GET", "/v1/things/{id}"]["parameters"]
    assert [(each["in"], each["name"], each["required"]) for each in asked] == [
        ("path", "id", True),
        ("query", "size", True),
        ("header", "Version", True),
    ]
    answer = found["GET", "/v1/things/{id}"]["responses"]["2XX"]["content"]["application/json"]
    assert answer["schema"]["properties"]["data"]["required"] == ["rows"]
    content = found["POST", "/v1/things"]["requestBody"]["content"]
    schema = content["application/x-www-form-urlencoded"]["schema"]
    assert follow(made, schema) == {"type": "object"}


@pytest.mark.parametrize("vendor", ["crisp", "signalwire", "highlevel"])
def test_without_the_shared_folder_the_catalogue_is_the_document(
    vendor: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUNCTOR_SHARED", str(tmp_path))
    made = source(vendor)
    assert made.used == ("our catalogue",)
    assert sum(1 for _ in operations(made.document)) > 200


GENERATED = [each for each in crisp.modules.values() if each.generated]


def test_every_generated_module_takes_what_is_made_for_it(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUNCTOR_SHARED", str(tmp_path))
    whole = source("crisp").document
    for module in GENERATED:
        for least in (True, False):
            mapper = mapper_for(module, whole, "/v1", least=least)
            assert mapper == mapper_for(module, whole, "/v1", least=least)
            bind(module, mapper, {})


def test_a_module_that_is_in_no_document_is_said_so() -> None:
    module = ModuleDef(
        connector="x", name="y", label="Y", kind="action", function=print, help="Does.\n\n`GET /y`."
    )
    with pytest.raises(LookupError, match="no GET /v1/y"):
        operation_of(module, document(), "/v1")


def test_only_what_sends_is_counted() -> None:
    lone = Connector(name="lone", label="Lone")
    lone.add(ModuleDef(connector="lone", name="hear", label="H", kind="instant", function=print))
    lone.add(ModuleDef(connector="lone", name="do", label="D", kind="action", function=print))
    lone.add(
        ModuleDef(
            connector="lone", name="made", label="M", kind="action", function=print, generated=True
        )
    )
    assert [each.name for each in hand_made(lone)] == ["do"]


def test_paths_find_all_templates_they_may_be_of() -> None:
    templates = ["/a/{id}", "/a/search", "/a/{id}/b", "/A/{Sid}.json"]
    assert template_of("/a/search", templates) == ["/a/{id}", "/a/search"]
    assert template_of("/A/1.json", templates) == ["/A/{Sid}.json"]


def test_what_prism_says_is_read() -> None:
    rows = '[{"severity":"Error","location":["request"],"message":"m"},{"severity":"Warning"}]'
    assert [row["message"] for row in violations_in({"sl-violations": rows})] == ["m"]
    assert violations_in({}) == []
    said = b'{"title":"t","detail":"d","validation":[{"location":["body","a"],"message":"no"}]}'
    assert refusals_in(said) == ["body.a: no"]
    assert refusals_in(b'{"title":"Invalid security","detail":"d"}') == ["Invalid security: d"]


def test_our_document_of_toky_has_what_its_modules_ask_for() -> None:
    made = yaml.safe_load((HERE / "toky.yaml").read_text(encoding="utf-8"))
    assert {path for _, path, _ in operations(made)} >= {"/v1/contacts", "/v1/sms/send"}
    assert mended(made)[1] == []
