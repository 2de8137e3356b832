"""The stages one after another in this process, at sizes of seconds, and what they refuse."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml

from genlab.core.pipeline import load_stages, program_of
from genlab.core.program import InputError
from genlab.sources.source import Source
from pipelines.instruct import metrics
from pipelines.instruct.export_harness import name_of
from pipelines.instruct.rank_classification import Normalisation
from pipelines.instruct.schemas import ANSWER_SCHEMA
from tests.checked_pipeline import be_in_pipeline
from tests.project_copy import ROOT, change_params

PIPELINE = ROOT / "pipelines/instruct"
SIZES = {
    "tasks.n_train": 12,
    "tasks.n_test": 6,
    "crawl.n_pages": 500,
    "base.d_model": 16,
    "base.num_heads": 2,
    "base.num_layers": 1,
    "prompt.tasks": ["topic", "size", "facts"],
    "prompt.held_out": ["sentiment", "new_topic"],
    "prompt.n_test_trained": 4,
    "arms.with_auxiliary": ...,
    "arms.single_task.tasks": ["topic"],
    "compared.arms": ["single_task", "multitask", "multitask_prompted"],
    "train.n_tokens": 2000,
    "gen.cap": 4,
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Return a folder in which every stage up to score has been run."""
    folder = tmp_path_factory.mktemp("instruct")
    with pytest.MonkeyPatch.context() as patch:
        files = [str(p.relative_to(PIPELINE)) for p in PIPELINE.glob("templates/*/*.yaml")]
        be_in_pipeline(folder, patch, PIPELINE, "mini_world.yaml", "bad_words.txt", *files)
        change_params(folder, SIZES)
        stages = {stage.name: stage for stage in load_stages(folder / "dvc.yaml")}
        names = [
            "choose",
            "fetch_tasks",
            "fetch_crawl",
            "clean",
            "fetch_base",
            "prompt",
            "tokenize",
        ]
        names += [name for name in stages if name.startswith("train@")] + ["generate", "score"]
        for name in names:
            module, words = program_of(stages[name])
            patch.setattr(sys, "argv", [module, *words])
            app = __import__(module, fromlist=["app"]).app
            app(list(words), standalone_mode=False)
        yield folder


def read(folder: Path, name: str) -> dict:
    return json.loads((folder / f"metrics/{name}.json").read_text())


def test_rows_in_are_rows_out_and_rows_dropped(ran):
    for kind in ("pages", "lines"):
        flow = read(ran, "clean")[kind]
        assert flow["in"] == flow["out"] + sum(flow["dropped"].values())
    assert read(ran, "clean")["pages"]["in"] == 500


def test_held_out_tasks_have_no_train_row_and_trained_ones_have_both(ran):
    rows = pl.read_parquet(ran / "data/prompt.parquet")
    by_split = {
        split: set(rows.filter(split=split)["task"].unique()) for split in ("train", "test")
    }
    assert by_split["train"] == {"topic", "size", "facts"}
    assert by_split["test"] == {"topic", "size", "facts", "sentiment", "new_topic"}
    asked = rows.filter(split="test", task="sentiment")
    assert asked.filter(ask="prompt")["template"].n_unique() == 5
    assert asked.filter(ask="prefix")["template"].to_list() == ["T5 prefix"] * 6


def test_templates_of_which_none_can_be_rendered_are_one_error(ran, tmp_path, monkeypatch):
    monkeypatch.chdir(ran)
    templates = shutil.copytree("data/fetch/templates", tmp_path / "templates")
    for file in templates.rglob("*.yaml"):
        file.write_text(file.read_text().replace("{{", "{{ nothing.at_all }}{{"))
    stage = next(each for each in load_stages(ran / "dvc.yaml") if each.name == "prompt")
    module, words = program_of(stage)
    moved = {"data/fetch/templates": str(templates), "stop": "left_out"}
    words = [moved.get(word, word) for word in words]
    app = __import__(module, fromlist=["app"]).app
    before = (ran / "data/prompt.parquet").read_bytes()
    with pytest.raises(InputError, match=r"templates: no template is left \(\d+ are left out\)"):
        app(words, standalone_mode=False)
    assert (ran / "data/prompt.parquet").read_bytes() == before


def test_arms_are_trained_on_equal_tokens(ran):
    found = {name: read(ran, f"train/{name}")["training"] for name in SIZES["compared.arms"]}
    for each in found.values():
        assert 2000 <= each["tokens"] < 2000 + 128 + 32
    assert found["single_task"]["rates"] == {"topic": 1.0}
    assert found["multitask"]["rates"]["topic"] == pytest.approx(1 / 3)


