"""An API that nobody knew becomes modules that are called, and packages are begun and checked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.serving import Speaker, serving
from tests.openapi_documents import document

LISTING = {
    "operationId": "listThings",
    "security": [{"key": []}],
    "parameters": [
        {"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 2}},
        {"name": "offset", "in": "query", "schema": {"type": "integer"}},
    ],
    "responses": {"200": {"content": {"application/json": {"schema": {"type": "array"}}}}},
}
DOCUMENT = document(
    servers=[{"url": "/v1"}],
    components={"securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}}},
    paths={"/things": {"get": LISTING}},
)


class Api(Speaker):
    """Serves its own document, and five things, two at a time, to who has the key."""

    def do_GET(self) -> None:  # noqa: N802  # called so by the base class
        where, _, query = self.path.partition("?")
        given = dict(pair.split("=") for pair in query.split("&") if "=" in pair)
        content: Any = DOCUMENT
        status = 200
        if where != "/openapi.json":
            start = int(given.get("offset", 0))
            content = [{"id": n} for n in range(5)][start : start + int(given.get("limit", 2))]
            if self.headers["X-Key"] != "s3cret":
                status, content = 403, {"message": "no such key"}
        self.answer(status, content)


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, junctor: Any) -> Iterator[str]:
    del junctor  # its environment comes first
    with serving(Api, tmp_path, monkeypatch) as origin:
        yield origin


def test_a_document_is_added_connected_and_called(junctor: Any, api: str) -> None:
    added = junctor("openapi", "add", f"{api}/openapi.json?token=t", "--name", "shop", "--json")
    assert added.code == 0, added.err
    assert added.json["base_url"] == f"{api}/v1"
    assert added.json["source"] == f"{api}/openapi.json"
    assert junctor("connectors", "shop", "--json").json["modules"][0]["id"] == "shop:listThings"
    connected = junctor("connections", "add", "shop", "--set", "key=s3cret", "--json")
    assert connected.code == 0, connected.err + connected.out
    called = junctor("call", "shop", "listThings", "--json")
    assert called.code == 0, called.err + called.out
    assert called.json["bundles"] == [{"id": n} for n in range(5)]
    assert "s3cret" not in called.out
    again = junctor("openapi", "add", f"{api}/openapi.json", "--name", "shop")
    assert again.code == 1
    assert "--replace" in again.err
    listed = junctor("openapi", "list", "--json").json["documents"]
    assert [(row["name"], row["modules"]) for row in listed] == [("shop", 1)]
    assert "listThings" in junctor("openapi", "show", "shop").out
    assert junctor("openapi", "remove", "shop").code == 0
    assert junctor("openapi", "show", "shop").code == 1


def test_names_of_ours_and_private_addresses_are_refused(
    junctor: Any, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = junctor("openapi", "add", f"{api}/openapi.json", "--name", "toky")
    assert taken.code == 1
    assert "connector already" in taken.err
    monkeypatch.delenv("JUNCTOR_EGRESS_ALLOW")
    private = junctor("openapi", "add", f"{api}/openapi.json", "--name", "shop")
    assert private.code == 1
    assert "not a public address" in private.err


def test_a_package_is_begun_and_checked(junctor: Any, tmp_path: Path) -> None:
    place = tmp_path / "package"
    begun = junctor("connector", "new", "acme-crm", str(place), "--json")
    assert begun.code == 0, begun.err
    checked = junctor("connector", "check", str(place), "--json")
    assert checked.code == 0, checked.out + checked.err
    assert checked.json["connectors"] == [{"connector": "acme-crm", "modules": 3, "problems": []}]
    assert junctor("connector", "new", "acme-crm", str(place)).code == 1


BROKEN = '''
import time
from typing import Annotated
from junctor.language.connector import Connector, Field, Request

acme = Connector(name="acme", label="Acme")

@acme.action("get it", effect="once")
def get_it(name: Annotated[str, Field(label="Name")]) -> Request:
    """Gets."""
    return Request("GET", f"https://api.example.com/{name}")
'''


def test_what_a_connector_breaks_is_said(junctor: Any, tmp_path: Path) -> None:
    file = tmp_path / "broken_connector.py"
    file.write_text(BROKEN, encoding="utf-8")
    checked = junctor("connector", "check", str(file), "--json")
    assert checked.code == 1
    [found] = checked.json["connectors"]
    assert {row["rule"] for row in found["problems"]} == {"words", "climbing", "effect", "imports"}
    shown = junctor("connector", "check", str(file))
    assert "build addresses with path()" in shown.out
