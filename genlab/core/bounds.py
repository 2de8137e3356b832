"""The most that numbers of params.yaml can be, whatever the stage: far above what anybody means.

A program's own options say the least and, where its method has one, the most.
"""

import math

from genlab.core.command_lines import key_of
from genlab.core.pipeline import Stage
from genlab.core.program import InputError

# NumPy's seeds end at 2**32 - 1; stages count on from theirs.
MAX_SEED = 2**31 - 1

# By the name of an option, or what it ends in.
MOST = {
    "seed": MAX_SEED,
    "batch_size": 10**4,  # of GPT-2, 10,000 rows of one token have 2 GB of logits
    "max_new_tokens": 10**6,
    "cap": 10**7,  # of new tokens; or of a task's examples, K = 2**21 with Raffel et al. 2020
    "learning_rate": 1,
    "num_beams": 10**3,
    "r": 10**4,  # of adapters; the widest layers of today's models have as many inputs
}


def check_numbers(stage: Stage, options: dict) -> None:
    """Raise InputError for nan or infinity, which no range keeps out, or a number beyond MOST."""
    for option, value in options.items():
        if not isinstance(value, int | float):
            continue
        if not math.isfinite(value):
            raise InputError(f"{key_of(stage, option)}={value}: must be a finite number")
        for name, most in MOST.items():
            if f"_{option}".endswith(f"_{name}") and value > most:
                raise InputError(f"{key_of(stage, option)}={value} is too large; at most {most}")
