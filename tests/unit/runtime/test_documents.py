"""Documents are found as connectors, live, and never in place of a package's."""

from __future__ import annotations

from pathlib import Path

import pytest

from junctor.errors import Misconfigured
from junctor.language.openapi import compile_document
from junctor.runtime.documents import Documents
from junctor.runtime.registry import Registry
from tests.openapi_documents import PETS, document


def test_a_document_is_a_connector_of_the_registry(tmp_path: Path) -> None:
    documents = Documents(tmp_path / "connectors")
    registry = Registry.load(documents)
    assert registry.connector("pets") is None
    documents.save(compile_document(PETS, name="pets"))
    assert "pets" in registry.names
    found = registry.find("pets:listPets")
    assert found is not None
    assert found.kind == "search"
    assert not registry.packaged("pets")
    assert registry.near("pet") == ["pets"]
    assert documents.remove("pets")
    assert not documents.remove("pets")
    assert Registry.load(documents).connector("pets") is None


def test_a_document_takes_no_name_of_ours(tmp_path: Path) -> None:
    documents = Documents(tmp_path)
    documents.save(compile_document(document(), name="toky"))
    found = Registry.load(documents).connector("toky")
    assert found is not None
    assert found.label == "Toky"


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"name":"other"}', b'{"name":"bad","format":1}', b'{"name":"bad"}']
)
def test_a_damaged_file_stops_only_its_own_connector(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.json").write_bytes(content)
    registry = Registry.load(Documents(tmp_path))
    with pytest.raises(Misconfigured, match="add it again"):
        registry.connector("bad")
    assert "toky" in [each.name for each in registry.connectors()]
    assert registry.find("no-such:module") is None


def test_a_name_is_no_path(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(b"{}")
    documents = Documents(tmp_path / "connectors")
    assert documents.facts("../x") is None
    assert not documents.remove("../x")
    assert (tmp_path / "x.json").exists()
