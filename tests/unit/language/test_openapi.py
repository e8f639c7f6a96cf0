"""OpenAPI documents become connectors: forms, requests, accounts; bad ones say what is wrong."""

from __future__ import annotations

import copy
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from junctor.errors import BundleInvalid, DataError, JunctorError, Misconfigured, Reconnect
from junctor.language.connector import Connector, Multipart, Part, Request, Response, Secret
from junctor.language.forms import bind, build, form_of, schema_of
from junctor.language.openapi import compile_document, connector_of
from junctor.language.openapi_text import read_text
from junctor.testing import contracts_connectors as contracts
from tests.openapi_documents import BASE, PETS, document
from tests.support import shared_dir


def made(given: dict[str, Any], **more: Any) -> Connector:
    compiled = compile_document(given, name="acme", **more)
    # As it is kept: through JSON.
    return connector_of(msgspec.json.decode(msgspec.json.encode(compiled)))


@pytest.fixture(scope="module")
def pets() -> Connector:
    return made(PETS)


def request(connector: Connector, module: str, **values: Any) -> Request:
    found = connector.modules[module]
    request = contracts.first_request(found, bind(found, values, {}))
    assert isinstance(request, Request)
    return request


def test_each_operation_is_a_module(pets: Connector) -> None:
    found = {name: (each.kind, each.effect) for name, each in pets.modules.items()}
    assert found == {
        "listPets": ("search", "read"),
        "addPet": ("action", "once"),
        "getPetsPetIdJson": ("action", "read"),
        "addPet2": ("action", "idempotent"),
        "removePet": ("action", "idempotent"),
        "addPhoto": ("action", "once"),
        "setPhoto": ("action", "idempotent"),
        "searchPets": ("action", "read"),
        "whoAmI": ("action", "read"),
        "cookie": ("action", "read"),
    }
    assert pets.label == "Pet shop"
    assert pets.help == "Animals and more."
    assert pets.modules["listPets"].label == "List pets"
    assert pets.modules["listPets"].help.startswith("All pets of the shop.\n\n`GET /pets`.")
    assert pets.modules["addPet2"].label == "Rename a pet"
    assert "deprecated" in pets.modules["removePet"].help


def test_every_module_keeps_the_contract(pets: Connector) -> None:
    assert list(contracts.problems(pets)) == []


def test_a_body_is_a_form(pets: Connector) -> None:
    schema = schema_of(pets.modules["addPet"])
    fields = schema["properties"]
    assert sorted(schema["required"]) == ["kind", "name"]
    assert "id" not in fields  # only answers have it
    assert fields["kind"]["enum"] == ["cat", "dog"]
    assert fields["born"]["format"] == "date-time"
    assert fields["size"]["description"] == "If left empty, the vendor takes 1.5."
    assert fields["size"]["x-example"] == 2
    assert fields["tags"] == {"title": "Tags", "type": "array", "items": {"type": "string"}}
    assert fields["vet"]["type"] == "integer"
    assert "type" not in fields["owner"]  # a text or an object: anything
    deep = fields["parent"]["properties"]["parent"]["properties"]["parent"]
    assert deep["type"] == "object"  # a ring ends


def test_a_json_body_holds_what_was_given(pets: Connector) -> None:
    sent = request(pets, "addPet", name="Rex", kind="dog", **{"from": "shelter"})
    assert sent == Request("POST", "/pets", json={"name": "Rex", "kind": "dog", "from": "shelter"})


def test_a_search_pages_and_shows_no_field_for_it(pets: Connector) -> None:
    module = pets.modules["listPets"]
    assert module.items == "data"
    assert module.paging is not None
    assert (module.paging.style, module.paging.size, module.paging.first) == ("page", 50, 1)
    assert list(schema_of(module)["properties"]) == ["kind", "where", "X-Trace", "limit"]


TRACE = {"X-Trace": "t"}


def test_parameters_are_written_in_their_style(pets: Connector) -> None:
    sent = request(pets, "listPets", kind=["a", "b,c"], where={"x": 1, "y": True}, **TRACE)
    assert sent.query == (("kind", "a,b,c"), ("where[x]", "1"), ("where[y]", "true"))
    assert sent.headers == TRACE
    with pytest.raises(DataError, match="line break"):
        request(pets, "listPets", **{"X-Trace": "t\r\nX-Key: other"})


