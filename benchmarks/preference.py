"""What LoRA and a precomputed reference save in preference training: benchmarks/PREFERENCE.md.

`python -m benchmarks.preference`, in the repository's root. A GPT-2 of 10 million random weights,
large enough that weights and not libraries fill the memory, and random pairs; every variant in a
process of its own. Memory is the process's peak above what it held before the models were loaded;
the time holds loading, what is computed before training, and training.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import show_help
from benchmarks.side_by_side import machine
from genlab.core.files import written_whole
from genlab.core.markdown import markdown_table

RESULTS = Path("benchmarks/PREFERENCE.md")
SIZES = {"n_layer": 4, "n_embd": 384, "n_head": 6, "vocab_size": 8192, "n_positions": 128}
N_PAIRS, N_TOKENS, BATCH_SIZE, EPOCHS = 32, 64, 8, 3
VARIANTS = {
    "all weights": {"lora": False, "precompute": False},
    "all weights, reference precomputed": {"lora": False, "precompute": True},
    "LoRA (r 8)": {"lora": True, "precompute": False},
    "LoRA (r 8), reference precomputed": {"lora": True, "precompute": True},
}


def peak_memory() -> float:
    """Return the most memory this process has held, in MiB.

    Not ru_maxrss, which starts at what the process that called this one held.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024  # KiB


def measure(lora: bool, precompute: bool) -> dict[str, float]:
    """Train in this process; return its memory (MiB) and seconds, both of training alone."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    from genlab.mini.gpt2 import train_tokenizer
    from genlab.models.lora import Lora, Method
    from genlab.preference import trainer

    torch.manual_seed(1)
    tokenizer = train_tokenizer(["a text"], 300)
    random_ids = torch.randint(1, SIZES["vocab_size"], (3, N_PAIRS, N_TOKENS)).tolist()
    rows = {
        "prompt_ids": [[0]] * N_PAIRS,
        "chosen_ids": random_ids[0],
        "rejected_ids": random_ids[1],
    }
    with tempfile.TemporaryDirectory() as folder:
        policy = Path(folder) / "policy"
        GPT2LMHeadModel(GPT2Config(**SIZES)).save_pretrained(policy)
        recipe = trainer.PreferenceRecipe(
            loss=trainer.Loss.sigmoid,
            beta=0.1,
            slic_delta=1.0,
            slic_weight=0.1,
            sft_weight=0.1,
            method=Method.lora if lora else Method.full,
            optimizer=trainer.Optimizer.adamw,
            epochs=EPOCHS,
            learning_rate=1e-4,
            warmup_steps=0,
            batch_size=BATCH_SIZE,
            gradient_accumulation_steps=1,
            precompute_reference=precompute,
            logging_steps=4,
            save_steps=1000,
            seed=1,
        )
        adapters = Lora(8, 16, 0.0, "all-linear")
        trainer.trl_config(recipe, Path(folder))  # loads the libraries, before what is measured
        before = peak_memory()
        start = time.perf_counter()
        scratch = Path(folder) / "scratch"
        trainer.train_policy(scratch, policy, policy, tokenizer, rows, recipe, adapters)
        seconds = time.perf_counter() - start
    return {"memory": peak_memory() - before, "seconds": seconds}


def measure_variants() -> list[list[str]]:
    """Return a table, its header first: every variant, measured in a process of its own."""
    rows = [["variant", "memory (MiB)", "of all weights'", "seconds", "of all weights'"]]
    first = None
    for name, options in VARIANTS.items():
        call = "import json; from benchmarks.preference import measure; "
        call += f"print(json.dumps(measure(**{options})))"
        done = subprocess.run([sys.executable, "-c", call], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"error: {name}\n{done.stderr}")
        found = json.loads(done.stdout.splitlines()[-1])
        first = first or found
        row = [name]
        for key, digits in (("memory", 0), ("seconds", 1)):
            row += [f"{found[key]:.{digits}f}", f"{found[key] / first[key]:.2f}"]
        rows.append(row)
    return rows


def main() -> None:
    """Measure, print and write the table."""
    show_help(__doc__)
    stood_on = machine("torch", "transformers", "trl", "peft")
    rows = measure_variants()
    text = "\n".join(
        [
            "# What LoRA and a precomputed reference save in preference training",
            "",
            f"`python -m benchmarks.preference`. {stood_on} A GPT-2 of "
            f"{SIZES['n_layer']} layers x {SIZES['n_embd']}, {N_PAIRS} pairs of {N_TOKENS} tokens, "
            f"{EPOCHS} epochs in batches of {BATCH_SIZE}, AdamW. Memory: the process's peak above "
            "that before the models are loaded.",
            "",
            markdown_table(rows),
            "",
        ]
    )
    with written_whole(RESULTS) as partial:
        partial.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
