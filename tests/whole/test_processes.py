"""Stages under `accelerate launch` with two processes: the same as with one.

Each launch imports torch in two processes, some ten seconds; hence three launches for all.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml

from genlab.core.files import write_json
from genlab.core.tables import QUERY_SCHEMA, write_table
from tests.project_copy import ROOT, change_params, dvc, stages_run
from tests.ranking.test_rankers import describe, save_bert
from tests.stages import test_generate, test_train
from tests.stages.test_train import base, curve, metrics, tokens  # noqa: F401
from tests.tiny_models import save_base
from tests.warm_python import warm_python

# Without a GPU, accelerate starts several processes only where --multi_gpu says so; they then
# talk by gloo.
TWO = ["accelerate", "launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1"]
TWO += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]

# One launch for three programs, one after the other. The first process writes each program's files:
# the second must not begin the next program before they lie there.
DRIVER = """\
import json, sys
from accelerate import PartialState
from typer.main import get_command
from stages import generate, score

for name, words in json.load(open(sys.argv[1])):
    get_command({"generate": generate, "score": score}[name].app).main(words, standalone_mode=False)
    PartialState(cpu=True).wait_for_everyone()
"""


def launch(words: list[str], folder: Path, launcher: list[str]) -> None:
    done = subprocess.run(
        [*launcher, *words],
        cwd=folder,
        env=os.environ
        | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "DVC_ROOT": str(folder),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_dvc_runs_a_launched_stage_that_writes_the_same_bytes(finished, tmp_path):
    """As README has it: the launcher is a value of params.yaml. Two batches for each process."""
    project = shutil.copytree(finished, tmp_path / "project", symlinks=True)
    change_params(project, {"launch.generate": " ".join(TWO), "gen.batch_size": 6})
    result = dvc(project, "repro", "generate")
    assert stages_run(result) == ["check", "generate"], result.stdout
    assert "generating (tuned): 12 texts in" in result.stdout  # the first process's part of 24
    before, after = (
        yaml.safe_load((folder / "dvc.lock").read_text())["stages"]["generate"]
        for folder in (finished, project)
    )
    assert after["cmd"].startswith(" ".join(TWO) + " -m stages.generate ")
    assert after["outs"] == before["outs"]  # hashes, metrics included


def options(values: dict) -> list[str]:
    """Return options as DVC writes them."""
    return [
        f"--{'' if value else 'no-'}{name}" if isinstance(value, bool) else f"--{name}={value}"
        for name, value in values.items()
    ]


@pytest.fixture
def queries() -> pl.DataFrame:
    """Eleven queries of one to eleven words, with passages of other lengths."""
    rows = [
        {
            "query_id": f"q{n}",
            "query": " ".join("abcdefgh"[k % 8] for k in range(n, 2 * n)),
            "passages": [
                {"text": " ".join("hgfedcba"[(k * n) % 8] for k in range(m)), "is_selected": m == n}
                for m in (n, 3, 17 - n)
            ],
            "split": "validation",
        }
        for n in range(1, 12)
    ]
    return pl.DataFrame(rows, schema=QUERY_SCHEMA)


def test_generate_and_score_write_the_same_bytes(tmp_path, queries):
    """An encoder judges; batches of four, so the processes have unequal numbers of them."""
    shared = tmp_path / "shared"
    for name, seed in (("base", 1), ("tuned", 2)):
        save_base(shared / name, seed=seed, n_embd=16)
    write_table(shared / "queries.parquet", [queries], QUERY_SCHEMA)
    describe(shared / "rankers/encoder", "sentence_transformer")
    save_bert("BertModel", shared / "rankers/encoder/model", n_positions=64)
    outputs = {}
    for name, launcher in (("one", [sys.executable]), ("two", TWO)):
        folder = tmp_path / name
        folder.mkdir()
        work = [
            [
                "generate",
                [
                    *(str(shared / each) for each in ("queries.parquet", "tuned", "base")),
                    str(folder / "generated.parquet"),
                    f"--metrics={folder}/generate.json",
                    *options(test_generate.OPTIONS),
                ],
            ],
            [
                "score",
                [
                    "candidates",
                    str(shared / "queries.parquet"),
                    str(shared / "rankers/encoder"),
                    str(folder / "candidates/encoder.parquet"),
                    f"--metrics={folder}/candidates.json",
                    *options({"n_queries": 0, "batch_size": 4, "seed": 1}),
                ],
            ],
            [
                "score",
                [
                    "texts",
                    str(folder / "generated.parquet"),
                    str(shared / "base"),
                    str(shared / "rankers"),
                    str(folder / "candidates"),
                    str(folder / "score.parquet"),
                    "--rankers=encoder",
                    *(f"--{each}={folder}/{each}.json" for each in ("metrics", "details")),
                    f"--histogram={folder}/histogram.json",
                    *options({"max_len": 9, "cap": 12, "num_beams": 1, "strip_query": False}),
                    *options({"legacy": False, "max_blank_share": 0.5, "batch_size": 4, "seed": 1}),
                ],
            ],
        ]
        write_json(folder / "work", work)
        (folder / "driver.py").write_text(DRIVER)
        launch([str(folder / "driver.py"), str(folder / "work")], folder, launcher)
        made = sorted(file for file in folder.rglob("*") if file.suffix in (".parquet", ".json"))
        outputs[name] = {str(file.relative_to(folder)): file.read_bytes() for file in made}
    assert len(outputs["one"]) == 8
    assert outputs["one"] == outputs["two"]
    texts = pl.read_parquet(tmp_path / "two/generated.parquet")["tokens"].to_list()
    assert len({tuple(text) for text in texts}) == queries.height  # not all empty, or alike


def test_training_with_twice_two_rows_a_step_is_training_with_four(tmp_path, tokens, base):  # noqa: F811
    """Within 1e-4 nats per token: two processes add the same gradients in another order.

    Forty training rows are ten steps for both. Nine validation rows, four at a time, are two
    batches for the first process and one for the second.
    """
    for name, batch_size, n_accumulated, launcher in (
        ("one", 4, 1, [str(warm_python() / "python"), "-m", "stages.train"]),
        ("two", 1, 2, [*TWO, "-m", "stages.train"]),
    ):
        (tmp_path / name).mkdir()
        more = {"batch_size": batch_size, "gradient_accumulation_steps": n_accumulated}
        more |= {"epochs": 1, "dropout": 0.0}  # each draws its own
        words = test_train.arguments(tmp_path / name, tokens, base, **more)
        launch(words, tmp_path / name, launcher)
        assert list((tmp_path / name / ".scratch/train").iterdir()) == []
    for split in ("train", "validation"):
        one, two = (curve(tmp_path / name, split) for name in ("one", "two"))
        assert [epoch for epoch, _ in one] == [epoch for epoch, _ in two]
        for (_, loss), (_, other) in zip(one, two, strict=True):
            assert loss == pytest.approx(other, abs=1e-4)
    assert metrics(tmp_path / "one")["steps"] == metrics(tmp_path / "two")["steps"] == 10
