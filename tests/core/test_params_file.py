"""Any value of params.yaml arrives as it is written, or is refused by its key."""

import re
import shutil
import time
from pathlib import Path

import pytest
import typer
import yaml

from genlab.core.checks import check_params
from genlab.core.command_lines import parse
from genlab.core.params_file import check_params_file, read_params
from genlab.core.pipeline import PIPELINE, load_stages, read_entries
from genlab.core.program import InputError
from genlab.core.yaml_text import load_yaml
from genlab.experiments.revisions import parse_params
from tests.checked_pipeline import be_in_pipeline, message, run_check
from tests.project_copy import ROOT, change_params, dvc

PIPELINES = [ROOT, *sorted(path.parent for path in ROOT.glob("pipelines/*/dvc.yaml"))]

# What a shell, YAML, DVC or Typer may take apart.
ODD = [
    "it's",
    'say "so"',
    "$HOME `id` $(id)",
    "${gen.seed}",
    "a;b|c&d>e<f",
    " blanks  inside and around ",
    "--metrics",
    "-x",
    "*?[a]~",
    "#no comment",
    "no",
    "2024-01-04",
    "C:\\new\\",
    "tab\there",
    "ё 你 😀",
    "!important",
    "%s {x} {{y}}",
    "=",
    "'",
]


@pytest.fixture(params=PIPELINES, ids=lambda path: path.name)
def pipeline(request, tmp_path, monkeypatch) -> Path:
    """Return a folder with a pipeline's params.yaml and dvc.yaml, and be in it."""
    return be_in_pipeline(tmp_path, monkeypatch, request.param)


@pytest.fixture
def flagship(tmp_path, monkeypatch) -> Path:
    return be_in_pipeline(tmp_path, monkeypatch, ROOT, "genlab/mini/topics.yaml")


def free_texts(stages: list, params) -> set[str]:
    """Return the keys whose values may be any text: no choice, no path, no rule of their own."""
    keys = set()
    for stage in stages:
        module, words = stage.command.partition(" -m ")[2].split()[:2]
        if module == "genlab":
            continue
        app = typer.main.get_command(__import__(module, fromlist=["app"]).app)
        command = app.commands[words] if hasattr(app, "commands") else app
        for option in command.params:
            plain = option.type_descriptor.annotation is str
            own_rule = plain and option.type_descriptor.parameter_info.callback
            key = stage.keys.get(option.opts[0].strip("-").replace("-", "_"))
            if (
                plain
                and not own_rule
                and key
                and not re.search(rf"--\S+ \$\{{{key}", stage.template)
            ):
                keys.add(key)
    return keys


def test_odd_texts_arrive_as_they_are_written(pipeline):
    """Through DVC's own resolution and each program's own parser."""
    params = check_params(PIPELINE, read_entries(PIPELINE))
    keys = sorted(free_texts(load_stages(PIPELINE), params))
    assert len(keys) > 5
    for shift in range(0, len(ODD), 7):
        given = {key: ODD[(i + shift) % len(ODD)] for i, key in enumerate(keys)}
        change_params(pipeline, given)
        params = check_params(PIPELINE, read_entries(PIPELINE))
        arrived = set()
        for stage in load_stages(PIPELINE):
            options, _ = parse(stage, params)
            for option, value in options.items():
                key = stage.keys.get(option) or stage.keys.get(f"lora.{option}")
                if key in given:
                    assert value == given[key], key
                    arrived.add(key)
        assert arrived == set(keys)


@pytest.mark.parametrize("key", ["gen.model", "gen.dtype", "launch.train", "corpus.hub_id"])
@pytest.mark.parametrize("odd", ["it's", "float32 --cap 3", "$(id)", "a\nb", "a\x00b", "\u2028"])
def test_what_no_command_line_can_carry_is_refused_by_its_key(flagship, capsys, key, odd):
    change_params(flagship, {key: odd})
    if key == "corpus.hub_id" and odd.isprintable():
        assert run_check() == 0
    else:
        assert message(capsys).startswith(f"{key}=")


