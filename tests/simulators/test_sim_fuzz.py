"""The simulators describe themselves, and survive what schemathesis makes of the description.

The short form: few cases an operation, all of the schema; `make fuzz-simulators` is the long one,
of the same code.
"""

from __future__ import annotations

import functools
from typing import Any

import pytest
import requests

from junctor.language.openapi import compile_document
from junctor.simulators import SIMULATORS, make
from junctor.simulators.describe import document
from junctor.simulators.threads import serving
from tools.fuzz_simulators import fuzz

NAMES = sorted(SIMULATORS)


@functools.cache
def described(name: str) -> dict[str, Any]:
    return document(make(name, seed=1))


@pytest.mark.parametrize("name", NAMES)
def test_every_route_is_in_the_document(name: str) -> None:
    routes = {(route.method.lower(), route.path) for route in make(name, seed=1).routes()}
    shown = {(method, path) for path, row in described(name)["paths"].items() for method in row}
    assert shown == routes
    rows = [row for each in described(name)["paths"].values() for row in each.values()]
    ids = [row["operationId"] for row in rows]
    assert len(ids) == len(set(ids))
    # Our own reader takes it for what it is, too.
    compiled = compile_document(described(name), name=name, base_url="https://example.com")
    assert len(compiled["operations"]) == len(routes)


@pytest.mark.parametrize("name", NAMES)
def test_every_description_belongs_to_a_route(name: str) -> None:
    sim = make(name, seed=1)
    assert set(sim.described().taken) <= {route.operation for route in sim.routes()}


@pytest.mark.parametrize("name", NAMES)
def test_it_is_served_with_the_address_and_credentials_it_needs(name: str) -> None:
    with serving(make(name, seed=1)) as sim:
        shown = requests.get(f"{sim.admin_url}/openapi.json", timeout=120).json()
        assert shown["servers"] == [{"url": sim.base_url}]
        assert shown["paths"] == described(name)["paths"]
    assert shown["security"] == [{key: []} for key in shown["components"]["securitySchemes"]]
    assert len(shown["security"]) == 1


@pytest.mark.parametrize("name", NAMES)
def test_few_cases_of_each_operation(name: str) -> None:
    with serving(make(name, seed=1)) as sim:
        found = fuzz(sim, examples=2, seed=1, wrong_too=False)
    assert found.wrong == []
    # If no case came through, nothing was tried.
    assert found.done > found.operations / 2
