"""train.seed is all that a new training would draw anew, and nothing upstream of its texts."""

import yaml

from tests.project_copy import ROOT
from tests.swept_seeds import stages_of_seeds


def test_one_seed_drives_the_texts_the_pairs_and_the_trainings_and_the_others_their_own(tmp_path):
    params = yaml.safe_load((ROOT / "pipelines/alignment/params.yaml").read_text())
    pairs = {f"pairs@{name}" for name in params["pairs"]}
    trainings = {f"train@{name}" for name in params["arms"]}
    expected = {
        "corpus.seed": {"fetch_corpus"},
        "base.seed": {"fetch_base"},
        "reward_model.seed": {"fetch_reward_model"},
        "train.seed": {"sample", *pairs, *trainings, "generate"},  # generate: its rows say it
        "gen.seed": {"generate"},
        "score.seed": {"score"},
    }
    assert stages_of_seeds(tmp_path, "pipelines/alignment", list(expected)) == expected