def test_a_part_of_a_segment_is_quoted(pets: Connector) -> None:
    assert request(pets, "getPetsPetIdJson", petId="a/b?").url == "/pets/a%2Fb%3F.json"
    with pytest.raises(DataError, match="dot"):
        request(pets, "removePet", petId="..")


def test_a_form_repeats_names(pets: Connector) -> None:
    sent = request(pets, "addPet2", petId="7", body_petId="8", tags=["a", True])
    assert sent.url == "/pets/7.json"
    assert sent.form == (("petId", "8"), ("tags", "a"), ("tags", "true"))


def test_files_are_sent(pets: Connector) -> None:
    sent = request(pets, "addPhoto", petId="7", file=b"\x89", file_filename="a.png", text="x")
    assert sent.body == Multipart((Part("file", b"\x89", filename="a.png"), Part("text", b"x")))
    sent = request(pets, "setPhoto", petId="7", body=b"\x89")
    assert (sent.body, sent.headers) == (b"\x89", {"Content-Type": "image/png"})


def test_an_answer_that_is_no_json_is_shown_as_it_came(pets: Connector) -> None:
    flow = pets.modules["removePet"].function(petId="7")
    next(flow)
    with pytest.raises(StopIteration) as stop:
        flow.send(Response(200, {"content-type": "text/plain"}, b"gone"))
    assert stop.value.value == {
        "statusCode": 200,
        "headers": {"content-type": "text/plain"},
        "body": "gone",
    }


def signed(connector: Connector, kind: str, **values: Any) -> Request:
    connection = connector.connections[kind]
    account: Any = build(connection.form, values)
    return connection.sign(Request("GET", f"{BASE}/x", query={"a": "1"}), account)


def test_requirements_become_kinds_of_connection(pets: Connector) -> None:
    assert list(pets.connections) == ["key", "login", "key-token", "client", "inquery", "incookie"]
    assert pets.connections["key"].base_url == BASE
    assert pets.connections["key"].test == Request("GET", "/me")
    notes = compile_document(PETS, name="acme")["notes"]
    assert any("digest" in note for note in notes)
    assert any("/elsewhere" in note for note in notes)


def test_each_kind_signs_in_its_way(pets: Connector) -> None:
    assert signed(pets, "key", key="k").headers == {"X-Key": "k"}
    assert signed(pets, "inquery", key="k").query == (("a", "1"), ("api_key", "k"))
    assert signed(pets, "incookie", key="k").headers == {"Cookie": "sid=k"}
    assert signed(pets, "login", user="u", password="p").headers == {"Authorization": "Basic dTpw"}
    both = signed(pets, "key-token", key_key="k", token_token="t").headers
    assert both == {"X-Key": "k", "Authorization": "Bearer t"}
    with pytest.raises(BundleInvalid, match="line break"):
        signed(pets, "key", key="k\nX: y")
    with pytest.raises(BundleInvalid, match="cookie"):
        signed(pets, "incookie", key="k; admin=1")


def test_client_credentials_fetch_a_token(pets: Connector) -> None:
    connection = pets.connections["client"]
    assert connection.grant is not None
    account: Any = build(connection.form, {"client_id": "a:b", "client_secret": "s", "scope": "x"})
    asked = connection.grant.request(account)
    assert asked is not None
    assert asked.url == "https://api.example.com/oauth/token"
    assert asked.form == {"grant_type": "client_credentials", "scope": "x"}
    assert asked.headers["Authorization"] == "Basic YSUzQWI6cw=="
    answer = Response(200, {}, b'{"access_token":"t","expires_in":60}')
    token = connection.grant.granted(answer)
    assert (token.value, token.expires_in) == ("t", 60.0)
    ready = connection.grant.put(account, token)
    sent = connection.sign(Request("GET", f"{BASE}/x"), ready)
    assert sent.headers == {"Authorization": "Bearer t"}
    typed: Any = build(connection.form, {"token": "mine"})
    assert connection.grant.request(typed) is None
    with pytest.raises(Reconnect, match="missing"):
        connection.grant.request(build(connection.form, {}))
    with pytest.raises(Reconnect, match="bad client"):
        connection.grant.granted(Response(400, {}, b'{"error_description":"bad client"}'))


