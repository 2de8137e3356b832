"""The stages in a row, at a size of seconds: what each passes on, and what stops it."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import PreTrainedTokenizerFast
from typer.testing import CliRunner

from genlab.core.chosen import write_chosen
from genlab.core.program import InputError
from genlab.core.tables import read_table
from genlab.labelling.questionnaire import ranks_of, read_questionnaire
from genlab.web.streams import Streams
from pipelines.rlhf import chat, steps
from pipelines.rlhf.metrics import ROW_SCHEMA, best_value
from pipelines.rlhf.mini_world import read_world
from pipelines.rlhf.rated_answers import check_accuracy
from pipelines.rlhf.schemas import GENERATED_SCHEMA, RANK_SCHEMA, plain_texts, text_table
from pipelines.rlhf.stages import dpo, fetch, generate, rank, reward, rl, score, sft
from pipelines.rlhf.supervised import check_known
from tests.broken_saves import save_zeroed
from tests.option_words import invoke
from tests.project_copy import ROOT

PIPELINE = ROOT / "pipelines/rlhf"
WORDS = PIPELINE / "instructions.yaml"
SIZES = {"vocab_size": 600, "n_layer": 1, "n_embd": 16, "n_head": 2, "n_positions": 96,
         "epochs": 1, "batch_size": 32, "learning_rate": 0.02, "embedding_learning_rate": 0.004,
         "max_offset": 0, "seed": 1, "hub_id": "x", "revision": "none"}  # fmt: skip
RL = {"algorithm": "rloo", "beta": 0.02, "ptx_gamma": 0.1, "steps": 2, "prompts_per_step": 2,
      "num_generations": 2, "ptx_batch_size": 2, "learning_rate": 0.01, "warmup_steps": 0,
      "max_completion_length": 8, "save_steps": 1, "seed": 5, "snapshots": [1, 2],
      "n_seeds": 2}  # fmt: skip
RANK = {"by": "rule", "n_answers": 4, "noise": 0.4, "step": 0.25, "cap": 8, "batch_size": 64,
        "seed": 1}  # fmt: skip
SFT = {"epochs": 2, "start_epochs": 1, "start_mix": 0.2, "learning_rate": 0.001, "warmup_steps": 0,
       "batch_size": 4, "save_steps": 50, "max_unknown_share": 0.1, "seed": 1}  # fmt: skip
DPO = {"n_prompts": 0, "n_seeds": 2, "beta": 0.1, "epochs": 1, "learning_rate": 0.001,
       "warmup_steps": 0, "batch_size": 16, "save_steps": 50, "seed": 7}  # fmt: skip
REWARD = {"ties": "drop", "n_prompts": 0, "n_seeds": 2, "n_layer": 0, "epochs": 1,
          "min_accuracy": 0.0, "learning_rate": 0.01, "warmup_steps": 0, "batch_size": 4,
          "save_steps": 50, "seed": 3}  # fmt: skip

SCORE = {"arm": "main", "at": "end", "by": "rule", "training": 3, "noise": 0.4, "step": 0.25,
         "prompts_per_step": 2, "num_generations": 2, "batch_size": 16, "seed": 1}  # fmt: skip


def fetch_corpus(folder, **options):
    settings = {"source": "mini", "path": WORDS, "texts_path": "none",
                "encoding": "auto", "hub_id": "x",
                "hub_name": "none", "revision": "none", "n_sft": 8, "n_reward": 12, "n_rl": 6,
                "n_validation": 4, "n_held_out": 8, "near_duplicate": 0.7, "n_texts": 120,
                "validation_share": 0.1, "seed": 1} | options  # fmt: skip
    invoke(fetch.app, "corpus", folder / "prompts", folder / "texts", metrics=folder / "c.json",
           **settings)  # fmt: skip


def rank_answers(made, folder, **options):
    labels = options.pop("labels", PIPELINE / "labels")
    invoke(rank.app, made / "prompts", made / "sft/start", labels, PIPELINE / "rank.yaml",
           folder / "rank", folder / "desk", metrics=folder / "rank.json", corpus_path=WORDS,
           **(RANK | options))  # fmt: skip


def train_sft(made, folder, base=None, **options):
    return invoke(sft.app, made / "prompts", made / "texts", base or made / "base", folder / "sft",
                  metrics=folder / "s.json", **(SFT | options))  # fmt: skip


def train_reward(made, folder, **options):
    return invoke(reward.app, made / "rank", made / "prompts", made / "reward_base",
                  made / "sft/start", folder / "reward", metrics=folder / "r.json",
                  curves=folder / "rc.json", **(REWARD | options))  # fmt: skip


def train_dpo(made, folder, **options):
    return invoke(dpo.app, made / "rank", made / "sft/start", folder / "dpo",
                  metrics=folder / "d.json", **(DPO | options))  # fmt: skip


def train_rl(made, folder, wanted=True, **options):
    write_chosen(folder / "choose", {"arms": {"main": wanted}})
    return invoke(rl.app, made / "prompts", made / "texts", made / "sft/start", made / "reward",
                  folder / "rl/main", metrics=folder / "rl.json",
                  chosen=folder / "choose/arms/main.json", **(RL | options))  # fmt: skip


def score_answers(made, folder, **options):
    return invoke(score.app, made / "generate", made / "best", made / "rank", made / "reward",
                  folder / "score", folder / "arms", metrics=folder / "m.json",
                  details=folder / "details.json", optimisation=folder / "o.json",
                  picture=folder / "o.svg", readme_tables=folder / "t.json",
                  best=folder / "bon.json", calibration=folder / "cal.json",
                  **(SCORE | options))  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Everything up to the scores, of one and two trainings."""
    folder = tmp_path_factory.mktemp("stages")
    patch = pytest.MonkeyPatch()
    patch.chdir(folder)
    fetch_corpus(folder)
    texts = folder / "texts"
    invoke(fetch.app, "base", texts, folder / "base", metrics=folder / "b.json", source="mini",
           path=texts, **SIZES)  # fmt: skip
    invoke(fetch.app, "reward_base", texts, folder / "base", folder / "reward_base",
           metrics=folder / "rb.json", source="policy", path=texts, **SIZES)  # fmt: skip
    train_sft(folder, folder)
    rank_answers(folder, folder)
    train_reward(folder, folder)
    train_dpo(folder, folder)
    train_rl(folder, folder)
    invoke(generate.app, folder / "prompts", texts, folder / "base", folder / "sft",
           folder / "dpo", folder / "rl", folder / "generate", folder / "best",
           metrics=folder / "g.json", corpus_path=WORDS, curves=folder / "gc.json", arms=["main"],
           cap=8, n_best=8, n_best_prompts=4, batch_size=64, seed=2)  # fmt: skip
    score_answers(folder, folder)
    yield folder
    patch.undo()


