"""The command that examines an installation."""

from __future__ import annotations

from typing import Any

import psycopg


def audit_finding(junctor: Any) -> Any:
    found = junctor("doctor", "--json").json
    checks = found["checks"] if isinstance(found, dict) else found
    return next(each for each in checks if each["check"] == "audit log")


def test_a_changed_audit_log_is_found(junctor: Any, database_url: str) -> None:
    assert junctor("tokens", "create", "first", "--scope", "runs:read").code == 0
    assert audit_finding(junctor)["ok"] is True
    with psycopg.connect(database_url, autocommit=True) as db:
        db.execute("alter table audit disable trigger user")
        db.execute("update audit set actor = 'somebody else' where seq = 1")
    finding = audit_finding(junctor)
    assert finding["ok"] is False
    assert "breaks at row 1" in finding["message"]
