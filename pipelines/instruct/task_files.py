"""Tasks from outside: folders of known data sets, and the Hub; each becomes rows of TASK_SCHEMA.

A folder is searched for FewGLUE's folders (COPA/train.jsonl ...) and NLTK's archives (qc.zip,
rte.zip, sentence_polarity.zip, movie_reviews.zip). Each is called by the name that its templates
have in promptsource, with the fields that they read.
"""

import json
import random
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

from genlab.core.params import check_commit, did_you_mean
from genlab.core.program import InputError

Splits = dict[str, list[dict]]

MAX_BYTES = 2**28  # of a file in an archive; NLTK's largest has 0.4 MB
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


def read_lines(path: Path) -> list[dict]:
    """Return a JSON Lines file's objects; InputError names the line that is none."""
    rows = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as UTF-8 ({error})") from None
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InputError(f"{path}: line {number} is no JSON ({error})") from None
        if not isinstance(row, dict):
            raise InputError(f"{path}: line {number} is no JSON object")
        rows.append(row)
    return rows


def number_of(labels: list[str]) -> Callable[[dict], dict]:
    """Return what turns a row's label from a name into its number."""

    def change(row: dict) -> dict:
        if row["label"] not in labels:
            raise ValueError(f"label {row['label']!r} is not one of {', '.join(labels)}")
        return row | {"label": labels.index(row["label"])}

    return change


def wsc(row: dict) -> dict:
    return {"text": row["text"], **row["target"], "label": int(row["label"])}


def wic(row: dict) -> dict:
    return row | {"label": int(row["label"])}


def multirc(row: dict) -> Iterator[dict]:
    for question in row["passage"]["questions"]:
        for answer in question["answers"]:
            yield {"paragraph": row["passage"]["text"], "question": question["question"],
                   "answer": answer["text"], "label": int(answer["label"])}  # fmt: skip


def record(row: dict) -> Iterator[dict]:
    passage = row["passage"]
    entities = sorted({passage["text"][e["start"] : e["end"] + 1] for e in passage["entities"]})
    for query in row["qas"]:
        answers = [each["text"] for each in query["answers"]]
        yield {"passage": passage["text"], "query": query["query"], "entities": entities,
               "answers": answers}  # fmt: skip


FEWGLUE: dict[str, tuple[str, Callable]] = {
    "BoolQ": ("super_glue/boolq", wic),
    "CB": ("super_glue/cb", number_of(CB)),
    "COPA": ("super_glue/copa", lambda row: row),
    "MultiRC": ("super_glue/multirc", multirc),
    "RTE": ("super_glue/rte", number_of(NLI)),
    "ReCoRD": ("super_glue/record", record),
    "WSC": ("super_glue/wsc.fixed", wsc),
    "WiC": ("super_glue/wic", wic),
}


def read_fewglue(path: Path, change: Callable) -> Splits:
    """Return the examples of one of FewGLUE's files, with their labels as numbers."""
    found: list[dict] = []
    for number, row in enumerate(read_lines(path), 1):
        try:
            changed = change(row)
            found += [changed] if isinstance(changed, dict) else list(changed)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: line {number}: {error} does not fit this data set") from None
    return {"all": found}


def member(archive: Path, name: str) -> str:
    """Return a text file of an archive, Latin-1 as NLTK's are; InputError if it is not there."""
    try:
        with zipfile.ZipFile(archive) as opened:
            info = opened.getinfo(name)
            if info.file_size > MAX_BYTES:
                raise InputError(f"{archive}: {name} has {info.file_size} bytes, above {MAX_BYTES}")
            return opened.read(info).decode("latin-1")
    except (OSError, zipfile.BadZipFile, KeyError) as error:
        raise InputError(f"{archive}: {name} cannot be read ({error})") from None


def question_classes(archive: Path) -> Splits:
    """Return TREC's questions, `COARSE:fine question` a line, with their classes as numbers."""
    coarse = list(TREC)
    fine = [f"{kind}:{name}" for kind, names in TREC.items() for name in names.split()]
    splits: Splits = {"train": [], "test": []}
    for split, rows in splits.items():
        for line in member(archive, f"qc/{split}.txt").splitlines():
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
        for label, name in enumerate(names)
        for line in member(archive, name).splitlines()
        if line.strip()
    ]
    return {"all": rows}


def films(archive: Path) -> Splits:
    """Return whole film reviews; 0 is negative."""
    with zipfile.ZipFile(archive) as opened:
        names = sorted(n for n in opened.namelist() if re.search(r"/(neg|pos)/.*\.txt$", n))
    return {"all": [{"text": member(archive, n), "label": int("/pos/" in n)} for n in names]}


def textual_entailment(archive: Path) -> Splits:
    """Return RTE 1 to 3 of NLTK: pairs of text and hypothesis in XML."""
    splits: Splits = {"train": [], "test": []}
    for split, part in (("train", "dev"), ("test", "test")):
        for number in (1, 2, 3):
            text = member(archive, f"rte/rte{number}_{part}.xml")
            if "<!ENTITY" in text:
                raise InputError(f"{archive}: rte{number}_{part}.xml declares entities; refused")
            for pair in ElementTree.fromstring(text.encode("latin-1")).iter("pair"):
                said = pair.get("value", pair.get("entailment", "")).upper()
                label = 0 if said in ("TRUE", "YES") else 1
                fields = [(pair.findtext(key) or "").strip() for key in ("t", "h")]
                splits[split].append(
                    {"premise": fields[0], "hypothesis": fields[1], "label": label}
                )
    return splits


NLTK: dict[str, tuple[str, Callable[[Path], Splits]]] = {
    "qc.zip": ("trec", question_classes),
    "sentence_polarity.zip": ("rotten_tomatoes", polarity),
    "movie_reviews.zip": ("imdb", films),
    "rte.zip": ("super_glue/rte", textual_entailment),
}


def read_task_folder(folder: Path) -> dict[str, Splits]:
    """Return the examples of the data sets found in a folder, by promptsource's name.

    Of two that have the same name the larger one is kept, and the other named. Raises InputError if
    nothing in the folder is known.
    """
    if not folder.is_dir():
        raise InputError(f"tasks.path={folder}: no such folder")
    found: dict[str, Splits] = {}
    places: dict[str, Path] = {}
    sources = [
        (path, name, lambda path=path, change=change: read_fewglue(path, change))
        for part, (name, change) in FEWGLUE.items()
        for path in sorted(folder.rglob(f"{part}/train.jsonl"))
    ]
    sources += [
        (path, name, lambda path=path, read=read: read(path))
        for part, (name, read) in NLTK.items()
        for path in sorted(folder.rglob(part))
    ]
    for path, name, read in sources:
        splits = read()
        if name in found:
            print(f"{name}: both {places[name]} and {path} are of it; the larger one is taken")
            if count(splits) <= count(found[name]):
                continue
        found[name], places[name] = splits, path
    if not found:
        known = ", ".join([*FEWGLUE, *NLTK])
        raise InputError(f"tasks.path={folder}: no data set that is known here ({known})")
    return found


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


def check_templates(tasks: list[str], templates: dict) -> None:
    """Raise InputError for a task without templates."""
    for task in tasks:
        if task not in templates:
            raise InputError(
                f"no templates for {task}{did_you_mean(task, templates)}; tasks.templates has "
                f"{', '.join(templates)}"
            )
