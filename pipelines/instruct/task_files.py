"""Tasks from outside: folders of data sets, and the Hub; each becomes rows of TASK_SCHEMA.

A folder is searched for FewGLUE's folders (COPA/train.jsonl ...), NLTK's archives (qc.zip,
rte.zip, sentence_polarity.zip, movie_reviews.zip) and data sets of the user's own. Each is called
by the name that its templates have in promptsource, with the fields that they read. What else lies
there is counted and named.
"""

import json
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

from genlab.core.params import check_commit
from genlab.core.program import InputError
from genlab.sources.archives import member_names, read_members
from genlab.sources.decoding import Encoding, decode
from genlab.sources.file_text import is_hidden
from genlab.sources.foreign_files import files_in
from genlab.sources.text_files import PACKED_ENDING, check_text, data_stem, shown, some_of
from genlab.sources.unpacked import PACKED, unpacked_folder
from pipelines.instruct import own_data_sets
from pipelines.instruct.example_rows import check_finite, object_rows
from pipelines.instruct.own_data_sets import read_own

Splits = dict[str, list[dict]]
# The files of a data set, first the one it is named by; promptsource's name; what reads it.
DataSet = tuple[list[Path], str, Callable[[], Splits]]

TEST_SHARE = 0.3  # of data that comes without a test split
NLI = ["entailment", "not_entailment"]
# TREC's classes in the order in which the Hub's data set numbers them.
TREC = {
    "ABBR": "abb exp",
    "ENTY": "animal body color cremat currency dismed event food instru lang letter other plant "
    "product religion sport substance symbol techmeth termeq veh word",
    "DESC": "def desc manner reason",
    "HUM": "gr ind title desc",
    "LOC": "city country mount other state",
    "NUM": "code count date dist money ord other period perc speed temp volsize weight",
}
CB = ["entailment", "contradiction", "neutral"]
# Fields that are asked as they stand; nothing but text may be in them.
TEXT_FIELDS = {
    *("answer", "choice1", "choice2", "hypothesis", "paragraph", "passage", "premise", "query"),
    *("question", "sentence1", "sentence2", "span1_text", "span2_text", "text", "word"),
}
RTE = {"train": "dev", "test": "test"}  # our splits as NLTK's files of RTE are called


def check_texts(place: str, row: dict) -> None:
    """Raise InputError for a field that is no text: null would be asked as the word None."""
    for name in row.keys() & TEXT_FIELDS:
        check_text(place, name, row[name], sys.maxsize)


def truth_of(label: object) -> int:
    """Return 1 or 0 for a label that says true or false; raise ValueError for another one."""
    words = {"1": 1, "1.0": 1, "true": 1, "0": 0, "0.0": 0, "false": 0}
    if (word := str(label).strip().lower()) not in words:
        raise ValueError(f"label {shown(label)}, neither true nor false,")
    return words[word]


def number_of(labels: list[str]) -> Callable[[dict], dict]:
    """Return what turns a row's label from a name into its number."""

    def change(row: dict) -> dict:
        if row["label"] not in labels:
            raise ValueError(f"label {row['label']!r} is not one of {', '.join(labels)}")
        return row | {"label": labels.index(row["label"])}

    return change


def wsc(row: dict) -> dict:
    return {"text": row["text"], **row["target"], "label": truth_of(row["label"])}


def with_truth(row: dict) -> dict:
    return row | {"label": truth_of(row["label"])}


def multirc(row: dict) -> Iterator[dict]:
    for question in row["passage"]["questions"]:
        for answer in question["answers"]:
            yield {"paragraph": row["passage"]["text"], "question": question["question"],
                   "answer": answer["text"], "label": truth_of(answer["label"])}  # fmt: skip


def record(row: dict) -> Iterator[dict]:
    passage = row["passage"]
    if any(e["start"] < 0 for e in passage["entities"]):
        raise ValueError("an entity that starts before the passage")
    entities = sorted({passage["text"][e["start"] : e["end"] + 1] for e in passage["entities"]})
    if "" in entities:
        raise ValueError("an entity that is nowhere in the passage")
    for query in row["qas"]:
        answers = [each["text"] for each in query["answers"]]
        yield {"passage": passage["text"], "query": query["query"], "entities": entities,
               "answers": answers}  # fmt: skip


