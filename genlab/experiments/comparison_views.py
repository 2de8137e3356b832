"""A comparison of two runs as people and programs read it: text, Markdown or JSON."""

import json
import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import accumulate, groupby

from genlab.core.markdown import markdown_table
from genlab.core.terminal import COLUMNS, table
from genlab.experiments.comparison import Difference
from genlab.experiments.verdict_words import (
    IDENTICAL,
    NO_DIFFERENCE,
    UNSTABLE,
    count_tests,
    tell_size,
)

SHOWN_CHANGES = 12
COLUMNS_OF_MARKDOWN = 100
EXACT = {"mcnemar": "exact McNemar", "binomial": "exact binomial"}
LONGEST_VALUE = 200  # characters of a changed param; --json has all
MOST_CHARACTERS = 65_000  # of Markdown: a comment on GitHub holds 65,536

LEGEND = (
    "diff is OTHER - BASE. p: {tests}. Holm: p adjusted for {n}, one for each row in which "
    "any pair differs. detects: the true difference that so many pairs show 80 times in 100, after "
    "Holm's first step."
)
MARGIN = "no diff. beyond M: the 95 % interval is within M, the margin in claims.yaml."
WITHIN = "within M: better or worse, but by less than M, the margin: the interval says so."
SETTLE = "not settled (N): N pairs would settle it, if difference and spread stay."
SETTLE_TRAININGS = "(N tr.): more pairs would not, but N trainings."
SETTLE_BOTH = "(N, M tr.): neither alone would, but N pairs in M trainings."
SEVERAL = "Intervals and p are for other pairs and other trainings: {n} were made."
CLUSTERED = "Pairs were resampled by cluster: {n} clusters."
UNSTABLE_MEANS = "unstable: one training shows it significantly, another its opposite."
UNSTABLE_APART = "Each training was put beside the mean of the other side's."
ROWS_LEFT_OUT = "\n{n} more rows have no room here; without --md, and in --json, there are all."
FRACTIONS = "*: the bootstrap's p, as ties made fractions of this share."

TEXT_LEGEND = (
    "diff is OTHER - BASE. Holm p: {tests}; adjusted for {n}, one for each row in which any "
    "pair differs. --json and --md give p before Holm and the difference that so many pairs "
    "detect, too."
)
TEXT_HEADER = ["metric", "BASE", "OTHER", "diff", "95 % interval", "Holm p", "verdict"]
FIRST_COLUMN = 16  # more would not fit

HEADER = ["metric", "BASE", "OTHER", "diff", "95 % interval", "p", "Holm", "detects", "verdict"]


@dataclass(frozen=True)
class Comparison:
    """The full result of comparing two runs."""

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
    """Return the same in Markdown, in one table; if it is too long, its last rows are left out."""
    above = [*(f"- {line}" for line in heading(comparison, as_code)), ""]
    below = ["", *legend(comparison)]
    lines = markdown_table(as_rows(comparison)).splitlines()
    room = MOST_CHARACTERS - sum(len(line) + 1 for line in [*above, *below, ROWS_LEFT_OUT])
    shown = [line for line, used in zip(lines, used_by(lines), strict=True) if used <= room]
    if n := len(lines) - len(shown):
        below = [ROWS_LEFT_OUT.format(n=n), *below]
    return "\n".join([*above, *shown, *below])[:MOST_CHARACTERS]


def used_by(lines: list[str]) -> Iterator[int]:
    """Return the running total of the lines' characters, line ends included."""
    return accumulate(len(line) + 1 for line in lines)


def as_rows(comparison: Comparison) -> list[list[str]]:
    """Return every difference as a row of cells below a header, its group first if any has one."""
    rows = [HEADER, *map(cells_of, comparison.differences)]
    if not any(each.group for each in comparison.differences):
        return rows
    first = ["group", *(each.group for each in comparison.differences)]
    return [[group, *cells] for group, cells in zip(first, rows, strict=True)]


def as_json(comparison: Comparison, gates_missed: list[str]) -> str:
    """Return the same as JSON; null for what is not a number."""
    content = asdict(comparison) | {"gates_missed": gates_missed}
    for each in content["differences"]:
        each |= {key: None for key, value in each.items() if value != value}
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)


def heading(comparison: Comparison, shown: Callable[[str], str] = str) -> list[str]:
    """Return the lines above the table: the two runs, changed params, and warnings.

    shown: a function that formats a changed param.
    """
    lines = [f"BASE: {comparison.base}; OTHER: {comparison.other}"]
    changed = [
        f"changed: {shown(f'{key} {brief(a)} -> {brief(b)}')}"
        for key, (a, b) in comparison.changed.items()
    ]
    lines += changed[:SHOWN_CHANGES] or ["changed: no param"]
    if len(changed) > SHOWN_CHANGES:
        lines.append(f"changed: {len(changed) - SHOWN_CHANGES} more; --json names them all")
    return lines + comparison.units + [f"warning: {text}" for text in comparison.warnings]


def brief(value: object) -> str:
    """Return a param's value as text of one line, shortened if it is long."""
    text = " ".join(str(value).split())
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]} ..."