@pytest.mark.parametrize(
    ("key", "written", "expected"),
    [
        ("corpus.revision", "2024-01-04", "corpus.revision=2024-01-04 is a date to YAML; put quo"),
        ("corpus.revision", "2024-01-04 10:00:00", "corpus.revision=2024-01-04 10:00:00 is a date"),
        (
            "corpus.revision",
            "1e5",
            "corpus.revision=1e5 is the number 100000.0 to YAML; put quotes",
        ),
        ("corpus.revision", "0123", "corpus.revision=0123 is the number 123 to YAML"),
        ("corpus.revision", "1.10", "corpus.revision=1.10 is the number 1.1 to YAML"),
        ("corpus.revision", "true", "corpus.revision=true is true or false to YAML; put quotes"),
        ("corpus.hub_id", "true", "corpus.hub_id=true is true or false to YAML"),
        ("corpus.revision", "~", "corpus.revision is empty"),
        ("corpus.revision", "!!binary aGVsbG8=", "is a bytes to YAML"),
        ("corpus.revision", "!!set {a, b}", "corpus.revision={"),
        ("corpus.revision", r'"\ud800"', "params.yaml is not readable as YAML"),
        ("corpus.revision", r'"x\\${y}"', "corpus.revision=x\\${y}: DVC would"),
        ("corpus.path", "2024-01-04", "corpus.path=2024-01-04 is a date"),
        ("corpus.path", "5", "corpus.path=5: must be a file or folder on this machine"),
        ("corpus.path", '""', "corpus.path=: must be a file or folder"),
        ("corpus.path", "s3://bucket/x", "corpus.path=s3://bucket/x: must be a file or folder"),
        ("corpus.seed", str(2**70), f"corpus.seed={2**70} is too large"),
        ("corpus.seed", "true", "corpus.seed=true: must be a number"),
        ("corpus.seed", str(2**32), f"corpus.seed={2**32} is too large; at most {2**31 - 1}"),
        ("gen.batch_size", "0x1F", "gen.batch_size=0x1F: write the number in digits"),
        ("gen.batch_size", "+5", "gen.batch_size=+5: write the number in digits"),
        ("gen.batch_size", "'+5'", "gen.batch_size=+5: write the number in digits"),
        ("gen.temperature", "0o17", "gen.temperature=0o17: write the number in digits"),
        ("probe.repeats", "[1, 1_0]", "probe.repeats.1=1_0: write the number in digits"),
        ("gen.batch_size", "1e5", "gen.batch_size=100000 is too large; at most 10000"),
        ("score.rankers", "[labse, true]", "score.rankers.1=true is true or false"),
        ("score.rankers", "[labse, 2024-01-04]", "score.rankers.1=2024-01-04 is a date"),
        ("probe.repeats", "[1, [2]]", "probe.repeats=[1, [2]]: must be a list of single values"),
        ("launch.train", '"python -c \'x"', "launch.train=python -c 'x: must be plain words"),
        ("launch.train", "true", "launch.train=True: must be plain words"),
        ("launch.train", '"python; rm x"', "launch.train=python; rm x: must be plain words"),
        ("corpus", "[&a [*a]]", "an alias stands in itself"),
    ],
)
def test_what_yaml_makes_of_a_value_is_said(flagship, capsys, key, written, expected):
    change_params(flagship, {key: "@@"})
    path = Path("params.yaml")
    path.write_text(path.read_text().replace("'@@'", written))
    assert expected in message(capsys)


# ---- names


@pytest.mark.parametrize(
    "name",
    ["../../../tests", "a/b", ".", "..", "", "a.b", "a b", "-x", "é", "x" * 65, "no", "null", "1"],
)
def test_a_key_that_is_no_name_is_refused(name):
    params = read_params(yaml.safe_dump({"rankers": {name: {"kind": "bm25"}}}))
    with pytest.raises(InputError, match="cannot be a key; a name begins with a letter"):
        check_params_file(params)


