"""The report's one page: its payload of numbers and texts, and the HTML around it.

In: the tables and metrics of a run. Out: one HTML file that works from disk. Its payload is JSON in
a script element of a type no browser runs; page/page.js makes every element from it with
textContent. A second payload beside it makes a page of two runs.

Nothing from outside can become markup: in the JSON `<`, `>`, `&` and the two line separators that
old JavaScript trips over are escaped, what is written as HTML here is escaped too, and the page's
own policy lets no script run but the one whose hash it names.
"""

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl

from genlab.core.program import InputError
from genlab.core.tables import read_batches
from genlab.ranking.candidates import read_candidates
from genlab.ranking.places import TIE
from genlab.report.charts import Chart
from genlab.text.normal_form import words

PAGE = Path(__file__).resolve().parent / "page_files"

# Raised when the payload changes, so that a page never reads another's wrongly.
FORMAT = "genlab report 1"

LABELS = {
    "average_loc": "mean place",
    "average_rel_loc": "place / list length",
    "top_1": "at place 1",
    "top_3": "at places 1-3",
    "top_5": "at places 1-5",
    "fdaro": "above every selected passage",
    "fdaro_any": "above a selected passage",
}

# Where query ids have no topic, the kind of question stands for it.
QUESTION_WORDS = {"what", "how", "who", "where", "when", "which", "why", "is", "are", "can", "does"}
TOPIC = re.compile(r"-\d+-([a-z_]+)$")  # ids of the mini corpus: validation-17-lake

Table = list[list[str]]

PAYLOAD = re.compile(r'<script type="application/json" id="payload">(.*?)</script>', re.DOTALL)


# ---- the payload


def make_payload(
    rows: pl.DataFrame, queries: Path, candidates: Path, scores: dict, details: dict, n_queries: int
) -> dict:
    """Return the payload: the headline, and every query with its texts under each ranker.

    rows: the score stage's rows with their text; queries: the query table; candidates: the folder
    of scored passages; scores and details: the score stage's metrics; n_queries: 0 = all.
    """
    rankers = rows["ranker"].unique(maintain_order=True).to_list()
    by_ranker = rows.partition_by("ranker", as_dict=True)
    placed = {name: by_ranker[name,] for name in rankers}
    first = placed[rankers[0]].select("query_id", "text", "answerable")
    shown = first.head(n_queries) if n_queries else first
    asked = find_queries(queries, shown["query_id"])
    group_name, groups = group_queries(shown["query_id"].to_list(), asked["query"].to_list())
    entries = [
        {
            "id": row["query_id"],
            "query": row["query"],
            "words": sorted(set(words(row["query"]))),
            "group": group,
            "answerable": row["answerable"],
            "text": row["text"],
            "passages": [[p["text"], p["is_selected"]] for p in row["passages"]],
            "under": {},
        }
        for row, group in zip(
            shown.join(asked, on="query_id", maintain_order="left").to_dicts(), groups, strict=True
        )
    ]
    for name in rankers:
        path = candidates / f"{name}.parquet"
        of_passages = read_candidates(path, shown)["candidate_scores"].to_list()
        own = shown.select("query_id").join(placed[name], on="query_id", maintain_order="left")
        for entry, score, place, scored in zip(
            entries, own["score"], own["location"], of_passages, strict=True
        ):
            if len(scored) != len(entry["passages"]):
                raise InputError(
                    f"{path}: {len(scored)} scores for the {len(entry['passages'])} passages of "
                    f"query {entry['id']}; run `dvc repro score_candidates`"
                )
            entry["under"][name] = [place, shortest(score), [shortest(s) for s in scored]]
    return {
        "format": FORMAT,
        "tie": TIE,
        "rankers": rankers,
        "n_evaluated": first.height,
        "group_name": group_name,
        "texts": scores.get("texts", {}),
        "headline": headline(scores, details, rankers),
        "queries": entries,
    }


def headline(scores: dict, details: dict, rankers: list[str]) -> list[dict]:
    """Return for each metric its label, name, and per ranker value, interval and references."""
    metrics = dict.fromkeys(metric for name in rankers for metric in details.get(name, {}))
    return [
        {
            "name": metric,
            "label": LABELS.get(metric, metric.replace("_", " ")),
            "lower_is_better": metric.endswith("_loc"),
            "under": {
                name: {"value": scores[name][metric]} | details[name][metric]
                for name in rankers
                if metric in details.get(name, {})
            },
        }
        for metric in metrics
    ]


def find_queries(path: Path, query_ids: pl.Series) -> pl.DataFrame:
    """Return the rows of the query table with these ids, in their order.

    Raises InputError if one is not there.
    """
    wanted = query_ids.to_frame("query_id")
    found = [batch.join(wanted, on="query_id", how="semi") for batch in read_batches(path)]
    table = wanted.join(pl.concat(found), on="query_id", how="left", maintain_order="left")
    missing = table.filter(pl.col("passages").is_null())
    if missing.height:
        raise InputError(
            f"{path}: no query {missing['query_id'][0]}, which was scored; run `dvc repro`"
        )
    return table.select("query_id", "query", "passages")


def group_queries(query_ids: list[str], queries: list[str]) -> tuple[str, list[str]]:
    """Return what the queries are grouped by, and each one's group."""
    topics = [TOPIC.search(query_id) for query_id in query_ids]
    if all(topics):
        return "topic", [topic[1] for topic in topics]
    return "question word", [
        next((word for word in words(query) if word in QUESTION_WORDS), "none") for query in queries
    ]


def shortest(score: float) -> float:
    """Return a float32 with no more digits than tell it from all others."""
    return float(str(np.float32(score)))


