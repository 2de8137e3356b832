"""A report's page: the pieces that every pipeline's page has, and the HTML around them.

No text from outside can become markup. Jinja escapes whatever is put into a page. In JSON `<`, `>`,
`&` and the two line separators that break old JavaScript are escaped. And the page's content
security policy allows only the script whose hash it names.
"""

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from genlab.core.files import write_json, written_whole
from genlab.core.palette import PALETTE
from genlab.core.params import flatten
from genlab.core.stand_ins import shown_name
from genlab.core.terminal import with_ends
from genlab.experiments.revisions import parse_metrics
from genlab.experiments.verdict_words import IDENTICAL, tell_size
from genlab.report.charts import write_plots_library

PAGE = Path(__file__).resolve().parent / "page_files"
COLUMNS = 5  # of a table of numbers with intervals: what a laptop's window is wide enough for

NEXT = (
    "Next: change a value with `dvc exp run -S KEY=VALUE`; `python -m genlab compare HEAD` then "
    "says what changed."
)

Table = list[list[str]]  # the first row is the header, and each row's first cell its heading


def render(template: str, script: str = "", **parts: object) -> str:
    """Return the HTML of a page from a template in page_files; `script` is all that may run."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(PAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["tojson_text"] = lambda content: json.dumps(
        content, indent=2, ensure_ascii=False
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    allowed = f"'sha256-{digest}'" if script else "'none'"
    return environment.get_template(template).render(
        parts
        | {
            "policy": f"default-src 'none'; style-src 'unsafe-inline'; script-src {allowed}",
            "style": Markup(PALETTE + (PAGE / "page.css").read_text(encoding="utf-8")),
            "script": Markup(script),
        }
    )


def write_report(
    output: Path, page: str, receipt: Path, stood_on: dict, plots_library: Path
) -> None:
    """Write the three files of every report: the page, the receipt and the plots library."""
    with written_whole(output) as partial:
        partial.write_text(page, encoding="utf-8")
    write_plots_library(plots_library)
    write_json(receipt, stood_on)


def embed(content: object) -> str:
    """Return JSON that is safe inside a script element, whatever its strings contain."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return re.sub("[<>&\u2028\u2029]", lambda match: f"\\u{ord(match[0]):04x}", text)


def read_metrics(folder: Path, names: list[str]) -> dict[str, dict]:
    """Return the content of those files NAME.json that are there, by name."""
    found = {}
    for name in names:
        path = folder / f"{name}.json"
        if path.is_file():
            found[name] = parse_metrics(path, path.read_bytes(), None)
    return found


def number_tables(nested: dict, corner: str = "") -> list[Table]:
    """Return nested numbers as tables: a column for each group, those with other rows apart.

    Numbers outside any group are a group of their own. A group that holds nothing but groups has
    tables of its own, with its name in their corner. A table has COLUMNS groups at most.
    """
    tables = []
    alone = {name: value for name, value in nested.items() if not isinstance(value, dict)}
    groups = {name: value for name, value in nested.items() if isinstance(value, dict)}
    groups |= {"value": alone} if alone else {}
    kinds: dict[tuple, dict[str, list[str]]] = {}
    for name, group in groups.items():
        if group and all(map(is_group, group.values())):
            tables += number_tables(group, name)
            continue
        column = flatten(in_words(group))
        rows = tuple(key.replace(".", ": ") for key in column)
        kinds.setdefault(rows, {})[name] = [str(text) for text in column.values()]
    for rows, columns in kinds.items():
        names = list(columns)
        for start in range(0, len(names) if rows else 0, COLUMNS):
            shown = names[start : start + COLUMNS]
            cells = zip(rows, *(columns[name] for name in shown), strict=True)
            tables.append([[corner, *shown], *map(list, cells)])
    return tables


def is_group(value: object) -> bool:
    """Return whether a value of nested numbers holds others, which an interval does not."""
    return isinstance(value, dict) and not is_interval(value)


def leakage_table(leakage: dict, few: int) -> Table:
    """Return the mean places of the queries with and without each kind of leak, and the gap.

    few: there is no gap where a half has fewer queries.
    """
    rows = [["leak", "ranker", "mean place, clean (n)", "leaked (n)", "leaked less clean"]]
    for kind, rankers in leakage.items():
        for ranker, numbers in rankers.items():
            place = numbers.get("average_loc", {})
            cells = [
                f"{brief(place[half]) if half in place else '-'} ({numbers[f'n_{half}']})"
                for half in ("clean", "leaked")
            ]
            gap = "too few"
            if not numbers["n_leaked"]:
                gap = "-"
            elif min(numbers["n_clean"], numbers["n_leaked"]) >= few and "difference" in place:
                gap = with_ends(place | {"value": place["difference"]})
            rows.append([kind, ranker, *cells, gap])
    return rows


