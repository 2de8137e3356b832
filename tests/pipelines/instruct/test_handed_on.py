"""Each option of a stage arrives where it acts, and two of a kind are not taken for each other."""

from collections import Counter
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import polars as pl
import pytest

from genlab.core.chosen import write_chosen
from genlab.core.tables import write_arrow, write_table
from genlab.sources.source import Origin, Source
from pipelines.instruct import mixed_rows, pretraining
from pipelines.instruct.encoded_prompts import SCHEMA, encode_prompts
from pipelines.instruct.mixed_rows import read_mixture
from pipelines.instruct.mixtures import Mixing, Mixture
from pipelines.instruct.pretraining import Pretraining
from pipelines.instruct.prompt_templates import read_templates
from pipelines.instruct.schemas import (
    ANSWER_SCHEMA,
    ITEM_SCHEMA,
    PAGE_SCHEMA,
    PROMPT_SCHEMA,
    SCORE_SCHEMA,
    TASK_SCHEMA,
)
from pipelines.instruct.span_corruption import Objective
from pipelines.instruct.stages import clean, fetch, generate, prompt, score, tokenize, train
from tests.handed_on import invoke, noted, run_until_there, stopped_at, taken_by_source
from tests.option_words import option_words
from tests.project_copy import ROOT
from tests.tiny_t5 import TEXTS, make_tokenizer

PIPELINE = ROOT / "pipelines/instruct"
WORLD = PIPELINE / "mini_world.yaml"


def each(name: str, values: list[str]) -> list[str]:
    """Return an option that is repeated, as a command line has it."""
    return [word for value in values for word in (f"--{name}", value)]


def test_every_option_of_the_tasks_arrives_at_its_source(tmp_path, monkeypatch):
    from pipelines.instruct import mini_tasks, task_files

    words = ["tasks", tmp_path / "out", tmp_path / "templates", "--metrics", tmp_path / "m"]
    words += option_words({"path": WORLD, "templates": PIPELINE / "templates"})
    words += option_words({"n_train": 31, "n_test": 32, "seed": 24})
    words += each("hub_sets", ["a@c0ffee", "b@c0ffee/x"])
    workers = {
        "mini": (mini_tasks, "make_tasks"),
        "hub": (task_files, "read_hub_sets"),
        "file": (task_files, "read_task_folder"),
    }
    found = taken_by_source(monkeypatch, fetch.app, words, workers)
    assert found["mini"][1:] == [31, 32, 24]
    assert found["hub"] == [["a@c0ffee", "b@c0ffee/x"]]
    *file, asked = found["file"]
    assert file == [WORLD, Counter()]
    own = read_templates(PIPELINE / "templates")["topic"]
    assert own and all(each.jinja in asked["topic"] for each in own)
    monkeypatch.undo()
    noted(monkeypatch, task_files, "read_task_folder", {"a": {}})
    divided = stopped_at(monkeypatch, task_files, "split_tasks")
    run_until_there(lambda: invoke(fetch.app, [*words, "--source", "file"]))
    assert list(divided[0].values()) == [{"a": {}}, 31, 32, 24]


def test_every_option_of_the_crawl_arrives_at_its_source(tmp_path, monkeypatch):
    from pipelines.instruct import mini_crawl, page_files

    words = ["crawl", tmp_path / "out", "--metrics", tmp_path / "m"]
    words += option_words({"path": WORLD, "n_pages": 33, "bad_share": 0.4, "seed": 25})
    words += ["--encoding", "koi8-r"]
    workers = {"mini": (mini_crawl, "make_crawl"), "file": (page_files, "read_pages")}
    found = taken_by_source(monkeypatch, fetch.app, words, workers)
    assert found["mini"][1:] == [33, 0.4, 25]
    assert found["file"] == [WORLD, 33, 25, "koi8-r", Counter()]


