"""How DPO is trained on the rankings."""

from dataclasses import dataclass
from typing import Annotated

from typer import Option

from genlab.models.lora import Method
from genlab.preference.trainer import Loss, Optimizer, PreferenceRecipe


@dataclass(frozen=True)
class DpoRecipe:
    """How DPO is trained; the fields are params of `dpo`."""

    beta: Annotated[float, Option(min=1e-6, help="how much a log-ratio counts")]
    epochs: Annotated[float, Option(min=0.01, max=10**4)]
    learning_rate: Annotated[float, Option(min=0.0)]
    warmup_steps: Annotated[int, Option(min=0)]
    batch_size: Annotated[int, Option(min=1, help="pairs a step")]
    save_steps: Annotated[int, Option(min=1, help="steps between checkpoints of a killed run")]
    seed: Annotated[int, Option(min=0)]

    def preference(self) -> PreferenceRecipe:
        """Return the recipe as genlab's preference trainer takes it."""
        return PreferenceRecipe(
            loss=Loss.sigmoid,
            beta=self.beta,
            slic_delta=0.0,
            slic_weight=0.0,
            sft_weight=0.0,
            method=Method.full,
            optimizer=Optimizer.adamw,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            warmup_steps=self.warmup_steps,
            batch_size=self.batch_size,
            gradient_accumulation_steps=1,
            precompute_reference=False,
            logging_steps=1,
            save_steps=self.save_steps,
            seed=self.seed,
        )
