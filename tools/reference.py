"""Makes the reference pages, docs/reference/*.md, from the code; they say each fact once.

python -m tools.reference          writes them
python -m tools.reference --check  says which are out of date, and exits with 1 if any is
"""

from __future__ import annotations

import json
import pkgutil
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any

from junctor.language.connector import Connector
from tools import quality

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "reference"
MADE = "<!-- Made by `make docs` from the code. Changes here are lost. -->\n\n"


def functions() -> list[Any]:
    """Every function of the language, as `FunctionInfo`s, by group and name."""
    registry = "junctor.language.expressions.functions"
    if find_spec(registry) is None or find_spec(f"{registry}.registry") is None:
        return []
    found = import_module(registry).FUNCTIONS.values()
    return sorted(found, key=lambda info: (info.group, info.name.lower()))


def connectors() -> list[Any]:
    """Every `Connector` that a module of `junctor.connectors` defines, by name."""
    package = import_module("junctor.connectors")
    found: dict[str, Connector] = {}
    for each in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        for value in vars(import_module(each.name)).values():
            if isinstance(value, Connector):
                found[value.name] = value
    return [found[name] for name in sorted(found)]


def commands() -> list[tuple[str, Any]]:
    """Every command with its words, e.g. ``connections add``; those of a group follow it."""
    if find_spec("junctor.app.cli.main") is None:
        return []
    main = import_module("junctor.app.cli.group")
    typer = import_module("typer.main")

    def below(words: str, group: Any) -> Iterator[tuple[str, Any]]:
        for name in group.list_commands(None):
            command = group.get_command(None, name)
            yield f"{words} {name}".strip(), command
            if hasattr(command, "list_commands"):
                yield from below(f"{words} {name}".strip(), command)

    return list(below("", typer.get_command(main.app)))


ORIGINS = {
    "app": "Make has it in its custom apps only.",
    "fusion": "Adobe Workfront Fusion has it, Make has not.",
    "invented": "No dialect has it; blueprints written by language models do.",
}
GROUPS = ["general", "text", "math", "dates", "arrays", "binary", "calendar", "fusion", "invented"]


def functions_page() -> str:
    """The page of the functions, with examples that are tested as such."""
    lines = [
        "# Functions",
        "",
        "Functions of expressions, `{{name(argument; argument)}}`. Brackets mark what may be",
        "left out. Every example is a test. What else there is in expressions:",
        "[keywords, operators, coercions, date tokens](expressions.md).",
        "",
        "The last groups are not Make's: importing a blueprint that uses them warns.",
    ]
    every = sorted(functions(), key=lambda info: GROUPS.index(info.group))
    for group, members in groupby(every, key=lambda info: str(info.group)):
        lines += ["", f"## {group.capitalize()}"]
        for info in members:
            lines += ["", f"### {info.name}", "", f"`{info.signature}`", "", info.summary.strip()]
            if info.origin != "make":
                advice = f" In Make: {info.instead}." if info.instead else ""
                lines += ["", f"*{ORIGINS[info.origin]}*{advice}"]
            if info.examples:
                lines.append("")
            lines += [
                f"- {code(template)} → {code(shown(value))}" for template, value in info.examples
            ]
    return MADE + "\n".join(lines) + "\n"


DATE = datetime(2015, 8, 7, 13, 6, 9, 123000, tzinfo=UTC)


def expressions_page() -> str:
    """The page of what expressions have besides functions, and of the operators of filters."""
    guide = import_module("junctor.language.expressions.guide")
    nodes = import_module("junctor.language.expressions.nodes")
    moment = import_module("junctor.language.expressions.moment")
    filters = import_module("junctor.language.filters")
    lines = ["# Expressions", "", "Functions have [a page of their own](functions.md)."]
    lines += ["", "## Keywords", "", "| keyword | what it is |", "|---|---|"]
    for name, summary in nodes.KEYWORDS.items():
        also = (
            " (not Make's, but Adobe Workfront Fusion's)" if name in nodes.FUSION_KEYWORDS else ""
        )
        lines.append(f"| `{name}` | {summary}{also} |")
    lines += ["", "## Operators", "", "Those that bind tightest come first, as in JavaScript."]
    lines += [
        "An empty value counts as 0 where it is computed with, and as the empty text where it"
    ]
    lines += ["is joined. Every example is a test.", "", "| operator | what it does | examples |"]
    lines.append("|---|---|---|")
    for operator in guide.OPERATORS:
        spelt = " ".join(code(cell(each)) for each in operator.spellings)
        examples = "<br>".join(f"{code(a)} → {code(shown(b))}" for a, b in operator.examples)
        lines.append(f"| {spelt} | {operator.summary} | {cell(examples)} |")
    lines += [
        "",
        "## Coercions",
        "",
        "How a value becomes what a field takes, and by the same rules",
    ]
    lines += ["what a function takes. Null stays null, and what has no rule is refused.", ""]
    lines += ["| to | rule | examples | refused |", "|---|---|---|---|"]
    for each in guide.COERCIONS:
        examples = "<br>".join(f"{code(shown(a))} → {code(shown(b))}" for a, b in each.examples)
        refused = " ".join(code(shown(value)) for value in each.refused)
        lines.append(f"| {each.type} | {each.rule} | {cell(examples)} | {cell(refused)} |")
    lines += ["", "## Date tokens", "", "For `formatDate` and `parseDate`, as of moment.js. Names"]
    lines += [
        "and the tokens `L…` and `l…` are in English of the United States, as Make's are.",
        "",
    ]
    lines += ["| token | what it is | prints |", "|---|---|---|"]
    for token, summary in guide.TOKENS.items():
        printed = moment.format_moment(DATE, token, UTC)
        lines.append(f"| `{token}` | {summary} | {printed} |")
    lines += ["", "## Operators of filters", "", "| operator | what it tests |", "|---|---|"]
    for name, info in filters.OPERATORS.items():
        also = " (not Make's)" if info.invented else ""
        lines.append(f"| `{name}` | {info.label}{also} |")
    return MADE + "\n".join(lines) + "\n"


