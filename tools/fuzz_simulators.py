"""Fuzzes the simulators with schemathesis, over the OpenAPI document that each serves of itself.

    python -m tools.fuzz_simulators                  all of them
    python -m tools.fuzz_simulators crisp --examples 200 --seed 7

Each operation gets cases that fit its schema and cases that don't, over HTTP, on a simulator that
was just reset. What must not be: an answer of 500 or above, none at all, or a case of the schema
refused because of a field that the document names and the simulator doesn't know. Every finding is
printed with the curl command that repeats it; the exit code is 1 if there is one.
"""

from __future__ import annotations

import argparse
import base64
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import requests
import schemathesis
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok

from junctor.simulators import SIMULATORS, make
from junctor.simulators.kit import Simulator
from junctor.simulators.threads import serving

__all__ = ["Findings", "document_of", "fuzz"]

AnyCase = Case[Any]
NO_LIMITS = {"max": 10**9, "interval_ms": 10_000, "daily": 10**9}
HEADERS = "x-headers"
WORD = "property"
UNKNOWN = "should not exist"
"""How simulators refuse a field that they don't know: ``property x should not exist``."""


@dataclass
class Findings:
    """What came of fuzzing one simulator."""

    operations: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def requests(self) -> int:
        """How many were sent."""
        return self.statuses.total()

    @property
    def done(self) -> int:
        """How many were answered 2xx."""
        return sum(count for status, count in self.statuses.items() if status < 300)


def credentials_of(sim: Simulator) -> dict[str, str]:
    """The headers that a request needs to be let in."""
    known = sim.credentials
    if sim.name == "toky":
        return {"X-Toky-Key": known["api_key"]}
    if sim.name == "highlevel":
        return {"Authorization": f"Bearer {known['token']}"}
    pair = ("project_id", "api_token") if sim.name == "signalwire" else ("identifier", "key")
    text = ":".join(known[name] for name in pair)
    more = {"X-Crisp-Tier": known["tier"]} if sim.name == "crisp" else {}
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode(), **more}


def document_of(sim: Simulator) -> dict[str, Any]:
    """A simulator's document, as it serves it, for generating from.

    Where it has examples of values that exist, they are used: random ids reach nothing.
    SignalWire's Compatibility API is left in one of its four spellings.
    """
    document: dict[str, Any] = requests.get(f"{sim.admin_url}/openapi.json", timeout=10).json()
    document["paths"] = {
        path: operations
        for path, operations in document["paths"].items()
        if not path.startswith("/2010-04-01") and not path.endswith(".json")
    }
    for operations in document["paths"].values():
        for operation in operations.values():
            named = {row["name"]: row for row in operation["parameters"] if row["in"] == "header"}
            operation["parameters"] = [r for r in operation["parameters"] if r["in"] != "header"]
            operation[HEADERS] = {
                name: row["schema"]["enum"]
                for name, row in named.items()
                if name not in credentials_of(sim)
            }
    del document["security"]  # else it makes up credentials
    wider: dict[str, Any] = _widened(document)
    return wider


def _widened(value: Any, name: str = "") -> Any:
    if isinstance(value, list):
        return [_widened(each) for each in value]
    if not isinstance(value, dict):
        return value
    named = str(value.get("name", name))
    widened = {
        key: {inner: _widened(each, inner) for inner, each in below.items()}
        if key == "properties"
        else _widened(below, named)
        for key, below in value.items()
    }
    known = widened.pop("examples", None)
    if not isinstance(known, list):
        return widened
    if named.lower().endswith("id") or value.get("minLength") or not isinstance(known[0], str):
        return {"enum": known}  # cases that don't fit make up others
    # Each without the other, or the generator sees that one holds the other and drops it.
    return {"anyOf": [{"enum": known}, {**widened, "not": {"enum": known}}]}