def read(path):
    return json.loads(path.read_text())


def test_each_stage_passes_on_what_its_schema_says(made):
    ranked, generated = read_table(made / "rank"), read_table(made / "generate")
    assert ranked.schema == RANK_SCHEMA and generated.schema == GENERATED_SCHEMA
    assert set(ranked["purpose"]) == {"reward", "held_out"}
    # base, sft, start, two of dpo, two trainings of two snapshots; 12 prompts each
    assert generated.height == (3 + 2 + 4) * 12
    of_start = generated.filter(pl.col("arm") == "start")
    assert of_start["kl"].abs().max() < 1e-9  # a model does not move from itself
    assert generated.filter(pl.col("arm") == "main")["kl"].min() > 0  # exact KL is never negative
    assert generated.filter(pl.col("purpose") == "held_out")["language_loss"].null_count() == 0


def test_no_text_that_is_learnt_measures_the_language_loss(tmp_path):
    texts = [f"text {i}" for i in range(100)]
    texts[3] = texts[50]
    table = text_table(texts, 0.1)
    assert table.filter(pl.col("split") == "train")["text"].to_list() == texts[10:]
    kept = table.filter(pl.col("split") == "validation")["text"].to_list()
    assert kept == [*texts[:3], *texts[4:10]]
    lines = [{"prompt": f"{word} please", "answers": ["a", "b"]} for word in "abcdefghijklmnopq"]
    (tmp_path / "r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in lines))
    (tmp_path / "plain.txt").write_text("\n".join(texts))
    few = dict.fromkeys(("n_sft", "n_reward", "n_rl", "n_validation"), 1)
    fetch_corpus(tmp_path, source="file", path=tmp_path / "r.jsonl", near_duplicate=1.0,
                 texts_path=tmp_path / "plain.txt", n_held_out=2, **few)  # fmt: skip
    found = read(tmp_path / "c.json")
    assert (found["texts"], found["validation_texts_in_train"]) == (100, 1)


def test_demonstrations_have_a_mean_reward_of_0(made):
    from genlab.models.loading import load_tokenizer
    from genlab.models.prompts import encode_bodies, encode_prompts
    from pipelines.rlhf.reward_model import load_reward_model, rate

    shown = read_table(made / "prompts").filter(pl.col("purpose") == "sft")
    tokenizer = load_tokenizer(made / "base")
    asked = encode_prompts(tokenizer, shown["prompt"].to_list())
    given = encode_bodies(tokenizer, shown["demonstration"].to_list())
    for seed in (3, 4):
        found = rate(load_reward_model(made / f"reward/{seed}"), asked, given)
        assert found.mean() == pytest.approx(0, abs=1e-6)


def test_rows_of_all_trainings_have_every_arm_and_their_means_are_the_details(made, tmp_path):
    details = read(made / "details.json")
    said = score_answers(made, tmp_path, training=4)
    found = details["reward_model"]["over_trainings"]["accuracy"]["all"]
    share, low, high = (f"{100 * found[name]:.1f}" for name in ("value", "low", "high"))
    ends = f"{share} % [{low}, {high}] of held-out pairs are ranked right, chance is 50%\n"
    assert said.endswith(f"reward models: {ends}")
    assert read(tmp_path / "details.json") == details  # which holds all trainings, in either
    first, second = read_table(made / "arms"), read_table(tmp_path / "arms")
    # By the reward models' seeds, whatever the arm's own.
    assert (set(first["seed"]), set(second["seed"])) == ({"3"}, {"4"})
    arms = pl.concat([first, second])
    assert arms.schema == ROW_SCHEMA
    assert set(arms["arm"]) == {
        "base", "sft", "start", "dpo", "main_peak", "main_end", "main_step_1", "main_step_2",
    }  # fmt: skip
    for arm, summary in details["arms"].items():
        mine = arms.filter(pl.col("arm") == arm)
        for name in ("truth", "proxy"):
            assert best_value(summary[name]) == pytest.approx(mine[name].mean())
    sft_rows = arms.filter(pl.col("arm") == "sft")
    assert sft_rows["win"].unique().to_list() == [0.5]  # against itself: ties are one half
    assert read_table(made / "score").equals(first.filter(pl.col("arm") == "main_end"))
    with pytest.raises(InputError, match=r"score\.training=5: the trainings are 3, 4"):
        score_answers(made, tmp_path, training=5)


def test_a_reward_model_has_a_ceiling_only_where_the_labellers_noise_is_known(made, tmp_path):
    baselines = read(made / "details.json")["reward_model"]["baselines"]
    assert set(baselines) == {"chance", "shorter_wins", "ceiling"}
    assert 0.5 < baselines["ceiling"] < 1
    score_answers(made, tmp_path, by="people")
    found = read(tmp_path / "details.json")["reward_model"]["baselines"]
    assert found == {name: baselines[name] for name in ("chance", "shorter_wins")}


def test_a_snapshot_that_is_beyond_the_training_is_named(made, tmp_path):
    with pytest.raises(InputError, match=r"rl\.snapshots: step 9 is not among rl\.steps=2"):
        train_rl(made, tmp_path, snapshots=[2, 9])
    with pytest.raises(InputError, match="n_seeds=3: there are 2 reward models"):
        train_rl(made, tmp_path, n_seeds=3)


def test_an_arm_that_nothing_compares_is_not_trained(made, tmp_path):
    said = train_rl(made, tmp_path, wanted=False)
    assert "main: nothing that compared.arms names needs it, so it is left out" in said
    assert [path.name for path in (tmp_path / "rl/main").iterdir()] == ["left_out.json"]
    assert read(tmp_path / "rl.json") == {"trainings": 0}


def test_a_prompt_too_long_for_the_reward_model_is_refused_before_rl(made, tmp_path):
    with pytest.raises(InputError, match=r"reward/3: the prompt .* the model's 96 positions"):
        train_rl(made, tmp_path, max_completion_length=96)


@pytest.mark.parametrize(
    ("train", "output", "options"),
    [
        (train_sft, "sft", {}),
        (train_reward, "reward", {"n_seeds": 1}),
        (train_dpo, "dpo", {"n_seeds": 1}),
        (train_rl, "rl/main", {"n_seeds": 1}),
    ],
    ids=["sft", "reward", "dpo", "rl"],
)
def test_a_training_whose_model_is_saved_otherwise_ends_in_an_error(
    made, tmp_path, monkeypatch, train, output, options
):
    from transformers import PreTrainedModel

    monkeypatch.chdir(tmp_path)
    save_zeroed(monkeypatch, PreTrainedModel)
    with pytest.raises(InputError, match="its weights are not saved as they were trained"):
        train(made, tmp_path, **options)
    assert not (tmp_path / output).exists()


def test_a_reward_model_near_chance_is_said_and_refused(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = train_reward(made, tmp_path, n_seeds=1)
    quality = read(made / "details.json")["reward_model"]["trainings"]["3"]["accuracy"]["all"]
    expected = f"{quality['value']:.1%} of {quality['pairs']} held-out pairs are ranked right"
    assert f"reward model 3: {expected}, chance is 50%" in said
    with pytest.raises(InputError, match=r"chance is 50%, and reward\.min_accuracy=1\.0 is asked"):
        train_reward(made, tmp_path / "no", n_seeds=1, min_accuracy=1.0)
    assert not (tmp_path / "no/reward").exists()


def test_held_out_answers_that_nobody_ranked_apart_tell_no_accuracy(made, capsys):
    rows = read_table(made / "rank").filter(pl.col("purpose") == "held_out")
    check_accuracy({"3": made / "reward/3"}, rows.with_columns(rank=1), 0, 1.0)
    assert "no held-out answers are ranked apart" in capsys.readouterr().out


def test_a_base_that_knows_too_few_tokens_of_prompts_or_texts_is_refused(made, tmp_path):
    known = {"[UNK]": 0, "[END]": 1, "name": 2, "kiln": 3}
    words = Tokenizer(WordLevel(known, unk_token="[UNK]"))
    words.pre_tokenizer = Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="[UNK]", eos_token="[END]", bos_token="[END]"
    )
    shutil.copytree(made / "base", tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    share = r"prompts: .*% of its tokens are unknown .*base, above sft\.max_unknown_share=0\.5"
    with pytest.raises(InputError, match=share):
        train_sft(made, tmp_path, tmp_path / "base", max_unknown_share=0.5)
    assert not (tmp_path / "sft").exists()
    texts = {Path("prompts"): ["name name"], Path("texts"): ["name plum"]}
    check_known(tokenizer, Path("base"), texts, 0.5)
    with pytest.raises(InputError, match=r"^texts: 50\.0% of its tokens"):
        check_known(tokenizer, Path("base"), texts, 0.4)


def test_people_rank_at_the_desk_and_their_orders_are_the_ranks(made, tmp_path, capsys):
    """An order of one prompt, given in the terminal; the others have none."""
    from genlab.labelling.desk import Desk
    from genlab.labelling.label_files import LabelFile
    from genlab.labelling.questionnaire import add_fingerprints, read_texts, sample_texts
    from genlab.labelling.terminal import ask_in_terminal

    sheet = read_questionnaire(PIPELINE / "rank.yaml")
    known = add_fingerprints(read_texts(made / "desk", sheet), sheet)
    sample = sample_texts(known, sheet, "anna")
    prints = dict(known.select("text_id", "fingerprint").iter_rows())
    desk = Desk(sample, sheet, LabelFile(tmp_path / "labels/anna.jsonl", sheet, prints))
    n = desk.view()["text"] and len(desk.view()["choices"])
    order = "2=1" + "".join(f">{i}" for i in range(3, n + 1))
    typed = iter(["1>1", "1", order, "q"])
    ask_in_terminal(desk, "en", lambda words: next(typed))
    assert capsys.readouterr().out.count("is no answer") == 2
    desk.file.close()
    first = sample["text_id"][0]
    rank_answers(made, tmp_path, by="people", labels=tmp_path / "labels")
    found = read_table(tmp_path / "rank")
    mine = found.filter(pl.col("prompt_id") == first)
    assert mine["rank"].to_list() == ranks_of(order) == [1, 1, *range(3, n + 1)]
    assert found.filter(pl.col("prompt_id") != first)["rank"].null_count() == found.height - n
    assert found.drop("rank").equals(read_table(made / "rank").drop("rank"))


def test_rankings_of_a_file_go_all_the_way_to_a_reward_model(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rows = [
        {
            "prompt": f"{word} number {i} {rng.integers(1e9)} {word}",
            "answers": [f"{word} .", "no ."],
        }
        for i, word in enumerate(["plum", "oak", "dog", "saw", "tea", "car", "hat", "red"] * 6)
    ]
    (tmp_path / "r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    fetch_corpus(tmp_path, source="file", path=tmp_path / "r.jsonl")
    assert plain_texts(tmp_path / "texts", "train") == []
    with pytest.raises(InputError, match=r"rank\.by=rule: only the mini world has a hidden rule"):
        invoke(rank.app, tmp_path / "prompts", made / "sft/start", PIPELINE / "labels",
               PIPELINE / "rank.yaml", tmp_path / "rank", tmp_path / "desk",
               metrics=tmp_path / "m", corpus_path=WORDS, **RANK)  # fmt: skip
    invoke(rank.app, tmp_path / "prompts", made / "sft/start", PIPELINE / "labels",
           PIPELINE / "rank.yaml", tmp_path / "rank", tmp_path / "desk", metrics=tmp_path / "m",
           corpus_path=WORDS, **(RANK | {"by": "given"}))  # fmt: skip
    assert read_table(tmp_path / "rank")["rank"].to_list() == [1, 2] * 20
    invoke(reward.app, tmp_path / "rank", tmp_path / "prompts", made / "reward_base",
           made / "sft/start", tmp_path / "reward", metrics=tmp_path / "r.json",
           curves=tmp_path / "rc.json", **(REWARD | {"n_seeds": 1}))  # fmt: skip
    assert read(tmp_path / "r.json")["prompts"] == 12


def test_a_prompt_that_is_too_long_does_not_end_the_conversation(made, capsys):
    asked = steps.load_steps({"start": made / "sft/start"}, made / "reward/3", None, 24)
    typed = iter(["two " * 90, "name two fruits .", ""])
    chat.converse(lambda prompt: chat.answers_to(prompt, asked, 0), lambda _: next(typed))
    wrong, *told = capsys.readouterr().out.splitlines()
    assert wrong.startswith(f"error: prompt {('two ' * 10)}...: its 9")  # 40 characters of it
    assert "--cap=24 new ones exceed the model's 96 positions; lower --cap, or give" in wrong
    assert told[1].split()[0] == "start"


def test_answers_that_are_too_long_to_be_ranked_name_ranks_own_option(made, tmp_path):
    with pytest.raises(InputError, match=r"rank\.cap=95 new ones exceed the model's 96 positions"):
        rank_answers(made, tmp_path, cap=95)


def test_all_steps_answer_side_by_side(made, tmp_path, monkeypatch):
    for old, new in (("base", "fetch/base"), ("sft", "sft"), ("dpo", "dpo"), ("rl", "rl"),
                     ("reward", "reward")):  # fmt: skip
        (tmp_path / new).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / new).symlink_to(made / old)
    monkeypatch.setattr(chat, "step_folders", lambda data, arm, seed: {
        "base": data / "fetch/base", "start": data / "sft/start", "RL": data / "rl/main/5/2",
    })  # fmt: skip
    shown = invoke(chat.app, prompt="name two fruits .", data=tmp_path, world=WORDS, cap=8)
    lines = shown.splitlines()
    assert lines[0].split() == ["step", "proxy", "truth", "answer"]
    assert [line.split()[0] for line in lines[1:]] == ["base", "start", "RL"]
    assert shown == invoke(chat.app, prompt="name two fruits .", data=tmp_path, world=WORDS, cap=8)
    nowhere = {"prompt": "name two fruits .", "data": tmp_path, "world": tmp_path / "no.yaml"}
    with pytest.raises(InputError, match=r"no\.yaml: "):
        invoke(chat.app, **nowhere)
    # On the page: the same answers, and of the next draw others.
    shown_pages = []
    monkeypatch.setattr(chat, "show_page", lambda folder, port, load: shown_pages.append(load))
    words = ["--page", "--data", str(tmp_path), "--world", str(WORDS), "--cap", "8"]
    assert CliRunner().invoke(chat.app, words, catch_exceptions=False).exit_code == 0
    routes = shown_pages[0](Streams())
    client = TestClient(Starlette(routes=routes))
    assert client.post("/about", json={}).json()["models"] == ["base", "start", "RL"]
    said = client.post("/answers", json={"prompt": "name two fruits .", "draw": 0}).text
    found = [json.loads(line) for line in said.splitlines()]
    assert found[-1] == {"done": True}
    for line, each in zip(lines[1:], found[:-1], strict=True):
        assert line.startswith(each["model"])
        assert " ".join(each["cells"]) in " ".join(line.split())
        shown = re.sub(r"[\x00-\x1f\x7f]", "\ufffd", each["text"])  # signs for a terminal
        assert line.endswith(shown or "(empty)")
    asked = steps.asked_of("please name three trees .", read_world(WORDS))
    assert (asked.category, asked.n) == ("trees", 3)
