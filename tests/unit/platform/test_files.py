"""The files at the top agree with each other: Makefile, requirements.lock, .ci/run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def test_every_target_has_a_line_of_help(project_root: Path) -> None:
    text = (project_root / "Makefile").read_text()
    targets = set(re.search(r"^\.PHONY: (.+)$", text, re.M)[1].split())  # type: ignore[index]
    helped = subprocess.run(
        ["make", "help"], cwd=project_root, capture_output=True, text=True, check=True
    ).stdout
    assert targets == set(re.findall(r"^  make (\S+)  +\S", helped, re.M))
    assert {
        "demo",
        "test",
        "up",
        "down",
        "status",
        "bench",
        "lint",
        "desk",
        "demo-retrain",
        "lock",
        "help",
    } <= targets


def made(project_root: Path, folder: Path, *words: str, answer: str = "", **settings: str) -> str:
    """What make does in `folder`, as it prints it."""
    shutil.copy(project_root / "Makefile", folder)
    command = ["make", "--no-print-directory", "-C", str(folder), *words]
    kept = {name: os.environ[name] for name in ("PATH", "HOME")}
    given = {name: value for name, value in {**kept, **settings}.items() if value}
    done = subprocess.run(command, env=given, input=answer, capture_output=True, text=True)
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("line", "home"),
    [
        ("UNDERTOW_HOME=/srv/undertow", "/srv/undertow"),
        ("UNDERTOW_HOME=/srv/old\nexport UNDERTOW_HOME = '/srv/of us'  # the big disk", "/srv/of us"),
        ("UNDERTOW_HOME=/srv/undertow # the big disk", "/srv/undertow"),
        ('UNDERTOW_HOME="~/undertow"', os.path.expanduser("~/undertow")),
    ],
)
def test_make_looks_at_the_home_that_the_file_names(
    project_root: Path, tmp_path: Path, line: str, home: str
) -> None:
    (tmp_path / ".undertow/demo").mkdir(parents=True)
    (tmp_path / ".env").write_text(f"UNDERTOW_SMTP_HOST=mail\n{line}\n")
    shown = made(project_root, tmp_path, "-n", "status", "desk", "doctor")
    assert ".venv/bin/undertow status" in shown
    assert "UNDERTOW_HOME=.undertow/demo" not in shown
    assert f"remove {home} with" in asked(project_root, tmp_path)
    assert "remove /srv/other with" in asked(project_root, tmp_path, UNDERTOW_HOME="/srv/other")


@pytest.mark.parametrize("line", [None, "# UNDERTOW_HOME=/srv/undertow", "UNDERTOW_HOME="])
def test_make_looks_at_the_demo_while_nothing_else_is_there(
    project_root: Path, tmp_path: Path, line: str | None
) -> None:
    (tmp_path / ".undertow/demo").mkdir(parents=True)
    if line is not None:
        (tmp_path / ".env").write_text(line + "\n")
    assert "UNDERTOW_HOME=.undertow/demo .venv/bin/undertow status" in made(
        project_root, tmp_path, "-n", "status"
    )
    assert "remove .undertow with" in asked(project_root, tmp_path)


def installed(folder: Path, undertow: str) -> None:
    """A .venv as `make install` leaves it, with a script in undertow's place, and an installer that says it was asked."""
    program = folder / ".venv/bin/undertow"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!/bin/sh\n{undertow}\n")
    program.chmod(0o755)
    if not (folder / ".venv/bin/python").exists():
        (folder / ".venv/bin/python").symlink_to(sys.executable)
    for name in ("requirements.lock", "pyproject.toml", ".venv/installed"):
        (folder / name).touch()
    (folder / ".venv/place").write_text(f"{folder.resolve()}/.venv\n")
    (folder / ".ci").mkdir(exist_ok=True)
    (folder / ".ci/install").write_text("echo installing\n")


