"""tokenize: encode prompts and their reviews as token ids.

Reads reviews with keywords, and the base model's tokenizer. Writes a folder with train.arrow,
validation.arrow and test.arrow; a row is a prompt and its review. generate takes its prompts from
test.arrow, so no second place writes them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import polars as pl
import pyarrow as pa
from typer import Option

from genlab.core.files import write_json, written_whole
from genlab.core.program import InputError, run, stage_app
from genlab.core.tables import read_batches, write_arrow
from genlab.models.prompts import check_unknown, count_dropped, encode, frame
from pipelines.reviews.review_prompts import check_template, write_prompt
from pipelines.reviews.schemas import SPLITS

app = stage_app()

SCHEMA = pa.schema(
    [
        ("review_id", pa.string()),
        ("rating", pa.int8()),
        ("prompt", pa.string()),
        ("input_ids", pa.list_(pa.int32())),
        ("labels", pa.list_(pa.int32())),
    ]
)
COUNTED = ["rows", "prompts_cut", "texts_cut", "prompt_tokens", "text_tokens", "unknown_tokens"]


def encode_reviews(
    path: Path, split: str, tokenizer, template: str, longest: tuple[int, int], counts: dict
) -> Iterator[tuple]:
    """Yield the rows of a split, both sides cut to `longest` ids, counting as it goes.

    Whatever the tokenizer does, both sides end in one end-of-text: the decoder's, so that reviews
    end, and the encoder's, as T5's inputs always have. A special token may stand in a template, and
    is text in a review.
    """
    start, _ = frame(tokenizer)
    end, unknown = tokenizer.eos_token_id, tokenizer.unk_token_id
    for reviews in read_batches(path):
        rows = reviews.filter(pl.col("split") == split)
        if rows.is_empty():
            continue
        fields = rows.select("rubrics", "rating", "keywords").iter_rows()
        prompts = [write_prompt(template, *values) for values in fields]
        sides = [
            encode(tokenizer, prompts),
            encode(tokenizer, rows["text"].to_list(), read_special_tokens=False),
        ]
        for texts in (prompts, rows["text"].to_list()):
            counts["unknown_tokens"] += count_dropped(tokenizer, texts)
        for key, prompt, *ids in zip(
            rows.select("review_id", "rating").iter_rows(), prompts, *sides, strict=True
        ):
            whole = [[*start, *side] for side in ids]
            # A text that lost its end when it was cut would teach that reviews go on.
            kept = [[*side[: most - 1], end] for side, most in zip(whole, longest, strict=True)]
            counts["rows"] += 1
            counts["prompts_cut"] += len(whole[0]) >= longest[0]
            counts["texts_cut"] += len(whole[1]) >= longest[1]
            counts["unknown_tokens"] += sum(side[len(start) : -1].count(unknown) for side in kept)
            counts["prompt_tokens"] += len(kept[0])
            counts["text_tokens"] += len(kept[1])
            yield *key, prompt, *kept


@app.command()
def main(
    reviews: Path,
    base: Path,
    output: Path,
    metrics: Annotated[Path, Option(help="JSON of counts")],
    template: Annotated[
        str,
        Option(callback=check_template, help="Has {rubrics}, {rating} and {keywords} once each."),
    ],
    max_prompt_tokens: Annotated[int, Option(min=8, help="Longer prompts are cut, and counted.")],
    max_text_tokens: Annotated[int, Option(min=8, help="Longer reviews are cut, and counted.")],
    max_unknown_share: Annotated[
        float, Option(min=0.0, max=1.0, help="of tokens unknown to the tokenizer; above: refused")
    ],
) -> None:
    """Encode the reviews of every split."""
    from genlab.models.loading import load_tokenizer

    tokenizer = load_tokenizer(base)
    longest = (max_prompt_tokens, max_text_tokens)
    counts = {}
    with written_whole(output) as folder:
        folder.mkdir()
        for split in SPLITS:
            counts[split] = dict.fromkeys(COUNTED, 0)
            rows = encode_reviews(reviews, split, tokenizer, template, longest, counts[split])
            if write_arrow(folder / f"{split}.arrow", rows, SCHEMA) == 0:
                raise InputError(f"{reviews}: no review in split {split}; see metrics/dedup.json")
            tokens = counts[split]["prompt_tokens"] + counts[split]["text_tokens"]
            unknown = counts[split]["unknown_tokens"]
            check_unknown(unknown, tokens, max_unknown_share, f"{reviews}: {split}", base)

    write_json(metrics, {"splits": counts})


if __name__ == "__main__":
    run(app)