FEWGLUE: dict[str, tuple[str, Callable]] = {
    "BoolQ": ("super_glue/boolq", with_truth),
    "CB": ("super_glue/cb", number_of(CB)),
    "COPA": ("super_glue/copa", with_truth),
    "MultiRC": ("super_glue/multirc", multirc),
    "RTE": ("super_glue/rte", number_of(NLI)),
    "ReCoRD": ("super_glue/record", record),
    "WSC": ("super_glue/wsc.fixed", wsc),
    "WiC": ("super_glue/wic", with_truth),
}


def read_fewglue(path: Path, change: Callable) -> Splits:
    """Return the examples of one of FewGLUE's files, with their labels as numbers."""
    found: list[dict] = []
    for place, row in object_rows(path):
        check_finite(place, row)
        try:
            changed = change(row)
            rows = [changed] if isinstance(changed, dict) else list(changed)
        except KeyError as error:
            raise InputError(f"{place}: the field {error} is missing; get the file again") from None
        except (TypeError, ValueError) as error:
            raise InputError(f"{place}: {error} does not fit this data set") from None
        for each in rows:
            check_texts(place, each)
        found += rows
    return {"all": found}


def read_files(archive: Path, names: list[str]) -> Iterator[bytes]:
    """Yield the contents of files in an archive; InputError before the first if one is missing."""
    there = member_names(archive)
    for name in names:
        if name not in there:
            raise InputError(f"{archive}: {name} is not in it; get NLTK's own archive again")
    for _, content in read_members(archive, names):
        yield content


def read_texts(archive: Path, names: list[str]) -> Iterator[str]:
    """Yield text files of an archive, which are Latin-1 as NLTK's are; their lines end in LF."""
    for name, content in zip(names, read_files(archive, names), strict=True):
        yield decode(f"{archive}, {name}", content, Encoding.iso_8859_1)


def read_text_lines(archive: Path, names: list[str]) -> Iterator[list[str]]:
    """Yield the lines of `read_texts`: str.splitlines would end one at NEL, too."""
    for text in read_texts(archive, names):
        yield text.removesuffix("\n").split("\n")


def question_classes(archive: Path) -> Splits:
    """Return TREC's questions, `COARSE:fine question` a line, with their classes as numbers."""
    coarse = list(TREC)
    fine = [f"{kind}:{name}" for kind, names in TREC.items() for name in names.split()]
    splits: Splits = {"train": [], "test": []}
    found = read_text_lines(archive, [f"qc/{split}.txt" for split in splits])
    for (split, rows), lines in zip(splits.items(), found, strict=True):
        for line in lines:
            name, _, text = line.partition(" ")
            if name not in fine:
                raise InputError(f"{archive}: qc/{split}.txt: {name!r} is no class of TREC's")
            labels = {
                "coarse_label": coarse.index(name.partition(":")[0]),
                "fine_label": fine.index(name),
            }
            rows.append({"text": text, **labels})
    return splits


def polarity(archive: Path) -> Splits:
    """Return sentences of film reviews, the first class negative as on the Hub."""
    names = ["sentence_polarity/rt-polarity.neg", "sentence_polarity/rt-polarity.pos"]
    rows = [
        {"text": line.strip(), "label": label}
        for label, lines in enumerate(read_text_lines(archive, names))
        for line in lines
        if line.strip()
    ]
    return {"all": rows}


def films(archive: Path) -> Splits:
    """Return whole film reviews; 0 is negative."""
    names = [n for n in member_names(archive) if re.search(r"/(neg|pos)/.*\.txt$", n)]
    found = zip(names, read_texts(archive, names), strict=True)
    return {"all": [{"text": text, "label": int("/pos/" in name)} for name, text in found]}