def fuzz(sim: Simulator, *, examples: int, seed: int, wrong_too: bool = True) -> Findings:
    """Fuzzes a simulator that is being served; ``examples`` cases of each kind an operation.

    Without ``wrong_too`` only cases that fit the schema: they are quick to make and reach deepest.
    """
    found = Findings()
    session = requests.Session()
    session.headers.update(credentials_of(sim))
    document = document_of(sim)
    for each in schemathesis.openapi.from_dict(document).get_all_operations():
        if not isinstance(each, Ok):
            raise TypeError(f"{sim.name}: its document is not valid: {each.err()}")
        operation = each.ok()
        found.operations += 1
        modes = [GenerationMode.POSITIVE]
        if wrong_too and (operation.body or operation.query):
            modes.append(GenerationMode.NEGATIVE)
        for mode in modes:
            _renew(sim)

            @hypothesis.seed(seed)
            @hypothesis.settings(
                max_examples=examples,
                database=None,
                deadline=None,
                phases=(hypothesis.Phase.generate,),
                suppress_health_check=list(hypothesis.HealthCheck),
            )
            @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
            def ask(case: AnyCase) -> None:
                _ask(case, mode, sim, session, found)  # noqa: B023  called before mode changes

            ask()
    return found


def _renew(sim: Simulator) -> None:
    requests.post(f"{sim.admin_url}/reset", timeout=10).raise_for_status()
    if sim.name in {"crisp", "highlevel"}:
        limits = requests.post(f"{sim.admin_url}/limits", json=NO_LIMITS, timeout=10)
        limits.raise_for_status()


def _ask(
    case: AnyCase, mode: GenerationMode, sim: Simulator, session: requests.Session, found: Findings
) -> None:
    # A header that chooses a dialect is always a good one: the others only lead to the door.
    chosen = {
        name: values[found.requests % len(values)]
        for name, values in case.operation.definition.raw.get(HEADERS, {}).items()
    }
    try:
        response = case.call(
            base_url=sim.base_url,
            session=session,
            headers=chosen,
            allow_redirects=False,
            timeout=30,
        )
    except requests.RequestException as error:
        found.wrong.append(f"{case.operation.label}: no answer ({error!r})\n  {_curl(case, sim)}")
        return
    found.statuses[response.status_code] += 1
    text = response.text or ""
    if response.status_code >= 500:
        found.wrong.append(
            f"{case.operation.label}: {response.status_code} {text[:300]}\n  {_curl(case, sim)}"
        )
    elif mode is GenerationMode.POSITIVE and response.status_code >= 400 and _unknown(case, text):
        found.wrong.append(
            f"{case.operation.label}: the document names a field that is refused: {text[:300]}"
        )


def _unknown(case: AnyCase, text: str) -> bool:
    """Whether a refusal says that a field of the body isn't known; those within it begin ``(``."""
    names = case.body if isinstance(case.body, dict) else ()
    return any(f" {name} {UNKNOWN}" in text for name in names) and f"({WORD}" not in text


def _curl(case: AnyCase, sim: Simulator) -> str:
    command: str = case.as_curl_command(headers=credentials_of(sim))
    return command


def main() -> int:
    """Fuzzes what the arguments name; 1 if something was found."""
    parser = argparse.ArgumentParser(description="Fuzzes the simulators with schemathesis.")
    parser.add_argument("names", nargs="*", help="which simulators; all, if none is named")
    parser.add_argument("--examples", type=int, default=25, help="cases of each kind an operation")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    unknown = set(given.names) - set(SIMULATORS)
    if unknown:
        parser.error(f"there is no simulator {', '.join(sorted(unknown))}")
    wrong = 0
    for name in given.names or sorted(SIMULATORS):
        began = time.monotonic()
        with serving(make(name, seed=given.seed)) as sim:
            found = fuzz(sim, examples=given.examples, seed=given.seed)
        wrong += len(found.wrong)
        print(
            f"{name}: {found.operations} operations, {found.requests} requests "
            f"({found.done} done), {len(found.wrong)} findings, "
            f"{dict(sorted(found.statuses.items()))} "
            f"{time.monotonic() - began:.0f} s",
            flush=True,
        )
        seen: set[str] = set()
        for finding in found.wrong:
            label = finding.partition(": ")[0]
            if label not in seen:
                print(f"  {finding}")
            seen.add(label)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
