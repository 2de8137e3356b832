"""Data sets of the user's own: folders that hold a file named train, as train.csv or train.jsonl.

The folder's path is the data set's name, which its templates give as `dataset` (and `subset`); they
read a row's fields by their names. What it is tested on are the rows of a file named test,
validation or dev beside it; where there is none, train is divided.
"""

from collections.abc import Iterable
from pathlib import Path

from genlab.sources.text_files import data_stem, is_data_file
from pipelines.instruct.example_rows import EXTENSIONS, read_examples

TESTS = ("test", "validation", "dev")  # the first that is there


def is_train_file(path: Path) -> bool:
    """Return whether a file holds the training rows of a data set, by its name."""
    return is_data_file(path, EXTENSIONS) and data_stem(path, EXTENSIONS).lower() == "train"


def find_test_file(train: Path, there: Iterable[Path]) -> Path | None:
    """Return the file of test rows beside `train`, or None."""
    named = {
        data_stem(path, EXTENSIONS).lower(): path
        for path in there
        if path.parent == train.parent and is_data_file(path, EXTENSIONS)
    }
    return next((named[name] for name in TESTS if name in named), None)


def read_own(train: Path, test: Path | None, asked: str | None = None) -> dict[str, list[dict]]:
    """Return a data set's examples by split; "all" where no file says what is tested on.

    asked: as in `read_examples`.
    """
    names, files = (("train", "test"), [train, test]) if test else (("all",), [train])
    return dict(zip(names, read_examples(files, asked), strict=True))
