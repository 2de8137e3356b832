"""The prompts and the plain text, made here or from outside."""

from collections import Counter

from genlab.sources.source import Source
from pipelines.rlhf import foreign_rankings, mini_world
from pipelines.rlhf.origins import PromptOrigin
from pipelines.rlhf.purposes import Wanted


def fetch_prompts(
    origin: PromptOrigin, wanted: Wanted, n_texts: int, seed: int, dropped: Counter, files: Counter
) -> tuple[list[tuple], list[str]]:
    """Return rows of PROMPT_SCHEMA without purpose, and plain texts.

    wanted, n_texts, seed: of what is made here. Counts rows that are left out in `dropped`, and
    files read, hidden and unread in `files`.
    """
    if origin.source is Source.mini:
        return mini_world.make_mini(origin.path, wanted, n_texts, seed)
    if origin.source is Source.file:
        rows = foreign_rankings.read_file_rows(origin.path, dropped, origin.encoding, files)
    else:
        where = (origin.hub_id, origin.hub_name, origin.revision)
        rows = foreign_rankings.read_hub_rows(*where, dropped)
    return rows, foreign_rankings.read_plain_texts(origin.texts_path, origin.encoding, files)
