"""Three texts of two runs beside each other, in the order of how much the metric differs.

Which rows and which columns are shown is what report.yaml says of a page's good, middling and bad
text; a unit that only one run has is passed over.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl

from genlab.experiments.layout import Layout
from genlab.experiments.revisions import read_params, read_rows
from genlab.report.examples import EXAMPLES
from genlab.report.opening import TextsAsked
from genlab.report.sentences import in_words
from genlab.report.shown_texts import metrics_of, read_asked_rows, shorten, tell_asked

OTHER = "_other"  # after a column's name: of the other run


@dataclass(frozen=True)
class TextPair:
    """What two runs wrote for one unit."""

    unit: str
    number: str  # the metric of both, and by how much it differs
    asked: dict[str, str]  # label -> what was given to both
    texts: tuple[str, str]


def pair_texts(
    asked: TextsAsked, layout: Layout, base: str | None, other: str | None
) -> list[TextPair]:
    """Return three units: at a tenth from the best difference, in the middle, at nine tenths.

    base, other: revisions, None for the workspace. [] if no unit is in both. Raises InputError if
    a run's rows are not there, or have not what report.yaml names.
    """
    name, metric = next(iter(metrics_of(asked, layout).items()))
    first, second = (read_run(asked, layout, each) for each in (base, other))
    # Booleans cannot be subtracted, and unsigned integers would wrap around below 0.
    base_value, other_value = (
        pl.col(f"{metric.column}{suffix}").cast(pl.Float64) for suffix in ("", OTHER)
    )
    both = first.join(second, on=layout.unit, suffix=OTHER).with_columns(
        (other_value - base_value).alias("_gained")
    )
    if not both.height:
        return []
    ordered = both.sort("_gained", layout.unit, descending=[metric.better == "higher", False])
    at = [round(share * (both.height - 1)) for share in EXAMPLES.values()]
    return [
        TextPair(
            str(row[layout.unit]),
            f"{name.replace('_', ' ')} {in_words(row[metric.column])} and "
            f"{in_words(row[metric.column + OTHER])} ({metric.better} is better)",
            tell_asked(asked, row),
            (shorten(row[asked.text]), shorten(row[asked.text + OTHER])),
        )
        for row in ordered[at].to_dicts()
    ]


def read_run(asked: TextsAsked, layout: Layout, revision: str | None) -> pl.DataFrame:
    """Return a run's rows, the first of each unit."""
    read: Callable[[Path], pl.DataFrame] = partial(read_rows, revision=revision)
    rows = read_asked_rows(asked, layout, {"params": read_params(revision)}, read)
    return rows.unique(layout.unit, keep="first", maintain_order=True)