def test_a_name_that_would_mean_a_group_in_a_list_of_names_is_refused():
    params = read_params(yaml.safe_dump({"rankers": {"as_score": {"kind": "bm25"}}}))
    with pytest.raises(InputError, match=r"^params.yaml: rankers.as_score cannot be a key: \[as_"):
        check_params_file(params)


def test_a_key_that_is_no_text_is_refused():
    for key in ("1", "null", "true", "1.5", "2024-01-04"):
        with pytest.raises(InputError, match="cannot be a key"):
            check_params_file(read_params(f"rankers:\n  {key}: x"))


@pytest.mark.parametrize("other", ["USE", "Use", "us-e", "uS_e"])
def test_names_that_files_do_not_tell_apart_are_refused(other):
    first = "us_e" if len(other) > 3 else "use"
    with pytest.raises(InputError, match=f"rankers.{other} and rankers.{first} differ in case"):
        check_params_file(read_params(f"rankers: {{{first}: x, {other}: x}}"))


def test_a_ranker_named_like_another_stages_file_is_refused(flagship, capsys):
    bm25 = yaml.safe_load(Path("params.yaml").read_text())["rankers"]["bm25"]
    change_params(flagship, {"rankers.Base": bm25})
    assert "fetch_base and fetch_ranker@Base would both write metrics/fetch/" in message(capsys)


def test_dvc_deletes_nothing_for_a_ranker_called_like_a_path(flagship, capsys):
    """DVC removes what a stage writes before it runs it: the check comes first."""
    (flagship / "tests").mkdir()
    (flagship / "tests/kept.py").write_text("kept")
    for name in ("genlab", "stages"):
        ignored = shutil.ignore_patterns("skeleton", "__pycache__")
        shutil.copytree(ROOT / name, flagship / name, dirs_exist_ok=True, ignore=ignored)
    bm25 = yaml.safe_load(Path("params.yaml").read_text())["rankers"]["bm25"]
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["rankers"]["../../../tests"] = bm25
    Path("params.yaml").write_text(yaml.safe_dump(params))
    result = dvc(flagship, "repro")
    assert result.returncode != 0
    # DVC may see first that two stages would write to one path; our own words come with `check`.
    assert "../../../tests" in result.stdout
    assert "'../../../tests' in rankers cannot be a key" in message(capsys)
    assert (flagship / "tests/kept.py").read_text() == "kept"


# ---- YAML without an end


def test_a_yaml_bomb_ends_quickly(flagship, capsys):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    Path("params.yaml").write_text("\n".join(lines))
    started = time.monotonic()
    assert "stands for more than 100000 values" in message(capsys)
    assert time.monotonic() - started < 30


def test_yaml_too_deep_is_refused(flagship, capsys):
    Path("params.yaml").write_text("a: " + "[" * 20_000)
    assert "nested too deeply" in message(capsys)


@pytest.mark.parametrize("url", ["http://me:secret@host", "postgresql+psycopg2://me:secret@h/db"])
def test_a_password_is_refused_in_any_value_and_never_repeated(flagship, capsys, url):
    change_params(flagship, {"corpus.hub_name": url})
    line = message(capsys)
    assert line.startswith("corpus.hub_name holds a password, which git and dvc.lock would keep")
    assert "secret" not in line


def test_claims_receipts_and_show_read_values_as_dvc_does():
    from dvc.utils.serialize import loads_yaml

    text = "a: no\nb: on\nc: 1e-4\nd: 017\ne: 1_000\nf: 0o17\ng: yes\nh: [~, null]\ni: 1:30\n"
    values = loads_yaml(text)
    assert values["a"] == "no" and values["c"] == 1e-4 and values["d"] == 17
    assert read_params(text).content == values
    assert load_yaml(text) == parse_params(text, None) == values
    with pytest.raises(yaml.YAMLError, match="line 2: a occurs twice"):
        load_yaml("a: 1\na: 2\n")
