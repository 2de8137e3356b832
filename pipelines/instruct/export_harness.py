"""Write the held-out tasks as tasks of lm-evaluation-harness, one for each prompt.

In this pipeline's folder, after `dvc repro`:

    python -m export_harness export            # export/*.yaml and export/*.jsonl
    lm_eval run --model hf --model_args pretrained=data/train/multitask_prompted,dtype=float32 \\
        --tasks instruct_sentiment_was_that --include_path export --batch_size 1

The harness scores a choice by the sum of log p, as here, but gives an encoder-decoder's answers no
end-of-text: so the choices written here end in it. It is read as a token, as no other text is.
"""

import itertools
import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import polars as pl
import yaml
from typer import Argument, Option

from genlab.core.files import written_whole
from genlab.core.program import InputError, run, stage_app
from genlab.core.tables import read_table

app = stage_app()

HERE = Path(__file__).parent


@app.command()
def main(
    output: Annotated[Path, Argument(help="folder that is written anew")],
    n_examples: Annotated[int, Option(min=0, help="of a prompt; 0: all")] = 0,
    named: Annotated[
        str, Option(help="the folder, as the harness will be told it; the whole path if not given")
    ] = "",
) -> None:
    """Write a YAML file and its examples for each prompt of each held-out task with choices."""
    from genlab.models.loading import load_tokenizer

    prompts = HERE / "data/prompt.parquet"
    base = HERE / "data/fetch/base"
    if not prompts.is_file() or not base.is_dir():
        raise InputError(f"{prompts}: no prompts yet; run `dvc repro` in {HERE}")
    if output.exists() and not any(output.glob("instruct_*.yaml")):
        raise InputError(f"{output}: is there and was not written by this; name another folder")
    end = load_tokenizer(base).eos_token
    rows = read_table(prompts).filter(
        pl.col("held_out") & (pl.col("ask") == "prompt") & pl.col("choices").is_not_null()
    )
    names: list[str] = []
    with written_whole(output) as folder:
        folder.mkdir()
        for (task, template), part in rows.group_by("task", "template", maintain_order=True):
            examples = part.head(n_examples) if n_examples else part
            names.append(name_of(f"instruct_{task}_{template}", names))
            write_task(folder, Path(named or output.resolve()), names[-1], examples, end)
    print(f"{len(names)} tasks in {output}")


def name_of(prompt: str, taken: Collection[str]) -> str:
    """Return a prompt's name as a file has it; with a number if a name before it was the same."""
    name = re.sub(r"\W+", "_", prompt)
    numbered = (f"{name}_{n}" for n in itertools.count(2))
    return name if name not in taken else next(each for each in numbered if each not in taken)


def write_task(folder: Path, final: Path, name: str, rows: pl.DataFrame, end: str) -> None:
    """Write one prompt's task; `final` is where the harness will find the folder."""
    lines = [
        json.dumps(
            {
                "id": row["example_id"],
                "input": row["input"],
                "choices": [choice + end for choice in row["choices"]],
                "label": row["label"],
            },
            ensure_ascii=False,
        )
        for row in rows.iter_rows(named=True)
    ]
    (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    content = {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(final / f"{name}.jsonl")}},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "{{input}}",
        "doc_to_target": "{{label}}",
        "doc_to_choice": "{{choices}}",
        "target_delimiter": "",
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
        "metadata": {"version": 1.0},
    }
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run(app, "python -m export_harness")
