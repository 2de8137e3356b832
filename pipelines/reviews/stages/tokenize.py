"""tokenize: encode prompts and their reviews as token ids.

Reads reviews with keywords, and the base model's tokenizer. Writes a folder with train.arrow,
validation.arrow and test.arrow; a row is a prompt and its review. generate takes its prompts from
test.arrow, so no second place writes them.
"""

from pathlib import Path
from typing import Annotated

from typer import Option

from genlab.core.files import write_json, written_whole
from genlab.core.program import InputError, run, stage_app
from genlab.core.tables import write_arrow
from genlab.models.prompts import MaxUnknownShare, check_unknown
from pipelines.reviews.encoded_reviews import COUNTED, SCHEMA, encode_reviews
from pipelines.reviews.review_prompts import check_template
from pipelines.reviews.schemas import SPLITS

app = stage_app()


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
    max_unknown_share: MaxUnknownShare,
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
