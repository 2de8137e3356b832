"""Every pipeline's dvc.yaml and params.yaml: complete deps, matching options, one order of keys.

A dep that is missing means a stage that is not run again after a change, and numbers that no
longer belong to the code: hence the care about imports.
"""

import ast
import configparser
import dataclasses
import importlib
import inspect
import json
import re
import shutil
import typing
from enum import Enum
from functools import cache
from pathlib import Path

import pytest
import typer
import yaml

from genlab.core.checks import check_params
from genlab.core.command_lines import parse
from genlab.core.deps import code_deps, modules_used, top_statements, with_deps
from genlab.core.pipeline import Stage, load_stages, program_of, read_entries
from genlab.core.templating import OUTPUTS
from genlab.experiments.readme import PAGES, render
from genlab.experiments.stages_table import stages_table
from genlab.report.pipeline import names_of_numbers
from genlab.skeleton.new import make_repository
from tests.project_copy import ROOT

PIPELINES = sorted([ROOT / "dvc.yaml", *ROOT.glob("pipelines/*/dvc.yaml")])

# Options that DVC repeats, once per item.
LISTS = {"arms", "cut_tokens", "cut_words", "rankers", "ratings", "repeats"}
LISTS |= {"held_out", "hub_sets", "snapshots", "tasks"}

ENTRY_KEYS = ["cmd", "deps", "params", "outs", "metrics", "plots"]


@pytest.fixture(params=PIPELINES, ids=lambda path: str(path.parent.relative_to(ROOT)))
def pipeline(request) -> Path:
    return request.param


@cache
def stages_of(pipeline: Path, folder: Path) -> list[Stage]:
    """Return the resolved stages, read from a copy: DVC writes beside what it reads."""
    copy = folder / "pipeline"
    (copy / ".dvc").mkdir(parents=True)
    shutil.copy(ROOT / ".dvc/config", copy / ".dvc/config")
    (copy / ".dvc/config.local").write_text("[core]\n    no_scm = true\n")
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(pipeline.parent / name, copy / name)
    return load_stages(copy / "dvc.yaml")


@pytest.fixture(scope="session")
def copies(tmp_path_factory) -> dict[Path, list[Stage]]:
    return {
        pipeline: stages_of(pipeline, tmp_path_factory.mktemp("copy")) for pipeline in PIPELINES
    }


@pytest.fixture
def stages(pipeline, copies) -> list[Stage]:
    return copies[pipeline]


# ---- imports


@pytest.mark.parametrize("launcher", ["accelerate launch -m", "python -m torch.distributed.run -m"])
def test_a_program_is_found_behind_what_launches_it(launcher):
    command = f"PYTHONPATH=../.. {launcher} stages.score texts data/x --seed 1"
    stage = Stage("score", command, "", frozenset())
    assert program_of(stage) == ("stages.score", ["texts", "data/x", "--seed", "1"])


def test_uses_are_followed_through_functions_but_not_into_those_that_are_not_called():
    candidates = modules_used([("stages.score", "candidates")])
    assert {"genlab.ranking.rankers", "genlab.ranking.bm25", "genlab.core.tables"} <= candidates
    assert "genlab.mini.rankers" not in candidates  # fetch_ranker's, and load_ranker is called
    assert "genlab.ranking.summary" not in candidates  # the other command's
    assert "genlab.ranking.summary" in modules_used([("stages.score", "texts")])
    of_fetch = modules_used([("stages.fetch", "ranker")])
    assert "genlab.ranking.bm25" in of_fetch  # by mini_rankers, by rankers


def test_importing_a_module_of_ours_only_defines_names():
    """Or an import that is not used could change a result after all.

    genlab/__init__.py says what Ctrl-C does while the rest is imported, and which kernels torch has
    to use; genlab/core/numerics.py, which knows them, is among the deps of what computes.
    """
    for path in sorted(set((ROOT / "genlab").rglob("*.py")) - {ROOT / "genlab/__init__.py"}):
        if "skeleton/files" in path.as_posix():  # copied, never imported where they lie
            continue
        module = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        for node in top_statements(module.removesuffix(".__init__")):
            is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            is_main = isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)
            defines = isinstance(node, ast.Import | ast.ImportFrom | ast.Assign | ast.AnnAssign)
            assert is_docstring or is_main or defines, f"{path}:{node.lineno}"


