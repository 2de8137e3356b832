"""What length grouping and batches are worth to the reviews pipeline, side by side in one run.

After `dvc repro` in this folder, `python -m benchmark` writes
BENCHMARK.md; `make bench` takes its table, too. Training: rows padded to the longest of a batch of
similar lengths (ours) beside all rows padded to the longest of all, in random order, as a tutorial
would. Generation: batches beside one `generate` call a prompt. Both sides take turns, so a busy
machine slows both.
"""

import random
import time
from pathlib import Path

import typer

import genlab  # noqa: F401  # in this folder: finds the repository
from benchmarks.side_by_side import machine
from genlab.core.markdown import markdown_table
from genlab.core.program import InputError, run, stage_app

app = stage_app()

PIPELINE = Path(__file__).parent
OUTPUT = PIPELINE / "BENCHMARK.md"
BATCH_SIZE = 16
MAX_NEW_TOKENS = 60


def time_training(n_steps: int) -> tuple[float, float, float]:
    """Return rows per second of ours and of the naive way, and the latter's share of padding."""
    import torch
    from datasets import Dataset

    from genlab.models.batches import LengthGroupedOrder, collate_pairs, row_lengths
    from genlab.models.loading import load_text_to_text_model

    rows = Dataset.from_file(str(PIPELINE / "data/tokenize/train.arrow"))
    ordered = list(LengthGroupedOrder(row_lengths(rows), BATCH_SIZE, seed=17))
    shuffled = random.Random(17).sample(range(len(rows)), len(rows))
    pairs = [{"input_ids": row["input_ids"], "labels": row["labels"]} for row in rows]
    longest = {side: max(len(pair[side]) for pair in pairs) for side in ("input_ids", "labels")}
    filler = {"input_ids": [0] * longest["input_ids"], "labels": [0] * longest["labels"]}
    model = load_text_to_text_model(PIPELINE / "data/fetch/base").train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)

    def step(numbers: list[int], to_the_longest_of_all: bool) -> float:
        start = time.perf_counter()
        batch = [pairs[i] for i in numbers]
        inputs = collate_pairs(batch + [filler] * to_the_longest_of_all, pad_id=0)
        model(**{name: tensor[: len(batch)] for name, tensor in inputs.items()}).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return time.perf_counter() - start

    seconds = [0.0, 0.0]
    for k in range(n_steps):
        place = slice(k * BATCH_SIZE, (k + 1) * BATCH_SIZE)
        seconds[0] += step(ordered[place], False)
        seconds[1] += step(shuffled[place], True)
    n_rows = n_steps * BATCH_SIZE
    used = sum(len(pair["input_ids"]) + len(pair["labels"]) for pair in pairs)
    padding = 1 - used / (len(pairs) * sum(longest.values()))
    return n_rows / seconds[0], n_rows / seconds[1], padding


def time_generation(n_texts: int) -> tuple[float, float]:
    """Return texts per second of batches and of one `generate` call a prompt, both greedy."""
    import torch
    from datasets import Dataset

    from genlab.models.decoding import Decoding
    from genlab.models.loading import load_text_to_text_model
    from genlab.models.seq2seq_decoding import generate_texts

    rows = Dataset.from_file(str(PIPELINE / "data/tokenize/test.arrow")).select(range(n_texts))
    prompts, names = list(rows["input_ids"]), list(rows["review_id"])
    model = load_text_to_text_model(PIPELINE / "data/train/full").eval()
    decoding = Decoding(MAX_NEW_TOKENS, 0.0, 0, 1.0, 1, 1.0, 17)
    seconds = [0.0, 0.0]
    for start in range(0, n_texts, 64):
        part = slice(start, start + 64)
        begun = time.perf_counter()
        generate_texts(model, prompts[part], names[part], decoding, 64)
        seconds[0] += time.perf_counter() - begun
        begun = time.perf_counter()
        for prompt in prompts[part]:
            ids = torch.tensor([prompt])
            model.generate(input_ids=ids, max_new_tokens=MAX_NEW_TOKENS, do_sample=False)
        seconds[1] += time.perf_counter() - begun
    return n_texts / seconds[0], n_texts / seconds[1]


def measure(n_steps: int = 100, n_texts: int = 128) -> list[list[str]]:
    """Return a table, its header first; raise InputError if the pipeline has not been run."""
    import torch

    if not (PIPELINE / "data/train/full").is_dir():
        raise InputError(
            f"{PIPELINE}/data/train/full: not there; run `dvc repro` in this folder first"
        )
    torch.set_num_threads(1)  # as the stages do with a model of this size
    ours, naive, padding = time_training(n_steps)
    batches, calls = time_generation(n_texts)
    return [
        ["what", "ours", "what one would write otherwise", "ratio"],
        [
            f"training, rows/s ({padding:.0%} padding the other way)",
            f"{ours:.0f} (grouped by length, padded to the batch's longest)",
            f"{naive:.0f} (random order, padded to the longest of all)",
            f"{ours / naive:.1f}",
        ],
        [
            "greedy generation, texts/s",
            f"{batches:.0f} (batches of 64)",
            f"{calls:.1f} (one generate call a prompt)",
            f"{batches / calls:.1f}",
        ],
    ]


@app.command()
def main(
    n_steps: int = typer.Option(100, min=1, help="training steps of each side"),
    n_texts: int = typer.Option(128, min=1, help="texts generated by each side"),
) -> None:
    """Measure both and write the table."""
    stood_on = machine("torch", "transformers")
    table = markdown_table(measure(n_steps, n_texts))
    OUTPUT.write_text(
        "# The reviews pipeline, side by side\n\n"
        f"`python -m benchmark`, one thread, {n_steps} steps, {n_texts} texts, "
        f"in turns. {stood_on}\n\n{table}\n",
        encoding="utf-8",
    )
    print(table)


if __name__ == "__main__":
    run(app)
