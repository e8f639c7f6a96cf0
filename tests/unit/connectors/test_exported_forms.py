"""The built-in modules of real exports: every form that was exported is one that we read.

Values are constants here where a blueprint has mappings: what counts is the parameters.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from junctor.errors import BundleInvalid, DataError
from junctor.language.forms import bind
from junctor.runtime.registry import BUILT_IN, Registry
from tests.support import shared_dir

TEXTS = {
    "regexp": "SCORE: 1",
    "json:ParseJSON": '{"a": 1}',
    "json:CreateJSON": "a",
    "xml:ParseXML": "<a/>",
    "markdown:Compile": "# a",
    "util:Switcher": "02d.png",
    "util:ComposeTransformer": "a",
}
FIELDS = {"text", "json", "xml", "data", "html", "input", "value"}


def placed(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if isinstance(value.get("module"), str):
            yield value
        for item in value.values():
            yield from placed(item)
    elif isinstance(value, list):
        for item in value:
            yield from placed(item)


def exported() -> list[tuple[str, dict[str, Any]]]:
    found = []
    for path in sorted(shared_dir("corpus", "blueprints").glob("*.json")):
        for module in placed(json.loads(path.read_text("utf-8-sig"))):
            name = module["module"]
            if name in TEXTS or name.partition(":")[0] in TEXTS:
                found.append((f"{path.name} {module.get('id')}", module))
    return found


def test_every_exported_form_runs() -> None:
    registry = Registry(BUILT_IN)
    modules = exported()
    assert len(modules) > 62
    for where, module in modules:
        name = module["module"]
        definition = registry.find(name)
        assert definition is not None, name
        text = TEXTS.get(name) or TEXTS[name.partition(":")[0]]
        mapper = module.get("mapper") or {}
        mapper = {key: text if key in FIELDS else value for key, value in mapper.items()}
        expect = (module.get("metadata") or {}).get("expect")
        parameters = {**(module.get("parameters") or {}), "__expect__": expect}
        if not mapper and name == "json:ParseJSON":
            continue  # a mock of a software kit, without its mapper
        try:
            if definition.raw:
                made = definition.function(parameters, mapper)
            else:
                made = definition.function(**bind(definition, mapper, parameters))
            assert isinstance(made if isinstance(made, dict) else list(made), dict | list)
        except (BundleInvalid, DataError) as error:
            pytest.fail(f"{where} {name}: {error.message}")
