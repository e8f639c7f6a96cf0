"""The page at /_sim/: nothing from elsewhere, only for who sits at it, and all it offers works."""

from __future__ import annotations

import asyncio
import re
from importlib.resources import files
from typing import Any

import pytest
from sim_client import Vendor, call

from junctor.simulators.crisp import CrispSimulator
from junctor.simulators.highlevel import HighLevelSimulator
from junctor.simulators.highlevel_oauth import HighLevelOAuthSimulator
from junctor.simulators.kit import Simulator, running
from junctor.simulators.page import FORMS
from junctor.simulators.signalwire import SignalWireSimulator
from junctor.simulators.toky import TokySimulator

ALL: list[type[Simulator]] = [
    TokySimulator,
    SignalWireSimulator,
    CrispSimulator,
    HighLevelOAuthSimulator,
]


def test_the_page_comes_with_a_policy_that_lets_nothing_else_in() -> None:
    async def story() -> None:
        async with running(TokySimulator(seed=1)) as sim:
            for path, kind in (
                ("/", "text/html"),
                ("/page.js", "text/javascript"),
                ("/page.css", "text/css"),
            ):
                answer = await call("GET", sim.admin_url + path)
                assert answer.status == 200
                assert answer.headers["content-type"] == f"{kind}; charset=utf-8"
                policy = answer.headers["content-security-policy"]
                assert policy.startswith(
                    "default-src 'none'; script-src 'self'; style-src 'self'; "
                )
                assert "unsafe" not in policy
                assert answer.headers["x-content-type-options"] == "nosniff"
            assert (await call("POST", sim.admin_url + "/")).status == 404

    asyncio.run(story())


def test_the_page_is_all_our_own_and_writes_no_markup() -> None:
    texts = {
        each.name: each.read_text("utf-8")
        for each in files("junctor.simulators.page").iterdir()
        if each.name.endswith((".html", ".js", ".css"))
    }
    assert set(texts) == {"index.html", "page.js", "page.css"}
    for text in texts.values():
        assert not re.search(
            r"https?:|//[a-z]|@import|url\(|innerHTML|insertAdjacent|eval\(",
            text.replace("// ", ""),
        )
    assert not re.search(r"<script>|<style|\son[a-z]+=|style=", texts["index.html"])


def test_only_our_own_page_may_ask() -> None:
    async def story() -> None:
        async with running(TokySimulator(seed=1)) as sim:
            where, port = sim.admin_url + "/reset", sim.origin.rpartition(":")[2]

            async def status(**headers: str) -> int:
                return (await call("POST", where, {}, headers)).status

            assert await status(origin=sim.origin) == 200
            assert await status(host=f"localhost:{port}", origin=f"http://localhost:{port}") == 200
            for origin in (
                "http://evil.test",
                "null",
                f"https://127.0.0.1:{port}",
                "http://127.0.0.1",
            ):
                assert await status(origin=origin) == 403
            assert await status(host=f"evil.test:{port}", origin=f"http://evil.test:{port}") == 403

    asyncio.run(story())


@pytest.mark.parametrize("made", ALL, ids=lambda made: made.name)
def test_all_that_the_page_offers_works(made: type[Simulator]) -> None:
    async def story() -> None:
        async with running(made(seed=1)) as sim:
            vendor = Vendor(sim)
            known = await vendor.admin("GET", "/forms")
            assert [form["label"] for form in known["forms"]] == [
                form.label for form in FORMS[sim.name]
            ]
            for form in known["forms"]:
                given: dict[str, Any] = {
                    field["name"]: field["value"]
                    for field in form["fields"]
                    if field["value"] != ""
                }
                await vendor.admin("POST", form["path"], given)
                for field in form["fields"]:
                    for choice in field["choices"] or ():
                        await vendor.admin("POST", form["path"], {**given, field["name"]: choice})
            for kind in known["faults"]:
                await vendor.fault(kind=kind, times=1, probability=1, status=503)
            assert (await vendor.admin("GET", ""))["title"] == sim.title

    asyncio.run(story())


def test_what_a_simulator_has_no_way_to_do_is_not_offered() -> None:
    async def story() -> None:
        async with running(HighLevelSimulator(seed=1)) as sim:
            known = await Vendor(sim).admin("GET", "/forms")
            assert "Access" not in [form["label"] for form in known["forms"]]

    asyncio.run(story())
