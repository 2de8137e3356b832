"""Every mistake in params.yaml that can be known: one line naming the key, before any work.

tests/whole/test_end_to_end.py has how DVC stops at it.
"""

import re
from pathlib import Path

import pytest
import yaml

from genlab.core.checks import made_by_a_stage
from genlab.core.pipeline import Stage, load_stages
from genlab.core.program import InputError
from tests.checked_pipeline import be_in_pipeline, message, run_check
from tests.project_copy import ROOT, change_params, commit, environment, start_git


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Return a folder with the flagship's files, and be in it."""
    return be_in_pipeline(tmp_path, monkeypatch, ROOT, "genlab/mini/topics.yaml")


def test_the_committed_params_pass(folder, capsys):
    assert run_check() == 0
    assert Path("data/check.txt").read_text() == "ok\n"
    assert capsys.readouterr().err == ""
    assert sorted(path.name for path in Path("data").iterdir()) == ["check.txt"]  # no probe is left


@pytest.mark.parametrize(
    "changes",
    [
        {"gen.max_len": 50},
        {"gen.max_len": 300},
        {"gen.num_beams": 4, "gen.max_len": 300},
        {"corpus.source": "hub", "base.source": "hub", "rankers.labse.source": "hub"},
        {"corpus.source": "file", "corpus.path": "genlab"},
        {"corpus.source": "hub", "corpus.path": "none", "rankers.use.source": "hub"}
        | {"rankers.use.path": "none"},
        {"tokenize.packed": True, "tokenize.body_loss": False},
        {"train.method": "lora", "train.learning_rate": 1e-5},
        {"score.rankers": ["use"]},
        {"rankers.bm25.source": "file"},  # reads data/dedup.parquet, which a stage will write
        {"base.source": "mini"},
        {"base.source": "mini", "base.n_passages": 9, "base.seed": 3},
        {"base.source": "bundled"},
        {"base.hub_id": 'it\'s in $HOME; or "not"'},
        {"launch.train": "python -m accelerate.commands.launch --num_processes 2"},
    ],
    ids=str,
)
def test_what_can_run_passes(folder, changes):
    change_params(folder, changes)
    assert run_check() == 0


def test_a_new_ranker_is_an_entry_and_its_name_in_one_list(folder):
    """What the stages make of any name is in tests/ranking/test_summary.py and test_probe.py."""
    params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    named = {"score.rankers": [*params["score"]["rankers"], "other"]}
    change_params(folder, {"rankers.other": params["rankers"]["bm25"]} | named)
    assert run_check() == 0
    stages = {stage.name: stage for stage in load_stages(Path("dvc.yaml"))}
    assert {"fetch_ranker@other", "score_candidates@other"} <= set(stages)
    assert "--rankers other" in stages["score"].command
    entries = yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"]
    for name in ("lengths", "probe"):
        assert "--rankers as_score" in stages[name].command
        assert entries[name]["params"] == ["score.rankers"]  # so DVC runs it again


def test_lengths_may_name_rankers_of_its_own(folder, capsys):
    change_params(folder, {"lengths.rankers": ["use"]})
    assert run_check() == 0
    Path("data/check.txt").unlink()
    change_params(folder, {"score.rankers": ["as_score"]})
    assert "score.rankers: as_score is none of the rankers" in message(capsys)


