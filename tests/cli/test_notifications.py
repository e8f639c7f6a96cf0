"""`junctor notifications`, `notices`, `quotas` and `scenarios set`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg

from tests.api.shapes import blueprint


def test_channels_are_added_listed_tried_and_removed(junctor: Any) -> None:
    added = junctor("notifications", "add", "chat", "--webhook", "https://127.0.0.1/canary")
    assert "https://127.0.0.1" in added.out
    assert "whsec_" in added.out
    mail = junctor(
        "notifications", "add", "ops", "--email", "a@example.com", "--kind", "disk_low", "--json"
    )
    assert (mail.json["kinds"], mail.json["secret"]) == (["disk_low"], None)
    listed = junctor("notifications", "list", "--json").json["channels"]
    assert [each["name"] for each in listed] == ["chat", "ops"]
    assert "canary" not in junctor("notifications", "list").out
    tried = junctor("notifications", "test", "chat")
    assert (tried.code, "not a public address" in tried.err) == (1, True)
    assert "There are: 'chat', 'ops'" in junctor("notifications", "test", "x").err
    assert junctor("notifications", "disable", "ops").out.strip() == "ops is off"
    listed = junctor("notifications", "list", "--json").json["channels"]
    assert [each["enabled"] for each in listed] == [True, False]
    assert "switched off" in junctor("notifications", "list").out
    assert junctor("notifications", "enable", "ops", "--json").json["enabled"] is True
    assert "switched off" not in junctor("notifications", "list").out
    assert junctor("notifications", "remove", "chat").out.strip() == "Removed chat"
    assert junctor("notifications", "remove", "ops", "--json").json["name"] == "ops"
    wrong = junctor("notifications", "add", "x", "--email", "nobody")
    assert (wrong.code, "is not an e-mail address" in wrong.err) == (1, True)


def test_notices_are_listed(junctor: Any, database_url: str) -> None:
    assert junctor("notices", "--json").json["notices"] == []
    with psycopg.connect(database_url, autocommit=True) as db:
        db.execute(
            "insert into notices (organization_id, id, kind, subject, params)"
            " select organization_id, gen_random_uuid(), 'backup_failed', 'backup',"
            ' \'{"code": "no_room", "message": "canary"}\' from organizations'
        )
    said = junctor("notices", "--kind", "backup_failed")
    assert "The last backup failed (error no_room)" in said.out
    assert "canary" not in said.out + junctor("notices", "--json").out
    assert "There are: run_stopped" in junctor("notices", "--kind", "x").err


def test_limits_are_shown_and_set(junctor: Any) -> None:
    set_ = junctor("quotas", "--queue", "2GB", "--deliveries", "10,000", "--json").json
    assert set_["limits"]["queued_bytes"] == 2 * 10**9
    assert set_["limits"]["queued_deliveries"] == 10_000
    assert set_["used"]["queued_deliveries"] == 0
    assert "told after 60 minutes" in junctor("quotas").out
    cleared = junctor("quotas", "--queue", "none", "--minutes", "0", "--json").json["limits"]
    assert (cleared["queued_bytes"], cleared["queued_deliveries"]) == (None, 10_000)
    assert "not told" in junctor("quotas").out
    assert "is no amount" in junctor("quotas", "--records", "many").err
    assert "whole number" in junctor("quotas", "--minutes", "-1").err


def test_what_history_keeps_is_set(junctor: Any, tmp_path: Path) -> None:
    file = tmp_path / "b.json"
    file.write_text(json.dumps(blueprint("Kept")))
    assert junctor("import", str(file)).code == 0
    said = junctor("scenarios", "set", "Kept", "--retention", "short", "--confidential", "--json")
    assert (said.json["retention"], said.json["confidential"]) == ("short", True)
    assert "class short, detail full" in junctor("scenarios", "set", "Kept", "--open").out
    wrong = junctor("scenarios", "set", "Kept", "--retention", "forever")
    assert "one of short, standard, long" in wrong.err
    assert "nothing to change" in junctor("scenarios", "set", "Kept").err
