"""README's tables, written from metrics/ and claims.yaml: no number is typed by hand.

A README holds markers `<!-- NAME -->` ... `<!-- /NAME -->`; what stands between them is replaced.
Run `python -m genlab.readme` after new metrics are committed; a test compares.
"""

import json
import re
from pathlib import Path

import typer
import yaml

from genlab.program import InputError, run, stage_app

app = stage_app()

SHOWN = ("average_loc", "top_1", "top_3", "fdaro")


def with_interval(numbers: dict[str, float]) -> str:
    """Return "4.56 (4.31-4.80)"."""
    return f"{numbers['value']:.2f} ({numbers['low']:.2f}-{numbers['high']:.2f})"


def arms_table(settled: dict, published: dict) -> str:
    """Return every arm under every ranker, with intervals, and the source study's average_loc."""
    lines = [
        f"| ranker | arm | {' | '.join(SHOWN)} | published average_loc* |",
        "|---|---|" + "---|" * (len(SHOWN) + 1),
    ]
    arms = settled["arms"]
    for ranker in next(iter(arms.values())):
        for arm, rankers in arms.items():
            cells = [with_interval(rankers[ranker][metric]) for metric in SHOWN]
            theirs = published.get(ranker, {}).get(arm)
            cells.append(
                f"{theirs[published['columns'].index('average_loc')]:.2f}" if theirs else ""
            )
            lines.append(f"| {ranker} | {arm.replace('_', ' ')} | {' | '.join(cells)} |")
    return "\n".join(lines)


def references_table(details: dict, headline: dict) -> str:
    """Return the default run's metrics beside chance, floor and ceiling."""
    columns = ("chance", "floor", "ceiling")
    lines = ["| ranker | metric | tuned | chance | floor | ceiling |", "|---|---|---|---|---|---|"]
    for ranker, metrics in details.items():
        for metric in SHOWN:
            numbers = metrics[metric] | {"value": headline[ranker][metric]}
            cells = [with_interval(numbers), *(f"{numbers[name]:.2f}" for name in columns)]
            lines.append(f"| {ranker} | {metric} | {' | '.join(cells)} |")
    return "\n".join(lines)


def claims_table(settled: dict, claims: dict) -> str:
    """Return every claim with its paired difference and verdict under every ranker."""
    rankers = list(next(iter(settled["arms"].values())))
    lines = [
        f"| claim | {' | '.join(rankers)} |",
        "|---|" + "---|" * len(rankers),
    ]
    for name, claim in claims.items():
        cells = []
        for ranker in rankers:
            found = settled["claims"][name].get(ranker)
            cells.append(
                f"**{found['verdict']}** {found['difference']:+.3f} "
                f"({found['low']:+.3f} to {found['high']:+.3f})"
                if found
                else "not run"
            )
        lines.append(f"| {claim['claim']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def fill(text: str, tables: dict[str, str]) -> str:
    """Return `text` with the tables between their markers; raise InputError if one is missing."""
    for name, table in tables.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if not pattern.search(text):
            raise InputError(f"README.md: no markers <!-- {name} --> ... <!-- /{name} -->")
        text = pattern.sub(lambda match, table=table: f"{match[1]}{table}\n{match[2]}", text)
    return text


def render(folder: Path) -> str:
    """Return README.md of a pipeline's folder with its tables made anew from metrics/."""

    def read(name: str) -> dict:
        return json.loads((folder / "metrics" / name).read_text(encoding="utf-8"))

    claims = yaml.safe_load((folder / "claims.yaml").read_text(encoding="utf-8"))
    settled = read("claims.json")
    return fill(
        (folder / "README.md").read_text(encoding="utf-8"),
        {
            "arms": arms_table(settled, claims["published"]),
            "references": references_table(read("score_details.json"), read("score.json")),
            "claims": claims_table(settled, claims["claims"]),
        },
    )


@app.command()
def main(folder: Path = typer.Argument(Path("."))) -> None:
    """Write the tables into README.md."""
    text = render(folder)
    (folder / "README.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run(app)