def textual_entailment(archive: Path) -> Splits:
    """Return RTE 1 to 3 of NLTK: pairs of text and hypothesis in XML."""
    splits: Splits = {"train": [], "test": []}
    parts = [(split, f"rte/rte{n}_{part}.xml") for split, part in RTE.items() for n in (1, 2, 3)]
    files = read_files(archive, [name for _, name in parts])
    for (split, name), content in zip(parts, files, strict=True):
        if b"<!ENTITY" in content.replace(b"\0", b""):  # in UTF-16, too
            raise InputError(f"{archive}: {name} declares entities; refused")
        try:
            pairs = ElementTree.fromstring(content).iter("pair")
        except ElementTree.ParseError as error:
            raise InputError(f"{archive}: {name} is broken XML ({error}); get it again") from None
        for pair in pairs:
            said = pair.get("value", pair.get("entailment", "")).upper()
            label = 0 if said in ("TRUE", "YES") else 1
            premise, hypothesis = [(pair.findtext(key) or "").strip() for key in ("t", "h")]
            splits[split].append({"premise": premise, "hypothesis": hypothesis, "label": label})
    return splits


NLTK: dict[str, tuple[str, Callable[[Path], Splits]]] = {
    "qc.zip": ("trec", question_classes),
    "sentence_polarity.zip": ("rotten_tomatoes", polarity),
    "movie_reviews.zip": ("imdb", films),
    "rte.zip": ("super_glue/rte", textual_entailment),
}


def read_task_folder(
    path: Path, counts: Counter, asked: Mapping[str, str] | None = None
) -> dict[str, Splits]:
    """Return the examples of the data sets in a folder, by promptsource's name.

    `path` may be an archive of such a folder, or hold nothing but archives, or be one of NLTK's.
    A data set of the user's own is called by its folder's path from there. Of two data sets that
    have the same name the larger one is kept, and the other named. Counts files read, hidden and
    unread. Raises InputError if there is no data set, for a link that leads out of the folder, and
    for what is neither file nor folder. asked: by data set, the text of its templates, which says
    what columns of the user's tables are read.
    """
    if path.is_file() and path.name in NLTK:
        return read_data_sets(data_sets(path.parent, [Path(path.name)]), [Path(path.name)], counts)
    with unpacked_folder(path, counts, is_data_set) as (place, folder):
        if not folder.is_dir():
            raise InputError(f"tasks.path={path}: no such folder, and no archive of one")
        there = files_in(folder, f"tasks.path={path}", deep=True)
        visible = [name for name in there if not is_hidden(name)]
        alone = (path if place == folder else place).resolve()
        sources = data_sets(folder, visible)
        top, stem = place.relative_to(folder), data_stem(alone, PACKED)
        sources += own_sources(folder, visible, top, stem, asked or {})
        found = read_data_sets(sources, there, counts)
    if not found:
        known = ", ".join([*FEWGLUE, *NLTK])
        raise InputError(
            f"tasks.path={path}: no data set that is known here ({known}), and no folder with a "
            "file train.csv or train.jsonl, as a data set of your own has"
        )
    return found


def is_data_set(path: Path) -> bool:
    """Return whether a file or folder may be a data set as it is: one of NLTK's archives is."""
    return path.is_dir() or path.name in NLTK or own_data_sets.is_train_file(path)


def read_data_sets(sources: list[DataSet], there: list[Path], counts: Counter) -> dict[str, Splits]:
    """Return the examples of the data sets that were found among the files `there`."""
    found: dict[str, Splits] = {}
    places: dict[str, Path] = {}
    read_files = {path for paths, _, _ in sources for path in paths}
    visible = [name for name in there if not is_hidden(name)]
    unread = [name for name in visible if name not in read_files]
    hidden = len(there) - len(visible)
    counts.update(read=len(read_files), hidden=hidden, unread=len(unread))
    if unread:
        print(
            f"not read, as of no known data set: {len(unread)} ({some_of(unread)})",
            file=sys.stderr,
        )
    for (path, *_), name, read in sources:
        splits = read()
        if name in found:
            print(f"{name}: both {places[name]} and {path} are of it; the larger one is taken")
            if count(splits) <= count(found[name]):
                continue
        found[name], places[name] = splits, path
    for name, splits in found.items():
        tell_copies(name, splits)
    return found


