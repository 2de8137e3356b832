"""What a model sees of a dialogue: speakers, types, masks, and that generation sees the same."""

import pickle

import polars as pl
import pytest

from genlab.core.program import InputError
from genlab.models.decoding import Decoding, generate
from genlab.models.loading import load_causal_model, load_tokenizer
from pipelines.chitchat.arm_training import find_overfitting, load_layout
from pipelines.chitchat.chat_inputs import (
    Layout,
    Separator,
    Special,
    build_prompt,
    build_row,
    collate_rows,
    special_of,
)
from pipelines.chitchat.preprocessing import preprocess_data_for_model
from pipelines.chitchat.reply_reading import read_replies, reply_losses, with_history
from pipelines.chitchat.schemas import SPLIT_SCHEMA
from tests.pipelines.chitchat.tiny_chat import BARE, DIALOGUE, make_model

BOS, EOS, USER, BOT = 0, 1, 8, 9
SPECIAL = Special(BOS, EOS, (USER, BOT))
TURNS = [[20], [21, 21], [22], [23]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("chat") / "model")


@pytest.mark.parametrize("n_history", range(5))
def test_speakers_and_types_agree_for_every_length_of_history(n_history):
    history = [[20 + i] for i in range(n_history)]
    layout = Layout(4, Separator.speaker, True, True, True)
    row = build_row(layout, SPECIAL, history, [50], [60, 61])
    ids, types = row["input_ids"], row["token_type_ids"]
    assert ids[:1] == [BOS] and ids[-5:] == [50, BOT, 60, 61, EOS]
    assert types[-4:] == [BOT] * 4 and types[-5] == USER  # the input is the user's, the reply ours
    at = None
    for token, kind in zip(ids[1:], types[1:], strict=True):
        at = token if token in (USER, BOT) else at
        assert kind == at  # every token's type is the speaker's token before it
    speakers = [token for token in ids if token in (USER, BOT)]
    # Backwards from the reply: ours, the user's, ours, ...
    assert speakers[::-1] == ([BOT, USER] * 3)[: n_history + 2]
    assert row["n_prompt"] == len(ids) - 3  # the reply's own speaker token is not learnt


def test_rows_are_as_worked_out_by_hand():
    three = Layout(2, Separator.speaker, True, True, True)
    assert build_row(three, SPECIAL, TURNS[:3], [23], [30]) == {
        "input_ids": [BOS, USER, 21, 21, BOT, 22, USER, 23, BOT, 30, EOS],
        "token_type_ids": [USER] * 4 + [BOT] * 2 + [USER] * 2 + [BOT] * 3,
        "n_prompt": 9,
    }
    assert build_row(BARE, SPECIAL, TURNS[:3], [23], [30]) == {
        "input_ids": [BOS, 23, EOS, 30, EOS],
        "token_type_ids": [USER, USER, USER, BOT, BOT],
        "n_prompt": 3,
    }
    assert build_prompt(three, SPECIAL, [], [23]) == ([BOS, USER, 23, BOT], [USER, USER, USER, BOT])


def test_labels_are_the_reply_and_its_end_and_padding_is_none():
    rows = [
        build_row(DIALOGUE, SPECIAL, [], [20], [30]),
        build_row(DIALOGUE, SPECIAL, [], [20], []),
    ]
    batch = collate_rows(rows, DIALOGUE, SPECIAL)
    assert batch["labels"].tolist() == [
        [-100, -100, -100, -100, 30, EOS],
        [-100, -100, -100, -100, EOS, -100],
    ]
    assert batch["attention_mask"].tolist() == [[1] * 6, [1] * 5 + [0]]
    every = collate_rows(rows, BARE, SPECIAL, learn_all=True)
    assert every["labels"][1].tolist() == [BOS, USER, 20, BOT, EOS, -100]
    assert set(every) == {"input_ids", "labels"}


def test_a_mask_changes_nothing_where_padding_is_on_the_right(folder):
    model, tokenizer = load_causal_model(folder).eval(), load_tokenizer(folder)
    special = special_of(tokenizer)
    rows = pl.DataFrame(
        {"history": [[[5], [6, 7]], []], "input": [[8, 9], [10]], "reply": [[11, 12, 13], [14]]},
        schema_overrides={"history": pl.List(pl.List(pl.Int64))},
    )
    with_mask = reply_losses(model, rows, DIALOGUE, special, 8, "x")
    bare = Layout(3, Separator.speaker, True, False, True)
    for a, b in zip(with_mask, reply_losses(model, rows, bare, special, 1, "x"), strict=True):
        assert a == pytest.approx(b, abs=1e-5)
    # By the library itself, one row at a time, its mean loss times the labels.
    for i, losses in enumerate(with_mask):
        row = build_row(DIALOGUE, special, *rows.row(i))
        alone = model(**collate_rows([row], DIALOGUE, special)).loss.item()
        assert losses.mean() == pytest.approx(alone, abs=1e-5)
        assert len(losses) == len(rows["reply"][i]) + 1
    read = rows.with_columns(reply_id=pl.lit("a/1"), dialogue_id=pl.lit("a"), n_bytes=4)
    counted = read_replies(model, read.head(2), DIALOGUE, special, 8, True, "arm")
    without = read_replies(model, read.head(2), DIALOGUE, special, 8, False, "arm")
    assert counted["n_tokens"].to_list() == [4, 2] * 3
    assert without["n_tokens"].to_list() == [3, 1] * 3
    assert counted["nats"][0] == pytest.approx(with_mask[0].sum())


