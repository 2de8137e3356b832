"""From outside: prompts with ranked answers, of a JSON Lines file or a Hub data set; plain text.

A row has a prompt and `answers`, the best first; or `answers` and `ranks`, 1 for the best, equal
ranks for ties; or `chosen` and `rejected`, which may be messages of the user's and the assistant's.
It may have a `demonstration`; without one the single best answer stands for it. Where `chosen` and
`rejected` are whole dialogues that begin alike (Anthropic/hh-rlhf), the prompt is what they share
up to the last "Assistant:". Rows of openai/summarize_from_feedback (info, summaries, choice) are
read as they are; it compares the summaries of a post two by two, and a prompt has one ranking, so
the first comparison counts.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any
from unicodedata import normalize

from genlab.core.params import did_you_mean, is_number, number_said
from genlab.core.program import InputError
from genlab.sources.bad_rows import BadRow, reason_of
from genlab.sources.data_files import found_files
from genlab.sources.decoding import Encoding
from genlab.sources.file_text import recognise_start, text_lines
from genlab.sources.hub import load_dataset
from genlab.sources.json_text import json_rows
from genlab.sources.text_columns import TABLES, holds_objects, is_table, table_texts
from genlab.sources.text_files import check_text, shown

LONGEST = 100_000  # bytes of a prompt or an answer
TURN, OTHER_TURN = "\n\nAssistant:", "\n\nHuman:"
BESIDE_ANSWERS = ("prompt", "answers", "ranks", "demonstration")
AGAIN = "prompt_again"
# What is read of a folder or a zip.
ROW_FILES = (".jsonl", ".ndjson", ".json")
TEXT_FILES = (".txt", *TABLES)


def read_file_rows(
    path: Path,
    dropped: Counter,
    encoding: Encoding = Encoding.auto,
    counts: Counter | None = None,
) -> list[tuple]:
    """Return rows of PROMPT_SCHEMA without purpose; InputError with file and line for a bad one.

    They are those of a file of JSON, of all such files of a folder, or of a zip. Later comparisons
    of a prompt's answers are counted in `dropped`, files read, hidden and unread in `counts`.
    """

    def count(error: InputError) -> None:
        if reason_of(error) != AGAIN:
            raise error
        dropped[AGAIN] += 1

    with found_files(path, ROW_FILES, counts) as (_, files):
        rows = (json_rows(file, "prompts with ranked answers", encoding) for file in files)
        kept = list(checked(chain.from_iterable(rows), count))
    tell_again(dropped)
    return kept


def read_hub_rows(hub_id: str, hub_name: str, revision: str, dropped: Counter) -> list[tuple]:
    """Return rows of a Hub data set's train split as `read_file_rows`; bad ones are counted.

    hub_name: its configuration; none if it has one only.
    """
    asked = f"corpus.hub_id={hub_id}, corpus.hub_name={hub_name}, corpus.revision={revision}"
    instead = "give a file (corpus.source=file)"
    name = "" if hub_name == "none" else hub_name
    found, _ = load_dataset(hub_id, name, revision, ["train"], asked=asked, instead=instead)
    rows = ((f"{hub_id}, row {i}", row) for i, row in enumerate(found["train"]))

    def count(error: InputError) -> None:
        dropped[AGAIN if reason_of(error) == AGAIN else "bad_row"] += 1

    kept = list(checked(rows, count))
    if not kept:
        raise InputError(f"{asked}: no row has a prompt with ranked answers; {instead}")
    tell_again(dropped)
    return kept


def tell_again(dropped: Counter) -> None:
    """Print how many comparisons are left out as their prompts had one before."""
    if dropped[AGAIN]:
        print(
            f"{dropped[AGAIN]} rows compare answers to a prompt that an earlier row has: the first "
            f"row of a prompt counts, the others are left out as {AGAIN}; rank all its answers in "
            'one row ("answers" with "ranks") to keep them'
        )


def read_plain_texts(
    path: Path, encoding: Encoding = Encoding.auto, counts: Counter | None = None
) -> list[str]:
    """Return the lines of a file that have text, or the texts of a table; [] for none.

    Of a folder or a zip all such files are read, and files counted as `read_file_rows` does.
    Raises InputError where nothing has text.
    """
    if str(path) == "none":
        return []
    with found_files(path, TEXT_FILES, counts, "corpus.texts_path") as (_, files):
        texts = [text for file in files for text in texts_of_file(file, encoding)]
    if not any(texts):
        raise InputError(f"{path}: no line has text; corpus.texts_path=none goes without")
    return list(filter(None, texts))


def texts_of_file(file: Path, encoding: Encoding) -> Iterator[str]:
    """Yield the lines of a file, or the texts of a table, without blanks around them."""
    is_parquet, start = recognise_start(file, "a text a line", encoding)
    in_rows = is_parquet or is_table(file) or holds_objects(start)
    for place, text in (table_texts if in_rows else text_lines)(file, encoding):
        check_text(place, "text", text, sys.maxsize, of_table=in_rows)
        yield str(text).strip()


def checked(
    rows: Iterable[tuple[str, Any]], on_bad_row: Callable[[InputError], None]
) -> Iterator[tuple]:
    """Yield rows of PROMPT_SCHEMA, each prompt once: a later one is put to `on_bad_row`.

    A later comparison of two answers is a BadRow for AGAIN.
    """
    seen: dict[str, str] = {}
    for number, (place, row) in enumerate(rows):
        try:
            prompt, demonstration, answers = ranking_of(place, row)
            if prompt in seen:
                again = f"{place}: the prompt is that of {seen[prompt]}; join the rows"
                raise InputError(again) if "answers" in row else BadRow(AGAIN, again)
        except InputError as error:
            on_bad_row(error)
            continue
        seen[prompt] = place
        yield f"prompt-{number:07}", prompt, demonstration, None, None, answers


def ranking_of(place: str, row: Any) -> tuple[str, str | None, list[dict]]:
    """Return prompt, demonstration and answers of a row; InputError says what is wrong with it."""
    if not isinstance(row, dict):
        raise InputError(f"{place}: not an object with prompt and answers")
    prompt, texts, ranks = parts_of(place, row)
    if prompt is None and row.get("prompt") is None:
        instead = 'whole dialogues need a blank line before each "Assistant:"'
        raise InputError(f"{place}: there is no prompt{there_is(row)}; give one; {instead}")
    check_text(place, "prompt", prompt, LONGEST, may_be_blank=False)
    for number, text in enumerate(texts, 1):
        check_text(place, f"answer {number}", text, LONGEST, of_table=False)
    if len(texts) < 2:
        raise InputError(f"{place}: a ranking with {len(texts)} answer; it takes two or more")
    bare = [normalize("NFC", text).strip() for text in texts]  # written as they are seen
    if len(set(bare)) < len(bare):
        twice = next(text for text in bare if bare.count(text) > 1)
        raise InputError(f"{place}: the answer {twice[:40]!r} is there twice; remove one")
    check_ranks(place, ranks, len(texts))
    best = [text for text, rank in zip(texts, ranks, strict=True) if rank == min(ranks)]
    demonstration = row.get("demonstration")  # null as pandas writes what is missing
    if demonstration is None and len(best) == 1 and best[0].strip():
        demonstration = best[0]
    if demonstration is not None:
        check_text(place, "demonstration", demonstration, LONGEST, False, of_table=False)
    answers = [{"text": text, "rank": rank} for text, rank in zip(texts, ranks, strict=True)]
    return prompt, demonstration, answers


def check_ranks(place: str, ranks: list, n_answers: int) -> None:
    """Raise InputError for what is no ranking of so many answers, as ratings, where 5 is best."""
    if len(ranks) != n_answers or not all(type(rank) is int and rank > 0 for rank in ranks):
        raise InputError(f"{place}: ranks must be a whole number from 1 on for every answer")
    if len(set(ranks)) == 1:
        raise InputError(f"{place}: all {n_answers} answers are tied, which ranks none; remove it")
    if min(ranks) != 1 or max(ranks) > n_answers:
        raise InputError(
            f"{place}: ranks {min(ranks)} to {max(ranks)} are none of {n_answers} answers: 1 is "
            f"the best, and {n_answers} the most; if these are ratings, give ranks instead"
        )


def there_is(row: dict) -> str:
    """Return in brackets what a row has."""
    return f" (there: {', '.join(map(shown, list(row)[:10]))}{', ...' * (len(row) > 10)})"


def parts_of(place: str, row: dict) -> tuple[Any, list, list]:
    """Return the prompt, the answers and their ranks of a row in any of the forms."""
    if "answers" in row:
        return parts_of_answers(place, row)
    if "summaries" in row and "choice" in row:
        return parts_of_summaries(place, row)
    if "chosen" in row and "rejected" in row:
        return parts_of_pair(place, row)
    raise InputError(f"{place}: it needs answers, or chosen and rejected{there_is(row)}")


def parts_of_answers(place: str, row: dict) -> tuple[Any, list, list]:
    """Return prompt, answers and ranks of a row with `answers`; without `ranks`, best first."""
    check_keys(place, row)
    texts = row["answers"]
    ranks = row.get("ranks", list(range(1, len(texts) + 1)) if isinstance(texts, list) else [])
    if not isinstance(texts, list) or not isinstance(ranks, list):
        raise InputError(f"{place}: answers and ranks must be lists")
    return row.get("prompt"), texts, ranks


def parts_of_summaries(place: str, row: dict) -> tuple[Any, list, list]:
    """Return post, summaries and ranks of a row of openai/summarize_from_feedback."""
    summaries, info = row["summaries"], row.get("info") or {}
    if not isinstance(summaries, list) or not isinstance(info, dict):
        raise InputError(f"{place}: summaries must be a list, and info an object")
    if not all(isinstance(each, dict) for each in summaries):
        raise InputError(f"{place}: every one of summaries must be an object with text")
    texts = [each.get("text") for each in summaries]
    choice = row["choice"]
    if type(choice) is not int or not 0 <= choice < len(texts):
        raise InputError(
            f"{place}: choice is {shown(choice)}; it must be the number of one of the "
            f"{len(texts)} summaries, counted from 0"
        )
    post = info.get("post") or info.get("article")
    return post, texts, [1 if i == choice else 2 for i in range(len(texts))]


def parts_of_pair(place: str, row: dict) -> tuple[Any, list, list]:
    """Return prompt, answers and ranks of a row with `chosen` and `rejected`."""
    check_scores(place, row)
    in_messages = any(isinstance(row.get(name), list) for name in ("chosen", "rejected", "prompt"))
    if in_messages:
        row = without_messages(place, row)
    for name in ("chosen", "rejected"):
        check_text(place, name, row[name], LONGEST, of_table=False)
    found = (row.get("prompt"), row["chosen"], row["rejected"])
    prompt, chosen, rejected = found if in_messages else without_prompt(place, *found)
    for name, answer in (("chosen", chosen), ("rejected", rejected)):
        if OTHER_TURN in answer:
            raise InputError(f"{place}: {name} goes on with a turn of the human's; end it before")
    return prompt, [chosen.strip(), rejected.strip()], [1, 2]


def without_prompt(place: str, prompt: Any, chosen: str, rejected: str) -> tuple[Any, str, str]:
    """Return prompt and answers of texts that may both begin with the prompt, which is cut off.

    Without a prompt it is the dialogue that they share, if they are dialogues.
    """
    if prompt is None and TURN in chosen:
        prompt, chosen = split_dialogue(chosen)
        before, rejected = split_dialogue(rejected)
        if before != prompt:
            raise InputError(f"{place}: chosen and rejected answer different dialogues; remove it")
    elif isinstance(prompt, str) and chosen.startswith(prompt) and rejected.startswith(prompt):
        chosen, rejected = (text.removeprefix(prompt) for text in (chosen, rejected))
    return prompt, chosen, rejected


def without_messages(place: str, row: dict) -> dict:
    """Return a row's prompt and answers as texts, given lists of messages, as TRL has them."""
    (prompt, chosen), (other, rejected) = (
        prompt_and_answer(place, row, name) for name in ("chosen", "rejected")
    )
    if prompt != other:
        raise InputError(f"{place}: chosen and rejected answer different prompts; correct it")
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected}


