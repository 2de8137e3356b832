"""Write README's tables from metrics/, claims.yaml and docstrings.

README.md, and RESULTS.md for what it has no room for, hold markers `<!-- NAME -->` ...
`<!-- /NAME -->` for the tables they want, of TABLES below; what stands between them is replaced.
Run `python -m genlab readme` after new metrics are committed; a test compares.
"""

import re
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path

import typer

from genlab.core.markdown import markdown_table
from genlab.core.params import did_you_mean
from genlab.core.pipeline import check_pipeline_here
from genlab.core.program import InputError, run, stage_app
from genlab.core.shapes import AGAIN, reading
from genlab.core.stand_ins import shown_name
from genlab.experiments.claims_file import (
    HEADLINE_ROWS,
    WHY,
    check_headline_rows,
    read_asked,
)
from genlab.experiments.claims_tables import (
    agreeing,
    arms_table,
    claim_cell,
    claims_table,
    in_words,
    keys_of,
    margin_of,
    verdicts_line,
    with_interval,
)
from genlab.experiments.layout import Layout, read_layout
from genlab.experiments.over_collections import (
    FAILS,
    HOLDS,
    VERDICTS,
    cell_of,
    elsewhere_of,
    findings_table,
    rankers_in,
    rankers_table,
    verdicts_table,
)
from genlab.experiments.published import groups_of
from genlab.experiments.revisions import parse_metrics
from genlab.experiments.stages_table import stages_table
from genlab.experiments.task_tables import tasks_table
from genlab.experiments.verified import describe_verified

app = stage_app()


def stand_ins(folder: Path, published: dict) -> dict[str, str]:
    """Return ranker -> `RANKER (mini)` for each published one in whose place a small one judged.

    The manifest of a fetched ranker says so. Of a ranker that was not published (bm25) the name
    promises no other model.
    """
    names = {}
    for name in keys_of({arm: groups_of(found) for arm, found in published["arms"].items()}):
        manifest = folder / f"metrics/fetch/{name}_manifest.json"
        shown = shown_name(name, read_json(manifest)) if manifest.is_file() else name
        if shown != name:
            names[name] = shown
    return names


def references_table(details: dict, layout: Layout, names: dict[str, str]) -> str:
    """Return the default run's metrics beside chance, floor and ceiling; names as above."""
    columns = ("chance", "floor", "ceiling")
    rows = [[layout.group or "", "metric", "tuned", *columns]]
    for group, metrics in details.items():
        for metric in layout.shown:
            numbers = metrics[metric]
            references = [f"{numbers[name]:.2f}" if name in numbers else "" for name in columns]
            rows.append([names.get(group, group), metric, with_interval(numbers), *references])
    return markdown_table(rows)


def published_table(reread: dict, claims: dict) -> str:
    """Return how the source study's claims, best arms and chance stand in its own numbers."""
    groups = list(reread["below_chance"])
    rows = [["claim, checked on the study's own numbers", *groups]]
    for name, checked in reread["claims"].items():
        rows.append([claims[name]["claim"], *(own_numbers_cell(checked[g]) for g in groups)])
    for table, best in reread["best"].items():
        cells = []
        for group in groups:
            arms: dict[str, list[str]] = {}
            for metric, arm in best[group].items():
                arms.setdefault(in_words(arm), []).append(metric)
            cells.append(
                "; ".join(f"{arm}: {listed(metrics, best[group])}" for arm, metrics in arms.items())
            )
        rows.append([f"best by {table}", *cells])
    cells = [
        "; ".join(f"{in_words(arm)}: {', '.join(metrics)}" for arm, metrics in arms.items())
        for arms in reread["below_chance"].values()
    ]
    rows.append(["worse than a random place", *(cell or "none" for cell in cells)])
    return markdown_table(rows)


def exploratory_line(reread: dict) -> str:
    """Return how many comparisons of published shares were made; "" for an older record."""
    if "n_tests" not in reread:
        return ""
    return (
        f"These {reread['n_tests']} comparisons of shares are exploratory: each has an interval of "
        "its own, and none is corrected for the others.\n\n"
    )


