"""The steps of the monthly workflow, run as GitHub runs them: in bash, on a clone, with a remote of its own.

`uv` and `gh` are scripts that note what they were asked; that the commands exist, the command line itself says. What is
GitHub's remains untried: the schedule, its token, and whether the repository lets a workflow open pull requests.
"""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from lib.tools.cli import main

WORKFLOW = Path(__file__).parents[2] / ".github" / "workflows" / "update.yml"
STEPS = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]["update"]["steps"]
BY_NAME = {step["name"]: step for step in STEPS if "name" in step}

UV = """#!/bin/bash
echo "$TRADEGOALS_KEPT_ONLY uv $*" >> "$ASKED"
case "$*" in
  *refresh*) [ -z "$CHANGES" ] || echo 2026,eur_per_usd,0.9 >> data/covariates.csv; echo "+ eur_per_usd 2026";;
  *"data update"*)
    ls data/fetched 2>/dev/null | sed "s/^/before: /" >> "$ASKED"
    mkdir -p data/fetched; echo figures > data/fetched/india.parquet
    echo "source out of order" >&2; exit 2;;
esac
"""

GH = """#!/bin/bash
echo "gh $1 $2 $3 $4 $5" >> "$ASKED"
"""


def git(*arguments: str, folder: Path) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout


def run(step: dict, folder: Path, about: dict[str, str]) -> None:
    """A step with GitHub's own default shell of one with `run`."""
    named = {name: value for name, value in step.get("env", {}).items() if "{{" not in value}
    command = ["bash", "-e", "-c", step["run"]]
    done = subprocess.run(command, cwd=folder, env=about | named, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{step['name']}: {done.stderr}"


@pytest.mark.parametrize("changes", ["yes", ""])
def test_the_steps_propose_what_changed_and_nothing_else(tmp_path: Path, changes: str) -> None:
    remote, clone, tools = (tmp_path / name for name in ("remote.git", "clone", "bin"))
    git("init", "-q", "--bare", str(remote), folder=tmp_path)
    git("clone", "-q", str(remote), str(clone), folder=tmp_path)
    for folder in ("data", "notebooks", "tests/expected"):
        (clone / folder).mkdir(parents=True)
        (clone / folder / "kept").write_text("")
    (clone / "data" / "covariates.csv").write_text("year,variable,value\n")
    (clone / ".gitignore").write_text("data/fetched/\n")
    git("add", ".", folder=clone)
    git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first", folder=clone)
    tools.mkdir()
    for name, text in (("uv", UV), ("gh", GH)):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    asked = tmp_path / "asked"
    about = {"PATH": f"{tools}:{os.environ['PATH']}", "HOME": str(tmp_path), "RUNNER_TEMP": str(tmp_path)}
    about |= {"ASKED": str(asked), "CHANGES": changes, "GIT_CONFIG_NOSYSTEM": "1"}
    about |= {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}
    for step in BY_NAME.values():
        run(step, clone, about)
    lines = asked.read_text().splitlines()
    assert [line.strip() for line in lines[:2]] == [
        "uv run tradegoals data refresh --yes",
        "uv run tradegoals data update",
    ]
    assert all(line.startswith("1 uv run tradegoals ") for line in lines[2:5])
    told = (tmp_path / "differences.md").read_text()
    assert "+ eur_per_usd 2026" in told and "source out of order" in told, "one that fails stops nothing"
    assert (tmp_path / "summary.md").read_text() == told, "seen also where nothing is proposed"
    remembered = git("ls-tree", "-r", "--name-only", "update-memory", folder=remote)
    assert remembered == "data/fetched/india.parquet\n"
    branches = git("branch", "--list", folder=remote).replace("update-memory", "")
    if not changes:
        assert len(lines) == 5 and "update-" not in branches
        next_month = tmp_path / "again"
        git("clone", "-q", str(remote), str(next_month), folder=tmp_path)
        run(BY_NAME["fetch and renew"], next_month, about)
        assert "before: india.parquet" in asked.read_text()
        return
    assert lines[5].startswith("gh pr create --head update-")
    (branch,) = [line.strip() for line in branches.splitlines() if "update-" in line]
    assert "eur_per_usd" in git("show", "--stat", "-p", branch, folder=remote)


def test_its_commands_exist() -> None:
    text = "\n".join(step["run"] for step in BY_NAME.values())
    commands = [
        line.partition("uv run tradegoals ")[2] for part in text.split("&&") for line in part.splitlines()
    ]
    found = [command.partition("||")[0].split() for command in commands if command]
    assert len(found) == 5
    for words in found:
        command = main
        while words and not words[0].startswith("-") and hasattr(command, "commands"):
            command = command.commands[words.pop(0)]
        options = {name for one in command.params for name in one.opts}
        assert set(words) <= options, command.name
