"""What is in deploy/ can be read by who it is for, names what exists, and holds no secret.

Helm's own lint and rendering run where `make chart` has installed its code, or where Helm is;
without both the templates are read as far as that goes without rendering: their actions are
balanced, their values and parts exist, and what is left is YAML.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from junctor.app.cli.main import COMMANDS
from junctor.app.settings import SETTINGS
from tests.support import ROOT

DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm" / "junctor"
UNITS = sorted((DEPLOY / "systemd").iterdir())
TEMPLATES = sorted((CHART / "templates").glob("*.yaml"))
PROGRAM = "/usr/local/lib/junctor/bin/junctor"
ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
OPENS = ("if", "range", "with", "define")


def settings_of(unit: Path) -> list[tuple[str, str]]:
    lines = [line for line in unit.read_text().splitlines() if line and not line.startswith("#")]
    return [
        (name, value)
        for name, separator, value in (line.partition("=") for line in lines)
        if separator
    ]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_units_are_hardened_and_call_commands_that_exist(unit: Path) -> None:
    found = settings_of(unit)
    named = dict(found)
    assert not re.search(r"(PASSWORD|_KEY|DATABASE_URL)=\S", unit.read_text())
    if unit.suffix != ".service":
        return
    program, command = named["ExecStart"].split()[:2]
    assert program == PROGRAM
    assert command in COMMANDS
    assert named["User"] == "junctor"
    assert named["NoNewPrivileges"] == "yes"
    assert named["ProtectSystem"] == "strict"
    assert named["UMask"] == "0077"


def test_a_server_of_a_unit_has_a_spool_where_it_may_write() -> None:
    found = settings_of(DEPLOY / "systemd" / "junctor-server@.service")
    assert ("Environment", "JUNCTOR_SPOOL_DIR=%S/junctor/spool") in found
    assert ("StateDirectory", "junctor") in found


def test_systemd_understands_the_units(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed here")
    for unit in UNITS:
        # An instance, and a program that is here: those of the units are where they will be.
        name = unit.name.replace("@.", "@8701.")
        text = unit.read_text().replace(PROGRAM, shutil.which("true") or "")
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [analyze, "verify", "--man=no", *sorted(str(path) for path in tmp_path.iterdir())],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
    )
    ours = [line for line in done.stderr.splitlines() if "junctor" in line]
    assert (done.returncode, ours) == (0, [])


def compose() -> dict[str, Any]:
    found = yaml.safe_load((DEPLOY / "container" / "compose.yaml").read_text())
    assert isinstance(found, dict)
    return found


def test_the_compose_file_is_two_of_each_on_a_healthy_database() -> None:
    services = compose()["services"]
    assert {"postgres", "migrate", "server-1", "server-2", "worker-1", "worker-2"} <= set(services)
    for name, service in services.items():
        assert service["healthcheck"], name
        assert set(service) <= {
            "image", "build", "command", "restart", "init", "read_only", "tmpfs", "cap_drop",
            "security_opt", "environment", "depends_on", "stop_grace_period", "healthcheck",
            "ports", "volumes", "shm_size", "profiles",
        }, name  # fmt: skip
        for dependency, condition in service.get("depends_on", {}).items():
            assert dependency in services
            if condition["condition"] == "service_healthy":
                assert "test" in services[dependency]["healthcheck"]
        if name == "postgres":
            continue
        assert service["command"][0] in COMMANDS
        assert set(service["environment"]) <= set(SETTINGS)
        assert service["cap_drop"] == ["ALL"]
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:")


def test_a_backup_is_written_where_its_user_may_write() -> None:
    """A folder that Compose has to make is root's; a new volume is as the image has that folder."""
    (mount,) = compose()["services"]["backup"]["volumes"]
    source, _, target = mount.rpartition(":")
    assert source == "${JUNCTOR_BACKUPS:-backups}"
    assert "backups" in compose()["volumes"]
    assert compose()["services"]["backup"]["environment"]["JUNCTOR_BACKUP_DIR"] == target
    text = (DEPLOY / "container" / "Dockerfile").read_text()
    made = rf"install --directory --owner=10001 --group=10001 --mode=0700 {target}$"
    assert re.search(made, text, re.MULTILINE)


def test_no_secret_is_in_the_compose_file() -> None:
    for service in compose()["services"].values():
        for name, value in service["environment"].items():
            if re.search(r"PASSWORD|KEY|URL", name):
                assert "${" in value, name
    for name in ("POSTGRES_PASSWORD", "JUNCTOR_MASTER_KEY"):
        assert re.search(rf"\$\{{{name}:\?", (DEPLOY / "container/compose.yaml").read_text())


