"""Toky's modules on what calls leave behind, against its double, over the real transport."""

from __future__ import annotations

from test_connectors_simulated import Do, play

from junctor.connectors.toky import toky
from junctor.simulators import toky_calls
from junctor.simulators.kit import Simulator
from junctor.simulators.toky import TokySimulator


def test_toky_recordings_and_voicemails() -> None:
    async def story(do: Do, simulator: Simulator) -> None:
        assert isinstance(simulator, TokySimulator)
        for kind in ("completed", "voicemail"):
            toky_calls.simulate(simulator, toky_calls.CallsBody(count=2, kinds=(kind,)))
        [left, *_] = await do("listVoicemails")
        [heard] = await do("getVoicemail", voicemailId=left["id"])
        assert heard["recording_url"] == left["record_url"]
        answered = [row for row in await do("listCalls") if row["disposition_code"] == "200"]
        which = {"callId": answered[0]["callid"]}
        [recording] = await do("getRecording", **which)
        assert recording["recording_url"].endswith(".mp3")
        [gone] = await do("deleteRecording", **which)
        assert gone["success"] is True

    play("toky", toky, story)


def test_toky_watches_its_whole_directory() -> None:
    async def story(do: Do, _simulator: Simulator) -> None:
        assert len(await do("watchNewContacts", limit=30)) == 20
        assert len(await do("watchContacts", limit=30)) == 20

    play("toky", toky, story)
