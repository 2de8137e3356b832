"""The trainings of a claims.yaml: the seed params that differ between them, and their values.

    trainings:
      params: [train.seed]
      values: [17, 18, 19, 20, 21]
      once: [pretrained]

Every arm is run once for each value, with all of the params set to it. A claim then has one verdict
over all trainings. The params say what is drawn anew: the training's seed, and maybe the seed of a
base or a corpus that is made here (base.seed, corpus.seed) or, by a pattern, of all rankers
(rankers.*.seed). Arms under `once` contain nothing that is trained: they are run once, and their
rows are compared with every training's. Without `trainings` every arm is run once, and a verdict
holds for that one training.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from genlab.core.params import did_you_mean, flatten
from genlab.core.program import InputError
from genlab.experiments.revisions import WORKSPACE, experiments_of_head, read_params

FORM = "trainings: {params: [train.seed], values: [17, 18, 19, 20, 21]}"
ONE: tuple[int | None, ...] = (None,)  # params.yaml as it is


@dataclass(frozen=True)
class Trainings:
    """The params that are a training's seed, and their values; without params one seed, None."""

    params: tuple[str, ...] = ()
    values: tuple[int | None, ...] = ONE
    once: tuple[str, ...] = ()  # arms without anything that is trained

    def first(self, n: int | None) -> "Trainings":
        """Return the first n trainings, all if n is None."""
        return self if n is None else replace(self, values=self.values[:n])

    def of_arm(self, arm: str) -> tuple[int | None, ...]:
        """Return the seeds that an arm is run with."""
        return self.values[:1] if arm in self.once else self.values

    def changes(self, seed: int | None) -> dict[str, object]:
        """Return the values of params.yaml in one training."""
        return {} if seed is None else dict.fromkeys(self.params, seed)

    def described(self) -> str:
        """Return the params as one name."""
        return " and ".join(self.params)


ALONE = Trainings()


def check_trainings(path: Path, content: dict, params: Mapping) -> Trainings:
    """Return the `trainings` of a claims.yaml; raise InputError naming what is wrong.

    params: those of params.yaml, with dotted keys. The committed training must be among them, so
    that the default run is one of those that are compared.
    """
    if (given := content.get("trainings")) is None:
        return ALONE
    where = f"{path}: trainings"
    if not isinstance(given, dict) or {*given, "once"} != {"params", "values", "once"}:
        raise InputError(f"{where}: must be like {FORM}")
    values, once = given["values"], given.get("once", [])
    names = params_named(f"{where}.params", given["params"], params)
    arms = given_arms if isinstance(given_arms := content.get("arms"), dict) else {}
    check_moving(f"{where}.params", names, params, arms)
    whole = isinstance(values, list) and all(type(each) is int for each in values)
    if not whole or not values or len(set(values)) < len(values):
        raise InputError(f"{where}.values: must be a list of different seeds, not {values}")
    if any(params[name] != values[0] for name in names):
        has = ", ".join(f"{name} {params[name]}" for name in names)
        raise InputError(
            f"{where}.values: must begin with the seed of params.yaml, which has {has}; then the "
            "default run is the first training"
        )
    check_once(f"{where}.once", once, [str(name) for name in arms], names, params)
    return Trainings(tuple(names), tuple(values), tuple(once))


def params_named(where: str, given: object, params: Mapping) -> list[str]:
    """Return the params that a list names, each once, a pattern standing for all that fit it."""
    if not isinstance(given, list) or not given:
        raise InputError(f"{where}: must be a list of params, not {given}")
    found: dict[str, None] = {}
    for name in given:
        fits = [key for key in params if isinstance(name, str) and fnmatchcase(key, name)]
        if not fits:
            raise InputError(
                f"{where}: params.yaml has no {name}{did_you_mean(str(name), list(params))}"
            )
        found |= dict.fromkeys(fits)
    return list(found)


