"""tokenize: encode inputs, targets and answer choices as token ids.

Reads the prompts and the base's tokenizer. Writes a folder with train.arrow and test.arrow; a row
is an example asked through a template. Every side ends in one end-of-text, also where it was cut.
"""

from collections import Counter
from pathlib import Path
from typing import Annotated

from typer import Option

from genlab.core.files import write_json, written_whole
from genlab.core.program import InputError, run, stage_app
from genlab.core.tables import write_arrow
from genlab.models.prompts import MaxUnknownShare, check_unknown
from pipelines.instruct.encoded_prompts import SCHEMA, encode_prompts

app = stage_app()


@app.command()
def main(
    prompts: Path,
    base: Path,
    output: Path,
    metrics: Annotated[Path, Option(help="JSON of counts")],
    max_input_tokens: Annotated[int, Option(min=4, help="longer inputs are cut, and counted")],
    max_target_tokens: Annotated[int, Option(min=2, help="longer targets are cut, and counted")],
    max_unknown_share: MaxUnknownShare,
) -> None:
    """Encode the prompts of both splits."""
    from genlab.models.loading import load_tokenizer

    tokenizer = load_tokenizer(base)
    longest = (max_input_tokens, max_target_tokens)
    found = {}
    with written_whole(output) as folder:
        folder.mkdir()
        for split in ("train", "test"):
            names = ("rows", "tokens", "unknown_tokens", "inputs_cut", "targets_cut", "choices_cut")
            counts = Counter(dict.fromkeys(names, 0))
            rows = encode_prompts(prompts, split, tokenizer, longest, counts)
            if write_arrow(folder / f"{split}.arrow", rows, SCHEMA) == 0:
                raise InputError(f"{prompts}: no row of split {split}; see prompt.tasks")
            where = f"{prompts}: {split}"
            check_unknown(
                counts["unknown_tokens"], counts["tokens"], max_unknown_share, where, base
            )
            found[split] = dict(counts)
    write_json(metrics, {"splits": found})


if __name__ == "__main__":
    run(app)
