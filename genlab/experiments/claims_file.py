"""Read claims.yaml: the arms, and the claims that compare two of them.

layout.py reads the file's head, arms.py lists the kinds of arms, and training_seeds.py reads the
trainings.
"""

from pathlib import Path

from genlab.core.params import did_you_mean, flatten
from genlab.core.program import InputError
from genlab.experiments.arms import check_arm
from genlab.experiments.layout import Layout, read_yaml
from genlab.experiments.published import check_published
from genlab.experiments.training_seeds import check_trainings

CLAIM_KEYS = ("claim", "metric", "a", "b", "expect")
CANNOT = "cannot_differ"  # group -> why it gives both arms one value, whatever they are
WHY = "why"  # a sentence that stands beside the claim: why it came out as it did
OPTIONAL = (CANNOT, WHY)


def read_claims(path: Path, layout: Layout, params: dict) -> dict:
    """Return claims.yaml; raise InputError, naming it, for an entry that cannot be settled."""
    content = read_yaml(path)
    check_head(path, content)
    check_trainings(path, content, flatten(params))
    arms = content["arms"]
    for name, arm in arms.items():
        check_arm(f"{path}: arm {name}", arm, arms, list(flatten(params)))
    for name, claim in content["claims"].items():
        where = f"{path}: claim {name}"
        if not isinstance(claim, dict) or {*claim, *OPTIONAL} != {*CLAIM_KEYS, *OPTIONAL}:
            has = ", ".join(map(str, claim)) if isinstance(claim, dict) else str(claim)
            raise InputError(f"{where}: must have {', '.join(CLAIM_KEYS)}, but has {has}")
        check_reasons(f"{where}: {CANNOT}", claim.get(CANNOT, {}))
        for key in (*CLAIM_KEYS, *({WHY} & {*claim})):
            if not isinstance(value := claim[key], str):
                raise InputError(f"{where}: {key} must be one text, not {value}")
        for key, known in (
            ("a", arms),
            ("b", arms),
            ("metric", layout.metrics),
            ("expect", ("lower", "higher")),
        ):
            if claim[key] not in known:
                raise InputError(
                    f"{where}: {key} is {claim[key]}, not one of {', '.join(known)}"
                    f"{did_you_mean(str(claim[key]), known)}"
                )
        if all("value" in arms[claim[key]] for key in ("a", "b")):
            raise InputError(f"{where}: both arms are plain values; one must be measured")
    headlines = content.get("headlines") or []
    if not isinstance(headlines, list):
        raise InputError(f"{path}: headlines: must be a list of claims, not {headlines}")
    for name in headlines:
        if name not in content["claims"]:
            hint = did_you_mean(str(name), content["claims"])
            raise InputError(f"{path}: headlines: no claim {name}{hint}")
    if "published" in content:
        check_published(path, content["published"], layout, params)
    return content


def check_reasons(where: str, reasons: object) -> None:
    """Raise InputError unless every group has its reason in words."""
    if not isinstance(reasons, dict):
        raise InputError(f"{where}: must be like {{GROUP: the reason}}, not {reasons}")
    for group, reason in reasons.items():
        if not isinstance(group, str) or not isinstance(reason, str):
            raise InputError(f"{where}: {group}: the reason must be text, not {reason}")


def check_head(path: Path, content: dict) -> None:
    """Raise InputError unless there are arms and claims, each under a name that is text."""
    for key in ("arms", "claims"):
        if not isinstance(content.get(key), dict):
            raise InputError(f"{path}: no {key}: by name; without any claims, write claims: {{}}")
        for name in content[key]:
            if not isinstance(name, str):
                raise InputError(f"{path}: {key}: {name} is no name; put it in quotes")
    if not content["arms"]:
        raise InputError(f"{path}: arms: is empty, so nothing can be compared")
