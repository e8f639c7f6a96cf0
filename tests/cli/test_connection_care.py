"""`junctor connections authorize|show|rotate`, and what the list says of broken ones."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg

SECRET = "canary-client-secret-31"


def add(junctor: Any, name: str) -> Any:
    return junctor(
        "connections",
        "add",
        "highlevel",
        "--kind",
        "oauth",
        "--name",
        name,
        "--base-url",
        "http://127.0.0.1:9",
        "--set",
        "client_id=app-1",
        "--set",
        f"client_secret={SECRET}",
    )


def test_a_connection_is_added_and_its_page_shown(junctor: Any) -> None:
    added = add(junctor, "A")
    assert added.code == 0, added.err
    assert "Now authorise it: junctor connections authorize con_" in added.out
    begun = junctor("connections", "authorize", "A", "--wait", "0", "--json")
    assert begun.code == 0, begun.err
    url = urlsplit(begun.json["url"])
    query = parse_qs(url.query)
    assert (url.netloc, url.path) == ("127.0.0.1:9", "/v2/oauth/chooselocation")
    assert query["redirect_uri"] == ["http://127.0.0.1:9/oauth/callback"]
    assert query["code_challenge_method"] == ["S256"]
    assert len(query["state"][0]) == 43
    said = junctor("connections", "authorize", "A", "--wait", "0")
    assert "http://127.0.0.1:9/v2/oauth/chooselocation?" in said.out
    late = junctor("connections", "authorize", "A", "--wait", "0.01")
    assert late.code == 1
    assert "Nobody allowed it in time" in late.err
    assert SECRET not in added.out + begun.out + said.out + late.err


def test_a_kind_with_a_key_needs_no_permission(junctor: Any) -> None:
    junctor("connections", "add", "toky", "--name", "B", "--set", "api_key=abc", "--no-test")
    said = junctor("connections", "authorize", "B", "--wait", "0")
    assert said.code == 1
    assert "needs no authorisation" in said.err


def test_a_connection_shows_its_health(junctor: Any, database_url: str) -> None:
    add(junctor, "C")
    whole = junctor("connections", "show", "C", "--json").json
    assert whole["reconnect"] is None
    assert (whole["usage"], whole["requests"], whole["alerts"]) == ([], [], [])
    assert whole["key"]["due"] is False
    with psycopg.connect(database_url, autocommit=True) as db:
        db.execute(
            "update connection_states s set broken_at = now(), broken_reason = 'it was revoked', "
            "secret_at = now() - interval '100 days' from connections c "
            "where c.id = s.connection_id and c.name = 'C'"
        )
        db.execute(
            "insert into connection_usage select organization_id, id, date_trunc('hour', now()), "
            "7, 3, 3, 100, 2000 from connections where name = 'C'"
        )
        db.execute(
            "insert into connection_requests select organization_id, id, gen_random_uuid(), now(), "
            "null, 'GET', 'https://x.test/a?k=…', 401, null, 12.5, 0, 20 from connections "
            "where name = 'C'"
        )
    said = junctor("connections", "show", "C")
    assert said.code == 0, said.err
    for words in ("it was revoked", "100 days old; it is time", "401", "https://x.test/a?k=…"):
        assert words in said.out
    listed = junctor("connections", "list")
    assert "it was revoked" in listed.out
    rows = junctor("connections", "list", "--json").json["connections"]
    assert [row["reconnect"] for row in rows if row["name"] == "C"] == ["it was revoked"]


def test_rotation_says_why_not(junctor: Any) -> None:
    add(junctor, "D")
    said = junctor("connections", "rotate", "D", "--set", "client_secret=new")
    assert said.code == 1
    assert "It is not authorised yet" in said.err
    said = junctor("connections", "rotate", "D")
    assert said.code == 1
    assert "For a new grant: junctor connections authorize con_" in said.err
    junctor("connections", "add", "toky", "--name", "E", "--set", "api_key=abc", "--no-test")
    said = junctor("connections", "rotate", "E", "--set", "nonsense=new")
    assert said.code == 1
    assert "'nonsense' is no secret. Secrets: api_key." in said.err


def test_a_key_that_is_old_is_told_of_until_it_is_changed(junctor: Any, database_url: str) -> None:
    junctor("connections", "add", "toky", "--name", "F", "--set", "api_key=abc", "--no-test")
    assert junctor("connections", "remind", "F", "10", "--json").json["key"]["due"] is False
    with psycopg.connect(database_url, autocommit=True) as db:
        db.execute(
            "update connection_states s set secret_at = now() - interval '11 days' "
            "from connections c where c.id = s.connection_id and c.name = 'F'"
        )
    rows = junctor("connections", "list", "--json").json["connections"]
    assert [row["key_due"] for row in rows if row["name"] == "F"] == [True]
    assert "key 11 days old" in junctor("connections", "list").out
    assert "it is time to change it" in junctor("connections", "show", "F").out
    later = junctor("connections", "remind", "F", "30")
    assert "a reminder to change its key on" in later.out
    assert "it is time" not in junctor("connections", "show", "F").out
    assert "No reminder for 'F'" in junctor("connections", "remind", "F", "0").out
    assert junctor("connections", "remind", "F", "4000").code == 1


def test_budgets_are_shown(junctor: Any) -> None:
    add(junctor, "G")
    budgets = junctor("connections", "show", "G", "--json").json["budgets"]
    assert budgets
    assert all(each["spent"] == each["refused"] == 0 for each in budgets)
    assert budgets[0]["name"] in junctor("connections", "show", "G").out


def test_the_doctor_says_which_connections_need_somebody(junctor: Any, database_url: str) -> None:
    add(junctor, "H")
    with psycopg.connect(database_url, autocommit=True) as db:
        db.execute("delete from connections where name <> 'H'")

    def finding() -> Any:
        checks = junctor("doctor", "--json").json["checks"]
        [found] = [check for check in checks if check["check"] == "connections"]
        return found

    waiting = finding()
    assert (waiting["ok"], waiting["message"]) == (False, "'H' is not authorised yet")
    assert "authorize NAME" in waiting["mend"]
    with psycopg.connect(database_url, autocommit=True) as db:
        db.execute(
            "update connection_states set broken_at = now(), broken_reason = 'it was revoked.', "
            "secret_at = now() - interval '100 days'"
        )
    broken = finding()
    assert broken["ok"] is False
    assert broken["message"] == (
        "'H' must be connected anew: it was revoked; 'H' has a key of 100 days"
    )
    with psycopg.connect(database_url, autocommit=True) as db:
        db.execute(
            "update connection_states set broken_at = null, tokens = 'x', "
            "expires_at = now() + interval '50 hours'"
        )
        db.execute(
            "insert into connection_usage select organization_id, id, date_trunc('hour', now()), "
            "7, 4, 4, 100, 2000 from connections"
        )
    old = finding()
    assert old["ok"] is True  # it works for now
    assert "has access that ends in 2 days and can't be renewed" in old["message"]
    assert "refused the key 4 times" in old["message"]
    with psycopg.connect(database_url, autocommit=True) as db:
        db.execute("delete from connections")
    assert finding()["message"] == "none needs anything"
