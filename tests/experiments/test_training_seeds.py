from pathlib import Path

import pytest

from genlab.core.program import InputError
from genlab.experiments import training_seeds
from genlab.experiments.arms import experiments_of
from genlab.experiments.training_seeds import (
    Trainings,
    check_trainings,
    expand,
    matched_order,
)

PARAMS = {"train.seed": 17, "pairs.seed": 17, "gen.seed": 5, "gen.lengths": [50, 300]}
PATH = Path("claims.yaml")
SEEDS = Trainings(("train.seed",), (17, 18))


def test_without_trainings_there_is_one_of_params_as_they_are():
    found = check_trainings(PATH, {}, PARAMS)
    assert found.values == (None,)
    assert found.changes(None) == {}


def test_a_training_sets_all_of_its_params():
    given = {"params": ["train.seed", "pairs.seed"], "values": [17, 18, 3]}
    found = check_trainings(PATH, {"trainings": given}, PARAMS)
    assert found.changes(18) == {"train.seed": 18, "pairs.seed": 18}
    assert found.first(2).values == (17, 18)
    assert found.first(None) == found
    assert found.described() == "train.seed and pairs.seed"


def test_an_arm_without_training_is_run_once():
    given = {"params": ["train.seed"], "values": [17, 18], "once": ["base"]}
    arms = {"base": {"gen.seed": 1}, "tuned": {}}
    found = check_trainings(PATH, {"trainings": given, "arms": arms}, PARAMS)
    assert (found.of_arm("base"), found.of_arm("tuned")) == ((17,), (17, 18))
    assert [arm for arm, _, _ in experiments_of(arms, found).values()] == ["tuned", "tuned", "base"]
    with pytest.raises(InputError, match=r"once: no arm bse; did you mean base\?"):
        check_trainings(PATH, {"trainings": given | {"once": ["bse"]}, "arms": arms}, PARAMS)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([17], "trainings: must be like trainings: {params"),
        ({"params": ["train.seed"]}, "trainings: must be like"),
        ({"params": "train.seed", "values": [17]}, "params: must be a list of params, not train"),
        (
            {"params": ["train.sed"], "values": [17]},
            "params.yaml has no train.sed; did you mean train.seed",
        ),
        ({"params": ["train.seed"], "values": []}, r"a list of different seeds, not \[\]"),
        ({"params": ["train.seed"], "values": [17, 17]}, "a list of different seeds"),
        ({"params": ["train.seed"], "values": [17, True]}, "a list of different seeds"),
        ({"params": ["train.seed"], "values": [18, 17]}, "must begin with the seed of params"),
        ({"params": ["train.seed", "gen.seed"], "values": [17]}, "has train.seed 17, gen.seed 5"),
        ({"params": ["gen.lengths"], "values": [50]}, r"has gen.lengths \[50, 300\]"),
        ({"params": [["gen.seed"]], "values": [5]}, r"params.yaml has no \['gen.seed'\]"),
    ],
    ids=str,
)
def test_what_is_wrong_with_trainings_is_named(given, message):
    with pytest.raises(InputError, match=message):
        check_trainings(PATH, {"trainings": given}, PARAMS)


WORLD = {
    "base.source": "mini", "base.seed": 17, "corpus.source": "mini", "corpus.seed": 17,
    "rankers.a.seed": 17, "rankers.b.seed": 17, "rankers.a.source": "mini", "train.seed": 17,
}  # fmt: skip


def test_what_else_is_drawn_anew_may_be_named_by_a_pattern():
    given = {"params": ["train.seed", "base.seed", "rankers.*.seed"], "values": [17, 18]}
    found = check_trainings(PATH, {"trainings": given, "arms": {"tuned": {}}}, WORLD)
    assert found.changes(18) == {
        "train.seed": 18, "base.seed": 18, "rankers.a.seed": 18, "rankers.b.seed": 18
    }  # fmt: skip
    of_arms = {
        name: changes for name, (_, _, changes) in experiments_of({"tuned": {}}, found).items()
    }
    assert of_arms["claim-tuned-18"]["rankers.b.seed"] == 18


@pytest.mark.parametrize(
    ("params", "changes", "more", "message"),
    [
        (["ranker.*.seed"], {}, {}, r"params.yaml has no ranker\.\*\.seed"),
        (["base.seed"], {"base.source": "bundled"}, {}, "base.seed changes nothing while"),
        (["base.seed"], {}, {"once": ["plain"]}, "base.seed changes what every arm is made from"),
    ],
    ids=str,
)  # fmt: skip
def test_a_seed_that_changes_nothing_or_too_much_is_named(params, changes, more, message):
    arms = {"plain": {}}
    content = {"trainings": {"params": params, "values": [17, 18]} | more, "arms": arms}
    with pytest.raises(InputError, match=message):
        check_trainings(PATH, content, WORLD | changes)


def test_a_base_that_is_bundled_may_be_made_anew_by_an_arm():
    arms = {"made": {"base.source": "mini"}}
    content = {"trainings": {"params": ["base.seed"], "values": [17]}, "arms": arms}
    assert check_trainings(PATH, content, WORLD | {"base.source": "bundled"}).params == (
        "base.seed",
    )


@pytest.fixture
def experiments(monkeypatch):
    """Pretend runs that are named by their length and seed."""
    names = ["length-17", "length-18", "main-17", "main-18", "main-19"]
    monkeypatch.setattr(training_seeds, "experiments_of_head", lambda: dict.fromkeys(names, "0"))
    monkeypatch.setattr(
        training_seeds, "read_params", lambda run: {"train": {"seed": int(run[-2:])}}
    )


def test_a_pattern_stands_for_experiments_and_commas_for_several_runs(experiments):
    assert expand("length-*") == ["length-17", "length-18"]
    assert expand("main-1[79],v1") == ["main-17", "main-19", "v1"]
    assert expand("HEAD~1") == ["HEAD~1"]
    with pytest.raises(
        InputError, match=r"long-\*: no experiment of this commit .* are length-17,"
    ):
        expand("long-*")
    with pytest.raises(InputError, match=r"claim-x-\*.*; `python -m genlab claims run`"):
        expand("claim-x-*")
    with pytest.raises(InputError, match="names a run twice"):
        expand("main-*,main-17")


def test_sets_with_the_same_seeds_are_paired_by_seed(experiments):
    found = matched_order(SEEDS, ["main-18", "main-17"], ["length-17", "length-18"])
    assert found == (["main-17", "main-18"], ["length-17", "length-18"], True)


def test_sets_of_other_seeds_or_of_unknown_ones_are_not_paired(experiments):
    assert not matched_order(SEEDS, ["main-17", "main-19"], ["length-17", "length-18"])[2]
    assert not matched_order(Trainings(), ["main-17", "main-18"], ["length-17", "length-18"])[2]
    assert matched_order(Trainings(), ["main-17"], [None])[2]


def test_runs_of_one_seed_are_no_two_trainings(experiments):
    with pytest.raises(InputError, match="main-17, v-17: two of these runs have the same train"):
        matched_order(SEEDS, ["main-17", "v-17"], ["length-17"])