def test_secrets_are_marked(pets: Connector) -> None:
    for connection in pets.connections.values():
        fields = form_of(connection.form)["properties"]
        assert any(each.get("x-secret") for each in fields.values())
        assert Secret("x") not in fields.values()


def test_without_accounts_addresses_are_whole() -> None:
    found = made(document())
    assert not found.connections
    assert request(found, "listThings").url == f"{BASE}/things"
    other = made(document(), base_url="https://eu.example.com/")
    assert request(other, "listThings").url == "https://eu.example.com/things"


def test_a_relative_server_is_beside_its_document() -> None:
    source = document(servers=[{"url": "/api"}])
    found = made(source, source="https://docs.example.com/openapi.json?token=1")
    assert request(found, "listThings").url == "https://docs.example.com/api/things"
    with pytest.raises(Misconfigured, match="--base-url"):
        made(source, source="openapi.json")


@pytest.mark.parametrize(
    ("query", "answer", "style"),
    [
        ({"limit": {"maximum": 9}, "offset": {}}, {"type": "array"}, "offset"),
        ({"limit": {}, "offset": {}}, {"type": "array"}, None),  # nobody knows a page's size
        ({"page": {}}, {"type": "array"}, None),
        (
            {"limit": {}, "cursor": {}},
            {"properties": {"items": {"type": "array"}, "next_cursor": {"type": "string"}}},
            "cursor",
        ),
        ({"limit": {"maximum": 9}, "cursor": {}}, {"properties": {"items": {}}}, None),
    ],
)
def test_paging_is_only_taken_up_where_it_is_declared(
    query: dict[str, Any], answer: dict[str, Any], style: str | None
) -> None:
    operation = {
        "operationId": "listThings",
        "parameters": [
            {"name": name, "in": "query", "schema": {"type": "integer", **schema}}
            for name, schema in query.items()
        ],
        "responses": {"200": {"content": {"application/json": {"schema": answer}}}},
    }
    module = made(document(paths={"/things": {"get": operation}})).modules["listThings"]
    assert (module.paging.style if module.paging else None) == style
    if style is None and module.kind == "action":
        assert set(query) <= set(schema_of(module)["properties"])


def test_an_extension_says_how_to_page() -> None:
    paging = {"style": "offset", "size": 5, "limit_param": "n", "param": "o"}
    operation = {
        "x-junctor-paging": paging,
        "x-junctor-items": "found",
        "x-junctor-name": "everything",
        "responses": {"200": {"content": {"application/json": {}}}},
    }
    module = made(document(paths={"/things": {"get": operation}})).modules["everything"]
    assert (module.kind, module.items) == ("search", "found")
    assert module.paging is not None
    assert module.paging.size == 5


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ([], "must be an object"),
        ({}, "openapi: it says 'None'"),
        ({"swagger": "2.0", "paths": {}}, "swagger 2.0"),
        ({"openapi": "3.0.0"}, "paths: the document has none"),
        (document(paths={}), "no operation"),
        (document(paths={"/a": []}), r"paths\./a: an object"),
        (document(paths={"/a": {"get": 1}}), r"paths\./a\.get: an object"),
        (
            document(paths={"/a": {"get": {"x-junctor-effect": "maybe"}}}),
            r"paths\./a\.get\.x-junctor-effect: 'maybe'",
        ),
        (
            document(paths={"/a": {"get": {"x-junctor-paging": {"style": "odd"}}}}),
            r"x-junctor-paging: an object with a style",
        ),
        (
            document(
                security=[{"d": []}],
                components={"securitySchemes": {"d": {"type": "http", "scheme": "digest"}}},
            ),
            "security: no kind of account",
        ),
        (document(paths={f"/{n}": {"get": {}} for n in range(3001)}), "more than 3000"),
    ],
)
def test_a_bad_document_says_where(source: Any, says: str) -> None:
    with pytest.raises(DataError, match=says):
        compile_document(source, name="acme")


@pytest.mark.parametrize(
    "url", ["ftp://x.example", "https://u:p@x.example", "https://", "https://{a}"]
)
def test_a_bad_base_url_is_refused(url: str) -> None:
    with pytest.raises(Misconfigured, match="--base-url"):
        compile_document(document(), name="acme", base_url=url)