def tell_copies(name: str, splits: Splits) -> None:
    """Print how many of a data set's test rows are the same as one of its training rows."""
    train, test = (
        [json.dumps(row, sort_keys=True) for row in splits.get(split, [])]
        for split in ("train", "test")
    )
    known = set(train)
    if n := sum(row in known for row in test):
        print(
            f"{name}: {n} of {len(test)} test rows are training rows, too, and may be learnt by "
            "heart; remove them from one of the two files",
            file=sys.stderr,
        )


def data_sets(folder: Path, visible: list[Path]) -> list[DataSet]:
    """Return FewGLUE's and NLTK's data sets among a folder's files."""
    sources: list[DataSet] = [
        ([path], name, partial(read_fewglue, folder / path, change))
        for part, (name, change) in FEWGLUE.items()
        for path in visible
        if is_fewglue(path) and path.parent.name == part
    ]
    return sources + [
        ([path], name, partial(read, folder / path))
        for part, (name, read) in NLTK.items()
        for path in visible
        if path.name == part
    ]


def is_fewglue(path: Path) -> bool:
    """Return whether a file is one of FewGLUE's that are read, by its name and its folder's."""
    return path.parent.name in FEWGLUE and PACKED_ENDING.sub("", path.name) == "train.jsonl"


def own_sources(
    folder: Path, visible: list[Path], top: Path, alone: str, asked: Mapping[str, str]
) -> list[DataSet]:
    """Return the data sets of the user's own among a folder's files.

    Their names are their folders' paths below `top`; one that lies there is called `alone`.
    """
    sources: list[DataSet] = []
    for train in visible:
        if is_fewglue(train) or not own_data_sets.is_train_file(train):
            continue
        test = own_data_sets.find_test_file(train, visible)
        name = alone if train.parent == top else train.parent.relative_to(top).as_posix()
        whole = (folder / train, folder / test if test else None, asked.get(name))
        sources.append(([train, *filter(None, [test])], name, partial(read_own, *whole)))
    return sources


def count(splits: Splits) -> int:
    return sum(map(len, splits.values()))


def read_hub_sets(sets: list[str]) -> dict[str, Splits]:
    """Return the examples of data sets of the Hub, given as NAME@COMMIT, NAME@COMMIT/CONFIGURATION.

    NAME may be a local folder in the Hub's layout. Train and validation become train and test.
    """
    from genlab.sources import hub

    found = {}
    for each in sets:
        name, _, rest = each.partition("@")
        commit, _, configuration = rest.partition("/")
        asked = f"tasks.hub_sets: {each}"
        if not Path(name).is_dir():
            check_commit(asked, name, commit)
        rows, _ = hub.load_dataset(
            name, configuration, commit, ["train", "validation"], asked=asked,
            instead="use tasks.source=file with tasks.path=FOLDER",
        )  # fmt: skip
        title = Path(name).name if Path(name).is_dir() else name.split("/")[-1]
        key = f"{title}/{configuration}" if configuration else title
        found[key] = {"train": rows["train"].to_list(), "test": rows["validation"].to_list()}
    return found


def split_examples(
    splits: Splits, n_train: int, n_test: int, rng: random.Random
) -> dict[str, list[dict]]:
    """Return at most `n_train` and `n_test` examples, drawn at random; one split is divided."""
    if "all" in splits:
        rows = rng.sample(splits["all"], len(splits["all"]))
        n = max(1, round(len(rows) * TEST_SHARE))
        splits = {"test": rows[:n], "train": rows[n:]}
    sizes = {"train": n_train, "test": n_test}
    return {split: rng.sample(rows, min(len(rows), sizes[split])) for split, rows in splits.items()}


def split_tasks(
    found: dict[str, Splits], n_train: int, n_test: int, seed: int
) -> dict[str, Splits]:
    """Return every task's `split_examples`, each drawn from a stream of its own."""
    return {
        name: split_examples(splits, n_train, n_test, random.Random(f"{seed}/{name}"))
        for name, splits in found.items()
    }
