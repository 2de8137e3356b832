"""The flagship's run on the page: its own texts, the probes as buttons, both models as writers."""

from functools import partial

from genlab.playground.altered_texts import alter_text, buttons
from genlab.playground.loaded_run import MODELS, LoadedRun
from genlab.playground.playable import Playable
from genlab.playground.written_texts import write_text


def as_playable(run: LoadedRun) -> Playable:
    """Return what the page may ask about a run."""
    return Playable(
        run.queries,
        run.texts,
        "the run's own text",
        run.judges,
        buttons(run),
        partial(alter_text, run),
        MODELS,
        partial(write_text, run),
    )
