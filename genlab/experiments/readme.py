"""Write README's tables from metrics/, claims.yaml and docstrings.

README.md, and RESULTS.md for what it has no room for, hold markers `<!-- NAME -->` ...
`<!-- /NAME -->` for the tables they want, of TABLES below; what stands between them is replaced.
Run `python -m genlab readme` after new metrics are committed; a test compares.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import typer

from genlab.core.markdown import markdown_table
from genlab.core.params import did_you_mean
from genlab.core.pipeline import check_pipeline_here
from genlab.core.program import InputError, run, stage_app
from genlab.core.shapes import AGAIN, reading
from genlab.core.stand_ins import shown_name
from genlab.experiments.claims_file import read_asked
from genlab.experiments.claims_tables import arms_table, claims_table, keys_of, verdicts_line
from genlab.experiments.headlines import (
    example_lines,
    findings_list,
    headline_rows,
    headlines_list,
    headlines_over_collections,
    wrapped,
)
from genlab.experiments.layout import Layout, read_layout
from genlab.experiments.over_collections import (
    FAILS,
    HOLDS,
    VERDICTS,
    elsewhere_of,
    findings_table,
    rankers_table,
    verdicts_table,
)
from genlab.experiments.published import groups_of
from genlab.experiments.published_tables import exploratory_line, published_table
from genlab.experiments.revisions import parse_metrics
from genlab.experiments.score_tables import (
    outcomes_table,
    probes_table,
    references_table,
    spreads_table,
)
from genlab.experiments.stages_table import stages_table
from genlab.experiments.task_tables import tasks_table
from genlab.experiments.verified import describe_verified

app = stage_app()

PAGES = ("README.md", "RESULTS.md")  # the second holds what the first has no room for
TABLES = (
    *("claims", "arms", "references", "published", "probes", "outcomes", "spreads", "verified"),
    *("verdicts", "rankers", "findings", "example", "headlines", "tasks"),
    *("headlines_over_collections", "headline_rows", "stages", "first_findings"),
)
# Those that are lists or sentences.
NO_ROWS = (
    *("example", "headlines", "headlines_over_collections", "headline_rows"),
    *("first_findings", "verified"),
)


def stand_ins(folder: Path, published: dict) -> dict[str, str]:
    """Return ranker -> `RANKER (mini)` for the rankers that stand in for a published model.

    The manifest of a fetched ranker says whether it does. BM25 never does: it is no model.
    """
    names = {}
    for name in keys_of({arm: groups_of(found) for arm, found in published["arms"].items()}):
        manifest = folder / f"metrics/fetch/{name}_manifest.json"
        shown = shown_name(name, read_json(manifest)) if manifest.is_file() else name
        if shown != name:
            names[name] = shown
    return names


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
    """Return the content of a file of metrics/; raise InputError if it is missing or not JSON."""
    if not path.is_file():
        raise InputError(
            f"{path}: no such file; `dvc repro` and `python -m genlab claims run` make them"
        )
    return parse_metrics(path, path.read_bytes(), None)


@dataclass(frozen=True)
class Record:
    """A pipeline's folder, its claims.yaml, and the names under which its groups are shown."""

    folder: Path
    content: dict
    layout: Layout
    names: dict[str, str]
    own: dict[str, list[list[str]]]  # the tables that the pipeline makes itself
    files: list[Path] = field(default_factory=list)  # those that the table was made from so far

    def read(self, name: str) -> dict:
        """Return a file of record/, if the pipeline has it there, or of metrics/."""
        kept = self.folder / "record" / name
        self.files.append(kept if kept.is_file() else self.folder / "metrics" / name)
        return read_json(self.files[-1])


def make_table(name: str, record: Record) -> str:
    """Return one of TABLES."""
    read, layout, names = record.read, record.layout, record.names
    claims, published = record.content["claims"], record.content.get("published", {})
    trained = (record.content.get("trainings") or {}).get("params", [])
    match name:
        case "claims":
            settled, reread = read("claims.json"), read("published.json") if published else {}
            above = verdicts_line(settled, claims, layout, trained=trained)
            elsewhere = elsewhere_of(record.folder)
            return above + claims_table(settled, claims, reread, layout, names, elsewhere)
        case "arms":
            return arms_table(read("claims.json"), layout, published, names)
        case "references":
            return references_table(read("score_details.json"), layout, names)
        case "published":
            reread = read("published.json")
            return exploratory_line(reread) + published_table(reread, claims)
        case "probes":
            return probes_table(read("probe_details.json"), layout, names)
        case "outcomes":
            return outcomes_table(read("score_details.json"), layout)
        case "spreads":
            return spreads_table(read("score_details.json"), layout)
        case "verdicts":
            settled, called = read("claims.json"), (VERDICTS[HOLDS], VERDICTS[FAILS])
            above = verdicts_line(settled, claims, layout, trained=trained, called=called)
            return above + verdicts_table(settled, claims, layout)
        case "rankers":
            return rankers_table(read("score_details.json"))
        case "findings":
            return findings_table(record.folder)
        case "first_findings":
            return findings_list(record.folder)
        case "tasks":
            return tasks_table(read("score_tasks.json"))
        case "example":
            return example_lines(read("examples.json")["middling"], names)
        case "headlines":
            settled, elsewhere = read("claims.json"), elsewhere_of(record.folder)
            return headlines_list(settled, record.content, layout, names, elsewhere)
        case "headlines_over_collections":
            return headlines_over_collections(read("claims.json"), record.content, layout)
        case "headline_rows":
            known = [other for other in (*TABLES, *record.own) if other not in NO_ROWS]
            return headline_rows(record.content, lambda other: any_table(other, record), known)
        case "stages":
            return stages_table(record.folder / "dvc.yaml")
        case "verified":
            return wrapped(describe_verified(record.folder), "", "")
        case _:
            raise ValueError(f"{name} is in TABLES but nothing makes it")


def any_table(name: str, record: Record) -> str:
    """Return one of TABLES, or one that the pipeline makes itself."""
    return make_table(name, record) if name in TABLES else markdown_table(record.own[name])


def render(folder: Path, name: str = PAGES[0]) -> str:
    """Return a page of PAGES of a pipeline's folder with its tables made anew from metrics/.

    Of a pipeline that has a record of its own, from record/.
    """
    layout = read_layout(folder / "claims.yaml")
    content = read_asked(folder / "claims.yaml", layout)
    published = content.get("published", {})
    names = stand_ins(folder, published) if published else {}
    record = Record(folder, content, layout, names, own_tables(folder))

    def made(table: str) -> str:
        record.files.clear()
        with reading(record.files, f"{AGAIN}, unless claims.yaml asks for what no run has"):
            return any_table(table, record)

    return fill((folder / name).read_text(encoding="utf-8"), made, record.own, name)


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
