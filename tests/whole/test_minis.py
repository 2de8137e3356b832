"""The base models in the repository: what their receipts say is what lies there; they are small."""

import json
from pathlib import Path

import pytest
import yaml

from genlab.core.files import sha256_of
from genlab.experiments.bundle import ORIGIN
from tests.project_copy import ROOT

MOST_BYTES = 25_000_000  # of all together: whoever clones the repository gets them
MINIS = sorted([*ROOT.glob("minis/base"), *ROOT.glob("pipelines/*/minis/base")])
NAMES = [str(folder.relative_to(ROOT)) for folder in MINIS]


def test_all_together_are_small_and_the_flagship_has_one():
    files = [file for folder in MINIS for file in folder.iterdir()]
    assert (ROOT / "minis/base/model.safetensors") in files
    assert sum(file.stat().st_size for file in files) <= MOST_BYTES
    assert {file.suffix for file in files} <= {".json", ".safetensors"}  # no pickle, no code


@pytest.mark.parametrize("folder", MINIS, ids=NAMES)
def test_a_receipt_names_every_file_and_the_run_that_made_it(folder: Path):
    receipt = json.loads((folder / "receipt.json").read_text(encoding="utf-8"))
    files = {file.name: sha256_of(file) for file in folder.iterdir()}
    del files["receipt.json"]
    assert receipt["files"] == files

    # DVC's lock: the command of the training, and the folder as it lies here.
    lock = yaml.safe_load((folder.parent / "recipe/dvc.lock").read_text(encoding="utf-8"))
    assert receipt["command"] == lock["stages"]["base"]["cmd"]
    (bundled,) = lock["stages"]["bundle"]["outs"]
    assert bundled["path"] == "../base" and bundled["nfiles"] == len(files) + 1
    assert bundled["size"] == sum(file.stat().st_size for file in folder.iterdir())
    assert receipt["changed_since"] == []  # trained by the code of its commit
    assert receipt["seconds"] > 0 and receipt["metrics"]["pretraining_loss"] > 0


@pytest.mark.parametrize("folder", MINIS, ids=NAMES)
def test_its_values_are_those_of_the_pipeline_it_serves(folder: Path):
    """If not, the pipeline's default would be refused: change the recipe's base with the values."""
    params = yaml.safe_load((folder.parents[1] / "params.yaml").read_text(encoding="utf-8"))
    values = {key: value for key, value in params["base"].items() if key not in ORIGIN}
    receipt = json.loads((folder / "receipt.json").read_text(encoding="utf-8"))
    assert receipt["values"] == values
