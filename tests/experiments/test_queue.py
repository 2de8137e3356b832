"""What is to be queued is looked at before anything is removed for it."""

import pytest

from genlab.core.program import InputError
from genlab.experiments import queue
from genlab.experiments.queue import check_keys


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Be in the folder of a pipeline with two keys."""
    (tmp_path / "params.yaml").write_text("gen: {max_len: 50, models: [a, b]}\n")
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["-S", "gen.max_lne=3"], "-S gen.max_lne=3: no key gen.max_lne in params.yaml; did you"),
        (["--set-param", "max_len=3"], "-S max_len=3: no key max_len in params.yaml"),
        (["--name", "x", "-S", "gen.max_len"], "-S gen.max_len: no value; write it as in -S"),
        (["-S"], "-S : no value"),
        (["-S", "gen.max_len.more=3"], "no key gen.max_len.more"),
    ],
)
def test_a_key_that_params_yaml_has_not_is_named(folder, words, reason):
    with pytest.raises(InputError, match=reason):
        check_keys(words)


def test_what_dvc_takes_passes(folder):
    words = [
        "--name",
        "x",
        "-S",
        "gen.max_len=50,150",
        "-S",
        "gen={max_len: 3}",
        "-S",
        "gen.models.1=c",
    ]
    check_keys([*words, "-S", "+gen.new=3", "-S", "~gen.models", "-S", "other.yaml:a=3", "stage"])


def test_what_is_only_asked_queues_nothing(folder, monkeypatch):
    called = []
    monkeypatch.setattr(queue, "run_dvc", lambda *words: called.append(words))
    queue.main(["-S", "gen.max_len=50"], ask=True)
    assert called == []
    queue.main(["-S", "gen.max_len=50"], ask=False)
    assert called == [("exp", "run", "--queue", "-S", "gen.max_len=50")]
    with pytest.raises(InputError, match=r"no key gen.mix_len"):
        queue.main(["-S", "gen.mix_len=50"], ask=False)
    assert len(called) == 1
