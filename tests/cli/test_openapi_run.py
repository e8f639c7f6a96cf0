"""A document of one's own, end to end: added, connected, run; and what becomes of its scenarios
when it changes or goes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.cli.serving import Speaker, serving
from tests.openapi_documents import document

TEXT = {"type": "string"}


def notes(*, field: str = "text", operation: str = "addNote") -> dict[str, Any]:
    """The document of the service below; another ``field`` or ``operation`` is a newer one."""
    body = {"type": "object", "required": [field], "properties": {field: TEXT}}
    return document(
        servers=[{"url": "https://notes.example.com/v1"}],
        components={"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
        security=[{"key": []}],
        paths={
            "/books/{book}/notes": {
                "post": {
                    "operationId": operation,
                    "parameters": [
                        {"name": "book", "in": "path", "required": True, "schema": TEXT}
                    ],
                    "requestBody": {
                        "required": True,
                        "content": {"application/json": {"schema": body}},
                    },
                    "responses": {"201": {"content": {"application/json": {"schema": body}}}},
                }
            }
        },
    )


class Notes(Speaker):
    """Keeps notes for who has the key."""

    kept: ClassVar[list[tuple[str, Any]]] = []

    def do_POST(self) -> None:  # noqa: N802  # called so by the base class
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, content = 201, {"id": len(self.kept) + 1, **given}
        if self.headers["Authorization"] != "Bearer s3cret":
            status, content = 401, {"message": "no such key"}
        else:
            self.kept.append((self.path, given))
        self.answer(status, content)


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, junctor: Any) -> Iterator[str]:
    del junctor  # its environment comes first
    Notes.kept = []
    with serving(Notes, tmp_path, monkeypatch) as origin:
        yield f"{origin}/v1"


def scenario(module: str) -> dict[str, Any]:
    return {
        "name": f"Notes by {module}",
        "flow": [
            {
                "id": 1,
                "module": "util:SetVariables",
                "version": 1,
                "parameters": {},
                "mapper": {"scope": "roundtrip", "variables": [{"name": "who", "value": "Ann"}]},
            },
            {
                "id": 2,
                "module": module,
                "version": 1,
                "parameters": {},
                "mapper": {"book": "a b/c", "text": "Call {{1.who}}"},
            },
        ],
        "metadata": {"version": 1},
    }


def placed(junctor: Any, tmp_path: Path, base: str, name: str) -> str:
    """The document added, connected and used by a scenario; the scenario's id."""
    file = tmp_path / "notes.json"
    file.write_text(json.dumps(notes()))
    added = junctor("openapi", "add", str(file), "--name", name, "--base-url", base, "--json")
    assert added.code == 0, added.err
    assert added.json["base_url"] == base
    connected = junctor(
        "connections", "add", name, "--name", name, "--set", "token=s3cret", "--json"
    )
    assert connected.code == 0, connected.err + connected.out
    blueprint = tmp_path / "scenario.json"
    blueprint.write_text(json.dumps(scenario(f"{name}:addNote")))
    made = junctor(
        "import", str(blueprint), "--connection", f"{name}={connected.json['id']}", "--json"
    )
    assert made.code == 0, made.err + made.out
    return str(made.json["id"])


def test_a_scenario_runs_with_modules_of_a_document(
    junctor: Any, service: str, tmp_path: Path
) -> None:
    key = placed(junctor, tmp_path, service, "notes-a")
    ran = junctor("run", "once", key, "--json")
    assert ran.code == 0, ran.out + ran.err
    assert ran.json["state"] == "finished"
    assert Notes.kept == [("/v1/books/a%20b%2Fc/notes", {"text": "Call Ann"})]
    shown = junctor("run", "show", ran.json["id"], "--json").json
    assert {"id": 1, "text": "Call Ann"} in [
        bundle for each in shown["operations_list"] for bundle in each["bundles"]
    ]
    assert "s3cret" not in json.dumps(shown)


def test_a_document_that_changed_or_went_is_named(
    junctor: Any, service: str, tmp_path: Path
) -> None:
    key = placed(junctor, tmp_path, service, "notes-b")
    file = tmp_path / "notes.json"

    def replace(**changes: str) -> None:
        file.write_text(json.dumps(notes(**changes)))
        said = junctor(
            "openapi", "add", str(file), "--name", "notes-b", "--base-url", service, "--replace"
        )
        assert said.code == 0, said.err

    def refused(*words: str) -> None:
        ran = junctor("run", "once", key, "--json")
        assert ran.code == 1, ran.out
        for word in words:
            assert word in ran.out + ran.err

    replace(field="content")  # another field is required: nothing is sent without it
    refused("content", "a value is required")
    replace(operation="createNote")
    refused("notes-b:addNote")
    assert "createNote" in junctor("openapi", "show", "notes-b").out
    assert junctor("openapi", "remove", "notes-b").code == 0
    refused("notes-b:addNote")
    checked = junctor("check", str(tmp_path / "scenario.json"), "--json")
    assert '"unsupported": {"notes-b": 1}' in checked.out
    assert Notes.kept == []
    file.write_text(json.dumps(notes()))
    again = junctor("openapi", "add", str(file), "--name", "notes-b", "--base-url", service)
    assert again.code == 0, again.err
    assert junctor("run", "once", key).code == 0  # the scenario and its connection stayed
    assert len(Notes.kept) == 1
