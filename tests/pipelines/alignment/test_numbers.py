"""This pipeline's prose and comments: tests/numbers_said.py."""

import pytest

from tests.numbers_said import Pipeline, check_said

ALIGNMENT = Pipeline("pipelines/alignment")
PARAMS = ALIGNMENT.params()


def n_steps() -> int:
    return PARAMS["pairs"]["random"]["n_pairs"] // PARAMS["train"]["batch_size"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (
            r"the mini corpus has (\d+) words",
            lambda: [f"{ALIGNMENT.metrics('fetch/held_out_reward')['words']}"],
        ),
        (r"sample.cap and BOS \((\d+)\) with room", lambda: [f"{PARAMS['sample']['cap'] + 1}"]),
        (
            r"n_head: \d+ ours: (\d+) dimensions a head",
            lambda: [f"{PARAMS['base']['n_embd'] // PARAMS['base']['n_head']}"],
        ),
        (
            r"ours: ([\d.]+) right with one layer",
            lambda: [f"{ALIGNMENT.metrics('fetch/reward_model')['validation_accuracy']:.2f}"],
        ),
        (
            r"ours: (\d+) pairs take (\d)00 of them",
            lambda: [
                f"{ALIGNMENT.metrics('pairs/random')['pairs']}",
                f"{ALIGNMENT.metrics('pairs/random')['texts_used'] / 100:.0f}",
            ],
        ),
        (
            r"n_pairs: \d+ ours: (\d+) steps of (\d+);",
            lambda: [f"{n_steps()}", f"{PARAMS['train']['batch_size']}"],
        ),
        (r"epochs: 1 ours: (\d+) steps\n", lambda: [f"{n_steps()}"]),
        (r"ours: a curve of (\d+) points", lambda: [f"{n_steps()}"]),
        (
            r"delta: [\d.]+ ours: (1) / beta of main",
            lambda: [f"{PARAMS['train']['slic']['delta'] * PARAMS['arms']['main']['beta']:g}"],
        ),
    ],
)
def test_a_number_in_a_comment_of_params_is_what_it_says(pattern, expected):
    check_said(ALIGNMENT.folder / "params.yaml", pattern, expected())


def test_every_text_that_is_written_fits_into_the_policy():
    """params.yaml says so of n_positions."""
    longest = max(PARAMS["sample"]["cap"], PARAMS["gen"]["cap"]) + 1
    assert longest <= PARAMS["base"]["n_positions"]
    assert ALIGNMENT.metrics("train/main")["steps"] == n_steps() * PARAMS["train"]["epochs"]