SIZES = {"vocab_size": 401, "d_model": 24, "num_layers": 3, "num_heads": 6, "epochs": 4}
SIZES |= {"batch_size": 5, "learning_rate": 0.0123, "embedding_learning_rate": 0.0456, "seed": 25}
PRETRAINING = {"objective": "mixed", "noise_density": 0.3, "mean_span": 2.5, "n_salient": 2}
PRETRAINING |= {"max_tokens": 12}


def test_every_option_of_the_base_arrives_at_its_source(tmp_path, monkeypatch):
    words = ["base", tmp_path / "tasks", tmp_path / "templates", tmp_path / "out"]
    origin = {"path": "pages", "world": WORLD, "hub_id": "some/t5", "revision": "c0ffee"}
    words += ["--metrics", tmp_path / "m", *option_words(origin | SIZES | PRETRAINING)]
    noted(monkeypatch, pretraining, "template_words", ["asked"])
    made = stopped_at(monkeypatch, pretraining, "make_base")
    run_until_there(lambda: invoke(fetch.app, [*words, "--source", "mini"]))
    assert (made[0]["pages_table"], made[0]["prompts"]) == (Path("pages"), ["asked"])
    assert asdict(made[0]["sizes"]) == SIZES
    assert asdict(made[0]["task"]) == PRETRAINING
    copied = stopped_at(monkeypatch, pretraining, "copy_base")
    run_until_there(lambda: invoke(fetch.app, [*words, "--source", "hub"]))
    given = Origin(Source.hub, Path("pages"), "some/t5", "c0ffee")
    assert copied == [{"origin": given, "output": tmp_path / "out"}]