def as_code(text: str) -> str:
    """Return text as a Markdown code span; nothing in the text can end it or act as markup."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    edge = " " if longest else ""
    fence = "`" * (longest + 1)
    return f"{fence}{edge}{text}{edge}{fence}"


def wrapped(text: str) -> list[str]:
    """Return a line as lines that fit the terminal, all but the first indented."""
    return textwrap.wrap(text, COLUMNS, subsequent_indent="  ", break_long_words=False)


def legend(comparison: Comparison, text: str = LEGEND) -> list[str]:
    """Return what the columns mean."""
    found = comparison.differences
    n_tests = max((each.n_tests for each in found), default=0)
    asked = text.format(n=count_tests(n_tests), tests=name_tests(found))
    lines = textwrap.wrap(asked, COLUMNS if text is TEXT_LEGEND else COLUMNS_OF_MARKDOWN)
    lines += [MARGIN] * any(each.verdict.startswith(NO_DIFFERENCE) for each in found)
    lines += [WITHIN] * any(
        tell_size(each.verdict, each.low, each.high, each.margin) for each in found
    )
    needed = [(each.needed is not None, each.needed_trainings is not None) for each in found]
    lines += [SETTLE] * ((True, False) in needed)
    lines += [SETTLE_TRAININGS] * ((False, True) in needed)
    lines += [SETTLE_BOTH] * ((True, True) in needed)
    unstable = [each for each in found if each.verdict == UNSTABLE]
    lines += [UNSTABLE_MEANS] * bool(unstable)
    lines += [UNSTABLE_APART] * any(not each.by_training for each in unstable)
    n_trainings = max((each.n_trainings for each in found), default=1)
    lines += [SEVERAL.format(n=n_trainings)] * (n_trainings > 1)
    clusters = sorted({each.n_clusters for each in found if each.n_clusters is not None})
    lines += [CLUSTERED.format(n=" or ".join(map(str, clusters)))] * bool(clusters)
    return lines + [FRACTIONS] * any(each.test == "bootstrap*" for each in found)


def name_tests(found: list[Difference]) -> str:
    """Return the names of the tests that gave these differences' p values, in words.

    Shares have an exact test if pairs are independent and each side is one training.
    """
    used = {each.test for each in found}
    names = [name for test, name in EXACT.items() if test in used]
    return f"{' or '.join(names)} for shares, else bootstrap" if names else "bootstrap"


def cells_of(each: Difference) -> list[str]:
    """Return a difference as the cells under HEADER."""
    if each.n == 0:
        return [each.metric, *["-"] * (len(HEADER) - 2), each.verdict]
    return [
        each.metric,
        f"{each.base:.3f}",
        f"{each.other:.3f}",
        f"{each.difference:+z.3f}",  # z: no -0.000
        "-" if each.verdict == IDENTICAL else f"[{each.low:+z.3f}, {each.high:+z.3f}]",
        as_p(each.p, each.p <= each.least_p) + ("*" if each.test == "bootstrap*" else ""),
        as_p(each.p_adjusted, each.p <= each.least_p),
        f"{each.detectable:.3f}" if each.detectable == each.detectable else "-",
        verdict_cell(each),
    ]


def verdict_cell(each: Difference) -> str:
    """Return a difference's verdict with its size, or with what would settle it."""
    size = tell_size(each.verdict, each.low, each.high, each.margin)
    return with_needed(each.verdict, each.needed, each.needed_trainings) + size


def with_needed(verdict: str, needed: int | None, trainings: int | None) -> str:
    """Return a verdict, shortened to fit the table, with what would settle it: pairs, trainings."""
    numbers = [] if needed is None else [f"{rounded_up(needed):,}"]
    if trainings is not None:
        numbers.append(f"{rounded_up(trainings):,} tr.")
    if not numbers:
        return verdict.replace("difference", "diff.").replace(" over trainings", "")
    return f"{verdict} ({', '.join(numbers)})"


def rounded_up(n: int) -> int:
    """Return n, rounded up to two digits: it is an estimate."""
    unit: int = 10 ** max(0, len(str(n)) - 2)
    return -(-n // unit) * unit


def as_p(p: float, is_least: bool) -> str:
    """Return a p with four decimals, never 0; the least that resamples allow gets a `<`."""
    if p != p:
        return "-"
    if is_least:
        return f"< {p:.4f}".replace(" 0.", " .")
    return f"{p:.4f}" if p >= 0.00005 else "< .0001"


def text_cells_of(each: Difference) -> list[str]:
    """Return a difference as the cells under TEXT_HEADER, narrow enough for a terminal."""
    if each.n == 0:
        return [each.metric, *["-"] * (len(TEXT_HEADER) - 2), each.verdict]
    return [
        each.metric,
        short(each.base),
        short(each.other),
        short(each.difference, "+"),
        "-" if each.verdict == IDENTICAL else f"{short(each.low, '+')}, {short(each.high, '+')}",
        as_p(each.p_adjusted, each.p <= each.least_p) + ("*" if each.test == "bootstrap*" else ""),
        verdict_cell(each),
    ]


def short(value: float, sign: str = "") -> str:
    """Return a number with three decimals, or fewer so that it has four digits."""
    decimals = max(0, 4 - max(1, len(f"{abs(value):.0f}")))
    return f"{value:{sign}z.{decimals}f}"  # z: no -0.000
