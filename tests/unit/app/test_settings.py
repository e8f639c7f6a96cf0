"""What commands learn from the machine that runs here."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from junctor.app.settings import Settings
from junctor.errors import Misconfigured


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


@pytest.mark.parametrize(
    ("public", "host", "domain"),
    [
        ("https://us.example.com:8443/x", "", "us.example.com"),
        ("https://us.example.com", "Hooks.Example.com", "hooks.example.com"),
        ("", "", "[127.0.0.1]"),
        ("http://[::1]:80", "", "[IPv6:::1]"),
    ],
)
def test_the_domain_of_mailhooks(public: str, host: str, domain: str) -> None:
    env = {"JUNCTOR_PUBLIC_URL": public, "JUNCTOR_MAIL_HOST": host, "JUNCTOR_MAIL_PORT": "2525"}
    settings = Settings.from_env(env)
    assert settings.mail_domain == domain
    assert settings.mail_port == 2525
    assert Settings.from_env({}).mail_port == 0
    with pytest.raises(Misconfigured, match="JUNCTOR_MAIL_PORT"):
        Settings.from_env({"JUNCTOR_MAIL_PORT": "smtp"})


@pytest.mark.parametrize("text", ["15 2 * * *", "*/10 0-6,12 1 * 1-5", "0  3 1,15 */2 7"])
def test_times_of_backups(text: str) -> None:
    found = Settings.from_env({"JUNCTOR_BACKUP_SCHEDULE": text, "JUNCTOR_BACKUP_KEEP": "3"})
    assert found.backup_schedule == " ".join(text.split())
    assert found.backup_keep == 3
    assert Settings.from_env({}).backup_schedule == ""


@pytest.mark.parametrize(
    "text",
    ["daily", "60 2 * * *", "15 2 * *", "15 2 * * mon", "5-1 2 * * *", "*/0 2 * * *", "1 2 3 4 ?"],
)
def test_times_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(Misconfigured, match="JUNCTOR_BACKUP_SCHEDULE"):
        Settings.from_env({"JUNCTOR_BACKUP_SCHEDULE": text})


def test_many_processes_may_begin_in_one_data_directory_at_once(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")

    def begin(_: int) -> None:
        for _ in range(30):
            settings.ensure_data_dir()

    with ThreadPoolExecutor(16) as others:
        list(others.map(begin, range(16)))
    assert [each.name for each in settings.data_dir.iterdir()] == ["logs"]