def test_generation_with_types_is_the_library_s_own(folder):
    model, tokenizer = load_causal_model(folder).eval(), load_tokenizer(folder)
    special = special_of(tokenizer)
    import torch

    prompts, types = zip(
        *(build_prompt(DIALOGUE, special, h, [9, 10]) for h in ([], [[4]], [[5, 6], [7], [8]])),
        strict=True,
    )
    greedy = Decoding(12, 0.0, 0, 1.0, 1, 1.0, 17)
    found, _ = generate(model, list(prompts), list("abc"), greedy, set(), 2, types=list(types))
    beams = Decoding(12, 0.0, 0, 1.0, 3, 1.0, 17)
    searched, _ = generate(model, list(prompts), list("abc"), beams, set(), 2, types=list(types))
    untyped, _ = generate(model, list(prompts), list("abc"), greedy, set(), 2)
    for prompt, kinds, new, best in zip(prompts, types, found, searched, strict=True):
        options = {
            "max_new_tokens": 12,
            "do_sample": False,
            "eos_token_id": None,
            "pad_token_id": 0,
        }
        given = {"input_ids": torch.tensor([prompt]), "token_type_ids": torch.tensor([kinds])}
        mask = torch.ones_like(given["input_ids"])
        alone = model.generate(**given, attention_mask=mask, **options)[0, len(prompt) :].tolist()
        assert new == alone
        of_beams = model.generate(**given, attention_mask=mask, num_beams=3, **options)
        assert best == of_beams[0, len(prompt) :].tolist()
    assert untyped != found  # types do matter


def test_shuffled_histories_are_another_dialogue_s_of_the_same_length():
    rows = pl.DataFrame(
        {
            "dialogue_id": ["a", "a", "b", "c", "c"],
            "history": [[], [[1]], [[2]], [[3]], [[3], [4]]],
        },
        schema_overrides={"history": pl.List(pl.List(pl.Int64))},
    )
    shuffled = with_history(rows, "shuffled")["history"].to_list()
    assert [len(each) for each in shuffled] == [0, 1, 1, 1, 2]
    assert all(a != b for a, b in zip(shuffled[1:4], [[[1]], [[2]], [[3]]], strict=True))
    assert shuffled[4] == [[3], [4]]  # no other has two turns
    assert with_history(rows, "none")["history"].list.len().to_list() == [0] * 5


def test_the_study_s_function_takes_its_pickle_and_gives_its_rows(folder, tmp_path):
    tokenizer = load_tokenizer(folder)
    dialogues = [["привет", "здравствуй", "как дела", "хорошо", "пока"], ["один", "два"]]
    (tmp_path / "in.pkl").write_bytes(pickle.dumps(dialogues))
    counts = preprocess_data_for_model(tmp_path / "in.pkl", tmp_path / "out.pkl", tokenizer)
    rows = pickle.loads((tmp_path / "out.pkl").read_bytes())
    ids = [[tokenizer(turn)["input_ids"] for turn in each] for each in dialogues]
    assert rows == [
        {"history": [], "input": ids[0][0], "reply": ids[0][1]},
        {"history": ids[0][:1], "input": ids[0][1], "reply": ids[0][2]},
        {"history": ids[0][:2], "input": ids[0][2], "reply": ids[0][3]},
        {"history": ids[0][:3], "input": ids[0][3], "reply": ids[0][4]},
        {"history": [], "input": ids[1][0], "reply": ids[1][1]},
    ]
    assert counts["dialogues"] == 2 and counts["rows"] == 5 and counts["first_replies"] == 2


def test_long_turns_are_cut_long_replies_left_out_and_special_tokens_are_text(folder, tmp_path):
    tokenizer = load_tokenizer(folder)
    long = " ".join(["привет"] * 60)
    turns = [long, "да <speaker1> <|endoftext|>", long, "нет"]
    marks = [False, True, True, True]
    rows = [{"dialogue_id": "d", "turns": turns, "split": "train", "is_reply": marks}]
    pl.DataFrame(rows, schema=SPLIT_SCHEMA).write_parquet(tmp_path / "in.parquet")
    counts = preprocess_data_for_model(
        tmp_path / "in.parquet", tmp_path / "out.arrow", tokenizer, 3, 50, False, "train"
    )
    assert (counts["rows"], counts["long_replies"], counts["turns_cut"]) == (1, 1, 2)
    [row] = pl.read_ipc_stream(tmp_path / "out.arrow").to_dicts()
    assert row["reply_id"] == "d/3" and len(row["input"]) == 50
    assert not {*special_of(tokenizer).speakers, tokenizer.eos_token_id} & set(row["history"][1])


def test_overfitting_begins_where_validation_first_rises():
    assert find_overfitting([3.0, 2.0, 2.1, 1.9]) == {
        "epochs": 4,
        "best_epoch": 4,
        "overfitting_epoch": 3,
        "overfits": 1,
    }
    assert find_overfitting([3.0, 2.0])["overfitting_epoch"] == 3  # not before that
    assert find_overfitting([3.0, 2.0])["overfits"] == 0


def test_a_folder_that_is_no_trained_arm_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no trained model of this pipeline \(layout.json"):
        load_layout(tmp_path)
