"""Training, generation and scoring beside what one would write otherwise, side by side in one run.

    python -m benchmarks.speed [--device cuda] [--threads 1] [--repetitions 3]

In: the default pipeline's data/ after `dvc repro`. Out: benchmarks/SPEED.md. Two sizes: the mini
models of the pipeline on its own rows, and GPT-2's own architecture (124 M random weights, nothing
is downloaded) on random tokens in rows as long as MS MARCO's. The other ways: a plain Trainer on
rows padded to a fixed length, as the source study had them, `model.generate` a query at a time, and
a bare SentenceTransformer.encode. On a GPU also the share of its measured bfloat16 matrix rate.
"""

import copy
import os
import random
import tempfile
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from pathlib import Path

import numpy as np
import typer

from benchmarks.side_by_side import HEADER, Work, compare, machine, time_in_turns
from genlab.core.markdown import markdown_table
from genlab.core.program import InputError, run, stage_app

app = stage_app()

OUTPUT = Path("benchmarks/SPEED.md")
BLOCK_SIZE = 256  # the source study's; params.yaml has the same for tokenize
# Tokens of a query and of a passage that answers it at every tenth percentile, by GPT-2's
# tokenizer, of 200 queries of MS MARCO v1 (211 selected passages).
QUERY_TOKENS = [4, 5, 6, 7, 7, 8, 8, 9, 11, 12, 21]
PASSAGE_TOKENS = [28, 54, 65, 75, 91, 104, 112, 122, 130, 144, 230]
PADDED = f"plain Trainer, padded to {BLOCK_SIZE}"
DYNAMIC = "plain Trainer, padded to the batch's longest"
ONE_BY_ONE = "a `generate` call a query"
LIBRARY = "transformers' `generate`, same sorted batches"


class Device(StrEnum):
    cpu = "cpu"
    cuda = "cuda"


def real_lengths(percentiles: list[int], n: int, seed: int) -> list[int]:
    """Return n lengths that are distributed as the percentiles say."""
    places = np.random.default_rng(seed).random(n) * 10
    return np.interp(places, range(11), percentiles).round().astype(int).tolist()


def made_rows(n_rows: int, vocab_size: int) -> list[dict]:
    """Return rows of random tokens, as long as MS MARCO's queries with their passages."""
    rng = random.Random(17)
    sizes = zip(
        real_lengths(QUERY_TOKENS, n_rows, 1), real_lengths(PASSAGE_TOKENS, n_rows, 2), strict=True
    )
    return [
        {
            "input_ids": [rng.randrange(vocab_size - 1) for _ in range(n + m)],
            "n_prompt": n,
        }
        for n, m in sizes
    ]