def test_a_stage_of_a_pipelines_folder_depends_on_how_its_programs_begin(pipeline, stages):
    folder = pipeline.parent
    begins = folder != ROOT and (folder / "genlab/__init__.py").is_file()
    for deps in code_deps(stages, pipeline).values():
        assert ("genlab/__init__.py" in deps) == begins


def test_the_deps_in_every_dvc_yaml_are_those_that_genlab_deps_writes(pipeline, stages):
    text = pipeline.read_text(encoding="utf-8")
    assert with_deps(text, pipeline, code_deps(stages, pipeline)) == text


def test_check_runs_again_when_an_option_changes(pipeline, stages):
    """It loads every program by name, which no import shows: here each is asked what it takes."""
    deps = {(pipeline.parent / dep).resolve() for dep in entries(pipeline)["check"]["deps"]}
    assert pipeline.parent / "stages" in deps
    kinds = [kind for stage in stages for kind in kinds_of_options(stage)]
    files = {
        Path(inspect.getfile(kind)) for kind in kinds if ROOT in Path(inspect.getfile(kind)).parents
    }
    assert {file for file in files if file.parent != pipeline.parent / "stages"} <= deps
    assert ROOT / "genlab/core/checks.py" in deps


def kinds_of_options(stage: Stage) -> list[type]:
    """Return the types of the options of a stage's command, those within lists and groups too."""
    found = program_of(stage)
    if found is None:
        return []
    module, words = importlib.import_module(found[0]), found[1]
    command = getattr(module, words[0], None) or module.main
    hints = list(typing.get_type_hints(inspect.unwrap(command)).values())
    kinds = []
    while hints:
        hint = hints.pop()
        hints += typing.get_args(hint)
        if isinstance(hint, type) and (dataclasses.is_dataclass(hint) or issubclass(hint, Enum)):
            kinds.append(hint)
            hints += typing.get_type_hints(hint).values() if dataclasses.is_dataclass(hint) else []
    return kinds


# ---- the repository of DVC's


def test_every_pipeline_is_a_repository_of_dvc_like_one_that_genlab_new_makes(pipeline, tmp_path):
    """Else DVC would read all pipelines' locks at each command, or miss the clone's cache."""
    folder = pipeline.parent
    if folder == ROOT:
        return
    make_repository(tmp_path)
    for name in (".dvc/plots", ".dvcignore"):
        assert (folder / name).readlink() == (tmp_path / name).readlink()
        assert (folder / name).exists()
    assert settings(folder).items() >= settings(tmp_path).items()


def settings(folder: Path) -> dict[str, dict[str, str]]:
    """Return the sections of a repository's committed settings."""
    parser = configparser.ConfigParser()
    parser.read(folder / ".dvc/config", encoding="utf-8")
    return {name: dict(parser[name]) for name in parser.sections()}


# ---- dvc.yaml


def entries(pipeline: Path) -> dict[str, dict]:
    """Return the entries of a dvc.yaml; of a foreach, what stands under do."""
    stages = yaml.safe_load(pipeline.read_text(encoding="utf-8"))["stages"]
    return {name: entry.get("do", entry) for name, entry in stages.items()}


def entry_of(pipeline: Path, stage: Stage) -> dict:
    return entries(pipeline)[stage.name.partition("@")[0]]


def test_the_keys_of_every_stage_stand_in_one_order(pipeline):
    for name, entry in entries(pipeline).items():
        assert list(entry) == [key for key in ENTRY_KEYS if key in entry], name


def test_deps_are_the_program_then_our_modules_in_alphabetical_order_then_data(pipeline):
    for name, entry in entries(pipeline).items():
        modules = [dep for dep in entry["deps"][1:] if re.search(r"(^|/)genlab/.*\.py$", dep)]
        assert modules == sorted(modules), name
        assert len(set(entry["deps"])) == len(entry["deps"]), name


def test_everything_a_stage_writes_lies_under_data_metrics_or_report(pipeline):
    for name, entry in entries(pipeline).items():
        for kind, folders in (
            ("outs", ("data/", "metrics/", "report/")),
            ("metrics", ("metrics/",)),
            ("plots", ("metrics/",)),
        ):
            for out in entry.get(kind, []):
                path, settings = next(iter(out.items())) if isinstance(out, dict) else (out, {})
                assert path.startswith(folders), f"{name}: {path}"
                # In git, hence not in DVC's cache; data the other way round.
                assert settings.get("cache", True) != path.startswith("metrics/"), f"{name}: {path}"