def test_no_plot_or_template_names_a_ranker():
    rankers = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))["rankers"]
    plots = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["plots"]
    texts = [path.read_text(encoding="utf-8") for path in sorted((ROOT / ".dvc/plots").iterdir())]
    assert len(texts) > 5
    for text in (yaml.safe_dump(plots), *texts):
        assert not set(rankers) & set(re.findall(r"\w+", text))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # misspelt, missing, unknown
        (
            {"clean.min_query_words": ..., "clean.min_query_word": 1},
            "clean.min_query_word: stage clean has no such option; did you mean min_query_words?",
        ),
        (
            {"train.lora.r": ..., "train.lora.rr": 8},
            "train.lora.rr: stage train has no such option; did you mean lora.r?",
        ),
        ({"gen.max_length": 50}, "gen.max_length is used by no stage; did you mean gen.max_len?"),
        ({"extra.value": 1}, "extra.value is used by no stage"),
        ({"clean.min_query_words": ...}, "clean.min_query_words is missing; stage clean needs it"),
        (
            {"rankers.use.dim": ...},
            "rankers.use.dim is missing; stage fetch_ranker@use needs it",
        ),
        (
            {"rankers.mine": {"kind": "bm25", "source": "mini", "path": "data/dedup.parquet"}},
            "rankers.mine: hub_id, revision, max_queries, dim, epochs, seed are missing; stage "
            "fetch_ranker@mine needs them",
        ),
        (
            {"train.epochs": ..., "train.lora.r": ...},
            "train: epochs, lora.r are missing; stage train needs them",
        ),
        ({"gen.cap": ...}, "gen.cap is missing; stage generate needs it"),
        ({"corpus": ...}, "corpus is missing; stage fetch_corpus needs it"),
        ({"rankers": ...}, "rankers is missing; stage fetch_ranker needs it"),
        ({"rankers.use.path": ...}, "rankers.use.path is missing; stage fetch_ranker@use needs it"),
        (
            {"rankers.use.kind": ..., "rankers.use.knid": "bm25"},
            "rankers.use.knid: stage fetch_ranker@use has no such option; did you mean kind?",
        ),
        ({"rankers.use": 5}, "rankers.use=5: must be a group of keys, not a value"),
        ({"train.lora": ..., "train.lroa": {"r": 8}}, "train.lroa.r: stage train has no such"),
        ({"tokenise": {"packed": False}, "tokenize": ...}, "did you mean tokenize?"),
        # of the wrong type
        ({"gen.max_len": 50.5}, "gen.max_len=50.5: should be a valid integer"),
        ({"gen.max_len": True}, "gen.max_len=true: must be a number"),
        ({"gen.max_len": "fifty"}, "gen.max_len=fifty: should be a valid integer"),
        ({"gen.max_len": [50, 150]}, "gen.max_len=[50, 150]: must be one value"),
        ({"gen.max_len": None}, "gen.max_len is empty; give a value"),
        ({"score.rankers": []}, "score.rankers is empty; give a value"),
        ({"train.learning_rate": "1e-x"}, "train.learning_rate=1e-x: should be a valid number"),
        ({"clean.strip_markup": "yes"}, "clean.strip_markup=yes: must be true or false"),
        ({"score.legacy": 0}, "score.legacy=0: must be true or false"),
        ({"score.legacy": "-x"}, "score.legacy=-x: must be true or false"),
        ({"score.legacy": "--help"}, "score.legacy=--help: must be true or false"),
        ({"train.lora": 8}, "train.lora: stage train has no such option; did you mean lora.r?"),
        ({"dedup": 5}, "dedup=5: must be a group of keys, not a value"),
        ({"dedup": None}, "dedup is empty; give a value"),
        ({"score.rankers": {"first": "use"}}, "score.rankers.first: stage score has no such"),
        # out of range
        ({"gen.max_len": -5}, "gen.max_len=-5: should be greater than or equal to 1"),
        ({"gen.max_len": 0}, "gen.max_len=0: should be greater than or equal to 1"),
        ({"gen.top_p": 1.5}, "gen.top_p=1.5: should be less than or equal to 1"),
        ({"train.lora.r": 0}, "train.lora.r=0: should be greater than or equal to 1"),
        ({"rankers.labse.dim": 0}, "rankers.labse.dim=0: should be greater than or equal to 1"),
        ({"score.batch_size": 0}, "score.batch_size=0: should be greater than or equal to 1"),
        ({"train.learning_rate": float("inf")}, "train.learning_rate=inf: must be a finite number"),
        ({"train.learning_rate": 1.5}, "train.learning_rate=1.5 is too large; at most 1"),
        ({"base.embedding_learning_rate": 2}, "base.embedding_learning_rate=2.0 is too large"),
        ({"gen.batch_size": 10_001}, "gen.batch_size=10001 is too large; at most 10000"),
        ({"train.batch_size": 10**5}, "train.batch_size=100000 is too large; at most 10000"),
        ({"gen.num_beams": 1001}, "gen.num_beams=1001 is too large; at most 1000"),
        ({"train.lora.r": 10**5}, "train.lora.r=100000 is too large; at most 10000"),
        ({"gen.cap": 2**31}, "gen.cap=2147483648 is too large; at most 10000000"),
        ({"train.lora.alpha": 10**12}, "train.lora.alpha=1000000000000 is too large; at most"),
        ({"train.weight_decay": 1e12}, "train.weight_decay=1000000000000.0 is too large; at most"),
        ({"train.save_steps": 10**12}, "train.save_steps=1000000000000 is too large; at most"),
        ({"rankers.labse.dim": 10**12}, "rankers.labse.dim=1000000000000 is too large; at most"),
        ({"base.source": "mini", "base.n_embd": 192 * 10**9}, "base.n_embd=192000000000 is too"),
        ({"base.source": "mini", "base.n_layer": 10**9}, "base.n_layer=1000000000 is too large"),
        ({"base.source": "mini", "base.vocab_size": 10**9}, "base.vocab_size=1000000000 is too"),
        ({"base.source": "mini", "base.n_positions": 10**9}, "base.n_positions=1000000000 is too"),
        ({"base.source": "mini", "base.n_passages": 10**9}, "base.n_passages=1000000000 is too"),
        ({"corpus.n_train": 10**12}, "corpus.n_train=1000000000000 is too large; at most"),
        (
            {"train.lora.target_modules": "-x"},
            "train.lora.target_modules=-x: '-x' names no module; give all-linear, or names like",
        ),
        ({"train.lora.target_modules": 0.5}, "train.lora.target_modules=0.5: '0.5' names no mod"),
        # of a list given as one value by its option, the last counted, and the others did not
        (
            {"train.lora.target_modules": ["q", "v"]},
            "train.lora.target_modules=['q', 'v']: must be one value, no list",
        ),
        ({"train.seed": [17, 18]}, "train.seed=[17, 18]: must be one value, no list"),
        ({"score.rankers": "labse"}, "score.rankers=labse: must be a list; write [labse]"),
        ({"probe.repeats": 4}, "probe.repeats=4: must be a list; write [4]"),
        ({"train.lora.target_modules": "q,,v"}, "train.lora.target_modules=q,,v: '' names no mod"),
        ({"gen.model": "tund"}, "gen.model=tund: 'tund' is not one of 'tuned', 'base'"),
        (
            {"rankers.use.kind": "bm-25"},
            "rankers.use.kind=bm-25: 'bm-25' is not one of 'sentence_transformer', "
            "'tensorflow_hub', 'bm25', 'cross_encoder'",
        ),
        (
            {"corpus.encoding": "utf_9"},
            "'utf-16', 'utf-16-le'",  # what has hyphens keeps them
        ),
        ({"corpus.source": "web"}, "corpus.source=web: 'web' is not one of 'mini', 'hub', 'file'"),
        (
            {"base.source": "hub", "base.revision": "main"},
            "base.revision=main: not a commit; give one of openai-community/gpt2 (40 hex digits",
        ),
        ({"corpus.format": "xml"}, "corpus.format=xml: 'xml' is not one of 'auto', 'hub'"),
        # values that clash
        (
            {"gen.max_len": 301},
            "gen.max_len=301 is more than the gen.cap=300 new tokens that are generated; raise",
        ),
        (
            {"gen.num_beams": 4},
            "gen.num_beams=4 needs gen.max_len=150 equal to gen.cap=300",
        ),
        ({"tokenize.packed": True}, "tokenize.body_loss=true needs tokenize.packed=false"),
        (
            {"clean.min_query_words": 70},
            "clean.min_query_words (70) is above clean.max_query_words",
        ),
        (
            {"base.source": "mini", "base.n_head": 5},
            "base.n_embd=192 must be a multiple of base.n_head=5",
        ),
        (
            {"base.source": "bundled", "base.n_layer": 3},
            "base.n_layer=3 changes nothing while base.source=bundled takes a model that is made "
            "already (with 2); add base.source=mini",
        ),
        (
            {"base.source": "bundled", "base.n_passages": 9},
            "base.n_passages=9 changes nothing while base.source=bundled",
        ),
        (
            {"base.source": "bundled", "base.path": "genlab"},
            "base.path=genlab: no bundled model (no receipt.json is in it); give "
            "base.path=minis/base, or base.source=file for a model of your own",
        ),
        (
            {"base.source": "mini", "base.path": "genlab/mini/topics.yaml"},
            "base.path=genlab/mini/topics.yaml is not read while base.source=mini; what the model "
            "is made from is base.made_from",
        ),
        (
            {"base.source": "mini", "base.made_from": "nowhere.yaml"},
            "base.made_from=nowhere.yaml: no such file",
        ),
        (
            {"corpus.source": "bundled"},
            "corpus.source=bundled: 'bundled' is not one of 'mini', 'hub', 'file'",
        ),
        ({"gen.cap": 600}, "gen.cap=600 new tokens and a prompt exceed base.n_positions=512"),
        (
            {"gen.temperature": 1e-300},
            "gen.temperature=1e-300: must be 0 (greedy), or at least 0.001",
        ),
        (
            {"score.rankers": ["labse", "bert"]},
            "score.rankers: bert is none of the rankers in params.yaml (bm25, labse, use)",
        ),
        ({"score.rankers": ["use", "use"]}, "score.rankers: use is named twice"),
        ({"probe.repeats": [1, 9 * 10**18]}, "probe.repeats=[1, 9000000000000000000]: "),
        ({"gen.n_samples": 9 * 10**18}, "gen.n_samples=9000000000000000000: "),
        ({"tokenize.block_size": 9 * 10**18}, "tokenize.block_size=9000000000000000000: "),
        ({"dedup.shingle_chars": 101}, "dedup.shingle_chars=101: "),
        ({"dedup.num_perm": 4097}, "dedup.num_perm=4097: "),
        ({"leakage.num_perm": 2 * 10**9}, "leakage.num_perm=2000000000: "),
        ({"train.epochs": 10_001}, "train.epochs=10001: "),
        ({"probe.repeats": [1, 1]}, "probe.repeats has 1 twice; give each number once"),
        ({"probe.cut_tokens": [5, 9, 5]}, "probe.cut_tokens has 5 twice"),
        (
            {"launch.train": "acelerate launch --num_processes 2"},
            "launch.train=acelerate launch --num_processes 2: no such program; give python, or",
        ),
        ({"launch.train": "true"}, "launch.train=true: starts no stage; give python, or acc"),
        ({"launch.train": "python -c"}, "launch.train=python -c: starts no stage; give python"),
        (
            {"launch.generate": "python -m torch.distributed.run", "gen.max_len": 0},
            "gen.max_len=0: should be greater than or equal to 1",
        ),
        # paths
        (
            {"corpus.source": "file", "corpus.path": "my/corpus.json"},
            "corpus.path=my/corpus.json: no such file or folder",
        ),
        (
            {"corpus.source": "file", "corpus.path": "~/corpus.json"},
            "corpus.path=~/corpus.json: no such file or folder (~ and $ are not expanded; write",
        ),
        (
            {"rankers.use.source": "file", "rankers.use.path": "my/model"},
            "rankers.use.path=my/model: no such file or folder",
        ),
        (
            {"corpus.path": "none"},
            "corpus.path=none, but corpus.source=mini reads a file or folder; name it",
        ),
        ({"rankers.bm25.path": "none"}, "rankers.bm25.path=none, but rankers.bm25.source=mini"),
        (
            {"corpus.path": ".dvc/config"},
            "corpus.path=.dvc/config: corpus.source is mini, which makes it here of the words in "
            "a YAML file; for a file of your own set corpus.source=file",
        ),
        ({"base.tokenizer_path": "my/tok"}, "base.tokenizer_path=my/tok: no such folder"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_a_mistake_is_one_line_that_names_its_key(folder, capsys, changes, expected):
    change_params(folder, changes)
    assert expected in message(capsys)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"score.max_len": 7},
            "score.max_len: stage score has this option already, by --max_len ${gen.max_len} in "
            "dvc.yaml; leave score.max_len out",
        ),
        (
            {"score.metrics": "x.json"},
            "score.metrics: stage score has this option already, by --metrics metrics/score.json",
        ),
        (
            {"corpus.manifest": "x.json"},
            "corpus.manifest: stage fetch_corpus has this option already, by --manifest",
        ),
        (
            {"clean.no_strip_markup": True},
            "clean.no_strip_markup: no parameter; write clean.strip_markup=false",
        ),
        (
            {"clean.no_strip_markup": False},
            "clean.no_strip_markup: no parameter; write clean.strip_markup=false",
        ),
        (
            {"clean.no_strip_markup": True, "clean.strip_markup": ...},
            "clean.no_strip_markup: no parameter; write clean.strip_markup=false",
        ),
        ({"clean.help": True}, "clean.help: no parameter of stage clean; leave it out"),
        ({"clean.help": "x"}, "clean.help: no parameter of stage clean; leave it out"),
        (
            {"rankers.use.metrics": "x.json"},
            "rankers.use.metrics: stage fetch_ranker@use has this option already, by --metrics",
        ),
    ],
    ids=str,
)
def test_a_group_replaces_no_option_that_dvc_yaml_gives(folder, capsys, changes, expected):
    change_params(folder, changes)
    assert expected in message(capsys)


