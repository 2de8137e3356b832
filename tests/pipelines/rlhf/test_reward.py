"""The reward model: TRL's gradient at a third of its work, and one reward wherever it is asked."""

import numpy as np
import pytest
import torch

from genlab.core.program import InputError
from genlab.mini.gpt2 import Sizes
from pipelines.rlhf.base_models import copy_policy, fetch_reward_base
from pipelines.rlhf.origins import RewardBaseOrigin, RewardBaseSource
from pipelines.rlhf.reward_model import (
    RewardModel,
    check_reads_as,
    keep_layers,
    load_reward_model,
    new_reward_model,
    rate,
    save_reward_model,
    scores,
)
from pipelines.rlhf.reward_training import GroupCollator, RewardRecipe, group_loss, ranked_pairs
from tests.tiny_models import make_gpt2, make_tokenizer, save_base

PAD = 59  # no token of the rows below: TRL tells the last token by the id of padding


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return save_base(tmp_path_factory.mktemp("reward") / "base", initializer_range=0.2)


def scored(base):
    """A reward model whose head is not zero."""
    model = new_reward_model(base, 1)
    torch.nn.init.normal_(model.score.weight, generator=torch.Generator().manual_seed(5))
    return model.eval()


def draw_rows(n, k, seed=0):
    rng = np.random.default_rng(seed)
    ids = lambda low, high: rng.integers(1, PAD, rng.integers(low, high)).tolist()  # noqa: E731
    return [
        {"prompt_ids": ids(3, 9), "answer_ids": [[*ids(1, 12), 0] for _ in range(k)],
         "ranks": (rng.permutation(k) + 1).tolist()}
        for _ in range(n)
    ]  # fmt: skip


def trl_loss(model, rows):
    """TRL's own collator and loss of the same pairs."""
    from collections import defaultdict
    from types import SimpleNamespace

    from trl import RewardTrainer
    from trl.trainer.reward_trainer import DataCollatorForPreference

    model.config.pad_token_id = PAD
    pairs = [
        {"chosen_ids": row["prompt_ids"] + row["answer_ids"][a],
         "rejected_ids": row["prompt_ids"] + row["answer_ids"][b]}
        for row in rows
        for a, b in ranked_pairs(row["ranks"])
    ]  # fmt: skip
    inputs = DataCollatorForPreference(pad_token_id=PAD)(pairs)
    same = lambda value: value  # noqa: E731
    accelerator = SimpleNamespace(gather=same, gather_for_metrics=same)
    trainer = SimpleNamespace(
        model=model, accelerator=accelerator, _tp_size=1,
        args=SimpleNamespace(center_rewards_coefficient=None),
        _total_train_tokens=0, _metrics={"eval": defaultdict(list), "train": defaultdict(list)},
    )  # fmt: skip
    return RewardTrainer.compute_loss(trainer, model, inputs), inputs


def test_the_gradient_of_a_group_is_that_of_trls_pairs_of_a_third_of_the_sequences(base):
    ours, theirs = scored(base), scored(base)
    rows = draw_rows(5, 4)
    inputs = GroupCollator(PAD)(rows)
    loss, _ = group_loss(ours, inputs)
    loss.backward()
    of_pairs, pair_inputs = trl_loss(theirs, rows)
    of_pairs.backward()
    assert loss.item() == pytest.approx(of_pairs.item(), abs=1e-5)
    for (name, a), (_, b) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert (a.grad is None) == (b.grad is None), name
        if a.grad is not None:
            torch.testing.assert_close(a.grad, b.grad, atol=1e-5, rtol=1e-4)
    assert len(pair_inputs["input_ids"]) == 3 * len(inputs["input_ids"]) == 60


def test_prompts_with_unequally_many_pairs_count_alike():
    rows = draw_rows(1, 4) + draw_rows(1, 2, seed=1)
    weight = GroupCollator(PAD)(rows)["weight"]
    assert weight.tolist() == pytest.approx([1 / 12] * 6 + [1 / 2])
    rows[0]["ranks"] = [1, 2, 2, 2]  # the three tied pairs are left out
    assert GroupCollator(PAD)(rows)["weight"].tolist() == pytest.approx([1 / 6] * 3 + [1 / 2])


