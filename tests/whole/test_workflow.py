"""The workflow that posts a comparison on a pull request: what it calls is there."""

import re
import shutil
import subprocess

import pytest
import yaml

from genlab.__main__ import COMMANDS
from tests.project_copy import ROOT

TEXT = (ROOT / ".github/workflows/compare.yml").read_text(encoding="utf-8")
WORKFLOW = yaml.safe_load(TEXT)
STEPS = WORKFLOW["jobs"]["compare"]["steps"]


def test_it_runs_on_pull_requests_with_the_history_and_may_write_a_comment():
    assert WORKFLOW[True] == "pull_request"  # YAML reads `on` as true
    assert WORKFLOW["permissions"] == {"contents": "read", "pull-requests": "write"}
    assert STEPS[0]["with"] == {"fetch-depth": 0}


def test_its_actions_are_githubs_own_pinned_by_major_version():
    used = [step["uses"] for step in STEPS if "uses" in step]
    assert len(used) == 3
    assert all(re.fullmatch(r"actions/[\w-]+@v\d+", each) for each in used)


def test_every_command_it_calls_is_there():
    commands = "\n".join(step.get("run", "") for step in STEPS)
    assert set(re.findall(r"python -m genlab (\w+)", commands)) == {"compare"} <= set(COMMANDS)
    targets = set(re.findall(r"^make (\w+)", commands, re.MULTILINE))
    assert targets == {"repro"}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
    assert re.search(r"^ENVIRONMENT := .*\.venv", makefile, re.MULTILINE)  # which it activates


def test_its_shell_and_its_script_can_be_parsed(tmp_path):
    for step in STEPS:
        if "run" in step:
            subprocess.run(["bash", "-n", "-c", step["run"]], check=True)
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    script = tmp_path / "script.js"
    script.write_text(f"async function main() {{\n{STEPS[-1]['with']['script']}}}\n")
    subprocess.run(["node", "--check", script], check=True)
