"""When a record was last verified: metrics/verified.json, and the sentence in README.

`make verify` writes the date, the commit, the kind of machine and what was equal, with a hash of
the record it spoke of. Once the record changes, the hash differs, and README says that the new one
has not been verified.
"""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

from genlab.core.files import write_json
from genlab.core.shapes import reading
from genlab.experiments.receipts import describe_hardware
from genlab.experiments.revisions import parse_metrics

VERIFIED = Path("metrics/verified.json")
# Written by programs, not by the run; or different on every kind of machine.
NOT_RUN = {"claims.json", "published.json", "receipt.json", "verified.json"}


def hash_record(folder: Path) -> str:
    """Return the sha256 of the JSON files that a run of a pipeline's folder writes to metrics/."""
    metrics = folder / "metrics"
    found = hashlib.sha256()
    for path in sorted(metrics.rglob("*.json")):
        if path.parent != metrics or path.name not in NOT_RUN:
            found.update(f"{path.relative_to(metrics).as_posix()}\0".encode())
            found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def write_verified(
    folder: Path, commit: str, record: str, numbers: dict[str, int], tolerance: float
) -> None:
    """Write that the record with this hash, of this commit, was reproduced here today.

    numbers: how many numbers were equal and how many within the tolerance.
    """
    written = {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit,
        "hardware": describe_hardware(),
        "numbers": numbers,
        "tolerance": tolerance,
        "record": record,
    }
    write_json(folder / VERIFIED, written)


def describe_verified(folder: Path) -> str:
    """Return the sentence for README: when the record was verified, or that it was not."""
    if not (folder / VERIFIED).is_file():
        return (
            "This record has not been verified yet: `python -m genlab verify` makes it again and "
            "compares."
        )
    found = parse_metrics(folder / VERIFIED, (folder / VERIFIED).read_bytes(), None)
    with reading([folder / VERIFIED], "run `python -m genlab verify` again, or remove it"):
        return tell_verified(found, hash_record(folder))


def tell_verified(found: dict, record: str) -> str:
    """Return the sentence for what metrics/verified.json says; record: the hash of today's."""
    hardware, numbers = found["hardware"], found["numbers"]
    threads = hardware["threads"]
    when = (
        f"{found['date']} ({hardware['maker']}, {hardware['vector_instructions']}, "
        f"{threads} thread{'s' * (threads != 1)}, commit {found['commit']})"
    )
    if found["record"] != record:
        return f"This record has not been verified since it changed; the last one was on {when}."
    of = f"{numbers['equal']:,} numbers were equal"
    if numbers["within"]:
        of += f" and {numbers['within']:,} within {100 * found['tolerance']:g} %"
    return f"Verified by running everything again on {when}: {of}."
