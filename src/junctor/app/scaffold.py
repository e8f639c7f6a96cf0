"""A connector of one's own to begin with: a package that passes its tests and `connector check`."""

from __future__ import annotations

from pathlib import Path
from string import Template

from junctor.errors import Conflict, Misconfigured
from junctor.language.ids import CONNECTOR
from junctor.runtime.registry import Registry

__all__ = ["scaffold"]

_PROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "junctor-$name"
version = "0.1.0"
description = "$label for Junctor"
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["junctor"]

[project.entry-points."junctor.connectors"]
$name = "$package:$attribute"

[dependency-groups]
dev = ["pytest"]

[tool.hatch.build.targets.wheel]
packages = ["src/$package"]

[tool.pytest.ini_options]
testpaths = ["tests"]
pythonpath = ["src"]
"""

_README = """\
# $label for Junctor

A connector for Junctor. Install it beside Junctor, and its modules are there:

```console
$$ pip install .
$$ junctor connectors $name
$$ junctor connections add $name
```

While you write it:

```console
$$ pip install -e . pytest
$$ pytest
$$ junctor connector check .
```

The code is in `src/$package/__init__.py`. Its address, fields and operations are
examples: put those of your vendor in their place.
"""

_CODE = '''\
"""$label: what it offers to scenarios.

The functions here are pure: they make requests and read answers, and Junctor sends them. A
function's signature is the form, its docstring the help.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from junctor.errors import DataError
from junctor.language.connector import (
    Bundle,
    Connection,
    Connector,
    Delivery,
    Field,
    HookDef,
    Paging,
    Request,
    Secret,
    path,
)
from junctor.language.verifiers import hmac_sha256

__all__ = ["$attribute"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account of $label. Say here where its key is found."""

    key: Annotated[Secret, Field(label="API key", help="In your account's settings.")]


def sign(request: Request, account: Account) -> Request:
    """Adds the key."""
    # A Secret is shown as dots; str.__str__ gives the text itself, here and nowhere else.
    headers = {**request.headers, "Authorization": f"Bearer {str.__str__(account.key)}"}
    return dataclasses.replace(request, headers=headers)


$attribute = Connector(
    name="$name",
    label="$label",
    connections={
        "$name": Connection(
            form=Account,
            base_url="https://api.example.com/v1",
            sign=sign,
            test=Request("GET", "/me"),
            label="$label",
        )
    },
)


@$attribute.search(
    "List people",
    items="data",
    paging=Paging(style="page", size=50, limit_param="per_page", param="page", first=1),
    limit_field="limit",
)
def list_people(
    name: Annotated[str, Field(label="Name", help="Only people whose name holds this.")] = "",
    limit: Annotated[int, Field(label="Limit", help="The most results.", minimum=1)] = 10,
) -> Request:
    """Lists people of the account."""
    return Request("GET", "/people", query={"name": name} if name else {})


@$attribute.action("Send a message", effect="once", items="data")
def send_message(
    person_id: Annotated[str, Field(label="Person", options=list_people)],
    text: Annotated[str, Field(label="Text", multiline=True, example="Hello!")],
) -> Request:
    """Sends a message to a person."""
    return Request("POST", path("people", person_id, "messages"), json={"text": text})


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """What $label's deliveries are believed by."""

    secret: Annotated[Secret, Field(label="Signing secret", help="$label shows it once.")]


def _event_id(delivery: Delivery) -> str | None:
    try:
        event = delivery.json()
    except DataError:
        return None
    found = event.get("event_id") if isinstance(event, dict) else None
    return str(found) if found else None


@$attribute.instant(
    "Watch messages",
    hook=HookDef(
        verify=hmac_sha256(header="x-signature", secret="secret"),
        dedup=_event_id,
        settings=Hook,
    ),
)
def watch_messages(delivery: Delivery) -> Iterable[Bundle]:
    """Starts when a message comes in."""
    event = delivery.json()
    if not isinstance(event, dict):
        raise DataError(reason="the delivery is no collection of fields")
    return [event]
'''

_TESTS = '''\
"""The connector keeps the contract of all connectors, and makes the requests it should."""

from $package import $attribute, list_people, send_message

from junctor.language.connector import Request
from junctor.testing.contracts_connectors import problems


def test_it_keeps_the_contract() -> None:
    assert list(problems($attribute)) == []


def test_a_message_is_sent() -> None:
    assert send_message(person_id="a/b", text="Hello") == Request(
        "POST", "/people/a%2Fb/messages", json={"text": "Hello"}
    )


def test_people_are_found_by_name() -> None:
    assert list_people(name="Ann").query == {"name": "Ann"}
    assert list_people().query == {}
'''


def scaffold(name: str, directory: Path, *, label: str | None = None) -> list[Path]:
    """Writes the package, and returns its files.

    `Misconfigured` on a name that can't be one; `Conflict` if a package offers that connector, or
    the directory holds something.
    """
    if not CONNECTOR.fullmatch(name):
        raise Misconfigured(
            f"'{name[:60]}' can't be a connector's name: use 2 to 40 small letters, digits and "
            "hyphens, a letter first.",
            path="name",
        )
    if Registry.load().packaged(name):
        raise Conflict(f"'{name}' is a connector already; choose another name.")
    shown = label or " ".join(part.capitalize() for part in name.split("-") if part)
    if any(letter in shown for letter in "\"'\\{}$`") or not shown.isprintable():
        raise Misconfigured("The label can't hold quotes, braces or signs of that kind.")
    package = f"junctor_{name.replace('-', '_')}"
    words = {"name": name, "package": package, "attribute": "connector", "label": shown}
    files = {
        "pyproject.toml": _PROJECT,
        "README.md": _README,
        f"src/{package}/__init__.py": _CODE,
        f"src/{package}/py.typed": "",
        f"tests/test_{package}.py": _TESTS,
    }
    try:
        if directory.exists() and any(directory.iterdir()):
            raise Conflict(f"{directory} is not empty; choose another directory.")
        for file, text in files.items():
            (directory / file).parent.mkdir(parents=True, exist_ok=True)
            (directory / file).write_text(Template(text).substitute(words), encoding="utf-8")
    except OSError as error:
        raise Misconfigured(
            f"{directory} can't be written: {error.strerror or error}.", path=str(directory)
        ) from error
    return [directory / file for file in files]