def test_a_command_line_that_ends_its_program_before_any_work_is_refused(folder, capsys):
    pipeline = Path("dvc.yaml")
    text = pipeline.read_text(encoding="utf-8")
    pipeline.write_text(text.replace("${clean}", "${clean} --help"), encoding="utf-8")
    assert run_check() == 1
    assert "error: stage clean: its command line ends the program" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gen: [1", "params.yaml"),
        ("gen:\n\tcap: 3", "params.yaml"),
        ("gen:\n  cap: 3\n  cap: 4", "line 3: cap occurs twice"),
        ("", "corpus is missing; stage fetch_corpus needs it"),
        ("- a list", "params.yaml"),
    ],
    ids=repr,
)
def test_a_params_file_that_is_no_mapping_is_one_line_too(folder, capsys, text, expected):
    Path("params.yaml").write_text(text)
    assert expected in message(capsys)


@pytest.mark.parametrize(
    ("machine", "flags", "passes"),
    [
        ("x86_64", "fpu sse4_2 avx avx2", True),
        ("x86_64", "fpu sse4_2 avx", False),
        ("x86_64", "", True),  # the system does not say
        ("aarch64", "fp asimd", True),
    ],
)
def test_a_processor_whose_packages_would_crash_is_named(
    folder, monkeypatch, capsys, machine, flags, passes
):
    monkeypatch.setattr("platform.machine", lambda: machine)
    Path("cpuinfo").write_text(f"flags : {flags}\n" if flags else "")
    monkeypatch.setattr("genlab.core.processor.CPUINFO", "cpuinfo")
    assert (run_check() == 0) is passes
    assert ("lacks AVX2" in capsys.readouterr().err) is not passes


