"""The page of before and after: the same words and draws for all, and both rewards beside them."""

import pytest

from genlab.preference.rewards import load_reward
from pipelines.alignment import ask
from tests.pipelines.alignment.test_stages import DECODING, bag, write_corpus
from tests.tiny_models import save_base


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A corpus without prompts, the base and two arms, and both rewards."""
    folder = tmp_path_factory.mktemp("ask")
    write_corpus(folder / "corpus", [""])
    save_base(folder / "base", initializer_range=0.2)
    for arm, seed in (("main", 5), ("other", 11)):
        save_base(folder / f"train/{arm}", initializer_range=0.2, seed=seed)
    bag(folder / "reward_model", the=1.0, near=-1.0, red=2.0, a=0.7, e=-0.8, t=0.4, i=-0.3)
    bag(folder / "held_out", the=0.5, near=-2.0, old=1.0, s=1.0, r=-0.6)
    return folder


def test_before_and_after_write_on_from_the_same_words_with_both_rewards(made, tmp_path):
    write_corpus(tmp_path / "prompted", ["The red tower"])
    options = DECODING | {"corpus": made / "corpus"}
    rewards = {"reward_model": made / "reward_model", "held_out_reward": made / "held_out"}
    folders = {"before": made / "base", "other": made / "train/other"}
    begun = ask.make_asking(options, rewards, folders)
    assert (begun.models, begun.columns) == (["before", "other"], ["reward", "held out"])
    assert all(len(example.split()) == 4 for example in begun.examples)
    text, cells = begun.answer("other", "The red tower", 3)
    assert text.startswith("The red tower") and text != "The red tower"
    liked = load_reward(made / "reward_model", 1)([""], [text])[0]
    assert cells[0] == f"{liked:.2f}" and len(cells) == 2
    assert begun.answer("other", "The red tower", 3) == (text, cells)
    assert begun.answer("other", "The red tower", 4)[0] != text
    assert begun.answer("before", "The red tower", 3)[0] != text

    asked = ask.make_asking(options | {"corpus": tmp_path / "prompted"}, rewards, folders)
    assert (asked.prompt, asked.examples) == ("A prompt", ["The red tower"])
    assert not asked.answer("other", "The red tower", 3)[0].startswith("The red tower")