def with_intervals(
    scores: dict,
    details: dict,
    above: tuple[str, ...] = (),
    others: frozenset[str] = frozenset(),
) -> dict:
    """Return nested scores, with the details' interval in place of each number that has one.

    Layouts differ, so an interval belongs to a number if it has its value and lies under its name.
    Of these matches only those count that lie under the most of the groups above the number, and
    none under a group beside these. A name like error_short also matches an `error` under `short`.
    If several remain and differ, the one is taken that lies where most numbers beside it have
    theirs; without a majority, none is.

    others: the groups beside those above.
    """
    found: dict[str, object] = {}
    open_names: dict[str, dict] = {}  # name with several intervals -> {keys above one: interval}
    n_at: Counter[tuple] = Counter()  # keys above an interval -> how many names have one there
    groups = {name for name, value in scores.items() if isinstance(value, dict)}
    for name, value in scores.items():
        path = (*above, name)
        beside = (others | groups).difference(path)
        if isinstance(value, dict):
            found[name] = with_intervals(value, details, path, beside)
            continue
        same = [
            (keys, each)
            for keys, each in intervals_in(details)
            if is_named(name, keys) and each["value"] == value and beside.isdisjoint(keys)
        ]
        n_shared = [len(set(path).intersection(keys)) for keys, _ in same]
        own = [each for each, n in zip(same, n_shared, strict=True) if n == max(n_shared)]
        different = {with_ends(each): each for _, each in own}
        found[name] = next(iter(different.values())) if len(different) == 1 else value
        places = {tuple(key for key in keys if key not in path): each for keys, each in own}
        n_at.update(places.keys())
        if len(different) > 1:
            open_names[name] = places
    (place, n), (_, n_next) = [*n_at.most_common(2), ((), 0), ((), 0)][:2]
    if n > n_next:
        found |= {name: at[place] for name, at in open_names.items() if place in at}
    return found


def is_named(name: str, keys: tuple[str, ...]) -> bool:
    """Return whether an interval below these keys is a number's of this name."""
    return name in keys or (len(keys) > 1 and name == f"{keys[-1]}_{keys[-2]}")


def intervals_in(details: object, path: tuple[str, ...] = ()) -> Iterator[tuple]:
    """Yield the keys above each interval of nested details, and the interval."""
    if is_interval(details):
        yield path, details
    if isinstance(details, dict):  # an interval may have one of other units within it
        for key, each in details.items():
            yield from intervals_in(each, (*path, key))


def claims_table(settled: dict, asked: dict, rankers: dict) -> Table:
    """Return every settled claim in words, with its verdict and difference in every group.

    asked: claims.yaml, which has the words and the metrics' margins; rankers: the group of
    params.yaml, by which a group that is a small ranker in another's place is called so.
    """
    claims, metrics = asked.get("claims", {}), asked.get("rows", {}).get("metrics", {})
    groups = dict.fromkeys(group for found in settled.values() for group in found)
    shown = [shown_name(group, rankers.get(group, {})) or "result" for group in groups]
    rows = [["claim", *shown]]
    for name, found in settled.items():
        claim = claims.get(name, {})
        margin = metrics.get(claim.get("metric"), {}).get("margin")
        cells = [
            claim_cell(found[group], margin) if group in found else "not run" for group in groups
        ]
        rows.append([" ".join([claim.get("claim", name), claim.get("why", "")]).strip(), *cells])
    return rows


def claim_cell(found: dict, margin: float | None = None) -> str:
    """Return a verdict with its difference; of one that was no test, why it was none."""
    if "why" in found:
        return f"{found['verdict']}: {found['why']}"
    if found["verdict"] == IDENTICAL:
        return str(found["verdict"])
    size = tell_size(found["verdict"], found["low"], found["high"], margin)
    return f"{found['verdict']}{size}: {with_ends(found | {'value': found['difference']})}"


def is_interval(value: object) -> bool:
    """Return whether a value is an interval {value, low, high}, whatever else it has."""
    return isinstance(value, dict) and {"value", "low", "high"} <= value.keys()


def in_words(nested: dict) -> dict[str, object]:
    """Return nested numbers as text, an interval as one."""
    return {
        name: with_ends(value)
        if is_interval(value)
        else in_words(value)
        if isinstance(value, dict)
        else brief(value)
        for name, value in nested.items()
        if value != {}
    }


def brief(value: object) -> str:
    """Return a number with three decimals, or none if it is whole; what is no number as it is."""
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() else f"{value:.3f}"
    return "-" if value is None else str(value)