def test_the_report_runs_again_when_a_number_that_it_shows_changes(pipeline):
    """Every plot of dvc.yaml is on the page; `genlab report` shows the tables of metrics/, too."""
    content = yaml.safe_load(pipeline.read_text(encoding="utf-8"))
    report = content["stages"]["report"]
    shown = {file for plot in content["plots"] for each in plot.values() for file in each["y"]}
    if " genlab report " in report["cmd"]:
        shown |= {f"metrics/{name}.json" for name in names_of_numbers(pipeline)}
    assert shown <= set(report["deps"])


def test_an_option_is_filled_by_the_key_of_its_name(pipeline):
    for name, entry in entries(pipeline).items():
        for option, key in re.findall(r"--([\w.]+)\s+\$\{([\w.]+)\}", entry["cmd"]):
            assert option in (key.split(".")[-1], key.replace(".", "_")), name


# ---- params.yaml


def test_every_stage_is_given_all_its_options_once_and_no_other(pipeline, stages):
    params = check_params(pipeline, read_entries(pipeline))
    for stage in stages:
        if stage.command.split(" -m ")[-1].startswith("genlab "):
            continue
        options, _ = parse(stage, params)
        assert options, f"{stage.name}: not one of our programs"
        module, words = program_of(stage)
        command = words[0]
        app = typer.main.get_command(__import__(module, fromlist=["app"]).app)
        typer_command = app.commands[command] if hasattr(app, "commands") else app
        options = {
            param.opts[0].removeprefix("--").replace("-", "_")
            for param in typer_command.params
            if param.param_type_name == "option" and param.name != "help"
        }
        words = [word for word in words if word.startswith("--")]
        given = [word.removeprefix("--").removeprefix("no-") for word in words]
        assert set(given) == options, stage.name
        repeated = {word for word in given if given.count(word) > 1}
        assert repeated <= LISTS, stage.name


def test_every_key_is_used_by_a_stage(pipeline):
    assert check_params(pipeline, read_entries(pipeline)).values


def test_no_value_stands_between_quotes_made_by_hand(pipeline):
    """DVC quotes what it unpacks from a group; a value with a quote would end those made here."""
    assert not re.search(r"""['"][^'"\n]*\$\{""", pipeline.read_text(encoding="utf-8"))


def value_lines(node: yaml.Node, key: str = "") -> dict[str, int]:
    """Return the line, from 0, on which each value of a composed YAML tree ends."""
    if isinstance(node, yaml.MappingNode):
        lines = {}
        for name, value in node.value:
            lines |= value_lines(value, f"{key}.{name.value}".lstrip("."))
        return lines
    return {key: node.end_mark.line}


def test_every_value_has_a_comment_that_says_where_it_is_from(pipeline):
    text = (pipeline.parent / "params.yaml").read_text(encoding="utf-8")
    lines = text.splitlines()
    bare = [
        key
        for key, line in value_lines(yaml.compose(text)).items()
        if not re.search(r"\S\s+# \S", lines[line])
    ]
    assert not bare, f"{pipeline.parent / 'params.yaml'}: without a comment: {', '.join(bare)}"


# ---- metrics


def groups(metrics: dict) -> set[str]:
    return {name for name, value in metrics.items() if isinstance(value, dict)}


def test_no_metric_group_bears_the_name_of_a_params_group(pipeline):
    params = groups(yaml.safe_load((pipeline.parent / "params.yaml").read_text(encoding="utf-8")))
    for file in metrics_files(pipeline):
        clash = groups(json.loads(file.read_text(encoding="utf-8"))) & params
        assert not clash, f"{file}: dvc exp show mixes {clash} with the params of that name"


def metrics_files(pipeline: Path) -> list[Path]:
    """Return the files that hold metrics or counts, those of a foreach for every instance there."""
    folders = ("metrics/fetch/", "metrics/train/", "metrics/pairs/")
    patterns = [
        re.sub(r"\$\{\w+\}", "*", path)
        for kind in OUTPUTS
        for path in listed(pipeline, kind)
        if path.startswith("metrics/")
        and (Path(path).stem in names_of_numbers(pipeline) or path.startswith(folders))
    ]
    files = [file for pattern in patterns for file in sorted(pipeline.parent.glob(pattern))]
    return [file for file in files if not file.stem.endswith("_manifest")]  # outs, with texts


