"""probe: what does a ranker reward? Texts of known parts stand in the generated text's slot.

Reads the queries with their passages, the base model's tokenizer, the rankers and their candidate
scores. Nothing is generated, and no text is scored twice. Writes a row per query, ranker and probe,
and the metrics of genlab/ranking/probe_measures.py.
"""

from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json
from genlab.core.options import grouped_options
from genlab.core.program import run, stage_app
from genlab.core.tables import write_table
from genlab.ranking import probe_measures, probes
from genlab.ranking.candidates import evaluated_queries, passages_of_others, read_all_candidates
from genlab.ranking.panel import Panel, rate_texts

app = stage_app()


def check(repeats: list[int], cut_tokens: list[int]) -> None:
    """Raise InputError for a dose that is given twice."""
    probes.check_doses("probe.repeats", repeats)
    probes.check_doses("probe.cut_tokens", cut_tokens)


@app.command()
@grouped_options
def main(
    queries: Path,
    base: Path,
    rankers_folder: Path,
    candidates_folder: Path,
    output: Path,
    metrics: Annotated[Path, Option(help="headline numbers")],
    details: Annotated[Path, Option(help="every probe's metrics and places gained")],
    repeats_plot: Annotated[Path, Option(help="mean place by repeats of the query")],
    positions_plot: Annotated[Path, Option(help="by where the query stands")],
    words_plot: Annotated[Path, Option(help="by what words are there")],
    cuts_plot: Annotated[Path, Option(help="by the tokens left of a selected passage")],
    n_queries: Annotated[int, Option(min=0, help="validation queries to take; 0: all")],
    score_seed: Annotated[int, Option(min=0, help="seed of the candidates' random passages")],
    panel: Panel,
    repeats: Annotated[
        list[int], Option(min=1, max=1000, help="times the query stands before a passage")
    ],
    cut_tokens: Annotated[list[int], Option(min=1, help="tokens left of a selected passage")],
    seed: Annotated[int, Option(min=0, help="of random words, orders, gaps and the bootstrap")],
    params: Annotated[Path, Option(help="for rankers: as_score")] = Path("params.yaml"),
) -> None:
    """Make, score and place the texts of every probe."""
    from genlab.models.loading import load_tokenizer

    panel = panel.as_in(params)
    check(repeats, cut_tokens)
    asked = evaluated_queries(queries, n_queries)
    real = read_all_candidates(candidates_folder, panel.rankers, asked)

    random_passages = passages_of_others(asked, score_seed).to_list()
    texts, sizes = probes.make_texts(
        asked, random_passages, load_tokenizer(base), repeats, cut_tokens, seed
    )
    scored = probes.scored_pairs(asked, random_passages)
    pairs = probes.unscored_pairs(asked, texts, scored)
    ratings = rate_texts(
        panel.folders(rankers_folder),
        panel.batch_size,
        [query for query, _ in pairs],
        [text for _, text in pairs],
    )

    placed, headline, beside = {}, {}, {}
    for name, (relevance, _) in ratings.items():
        known = zip(scored, probes.candidate_scores(real[name]), strict=True)
        scores = dict(known) | dict(zip(pairs, relevance.tolist(), strict=True))
        placed[name] = probes.place_probes(asked, texts, real[name], scores)
        headline[name], measured = probe_measures.measure_probes(
            placed[name], asked["query_id"].to_list(), repeats, seed
        )
        beside[name] = {
            probe: numbers | sizes.get(probe, {}) for probe, numbers in measured.items()
        }

    rows = (frame.with_columns(ranker=pl.lit(name)) for name, frame in placed.items())
    write_table(output, (frame.select(probes.SCHEMA.names()) for frame in rows), probes.SCHEMA)
    write_json(metrics, headline)
    write_json(details, beside)
    for plot, x, shown in (
        (repeats_plot, "repeats", probe_measures.dose_probes(repeats)),
        (positions_plot, "position", probes.POSITIONS),
        (words_plot, "probe", {name: name for name in probes.WORD_PROBES}),
        (cuts_plot, "tokens", {length: f"selected_cut_{length}" for length in sorted(cut_tokens)}),
    ):
        write_json(plot, probe_measures.points(beside, x, shown))
    print(probe_measures.table_of(headline, beside))


if __name__ == "__main__":
    run(app)
