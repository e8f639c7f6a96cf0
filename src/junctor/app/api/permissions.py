"""Who may do what: one table, route by verb, and the right that each needs.

A route that is not in the table is refused, and a test lists all routes and fails on a missing
one. ``None`` is open to everyone. A token's scopes are rights of this table, or ``owner``.
"""

from __future__ import annotations

from collections.abc import Iterable

from junctor.errors import Forbidden, Misconfigured

__all__ = ["OWNER", "RIGHTS", "TABLE", "check_scopes", "may", "right_for"]

OWNER = "owner"
"""The scope that includes every right."""

API = "/api/v1"

TABLE: dict[tuple[str, str], str | None] = {
    ("GET", "/healthz"): None,
    ("GET", "/readyz"): None,
    ("GET", f"{API}/openapi.json"): None,
    ("GET", f"{API}/organization"): "organization:read",
    ("PATCH", f"{API}/organization"): "organization:write",
    ("GET", f"{API}/tokens"): "tokens:read",
    ("POST", f"{API}/tokens"): "tokens:write",
    ("DELETE", f"{API}/tokens/{{token_id}}"): "tokens:write",
    ("GET", f"{API}/connectors"): "connectors:read",
    ("GET", f"{API}/connectors/{{name}}"): "connectors:read",
    ("GET", f"{API}/connectors/{{name}}/modules/{{module}}/examples"): "connectors:read",
    ("POST", f"{API}/connectors/{{name}}/options"): "scenarios:write",
    ("GET", f"{API}/connections"): "connections:read",
    ("POST", f"{API}/connections"): "connections:write",
    ("GET", f"{API}/connections/{{connection_id}}"): "connections:read",
    ("PATCH", f"{API}/connections/{{connection_id}}"): "connections:write",
    ("DELETE", f"{API}/connections/{{connection_id}}"): "connections:write",
    ("POST", f"{API}/connections/{{connection_id}}/test"): "connections:write",
    ("POST", f"{API}/connections/{{connection_id}}/options"): "connections:write",
    ("POST", f"{API}/connections/{{connection_id}}/authorize"): "connections:write",
    ("POST", f"{API}/connections/{{connection_id}}/rotate"): "connections:write",
    ("GET", f"{API}/connections/{{connection_id}}/requests"): "connections:read",
    ("GET", f"{API}/scenarios"): "scenarios:read",
    ("POST", f"{API}/scenarios"): "scenarios:write",
    ("GET", f"{API}/scenarios/{{scenario_id}}"): "scenarios:read",
    ("PATCH", f"{API}/scenarios/{{scenario_id}}"): "scenarios:write",
    ("DELETE", f"{API}/scenarios/{{scenario_id}}"): "scenarios:write",
    ("PUT", f"{API}/scenarios/{{scenario_id}}/draft"): "scenarios:write",
    ("GET", f"{API}/scenarios/{{scenario_id}}/requirements"): "scenarios:read",
    ("POST", f"{API}/scenarios/{{scenario_id}}/publish"): "scenarios:write",
    ("POST", f"{API}/scenarios/{{scenario_id}}/activate"): "scenarios:write",
    ("POST", f"{API}/scenarios/{{scenario_id}}/deactivate"): "scenarios:write",
    ("POST", f"{API}/scenarios/{{scenario_id}}/pause"): "scenarios:write",
    ("POST", f"{API}/scenarios/{{scenario_id}}/resume"): "scenarios:write",
    ("POST", f"{API}/scenarios/{{scenario_id}}/drain"): "scenarios:write",
    ("GET", f"{API}/scenarios/{{scenario_id}}/comparison"): "scenarios:read",
    ("POST", f"{API}/scenarios/{{scenario_id}}/restore"): "scenarios:write",
    ("GET", f"{API}/scenarios/{{scenario_id}}/blueprint"): "scenarios:read",
    ("GET", f"{API}/scenarios/{{scenario_id}}/versions"): "scenarios:read",
    ("GET", f"{API}/scenarios/{{scenario_id}}/versions/{{version}}"): "scenarios:read",
    ("GET", f"{API}/scenarios/{{scenario_id}}/schedule"): "scenarios:read",
    ("PUT", f"{API}/scenarios/{{scenario_id}}/schedule"): "scenarios:write",
    ("DELETE", f"{API}/scenarios/{{scenario_id}}/schedule"): "scenarios:write",
    ("POST", f"{API}/scenarios/{{scenario_id}}/runs"): "runs:execute",
    ("POST", f"{API}/scenarios/{{scenario_id}}/backfill"): "runs:execute",
    ("GET", f"{API}/scenarios/{{scenario_id}}/backtest"): "runs:read",
    ("GET", f"{API}/hooks"): "hooks:read",
    ("GET", f"{API}/hooks/{{hook_id}}"): "hooks:read",
    ("PATCH", f"{API}/hooks/{{hook_id}}"): "hooks:write",
    ("POST", f"{API}/hooks/{{hook_id}}/learn"): "hooks:write",
    ("DELETE", f"{API}/hooks/{{hook_id}}/learn"): "hooks:write",
    ("GET", f"{API}/app-hooks"): "hooks:read",
    ("POST", f"{API}/app-hooks"): "hooks:write",
    ("GET", f"{API}/app-hooks/{{app_hook_id}}"): "hooks:read",
    ("PATCH", f"{API}/app-hooks/{{app_hook_id}}"): "hooks:write",
    ("DELETE", f"{API}/app-hooks/{{app_hook_id}}"): "hooks:write",
    ("GET", f"{API}/runs"): "runs:read",
    ("GET", f"{API}/runs.csv"): "runs:read",
    ("POST", f"{API}/erasures"): "erasures:write",
    ("GET", f"{API}/runs/{{run_id}}"): "runs:read",
    ("GET", f"{API}/runs/{{run_id}}/operations"): "runs:read",
    ("GET", f"{API}/runs/{{run_id}}/stopped"): "runs:read",
    ("GET", f"{API}/runs/{{run_id}}/comparison"): "runs:read",
    ("POST", f"{API}/runs/{{run_id}}/retry"): "runs:execute",
    ("POST", f"{API}/runs/{{run_id}}/replay"): "runs:execute",
    ("POST", f"{API}/runs/bulk"): "runs:execute",
    ("POST", f"{API}/runs/{{run_id}}/discard"): "runs:execute",
    ("POST", f"{API}/runs/{{run_id}}/settle"): "runs:execute",
    ("GET", f"{API}/waits"): "runs:read",
    ("GET", f"{API}/approvals"): "approvals:read",
    ("GET", f"{API}/approvals/{{approval_id}}"): "approvals:read",
    ("POST", f"{API}/approvals/{{approval_id}}/decide"): "approvals:write",
    ("POST", f"{API}/runs/{{run_id}}/stop"): "runs:execute",
    ("POST", f"{API}/runs/{{run_id}}/skip"): "runs:execute",
    ("GET", f"{API}/queues"): "runs:read",
    ("GET", f"{API}/status"): "status:read",
    ("GET", f"{API}/variables"): "variables:read",
    ("POST", f"{API}/variables"): "variables:write",
    ("GET", f"{API}/variables/{{variable_id}}"): "variables:read",
    ("PATCH", f"{API}/variables/{{variable_id}}"): "variables:write",
    ("DELETE", f"{API}/variables/{{variable_id}}"): "variables:write",
    ("GET", f"{API}/data-stores"): "data-stores:read",
    ("POST", f"{API}/data-stores"): "data-stores:write",
    ("GET", f"{API}/data-stores/{{store_id}}"): "data-stores:read",
    ("PATCH", f"{API}/data-stores/{{store_id}}"): "data-stores:write",
    ("DELETE", f"{API}/data-stores/{{store_id}}"): "data-stores:write",
    ("GET", f"{API}/data-stores/{{store_id}}/records"): "data-stores:read",
    ("DELETE", f"{API}/data-stores/{{store_id}}/records"): "data-stores:write",
    ("PUT", f"{API}/data-stores/{{store_id}}/records/{{key}}"): "data-stores:write",
    ("GET", f"{API}/data-stores/{{store_id}}/records/{{key}}"): "data-stores:read",
    ("DELETE", f"{API}/data-stores/{{store_id}}/records/{{key}}"): "data-stores:write",
    ("GET", f"{API}/data-structures"): "data-structures:read",
    ("POST", f"{API}/data-structures"): "data-structures:write",
    ("GET", f"{API}/data-structures/{{structure_id}}"): "data-structures:read",
    ("PATCH", f"{API}/data-structures/{{structure_id}}"): "data-structures:write",
    ("DELETE", f"{API}/data-structures/{{structure_id}}"): "data-structures:write",
    ("GET", f"{API}/notification-channels"): "notifications:read",
    ("POST", f"{API}/notification-channels"): "notifications:write",
    ("GET", f"{API}/notification-channels/{{channel_id}}"): "notifications:read",
    ("PATCH", f"{API}/notification-channels/{{channel_id}}"): "notifications:write",
    ("DELETE", f"{API}/notification-channels/{{channel_id}}"): "notifications:write",
    ("POST", f"{API}/notification-channels/{{channel_id}}/test"): "notifications:write",
    ("GET", f"{API}/notices"): "notifications:read",
    ("GET", f"{API}/organization/quotas"): "organization:read",
    ("PATCH", f"{API}/organization/quotas"): "organization:write",
}

