"""Connectors are found by name, modules by id or alias, and nothing is imported early."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from junctor.errors import Misconfigured
from junctor.runtime import registry as registry_module
from junctor.runtime.registry import BUILT_IN, GROUP, Registry

ROOT = Path(__file__).parents[3]


def offers(monkeypatch: pytest.MonkeyPatch, **entries: str) -> None:
    found = [EntryPoint(name, value, GROUP) for name, value in entries.items()]
    monkeypatch.setattr(registry_module, "entry_points", lambda **_: found)


def test_the_list_is_that_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"][GROUP] == BUILT_IN


def test_modules_are_found_by_id_and_by_alias() -> None:
    registry = Registry.load()
    found = registry.find("gateway:CustomWebHook")
    assert found is not None
    assert found.id == "gateway:CustomWebHook"
    assert registry.find("gateway:CustomWebhook") is found
    alias = registry.find("tools:Iterator")
    assert alias is not None
    assert alias.id == "builtin:BasicFeeder"


@pytest.mark.parametrize("id_", ["google-sheets:addRow", "toky:nothing", "toky", "", ":"])
def test_what_nobody_offers_is_none(id_: str) -> None:
    assert Registry.load().find(id_) is None


def test_no_alias_hides_a_module_or_another_alias() -> None:
    registry = Registry.load()
    ids = [module.id for module in registry.modules()]
    aliases = [alias for module in registry.modules() for alias in module.aliases]
    assert len({*ids, *aliases}) == len(ids) + len(aliases)


def test_connectors() -> None:
    registry = Registry.load()
    toky = registry.connector("toky")
    assert toky is not None
    assert toky is registry.connector("toky")
    assert registry.connector("tokyo") is None
    assert registry.near("tokyo")[0] == "toky"
    assert [connector.name for connector in registry.connectors()] == sorted(BUILT_IN)


def test_other_packages_bring_connectors(monkeypatch: pytest.MonkeyPatch) -> None:
    offers(monkeypatch, toky=BUILT_IN["toky"])
    assert Registry.load().names == tuple(sorted(BUILT_IN))


def test_nobody_takes_a_name_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    offers(monkeypatch, toky="evil:toky")
    with pytest.raises(Misconfigured, match="two packages offer a connector 'toky'"):
        Registry.load()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("no.such.package:x", "can't be loaded"),
        ("junctor.connectors.http:nothing", "can't be loaded"),
        ("junctor.connectors.http:URL", "can't be loaded"),
        ("junctor.connectors.http:http", "is not the connector 'mine'"),
    ],
)
def test_a_broken_package_is_named(source: str, reason: str) -> None:
    with pytest.raises(Misconfigured, match=reason):
        Registry({"mine": source}).connector("mine")


def test_nothing_is_imported_before_it_is_asked_for() -> None:
    program = (
        "import sys; from junctor.runtime.registry import Registry; "
        "r = Registry.load(); r.find('json:ParseJSON'); "
        "print([m for m in sys.modules if m.startswith('junctor.connectors.')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT / "src",
    )
    assert done.stdout.strip() == "['junctor.connectors.json']"