def test_metrics_are_finite_numbers_in_groups(pipeline):
    def check(value, where):
        if isinstance(value, dict):
            for name, inner in value.items():
                check(inner, f"{where}.{name}")
        else:
            assert isinstance(value, int | float) and not isinstance(value, bool), where

    for file in metrics_files(pipeline):
        check(json.loads(file.read_text(encoding="utf-8")), str(file.relative_to(ROOT)))


def test_dvc_exp_show_opens_on_the_headline_metrics(pipeline):
    """Counts are plots: 200 columns of them would stand before the first score."""
    files = [pipeline.parent / path for path in listed(pipeline, "metrics") if "${" not in path]
    numbers = [file for file in files if isinstance(json.loads(file.read_text()), dict)]
    assert numbers[0] == pipeline.parent / "metrics/score.json"
    assert len(numbers) <= 3


def test_dvc_draws_nothing_that_a_stage_lists_and_shows_no_list_as_a_metric(pipeline):
    """Charts are dvc.yaml's own `plots`: one more of the bare file would stand beside each."""
    for path in listed(pipeline, "plots"):
        for file in pipeline.parent.glob(re.sub(r"\$\{\w+\}", "*", path)):
            if file.suffix == ".json":
                assert not rows_within(json.loads(file.read_text(encoding="utf-8"))), file


def rows_within(content) -> bool:
    """Say whether DVC would find something to draw: a list of groups."""
    if isinstance(content, list):
        return any(isinstance(each, dict) for each in content)
    return isinstance(content, dict) and any(map(rows_within, content.values()))


def listed(pipeline: Path, kind: str) -> list[str]:
    """Return the paths that stages list under `outs`, `metrics` or `plots`."""
    outs = [out for entry in entries(pipeline).values() for out in entry.get(kind, [])]
    return [next(iter(out)) if isinstance(out, dict) else out for out in outs]


def test_dvc_saves_the_run_of_every_stage_but_rows_and_report(pipeline):
    """It saves none with an output under `outs` that git keeps: experiments would train again."""
    for name, entry in entries(pipeline).items():
        kept_by_git = [out for out in entry.get("outs", []) if isinstance(out, dict)]
        assert not kept_by_git or name in ("rows", "report"), name


# ---- README.md and RESULTS.md

FOLDERS = [path.parent for path in PIPELINES if path.parent != ROOT]
SETTLED = [
    folder / page
    for folder in FOLDERS
    for page in PAGES
    if (folder / page).is_file() and [*folder.glob("metrics/claims.json"), *folder.glob("record")]
]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_pipelines_readme_is_at_most_40_lines_of_at_most_100_characters(folder):
    lines = (folder / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 40
    assert [line for line in lines if len(line) > 100] == []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_pipelines_readme_has_its_stages_in_the_words_of_their_programs(folder):
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert f"<!-- stages -->\n{stages_table(folder / 'dvc.yaml')}\n<!-- /stages -->" in text


@pytest.mark.parametrize("page", SETTLED, ids=lambda page: f"{page.parent.name}-{page.name}")
def test_a_pipelines_page_says_what_its_record_says(page):
    assert page.read_text(encoding="utf-8") == render(page.parent, page.name)


@pytest.mark.parametrize("page", SETTLED, ids=lambda page: f"{page.parent.name}-{page.name}")
def test_no_sentence_of_a_page_has_more_than_300_characters(page):
    """Of what people wrote: tables, lists, code and what a program writes are left out."""
    text = page.read_text(encoding="utf-8")
    made = re.compile(r"^<!-- (\w+) -->\n.*?^<!-- /\1 -->$", re.DOTALL | re.MULTILINE)
    blocks = re.split(r"\n\s*\n", made.sub("", text))
    prose = [" ".join(block.split()) for block in blocks if block[:1].isalpha()]
    sentences = [each for block in prose for each in re.split(r"(?<=[.?!]) (?=[A-Z*`])", block)]
    assert [each for each in sentences if len(each) > 300] == []
