"""Entries that nothing compares: what stands in place of their outputs."""

import json

from genlab.core.chosen import is_left_out, is_wanted, write_chosen, write_chosen_arms


def test_what_is_not_wanted_leaves_a_folder_that_says_so_and_what_is_wanted_nothing(
    tmp_path, capsys
):
    write_chosen(tmp_path / "choose", {"arms": {"main": True, "other": False}})
    output, metrics = tmp_path / "out", tmp_path / "metrics.json"
    arms = tmp_path / "choose/arms"
    assert not is_left_out(arms / "main.json", output, {metrics: {"steps": 0}})
    assert not output.exists() and not metrics.exists()
    assert is_left_out(arms / "other.json", output, {metrics: {"steps": 0}})
    assert [path.name for path in output.iterdir()] == ["left_out.json"]
    assert json.loads(metrics.read_text()) == {"steps": 0}
    assert capsys.readouterr().out.startswith("other: nothing that compared.arms names needs it")


def test_the_arms_that_are_compared_are_wanted(tmp_path):
    params = tmp_path / "params.yaml"
    params.write_text("arms: {a: {seed: 1}, b: {seed: 2}}\ncompared: {arms: [b]}\n")
    write_chosen_arms(params, tmp_path / "choose")
    arms = tmp_path / "choose/arms"
    assert {path.stem: is_wanted(path) for path in arms.iterdir()} == {"a": False, "b": True}
