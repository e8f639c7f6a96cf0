"""The command that examines an installation."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from junctor.app.settings import Settings


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


def finding(junctor: Any, check: str) -> Any:
    found = junctor("doctor", "--json").json
    checks = found["checks"] if isinstance(found, dict) else found
    return next(each for each in checks if each["check"] == check)


def test_channels_that_fail_and_notices_that_nobody_hears_are_shown(
    junctor: Any, database_url: str
) -> None:
    assert junctor("tokens", "create", "second", "--scope", "runs:read").code == 0
    with psycopg.connect(database_url, autocommit=True) as db:
        db.execute("truncate notices, notification_channels cascade")
        assert finding(junctor, "notifications") == {
            "check": "notifications",
            "ok": True,
            "message": "no channel fails, and nothing is left to tell",
            "mend": "",
        }
        db.execute(
            "insert into notices (organization_id, id, kind, created_at, handed_at)"
            " select organization_id, gen_random_uuid(), 'disk_low', now() - interval '1 hour', h"
            " from organizations, unnest(array[null, now(), now()]) h limit 3"
        )
        found = finding(junctor, "notifications")
        assert found["ok"] is False
        assert "1 notices were handed to nobody for five minutes" in found["message"]
        assert "2 of the last week have no channel that wants them" in found["message"]
        db.execute("update notices set handed_at = now()")
        assert finding(junctor, "notifications")["ok"] is True
        db.execute(
            "insert into notification_channels (organization_id, id, name, kind, address,"
            " failed_at, error, created_by) select organization_id, gen_random_uuid(), 'Ops',"
            " 'webhook', 'https://x.test', '2026-05-04 03:02Z', 'refused: 410', 't'"
            " from organizations limit 1"
        )
        db.execute(
            "with m as (insert into notifications (organization_id, id, channel_id, kind, due_at,"
            " given_up_at) select organization_id, gen_random_uuid(), id, 'disk_low', now(), now()"
            " from notification_channels returning organization_id, id)"
            " insert into notification_notices select m.organization_id, m.id, n.id"
            " from m, notices n limit 2"
        )
        found = finding(junctor, "notifications")
        assert found["ok"] is False
        assert "'Ops' (webhook) fails since 2026-05-04 03:02 UTC: refused: 410" in found["message"]
        assert "2 of the last week could not be told" in found["message"]
        assert "junctor notifications test" in found["mend"]
        db.execute("update notification_channels set enabled = false")
        found = finding(junctor, "notifications")
        assert found["ok"] is True  # a copy of an installation is so, and works
        assert "switched off and told nothing: 'Ops' (webhook)" in found["message"]
        assert "junctor notifications enable NAME" in found["mend"]
        db.execute("truncate notices, notification_channels cascade")


def test_a_spooled_file_that_nobody_can_read_is_shown(junctor: Any) -> None:
    assert finding(junctor, "spool")["ok"] is True
    folder = Settings.from_env().spool_dir
    folder.mkdir(parents=True, exist_ok=True)
    unread = folder / "unread.spool"
    unread.mkdir()
    found = finding(junctor, "spool")
    unread.rmdir()
    assert found["ok"] is False
    assert "can't be read, so nothing drains them: unread.spool" in found["message"]


def test_status_says_what_lies_in_each_servers_spool(junctor: Any, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as db:
        db.execute(
            "insert into nodes (name, role, details) values ('s1', 'server', jsonb_build_object("
            "'spool', jsonb_build_object('deliveries', 1234, 'bytes', 2048, 'oldest_at',"
            " extract(epoch from now())::int - 600))), ('s2', 'server', '{}')"
        )
        try:
            nodes = {each["name"]: each for each in junctor("status", "--json").json["nodes"]}
            shown = junctor("status").out
        finally:
            db.execute("delete from nodes where name in ('s1', 's2')")
    assert nodes["s2"]["spool"] is None
    assert (nodes["s1"]["spool"]["deliveries"], nodes["s1"]["spool"]["bytes"]) == (1234, 2048)
    assert 599 < nodes["s1"]["spool"]["oldest"] < 700
    assert "of s1: 1,234 deliveries" in shown
    assert "the oldest 10 min" in shown


def test_a_variable_that_sets_nothing_is_found(
    junctor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUNCTOR_DATA", "/somewhere")
    found = junctor("doctor", "--json").json
    checks = found["checks"] if isinstance(found, dict) else found
    finding = next(each for each in checks if each["check"] == "settings")
    assert finding["ok"] is False
    assert "JUNCTOR_DATA (meant: JUNCTOR_DATA_DIR?)" in finding["message"]
