"""One scope with a fixed clock, and the bundle that all examples are written for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from junctor.language.expressions import Scope, compile_template
from junctor.language.values import plain

NOW = datetime(2026, 11, 21, 10, 30, tzinfo=UTC)
BUNDLE: dict[str, Any] = {
    "name": "Ann",
    "n": 5,
    "empty": "",
    "nul": None,
    "zero": 0,
    "f": False,
    "arr": ["a", "b", "c"],
    "nums": [4, 1, 3],
    "users": [
        {"name": "Bob", "age": 30, "mail": {"label": "Work", "v": "b@x"}},
        {"name": "alice", "age": 5, "mail": {"label": "Home", "v": "a@x"}},
        {"name": "Cid", "age": 9, "mail": {"label": "Work", "v": "c@x"}},
    ],
    "col": {"k1": "v1", "k2": "v2"},
    "Customer Name": "Z",
    "0": "colA",
    "kv": [{"key": "a", "value": 1}, {"key": "b", "value": 2}],
    "dup": ["x", "y", "x"],
    "nest": [["a"], ["b", ["c"]]],
    "when": datetime(2015, 8, 7, 11, 36, 39, tzinfo=UTC),
    "bytes": b"\xff\x00",
}


@pytest.fixture
def scope() -> Scope:
    return Scope(
        now=lambda: NOW,
        random=lambda: 0.25,
        uuid=lambda: "6f0c9d7e-0000-4000-8000-000000000000",
        execution_id="run_1",
        variables={"scenario": {"name": "Calls"}, "input": {"list": [{"a": 1}, {"a": 2}]}},
    )


@pytest.fixture
def run(scope: Scope) -> Callable[..., Any]:
    """Evaluates a template over the example bundle as module 1."""

    def evaluate(text: str, bundle: Any = BUNDLE) -> Any:
        return plain(compile_template(text, {1: 1})([scope, bundle]))

    return evaluate
