"""One table decides who may do what; nothing is open by oversight."""

from __future__ import annotations

from typing import Any

import pytest
from litestar.routes import HTTPRoute

from junctor.app.api.app import build
from junctor.app.api.permissions import OWNER, RIGHTS, TABLE, check_scopes, may, right_for
from junctor.errors import Forbidden, Misconfigured
from tests.support import asynchronous

OPEN = {("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/api/v1/openapi.json")}


def routes() -> set[tuple[str, str]]:
    application: Any = build(None, None)  # type: ignore[arg-type]  # routes alone are looked at
    return {
        (method, route.path_format)
        for route in application.routes
        if isinstance(route, HTTPRoute)
        for method in route.methods
        if method != "OPTIONS"
    }


def test_every_route_is_in_the_table_and_nothing_else_is() -> None:
    assert routes() == set(TABLE)


def test_only_health_and_description_are_open() -> None:
    assert {key for key, right in TABLE.items() if right is None} == OPEN


def test_reading_and_writing_are_different_rights() -> None:
    for (method, route), right in TABLE.items():
        if right is not None:
            assert right.endswith(":read") == (method == "GET"), (method, route)


def test_a_route_outside_the_table_is_refused() -> None:
    with pytest.raises(Forbidden):
        right_for("POST", "/api/v1/secret-door")


def test_the_owner_may_everything_and_others_what_they_have() -> None:
    assert all(may([OWNER], right) for right in RIGHTS)
    assert may(["runs:read"], "runs:read")
    assert not may(["runs:read"], "runs:execute")
    assert not may([], "runs:read")


def test_nobody_gives_away_what_they_lack() -> None:
    assert check_scopes(["runs:read", "runs:read"], ["runs:read"]) == ("runs:read",)
    with pytest.raises(Forbidden):
        check_scopes([OWNER], ["tokens:write"])
    with pytest.raises(Misconfigured):
        check_scopes(["runs:destroy"], [OWNER])
    with pytest.raises(Misconfigured):
        check_scopes([], [OWNER])


@asynchronous
async def test_every_gated_route_refuses_strangers_and_weak_tokens(api: Any) -> None:
    async with api() as it:
        weak = await it.token_with("data-stores:read")
        for (method, route), right in TABLE.items():
            if right is None or right == "data-stores:read":
                continue
            path = route.replace("{version}", "1").replace("{", "").replace("}", "")
            for headers, status in (
                ({"authorization": ""}, 401),
                ({"authorization": "Bearer jct_unknown"}, 401),
                (weak, 403),
            ):
                answer = await it.client.request(method, path, headers=headers)
                assert answer.status_code == status, (method, path, answer.text)
                assert set(answer.json()["error"]) >= {"code", "message", "params"}
