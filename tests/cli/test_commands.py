"""Every command: its help, its JSON, its exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg
import pytest
import typer

from junctor.app.cli.inputs import read_json
from junctor.app.cli.main import COMMANDS
from junctor.errors import Misconfigured
from tests.api.shapes import EXAMPLE, blueprint

SECRET = "sk-canary-0123456789abcdef"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(junctor: Any, name: str) -> None:
    said = junctor(name, "--help")
    assert said.code == 0
    assert "Usage: junctor " + name in said.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_registers_itself_under_its_name(name: str) -> None:
    app = typer.Typer()
    import_module(f"junctor.app.cli.{COMMANDS[name][0]}").register(app)
    assert list(typer.main.get_group(app).commands) == [name]


def test_help_lists_commands_without_loading_them() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "junctor", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert all(f" {name} " in done.stdout for name in COMMANDS)
    loaded = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert not loaded & {"litestar", "psycopg", "aiohttp", "structlog", "uvicorn", "msgspec"}


@pytest.mark.parametrize(
    "group",
    ["runs", "scenarios", "hooks", "connections", "tokens", "variables", "stores", "structures",
     "waits", "approvals", "notifications"],
)  # fmt: skip
def test_a_bare_name_lists(junctor: Any, group: str) -> None:
    bare, listed = junctor(group, "--json"), junctor(group, "list", "--json")
    assert (bare.code, bare.json) == (0, listed.json)
    assert junctor(group, "--help").code == 0
    assert junctor(group, "no-such-command").code == 2


def test_wrong_usage_is_exit_2(junctor: Any) -> None:
    assert junctor("nonsense").code == 2
    assert junctor("runs", "--limit", "many").code == 2


def test_errors_are_one_line_or_one_envelope(junctor: Any) -> None:
    said = junctor("activate", "nobody")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("error not_found: There is no scenario 'nobody'")
    assert "Traceback" not in said.err
    said = junctor("activate", "nobody", "--json")
    assert said.code == 1
    assert said.json["error"]["code"] == "not_found"
    assert junctor("import", "/nowhere.json").code == 1
    assert junctor("runs", "--state", "tired").code == 2
    assert junctor("runs", "--since", "yesterday").code == 2
    assert junctor("runs", "--colour").code == 2
    assert junctor("run", "show", "run_wrong").code == 1


def test_an_unknown_connector_gets_a_hint(junctor: Any) -> None:
    said = junctor("connectors", "tokyo")
    assert (said.code, said.out) == (1, "")
    assert "There is no connector 'tokyo'. Did you mean toky" in said.err
    listed = junctor("connectors", "zzzz").err
    assert "There are: builtin, " in listed
    assert ", toky, " in listed
    assert junctor("connectors", "tokyo", "--json").json["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://me:s3cret@127.0.0.1:1/x", "Could not reach the database"),
        ("garbage s3cret", "postgresql://user:password@host"),
    ],
)
def test_a_database_that_can_not_be_used_is_no_bug(
    junctor: Any, monkeypatch: pytest.MonkeyPatch, url: str, says: str
) -> None:
    monkeypatch.setenv("JUNCTOR_DATABASE_URL", url)
    said = junctor("scenarios")
    assert said.code == 1
    assert says in said.err
    assert "bug" not in said.err
    assert "s3cret" not in said.err


def test_ids_in_a_pipe_are_whole(junctor: Any, tmp_path: Path) -> None:
    file = tmp_path / "s.json"
    file.write_text(json.dumps(blueprint("A rather long name of a scenario, to be folded")))
    made = junctor("import", str(file), "--json").json
    listed = junctor("scenarios").out
    assert made["id"] in listed
    assert "A rather long name of a scenario, to be folded" in listed


def test_a_hook_is_given_its_secret(junctor: Any, tmp_path: Path) -> None:
    shape = blueprint("Called")
    trigger = {"id": 9, "module": "gateway:CustomWebHook", "version": 1, "mapper": {}}
    shape["flow"].insert(0, trigger)
    file = tmp_path / "s.json"
    file.write_text(json.dumps(shape))
    scenario = junctor("import", str(file), "--json").json["id"]
    hook = junctor("activate", scenario, "--json").json["hooks"][0]["id"]
    empty = junctor("hooks", "set", hook)
    assert (empty.code, "Say what to change" in empty.err) == (2, True)
    said = junctor("hooks", "set", scenario, "--set", f"api_key={SECRET}", "--json")
    assert said.code == 0, said.out
    assert (said.json["id"], said.json["secrets"]) == (hook, ["api_key"])
    for argv in (("hooks", "show", hook), ("hooks", "list"), ("hooks", "list", "--json")):
        shown = junctor(*argv)
        assert shown.code == 0
        assert SECRET not in shown.out + shown.err
        assert hook in shown.out
    assert junctor("hooks", "show", "Called", "--json").json["secrets"] == ["api_key"]
    wrong = junctor("hooks", "set", hook, "--set", "colour=red")
    assert (wrong.code, "There is no field 'colour'" in wrong.err) == (1, True)
    short = junctor("hooks", "set", hook, "--set", "api_key=abc123")
    assert (short.code, "at least 8" in short.err) == (1, True)
    assert "abc123" not in short.err
    assert junctor("hooks", "set", hook, "--set", "api_key=", "--json").json["secrets"] == []
    off = junctor("hooks", "set", hook, "--disable", "--name", "Mine", "--json").json
    assert (off["enabled"], off["name"]) == (False, "Mine")
    assert "There are:" in junctor("hooks", "show", "nowhere").err


def test_a_scenario_from_import_to_run(junctor: Any, tmp_path: Path) -> None:
    file = tmp_path / "pure.json"
    file.write_text(json.dumps(blueprint("Command life")))
    made = junctor("import", str(file), "--json")
    assert made.code == 0, made.out
    assert made.json["missing"] == []
    key = made.json["id"]
    out = tmp_path / "out.json"
    assert junctor("export", "Command life", "-o", str(out)).code == 0
    assert json.loads(out.read_text()) == blueprint("Command life")
    assert json.loads(junctor("export", key).out) == blueprint("Command life")
    once = junctor("run", "once", key, "--json")
    assert once.code == 0, once.out + once.err
    assert once.json["state"] == "finished"
    shown = junctor("run", "show", once.json["id"], "--json").json
    assert {"greeting": "hello"} in [b for o in shown["operations_list"] for b in o["bundles"]]
    assert not shown["more_operations"]
    assert "util:SetVariables" in junctor("run", "show", once.json["id"]).out
    listed = junctor("runs", "--scenario", key, "--state", "finished", "--json").json["runs"]
    assert [each["id"] for each in listed] == [once.json["id"]]
    assert junctor("activate", key, "--json").json["active"] is True
    active = junctor("scenarios", "--active", "--json").json["scenarios"]
    assert key in [each["id"] for each in active]
    assert junctor("deactivate", key, "--json").json["active"] is False
    assert "Hook " not in junctor("deactivate", key).out


def test_missing_connections_are_named(junctor: Any) -> None:
    made = junctor("import", str(EXAMPLE), "--name", "Bare", "--json")
    assert any("connections add toky" in line for line in made.json["missing"])
    said = junctor("activate", "Bare")
    assert (said.code, said.out) == (1, "")
    assert "has no connection" in said.err


def test_connections_never_show_their_secrets(junctor: Any) -> None:
    added = junctor(
        "connections",
        "add",
        "toky",
        "--name",
        "C",
        "--set",
        f"api_key={SECRET}",
        "--no-test",
        "--json",
    )
    assert added.code == 0, added.out
    tested = junctor("connections", "test", "C", "--json")
    assert tested.code in {0, 1}  # there may be no network; either way it is said
    said = [added, tested, junctor("connections", "list"), junctor("connections", "list", "--json")]
    wrong = junctor("connections", "add", "toky", "--set", f"key={SECRET}", "--json")
    assert wrong.code == 1
    assert SECRET not in "".join(each.out + each.err for each in [*said, wrong])
    assert junctor("connections", "remove", "C").code == 0
    assert junctor("connections", "test", "C").code == 1


def test_calling_a_pure_module_gives_its_bundles(junctor: Any) -> None:
    said = junctor("call", "json", "ParseJSON", "--input", '{"json": "{\\"a\\": 1}"}', "--json")
    assert said.code == 0, said.out
    assert said.json["bundles"] == [{"a": 1}]
    assert junctor("call", "json", "Nothing", "--json").code == 1
    assert junctor("call", "toky", "listAgents", "--json").json["error"]["code"] == "misconfigured"


def test_tokens_are_shown_once(junctor: Any) -> None:
    made = junctor("tokens", "create", "ci", "--scope", "runs:read", "--days", "1", "--json").json
    assert made["token"].startswith("jct_")
    assert made["scopes"] == ["runs:read"]
    listed = junctor("tokens", "list", "--json")
    assert made["token"] not in listed.out
    assert made["id"] in [each["id"] for each in listed.json["tokens"]]
    gone = junctor("tokens", "revoke", made["id"], "--json")
    assert gone.json["revoked_at"] is not None
    assert junctor("tokens", "create", "x", "--scope", "runs:destroy").code == 1


def test_migrate_and_doctor(junctor: Any) -> None:
    assert junctor("migrate", "--json").json == {"applied": []}
    assert junctor("migrate", "--check").code == 0
    said = junctor("doctor", "--json")
    assert said.code == 1  # there is no worker and no server here
    found = {each["check"]: each["ok"] for each in said.json["checks"]}
    assert found["data directory"]
    assert found["migrations"]
    assert found["keys"]
    assert not found["worker"]
    assert not found["public URL"]


def test_a_worker_that_was_killed_a_moment_ago_holds_nothing_up(
    junctor: Any, tmp_path: Path, database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(
            "insert into nodes (name, role, seen_at, details) values"
            " ('killed', 'worker', clock_timestamp(), '{}')"
        )
        file = tmp_path / "s.json"
        file.write_text(json.dumps(blueprint("Quick")))
        scenario = junctor("import", str(file), "--json").json["id"]
        said = junctor("run", "once", scenario, "--timeout", "30", "--json")
        owner.execute("delete from nodes where name = 'killed'")
    assert said.code == 0, said.out
    assert said.json["state"] == "finished"


def test_input_is_taken_as_typed_or_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "in.json"
    file.write_text('{"a": 1}')
    for text in ('{"a": 1}', str(file), f"@{file}"):
        assert read_json(text, files=True) == {"a": 1}
    assert read_json(' [{"a": 1}]', files=True) == [{"a": 1}]
    with pytest.raises(Misconfigured, match="can't be read"):
        read_json("nowhere.json", files=True)


def test_input_that_is_no_json_is_named(junctor: Any, tmp_path: Path) -> None:
    file = tmp_path / "in.json"
    file.write_text("{")
    said = junctor("call", "util", "SetVariables", "--input", f"@{file}")
    assert (said.code, f"{file} is no JSON" in said.err) == (2, True)
    typed = junctor("call", "util", "SetVariables", "--input", "nope")
    assert "'nope' is no JSON" in typed.err


def test_a_scenario_that_could_not_run_is_not_activated(junctor: Any, tmp_path: Path) -> None:
    for name, module in (("unknown", "nosuch:thing"), ("unnamed", None)):
        shape = blueprint(f"Broken {name}")
        shape["flow"].append({"id": 2, "module": module, "version": 1, "mapper": {}})
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps(shape))
        scenario = junctor("import", str(file), "--json").json["id"]
        said = junctor("activate", scenario)
        assert (said.code, said.out) == (1, "")
        assert f"'Broken {name}' can't run:" in said.err
        listed = junctor("scenarios", "--json").json["scenarios"]
        assert next(each for each in listed if each["id"] == scenario)["active"] is False


def test_lists_of_our_own_things_need_no_account(junctor: Any) -> None:
    said = junctor("options", "wait:Delivery", "hook", "--json")
    assert said.code == 0, said.err
    assert isinstance(said.json["options"], list)
    assert "nothing:at" in junctor("options", "nothing:at", "all").err
