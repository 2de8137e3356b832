"""sample: the texts that preference pairs are made of, written by the policy itself.

Reads the corpus, for its prompts, and the base policy. Writes a row per text, which says whether
the text ended by itself.
"""

from pathlib import Path
from typing import Annotated

from typer import Option

from genlab.core.files import write_json
from genlab.core.options import grouped_options
from genlab.core.program import run, stage_app
from genlab.core.tables import read_table, write_table
from genlab.models.decoding import Decoding
from genlab.models.loading import load_for_inference
from genlab.models.positions import check_cap
from genlab.models.prompts import MaxUnknownShare, check_unknown, count_unknown
from pipelines.alignment.sampling import SCHEMA, read_prompts, write_texts

app = stage_app()


def check(cap: int, base: Path, made_by: dict) -> None:
    """Raise InputError if the base model is to be made too short for the texts."""
    check_cap("sample.cap", cap, base, made_by)


@app.command()
@grouped_options
def main(
    corpus: Path,
    base: Path,
    output: Path,
    metrics: Annotated[Path, Option()],
    n_texts: Annotated[int, Option(min=2, help="texts in all; prompts are used in turn")],
    n_prompts: Annotated[int, Option(min=0, help="prompts to take, where there are many; 0: all")],
    decoding: Decoding,
    batch_size: Annotated[int, Option(min=1)],
    max_unknown_share: MaxUnknownShare,
) -> None:
    """Write the texts."""
    tokenizer, model = load_for_inference(base)
    prompts = read_prompts(corpus, "train", n_prompts)
    # A model that cannot read the corpus writes in no language of its prompts and targets.
    texts = read_table(corpus)
    unknown, tokens = count_unknown(tokenizer, [*texts["prompt"].unique(), *texts["text"]])
    check_unknown(unknown, tokens, max_unknown_share, str(corpus), base, "sample")

    rows = write_texts(model, tokenizer, prompts, n_texts, decoding, batch_size)

    write_table(output, [rows], SCHEMA)
    write_json(
        metrics,
        {
            "texts": rows.height,
            "prompts": min(len(prompts), n_texts),
            "corpus_tokens": tokens,
            "corpus_tokens_unknown": unknown,
            "finished_rate": rows["finished"].mean(),
            "mean_new_tokens": rows["tokens"].list.len().mean(),
            "duplicate_rate": 1 - rows.select("prompt", "text").unique().height / rows.height,
        },
    )


if __name__ == "__main__":
    run(app)
