"""A comparison of two runs as people and programs read it: text, Markdown or JSON."""

import json
import textwrap
from dataclasses import asdict, dataclass
from itertools import groupby

from genlab.core.markdown import markdown_table
from genlab.core.terminal import COLUMNS, table
from genlab.experiments.comparison import Difference

SHOWN_CHANGES = 12

LEGEND = """\
diff is OTHER - BASE. p: exact McNemar for shares, else bootstrap. Holm: p adjusted for all rows.
detects: the true difference that so many pairs show 80 times in 100, after Holm's first step."""
FRACTIONS = "*: the bootstrap's p, as ties made fractions of this share."

TEXT_LEGEND = """\
diff is OTHER - BASE. Holm p: exact McNemar for shares, else bootstrap; adjusted
for all rows. none (0.1): no difference shown; so many pairs show a true one of
0.1 80 times in 100. --json and --md give p before Holm, too."""
TEXT_HEADER = ["metric", "BASE", "OTHER", "diff", "95 % interval", "Holm p", "verdict"]
FIRST_COLUMN = 16  # more would not fit

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
        fits = 0 < len(group) <= FIRST_COLUMN
        lines += ["", *([group] if group and not fits else [])]
        headers = [group if fits else TEXT_HEADER[0], *TEXT_HEADER[1:]]
        lines.append(table(map(text_cells_of, found), headers, left=TEXT_HEADER[-1:]))
    return "\n".join([*lines, "", *legend(comparison, TEXT_LEGEND)])


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


def legend(comparison: Comparison, text: str = LEGEND) -> list[str]:
    """Return what the columns mean."""
    has_fractions = any(each.test == "bootstrap*" for each in comparison.differences)
    return [*text.splitlines(), *([FRACTIONS] if has_fractions else [])]


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


def text_cells_of(each: Difference) -> list[str]:
    """Return a difference as the cells under TEXT_HEADER, narrow enough for a terminal."""
    if each.n == 0:
        return [each.metric, *["-"] * (len(TEXT_HEADER) - 2), "no pairs"]
    told = f"none ({short(each.detectable)})" if each.detectable == each.detectable else "none"
    verdicts = {"no difference shown": told, "the same rows": "same rows"}
    return [
        each.metric,
        short(each.base),
        short(each.other),
        short(each.difference, "+"),
        f"{short(each.low, '+')}, {short(each.high, '+')}",
        as_p(each.p_adjusted) + ("*" if each.test == "bootstrap*" else ""),
        verdicts.get(each.verdict, each.verdict),
    ]


def short(value: float, sign: str = "") -> str:
    """Return a number with three decimals, or with as many as leave it four digits."""
    decimals = max(0, 4 - max(1, len(f"{abs(value):.0f}")))
    return f"{value:{sign}z.{decimals}f}"  # z: no -0.000


def as_p(p: float) -> str:
    """Return a p value with four decimals; none is 0."""
    return f"{p:.4f}" if p >= 0.00005 else "<.0001"
