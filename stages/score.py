"""score: where the generated texts would rank among each query's real passages.

`candidates` scores the real passages and the references (floor, empty text), once per ranker;
`texts` scores only what was generated, so an experiment on its length or prompt takes seconds.
"""

from pathlib import Path
from typing import Annotated

from typer import Option

from genlab.core.files import write_json
from genlab.core.options import grouped_options
from genlab.core.processes import is_first
from genlab.core.program import run, stage_app
from genlab.core.progress import progress
from genlab.core.tables import CLUSTERS, read_table, write_table
from genlab.models.token_texts import MaxBlankShare, check_blanks, check_lengths, cut_texts
from genlab.ranking import places, quality
from genlab.ranking.candidates import (
    SCHEMA,
    count_texts,
    evaluated_queries,
    read_all_candidates,
    score_candidates,
)
from genlab.ranking.panel import Panel, rate_texts
from genlab.ranking.places import Convention
from genlab.ranking.samples import table_of_parts
from genlab.ranking.summary import (
    measure_texts,
    place_histogram,
    place_under_all,
    table_of,
)
from genlab.statistics.clusters import find_clusters, tell_clusters

app = stage_app()

Seed = Annotated[int, Option(min=0, help="of the references and the bootstrap")]


@app.command()
def candidates(
    queries: Path,
    ranker: Path,
    output: Path,
    metrics: Annotated[Path, Option(help="the ranker's own MRR, MAP and nDCG@10")],
    n_queries: Annotated[int, Option(min=0, help="validation queries to take; 0: all")],
    batch_size: Annotated[int, Option(min=1, help="texts a ranker encodes at a time")],
    seed: Seed,
) -> None:
    """Score the real passages of every evaluated query under one ranker, and judge the ranker."""
    from genlab.ranking.rankers import load_ranker

    asked = evaluated_queries(queries, n_queries)
    judge = load_ranker(ranker, batch_size)
    with progress(f"scoring with {judge.name}", count_texts(asked), "texts"):
        scored = score_candidates(asked, judge.relevance, seed)
    if is_first():
        write_table(output, [scored], SCHEMA)
        of_queries = asked.select("query_id", *CLUSTERS)
        rows = quality.judge(scored).join(
            of_queries, on="query_id", how="left", maintain_order="left"
        )
        found = quality.summarize(rows, seed)
        write_json(metrics, {"quality": found | quality.count_queries(rows)})
        print(f"{judge.name}: {quality.in_words(found)}; speed is in the line above")


def check_texts(max_len: int, cap: int, num_beams: int) -> None:
    """Raise InputError unless the texts can be cut from what was generated."""
    check_lengths(max_len, cap, num_beams)


@app.command()
@grouped_options
def texts(
    generated: Path,
    base: Path,
    rankers_folder: Path,
    candidates_folder: Path,
    output: Path,
    metrics: Annotated[Path, Option(help="headline numbers")],
    details: Annotated[Path, Option(help="interval, chance, floor and ceiling of each")],
    histogram: Annotated[Path, Option(help="places, for dvc plots")],
    panel: Panel,
    convention: Convention,
    max_len: Annotated[int, Option(min=1, help="new tokens of each text that are ranked")],
    cap: Annotated[int, Option(min=1, help="new tokens that were generated")],
    num_beams: Annotated[int, Option(min=1)],
    max_blank_share: MaxBlankShare,
    seed: Seed,
) -> None:
    """Score and place the generated texts."""
    from genlab.models.loading import load_tokenizer

    check_texts(max_len, cap, num_beams)
    table = read_table(generated)
    queries = table["query"].to_list()
    tokenizer = load_tokenizer(base)
    check_blanks(cut_texts(table, tokenizer, max_len, strip_query=True), max_blank_share)
    ranked = cut_texts(table, tokenizer, max_len, convention.strip_query)

    real = read_all_candidates(candidates_folder, panel.rankers, table)
    ratings = rate_texts(panel.folders(rankers_folder), panel.batch_size, queries, ranked)
    if not is_first():
        return

    of_texts = table.select("sample", *CLUSTERS)
    rows, headline, beside = place_under_all(ratings, real, of_texts, convention.legacy, seed)
    placed = places.in_one_table(rows, ranked)
    write_table(output, [placed], placed.schema)

    write_json(metrics, headline | {"texts": measure_texts(table, ranked, max_len)})
    write_json(details, beside)
    write_json(histogram, place_histogram(rows))
    clusters = tell_clusters(find_clusters(table).counted)
    print(*filter(None, [table_of(beside), clusters, table_of_parts(rows)]), sep="\n")


if __name__ == "__main__":
    run(app)
