"""`junctor hooks app`: an app's address, and whom it feeds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.cli.test_connection_care import SECRET, add


def test_an_apps_address_is_shown_and_changed(junctor: Any, tmp_path: Path) -> None:
    assert junctor("hooks", "app", "nowhere").code == 1
    assert "name a connection by it" in junctor("hooks", "app", "--disable").err
    assert add(junctor, "HL app").code == 0
    first = junctor("hooks", "app", "HL app")
    assert first.code == 0, first.err
    assert "highlevel app app (app_" in first.out
    assert "It feeds no scenario yet" in first.out
    shape = {
        "name": "Fed",
        "flow": [{"id": 1, "module": "highlevel:watchTasks", "version": 1, "mapper": {}}],
        "metadata": {"version": 1},
    }
    file = tmp_path / "s.json"
    file.write_text(json.dumps(shape))
    made = junctor("import", str(file), "--map", "1=HL app", "--json").json
    assert junctor("activate", made["id"]).code == 0
    shown = junctor("hooks", "app", "HL app", "--set", "accept_rsa=true", "--json").json
    assert shown["settings"]["accept_rsa"] is True
    (feed,) = shown["feeds"]
    assert (feed["scenario"], feed["why_not"]) == (made["id"], "the connection is not authorised")
    off = junctor("hooks", "app", "HL app", "--disable", "--set", "accept_rsa=")
    assert "Does not receive" in off.out
    assert "Fed" in off.out
    listed = junctor("hooks", "app", "--json").json["app_hooks"]
    (mine,) = (each for each in listed if each["id"] == shown["id"])
    assert (mine["enabled"], mine["settings"]["accept_rsa"]) == (False, False)
    wrong = junctor("hooks", "app", "HL app", "--set", "colour=red")
    assert (wrong.code, "There is no field 'colour'" in wrong.err) == (1, True)
    assert SECRET not in first.out + off.out + json.dumps(listed)
