"""The TRL settings that all trainings of this pipeline share, where its defaults surprise."""

from pathlib import Path
from typing import Any


def shared_settings(folder: Path, save_steps: int, seed: int) -> dict[str, Any]:
    """Return the options of a TRL config whose checkpoints go to `folder`, the last two kept."""
    from genlab.core.processes import best_device

    return {
        "output_dir": str(folder),
        "bf16": False,  # TRL's default is true, also on a CPU
        "gradient_checkpointing": False,  # as bf16
        "use_cpu": best_device().type == "cpu",
        "logging_steps": 1,
        "save_strategy": "steps",
        "save_steps": save_steps,
        "save_total_limit": 2,
        "seed": seed,
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
    }
