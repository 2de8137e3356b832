"""The questionnaire (label.yaml), and the texts that a rater sees."""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import polars as pl

from genlab.core.program import InputError
from genlab.core.tables import read_table
from genlab.core.yaml_text import read_yaml_file
from genlab.labelling.reliability import Scale

ALL = "all"
ORDER = "order"  # in place of choices: the rater puts a text's numbered answers in order
# agreement.py's names for two raters together, for more, and for their different answers.
BOTH = "both"
MAJORITY = "majority"
DISAGREED = "disagreed"
SCALES = get_args(Scale)
OWN = {"text_id", "arm", "text"}  # columns of every text; the rater never sees the arm
OWN_NAMES = "text_id, arm and text"


@dataclass(frozen=True)
class Questionnaire:
    """A label.yaml: wordings are {language: words}, the choices in the order of their keys.

    scale: ordinal if the choices stand in order (bad, middling, good), for Krippendorff's alpha.

    With choices: order, a text holds `n_answers` (a column) numbered answers, and the rater puts
    them in order, the best first: 2>1=3 says that 2 is best, and 1 and 3 are tied.
    """

    n: int
    seed: int
    arms: str | list[str]
    by: str
    show: dict[str, dict]
    question: dict[str, str]
    hint: dict[str, str]
    choices: dict[str, dict[str, str]] | str
    scale: Scale = "nominal"

    @property
    def is_order(self) -> bool:
        """Whether the rater orders answers, instead of choosing one of the choices."""
        return self.choices == ORDER

    def takes(self, answer: str) -> bool:
        """Return whether the words are an answer to this sheet's question."""
        if self.is_order:
            numbers = re.split("[>=]", answer)
            there = [str(i) for i in range(1, len(numbers) + 1)]
            return sorted(numbers, key=lambda x: (len(x), x)) == there != ["1"]  # 10 after 9
        return answer in self.choices


def read_questionnaire(path: Path) -> Questionnaire:
    """Read a label.yaml; raise InputError naming an invalid key."""
    content = read_yaml_file(path, "name the file that says what is asked of raters")
    keys = set(Questionnaire.__annotations__)
    given = set(content) | {"scale"} if isinstance(content, dict) else set()
    if given != keys:
        wrong = ", ".join(sorted(map(str, given ^ keys)))
        raise InputError(f"{path}: it must have the keys {', '.join(sorted(keys))}; see {wrong}")
    for key, is_right, need in [
        ("n", is_count, "a whole number, 0 for all"),
        ("seed", is_count, "a whole number"),
        ("arms", lambda arms: arms == ALL or is_names(arms), "all, or a list of arms"),
        ("by", lambda by: isinstance(by, str) and by not in OWN, f"a column besides {OWN_NAMES}"),
        (
            "show",
            lambda show: is_captions(show) and OWN.isdisjoint(show),
            f"columns besides {OWN_NAMES}, with their captions: rating: {{en: Rating, of: 5}}",
        ),
        ("question", is_wording, "words by language, such as {en: ...}"),
        ("hint", is_wording, "words by language, such as {en: ...}"),
        ("scale", lambda scale: scale in SCALES, " or ".join(SCALES)),
        (
            "choices",
            lambda choices: choices == ORDER or is_choices(choices),
            "two to nine answers with words by language: correct: {en: ...}, or order",
        ),
    ]:
        if key in content and not is_right(content[key]):
            raise InputError(f"{path}: {key} must be {need}")
    for answer in content["choices"] if content["choices"] != ORDER else ():
        if not re.fullmatch(r"[a-z][a-z0-9_]*", answer) or answer == DISAGREED:
            raise InputError(
                f"{path}: choices.{answer}: an answer's name is lower-case Latin letters, digits"
                f" and underscores, and not {DISAGREED}"
            )
    return Questionnaire(**content)


def ranks_of(answer: str) -> list[int]:
    """Return the rank of each numbered answer, 1 for the best, given an order: 2>1=3 is 2, 1, 2."""
    ranks: dict[int, int] = {}
    rank = 1
    for tied in answer.split(">"):
        numbers = [int(number) for number in tied.split("=")]
        ranks |= dict.fromkeys(numbers, rank)
        rank += len(numbers)
    return [ranks[number] for number in sorted(ranks)]