def own_numbers_cell(cells: dict[str, dict]) -> str:
    """Return in how many metrics a claim is seen, and how surely, and in which it is not."""
    shares = [cell for cell in cells.values() if "low" in cell]
    sure = [cell for cell in shares if cell["verdict"] == "agrees, significant"]
    words = (
        f"holds in {agreeing(cells)} metrics ({len(sure)} of {len(shares)} shares significantly)"
    )
    against = [
        metric + ", not significantly" * cell["verdict"].endswith("not significant")
        for metric, cell in cells.items()
        if cell["verdict"].startswith("disagrees")
    ]
    return f"{words}; **not in** {'; '.join(against)}" if against else words


def listed(metrics: list[str], everything: dict) -> str:
    """Return metrics by name, or "all"."""
    return "all" if len(metrics) == len(everything) else ", ".join(metrics)


def probes_table(details: dict, layout: Layout, names: dict[str, str]) -> str:
    """Return every probe's first shown metric in every group; names as above."""
    metric = layout.shown[0]
    rows = [[f"text in the slot, {metric}", *(names.get(group, group) for group in details)]]
    for probe in keys_of(details):
        cells = [
            with_interval(found[probe][metric]) if probe in found else ""
            for found in details.values()
        ]
        rows.append([in_words(probe), *cells])
    return markdown_table(rows)


def outcomes_table(details: dict, layout: Layout) -> str:
    """Return every arm's shown metrics, macro-averaged, under each way of decoding."""
    rows = [["decoding", "arm", *(in_words(metric) for metric in layout.shown)]]
    for decoding, arms in details.items():
        for arm, numbers in arms.items():
            macro = numbers["macro"]
            cells = [with_interval(macro[m]) if m in macro else "" for m in layout.shown]
            rows.append([decoding, in_words(arm), *cells])
    return markdown_table(rows)


def spreads_table(details: dict, layout: Layout) -> str:
    """Return every arm's shown metrics, over the texts of one model."""
    rows = [["arm", *map(in_words, layout.shown)]]
    for arm, metrics in details.items():
        cells = [with_interval(metrics[metric]["texts"]) for metric in layout.shown]
        rows.append([in_words(arm), *cells])
    return markdown_table(rows)


def example_lines(example: dict, names: dict[str, str]) -> str:
    """Return one query, a passage that answers it, the generated text and its places; names above.

    example: as the report stage writes it; its texts are quoted so that they mark up nothing.
    """
    places = ", ".join(
        f"{names.get(ranker, ranker)} {place:g}" for ranker, place in example["places"].items()
    )
    said = {
        "Query": f"{code(example['query'])}, **our text's place** among its "
        f"{example['n_texts'] - 1} real passages: {places}",
        "Our text": code(example["text"]),
        "A real answer": code(example["answer"]),
    }
    return "\n>\n".join(wrapped(f"**{name}:** {text}", "> ", "> ") for name, text in said.items())


def code(text: str) -> str:
    """Return text as Markdown code, in which nothing is markup but its own backticks."""
    one_line = " ".join(text.split()).replace("`", "'")
    return f"`{one_line}`"


def headlines_list(
    settled: dict, content: dict, layout: Layout, names: dict, elsewhere: dict
) -> str:
    """Return the claims that claims.yaml names under `headlines`, each with its verdicts."""
    lines = []
    for name in content.get("headlines") or []:
        found = settled["claims"].get(name, {})
        claim = content["claims"][name]
        margin = margin_of(claim, layout)
        cells = [
            f"{in_words(names.get(group, group))} {claim_cell(cell, margin)}".strip()
            for group, cell in found.items()
        ]
        real = f" On real rankers and passages: {elsewhere[name]}." if name in elsewhere else ""
        why = f" {claim[WHY]}" if WHY in claim else ""
        said = f"{claim['claim']} Here: {'; '.join(cells) or 'not run'}.{why}{real}"
        lines.append(wrapped(said, "- ", "  "))
    return "\n".join(lines)


