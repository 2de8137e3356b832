"""Upper bounds on the numbers in params.yaml: the same for all stages, far above sensible values.

A program's own options set the lower bound and, where its method has one, a tighter upper bound.
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
    "max_completion_length": 10**6,
    "cap": 10**7,  # of new tokens; or of a task's examples, K = 2**21 with Raffel et al. 2020
    "learning_rate": 1,
    "weight_decay": 100,  # times a rate of 0.01 all weights are zero after one step
    "num_beams": 10**3,
    "r": 10**4,  # of adapters; the widest layers of today's models have as many inputs
    "alpha": 10**6,
    # Of models made here: GPT-3 has 96 layers and 96 heads, and is 12,288 wide.
    **dict.fromkeys(("n_layer", "num_layers", "n_head", "num_heads"), 10**3),
    **dict.fromkeys(("n_embd", "d_model", "hidden_size", "dim"), 10**5),
    "n_positions": 10**6,
    "vocab_size": 10**7,
    # Each is a training, or a text that is written.
    "n_seeds": 10**3,
    **dict.fromkeys(("n_samples", "n_best", "num_generations", "prompts_per_step"), 10**5),
    "steps": 10**9,
}
# Rows of a table that is made here, which all must be; of other data a number is the most taken.
MOST_MADE = 10**8


def check_numbers(stage: Stage, options: dict) -> None:
    """Raise InputError for NaN and infinity, which pass any range, and a number above MOST."""
    is_made = str(options.get("source")) == "mini"
    for option, value in options.items():
        most = most_of(option, is_made)
        for each in value if isinstance(value, list) else [value]:
            if not isinstance(each, int | float):
                continue
            if not math.isfinite(each):
                raise InputError(f"{key_of(stage, option)}={each}: must be a finite number")
            if each > most:
                raise InputError(f"{key_of(stage, option)}={each} is too large; at most {most}")


def most_of(option: str, is_made: bool) -> float:
    """Return an option's upper bound; is_made: the stage generates its data itself."""
    found = [most for name, most in MOST.items() if f"_{option}".endswith(f"_{name}")]
    return min([*found, *[MOST_MADE] * (is_made and option.startswith("n_"))], default=math.inf)