def test_the_image_runs_as_nobody_in_particular() -> None:
    text = (DEPLOY / "container" / "Dockerfile").read_text()
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)
    assert text.index("\nUSER ") > text.index("\nCOPY --from=build")
    assert not re.search(r"^(ARG|ENV).*(PASSWORD|_KEY|DATABASE_URL)", text, re.MULTILINE)


# The chart


def values() -> dict[str, Any]:
    found = yaml.safe_load((CHART / "values.yaml").read_text())
    assert isinstance(found, dict)
    return found


def parts() -> set[str]:
    return set(re.findall(r'define "([^"]+)"', (CHART / "templates" / "_helpers.tpl").read_text()))


def plain(text: str) -> str:
    """The template without its actions: those on lines of their own vanish, others are a word."""
    lines = []
    for line in text.splitlines():
        if re.fullmatch(r"\s*(- )?\{\{.*\}\}\s*", line) and not re.match(r"\s*- \{\{", line):
            continue
        lines.append(ACTION.sub("x", line))
    return "\n".join(lines)


@pytest.mark.parametrize(
    "template",
    [*TEMPLATES, CHART / "templates" / "_helpers.tpl", CHART / "templates" / "NOTES.txt"],
    ids=lambda path: path.name,
)
def test_templates_are_balanced_and_name_what_exists(template: Path) -> None:
    text = template.read_text()
    assert text.count("{{") == text.count("}}") == len(ACTION.findall(text))
    depth = 0
    for action in ACTION.findall(text):
        word = action.split()[0]
        depth += (word in OPENS) - (word == "end")
        assert depth >= 0, action
        for name in re.findall(r'include "([^"]+)"', action):
            assert name in parts()
        for path in re.findall(r"\.Values((?:\.\w+)+)", action):
            found: Any = values()
            for key in path.strip(".").split("."):
                assert key in found, f".Values{path}"
                found = found[key]
    assert depth == 0


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_templates_are_resources(template: Path) -> None:
    for document in yaml.safe_load_all(plain(template.read_text())):
        if document is None:
            continue
        assert {"apiVersion", "kind", "metadata", "spec"} <= set(document)
        assert document["metadata"]["name"]
        assert document["kind"] != "Secret"
        for container in containers(document):
            assert container["args"][0] in COMMANDS
            assert container["image"]
        for pod in pods(document):
            # A Service named junctor would set JUNCTOR_PORT=tcp://… in every pod beside it.
            assert pod["enableServiceLinks"] is False


def pods(document: Any) -> list[Any]:
    if isinstance(document, dict):
        own = [document] if "containers" in document else []
        return [*own, *(each for value in document.values() for each in pods(value))]
    return []


def containers(document: Any) -> list[Any]:
    if isinstance(document, dict):
        own = document.get("containers", []) or []
        return [*own, *(each for value in document.values() for each in containers(value))]
    return []


def test_every_value_is_in_the_schema() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())

    def check(found: Any, rule: dict[str, Any], path: str) -> None:
        if "$ref" in rule:
            rule = schema["definitions"][rule["$ref"].rsplit("/", 1)[-1]]
        if not isinstance(found, dict) or "properties" not in rule:
            return
        assert set(found) <= set(rule["properties"]), path
        assert set(rule.get("required", ())) <= set(found), path
        for name, value in found.items():
            check(value, rule["properties"][name], f"{path}.{name}")

    check(values(), schema, "")


def test_helms_code_and_the_schemas_of_kubernetes_find_nothing_wrong() -> None:
    tools = ROOT / "tools" / "chart"
    python = tools / ".venv" / "bin" / "python"
    if not (tools / ".venv" / ".stamp").exists():
        pytest.skip("`make chart` has not run here; the chart is read without rendering it")
    done = subprocess.run([python, tools / "check.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d+ resources, 0 wrong", done.stdout)


def test_helm_lints_and_renders_the_chart() -> None:
    helm = shutil.which("helm")
    if helm is None:
        pytest.skip("helm is not installed here; the chart is read without rendering it")
    more = [
        *("--set", "publicUrl=https://h.example", "--set", "ingress.enabled=true"),
        *("--set", "ingress.host=h.example", "--set", "backup.enabled=true"),
        *("--set", "backup.existingClaim=backups"),
    ]
    subprocess.run([helm, "lint", "--strict", str(CHART), *more], check=True)
    made = subprocess.run(
        [helm, "template", "j", str(CHART), *more], check=True, capture_output=True, text=True
    )
    kinds = [each["kind"] for each in yaml.safe_load_all(made.stdout) if each]
    assert kinds.count("Deployment") == 2
    assert {"Service", "Ingress", "CronJob", "Job", "PodDisruptionBudget"} <= set(kinds)