def test_a_missing_params_file_is_one_line_too(folder, capsys):
    Path("params.yaml").unlink()
    assert "params.yaml is missing" in message(capsys)


def test_what_a_changed_value_broke_is_told_with_the_way_back_and_a_committed_one_without(
    folder, monkeypatch, capsys
):
    for name, value in environment(folder).items():
        monkeypatch.setenv(name, value)
    start_git(folder)
    change_params(folder, {"gen.max_len": "fifty"})
    broken = "gen.max_len=fifty: should be a valid integer"
    told = message(capsys)
    assert told.startswith(broken)
    assert told.endswith(
        "(params.yaml keeps what was changed: put it right there, or `python -m genlab back` "
        "returns to the committed run)"
    )
    commit(folder)
    told = message(capsys)
    assert told.startswith(broken) and "back" not in told


@pytest.mark.parametrize(
    ("text", "expected"), [("", "dvc.yaml: it is empty"), ("[", "dvc.yaml: not readable as YAML")]
)
def test_a_broken_pipeline_is_named_and_not_called_one_that_uses_no_key(
    folder, capsys, text, expected
):
    Path("dvc.yaml").write_text(text)
    assert message(capsys).startswith(expected)


def test_what_dvc_stumbles_over_in_its_file_is_one_line(folder, capsys):
    pipeline = Path("dvc.yaml")
    pipeline.write_text(
        pipeline.read_text().replace("- params.yaml:\n", "- params.yaml: .inf\n", 1)
    )
    assert message(capsys).startswith("dvc.yaml: DVC cannot read it (Expected list of params")


