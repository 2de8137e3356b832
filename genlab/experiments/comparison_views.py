"""A comparison of two runs as people and programs read it: text, Markdown or JSON."""

import json
import textwrap
from dataclasses import asdict, dataclass
from itertools import groupby

from genlab.core.markdown import markdown_table
from genlab.core.terminal import table
from genlab.experiments.comparison import Difference

COLUMNS = 100  # of a terminal
SHOWN_CHANGES = 12

LEGEND = """\
diff is OTHER - BASE. p: exact McNemar for shares, else bootstrap. Holm: p adjusted for all rows.
detects: the true difference that so many pairs show 80 times in 100, after Holm's first step."""
FRACTIONS = "*: the bootstrap's p, as ties made fractions of this share."

HEADER = ["metric", "BASE", "OTHER", "diff", "95 % interval", "p", "Holm", "detects", "verdict"]


@dataclass(frozen=True)
class Comparison:
    """Everything that is known of how two runs differ."""

    base: str
    other: str
    changed: dict[str, tuple[object, object]]  # params key -> its two values
    units: list[str]  # what was paired and what was not
    warnings: list[str]
    differences: list[Difference]


def as_text(comparison: Comparison) -> str:
    """Return lines for a terminal, a table per group."""
    lines = [part for text in heading(comparison) for part in wrapped(text)]
    for group, found in groupby(comparison.differences, lambda each: each.group):
        headers = [group or HEADER[0], *HEADER[1:]]
        lines += ["", table(map(cells_of, found), headers, left=HEADER[-1:])]
    return "\n".join([*lines, "", *legend(comparison)])


def as_markdown(comparison: Comparison) -> str:
    """Return the same in Markdown, in one table."""
    grouped = any(each.group for each in comparison.differences)
    rows = [HEADER, *map(cells_of, comparison.differences)]
    if grouped:
        first = ["group", *(each.group for each in comparison.differences)]
        rows = [[group, *cells] for group, cells in zip(first, rows, strict=True)]
    notes = [f"- {line}" for line in heading(comparison)]
    return "\n".join([*notes, "", markdown_table(rows), "", *legend(comparison)])


def as_json(comparison: Comparison, gates_missed: list[str]) -> str:
    """Return the same as JSON; null for what is not a number."""
    content = asdict(comparison) | {"gates_missed": gates_missed}
    for each in content["differences"]:
        each |= {key: None for key, value in each.items() if value != value}
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)


def heading(comparison: Comparison) -> list[str]:
    """Return what was compared, what was changed between the two, and what to beware of."""
    lines = [f"BASE: {comparison.base}; OTHER: {comparison.other}"]
    changed = [f"changed: {key} {a} -> {b}" for key, (a, b) in comparison.changed.items()]
    lines += changed[:SHOWN_CHANGES] or ["changed: no param"]
    if len(changed) > SHOWN_CHANGES:
        lines.append(f"changed: {len(changed) - SHOWN_CHANGES} more; --json names them all")
    return lines + comparison.units + [f"warning: {text}" for text in comparison.warnings]


def wrapped(text: str) -> list[str]:
    """Return a line as lines that fit the terminal, all but the first indented."""
    return textwrap.wrap(text, COLUMNS, subsequent_indent="  ", break_long_words=False)


def legend(comparison: Comparison) -> list[str]:
    """Return what the columns mean."""
    has_fractions = any(each.test == "bootstrap*" for each in comparison.differences)
    return [*LEGEND.splitlines(), *([FRACTIONS] if has_fractions else [])]


def cells_of(each: Difference) -> list[str]:
    """Return a difference as the cells under HEADER."""
    if each.n == 0:
        return [each.metric, *["-"] * (len(HEADER) - 2), each.verdict]
    return [
        each.metric,
        f"{each.base:.3f}",
        f"{each.other:.3f}",
        f"{each.difference:+z.3f}",  # z: no -0.000
        f"[{each.low:+z.3f}, {each.high:+z.3f}]",
        as_p(each.p) + ("*" if each.test == "bootstrap*" else ""),
        as_p(each.p_adjusted),
        f"{each.detectable:.3f}" if each.detectable == each.detectable else "-",
        each.verdict,
    ]


def as_p(p: float) -> str:
    """Return a p value with four decimals; none is 0."""
    return f"{p:.4f}" if p >= 0.00005 else "<.0001"
