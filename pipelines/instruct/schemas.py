"""The tables between this pipeline's stages."""

import polars as pl

# Texts, not numbers, so that any task fits: `fields` is a JSON object.
TASK_SCHEMA = pl.Schema(
    {"task": pl.String(), "split": pl.String(), "example_id": pl.String(), "fields": pl.String()}
)

PAGE_SCHEMA = pl.Schema({"url": pl.String(), "text": pl.String()})

# A row is an example asked through a template.
PROMPT_SCHEMA = pl.Schema(
    {
        "task": pl.String(),
        "split": pl.String(),  # train or test
        "held_out": pl.Boolean(),
        "template": pl.String(),
        "template_number": pl.Int64(),  # 0, 1 ... among those of its kind
        "ask": pl.String(),  # prefix | prompt | reversed
        "example_id": pl.String(),
        "input": pl.String(),
        "target": pl.String(),
        "choices": pl.List(pl.String()),  # null: the answer is open
        "label": pl.Int64(),  # the target's place among the choices, -1 without any
        "times_seen": pl.Int64(),  # of a fact, in the crawl; -1: not known
    }
)

# A row is an answer of a model: PROMPT_SCHEMA's of test, without input, and what was found.
ANSWER_SCHEMA = pl.Schema(
    {
        "arm": pl.String(),
        **{name: kind for name, kind in PROMPT_SCHEMA.items() if name not in ("input", "split")},
        "log_probs": pl.List(pl.Float64()),  # of each choice, summed, nats; null if open
        "n_tokens": pl.List(pl.Int64()),
        "prior_log_probs": pl.List(pl.Float64()),  # of each choice after an empty input
        "text": pl.String(),  # generated; null for choices
    }
)

# A row is an answer, judged.
ITEM_SCHEMA = pl.Schema(
    {
        **{
            name: kind
            for name, kind in ANSWER_SCHEMA.items()
            if name not in ("choices", "log_probs", "n_tokens", "prior_log_probs")
        },
        "chance": pl.Float64(),  # 1 / number of choices; 0 for open answers
        "correct": pl.Float64(),  # the choice of the highest score is right; open: exact match
        "correct_by_mean": pl.Float64(),  # by mean log p per token; null if open
        "changed_by_mean": pl.Float64(),  # the mean chooses another; null if open
        "prior_correct": pl.Float64(),  # the likeliest after an empty input is right; null if open
        "f1": pl.Float64(),  # of words; null for choices
    }
)

# A row is what claims compare: an example, over the prompts it was asked through; or a prompt.
SCORE_SCHEMA = pl.Schema(
    {
        "unit_id": pl.String(),
        "task": pl.String(),
        "arm": pl.String(),
        "accuracy": pl.Float64(),  # share of the prompts with the right answer; null for a prompt
        "spread": pl.Float64(),  # |a prompt's accuracy - its task's median|; null for an example
        "times_seen": pl.Int64(),
    }
)