def test_an_input_that_no_stage_makes_any_more_is_named_where_its_maker_is_asked_for():
    stage = Stage("rl", "", "", frozenset(), frozenset({"data/reward"}))
    with pytest.raises(InputError) as error, made_by_a_stage(stage):
        {}["data/reward"]
    assert str(error.value) == (
        "dvc.yaml: stage rl reads data/reward, which is no stage's output; list it among the outs "
        "of the stage that makes it"
    )
    with pytest.raises(KeyError, match="other"), made_by_a_stage(stage):
        {}["other"]  # a fault of ours


@pytest.mark.parametrize("name", ["data", "metrics", ".scratch"])
def test_a_file_where_a_folder_must_be_is_named(folder, capsys, name):
    Path(name).write_text("in the way")
    assert message(capsys) == (
        f"{name}: cannot be written (File exists); this must be a folder that stages can write to"
    )


def test_what_is_called_none_is_there_for_dvc():
    for pipeline in (ROOT, *(path.parent for path in ROOT.glob("pipelines/*/dvc.yaml"))):
        if ".path}" in (pipeline / "dvc.yaml").read_text(encoding="utf-8"):
            assert (pipeline / "none").is_file()


def test_an_option_of_dvc_yaml_that_no_key_fills_is_named_with_its_stage(folder, capsys):
    pipeline = Path("dvc.yaml")
    pipeline.write_text(pipeline.read_text().replace("--metrics metrics/train.json ", ""))
    assert message(capsys) == "train.metrics is missing; stage train needs it"


def test_a_base_in_a_folder_that_is_too_short_for_the_texts_is_told_before_training(folder, capsys):
    Path("short").mkdir()
    Path("short/config.json").write_text('{"model_type": "gpt2", "n_positions": 16}')
    change_params(folder, {"base.source": "file", "base.path": "short"})
    assert "gen.cap=300 new tokens and a prompt exceed the 16 positions" in message(capsys)