def read_payload(content: str, name: str) -> dict:
    """Return the payload of a report's HTML; raise InputError if it is none."""
    found = PAYLOAD.search(content)
    if not found:
        raise InputError(f"{name}: no report (it has no payload); name one that `dvc repro` made")
    try:
        payload = json.loads(found[1])
    except json.JSONDecodeError as error:
        raise InputError(f"{name}: its payload is no JSON ({error}); run `dvc repro`") from None
    if not isinstance(payload, dict) or payload.get("format") != FORMAT:
        raise InputError(f"{name}: a report of another version; run `dvc repro` there again")
    return payload


# ---- the page


def render_page(
    payload: dict,
    charts: Iterable[Chart] = (),
    numbers: dict[str, list[Table]] | None = None,
    receipt: dict | None = None,
    other: dict | None = None,
    names: tuple[str, str] = ("this report", "the other report"),
) -> str:
    """Return the page's HTML.

    numbers: heading -> its tables; other: a second payload to stand beside the first; names: what
    the two are called.
    """
    script = (PAGE / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    parts = {
        "policy": f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'",
        "style": (PAGE / "page.css").read_text(encoding="utf-8"),
        "script": script,
        "payload": embed(payload),
        "other": embed({"names": names, "payload": other}),
        "charts": section("Charts", "".join(map(figure, charts)), "charts"),
        "numbers": section(
            "More numbers",
            "".join(
                f"<h3>{html.escape(title)}</h3>" + "".join(map(table, tables))
                for title, tables in (numbers or {}).items()
            ),
            "numbers",
        ),
        "receipt": fold("Receipt: data, params, versions", receipt),
    }
    # One pass, so that nothing put in is taken for a place to put something.
    template = (PAGE / "page.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)


def embed(content: object) -> str:
    """Return JSON that can stand in a script element, whatever its strings hold."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return re.sub("[<>&\u2028\u2029]", lambda match: f"\\u{ord(match[0]):04x}", text)


def section(title: str, inside: str, name: str) -> str:
    """Return a section, or nothing if nothing is in it."""
    return f'<section id="{name}"><h2>{title}</h2>{inside}</section>' if inside else ""


def figure(chart: Chart) -> str:
    """Return a chart with its heading and caption."""
    title, caption = html.escape(chart.title), html.escape(chart.caption)
    picture = chart.svg.replace("<svg ", f'<svg role="img" aria-label="{title}" ', 1)
    below = f"<figcaption>{caption}</figcaption>" if caption else ""
    return f"<figure><h3>{title}</h3>{picture}{below}</figure>\n"


def number_tables(nested: dict) -> list[Table]:
    """Return nested numbers as tables: a column for each group, those with other rows apart."""
    columns = {name: leaves(group) for name, group in nested.items() if isinstance(group, dict)}
    kinds: dict[tuple, list[str]] = {}
    for name, column in columns.items():
        kinds.setdefault(tuple(column), []).append(name)
    return [
        [["", *names]] + [[row, *(columns[name][row] for name in names)] for row in rows]
        for rows, names in kinds.items()
        if rows
    ]


def leakage_table(leakage: dict) -> Table:
    """Return the mean places of the queries with and without each kind of leak, and the gap."""
    rows = [["leak", "ranker", "mean place, clean (n)", "leaked (n)", "leaked less clean"]]
    for kind, rankers in leakage.items():
        for ranker, numbers in rankers.items():
            place = numbers.get("average_loc", {})
            cells = [
                f"{brief(place[half]) if half in place else '-'} ({numbers[f'n_{half}']})"
                for half in ("clean", "leaked")
            ]
            gap = "-"
            if "difference" in place:
                ends = f"{brief(place['low'])} to {brief(place['high'])}"
                gap = f"{brief(place['difference'])} ({ends})"
            rows.append([kind, ranker, *cells, gap])
    return rows


def leaves(nested: dict, prefix: str = "") -> dict[str, str]:
    """Return name -> number, with its interval where NAME_low and NAME_high stand beside it."""
    found = {}
    for name, value in nested.items():
        if isinstance(value, dict):
            found |= leaves(value, f"{prefix}{name}: ")
        elif not is_end_of_interval(name, nested):
            ends = [nested.get(f"{name}_{end}") for end in ("low", "high")]
            interval = "" if None in ends else f" ({brief(ends[0])} to {brief(ends[1])})"
            found[prefix + name] = brief(value) + interval
    return found


def is_end_of_interval(name: str, group: dict) -> bool:
    return any(name.endswith(end) and name.removesuffix(end) in group for end in ("_low", "_high"))


def brief(value: float) -> str:
    """Return a number with three decimals, or none if it is whole."""
    return str(int(value)) if value == int(value) else f"{value:.3f}"


def table(rows: Table) -> str:
    """Return rows, the first one and each first cell being headings, as an HTML table."""
    head, *body = [[html.escape(cell.replace("_", " ")) for cell in row] for row in rows]
    lines = ["<tr>" + "".join(f'<th scope="col">{cell}</th>' for cell in head) + "</tr>"]
    lines += [
        f'<tr><th scope="row">{first}</th>' + "".join(f"<td>{cell}</td>" for cell in rest) + "</tr>"
        for first, *rest in body
    ]
    return '<div class="wide"><table>' + "\n".join(lines) + "</table></div>\n"


def fold(title: str, content: dict | None) -> str:
    """Return indented JSON that unfolds, or nothing."""
    if content is None:
        return ""
    text = html.escape(json.dumps(content, indent=2, ensure_ascii=False))
    return f"<details><summary>{html.escape(title)}</summary><pre>{text}</pre></details>"
