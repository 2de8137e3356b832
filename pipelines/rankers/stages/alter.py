"""alter: passages of known parts, for every collection, before any ranker sees them.

Reads a collection. Writes every probe's text for the first answerable queries, and how many there
are. No model is needed: lengths are words.
"""

from pathlib import Path
from typing import Annotated

from typer import Option

from genlab.core.files import write_json
from genlab.core.options import grouped_options
from genlab.core.program import run, stage_app
from genlab.core.tables import write_table
from genlab.experiments.layout import read_yaml
from genlab.ranking.candidates import evaluated_queries
from pipelines.rankers import altered_texts
from pipelines.rankers.altered_texts import Alterations

CLAIMS = Path("claims.yaml")

app = stage_app()


def check(repeats: list[int], cut_words: list[int]) -> None:
    """Raise InputError for doses that cannot be compared, or that claims.yaml lacks."""
    altered_texts.check_alterations(repeats, cut_words)
    altered_texts.check_arms(repeats, cut_words, read_yaml(CLAIMS)["arms"])


@app.command()
@grouped_options
def main(
    collection: Path,
    output: Path,
    metrics: Annotated[Path, Option(help="how many texts each probe has")],
    score_seed: Annotated[int, Option(min=0, help="seed of the candidates' random passages")],
    how: Alterations,
) -> None:
    """Alter the passages of one collection."""
    altered_texts.check_alterations(how.repeats, how.cut_words)
    queries = evaluated_queries(collection, 0)
    texts = altered_texts.alter(collection.stem, queries, score_seed, how)
    write_table(output, [texts], altered_texts.SCHEMA)
    write_json(metrics, altered_texts.sizes(texts))


if __name__ == "__main__":
    run(app)
