"""What is in the wheel, and what its metadata promises."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

from tests.support import ROOT

DATA = {".sql", ".json", ".toml", ".html", ".css", ".js", ".svg", ".typed"}
"""Kinds of files that are not Python and must travel with it."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.Path:
    """The wheel as a release builds it, from a copy, so that nothing is left in the checkout."""
    copy = tmp_path_factory.mktemp("copy")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src", copy / "src", ignore=ignore)
    shutil.copytree(ROOT / "examples", copy / "examples")
    out = copy / "dist"
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = out.glob("*.whl")
    return zipfile.Path(built)


def members(wheel: zipfile.Path) -> set[str]:
    """The names of the files in a wheel."""
    return set(wheel.root.namelist())


def metadata(wheel: zipfile.Path) -> Message:
    """The wheel's METADATA."""
    (info,) = [path for path in wheel.iterdir() if path.name.endswith(".dist-info")]
    return Parser().parsestr((info / "METADATA").read_text())


def test_every_source_file_is_in_the_wheel(wheel: zipfile.Path) -> None:
    source = ROOT / "src"
    wanted = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*")
        if path.is_file() and (path.suffix in DATA | {".py"}) and "__pycache__" not in path.parts
    }
    assert "junctor/py.typed" in wanted
    assert wanted <= members(wheel)


def test_the_wheel_holds_the_package_and_its_metadata_alone(wheel: zipfile.Path) -> None:
    tops = {name.split("/")[0] for name in members(wheel)}
    assert len(tops) == 2
    assert "junctor" in tops
    assert all(top == "junctor" or top.endswith(".dist-info") for top in tops)


def test_the_licence_travels_with_it(wheel: zipfile.Path) -> None:
    said = metadata(wheel)
    assert said["License-Expression"] == "Apache-2.0"
    assert said.get_all("License-File") == ["LICENSE"]
    assert any(name.endswith("licenses/LICENSE") for name in members(wheel))


def test_the_metadata_names_python_and_the_command(wheel: zipfile.Path) -> None:
    assert metadata(wheel)["Requires-Python"] == ">=3.11"
    (info,) = [path for path in wheel.iterdir() if path.name.endswith(".dist-info")]
    assert "junctor = junctor.app.cli.main:main" in (info / "entry_points.txt").read_text()


def test_sql_lies_where_the_wheel_takes_it_from() -> None:
    stray = [
        p for p in Path(ROOT).rglob("*.sql") if ".venv" not in p.parts and "src" not in p.parts
    ]
    assert not [
        p.relative_to(ROOT) for p in stray if "tests" not in p.parts and "bench" not in p.parts
    ]