def headlines_over_collections(settled: dict, content: dict, layout: Layout) -> str:
    """Return the claims under `headlines`, each with its verdicts over collections, by ranker."""
    lines = []
    for name in content.get("headlines") or []:
        found, margin = settled["claims"].get(name, {}), margin_of(content["claims"][name], layout)
        cells = [f"{ranker} {cell_of(found, ranker, margin)}" for ranker in rankers_in(settled)]
        lines.append(wrapped(f"{content['claims'][name]['claim']} {'; '.join(cells)}.", "- ", "  "))
    return "\n".join(lines)


def headline_rows(content: dict, table: Callable[[str], str], own: Iterable[str] = ()) -> str:
    """Return the rows and columns of a table that claims.yaml names under `headline_rows`.

    There `table` is its name, `rows` maps columns to the cells of those rows that are shown (all if
    left out), and `columns` lists what is shown of them. own: names of a pipeline's own tables.
    Raises InputError for one that is not there.
    """
    where, asked = "claims.yaml: headline_rows", content.get(HEADLINE_ROWS)
    if asked is None:
        raise InputError(f"{where}: is not there, and README wants it; give a table and columns")
    check_headline_rows(where, asked)
    known = [name for name in (*TABLES, *own) if name not in NO_ROWS]
    if asked["table"] not in known:
        hint = did_you_mean(asked["table"], known)
        raise InputError(f"{where}: {asked['table']} is no table with rows{hint}")
    lines = [line for line in table(asked["table"]).splitlines() if line.startswith("|")]
    header, _, *body = (line[2:-2].split(" | ") for line in lines)
    wanted = asked.get("rows", {})
    for name in [*asked["columns"], *wanted]:
        if name not in header:
            hint = did_you_mean(name, header)
            raise InputError(f"{where}: {asked['table']} has no column {name}{hint}")
    rows = [dict(zip(header, cells, strict=True)) for cells in body]
    for name, cells in wanted.items():
        there = {row[name] for row in rows}
        for cell in cells:
            if cell not in there:
                hint = did_you_mean(str(cell), there)
                raise InputError(f"{where}: {asked['table']} has no {name} {cell}{hint}")
    shown = [row for row in rows if all(row[name] in cells for name, cells in wanted.items())]
    columns = asked["columns"]
    shown_lines = [
        columns,
        ["---"] * len(columns),
        *([row[name] for name in columns] for row in shown),
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in shown_lines)


def wrapped(text: str, first: str, later: str) -> str:
    """Return text in lines of at most 100 characters that begin so."""
    return textwrap.fill(
        text,
        100,
        initial_indent=first,
        subsequent_indent=later,
        break_long_words=False,
        break_on_hyphens=False,
    )


PAGES = ("README.md", "RESULTS.md")  # the second holds what the first has no room for
TABLES = (
    *("claims", "arms", "references", "published", "probes", "outcomes", "spreads", "verified"),
    *("verdicts", "rankers", "findings", "example", "headlines", "tasks"),
    *("headlines_over_collections", "headline_rows", "stages"),
)
# Those that are lists or sentences.
NO_ROWS = ("example", "headlines", "headlines_over_collections", "headline_rows", "verified")


def own_tables(folder: Path) -> dict[str, list[list[str]]]:
    """Return the tables that a pipeline makes itself: name -> rows, first the header."""
    found: dict[str, list[list[str]]] = {}
    for path in sorted((folder / "metrics/readme").glob("*.json")):
        for name, rows in read_json(path).items():
            is_table = isinstance(rows, list) and rows and all(isinstance(r, list) for r in rows)
            if not is_table or len({len(row) for row in rows}) > 1:
                raise InputError(f"{path}: {name} is no list of rows of one length; {AGAIN}")
            found[name] = [[str(cell) for cell in row] for row in rows]
    return found


