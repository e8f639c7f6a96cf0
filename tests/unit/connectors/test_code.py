"""The fields of code steps."""

from __future__ import annotations

from typing import Any

import pytest

from junctor.connectors.code import code
from junctor.errors import BundleInvalid, Misconfigured, Unsupported
from junctor.language.asks.code import RunCode
from junctor.language.forms import bind


def made(**mapper: Any) -> Any:
    module = code.modules["ExecuteCode"]
    return module.function(**bind(module, mapper, {}))


def test_a_step_as_blueprints_have_it() -> None:
    given = {
        "language": "javascript",
        "input": [{"name": "a", "value": 1}, {"name": "b", "value": {"c": [2]}}],
        "inputFormat": "manual",
        "dependencies": [],
        "codeEditorJavascript": "return input.a",
        "codeEditorPython": "",
    }
    assert made(**given) == RunCode("javascript", "return input.a", {"a": 1, "b": {"c": [2]}}, 10.0)


def test_each_language_has_its_own_code() -> None:
    asked = made(
        language="python", codeEditorPython="return 1", codeEditorJavascript="x", timeout=60
    )
    assert asked == RunCode("python", "return 1", {}, 60.0)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (None, {}),
        ("", {}),
        ([], {}),
        ({"a": 1}, {"a": 1}),
        ([{"a": 1}, {"b": 2}], {"a": 1, "b": 2}),
        ([{"name": "a"}], {"a": None}),
        ([{"name": 5, "value": "x"}], {"5": "x"}),
    ],
)
def test_input_is_read_by_name(given: Any, read: dict[str, Any]) -> None:
    assert made(codeEditorJavascript="x", input=given).input == read


def test_input_without_names_is_refused() -> None:
    with pytest.raises(Misconfigured, match="row 1 of the input is"):
        made(codeEditorJavascript="x", input=[{"value": 1}])
    for wrong in ("{", [5]):
        with pytest.raises(BundleInvalid, match="is not a collection"):
            made(codeEditorJavascript="x", input=wrong)


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (["lodash"], "lodash"),
        ([{"name": "lodash", "version": "4"}, {"name": "axios"}], "lodash, axios"),
        ("requests, numpy", "requests, numpy"),
        ({"moment": "2"}, "moment"),
    ],
)
def test_packages_are_refused_by_name(wanted: Any, names: str) -> None:
    with pytest.raises(Unsupported, match=names):
        made(codeEditorJavascript="x", dependencies=wanted)


def test_no_code_is_said_with_its_field() -> None:
    with pytest.raises(Misconfigured, match="codeEditorPython"):
        made(language="python", codeEditorJavascript="return 1")


@pytest.mark.parametrize("wrong", [{"language": "ruby"}, {"timeout": 61}, {"timeout": 0}])
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BundleInvalid):
        made(codeEditorJavascript="return 1", **wrong)


def test_code_of_other_programs_is_run_too() -> None:
    module = code.modules["JavaScriptCode"]
    asked = module.function(**bind(module, {"functionCode": "return 1"}, {}))
    assert asked == RunCode("javascript", "return 1")
