"""Code steps: a user's own JavaScript or Python between two modules.

Fields and result are those of Make's module (``code:ExecuteCode``). The code runs shut in: see
``docs/code-steps.md`` for what it finds there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, TypedDict

from junctor.errors import Misconfigured, Unsupported
from junctor.language.asks.code import RunCode
from junctor.language.connector import Connector, Field
from junctor.language.values import show, to_text

__all__ = ["code"]

code = Connector(name="code", label="Code", docs="code-steps.md")

LONGEST = 60
"""Seconds that a step may be given."""


class Named(TypedDict, total=False):
    """One value of the input."""

    name: Annotated[str, Field(label="Name")]
    value: Annotated[Any, Field(label="Value")]


_NO_ROWS: list[Named] = []


@code.action(
    "Run code",
    name="ExecuteCode",
    effect="read",
    aliases=("code:RunCode",),
    verbatim=frozenset({"codeEditorJavascript", "codeEditorPython"}),
)
def execute_code(
    language: Annotated[Literal["javascript", "python"], Field(label="Language")] = "javascript",
    input_: Annotated[
        list[Named],
        Field(
            label="Input",
            help="Names and values: the code reads them as input.name.",
            key="input",
        ),
    ] = _NO_ROWS,
    code_editor_javascript: Annotated[
        str, Field(label="JavaScript", multiline=True, key="codeEditorJavascript")
    ] = "",
    code_editor_python: Annotated[
        str, Field(label="Python", multiline=True, key="codeEditorPython")
    ] = "",
    dependencies: Annotated[
        Any,
        Field(
            label="Dependencies",
            help="Nothing is ever downloaded for a code step; it must be empty.",
            advanced=True,
        ),
    ] = None,
    input_format: Annotated[
        Any,
        Field(
            label="Input format",
            help="Kept from imported blueprints; the input itself says what it is.",
            key="inputFormat",
            advanced=True,
        ),
    ] = None,
    timeout: Annotated[
        int, Field(label="Most seconds", minimum=1, maximum=LONGEST, advanced=True)
    ] = 10,
) -> RunCode:
    """Runs JavaScript or Python that you write, shut in: without network, files or packages.

    What it returns is the result; what it prints are the logs.
    """
    del input_format
    _no_packages(dependencies)
    source = code_editor_python if language == "python" else code_editor_javascript
    if not source.strip():
        field = "codeEditorPython" if language == "python" else "codeEditorJavascript"
        raise Misconfigured(reason=f"there is no code in {field!r}; write some, ending in a return")
    return RunCode(language, source, _input(input_), float(timeout))


@code.action(
    "Run JavaScript",
    name="JavaScriptCode",
    effect="read",
    verbatim=frozenset({"functionCode"}),
)
def javascript_code(
    function_code: Annotated[
        str, Field(label="JavaScript", multiline=True, key="functionCode")
    ] = "",
    input_: Annotated[list[Named], Field(label="Input", key="input")] = _NO_ROWS,
) -> RunCode:
    """Runs JavaScript as blueprints made by other programs have it; use "Run code" instead."""
    return execute_code("javascript", input_=input_, code_editor_javascript=function_code)


def _no_packages(dependencies: Any) -> None:
    wanted = dependencies
    if isinstance(wanted, str):
        wanted = [part for part in wanted.replace(",", " ").split() if part]
    if isinstance(wanted, Mapping):
        wanted = list(wanted)
    if not wanted:
        return
    names = [
        to_text(each.get("name") or each.get("value") if isinstance(each, Mapping) else each)
        for each in (wanted if isinstance(wanted, list) else [wanted])
    ]
    raise Unsupported(
        f"This code step depends on packages ({', '.join(names)}), and code steps have none: "
        "nothing is downloaded to run. Take the code that is needed into the step, "
        "or leave 'dependencies' empty.",
        what="a code step's dependencies",
        packages=names,
    )


def _input(given: Iterable[Any]) -> dict[str, Any]:
    """Values by name, from rows of a name and a value, or from collections of them."""
    found: dict[str, Any] = {}
    for number, row in enumerate(given, start=1):
        if "name" in row and set(row) <= _ROW:
            found[to_text(row["name"])] = row.get("value")
        elif set(row) & {"name", "value"}:
            raise Misconfigured(
                reason=f"row {number} of the input is {show(row)}; give rows of a name and a value"
            )
        else:
            found |= row
    return found


_ROW = {"name", "value", "type"}