RIGHTS = tuple(sorted({right for right in TABLE.values() if right is not None}))
"""Every right a scoped token can have."""


def right_for(method: str, route: str) -> str | None:
    """The right a route needs (``None``: open); `Forbidden` if the table does not know it."""
    verb = "GET" if method == "HEAD" else method
    try:
        return TABLE[verb, route]
    except KeyError:
        raise Forbidden(f"{verb} {route} is in no permission table.") from None


def may(scopes: Iterable[str], right: str) -> bool:
    """Whether these scopes include a right."""
    held = set(scopes)
    return OWNER in held or right in held


def check_scopes(wanted: Iterable[str], held: Iterable[str]) -> tuple[str, ...]:
    """The scopes a new token gets: known ones, and none its maker lacks."""
    mine = set(held)
    out = tuple(dict.fromkeys(wanted))
    if not out:
        raise Misconfigured("A token needs at least one scope.", scopes=[])
    for scope in out:
        if scope != OWNER and scope not in RIGHTS:
            known = ", ".join((OWNER, *RIGHTS))
            raise Misconfigured(f"'{scope}' is no scope. Known: {known}.", scope=scope)
        if OWNER not in mine and scope not in mine:
            raise Forbidden(f"This token can't give away '{scope}': it does not have it.")
    return out
