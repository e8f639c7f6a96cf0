"""What several API and command tests send."""

from __future__ import annotations

import json
from typing import Any

from tests.support import ROOT

EXAMPLE = ROOT / "examples" / "missed-call-to-highlevel.blueprint.json"


def blueprint(name: str = "Pure") -> dict[str, Any]:
    """A scenario without accounts: it sets a variable from its trigger bundle."""
    module = {
        "id": 1,
        "module": "util:SetVariables",
        "version": 1,
        "parameters": {},
        "mapper": {"variables": [{"name": "greeting", "value": "hello"}], "scope": "roundtrip"},
    }
    return {"name": name, "flow": [module], "metadata": {"version": 1}}


def bad_blueprints() -> dict[str, tuple[bytes, str | None]]:
    """Blueprints that can't be right: the bytes, and what is said; ``None``: it is imported, with
    errors, and can't be activated.
    """

    def step(number: Any, name: str = "util:SetVariables", **rest: Any) -> dict[str, Any]:
        return {"id": number, "module": name, "version": 1, "mapper": {}, **rest}

    def flow(*modules: Any, **rest: Any) -> bytes:
        return json.dumps({"name": "Bad", "flow": list(modules), **rest}).encode()

    whole = flow(step(1), step(2))
    aggregator = "builtin:BasicAggregator"
    mapped = {"variables": [{"name": "a", "value": "{{9.x}}"}]}
    handler: list[Any] = []
    for number in range(40, 2, -1):
        handler = [step(number, onerror=handler)]
    return {
        "not JSON": (b"PK\x03\x04 not json", "expected a value"),
        "truncated": (whole[:-20], "cut off"),
        "huge": (b'{"name": "' + b"x" * 50_000_001 + b'", "flow": []}', "more than"),
        "deep": (b'{"flow": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", "nested deeper"),
        "no flow": (b'{"name": "x"}', "no 'flow'"),
        "empty flow": (b'{"name": "x", "flow": []}', "no modules"),
        "flow of numbers": (flow(1, None, "x"), "no modules"),
        "duplicate ids": (flow(step(1), step(1)), None),
        "dangling reference": (flow(step(1), step(2, mapper=mapped)), None),
        "self-fed aggregator": (flow(step(1), step(2, aggregator, parameters={"feeder": 2})), None),
        "dangling feeder": (flow(step(1), step(2, aggregator, parameters={"feeder": 7})), None),
        "handlers in handlers": (flow(step(1, mapper=mapped, onerror=handler)), None),
        "wrong types": (
            flow(
                {"id": [], "module": 7, "version": {}, "mapper": 3, "parameters": "x"},
                step("two", filter=5, routes={}, onerror="no", metadata=[1]),
                metadata=3,
                io=[],
                scheduling=7,
            ),
            None,
        ),
    }
