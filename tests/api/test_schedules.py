"""Schedules by API: given by an import, read with what comes next, set, refused, reset."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support import asynchronous

ANY = {"if-match": "*"}
RSS = ("rss:TriggerNewArticle", {"url": "https://news.test/feed"})
HOOK: tuple[str, dict[str, Any]] = ("gateway:CustomWebHook", {})
SET = ("util:SetVariables", {"scope": "roundtrip", "variables": []})


async def imported(it: Any, module: tuple[str, Any], **more: Any) -> tuple[str, Any]:
    """A scenario's path in the API, and what the import said."""
    placed = [{"id": 1, "module": module[0], "version": 1, "parameters": {}, "mapper": module[1]}]
    blueprint = {"name": "s", "flow": placed, "metadata": {"version": 1}, **more}
    made = await it.client.post("/api/v1/scenarios", json={"blueprint": blueprint})
    assert made.status_code == 201, made.text
    return f"/api/v1/scenarios/{made.json()['id']}", made.json()


async def schedule(it: Any, path: str, count: int = 10) -> Any:
    found = await it.client.get(f"{path}/schedule", params={"next": count})
    assert found.status_code == 200, found.text
    return found.json()


@asynchronous
async def test_what_an_import_begins_with(api: Any) -> None:
    daily = {"type": "daily", "time": "09:30", "somebody": "else's"}
    async with api() as it:
        path, _ = await imported(it, RSS)
        found = await schedule(it, path)
        assert (found["words"], found["zone"], found["counting"]) == (
            "every 15 minutes",
            "UTC",
            False,
        )
        assert len(found["next"]) == 10

        path, said = await imported(it, RSS, scheduling=daily)
        assert (await schedule(it, path))["scheduling"] == daily
        assert not [each for each in said["problems"] if "scheduling" in each["path"]]

        for given, why in (
            ({"type": "immediately"}, "$.scheduling.type"),
            ({"type": "daily", "time": "noon"}, "$.scheduling.time"),
        ):
            path, said = await imported(it, RSS, scheduling=given)
            assert (await schedule(it, path))["words"] == "every 15 minutes"
            assert why in [each["path"] for each in said["problems"]]

        path, said = await imported(it, HOOK, scheduling={"type": "indefinitely", "interval": 900})
        found = await schedule(it, path)
        assert (found["words"], found["next"]) == ("as deliveries come in", [])
        assert "$.scheduling.type" in [each["path"] for each in said["problems"]]

        path, _ = await imported(it, HOOK)
        assert (await schedule(it, path))["words"] == "as deliveries come in"
        path, _ = await imported(it, SET)
        assert (await schedule(it, path))["words"] == "on demand"


@asynchronous
async def test_a_schedule_is_set_paused_and_reset(api: Any) -> None:
    async with api() as it:
        path, _ = await imported(it, SET)
        at = f"{path}/schedule"
        order = {
            "scheduling": {"type": "daily", "time": "02:30"},
            "zone": "Europe/Berlin",
            "missed": "all",
            "max_per_minute": 5,
        }
        made = await it.client.put(at, json=order, headers={"if-match": '"0"'})
        assert made.status_code == 200, made.text
        found = made.json()
        assert {key: found[key] for key in order} == order
        assert (found["own_zone"], found["counting"], len(found["next"])) == (True, False, 10)
        again = await it.client.put(at, json=order, headers={"if-match": '"0"'})
        assert again.status_code == 412
        tag = {"if-match": made.headers["etag"]}

        assert (await it.client.post(f"{path}/activate", headers=ANY)).status_code == 200
        found = await schedule(it, path, 2)
        assert found["counting"]
        first, second = (datetime.fromisoformat(each) for each in found["next"])
        assert first > datetime.now(UTC) - timedelta(minutes=1)
        assert timedelta(hours=22) < second - first < timedelta(hours=26)

        paused = await it.client.put(at, json={**order, "paused": True}, headers=tag)
        assert (paused.json()["paused"], paused.json()["counting"]) == (True, False)
        assert (await it.client.delete(at, headers=tag)).status_code == 412
        assert (await it.client.delete(at, headers=ANY)).status_code == 204
        assert (await schedule(it, path))["words"] == "on demand"
        assert (await it.client.delete(at, headers=ANY)).status_code == 404


@asynchronous
async def test_what_can_not_be_is_refused_with_its_path(api: Any) -> None:
    async with api() as it:
        plain, _ = await imported(it, SET)
        hooked, _ = await imported(it, HOOK)
        polls, _ = await imported(it, RSS)
        daily = {"type": "daily", "time": "9:00"}
        for path, order, where in (
            (plain, {"scheduling": {"type": "hourly"}}, "body.scheduling.type"),
            (
                plain,
                {"scheduling": {"type": "weekly", "time": "9:00", "days": [9]}},
                "body.scheduling.days[0]",
            ),
            (plain, {"scheduling": daily, "zone": "Middle/Earth"}, "body.zone"),
            (plain, {"scheduling": daily, "max_per_minute": 0}, "body.max_per_minute"),
            (hooked, {"scheduling": daily}, "body.scheduling"),
            (polls, {"scheduling": {"type": "immediately"}}, "body.scheduling"),
        ):
            answer = await it.client.put(f"{path}/schedule", json=order, headers=ANY)
            assert answer.status_code == 400, answer.text
            assert answer.json()["error"]["path"] == where
        answer = await it.client.put(
            f"{plain}/schedule", json={"scheduling": daily, "missed": "never"}, headers=ANY
        )
        assert answer.status_code == 422
        limited = await it.token_with("scenarios:read")
        assert (await it.client.get(f"{plain}/schedule", headers=limited)).status_code == 200
        refused = await it.client.put(
            f"{plain}/schedule", json={"scheduling": daily}, headers={**ANY, **limited}
        )
        assert refused.status_code == 403


@asynchronous
async def test_another_trigger_gets_a_schedule_that_it_can_have(api: Any) -> None:
    async with api() as it:
        path, _ = await imported(it, RSS)
        other = {
            "name": "s",
            "flow": [{"id": 1, "module": HOOK[0], "version": 1, "parameters": {}, "mapper": {}}],
        }
        again = {"flow": [{"id": 1, "module": RSS[0], "version": 1, "mapper": RSS[1]}]}
        for blueprint, words in ((other, "as deliveries come in"), (again, "every 15 minutes")):
            saved = await it.client.put(f"{path}/draft", json={"blueprint": blueprint}, headers=ANY)
            assert saved.status_code == 200, saved.text
            assert (await it.client.post(f"{path}/publish", headers=ANY)).status_code == 200
            assert (await schedule(it, path))["words"] == words
