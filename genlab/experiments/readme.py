"""Write README's tables from metrics/ and claims.yaml.

A README holds markers `<!-- NAME -->` ... `<!-- /NAME -->` for the tables it wants, of TABLES
below; what stands between them is replaced. Run `python -m genlab readme` after new metrics are
committed; a test compares.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path

import typer

from genlab.core.markdown import markdown_table
from genlab.core.params import did_you_mean
from genlab.core.program import InputError, run, stage_app
from genlab.experiments.comparison import IDENTICAL, NO_DIFFERENCE, NOT_SETTLED
from genlab.experiments.comparison_views import rounded_up
from genlab.experiments.layout import Layout, read_layout, read_yaml
from genlab.experiments.published import FLAG, groups_of, numbers_of

app = stage_app()


def with_interval(numbers: dict[str, float]) -> str:
    """Return "4.56 (4.31-4.80)"."""
    return f"{numbers['value']:.2f} ({numbers['low']:.2f}-{numbers['high']:.2f})"


def in_words(name: str) -> str:
    """Return a name of ours as words."""
    return name.replace("_", " ")


def keys_of(tables: dict[str, dict]) -> list[str]:
    """Return every key that one of the tables has, in order of appearance."""
    return list(dict.fromkeys(key for table in tables.values() for key in table))


def stand_ins(folder: Path, published: dict) -> dict[str, str]:
    """Return ranker -> `RANKER (mini)` for each published one in whose place a small one judged.

    The manifest of a fetched ranker says so. Of a ranker that was not published (bm25) the name
    promises no other model.
    """
    names = {}
    for name in keys_of({arm: groups_of(found) for arm, found in published["arms"].items()}):
        manifest = folder / f"metrics/fetch/{name}_manifest.json"
        if manifest.is_file() and read_json(manifest)["source"] == "mini":
            names[name] = f"{name} (mini)"
    return names


def arms_table(settled: dict, layout: Layout, published: dict, names: dict[str, str]) -> str:
    """Return every arm that is an experiment, with intervals, and what was published for it.

    names: what to call a group that is not called by its own name (`stand_ins`).
    """
    first = layout.shown[0]
    header = [layout.group or "", "arm", *layout.shown]
    rows = [[*header, f"published {first}"] if published else header]
    for group in keys_of(settled["arms"]):
        for arm, groups in settled["arms"].items():
            found = groups.get(group, {})
            cells = [with_interval(found[m]) if m in found else "" for m in layout.shown]
            if published:
                cells.append(published_cell(published, arm, group, first))
            rows.append([names.get(group, group), in_words(arm), *cells])
    return markdown_table(rows)


def published_cell(published: dict, arm: str, group: str, metric: str) -> str:
    """Return an arm's published number and whether it is about the same data and model."""
    numbers = numbers_of(published, arm, group)
    if metric not in numbers:
        return ""
    world = "same" if published["arms"][arm][FLAG] else "other"
    return f"{numbers[metric]:.2f} on {world} data and model"


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


def claims_table(settled: dict, claims: dict, reread: dict, names: dict[str, str]) -> str:
    """Return every claim with its paired difference and verdict in every group; names as above."""
    groups = keys_of(settled["arms"])
    beside = ["in the study's own numbers"] if reread else []
    rows = [["claim", "pairs", *(names.get(group, group or "result") for group in groups), *beside]]
    for name, claim in claims.items():
        found = settled["claims"].get(name, {})
        n = "/".join(str(n) for n in dict.fromkeys(found[g]["n"] for g in groups if g in found))
        cells = [claim_cell(found[group]) if group in found else "not run" for group in groups]
        if reread:
            checked = reread["claims"].get(name, {})
            cells.append(", ".join(f"{g} {agreeing(cells)}" for g, cells in checked.items()))
        rows.append([claim["claim"], n, *cells])
    return markdown_table(rows)


def claim_cell(found: dict) -> str:
    """Return a verdict with its numbers; of one that was no test, why it was none."""
    verdict = f"**{found['verdict']}**"
    if "why" in found:
        return f"{verdict}: {found['why']}"
    if found["verdict"] == IDENTICAL:
        return verdict
    interval = f"({found['low']:+z.3f} to {found['high']:+z.3f})"
    needed = f", needs {rounded_up(found['n_needed']):,}" if found.get("n_needed") else ""
    return f"{verdict} {found['difference']:+z.3f} {interval}{needed}"