def test_an_answers_reward_is_the_same_to_the_bit_in_training_rl_and_evaluation(base, tmp_path):
    from transformers import AutoTokenizer

    save_reward_model(scored(base), AutoTokenizer.from_pretrained(base), 0.25, tmp_path / "reward")
    reward = load_reward_model(tmp_path / "reward", batch_size=64)
    rows = draw_rows(8, 4, seed=3)
    asked = [row["prompt_ids"] for row in rows for _ in row["answer_ids"]]
    given = [ids for row in rows for ids in row["answer_ids"]]
    alone = np.concatenate([rate(reward, [a], [b]) for a, b in zip(asked, given, strict=True)])
    assert alone.dtype == np.float32 and len(set(alone)) == 32
    few = RewardModel(reward.model, reward.offset, reward.folder, 7)
    for each in (reward, few):
        np.testing.assert_array_equal(rate(each, asked, given), alone)
        np.testing.assert_array_equal(rate(each, asked[::-1], given[::-1]), alone[::-1])
    # What RL is told is what `rate` says, as float: see test_reinforcement. And the model that was
    # trained scores what is read from the disk, but for float32's rounding.
    inputs = GroupCollator(PAD)(rows)
    from pipelines.rlhf.reward_model import scores_of

    trained = scores_of(scored(base), inputs["input_ids"], inputs["attention_mask"], inputs["last"])
    np.testing.assert_allclose(alone, trained.detach().numpy() - 0.25, atol=1e-4)


def test_the_end_of_text_is_read(base, tmp_path):
    from transformers import AutoTokenizer

    save_reward_model(scored(base), AutoTokenizer.from_pretrained(base), 0.0, tmp_path / "reward")
    reward = load_reward_model(tmp_path / "reward")
    with_end, without = rate(reward, [[5, 6], [5, 6]], [[7, 8, 0], [7, 8]])
    assert with_end != without


def test_a_reward_that_is_no_number_is_an_error(base, tmp_path):
    from transformers import AutoTokenizer

    model = scored(base)
    model.score.weight.data[0, 0] = float("nan")
    save_reward_model(model, AutoTokenizer.from_pretrained(base), 0.0, tmp_path / "reward")
    with pytest.raises(InputError, match=r"the reward of 2 of 2 answers is not a number"):
        rate(load_reward_model(tmp_path / "reward"), [[5], [6]], [[7], [8]])


def test_a_model_with_several_scores_is_no_reward_model(base, tmp_path):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=3)
    save_reward_model(model, AutoTokenizer.from_pretrained(base), 0.0, tmp_path / "reward")
    with pytest.raises(InputError, match=r"reward: it gives 3 scores \(num_labels in its config"):
        load_reward_model(tmp_path / "reward")


def test_a_text_of_more_tokens_than_the_reward_model_reads_is_an_error(base, tmp_path):
    from transformers import AutoTokenizer

    save_reward_model(scored(base), AutoTokenizer.from_pretrained(base), 0.0, tmp_path / "reward")
    reward = load_reward_model(tmp_path / "reward")
    n = reward.model.config.max_position_embeddings
    assert len(rate(reward, [[5] * (n - 1)], [[7]])) == 1
    with pytest.raises(InputError, match=rf"reward: a prompt and its answer have {n + 1} tokens"):
        rate(reward, [[5] * n], [[7]])


def test_a_reward_model_with_another_tokenizer_is_refused(base, tmp_path):
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast

    other = ByteLevelBPETokenizer()
    other.train_from_iterator(["abc abd"], 300, special_tokens=["<e>"], show_progress=False)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=other._tokenizer, eos_token="<e>")
    model = make_gpt2(vocab_size=len(tokenizer))
    model.save_pretrained(tmp_path / "other")
    tokenizer.save_pretrained(tmp_path / "other")
    with pytest.raises(InputError, match=r"the tokenizers of the reward model .* differ"):
        check_reads_as(tmp_path / "other", base)


def test_a_smaller_reward_model_has_the_first_layers_of_its_base(base):
    model = keep_layers(new_reward_model(base, 1), 1, base)
    assert len(model.transformer.h) == 1
    with pytest.raises(InputError, match=r"reward\.n_layer=3: .* has 2 layers"):
        keep_layers(new_reward_model(base, 1), 3, base)


