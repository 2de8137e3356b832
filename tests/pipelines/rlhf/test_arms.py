"""What the arms of RL share: their training curves as one table for plots."""

import json

from pipelines.rlhf.arms import join_curves


def test_curves_of_all_arms_have_the_columns_that_every_point_has(tmp_path):
    """DVC draws nothing of ragged rows, and without a penalty there is no KL."""
    for arm, point in (("main", {"step": 1, "reward": 0.5}), ("grpo", {"step": 1, "kl": 0.1})):
        (tmp_path / arm).mkdir()
        (tmp_path / arm / "curve.json").write_text(json.dumps([{"reward": 1.0} | point]))
    assert join_curves(tmp_path, ["main", "grpo"]) == [
        {"arm": "main", "reward": 0.5, "step": 1},
        {"arm": "grpo", "reward": 1.0, "step": 1},
    ]