def verdicts_line(settled: dict, layout: Layout) -> str:
    """Return what stands above the claims: the unit, Holm's family and what the verdicts mean.

    "" for a record that was written before it said how many tests were made.
    """
    cells = [cell for groups in settled["claims"].values() for cell in groups.values()]
    if not any("n_tests" in cell for cell in cells):
        return ""
    n_tests = max(cell.get("n_tests", 0) for cell in cells)
    no_test = sum(cell.get("p_adjusted") is None for cell in cells)
    lines = [
        f"Each cell is B - A, paired by {layout.unit}, with its 95 % interval. *Supported* and "
        "*contradicted*: the interval excludes zero, and so does p < 0.05 after Holm's correction "
        f"for the {n_tests} tests in this table"
        + (f" (in {no_test} cells no pair differs, so they are no tests)." if no_test else ".")
    ]
    meanings = {
        NO_DIFFERENCE: "*No difference beyond M*: the interval lies within M, a margin of "
        "claims.yaml; it is not corrected for the number of tests.",
        NOT_SETTLED: "*Not settled*: neither; after *needs* the number of pairs that would settle "
        "it, if the difference and its spread stay.",
        IDENTICAL: "*Identical*: both arms are the same texts, so nothing was tested.",
    }
    verdicts = {cell["verdict"] for cell in cells}
    lines += [
        meaning
        for start, meaning in meanings.items()
        if any(verdict.startswith(start) for verdict in verdicts)
    ]
    return " ".join(lines) + "\n\n"


def agreeing(cells: dict[str, dict]) -> str:
    """Return "5 of 5": in how many published metrics a claim's direction is seen."""
    agree = [cell for cell in cells.values() if cell["verdict"].startswith("agrees")]
    return f"{len(agree)} of {len(cells)}"


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
    """Return every arm's shown metrics, over one model's texts and over training seeds."""
    shown = [in_words(metric) for metric in layout.shown]
    rows = [["arm", *(f"{m}, {of}" for m in shown for of in ("one model", "training seeds"))]]
    for arm, metrics in details.items():
        cells = [
            with_interval(metrics[metric][of]) if of in metrics[metric] else ""
            for metric in layout.shown
            for of in ("texts", "seeds")
        ]
        rows.append([in_words(arm), *cells])
    return markdown_table(rows)


def tasks_table(details: dict) -> str:
    """Return every task's median over its prompts, and their range, for each arm beside chance.

    details: {how it was asked: {task: {arm: numbers}}}.
    """
    rows = [["asked by", "task", "arm", "chance", "median over prompts", "range over prompts"]]
    for asked, tasks in details.items():
        for task, arms in tasks.items():
            for arm, found in arms.items():
                ends = f"{found['least']:.2f}-{found['most']:.2f}"
                cells = [f"{found['chance']:.2f}", with_interval(found["accuracy"]), ends]
                rows.append([asked, in_words(task), in_words(arm), *cells])
    return markdown_table(rows)


TABLES = (
    *("claims", "arms", "references", "published", "probes"),
    *("outcomes", "spreads", "tasks"),
)


def fill(text: str, table: Callable[[str], str]) -> str:
    """Return `text` with table(NAME) between each pair of markers.

    Raises InputError for a marker of no known table, or one without its other half.
    """
    names = re.findall(r"^<!-- (\w+) -->$", text, re.MULTILINE)
    for name in names:
        if name not in TABLES:
            raise InputError(f"README.md: <!-- {name} --> is no table{did_you_mean(name, TABLES)}")
        pattern = re.compile(
            rf"^(<!-- {name} -->\n).*?^(<!-- /{name} -->)$", re.DOTALL | re.MULTILINE
        )
        found = pattern.search(text)
        if not found:
            raise InputError(f"README.md: <!-- {name} --> without <!-- /{name} --> below it")
        text = f"{text[: found.end(1)]}{table(name)}\n{text[found.start(2) :]}"
    return text


def read_json(path: Path) -> dict:
    """Return a file of metrics/; raise InputError if it is not there."""
    if not path.is_file():
        raise InputError(
            f"{path}: no such file; `dvc repro` and `python -m genlab claims run` make them"
        )
    return json.loads(path.read_text(encoding="utf-8"))


def render(folder: Path) -> str:
    """Return README.md of a pipeline's folder with its tables made anew from metrics/."""
    layout = read_layout(folder / "claims.yaml")
    content = read_yaml(folder / "claims.yaml")
    published = content.get("published", {})
    names = stand_ins(folder, published) if published else {}

    def read(name: str) -> dict:
        return read_json(folder / "metrics" / name)

    def table(name: str) -> str:
        match name:
            case "claims":
                reread = read("published.json") if published else {}
                settled = read("claims.json")
                above = verdicts_line(settled, layout)
                return above + claims_table(settled, content["claims"], reread, names)
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
            case "tasks":
                return tasks_table(read("score_tasks.json"))
            case _:
                raise ValueError(f"{name} is in TABLES but nothing makes it")

    return fill((folder / "README.md").read_text(encoding="utf-8"), table)


@app.command()
def main(folder: Path = typer.Argument(Path("."))) -> None:
    """Write the tables into README.md."""
    text = render(folder)
    (folder / "README.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run(app)