def prompt_and_answer(place: str, row: dict, name: str) -> tuple[Any, Any]:
    """Return the prompt and the answer `name` of a row in which some are lists of messages.

    Raises InputError unless they are one message of the user's and one of the assistant's.
    """
    prompt, answer = row.get("prompt"), row[name]
    before = prompt if isinstance(prompt, list) else []
    messages = answer if isinstance(answer, list) else [{"role": "assistant", "content": answer}]
    if before and messages[: len(before)] == before:  # a whole dialogue beside its prompt
        messages = messages[len(before) :]
    said = [each if isinstance(each, dict) else {} for each in (*before, *messages)]
    if isinstance(prompt, str) and len(said) == 1:
        said = [{"role": "user", "content": prompt}, *said]
    roles, texts = ([each.get(key) for each in said] for key in ("role", "content"))
    is_other = isinstance(prompt, str) and texts[:1] != [prompt]
    if roles != ["user", "assistant"] or is_other:
        raise InputError(
            f"{place}: prompt and {name} are not one message of the user's and one of the "
            "assistant's; write them as texts, in prompt, chosen and rejected"
        )
    return texts[0], texts[1]


def check_scores(place: str, row: dict) -> None:
    """Raise InputError where a row's own scores say that the rejected answer is the better one."""
    for names in (("score_chosen", "score_rejected"), ("chosen_score", "rejected_score")):
        chosen, rejected = (number_in(row, name) for name in names)
        if chosen is not None and rejected is not None and chosen < rejected:
            raise InputError(
                f"{place}: {names[0]} {row[names[0]]} is below {names[1]} {row[names[1]]}; "
                "exchange the answers, or remove the row"
            )
    margin = number_in(row, "margin")
    if margin is not None and margin < 0:
        raise InputError(
            f"{place}: margin {row['margin']} says that the rejected answer is the better one; "
            "exchange the answers, or remove the row"
        )


def number_in(row: dict, name: str) -> float | None:
    """Return a row's number, which may be written as a text; None if it has none."""
    value = row.get(name)
    if isinstance(value, str):
        return number_said(value)
    return value if is_number(value) else None


def check_keys(place: str, row: dict) -> None:
    """Raise InputError for a key beside answers that may be meant, but is not read.

    Without ranks this is any: it may hold a ranking. With them it is one that looks misspelt.
    """
    left = [name for name in BESIDE_ANSWERS if name not in row]
    for name in row:
        hint = did_you_mean(name, left)
        if name not in BESIDE_ANSWERS and (hint or "ranks" not in row):
            instead = "or leave it out where the best answer stands first"
            raise InputError(
                f"{place}: answers come with {shown(name)}, which is not read; give ranks (1 is "
                f"best), {instead if 'ranks' not in row else 'and leave it out'}{hint}"
            )


def split_dialogue(text: str) -> tuple[str, str]:
    """Return a dialogue up to its last "Assistant:", and what stands after it."""
    before, _, answer = text.rpartition(TURN)
    return (before + TURN).strip(), answer
