"""dvc.yaml: what is wrong with it is said in one line, whoever reads it."""

import pytest

from genlab.core.deps import syntax_tree, write_deps
from genlab.core.pipeline import check_pipeline_here, left_over, load_stages, read_entries
from genlab.core.program import InputError
from genlab.report.charts import read_plots

CALL = "stages: {a: {cmd: python -m stages.clean"  # to be closed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "it is empty, and must be a mapping"),
        ("[", "not readable as YAML"),
        ("- a", "it holds a list, and must be a mapping"),
        ("plots: []", "no stages; it must have"),
        ("stages: [a]", "no stages; it must have"),
        ("stages: {}", "no stages; it must have"),
        ("stages: {a: text}", "stage a: must be a mapping with cmd"),
        ("stages: {a: {cmd: [x, y]}}", "stage a: its cmd is a list; write one command"),
        ("stages: {a: {foreach: [x], do: {deps: [b]}}}", "stage a: its cmd is no text"),
        (f"{CALL}, deps: data}}}}", "stage a: deps must be a list of paths"),
        (f"{CALL}, outs: [{{}}]}}}}", "stage a: outs must be a list of paths"),
    ],
)
@pytest.mark.parametrize("read", [read_entries, load_stages, write_deps])
def test_a_broken_pipeline_is_named_by_all_that_read_its_stages(tmp_path, read, text, expected):
    path = tmp_path / "dvc.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=f"^{path}: {expected}"):
        read(path)


@pytest.mark.parametrize(("text", "expected"), [("", "it is empty"), ("[", "not readable as YAML")])
def test_a_broken_pipeline_is_named_for_its_plots_too(tmp_path, text, expected):
    (tmp_path / "dvc.yaml").write_text(text)
    with pytest.raises(InputError, match=expected):
        read_plots(tmp_path / "dvc.yaml")


@pytest.mark.parametrize("name", ["dvc.yaml", "dvc.lock"])
@pytest.mark.parametrize(
    "deep",
    [
        "a: " + "[" * 9_000 + "]" * 9_000,
        "- " * 9_000,
        "- " * 250,
        f"a:\n{' ' * 9_000}- b",
        "{a: " * 500,
    ],
)
def test_a_file_that_would_end_dvcs_parser_is_named_before_dvc_reads_it(tmp_path, name, deep):
    (tmp_path / "dvc.yaml").write_text("stages: {a: {cmd: 'b ${c} [[{{'}}\n")
    check_pipeline_here(tmp_path)
    (tmp_path / name).write_text(f"stages: {{}}\n{deep}")
    with pytest.raises(InputError, match=rf"^{tmp_path}/{name}: not readable .*nested too deeply"):
        check_pipeline_here(tmp_path)


def test_a_pipeline_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_entries(tmp_path / "dvc.yaml")


def test_what_a_renamed_arm_has_left_is_told_from_what_stages_write(tmp_path):
    (tmp_path / "params.yaml").write_text("arms: {new: {}}\nfile: own\n")
    (tmp_path / "dvc.yaml").write_text(
        "stages: {a: {foreach: '${arms}', do: {cmd: c, outs: ['data/train/${key}']}}, "
        "b: {cmd: c, outs: ['data/train/${file}.json', data/train/sub/x, data/y]}}"
    )
    for name in ("train/new", "train/old", "train/sub"):
        (tmp_path / "data" / name).mkdir(parents=True)
    for name in ("own.json", "old.json", ".gitignore"):
        (tmp_path / "data/train" / name).touch()
    (tmp_path / "data/mine").touch()  # beside no output of a foreach
    found = [path.relative_to(tmp_path).as_posix() for path in left_over(tmp_path / "dvc.yaml")]
    assert found == ["data/train/old", "data/train/old.json"]


def test_a_module_that_is_no_python_is_named_with_its_line(tmp_path, monkeypatch):
    (tmp_path / "broken.py").write_text("x = 1\n<<<<<<< HEAD\n")
    monkeypatch.setattr("genlab.core.deps.ROOT", tmp_path)
    with pytest.raises(InputError, match=r"broken.py, line 2: invalid syntax; mend it first"):
        syntax_tree("broken")