def test_make_installs_anew_where_the_venv_is_that_of_another_folder_or_its_python_is_gone(
    project_root: Path, tmp_path: Path
) -> None:
    old, new = tmp_path / "old place", tmp_path / "new"
    old.mkdir()
    installed(old, "true")
    assert made(project_root, old, "install") == ""
    (old / ".venv/place").unlink()  # made before its place was noted
    assert made(project_root, old, "install") == ""
    installed(old, "true")
    shutil.copytree(old, new, symlinks=True)
    assert made(project_root, new, "install") == "installing\n"
    assert made(project_root, old, "install") == ""
    (old / ".venv/bin/python").unlink()
    (old / ".venv/bin/python").symlink_to("/usr/bin/python3.0")
    assert made(project_root, old, "install") == "installing\n"
    # and the installer itself does not take the old one for its own
    shutil.copy(project_root / ".ci/install", new / ".ci/install")
    assert "needs Python 3.11" in made(project_root, new, "install", "PYTHON=/usr/bin/python3.0")


def test_the_installer_passes_over_a_python_that_is_there_and_does_not_run(
    project_root: Path, tmp_path: Path
) -> None:
    installed(tmp_path, "true")
    (tmp_path / ".venv/installed").unlink()
    (tmp_path / ".venv/bin/python").unlink()
    shutil.copy(project_root / ".ci/install", tmp_path / ".ci/install")
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, script in (
        ("python3.11", "echo 'pyenv: python3.11: command not found' >&2; exit 127"),
        ("python3.12", 'case "$1" in --version) echo Python 3.12 of mine;; -m) exit 1;; esac'),
        ("uv", "exit 1"),
    ):
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    said = made(project_root, tmp_path, "install", PATH=f"{programs}:/usr/bin:/bin")
    assert "making .venv with Python 3.12 of mine" in said
    assert "cannot make .venv" in said


def test_make_runs_this_checkout_wherever_a_shell_points_python(project_root: Path, tmp_path: Path) -> None:
    installed(tmp_path, 'echo "path=$PYTHONPATH home=$PYTHONHOME"')
    said = made(project_root, tmp_path, "status", PYTHONPATH="/srv/other", PYTHONHOME="/srv/python")
    assert said == f"path={tmp_path.resolve()} home=\n"


def test_make_reads_the_home_without_one_of_the_user(project_root: Path, tmp_path: Path) -> None:
    (tmp_path / ".undertow/demo").mkdir(parents=True)
    (tmp_path / ".env").write_text("UNDERTOW_HOME=/srv/undertow\n")
    assert made(project_root, tmp_path, "-n", "status", HOME="").endswith("\n.venv/bin/undertow status\n")
    assert "remove /srv/undertow with" in asked(project_root, tmp_path, HOME="")


def asked(project_root: Path, folder: Path, **settings: str) -> str:
    """What `make clean` asks somebody who then says no; a program in undertow's place tells if it was started."""
    installed(folder, "echo started")
    said = made(project_root, folder, "clean", answer="n\n", **settings)
    assert "started" not in said, "the system was stopped before anybody agreed"
    return said


def test_make_clean_removes_the_home_once_somebody_agrees(project_root: Path, tmp_path: Path) -> None:
    (tmp_path / "of us").mkdir()
    (tmp_path / ".env").write_text(f"UNDERTOW_HOME='{tmp_path}/of us'\n")
    asked(project_root, tmp_path)
    assert (tmp_path / "of us").exists()
    assert "started" in made(project_root, tmp_path, "clean", answer="y\n")
    assert not (tmp_path / "of us").exists()


def test_the_lock_leaves_torch_to_the_machine(project_root: Path) -> None:
    lock = (project_root / "requirements.lock").read_text()
    names = re.findall(r"^([a-z0-9][^=\s]*)==\S+$", lock, re.M)
    assert len(names) > 150
    assert not [name for name in names if re.match(r"torch$|nvidia|triton|cuda", name)]
    assert "file://" not in lock


def test_ci_runs_make_test(project_root: Path) -> None:
    script = project_root / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "make test" in script.read_text()
