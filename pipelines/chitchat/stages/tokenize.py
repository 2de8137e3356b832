"""tokenize: encode dialogues as rows of a history, an input and a reply.

Reads dialogues with their splits, and the base model's tokenizer. Writes a folder with train.arrow,
validation.arrow and test.arrow, and the source study's pickles if asked. A row holds token ids of
text alone: speakers, types and ends are added by each arm in its own way (chat_inputs.py).
"""

from pathlib import Path
from typing import Annotated

from typer import Option

from genlab.core.files import write_json, written_whole
from genlab.core.program import InputError, run, stage_app
from genlab.models.prompts import MaxUnknownShare, check_unknown
from pipelines.chitchat.preprocessing import preprocess_data_for_model
from pipelines.chitchat.schemas import SPLITS

app = stage_app()


@app.command()
def main(
    dialogues: Path,
    base: Path,
    output: Path,
    metrics: Annotated[Path, Option(help="JSON of counts")],
    history_turns: Annotated[int, Option(min=0, help="Turns before the input, at most.")],
    max_turn_tokens: Annotated[
        int, Option(min=4, help="Of a longer turn the last are read; a longer reply is no row.")
    ],
    first_replies: Annotated[bool, Option(help="Replies without any history are rows, too.")],
    pickle: Annotated[bool, Option(help="Write the source study's pickles, too.")],
    max_unknown_share: MaxUnknownShare,
) -> None:
    """Encode the replies of every split."""
    from genlab.models.loading import load_tokenizer

    tokenizer = load_tokenizer(base)
    counts = {}
    with written_whole(output) as folder:
        folder.mkdir()
        for split in SPLITS:
            for ending in ("arrow", *(["pkl"] if pickle else [])):
                counts[split] = preprocess_data_for_model(
                    dialogues,
                    folder / f"{split}.{ending}",
                    tokenizer,
                    history_turns=history_turns,
                    max_turn_tokens=max_turn_tokens,
                    first_replies=first_replies,
                    split=split,
                )
            if not counts[split]["rows"]:
                raise InputError(
                    f"{dialogues}: no reply of split {split} is left ({counts[split]}); raise "
                    "tokenize.max_turn_tokens, or give more dialogues"
                )
            unknown, tokens = (counts[split][name] for name in ("unknown_tokens", "tokens"))
            check_unknown(unknown, tokens, max_unknown_share, f"{dialogues}: {split}", base)

    write_json(metrics, {"splits": counts})


if __name__ == "__main__":
    run(app)