def test_every_option_of_the_pretraining_acts_and_its_rates_are_not_swapped(monkeypatch):
    from genlab.mini import t5, training

    trained = stopped_at(monkeypatch, training, "train_mini")
    paired = noted(monkeypatch, pretraining, "make_pair")
    task = Pretraining(**PRETRAINING | {"objective": Objective.mixed})
    tokenizer = make_tokenizer()
    sizes = t5.Sizes(**SIZES)
    run_until_there(lambda: pretraining.pretrain(TEXTS, {"борщ"}, tokenizer, sizes, task))
    rates = [trained[0][name] for name in ("learning_rate", "embedding_learning_rate")]
    assert rates == [0.0123, 0.0456]
    assert len(next(trained[0]["batches"])["labels"]) == 5
    assert {pair["objective"] for pair in paired} == {Objective.mixed}
    assert {tuple(pair["corruption"]) for pair in paired} == {(0.3, 2.5, 2)}
    assert max(len(pair["ids"]) for pair in paired) == 12
    n_pieces = len(pretraining.cut_pages(TEXTS, tokenizer, 12))
    assert trained[0]["n_batches"] == 4 * -(-n_pieces // 5)


def test_the_rules_of_clean_arrive_with_the_bad_words(tmp_path, monkeypatch):
    pages = pl.DataFrame([("u", "text")], PAGE_SCHEMA, orient="row")
    write_table(tmp_path / "crawl", [pages], PAGE_SCHEMA)
    (tmp_path / "bad.txt").write_text("darn\n\nheck\n")
    notes = stopped_at(monkeypatch, clean, "clean_pages")
    words = [
        tmp_path / "crawl",
        tmp_path / "bad.txt",
        tmp_path / "out",
        "--metrics",
        tmp_path / "m",
    ]
    run_until_there(lambda: invoke(clean.app, [*words, "--rules", "datatrove"]))
    assert (notes[0]["rules"], notes[0]["bad_words"]) == ("datatrove", ["darn", "heck"])


LIMITS = {"max_chars": 3001, "max_field_chars": 302, "seconds": 3.5}


@pytest.mark.parametrize("with_reversed", [False, True])
def test_every_option_of_prompt_arrives(tmp_path, monkeypatch, with_reversed):
    rows = [
        (task, split, f"{task}-{split}-{number}", "{}")
        for task in ("size", "speed", "sentiment")
        for split in ("train", "test")
        for number in range(7)
    ]
    table = pl.DataFrame(rows, TASK_SCHEMA, orient="row")
    write_table(tmp_path / "tasks", [table], TASK_SCHEMA)
    made = noted(monkeypatch, prompt, "renderer", nullcontext("renderer"))
    chosen = noted(monkeypatch, prompt, "choose_templates")
    one = pl.DataFrame([("size", "train", *[None] * 10)], PROMPT_SCHEMA, orient="row")
    asked = noted(monkeypatch, prompt, "ask_all", one)
    words = [tmp_path / "tasks", PIPELINE / "templates", tmp_path / "out"]
    words += ["--metrics", tmp_path / "m", *each("tasks", ["size"])]
    words += each("held_out", ["sentiment"])
    options = {"n_templates": 2, "with_reversed": with_reversed, "n_test_trained": 3}
    options |= {"bad_templates": "stop", "seed": 26}
    invoke(prompt.app, [*words, *option_words(options | LIMITS)])
    assert asdict(made[0]["limits"]) == LIMITS and made[0]["seed"] == 26
    assert [
        (note["n_templates"], note["with_reversed"], note["is_held_out"]) for note in chosen
    ] == [
        (2, with_reversed, False),
        (2, with_reversed, True),
    ]
    heights = {(note["head"][0], note["head"][1]): note["rows"].height for note in asked}
    assert heights == {("size", "train"): 7, ("size", "test"): 3, ("sentiment", "test"): 7}
    kinds = Counter(note["head"][5] for note in asked if note["head"][:2] == ("size", "train"))
    assert (kinds["prefix"], kinds["prompt"]) == (1, 2)
    assert (kinds["reversed"] > 0) == with_reversed


def write_prompts(path: Path) -> Path:
    """Write two prompts of TEXTS that are longer than any limit here."""
    rows = [
        ("t", split, False, "p", 0, "prompt", "e", TEXTS[0], TEXTS[1], None, -1, -1)
        for split in ("train", "test")
    ]
    write_table(path, [pl.DataFrame(rows, PROMPT_SCHEMA, orient="row")], PROMPT_SCHEMA)
    return path


def test_the_limits_of_tokenize_arrive_and_are_not_swapped(tmp_path, monkeypatch):
    from genlab.models import loading

    prompts = write_prompts(tmp_path / "prompts")
    monkeypatch.setattr(loading, "load_tokenizer", lambda folder: make_tokenizer())
    limit = noted(monkeypatch, tokenize, "check_unknown")
    options = {"max_input_tokens": 13, "max_target_tokens": 9, "max_unknown_share": 0.97}
    words = [prompts, tmp_path, tmp_path / "out", "--metrics", tmp_path / "m"]
    invoke(tokenize.app, [*words, *option_words(options)])
    assert {note["max_unknown_share"] for note in limit} == {0.97}
    for split in ("train", "test"):
        [row] = pl.read_ipc_stream(tmp_path / f"out/{split}.arrow").to_dicts()
        assert (len(row["input_ids"]), len(row["labels"])) == (13, 9)


def test_choices_are_cut_as_targets_are(tmp_path):
    rows = pl.read_parquet(write_prompts(tmp_path / "prompts")).with_columns(
        choices=pl.lit([TEXTS[1], "зал"]), label=pl.lit(0, pl.Int64)
    )
    write_table(tmp_path / "prompts", [rows], PROMPT_SCHEMA)
    counts: Counter = Counter()
    [row] = encode_prompts(tmp_path / "prompts", "test", make_tokenizer(), (13, 9), counts)
    found = dict(zip(SCHEMA.names, row, strict=True))
    assert found["choice_ids"][0] == found["labels"] and len(found["labels"]) == 9
    assert (counts["inputs_cut"], counts["targets_cut"], counts["choices_cut"]) == (1, 1, 1)


MIXTURE = {"mixing": "temperature", "cap": 44, "temperature": 3.0, "divide_by_templates": True}
RECIPE = {"epochs": 2.0, "learning_rate": 0.0031, "lr_scheduler_type": "linear"}
RECIPE |= {"warmup_steps": 3, "weight_decay": 0.2, "batch_size": 7}
RECIPE |= {"gradient_accumulation_steps": 2, "early_stopping_patience": 4, "save_steps": 5}
RECIPE |= {"seed": 27}


def test_every_option_of_train_arrives_and_its_rates_are_not_swapped(tmp_path, monkeypatch):
    import torch

    from genlab.models import loading

    monkeypatch.setattr(loading, "load_tokenizer", lambda folder: make_tokenizer())
    monkeypatch.setattr(loading, "load_text_to_text_model", lambda folder: "model")
    monkeypatch.setattr(train, "resumable_folder", lambda *names: nullcontext(tmp_path))
    torch.manual_seed(0)
    data = {"train": "rows", "validation": "others"}
    drawn = noted(monkeypatch, train, "read_mixture", (data, {}))
    fitted = noted(monkeypatch, train, "check_rows_fit", True)
    rates = noted(monkeypatch, train, "joint_optimizer", "optimizer")
    trained = stopped_at(monkeypatch, train, "train_resumably")
    write_chosen(tmp_path / "choose", {"arms": {"main": True}})
    words = [tmp_path / "tokens", tmp_path / "base", tmp_path / "out", "--metrics", tmp_path / "m"]
    words += ["--curve", tmp_path / "c", "--chosen", tmp_path / "choose/arms/main.json"]
    options = {"ask": "prefix", "n_tokens": 555, "embedding_learning_rate": 0.0087}
    words += [*each("tasks", ["a", "b"]), *option_words(options | MIXTURE | RECIPE)]
    run_until_there(lambda: invoke(train.app, words))
    assert drawn[0] | {"mixture": asdict(drawn[0]["mixture"])} == {
        "tokens": tmp_path / "tokens",
        "tasks": ["a", "b"],
        "ask": "prefix",
        "mixture": MIXTURE,
        "n_tokens": 555,
        "seed": 27,
    }
    assert rates == [{"model": "model", "learning_rate": 0.0031, "embedding_learning_rate": 0.0087}]
    assert torch.initial_seed() == 27
    assert asdict(trained[0]["recipe"]) == RECIPE
    assert (trained[0]["data"], trained[0]["optimizer"]) == (data, "optimizer")
    assert [call["rows"] for call in fitted] == ["rows", "others"]


def test_the_two_rates_of_train_reach_the_matrices_and_the_rest(monkeypatch):
    from pipelines.instruct import joint_optimizer

    given = stopped_at(monkeypatch, joint_optimizer, "two_optimizers")
    run_until_there(lambda: joint_optimizer.joint_optimizer("model", 0.3, 0.7))
    assert given == [{"model": "model", "learning_rate": 0.3, "embedding_learning_rate": 0.7}]


def test_a_mixture_draws_by_its_rates_its_budget_and_its_seed(tmp_path, monkeypatch):
    empty = dict.fromkeys(SCHEMA.names)
    row = empty | {"input_ids": [5, 1], "labels": [6, 1], "held_out": False, "template": "p"}
    tasks = {"a": 3, "b": 6}
    for split in ("train", "test"):
        rows = [
            tuple((row | {"task": task, "ask": ask}).values())
            for task, n in tasks.items()
            for ask in ("prompt", "prefix")
            for _ in range(n)
        ]
        write_arrow(tmp_path / f"{split}.arrow", rows, SCHEMA)
    weighed = noted(monkeypatch, mixed_rows, "mixing_rates")
    drawn = noted(monkeypatch, mixed_rows, "draw_rows")
    mixture = Mixture(Mixing.proportional, 44, 3.0, True)
    data, rates = read_mixture(tmp_path, ["b", "a"], "prefix", mixture, 21, 28)
    assert weighed == [
        {"sizes": {"b": 6, "a": 3}, "n_templates": {"b": 1, "a": 1}, "mixture": mixture}
    ]
    assert rates == {"b": 2 / 3, "a": 1 / 3}
    assert drawn[0]["rows_of"] == {"b": list(range(12, 18)), "a": [3, 4, 5]}
    assert (drawn[0]["rates"], drawn[0]["n_tokens"], drawn[0]["seed"]) == (rates, 21, 28)
    assert len(data["train"]) == 6  # of four tokens each


DECODING = {"cap": 21, "temperature": 0.7, "top_k": 22, "top_p": 0.83, "num_beams": 3}
DECODING |= {"repetition_penalty": 1.9, "seed": 23}


def test_every_option_of_generate_arrives(tmp_path, monkeypatch):
    from genlab.models import loading

    for arm in ("main", "other", "left_out"):
        (tmp_path / f"trained/{arm}").mkdir(parents=True)
        (tmp_path / f"trained/{arm}/config.json").touch()
    monkeypatch.setattr(loading, "load_for_inference", lambda folder, load: (folder.name, folder))
    write_arrow(tmp_path / "test.arrow", [], SCHEMA)
    noted(monkeypatch, generate, "with_gaps", pl.DataFrame())
    names = [name for name in ANSWER_SCHEMA.names() if name != "arm"]
    answered = pl.DataFrame(schema={name: ANSWER_SCHEMA[name] for name in names})
    notes = noted(monkeypatch, generate, "answer_prompts", answered)
    words = [tmp_path, tmp_path / "base", tmp_path / "trained", tmp_path / "out"]
    words += ["--metrics", tmp_path / "m", *each("arms", ["other", "main"])]
    invoke(generate.app, [*words, *option_words(DECODING | {"batch_size": 9})])
    assert [note["tokenizer"] for note in notes] == ["base", "other", "main"]
    for note in notes:
        assert asdict(note["decoding"]) == DECODING | {"ignore_eos": False}
        assert note["batch_size"] == 9


@pytest.mark.parametrize("normalisation", ["sum", "mean"])
def test_every_option_of_score_arrives(tmp_path, monkeypatch, normalisation):
    answers = pl.DataFrame({"arm": ["main", "other"]})
    monkeypatch.setattr(score, "read_table", lambda path: answers)
    items = pl.DataFrame(schema=ITEM_SCHEMA)
    judged = noted(monkeypatch, score.measures, "judge", items)
    summed = noted(monkeypatch, score.measures, "summarize", {"in_words": {}})
    both = pl.DataFrame({"arm": ["main", "other"]}).with_columns(
        pl.lit(None, kind).alias(name) for name, kind in SCORE_SCHEMA.items() if name != "arm"
    )
    noted(monkeypatch, score.measures, "claim_rows", both.select(SCORE_SCHEMA.names()))
    facts = noted(monkeypatch, score.measures, "closed_book", [])
    noted(monkeypatch, score.measures, "table_of", "")
    outputs = ["arms_output", "items_output", "metrics", "details", "tasks", "closed_book"]
    words = [tmp_path / "answers", tmp_path / "out"]
    words += option_words({name: tmp_path / name for name in outputs})
    options = {"arm": "other", "normalisation": normalisation, "seed": 29}
    invoke(score.app, words + option_words(options))
    assert judged[0]["normalisation"] == normalisation
    assert (summed[0]["seed"], facts[0]["seed"]) == (29, 29)
    assert pl.read_parquet(tmp_path / "out")["arm"].to_list() == ["other"]
    assert pl.read_parquet(tmp_path / "arms_output")["arm"].to_list() == ["main", "other"]
