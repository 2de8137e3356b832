"""leakage: what evaluated queries share with the training split, and what that does to the metrics.

`find` looks each evaluated query, its answers and its passages up in the training split, after
dedup; `compare` puts the metrics of the queries with a leak beside those without. Two stages,
because finding depends on the corpus alone, and every experiment compares.
"""

from pathlib import Path
from typing import Annotated

from typer import Option

from genlab.core.files import write_json
from genlab.core.program import InputError, run, stage_app
from genlab.core.tables import read_batches, read_table, write_table
from genlab.passages.leaks import LEAK_SCHEMA, count_leaks, examples_of, find_leaks
from genlab.ranking.candidates import evaluated_queries
from genlab.ranking.leakage import check_same_queries, compare_halves, table_of
from genlab.text.minhash import NumPerm, PadEnds, ShingleChars, Shingles

# A tenth of the usual: each passage has its normalized text and its signature, and may be
# proposed as like ten others.
BATCH_ROWS = 2_000

app = stage_app()


@app.command()
def find(
    queries: Path,
    output: Path,
    metrics: Annotated[Path, Option(help="counts and shares by kind (JSON)")],
    n_queries: Annotated[int, Option(min=0, help="validation queries to take; 0: all")],
    query_threshold: Annotated[
        float, Option(min=0.5, max=1, help="similarity of near-duplicate queries")
    ],
    passage_threshold: Annotated[
        float, Option(min=0.5, max=1, help="similarity of near-duplicate passages")
    ],
    shingle_chars: ShingleChars,
    pad_ends: PadEnds,
    num_perm: NumPerm,
    seed: Annotated[int, Option(min=0, help="of the MinHash permutations")],
) -> None:
    """Find the training texts nearest to each evaluated query, its answers and its passages."""
    asked = evaluated_queries(queries, n_queries)
    shingles = Shingles(shingle_chars, pad_ends)
    hashing = {"num_perm": num_perm, "shingles": shingles, "seed": seed}

    leaks, n_train = find_leaks(
        asked, read_batches(queries, BATCH_ROWS), query_threshold, passage_threshold, hashing
    )
    if not n_train:
        raise InputError(
            f"{queries}: no training query, so nothing can leak; check the dedup stage"
        )

    write_table(output, [leaks], LEAK_SCHEMA)
    write_json(metrics, count_leaks(leaks, n_train))
    print(examples_of(leaks))


@app.command()
def compare(
    leaks: Path,
    scored: Path,
    metrics: Annotated[Path, Option(help="both halves and their difference (JSON)")],
    seed: Annotated[int, Option(min=0, help="of the bootstrap")],
) -> None:
    """Compare the metrics of clean and leaked queries."""
    found, rows = read_table(leaks), read_table(scored)
    check_same_queries(found, rows)

    compared = compare_halves(found, rows, seed)

    write_json(metrics, compared)
    print(table_of(compared))


if __name__ == "__main__":
    run(app)
