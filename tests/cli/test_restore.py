"""`junctor backup` and `junctor restore`, as commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.integration.backup_world import empty_database


def test_a_copy_says_which_channels_are_off(
    junctor: Any, database_url: str, tmp_path: Path
) -> None:
    for name in ("ops", "night"):
        added = junctor("notifications", "add", name, "--email", "a@example.com")
        assert added.code == 0, added.err
    assert junctor("notifications", "disable", "night").code == 0
    made = junctor("backup", str(tmp_path / "b"), "--json").json["backup"]
    with empty_database(database_url) as copy:
        said = junctor("restore", made, "--into", copy)
        assert said.code == 0, said.err
        out = " ".join(said.out.split())
        assert "channels are off, as they tell the people of the original: ops." in out
        assert "`junctor notifications enable NAME`" in out
    with empty_database(database_url) as copy:
        restored = junctor("restore", made, "--into", copy, "--json")
        assert restored.json["channels_off"] == ["ops"]
