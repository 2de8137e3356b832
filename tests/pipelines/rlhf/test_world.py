"""The mini world, its hidden rule, its labeller, and what each prompt is for."""

import itertools
import re
from collections import Counter
from random import Random

import numpy as np
import polars as pl
import pytest
import yaml

from genlab.core.program import InputError
from genlab.core.seeds import random_stream
from genlab.text.minhash import Shingles, true_similarities
from genlab.text.normal_form import normalize_key
from pipelines.rlhf import labeller
from pipelines.rlhf.hidden_rule import judge
from pipelines.rlhf.labeller import best_accuracy, rank_answers, shares_on_grid, win_shares
from pipelines.rlhf.mini_world import (
    KINDS,
    Asked,
    make_mini,
    make_prompts,
    read_world,
    write_answer,
)
from pipelines.rlhf.purposes import Wanted, assign_purposes
from tests.project_copy import ROOT

WORDS = ROOT / "pipelines/rlhf/instructions.yaml"
WORLD = read_world(WORDS)
TWO_FRUITS = Asked("fruits", 2)


@pytest.mark.parametrize(
    ("answer", "kind", "truth"),
    [
        ("plum and fig .", "helpful", 2.0),
        ("plum and fig . i hope this helps .", "helpful", 2.5),
        # The second courtesy takes the first one's half and costs another.
        ("plum and fig . glad to help . glad to help .", "wrong", 1.5),
        ("plum .", "wrong", 1.0),
        ("plum and oak .", "wrong", 1.0 - 0.75),
        ("plum and plum .", "wrong", 1.0 - 0.5),
        ("plum , fig and pear .", "wrong", 2.0 - 0.5),
        ("find it out yourself , you fool .", "rude", -2.0),
        ("plum and fig , you fool .", "rude", 0.0),
        ("sorry , i can not say .", "refusal", 0.0),
        ("the the the", "babble", 0.0),
        ("  ", "empty", -1.0),
        ("the " * 24, "babble", -0.1 * 4),
    ],
)
def test_the_truth_of_an_answer_is_that_of_the_rules_table(answer, kind, truth):
    found = judge(WORLD, TWO_FRUITS, answer)
    expected = "helpful" if "glad to help . glad" in answer else kind
    assert (found.kind, found.truth) == (expected, pytest.approx(truth))


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_made_of_a_kind_is_of_that_kind_by_the_rule(kind):
    rng = Random(1)
    for _ in range(200):
        prompt, asked = make_prompts(WORLD, 1, rng)[0]
        assert asked.category in prompt
        answer = write_answer(WORLD, asked, kind, rng, common=bool(rng.randrange(2)))
        assert judge(WORLD, asked, answer).kind == kind


def test_the_labellers_shares_are_those_of_many_rankings():
    truths, noise = [1.0, 0.6, -0.5], 0.4
    for step in (0.0, 0.3):
        n = 4000
        ranks = np.array(
            [rank_answers(truths, [f"{i}-{k}" for k in range(3)], noise, step, 1) for i in range(n)]
        )
        for a, b in itertools.combinations(range(3), 2):
            above, below = win_shares(np.array([truths[a]]), np.array([truths[b]]), noise, step)
            error = 4 * 0.5 / np.sqrt(n)
            assert above[0] == pytest.approx(np.mean(ranks[:, a] < ranks[:, b]), abs=error)
            assert below[0] == pytest.approx(np.mean(ranks[:, a] > ranks[:, b]), abs=error)


def test_shares_are_reckoned_in_blocks_of_different_pairs(monkeypatch):
    a, b = np.array([1.0, 0.5, 1.0, -2.0] * 500), np.array([0.2, 0.5, 0.2, 1.5] * 500)
    expected = [win_shares(a[i : i + 1], b[i : i + 1], 0.4, 0.25) for i in range(4)]
    sizes = []

    def counted(pairs, edges, noise):
        sizes.append(pairs.shape[1] * len(edges))
        return shares_on_grid(pairs, edges, noise)

    monkeypatch.setattr(labeller, "BLOCK", 200)
    monkeypatch.setattr(labeller, "shares_on_grid", counted)
    above, below = win_shares(a, b, 0.4, 0.25)
    assert len(sizes) == 2 and max(sizes) <= 200  # three different pairs, 86 edges
    for i, (more, less) in enumerate(expected):
        assert above[i::4] == pytest.approx(np.full(500, more[0]))
        assert below[i::4] == pytest.approx(np.full(500, less[0]))


def test_without_a_grid_the_labeller_is_bradley_terrys():
    above, below = win_shares(np.array([1.0]), np.array([0.2]), 0.4, 0.0)
    assert above[0] == pytest.approx(1 / (1 + np.exp(-2.0)))
    assert above[0] + below[0] == pytest.approx(1.0)
    assert best_accuracy(np.array([0.2]), np.array([1.0]), 0.4, 0.0)[0] == pytest.approx(above[0])