def source_beside(name: str, params: Mapping) -> object:
    """Return the `source` in the same params group as a seed; None if it has none."""
    return params.get(f"{name.rpartition('.')[0]}.source")


def check_moving(where: str, names: Sequence[str], params: Mapping, arms: Mapping) -> None:
    """Raise InputError for the seed of a bundled model: it is made already, so nothing changes."""
    for name in names:
        group = name.rpartition(".")[0]
        sources = [arm.get(f"{group}.source") for arm in arms.values() if isinstance(arm, dict)]
        if source_beside(name, params) == "bundled" and not set(sources) - {None, "bundled"}:
            raise InputError(
                f"{where}: {name} changes nothing while {group}.source is bundled: it was made "
                f"once; commit params.yaml with {group}.source: mini, or leave {name} out"
            )


def check_once(
    where: str, once: object, arms: list[str], names: Sequence[str], params: Mapping
) -> None:
    """Raise InputError for unknown arms under `once`, or arms that cannot be run once."""
    if not isinstance(once, list):
        raise InputError(f"{where}: must be a list of arms, not {once}")
    for name in once:
        if name not in arms:
            raise InputError(f"{where}: no arm {name}{did_you_mean(str(name), arms)}")
    for name in names if once else ():
        if source_beside(name, params) is not None:
            raise InputError(
                f"{where}: {name} changes what every arm is made from, trained or not; leave "
                f"once out, or {name}"
            )


def expand(name: str) -> list[str | None]:
    """Return the runs that a word stands for: one run, a list a,b,c, or a pattern length-*.

    None is the workspace, in DVC's tables "workspace".
    """
    found: list[str | None] = []
    for part in name.split(","):
        if not part.strip():
            raise InputError(
                f"{name!r} names a run without a name; give a commit, branch, tag, experiment or "
                f"{WORKSPACE}"
            )
        if not any(sign in part for sign in "*?["):
            found.append(None if part == WORKSPACE else part)
            continue
        there = experiments_of_head()
        alike = sorted(each for each in there if fnmatchcase(each, part))
        if not alike:
            mend = "; `python -m genlab claims run` makes those of claims.yaml"
            raise InputError(
                f"{part}: no experiment of this commit is called so; there are "
                f"{', '.join(sorted(there)) or 'none'}{mend * part.startswith('claim-')}"
            )
        found += alike
    if len(set(found)) < len(found):
        raise InputError(f"{name}: names a run twice")
    return found


def matched_order(
    trainings: Trainings, base: Sequence[str | None], other: Sequence[str | None]
) -> tuple[list[str | None], list[str | None], bool]:
    """Return both sets of runs, sorted by seed, and whether their seeds are the same.

    One run on both sides is always a pair. Raises InputError for a set with a seed twice.
    """
    if len(base) == len(other) == 1:
        return list(base), list(other), True
    sides = [{seeds_of(trainings, run): run for run in runs} for runs in (base, other)]
    for by_seed, runs in zip(sides, (base, other), strict=True):
        if trainings.params and len(by_seed) < len(runs):
            raise InputError(
                f"{', '.join(map(str, runs))}: two of these runs have the same "
                f"{trainings.described()} and the same other seeds, so they are one training; "
                "leave one out"
            )
    if trainings.params and set(sides[0]) == set(sides[1]):
        seeds = sorted(sides[0], key=str)
        return [sides[0][each] for each in seeds], [sides[1][each] for each in seeds], True
    return list(base), list(other), False


def seeds_of(trainings: Trainings, run: str | None) -> tuple[object, ...]:
    """Return the values of a run's seed params, by which trainings are matched.

    Every seed in params.yaml counts: a base or a ranker made anew changes the results, too.
    """
    params = flatten(read_params(run))
    others = sorted(name for name in params if name.rpartition(".")[2] == "seed")
    return tuple(params.get(name) for name in dict.fromkeys((*trainings.params, *others)))