@pytest.mark.parametrize("name", ["", "A", "a", "../x", "a/b", "a_b", "x" * 41])
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(Misconfigured, match="connector's name"):
        compile_document(document(), name=name)


def test_references_to_other_documents_are_left_out() -> None:
    parameters = [{"$ref": "https://evil.example/x.json"}, {"$ref": "other.json#/a"}]
    source = document(paths={"/a": {"get": {"operationId": "a", "parameters": parameters}}})
    compiled = compile_document(source, name="acme")
    assert any("https://evil.example/x.json" in note for note in compiled["notes"])
    assert compiled["operations"][0]["params"] == []


# Text


def test_yaml_is_read_by_the_rules_of_json() -> None:
    text = (
        b"on: no\nday: 2026-01-02\nn: 0x1\ni: 12\nf: 1.5e3\nz: ~\nt: true\nq: 'true'\n200: {a: [1]}"
    )
    assert read_text(text) == {
        "on": "no", "day": "2026-01-02", "n": "0x1", "i": 12, "f": 1500.0, "z": None,
        "t": True, "q": "true", "200": {"a": [1]},
    }  # fmt: skip


def test_yaml_aliases_are_read() -> None:
    assert read_text(b"a: &x {b: 1}\nc: *x") == {"a": {"b": 1}, "c": {"b": 1}}


_BOMB = "a0: &a0 [x]\n" + "\n".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "empty"),
        (b"{", "not valid JSON"),
        (b"a: [", "in line 2"),
        (b"a: 1\n---\nb: 2", "several"),
        (b"a: *b", "no anchor"),
        (b"? [1]\n: 2", "no plain text"),
        (b"a: &x {b: 1}\nc:\n  <<: *x", "merge keys"),
        (b"- " * 300 + b"1", "levels deep"),
        (b"[" * 100_000, "JSON|deep"),
        (b'{"a":' * 100_000, "JSON|deep"),
        (_BOMB.encode(), "unfolds"),
        (b"\xff\xfe\x00", "neither JSON nor"),
    ],
)
def test_bad_text_says_where(text: bytes, says: str) -> None:
    with pytest.raises(DataError, match=says):
        read_text(text)


def test_tags_make_nothing() -> None:
    assert read_text(b"a: !!python/object/apply:os.system ['true']") == {"a": ["true"]}


# Anything


def _spots(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    below = [spot for key, each in inner for spot in _spots(each, (*path, key))]
    return [path, *below] if path else below


_SPOTS = _spots(PETS)
_JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [
        None, True, 0, -1, 10**30, 1.5, "", "x", "$ref", [], {}, [[]], {"$ref": "#"}, {"a": 1},
        [None], {"$ref": "#/components/schemas/Pet"}, {"allOf": [{"$ref": "#"}]},
        {"type": ["object", 5]}, "\u0000",
    ]
)  # fmt: skip


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.sampled_from(_SPOTS), _JUNK), min_size=1, max_size=4))
def test_any_document_becomes_a_connector_or_a_clear_error(
    changes: list[tuple[tuple[Any, ...], Any]],
) -> None:
    source = copy.deepcopy(PETS)
    for spot, value in changes:
        here: Any = source
        try:
            for key in spot[:-1]:
                here = here[key]
            here[spot[-1]] = value
        except (LookupError, TypeError):
            continue  # an earlier change took the place away
    try:
        found = made(source)
    except JunctorError:
        return  # any other error fails
    for module in found.modules.values():
        json.dumps(schema_of(module))
        contracts.check_repeatable(module)
    for connection in found.connections.values():
        contracts.check_signing(connection)


_SPECS = ("highlevel/apps/*.json", "highlevel/apps/v3/*.json", "crisp/*openapi.json",
          "signalwire/*openapi.*")  # fmt: skip


@pytest.mark.parametrize("pattern", _SPECS)
def test_documents_of_vendors_become_modules(pattern: str) -> None:
    files = sorted(shared_dir("specs").glob(pattern))
    assert files
    for file in files:
        found = made(read_text(file.read_bytes()), base_url="https://api.example.com")
        assert found.modules, file.name
        for module in found.modules.values():
            contracts.check_form(module)
            contracts.check_repeatable(module)
            contracts.check_words(module)