def test_an_arm_that_nothing_compares_is_not_trained(ran, tmp_path):
    from pipelines.instruct.arms import model_folders
    from pipelines.instruct.stages import choose, train

    params = (ran / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(params)
    change_params(tmp_path, {"compared.arms": ["multitask"]})
    choose.main(tmp_path / "params.yaml", tmp_path / "choose")
    stages = {stage.name: stage for stage in load_stages(ran / "dvc.yaml")}
    for arm, is_there in (("multitask", True), ("single_task", False)):
        chosen = tmp_path / f"choose/arms/{arm}.json"
        assert json.loads(chosen.read_text()) == {"wanted": is_there}
    _, words = program_of(stages["train@single_task"])
    moved = {"data/train/single_task": "train/single_task", "metrics/train/single_task.json": "m"}
    moved |= {"metrics/train_curve/single_task.json": "c"}
    moved |= {"data/choose/arms/single_task.json": "choose/arms/single_task.json"}
    train.app([str(tmp_path / moved[w]) if w in moved else w for w in words], standalone_mode=False)
    assert json.loads((tmp_path / "m").read_text()) == {"training": {"steps": 0}}
    with pytest.raises(InputError, match="single_task was not trained"):
        model_folders(tmp_path, tmp_path / "train", ["single_task"])


def test_every_arm_answers_every_prompt_and_every_number_can_be_made_again(ran):
    items = pl.read_parquet(ran / "data/score_items.parquet")
    assert set(items["arm"]) == {"pretrained_only", *SIZES["compared.arms"]}
    counts = items.filter(pl.col("ask") != "sentinel").group_by("arm").len()["len"]
    assert counts.n_unique() == 1
    details = read(ran, "score_details")
    rows = items.filter(arm="multitask_prompted", task="sentiment", ask="prompt")
    by_template = rows.group_by("template").agg(pl.col("correct").mean())["correct"]
    found = details["in_words"]["sentiment"]["multitask_prompted"]
    assert found["accuracy"]["value"] == pytest.approx(by_template.median())
    assert found["chance"] == 0.5
    assert found["prompts"] == 5
    assert read(ran, "score")["multitask_prompted"]["sentiment"] == found["accuracy"]["value"]
    claims = pl.read_parquet(ran / "data/score.parquet")
    assert not claims.select("unit_id", "task").is_duplicated().any()
    assert set(claims["task"]) == {"sentiment", "new_topic", "facts"}
    points = read(ran, "score_closed_book")
    assert {point["times_seen"] for point in points} <= {1, 4, 16, 64}


def test_ask_and_export_read_what_was_run(ran, tmp_path):
    """In a copy of the pipeline's folder, as they look beside themselves."""
    for name in ("ask", "export_harness"):
        (ran / f"{name}.py").write_bytes((PIPELINE / f"{name}.py").read_bytes())
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}

    def call(*words: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", *words], cwd=ran, env=environment, capture_output=True, text=True
        )

    done = call("ask", "is it big or small?", "big", "small", "--arm", "multitask", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["multitask"]
    best = max(found["log_probability"], key=found["log_probability"].get)
    assert found["answer"] == best
    assert sum(found["share"].values()) == pytest.approx(1)
    assert call("ask", "x", "yes").stderr.startswith("error: choices must be two or more")
    done = call("export_harness", "export", "--n_examples", "3")
    assert done.returncode == 0, done.stderr
    content = yaml.safe_load((ran / "export/instruct_sentiment_was_that.yaml").read_text())
    lines = (ran / "export/instruct_sentiment_was_that.jsonl").read_text().splitlines()
    assert content["output_type"] == "multiple_choice"
    assert len(lines) == 3
    assert json.loads(lines[0])["choices"] == ["good</s>", "bad</s>"]


# ---- judging, by hand


def answers(**changes) -> pl.DataFrame:
    row = {
        "arm": "a", "task": "t", "held_out": True, "template": "p", "template_number": 0,
        "ask": "prompt", "example_id": "e", "target": "no", "choices": ["no", "yes"], "label": 0,
        "times_seen": -1, "log_probs": [-3.0, -4.0], "n_tokens": [1, 2],
        "prior_log_probs": [-5.0, -1.0], "text": None,
    }  # fmt: skip
    return pl.DataFrame([row | changes], ANSWER_SCHEMA)


def test_an_answer_is_judged_by_the_sum_and_the_mean_beside_it():
    [found] = metrics.judge(answers(), Normalisation.sum).to_dicts()
    judged = {"chance": 0.5, "correct": 1.0, "correct_by_mean": 0.0, "changed_by_mean": 1.0}
    assert judged.items() <= found.items()
    assert found["prior_correct"] == 0.0
    [found] = metrics.judge(answers(), Normalisation.mean).to_dicts()
    assert found["correct"] == 0.0
    nothing = {"choices": None, "log_probs": None, "n_tokens": None, "prior_log_probs": None}
    [found] = metrics.judge(answers(text="No!", **nothing), Normalisation.sum).to_dicts()
    assert (found["correct"], found["f1"], found["correct_by_mean"]) == (1.0, 1.0, None)


def test_a_label_out_of_range_is_refused():
    with pytest.raises(InputError, match="label 2 is out of range; there are 2 choices"):
        metrics.judge(answers(label=2), Normalisation.sum)


def test_a_task_with_one_example_is_refused(tmp_path):
    from pipelines.instruct.stages.fetch import tasks

    few = tmp_path / "few/COPA/train.jsonl"
    few.parent.mkdir(parents=True)
    few.write_text('{"premise": "p", "choice1": "a", "choice2": "b", "question": "cause",'
                   ' "label": 0}\n')  # fmt: skip
    templates = tmp_path / "templates/templates.yaml"
    templates.parent.mkdir()
    text = (PIPELINE / "templates/size/templates.yaml").read_text()
    templates.write_text(text.replace("dataset: size", "dataset: super_glue\nsubset: copa"))
    where = {"source": Source.file, "path": tmp_path / "few", "hub_sets": []}
    with pytest.raises(InputError, match=r"task super_glue/copa: . example\(s\) in split"):
        tasks(
            output=tmp_path / "out.parquet",
            templates_output=tmp_path / "kept",
            metrics=tmp_path / "m.json",
            **where,
            n_train=5,
            n_test=5,
            seed=17,
            templates=templates.parent,
        )
    assert not (tmp_path / "out.parquet").exists()


def test_two_prompts_that_differ_in_punctuation_alone_have_two_files():
    names = []
    for prompt in ("instruct_a_is it?", "instruct_a_is it!", "instruct_a_is it."):
        names.append(name_of(prompt, names))
    assert names == ["instruct_a_is_it_", "instruct_a_is_it__2", "instruct_a_is_it__3"]
