"""Read claims.yaml: the arms, and the claims that compare two of them.

layout.py reads the file's head, arms.py lists the kinds of arms, and training_seeds.py reads the
trainings. Programs that only show settled claims read the file here, too, so that they report a
mistake in it by the same one-line errors.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from genlab.core.params import did_you_mean, flatten
from genlab.core.params_file import NAME, NAME_RULE
from genlab.core.program import InputError
from genlab.experiments.arms import check_arm
from genlab.experiments.layout import Layout, read_yaml
from genlab.experiments.published import check_published
from genlab.experiments.training_seeds import check_trainings

CLAIM_KEYS = ("claim", "metric", "a", "b", "expect")
CANNOT = "cannot_differ"  # group -> why it gives both arms one value, whatever they are
WHY = "why"  # a sentence that stands beside the claim: why it came out as it did
OPTIONAL = (CANNOT, WHY)
CLAIM_LISTS = (
    "headlines",
    "findings",
)  # of claims that README, or the flagship's RESULTS.md, shows
SAME_AS_ROOT = "same_as_root"  # a claim of the flagship -> one of a pipeline's own
HEADLINE_ROWS = "headline_rows"


def read_claims(path: Path, layout: Layout, params: dict) -> dict:
    """Return claims.yaml; raise InputError, naming the entry, for one that cannot be settled."""
    content = read_asked(path, layout)
    check_names(path, "arms", content.get("arms"))
    check_trainings(path, content, flatten(params))
    arms = content["arms"]
    for name, arm in arms.items():
        check_arm(f"{path}: arm {name}", arm, arms, list(flatten(params)))
    for name, claim in content["claims"].items():
        where = f"{path}: claim {name}"
        check_one_of(where, claim, {"a": arms, "b": arms})
        if all("value" in arms[claim[key]] for key in ("a", "b")):
            raise InputError(f"{where}: both arms are plain values; one must be measured")
    if "published" in content:
        check_published(path, content["published"], layout, params)
    return content


def read_asked(path: Path, layout: Layout) -> dict:
    """Return claims.yaml for showing settled claims; its arms are not checked.

    Raises InputError, naming the claim or the list of claims that cannot be shown.
    """
    content = read_yaml(path)
    check_names(path, "claims", content.get("claims"))
    claims = content["claims"]
    for name, claim in claims.items():
        check_claim(f"{path}: claim {name}", claim, layout)
    for key in CLAIM_LISTS:
        check_claim_list(f"{path}: {key}", content.get(key) or [], claims)
    same = content.get(SAME_AS_ROOT) or {}
    if not isinstance(same, dict):
        raise InputError(
            f"{path}: {SAME_AS_ROOT}: must be like {{CLAIM_OF_ROOT: CLAIM}}, not {same}"
        )
    check_claim_list(f"{path}: {SAME_AS_ROOT}", list(same.values()), claims)
    check_headline_rows(f"{path}: {HEADLINE_ROWS}", content.get(HEADLINE_ROWS))
    if "published" in content:
        check_published(path, content["published"], layout, {})
    return content


def check_claim(where: str, claim: Any, layout: Layout) -> None:
    """Raise InputError for a claim without its keys, or of an unknown metric or direction."""
    if not isinstance(claim, dict) or {*claim, *OPTIONAL} != {*CLAIM_KEYS, *OPTIONAL}:
        has = ", ".join(map(str, claim)) if isinstance(claim, dict) else str(claim)
        raise InputError(f"{where}: must have {', '.join(CLAIM_KEYS)}, but has {has}")
    check_reasons(f"{where}: {CANNOT}", claim.get(CANNOT, {}))
    for key in (*CLAIM_KEYS, *({WHY} & {*claim})):
        if not isinstance(value := claim[key], str):
            raise InputError(f"{where}: {key} must be one text, not {value}")
    check_one_of(where, claim, {"metric": layout.metrics, "expect": ("lower", "higher")})


def check_one_of(where: str, claim: dict, choices: dict[str, Iterable[str]]) -> None:
    """Raise InputError if a claim's key has a value that is not among its choices."""
    for key, known in choices.items():
        if claim[key] not in known:
            raise InputError(
                f"{where}: {key} is {claim[key]}, not one of {', '.join(known)}"
                f"{did_you_mean(claim[key], known)}"
            )


def check_claim_list(where: str, names: object, claims: dict) -> None:
    """Raise InputError unless these are names of claims."""
    if not isinstance(names, list):
        raise InputError(f"{where}: must be a list of claims, not {names}")
    for name in names:
        if name not in list(claims):
            raise InputError(f"{where}: no claim {name}{did_you_mean(name, claims)}")


def check_headline_rows(where: str, asked: object) -> None:
    """Raise InputError unless these are `headline_rows` as readme.py shows them, or None."""
    if asked is None:
        return
    if not isinstance(asked, dict) or not {"table", "columns"} <= asked.keys():
        raise InputError(f"{where}: must have table and columns, and rows if not all are shown")
    rows = asked.get("rows", {})
    if not isinstance(rows, dict):
        raise InputError(f"{where}: rows must be like {{COLUMN: [CELL, CELL]}}, not {rows}")
    for key, words in (("columns", asked["columns"]), *rows.items()):
        if not isinstance(words, list) or not all(isinstance(each, str) for each in words):
            raise InputError(f"{where}: {key} must be a list of texts, not {words}")
    if not isinstance(asked["table"], str):
        raise InputError(f"{where}: table must be the name of a table, not {asked['table']}")


def check_reasons(where: str, reasons: object) -> None:
    """Raise InputError unless every group is mapped to a reason, a text."""
    if not isinstance(reasons, dict):
        raise InputError(f"{where}: must be like {{GROUP: the reason}}, not {reasons}")
    for group, reason in reasons.items():
        if not isinstance(group, str) or not isinstance(reason, str):
            raise InputError(f"{where}: {group}: the reason must be text, not {reason}")


def check_names(path: Path, key: str, entries: object) -> None:
    """Raise InputError unless this is a mapping of names to claims, or to arms."""
    if not isinstance(entries, dict):
        raise InputError(f"{path}: no {key}: by name; without any claims, write claims: {{}}")
    for name in entries:
        if not isinstance(name, str):
            raise InputError(f"{path}: {key}: {name} is no name; put it in quotes")
        if key == "arms" and not NAME.fullmatch(name):  # an experiment bears it
            raise InputError(f"{path}: {key}: {name!r} cannot be a name; {NAME_RULE}")
    if key == "arms" and not entries:
        raise InputError(f"{path}: arms: is empty, so nothing can be compared")