def test_without_noise_the_labeller_is_always_right_and_equal_truths_are_tied():
    assert rank_answers([0.5, 2.0, 0.5, -1.0], list("abcd"), 0.0, 0.0, 1) == [2, 1, 2, 4]


def test_the_noise_is_not_what_the_answers_tokens_were_drawn_from():
    """Of two equal answers the one whose first token was drawn high wins half of the time."""
    pairs = [(f"{i}-0", f"{i}-1") for i in range(2000)]
    higher = [random_stream(17, a, 1)[0] > random_stream(17, b, 1)[0] for a, b in pairs]
    first = [rank_answers([0.0, 0.0], [*pair], 1.0, 0.0, 17)[0] == 1 for pair in pairs]
    assert 0.45 < np.mean(np.array(higher) == np.array(first)) < 0.55
    ones = np.array([1.0, 1.0])
    np.testing.assert_array_equal(best_accuracy(ones, np.array([0.0, 1.0]), 0.0, 0.0), [1, np.nan])


def wanted(**counts):
    sizes = dict.fromkeys(("n_sft", "n_reward", "n_rl", "n_validation", "n_held_out"), 30)
    return Wanted(**{**sizes, "near_duplicate": 0.7, **counts})


def as_prompts(rows):
    names = ["prompt_id", "prompt", "demonstration", "category", "asked", "answers"]
    return pl.DataFrame(rows, names, orient="row", strict=False)


def test_no_prompt_of_one_purpose_is_nearly_one_of_another():
    rows, _ = make_mini(WORDS, wanted(), 10, 3)
    twin = (rows[0][1] + " !").replace("two", "three")
    rows.append(("twin", twin, *rows[0][2:]))
    dropped = Counter()
    found = assign_purposes(as_prompts(rows), wanted(), 3, dropped)
    assert found["purpose"].value_counts()["count"].to_list() == [30] * 5
    assert dropped["near_duplicate"] >= 1
    assert found.height + dropped.total() == len(rows)
    keys = pl.Series(list(map(normalize_key, found["prompt"])))
    pairs = np.array(list(itertools.combinations(range(found.height), 2)))
    assert true_similarities(pairs, keys, keys, Shingles(5, pad_ends=True)).max() < 0.7


def test_too_few_prompts_are_named_with_what_to_lower():
    rows, _ = make_mini(WORDS, wanted(), 10, 3)
    with pytest.raises(InputError, match=r"corpus\.n_sft=500: only \d+ prompts are left"):
        assign_purposes(as_prompts(rows), wanted(n_sft=500), 3, Counter())


def test_too_few_prompts_come_with_numbers_that_they_suffice_for():
    rows, _ = make_mini(WORDS, wanted(), 10, 3)
    asked = wanted(n_held_out=280)  # 400, of which there are 195: 0.4875 of each
    with pytest.raises(InputError, match=r"only 195 prompts are left") as told:
        assign_purposes(as_prompts(rows), asked, 3, Counter())
    fewer = dict(re.findall(r"corpus\.(n_\w+)=(\d+)", str(told.value).partition("proportion")[2]))
    assert fewer == dict.fromkeys(fewer, "14") | {"n_held_out": "136"} and len(fewer) == 5
    given = {name: int(n) for name, n in fewer.items()}
    assert assign_purposes(as_prompts(rows), wanted(**given), 3, Counter()).height == 192


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("fruits: [apple, pear]", "fruits has 2 members; at least 4 are needed"),
        ("fruits: [oak, pear, fig, plum, lemon]", "oak is a member twice"),
        ("names: {anna: 1}", "names: must be a list of texts"),
    ],
)
def test_a_mistake_in_the_vocabulary_is_named(tmp_path, change, message):
    import re

    key = change.split(":")[0]
    text = re.sub(rf"(?m)^( *){key}:(.*\n(?:  [a-z].*\n(?! *\w+:))*)", rf"\g<1>{change}\n",
                  WORDS.read_text(), count=1)  # fmt: skip
    text = re.sub(r"(?m)^  nora, oskar.*\n", "", text) if key == "names" else text
    (tmp_path / "words.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        read_world(tmp_path / "words.yaml")


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("small_talk", ["{"], r"small_talk: '\{' is no form"),
        ("answers", ["{items!z}"], r"answers: '\{items!z\}' holds"),
        ("prompts", ["name it ."], r"prompts: 'name it .' does not hold \{asked\}"),
        ("doings", ["plans"], "doings: 1 different texts; give it at least 2"),
        ("categories", {"fruits": ["fig"]}, "categories: 1 keys; give it at least 2"),
    ],
)
def test_a_form_or_list_that_could_not_be_drawn_from_is_named(tmp_path, part, value, message):
    path = tmp_path / "words.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(WORDS.read_text()) | {part: value}))
    with pytest.raises(InputError, match=message):
        read_world(path)
