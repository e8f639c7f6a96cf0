"""What commands learn from the machine that runs here."""

from __future__ import annotations

from pathlib import Path

from junctor.app.settings import Settings


def test_commands_know_the_running_machine(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, egress_allow=("10.0.0.1:80",))
    assert settings.as_running() == settings
    settings.address_file.write_text("http://127.0.0.1:8703\n127.0.0.1:8801\n")
    running = settings.as_running()
    assert running.public_url == "http://127.0.0.1:8703"
    assert running.egress_allow == ("10.0.0.1:80", "127.0.0.1:8801")
    settings.address_file.write_text("")
    assert settings.as_running() == settings


def test_a_chosen_address_stays(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, public="https://hooks.test")
    settings.address_file.write_text("http://127.0.0.1:8703\n127.0.0.1:8801\n")
    assert settings.as_running().public_url == "https://hooks.test"
    assert settings.as_running().egress_allow == ("127.0.0.1:8801",)
