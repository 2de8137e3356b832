"""Run a Trainer with a progress display, and print from which checkpoint it resumes."""

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from genlab.core.processes import is_first
from genlab.core.progress import progress

if TYPE_CHECKING:
    from transformers import Trainer


def train_from(trainer: "Trainer", checkpoint: Path | None, what: str) -> None:
    """Train, resuming from the checkpoint if there is one; show progress under the name `what`."""
    from transformers import TrainerCallback
    from transformers.trainer_callback import PrinterCallback, ProgressCallback

    def say(line: str) -> None:
        if is_first():
            print(f"{what}: {line}", file=sys.stderr, flush=True)

    with ExitStack() as shown:

        class ShownSteps(TrainerCallback):
            def on_train_begin(self, args, state, control, **kwargs):
                if state.global_step:
                    say(f"resuming from step {state.global_step} of {state.max_steps}")
                self.update = shown.enter_context(progress(what, state.max_steps, "steps"))
                self.update(state.global_step)

            def on_step_end(self, args, state, control, **kwargs):
                self.update(1)

            def on_evaluate(self, args, state, control, metrics, **kwargs):
                if "eval_loss" in metrics:
                    loss = metrics["eval_loss"]
                    say(f"validation loss {loss:.4f} after {state.epoch:.2f} epochs")

        for callback in (PrinterCallback, ProgressCallback):  # the library's bar has no name
            trainer.remove_callback(callback)
        trainer.add_callback(ShownSteps())
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
