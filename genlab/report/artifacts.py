"""The artifacts that dvc.yaml lists for publishing, and the scores of each."""

from dataclasses import dataclass
from pathlib import Path

from genlab.core.params import did_you_mean
from genlab.core.pipeline import read_pipeline
from genlab.core.program import InputError
from genlab.core.stand_ins import rankers_of, with_shown_names
from genlab.experiments.layout import check_text
from genlab.experiments.revisions import read_params
from genlab.report.page import read_metrics, with_intervals
from genlab.report.pipeline import METRICS, PIPELINE

KINDS = ("model", "dataset")
GROUPS = ("scores", "beside")  # of an artifact's meta


@dataclass(frozen=True)
class Artifact:
    """An entry of dvc.yaml's `artifacts`."""

    name: str
    path: Path
    kind: str  # model | dataset
    description: str
    language: str
    task: str = "text-generation"  # as the Hub calls it
    scores: tuple[str, ...] = ()  # groups of metrics/score.json, like answers.sft; all if ()
    beside: tuple[str, ...] = ()  # such groups of other models, which the card shows beside
    one_of: str = ""  # of several trainings: the key of score_details.json's numbers for this one
    harness: str = ""  # the pipeline's program that writes tasks of lm-evaluation-harness
    queries: Path | None = None  # of a table: where the query of each query_id is


def read_artifacts(pipeline: Path) -> dict[str, Artifact]:
    """Return the artifacts of a dvc.yaml by name; InputError for one that a card cannot show."""
    listed = read_pipeline(pipeline).get("artifacts") or {}
    if not isinstance(listed, dict) or not all(isinstance(each, dict) for each in listed.values()):
        raise InputError(f"{pipeline}: artifacts must be a mapping of names to path and type")
    found = {}
    for name, entry in listed.items():
        where, meta = f"{pipeline}: artifacts.{name}", entry.get("meta")
        meta = meta if isinstance(meta, dict) else {}
        for key, there in (("path", entry), ("type", entry), ("desc", entry), ("language", meta)):
            if not isinstance(there.get(key), str):
                raise InputError(f"{where}: no {key}, as text{' under meta' * (there is meta)}")
        for key in ("task", "one_of", "harness", "queries"):
            check_text(f"{where}: meta.{key}", meta.get(key, ""))
        if entry["type"] not in KINDS:
            hint = did_you_mean(entry["type"], KINDS)
            raise InputError(f"{where}: type {entry['type']} is none of {', '.join(KINDS)}{hint}")
        groups = {key: read_groups(f"{where}: meta.{key}", meta, key) for key in GROUPS}
        found[name] = Artifact(
            name,
            Path(entry["path"]),
            entry["type"],
            entry["desc"],
            meta["language"],
            meta.get("task", Artifact.task),
            **groups,
            one_of=meta.get("one_of", ""),
            harness=meta.get("harness", ""),
            queries=Path(meta["queries"]) if "queries" in meta else None,
        )
    return found


def read_groups(where: str, meta: dict, key: str) -> tuple[str, ...]:
    """Return the groups of numbers that an artifact names under a key; InputError if no list."""
    given = meta.get(key, [])
    if not (isinstance(given, list) and all(isinstance(each, str) for each in given)):
        raise InputError(
            f"{where} is {given}; give a list of groups of metrics/score.json, "
            "like [answers.sft], or leave it out for all"
        )
    return tuple(given)


def read_scores(artifact: Artifact) -> dict:
    """Return the artifact's groups of metrics/score.json, with intervals where there are any."""
    scores = read_all_scores(artifact)
    return named_stand_ins(chosen_groups(artifact, scores, artifact.scores) or scores)


def shown_scores(artifact: Artifact) -> dict:
    """Return the groups that a card shows beside the artifact's own, which are of other models."""
    scores = read_all_scores(artifact)
    return named_stand_ins(chosen_groups(artifact, scores, artifact.beside))


def read_all_scores(artifact: Artifact) -> dict:
    """Return metrics/score.json with intervals where there are any.

    For one of several trainings metrics/score_details.json is read instead, with its numbers.
    """
    found = read_metrics(METRICS, ["score", "score_details"])
    for name in ("score", *["score_details"] * bool(artifact.one_of)):
        if name not in found:
            raise InputError(f"{METRICS}/{name}.json: no such file; run `dvc repro`")
    if artifact.one_of:
        return only_of(artifact.one_of, found["score_details"])
    return with_intervals(found["score"], found.get("score_details", {}))


def only_of(key: str, details: dict) -> dict:
    """Return nested details in which each group with this key is replaced by the key's value."""
    return {
        name: value[key] if key in value else only_of(key, value)
        for name, value in details.items()
        if isinstance(value, dict)
    }


def chosen_groups(artifact: Artifact, scores: dict, names: tuple[str, ...]) -> dict:
    """Return groups of scores by the last part of their names; InputError for an unknown group."""
    groups = {}
    for name in names:
        inside: object = scores
        for part in name.split("."):
            if not isinstance(inside, dict) or part not in inside:
                hint = did_you_mean(part, inside) if isinstance(inside, dict) else ""
                raise InputError(
                    f"{PIPELINE}: artifacts.{artifact.name}: meta.scores: "
                    f"metrics/score{'_details' * bool(artifact.one_of)}.json has no {name}{hint}"
                )
            inside = inside[part]
        groups[name.rpartition(".")[2]] = inside
    return groups


def named_stand_ins(scores: dict) -> dict:
    """Return scores with their groups (rankers) renamed to their shown names."""
    return with_shown_names(scores, rankers_of(read_params(None)))