def connectors_page() -> str:
    """The page of the connectors and their modules."""
    lines = [
        "# Connectors",
        "",
        "*Effect* is what a module does to the world: *pure* and *read* change nothing,",
        "*idempotent* and *keyed* may be repeated, *once* never is by itself.",
    ]
    for connector in connectors():
        lines += ["", f"## {connector.label}", *about(connector)]
        lines += ["", "| module | label | kind | effect | what it does |", "|---|---|---|---|---|"]
        lines += [
            f"| `{module.id}` | {cell(module.label)} | {module.kind.replace('_', '-')} "
            f"| {module.effect} | {cell(first(module.help))} |"
            for module in sorted(connector.modules.values(), key=lambda each: each.name.lower())
        ]
    return MADE + "\n".join(lines) + "\n"


def commands_page() -> str:
    """The page of the command line."""
    lines = ["# Command line", "", "Every command tells the same with `--help`."]
    for words, command in commands():
        lines += ["", f"## junctor {words}", "", plain(command.help or "")]
        if command.params:
            lines += ["", "| | what it sets |", "|---|---|"]
        lines += [
            f"| `{named(each)}` | {cell(plain(each.help or ''))} |" for each in command.params
        ]
    return MADE + "\n".join(lines) + "\n"


def named(parameter: Any) -> str:
    """How an argument or option is written on the command line."""
    if parameter.param_type_name == "argument":
        name = (parameter.metavar or parameter.name).upper()
        return name if parameter.required else f"[{name}]"
    return " / ".join([*parameter.opts, *parameter.secondary_opts])


def plain(text: str) -> str:
    """Help without what only a terminal shows."""
    return re.sub(r"\[/?[a-z ]+\]", "", text).strip()


def about(connector: Any) -> Iterator[str]:
    """What is known of a connector besides its modules."""
    if connector.help:
        yield from ("", connector.help.strip())
    if (ROOT / "docs" / "connectors" / f"{connector.name}.md").exists():
        yield from (
            "",
            f"How to connect it: [{connector.name}](../connectors/{connector.name}.md).",
        )
    if connector.docs:
        yield from ("", f"The vendor's own documentation: <{connector.docs}>.")


def index_page(others: dict[str, str]) -> str:
    """The page that lists the others."""
    listed = [f"- [{text.split('# ')[1].splitlines()[0]}]({name})" for name, text in others.items()]
    return MADE + "\n".join(["# Reference", "", *listed]) + "\n"


def pages() -> dict[Path, str]:
    """Every reference page with the text it should have."""
    made = {
        "cli.md": commands_page(),
        "expressions.md": expressions_page(),
        "functions.md": functions_page(),
        "connectors.md": connectors_page(),
        "quality.md": MADE + quality.page(quality.connectors()),
    }
    made["index.md"] = index_page(made)
    return {FOLDER / name: text for name, text in made.items()}


def stale() -> list[Path]:
    """The reference pages whose text isn't what the code says."""
    return [
        path
        for path, text in pages().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


def first(text: str) -> str:
    """The first paragraph, on one line."""
    return " ".join(text.strip().split("\n\n")[0].split())


def cell(text: str) -> str:
    """Text that may stand in a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def code(text: str) -> str:
    """Text as code, whatever backticks and line ends it holds."""
    text = text.replace("\n", "⏎")
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def shown(value: Any) -> str:
    """A value as JSON, or as Python shows it where JSON can't."""
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        return repr(value)


def main(arguments: list[str]) -> int:
    """Writes or checks."""
    if "--check" in arguments:
        for path in stale():
            print(f"{path.relative_to(ROOT)} is out of date: make docs", file=sys.stderr)
        return bool(stale())
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
