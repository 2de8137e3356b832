"""The workflow that posts a comparison on a pull request: its steps, run without GitHub."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from genlab.__main__ import COMMANDS
from genlab.experiments.comparison_views import MOST_CHARACTERS
from tests.project_copy import ROOT, call, change_params, commit, environment
from tests.tiny_pipeline import make_repository

TEXT = (ROOT / ".github/workflows/compare.yml").read_text(encoding="utf-8")
WORKFLOW = yaml.safe_load(TEXT)
STEPS = WORKFLOW["jobs"]["compare"]["steps"]
SCRIPT = STEPS[-1]["with"]["script"]
# Their first versions on Node 24: GitHub's runners have no older one.
LEAST = {"actions/checkout": 5, "actions/setup-python": 6, "actions/github-script": 8}
MAKEFILE = """\
repro:
	python -m dvc repro
"""
# What actions/github-script gives a script; it prints what was sent.
GITHUB = """\
const sent = [];
const context = { repo: { owner: 'user', repo: 'genlab' }, issue: { number: 7 } };
const sender = (name) => async (what) => sent.push([name, what]);
const issues = { createComment: sender('create'), updateComment: sender('update') };
const github = { paginate: async () => COMMENTS, rest: { issues } };
(async () => {
SCRIPT
})().then(() => console.log(JSON.stringify(sent)));
"""


def test_it_runs_on_pull_requests_and_may_write_a_comment():
    assert WORKFLOW[True] == "pull_request"  # YAML reads `on` as true
    assert WORKFLOW["permissions"] == {"contents": "read", "pull-requests": "write"}
    of_a_fork = "github.event.pull_request.head.repo.full_name == github.repository"
    assert STEPS[-1]["if"] == of_a_fork  # whose token may not write: its summary has the table


def test_its_actions_are_githubs_own_and_their_node_is_there():
    used = [step["uses"].split("@v") for step in STEPS if "uses" in step]
    assert [name for name, _ in used] == list(LEAST)
    assert all(int(version) >= LEAST[name] for name, version in used)


def test_every_command_it_calls_is_there():
    commands = "\n".join(step.get("run", "") for step in STEPS)
    assert set(re.findall(r"python -m genlab (\w+)", commands)) == {"compare"} <= set(COMMANDS)
    targets = set(re.findall(r"^make (\w+)", commands, re.MULTILINE))
    assert targets == {"repro"}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
    assert re.search(r"^ENVIRONMENT := .*\.venv", makefile, re.MULTILINE)  # which it activates


@pytest.fixture(scope="module")
def pull_request(tmp_path_factory) -> Path:
    """Return the folder of a tiny pipeline in a clone of a change, merged into its base."""
    origin = tmp_path_factory.mktemp("pulled") / "origin"
    folder = make_repository(origin)
    call(origin, "git", "restore", ".")  # the last experiment is in the workspace
    (folder / "Makefile").write_text(MAKEFILE)
    commit(origin)
    call(origin, "git", "checkout", "--quiet", "-b", "change")
    change_params(folder, {"rows.shift": 2})
    commit(origin)
    call(origin, "git", "checkout", "--quiet", "-b", "merged", "HEAD^1")
    call(origin, "git", "merge", "--quiet", "--no-ff", "--message", "merge", "change")
    runner = origin.parent / "runner"
    words = ["git", "clone", "--quiet", "--depth", "2", "--branch", "merged", origin.as_uri()]
    call(origin.parent, *words, str(runner))
    (runner / folder.relative_to(origin) / ".venv/bin").mkdir(parents=True)
    (runner / folder.relative_to(origin) / ".venv/bin/activate").touch()
    (runner / ".git/info/exclude").write_text(".venv\n")  # as the project's .gitignore
    return runner / folder.relative_to(origin)


@pytest.fixture(scope="module")
def comparison(pull_request) -> str:
    """Return what the steps leave to be posted, run as GitHub runs them."""
    scratch = pull_request.parents[2]
    files = {name: scratch / name.lower() for name in ("GITHUB_ENV", "GITHUB_STEP_SUMMARY")}
    settings = environment(pull_request) | {"PYTHONPATH": str(ROOT), "RUNNER_TEMP": str(scratch)}
    settings |= {name: str(path) for name, path in files.items()}
    for step in STEPS:
        if "run" in step:
            words = ["bash", "-e", "-o", "pipefail", "-c", step["run"]]
            done = subprocess.run(
                words, cwd=pull_request, env=settings, capture_output=True, text=True
            )
            assert done.returncode == 0, done.stdout + done.stderr
            said = files["GITHUB_ENV"].read_text().splitlines()
            settings |= dict(line.split("=", 1) for line in said)
    found = (scratch / "comparison.md").read_text(encoding="utf-8")
    assert files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8") == found
    return found


def test_the_base_and_the_change_are_run_on_one_machine_and_compared(comparison, pull_request):
    """The clone's cache is empty, so no rows are of another machine."""
    base = call(pull_request, "git", "rev-parse", "--short", "HEAD^1").strip()
    assert comparison.startswith(f"- BASE: base-{base} (")
    assert "- changed: `rows.shift 0 -> 2`\n" in comparison
    # Twenty of forty units are two places worse: 5.5 -> 6.5.
    assert "| strict | mean_place | 5.500 | 6.500 | +1.000 |" in comparison
    left = call(pull_request, "git", "status", "--porcelain").split()
    assert left == ["M", "pipelines/tiny/dvc.lock"]


def posted(folder: Path, comparison: str, comments: list[dict]) -> list:
    """Return what the script sends where these comments stand, as [how, what]."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    (folder / "comparison.md").write_text(comparison, encoding="utf-8")
    text = GITHUB.replace("COMMENTS", json.dumps(comments)).replace("SCRIPT", SCRIPT)
    (folder / "script.js").write_text(text, encoding="utf-8")
    settings = os.environ | {"RUNNER_TEMP": str(folder)}
    said = subprocess.run(
        ["node", "script.js"], cwd=folder, env=settings, capture_output=True, text=True
    )
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)


def test_a_comment_is_made_once_and_then_put_in_the_last_ones_place(tmp_path):
    mark = "<!-- genlab compare -->\n"
    of_a_person = {"id": 1, "user": {"type": "User"}, "body": mark}
    of_nobody = {"id": 2, "user": None, "body": None}
    ours = {"id": 3, "user": {"type": "Bot"}, "body": f"{mark}old"}
    where = {"owner": "user", "repo": "genlab"}
    new = ["create", {**where, "issue_number": 7, "body": f"{mark}| new |"}]
    assert posted(tmp_path, "| new |", [of_a_person, of_nobody]) == [new]
    again = ["update", {**where, "comment_id": 3, "body": f"{mark}| new |"}]
    assert posted(tmp_path, "| new |", [of_a_person, of_nobody, ours]) == [again]


def test_the_longest_comparison_fits_a_comment(tmp_path):
    ((_, comment),) = posted(tmp_path, "x" * MOST_CHARACTERS, [])
    assert MOST_CHARACTERS < len(comment["body"]) < 65_536