def sample_batches(rows: list[dict], batch_size: int, n_batches: int) -> list[dict]:
    """Return the rows of some batches of an epoch in our order, evenly spread over the lengths."""
    from genlab.models.batches import LengthGroupedOrder

    lengths = [len(row["input_ids"]) for row in rows]
    order = list(LengthGroupedOrder(lengths, batch_size, seed=17))
    starts = range(0, len(rows), batch_size)
    batches = sorted((order[k : k + batch_size] for k in starts), key=lambda b: lengths[b[0]])
    step = len(batches) // n_batches
    return [rows[i] for batch in batches[step // 2 :: step] for i in batch]


def trainer_ways(
    model, tokenizer, rows: list[dict], batch_size: int, in_batches: bool
) -> dict[str, Callable]:
    """Return the ways of training one epoch on `rows`; their units are tokens, without padding.

    All have the same settings; ours differ in collator, order of rows and dtype. With in_batches
    the rows are in our order already: a few batches of an epoch that has many.
    """
    from datasets import Dataset
    from transformers import DataCollatorForLanguageModeling, Trainer, TrainingArguments

    from genlab.core.processes import best_device
    from genlab.models.batches import collate
    from genlab.models.training import token_mean_trainer

    n_tokens = sum(len(row["input_ids"]) for row in rows)
    plain = [{"input_ids": row["input_ids"]} for row in rows]
    padded = tokenizer.pad(plain, padding="max_length", max_length=BLOCK_SIZE)

    def prepare(make: Callable, dataset: Dataset, data_collator: Callable, bf16: bool) -> Work:
        trainer = make(
            model=copy.deepcopy(model),
            args=TrainingArguments(
                output_dir=tempfile.gettempdir(),  # nothing is written
                num_train_epochs=1,
                per_device_train_batch_size=batch_size,
                remove_unused_columns=False,
                save_strategy="no",
                logging_strategy="no",
                disable_tqdm=True,
                report_to="none",
                bf16=bf16,
                dataloader_pin_memory=False,
                use_cpu=best_device().type == "cpu",
            ),
            train_dataset=dataset,
            data_collator=data_collator,
        )
        if in_batches and make is token_mean_trainer:
            trainer._get_train_sampler = lambda *_: range(len(rows))

        def work() -> int:
            trainer.train()
            return n_tokens

        return work

    ours = (token_mean_trainer, Dataset.from_list(rows), lambda batch: collate(batch, 0))
    plainly = DataCollatorForLanguageModeling(tokenizer, mlm=False)
    return {
        "ours": partial(prepare, *ours, False),
        "ours, bfloat16": partial(prepare, *ours, True),
        PADDED: partial(prepare, Trainer, Dataset.from_dict(dict(padded)), plainly, False),
        DYNAMIC: partial(prepare, Trainer, Dataset.from_list(plain), plainly, False),
    }


def compare_training(
    name: str,
    model,
    tokenizer,
    rows: list[dict],
    batch_size: int,
    repetitions: int,
    device: str,
    in_batches: bool = False,
) -> tuple[list[list[str]], float]:
    """Return rows of HEADER, and our bfloat16 tokens per second."""
    ways = trainer_ways(model, tokenizer, rows, batch_size, in_batches)
    longest = max(len(row["input_ids"]) for row in rows)
    n_tokens = sum(len(row["input_ids"]) for row in rows)
    time_in_turns(  # warms up
        trainer_ways(model, tokenizer, rows[:batch_size], batch_size, False), 1, device
    )
    times = time_in_turns(ways, repetitions, device)
    what = (
        f"training {name}, {len(rows)} rows of {n_tokens / len(rows):.0f} tokens (longest "
        f"{longest}) in batches of {batch_size}, tokens/s"
    )
    table = [compare(what, "ours", PADDED, times, "1.5")]
    table += [
        compare(what, *pair, times)
        for pair in (("ours", DYNAMIC), ("ours, bfloat16", PADDED), ("ours, bfloat16", "ours"))
    ]
    return table, max(each.rate for each in times["ours, bfloat16"])


def generation_ways(
    model, prompts: list[list[int]], ends: set[int], new_tokens: int, batch_size: int, n_calls: int
) -> dict[str, Callable]:
    """Return the ways of sampling a text for every prompt; their units are new tokens.

    A call for every prompt would take hours: `n_calls` of them, other ones every time.
    """
    import torch

    from genlab.models.decoding import Decoding, generate, pad_left

    decoding = Decoding(new_tokens, 0.8, 50, 1.0, 1, 1.0, 17)
    order = sorted(prompts, key=len)
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    shuffled = random.Random(17).sample(prompts, len(prompts))
    in_bfloat16 = copy.deepcopy(model).to(torch.bfloat16)

    def batched(network) -> Work:
        def work() -> int:
            names = [str(number) for number in range(len(prompts))]
            return sum(
                len(text) + done
                for text, done in zip(
                    *generate(network, prompts, names, decoding, ends, batch_size), strict=True
                )
            )

        return lambda: work

    def by_library(parts: list[list[list[int]]]) -> int:
        n_tokens = 0
        for part in parts:
            ids, mask = pad_left(part, model.device)
            output = model.generate(
                ids,
                attention_mask=mask,
                max_new_tokens=new_tokens,
                do_sample=True,
                temperature=0.8,
                top_k=50,
                eos_token_id=sorted(ends),
                pad_token_id=min(ends),
            )
            for row in output[:, ids.shape[1] :].tolist():
                end = next((k for k, token in enumerate(row) if token in ends), len(row) - 1)
                n_tokens += end + 1  # an end-of-text counts, as in ours
        return n_tokens

    def one_by_one() -> Work:
        taken = [shuffled.pop() for _ in range(min(n_calls, len(shuffled)))]
        return lambda: by_library([[prompt] for prompt in taken])

    return {
        "ours": batched(model),
        "ours, bfloat16": batched(in_bfloat16),
        ONE_BY_ONE: one_by_one,
        LIBRARY: lambda: lambda: by_library(batches),
    }


def compare_generation(
    name: str, ways: dict[str, Callable], n_texts: str, repetitions: int, device: str
) -> list[list[str]]:
    """Return rows of HEADER."""
    times = time_in_turns(ways, repetitions, device)
    what = f"sampling {name}, {n_texts}, new tokens/s"
    pairs = [("ours, bfloat16", ONE_BY_ONE), ("ours", LIBRARY), ("ours, bfloat16", "ours")]
    return [compare(what, "ours", ONE_BY_ONE, times, "8")] + [
        compare(what, *pair, times) for pair in pairs
    ]


def compare_scoring(name: str, folder: Path, pairs: list, repetitions: int) -> list[list[str]]:
    """Return a row of HEADER: a ranker's relevance of (query, text) pairs beside bare encode."""
    from sentence_transformers import SentenceTransformer

    from genlab.ranking.rankers import open_sentence_transformer

    relevance, _ = open_sentence_transformer(folder, 64)
    bare = SentenceTransformer(str(folder), local_files_only=True)
    queries, texts = map(list, zip(*pairs, strict=True))
    different = [list(dict.fromkeys(each)) for each in (queries, texts)]

    def ours() -> int:
        relevance(queries, texts)
        return len(texts)

    def encode() -> int:
        for each in different:
            bare.encode(each, batch_size=64, show_progress_bar=False)
        return len(texts)

    ours(), encode()  # warms up
    times = time_in_turns({"ours": lambda: ours, "bare encode": lambda: encode}, repetitions)
    what = f"scoring {name}, {len(texts):,} texts, texts/s"
    return [compare(what, "ours", "bare encode", times, "0.9")]


def save_encoder(folder: Path, tokenizer_file: Path) -> None:
    """Write a sentence encoder of MiniLM's size (6 layers x 384), random weights."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(tokenizer_file), pad_token="[PAD]")
    sizes = {"num_hidden_layers": 6, "hidden_size": 384, "intermediate_size": 1536}
    config = BertConfig(num_attention_heads=12, vocab_size=len(tokenizer), **sizes)
    BertModel(config).save_pretrained(folder / "bert")
    tokenizer.save_pretrained(folder / "bert")
    words = Transformer(str(folder / "bert"), max_seq_length=256)
    SentenceTransformer(modules=[words, Pooling(words.get_embedding_dimension())]).save(
        str(folder / "encoder")
    )


def flops_per_token(model, length: float) -> float:
    """Return floating-point operations of training per token, forward and backward.

    6 N + 12 x layers x width x length (Chowdhery et al. 2022, appendix B; Kaplan et al. 2020). N
    without the table of positions, which multiplies nothing.
    """
    config = model.config
    n_weights = model.num_parameters() - config.n_positions * config.n_embd
    return 6 * n_weights + 12 * config.n_layer * config.n_embd * length


def matrix_rate(device: str) -> float:
    """Return the measured floating-point operations per second of bfloat16 products of matrices."""
    import torch

    n = 8192 if device == "cuda" else 1024
    a, b = (torch.randn(n, n, device=device, dtype=torch.bfloat16) for _ in range(2))

    def work() -> float:
        for _ in range(20):
            a @ b
        return 20 * 2 * n**3

    times = time_in_turns({"matrix rate": lambda: work}, 4, device)
    return max(each.rate for each in times["matrix rate"])


def measure(folder: Path, device: str, threads: int, repetitions: int) -> list[list[str]]:
    """Return all rows of HEADER and print them as they come; `folder` holds the pipeline's data."""
    import torch
    from transformers.utils import logging

    from genlab.models.loading import load_tokenizer
    from genlab.ranking.candidates import evaluated_queries

    if not (folder / "train").is_dir():
        raise InputError(f"{folder}/train: not there; run `dvc repro` first")
    logging.set_verbosity_error()
    torch.manual_seed(17)
    if threads:
        torch.set_num_threads(threads)
    tokenizer = load_tokenizer(folder / "train")
    tokenizer.pad_token = tokenizer.eos_token
    queries = evaluated_queries(folder / "dedup.parquet", 0)
    table = measure_mini(folder, tokenizer, queries["query"].to_list(), repetitions, device)
    table += measure_gpt2(tokenizer, repetitions, device)
    pairs = [
        (query, passage["text"])
        for query, passages in queries.select("query", "passages").rows()
        for passage in passages
    ]
    return table + measure_scoring(folder, pairs, repetitions, device)


def measure_mini(
    folder: Path, tokenizer, queries: list[str], repetitions: int, device: str
) -> list[list[str]]:
    """Return the rows of the default run's small GPT-2: training and generation."""
    from datasets import Dataset

    from genlab.models.end_of_text import end_tokens
    from genlab.models.loading import load_causal_model
    from genlab.models.prompts import encode_prompts

    prompts = encode_prompts(tokenizer, queries)
    mini = load_causal_model(folder / "train").eval().to(device)
    rows = Dataset.from_file(str(folder / "tokenize/train.arrow")).to_list()[:256]
    table = compare_training(
        "the mini GPT-2 (1.6 M)", mini, tokenizer, rows, 8, repetitions, device
    )[0]
    ends = end_tokens(mini, tokenizer)
    ways = generation_ways(mini, prompts, ends, 150, 64, 40)
    return table + compare_generation(
        "with the mini GPT-2", ways, f"{len(prompts)} texts of up to 150", repetitions, device
    )


def measure_gpt2(tokenizer, repetitions: int, device: str) -> list[list[str]]:
    """Return the rows of a GPT-2 with random weights: training, its efficiency, generation."""
    from transformers import GPT2Config, GPT2LMHeadModel

    on_gpu = device == "cuda"
    gpt2 = GPT2LMHeadModel(GPT2Config()).eval().to(device)
    rows, batch_size = made_rows(2000, gpt2.config.vocab_size), 4
    if on_gpu:
        batch_size = 32
    else:
        rows = sample_batches(rows, batch_size, 2)
    table, tokens_per_second = compare_training(
        "GPT-2 (124 M)", gpt2, tokenizer, rows, batch_size, repetitions, device, not on_gpu
    )
    length = sum(len(row["input_ids"]) for row in rows) / len(rows)
    achieved, rate = tokens_per_second * flops_per_token(gpt2, length), matrix_rate(device)
    table.append(
        [
            "training GPT-2 (124 M): operations/s (6 N + attention) beside the measured bfloat16 "
            "matrix rate",
            f"{achieved / 1e12:.3g} T (ours, bfloat16)",
            f"{rate / 1e12:.3g} T",
            f"{achieved / rate:.2f}",
            "",
            "",
            "0.45 on a GPU",
        ]
    )
    n_texts, new_tokens, batch_size = (5000, 150, 500) if on_gpu else (64, 40, 64)
    rng = random.Random(18)
    prompts = [
        [rng.randrange(50256) for _ in range(n)] for n in real_lengths(QUERY_TOKENS, n_texts, 3)
    ]
    ways = generation_ways(gpt2, prompts, {50256}, new_tokens, batch_size, 2)
    return table + compare_generation(
        "with GPT-2 (124 M)", ways, f"{n_texts} texts of {new_tokens}", repetitions, device
    )


def measure_scoring(
    folder: Path, pairs: list[tuple[str, str]], repetitions: int, device: str
) -> list[list[str]]:
    """Return the rows of scoring (query, text) pairs: by a static encoder and by a transformer."""
    model = folder / "fetch/rankers/labse/model"
    table = compare_scoring("by the default's static encoder", model, pairs, repetitions)
    with tempfile.TemporaryDirectory() as scratch:
        save_encoder(Path(scratch), next(model.rglob("tokenizer.json")))
        some = pairs if device == "cuda" else pairs[:320]
        table += compare_scoring(
            "by an encoder of 6 layers x 384", Path(scratch) / "encoder", some, repetitions
        )
    return table


def write_page(folder: Path, device: str, threads: int, repetitions: int) -> str:
    """Measure, write benchmarks/SPEED.md and return its table."""
    stood_on = machine("torch", "transformers", "sentence-transformers")
    table = markdown_table([HEADER, *measure(folder, device, threads, repetitions)])
    text = (
        "# Training, generation and scoring, side by side\n\n"
        f"`python -m benchmarks.speed --device {device} --threads {threads}`, or `make bench`. "
        f"{stood_on} {repetitions} repetitions in turns; rates are the best of them, the median is "
        "that of their ratios. Texts of the 124 M random weights hardly end by themselves: all "
        "rows stay to the end. The program can run on a GPU but never has.\n\n"
        f"{table}\n"
    )
    OUTPUT.write_text(text, encoding="utf-8")
    return table


@app.command()
def main(
    device: Device = typer.Option(Device.cpu, help="cuda: the first GPU"),
    threads: int = typer.Option(1, min=0, help="of both sides; 0: as many as torch takes"),
    repetitions: int = typer.Option(3, min=1),
) -> None:
    """Measure, print and write benchmarks/SPEED.md."""
    if device is Device.cpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import torch

    if device is Device.cuda and not torch.cuda.is_available():
        raise InputError("--device cuda: torch finds no GPU; is its CUDA build installed?")
    print(write_page(Path("data"), device, threads, repetitions))


if __name__ == "__main__":
    run(app)