def fill(
    text: str, table: Callable[[str], str], own: Iterable[str] = (), page: str = PAGES[0]
) -> str:
    """Return `text` with table(NAME) between each pair of markers.

    own: names of a pipeline's own tables. page: what messages call the text. Raises
    InputError for a marker of no known table, or one without its other half.
    """
    known = (*TABLES, *own)
    names = re.findall(r"^<!-- (\w+) -->$", text, re.MULTILINE)
    for name in names:
        if name not in known:
            raise InputError(f"{page}: <!-- {name} --> is no table{did_you_mean(name, known)}")
        pattern = re.compile(
            rf"^(<!-- {name} -->\n).*?^(<!-- /{name} -->)$", re.DOTALL | re.MULTILINE
        )
        found = pattern.search(text)
        if not found:
            raise InputError(f"{page}: <!-- {name} --> without <!-- /{name} --> below it")
        text = f"{text[: found.end(1)]}{table(name)}\n{text[found.start(2) :]}"
    return text


def read_json(path: Path) -> dict:
    """Return a file of metrics/; raise InputError if it is not there, or no JSON."""
    if not path.is_file():
        raise InputError(
            f"{path}: no such file; `dvc repro` and `python -m genlab claims run` make them"
        )
    return parse_metrics(path, path.read_bytes(), None)


def render(folder: Path, name: str = "README.md") -> str:
    """Return a page of PAGES of a pipeline's folder with its tables made anew from metrics/.

    Of a pipeline that has a record of its own, from record/.
    """
    layout = read_layout(folder / "claims.yaml")
    content = read_asked(folder / "claims.yaml", layout)
    published = content.get("published", {})
    names = stand_ins(folder, published) if published else {}
    own = own_tables(folder)
    trained = (content.get("trainings") or {}).get("params", [])
    files: list[Path] = []

    def read(name: str) -> dict:
        record = folder / "record" / name
        files.append(record if record.is_file() else folder / "metrics" / name)
        return read_json(files[-1])

    def made(name: str) -> str:
        files.clear()
        with reading(files, f"{AGAIN}, unless claims.yaml asks for what no run has"):
            return table(name)

    def table(name: str) -> str:
        match name:
            case "claims":
                reread = read("published.json") if published else {}
                settled = read("claims.json")
                above = verdicts_line(settled, content["claims"], layout, trained=trained)
                elsewhere = elsewhere_of(folder)
                return above + claims_table(
                    settled, content["claims"], reread, layout, names, elsewhere
                )
            case "arms":
                return arms_table(read("claims.json"), layout, published, names)
            case "references":
                return references_table(read("score_details.json"), layout, names)
            case "published":
                reread = read("published.json")
                return exploratory_line(reread) + published_table(reread, content["claims"])
            case "probes":
                return probes_table(read("probe_details.json"), layout, names)
            case "outcomes":
                return outcomes_table(read("score_details.json"), layout)
            case "spreads":
                return spreads_table(read("score_details.json"), layout)
            case "verdicts":
                settled = read("claims.json")
                above = verdicts_line(
                    settled,
                    content["claims"],
                    layout,
                    trained=trained,
                    called=(VERDICTS[HOLDS], VERDICTS[FAILS]),
                )
                return above + verdicts_table(settled, content["claims"], layout)
            case "rankers":
                return rankers_table(read("score_details.json"))
            case "findings":
                return findings_table(folder)
            case "tasks":
                return tasks_table(read("score_tasks.json"))
            case "example":
                return example_lines(read("examples.json")["middling"], names)
            case "headlines":
                settled = read("claims.json")
                return headlines_list(settled, content, layout, names, elsewhere_of(folder))
            case "headlines_over_collections":
                return headlines_over_collections(read("claims.json"), content, layout)
            case "headline_rows":
                return headline_rows(content, table, own)
            case "stages":
                return stages_table(folder / "dvc.yaml")
            case "verified":
                return wrapped(describe_verified(folder), "", "")
            case _ if name in own:
                return markdown_table(own[name])
            case _:
                raise ValueError(f"{name} is in TABLES but nothing makes it")

    return fill((folder / name).read_text(encoding="utf-8"), made, own, name)


@app.command()
def main(folder: Path = typer.Argument(Path("."), help="folder of the dvc.yaml")) -> None:
    """Write the tables into README.md, and into RESULTS.md where there is one."""
    check_pipeline_here(folder)
    texts = {name: render(folder, name) for name in PAGES if (folder / name).is_file()}
    if not texts:
        raise InputError(f"{folder}: has no {' or '.join(PAGES)}; give the folder of a pipeline")
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run(app)