def save_kind(folder, name, **options):
    """Write a tiny causal model of another kind with the tiny tokenizer."""
    import transformers

    torch.manual_seed(1)
    tokenizer = make_tokenizer()
    config = getattr(transformers, f"{name}Config")(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=64, max_position_embeddings=64, **options,
    )  # fmt: skip
    head = "LMHeadModel" if name == "Bert" else "ForCausalLM"
    getattr(transformers, name + head)(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_a_reward_model_of_fewer_layers_whose_kinds_are_listed_is_saved_and_rates_alike(tmp_path):
    base = save_kind(tmp_path / "base", "Qwen2", num_key_value_heads=2)
    model = keep_layers(new_reward_model(base, 1), 1, base).eval()
    torch.nn.init.normal_(model.score.weight)
    save_reward_model(model, make_tokenizer(), 0.0, tmp_path / "reward")
    saved = load_reward_model(tmp_path / "reward")
    assert len(saved.model.base_model.layers) == 1
    with torch.inference_mode():
        expected = scores(model, [[5, 6, 7]]).numpy()
    assert rate(saved, [[5, 6]], [[7]]) == pytest.approx(expected, rel=1e-4)


def test_a_model_whose_layers_are_not_found_is_not_said_to_have_none(tmp_path):
    base = save_kind(tmp_path / "base", "Qwen2", num_key_value_heads=2)
    model = new_reward_model(base, 1)
    model.base_model.blocks = model.base_model.layers  # as MPT's
    del model.base_model.layers
    with pytest.raises(InputError, match=r"n_layer=1: a Qwen2.* layers where they are not found"):
        keep_layers(model, 1, base)
    assert keep_layers(model, 0, base) is model


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("Bert", {"is_decoder": True}, "a bert has no score of its last token"),
        (
            "Mixtral",
            {"num_key_value_heads": 2, "num_local_experts": 2},
            "no reward model can be made of it",
        ),
    ],
)
def test_what_can_be_no_reward_model_is_refused_where_it_is_fetched(
    tmp_path, name, options, message
):
    """Not hours later; a mixture of experts does not compute in float64 on a CPU."""
    base = save_kind(tmp_path / "base", name, **options)
    with pytest.raises(InputError, match=f"^{base}: {message}"):
        copy_policy(base, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    sizes = Sizes(300, 1, 16, 2, 64, 1, 4, 0.01, 0.01, 0, 17)
    origin = RewardBaseOrigin(RewardBaseSource.file, base, "none", "none")
    with pytest.raises(InputError, match=f"^{base}: {message}"):
        fetch_reward_base(tmp_path, base, tmp_path / "fetched", origin, sizes)
    assert not (tmp_path / "fetched").exists()


def test_a_reward_model_can_be_made_of_what_gpt2_is(base, tmp_path):
    copy_policy(base, tmp_path / "copy")
    assert (tmp_path / "copy/model.safetensors").read_bytes() == (
        base / "model.safetensors"
    ).read_bytes()


def test_an_answer_beyond_the_positions_of_the_base_is_refused_before_training(base, tmp_path):
    """The end-of-text is one of the answer's tokens; the base has 128 positions."""
    from transformers import AutoTokenizer

    from pipelines.rlhf.reward_training import train_reward_model

    def train(n_answer):
        rows = [{"prompt_ids": [5] * 28, "answer_ids": [[6], [7] * n_answer], "ranks": [1, 2]}]
        recipe = RewardRecipe(0, 1, 1e-3, 0, 1, 1000, 1)
        folder = tmp_path / f"{n_answer}"
        return train_reward_model(folder, base, AutoTokenizer.from_pretrained(base), rows, recipe)

    assert train(100)[1]
    with pytest.raises(InputError, match=r"of 129 tokens exceed the 128 positions .*reward_base"):
        train(101)


def marked_rows(n, seed):
    """Rows of three answers, the best of which is the one that begins with token 9."""
    rows = draw_rows(n, 3, seed)
    for row in rows:
        row["answer_ids"] = [[id_ for id_ in ids if id_ != 9] for ids in row["answer_ids"]]
        row["answer_ids"][0] = [9, *row["answer_ids"][0]]
        row["ranks"] = [1, 2, 2]
    return rows


def test_training_finds_what_makes_answers_better_and_orders_those_to_other_prompts(base, tmp_path):
    """Of 120 rankings it learns the token (of 30 it learns them by heart and guesses others)."""
    from transformers import AutoTokenizer

    from pipelines.rlhf.reward_training import train_reward_model

    recipe = RewardRecipe(0, 12, 5e-3, 2, 8, 1000, 1)
    tokenizer = AutoTokenizer.from_pretrained(base)
    shown = marked_rows(120, seed=7)
    model, log = train_reward_model(tmp_path / "scratch", base, tokenizer, shown, recipe)
    losses = [entry["loss"] for entry in log]
    assert losses[0] == pytest.approx(np.log(2), abs=1e-6)  # the new head says 0 of all
    assert np.mean(losses[-10:]) < 0.1
    save_reward_model(model, tokenizer, 0.0, tmp_path / "reward")
    reward = load_reward_model(tmp_path / "reward")
    fresh = marked_rows(200, seed=11)
    asked = [row["prompt_ids"] for row in fresh for _ in range(3)]
    found = rate(reward, asked, [ids for row in fresh for ids in row["answer_ids"]]).reshape(-1, 3)
    assert (found.argmax(1) == 0).mean() > 0.9  # 0.98 here; a guess is right in a third
    twins = rate(reward, asked, [[7, *ids[1:]] for row in fresh for ids in row["answer_ids"]])
    assert (twins.reshape(-1, 3).argmax(1) == 0).mean() < 0.6  # and it was the token
