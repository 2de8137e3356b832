"""`--help` of every program: a text for each option, spelled as in params.yaml, with its value.

The help text of an option that means the same in every program is defined here once; any other is
defined beside the option. Values are read from the pipeline's params.yaml and dvc.yaml. If these
cannot be read, help is shown without values.
"""

import typing
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

from genlab.core.params import flatten
from genlab.core.params_file import read_params
from genlab.core.pipeline import read_entries
from genlab.core.program import InputError, spelled
from genlab.core.templating import all_entries, keys_of_options

ROOT = Path(__file__).resolve().parents[2]

LONGEST_KIND = 60  # characters of an option's choices that a terminal's line has room for
MOST_VALUES = 4  # of an option that stages give different values

TEXTS = {
    # files and folders
    "altered": "folder of altered passages, a table per collection",
    "answers": "table of the arms' answers",
    "arms_output": "table that is written: a row per text of every arm",
    "bad_words": "file of words, one a line, that drop a page",
    "base": "folder of the base model",
    "best_of": "table of many answers to a prompt, for best-of-n",
    "best_output": "table that is written: many answers to a prompt",
    "candidates": "folder of the real passages' scores, a table per ranker",
    "candidates_folder": "folder of the real passages' scores, a table per ranker",
    "classifiers": "folder of the trained classifiers",
    "collection": "table of queries and their passages",
    "collections": "folder of such tables, one per collection",
    "corpus": "table of the corpus",
    "counts": "folder of the collections' word counts, for BM25",
    "counts_output": "folder that is written: the collection's word counts, for BM25",
    "crawl": "table of pages",
    "desk_output": "table that is written: the answers as people are to rank them",
    "dialogues": "table of dialogues",
    "dpo": "folder of the models that DPO trained",
    "examples": "table of the tasks' examples",
    "fluency_model": "folder of the language model that rates fluency",
    "folder": "folder of the pipeline",
    "generated": "table of generated texts",
    "generated_forced": "table of texts that were driven on past their end",
    "held_out_reward": "folder of the held-out reward model",
    "keyword_model": "folder of the keyword model",
    "labels": "folder of people's labels",
    "leaks": "table of the queries that leak",
    "lengths": "table of the texts' places at every length",
    "metrics": "JSON of numbers that is written",
    "models": "folder of the trained arms",
    "output": "file or folder that is written, whole or not at all",
    "pairs": "table of winners and losers",
    "params": "the pipeline's params.yaml",
    "policy": "folder of the model that is aligned",
    "probe_folder": "folder of the altered passages' places, by ranker",
    "probes": "table of the altered passages' places",
    "probes_output": "table that is written: a row per altered passage and ranker",
    "prompts": "table of prompts",
    "queries": "table of queries and their passages",
    "questionnaire": "label.yaml, which says what people are asked",
    "ranked": "table of ranked answers",
    "ranker": "folder of the ranker",
    "rankers_folder": "folder of the rankers",
    "read": "table of how likely each arm finds the true replies",
    "reference": "folder of the model that the policy is compared with",
    "reviews": "table of reviews",
    "reward_model": "folder of the reward model",
    "rewards": "folder of the reward models",
    "rl": "folder of the models that RL trained, with its snapshots",
    "rows": "table of scored texts",
    "scored": "table of scored texts",
    "start": "folder of the model that training starts from",
    "supervised": "folder of the models that were trained on demonstrations",
    "tasks_table": "table of the tasks' examples",
    "templates": "table of the tasks' templates",
    "templates_output": "table that is written: the tasks' templates",
    "texts": "table of texts",
    "texts_output": "table that is written: plain texts",
    "tokens": "folder of tokenized rows",
    "train_curves": "folder of the arms' training curves",
    "trained": "folder of the trained arms",
    "tuned": "folder of the fine-tuned model",
    # where an asset is from
    "hub_id": "hub: name of the model or data set",
    "kind": "which kind of ranker it is",
    "source": "mini: made here; hub: downloaded; else from path",
    "rating_column": "column of the stars, 1 to 5",
    "text_column": "column of the text",
    "validation_share": "share of the texts that are kept from training, 0 to 1",
    # sizes of models
    "d_model": "mini: width of the layers, a multiple of num_heads",
    "hidden_size": "mini: width of the layers",
    "n_embd": "mini: width of the layers, a multiple of n_head",
    "n_head": "mini: attention heads of a layer",
    "n_layer": "mini: layers",
    "n_positions": "mini: longest input, in tokens",
    "num_heads": "mini: attention heads of a layer",
    "vocab_size": "mini: tokens of the vocabulary",
    # training
    "batch_size": "rows at a time",
    "dropout": "share of the activations that are dropped, 0 to 1",
    "embedding_learning_rate": "step size, of the embeddings",
    "epochs": "times that the rows are gone through",
    "gradient_accumulation_steps": "batches that make one step",
    "learning_rate": "step size at its highest",
    "logging_steps": "steps between two points of the curve",
    "loss": "which loss of a pair is trained on",
    "n_pairs": "most pairs",
    "optimizer": "which optimizer makes the steps",
    "r": "rank of the adapters",
    "train_batch_size": "rows at a time, while it is trained",
    "warmup_steps": "steps until the learning rate is at its highest",
    "weight_decay": "share of the learning rate by which weights shrink at each step",
    # generation
    "num_beams": "beams of the search; 1: none",
    "seed": "where the random numbers start; any whole number",
}