def is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_names(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, str) for each in value)


def is_wording(value: object) -> bool:
    return isinstance(value, dict) and bool(value) and is_names([*value, *value.values()])


def is_captions(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(column, str)
        and isinstance(caption, dict)
        and is_count(caption.get("of", 0))
        and is_wording({key: words for key, words in caption.items() if key != "of"})
        for column, caption in value.items()
    )


def is_choices(value: object) -> bool:
    return (
        isinstance(value, dict)
        and 2 <= len(value) <= 9
        and is_names(list(value))
        and all(map(is_wording, value.values()))
    )


def read_texts(path: Path, sheet: Questionnaire) -> pl.DataFrame:
    """Return the table of texts; raise InputError for a missing column or text, or a repeated id.

    Columns: text_id, arm, text, and those that the questionnaire names.
    """
    texts = read_table(path)
    needed = ["text_id", "arm", "text", sheet.by, *sheet.show]
    needed += ["n_answers"] if sheet.is_order else []
    missing = [name for name in needed if name not in texts.columns]
    if missing:
        raise InputError(f"{path}: it has no column {missing[0]}, which the desk needs")
    for name in ("text_id", "arm", "text", sheet.by):
        if texts[name].null_count():
            row = texts[name].to_list().index(None) + 1
            raise InputError(f"{path}: row {row} has no {name}; run `dvc repro`")
    twice = texts.filter(pl.col("text_id").is_duplicated())
    if twice.height:
        raise InputError(f"{path}: text_id {twice['text_id'][0]} is there twice; run `dvc repro`")
    return texts


def add_fingerprints(texts: pl.DataFrame, sheet: Questionnaire) -> pl.DataFrame:
    """Return the texts with the column fingerprint: of the id, the text and what stands beside."""
    seen = texts.select("text_id", "text", *sheet.show).rows()
    return texts.with_columns(fingerprint=pl.Series(map(digest, seen), dtype=pl.String))


def digest(value: object) -> str:
    """Return 16 hex digits of any JSON value."""
    content = json.dumps(value, ensure_ascii=False).encode()
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def sample_texts(texts: pl.DataFrame, sheet: Questionnaire, rater: str) -> pl.DataFrame:
    """Return the n texts that are to be labelled, in the order in which `rater` sees them.

    The sample is balanced over arms and over the values of the column `by`. It consists of shuffled
    blocks with one text of each combination, so a rater who stops early has a balanced sample, too.
    All raters get the same texts, in different orders within blocks. A larger n adds texts at the
    end. The sample does not depend on the order of the rows, as each text's place comes from a
    digest of the seed and its id. Raises InputError if there are too few texts.
    """
    if sheet.arms != ALL:
        unknown = sorted(set(sheet.arms) - set(texts["arm"]))
        if unknown:
            known = ", ".join(texts["arm"].unique().sort())
            raise InputError(
                f"the questionnaire's arms: there is no arm {unknown[0]} among the texts ({known})"
            )
        texts = texts.filter(pl.col("arm").is_in(sheet.arms))
    stratum = ["arm", sheet.by]
    ids = texts["text_id"].to_list()
    drawn = (
        texts.with_columns(
            draw=pl.Series([digest([sheet.seed, "draw", name]) for name in ids], dtype=pl.String),
            turn=pl.Series([digest([sheet.seed, rater, name]) for name in ids], dtype=pl.String),
        )
        .sort("draw")
        .with_columns(block=pl.int_range(pl.len()).over(stratum))
    )
    sizes = drawn.group_by(stratum).len()
    n = sheet.n or drawn.height
    possible = sizes.height * min(sizes["len"].to_list(), default=0)
    if drawn.is_empty() or (sheet.n and n > possible):
        raise InputError(
            f"the questionnaire's n: {n} texts cannot be drawn equally from {drawn.height} texts"
            f" of {sizes.height} kinds (arm and {sheet.by}); set n to {possible} or less, or to 0"
            " for all"
        )
    # Which texts the last block holds, if it is not a whole one, is a matter of the seed alone.
    chosen = drawn.sort("block", "draw").head(n)
    return chosen.sort("block", "turn").drop("draw", "turn", "block")