def complete_help(command: Any, module: str) -> None:
    """Give each option and argument of a Typer command its text, its spelling and its value.

    `module` is the program's name, like stages.train.
    """
    commands = getattr(command, "commands", None)
    for name, each in commands.items() if commands else [("", command)]:
        values = dict(values_of_options(module, name))
        for param in each.params:
            param.opts = [spelled(option) for option in param.opts]
            param.secondary_opts = [spelled(option) for option in param.secondary_opts]
            option = param.opts[0].removeprefix("--")
            text = param.help or TEXTS.get(option.rpartition(".")[2], "")
            if option != "help" and not getattr(param, "is_flag", False):
                kind = kind_of(param.type_descriptor.annotation)
                if len(kind) > LONGEST_KIND:
                    kind, text = "choice", f"{text}: {kind.replace('|', ', ')}"
                tell_kind(param, kind)
            param.help = f"{text}  [{values[option]}]" if option in values else text


def tell_kind(param: Any, kind: str) -> None:
    """Set the kind of value that help shows; for a list Typer would show list[str]."""
    if param.opts[0].startswith("--"):
        param.metavar = kind
    else:  # whose name Typer would replace by a metavar
        param.display_type = lambda _: f"<{kind}>"


def kind_of(annotation: Any) -> str:
    """Return the kind of an option's value in a word, or its choices as in params.yaml."""
    kinds = (annotation, *typing.get_args(annotation))
    for kind in kinds:
        if isinstance(kind, type) and issubclass(kind, Enum):
            return "|".join(str(each.value) for each in kind)
    names = {int: "integer", float: "number", Path: "path", bool: "switch"}
    return next((names[kind] for kind in kinds if kind in names), "text")


def values_of_options(module: str, command: str) -> Iterator[tuple[str, str]]:
    """Yield each option of a program that a pipeline runs, and the value it has there.

    The value reads `train.epochs: 1`. If several stages run the program, it lists all their keys
    and values; an option without a params key shows the words of dvc.yaml.
    """
    parts = module.split(".")
    folder = ROOT.joinpath(*parts[:2]) if parts[0] == "pipelines" else ROOT
    try:
        params = read_params((folder / "params.yaml").read_text(encoding="utf-8"))
        entries = list(all_entries(read_entries(folder / "dvc.yaml"), params))
    except (InputError, OSError, ValueError):
        return
    flat = flatten(params.content)
    found: dict[str, dict[str, list[str]]] = {}
    for entry in entries:
        words = entry.command.partition(" -m ")[2].split()
        if words[:1] != [module] or (command and words[1:2] != [command]):
            continue
        instance = entry.name.partition("@")[2]
        for option, key in keys_of_options(entry.command, params.content).items():
            shown = key.replace(f".{instance}.", ".*.") if instance else key
            values = found.setdefault(option, {}).setdefault(shown, [])
            value = flat.get(key)
            text = str(value).lower() if isinstance(value, bool) else str(value)
            if text not in values:
                values.append(text)
    for option, keys in found.items():
        yield option, "; ".join(f"{key}: {listed(values)}" for key, values in keys.items())


def listed(values: list[str]) -> str:
    """Return the first few values, separated by commas."""
    more = ", ..." if len(values) > MOST_VALUES else ""
    return ", ".join(values[:MOST_VALUES]) + more
