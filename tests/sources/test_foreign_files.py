"""Paths of the user's: what is there, what it is called, and whom a message names."""

import os
from pathlib import Path

import pytest

from genlab.core.program import InputError
from genlab.sources.foreign_files import check_path, named_as


def test_a_path_is_a_file_or_a_folder_of_a_name_in_utf8(tmp_path):
    check_path(tmp_path, "corpus.path")
    with pytest.raises(InputError, match=r"none: no such file or folder; correct corpus\.path"):
        check_path(tmp_path / "none", "corpus.path")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match=r"pipe: neither a file nor a folder; correct base\.path"):
        check_path(tmp_path / "pipe", "base.path")
    with pytest.raises(InputError, match="is not UTF-8; rename it"):
        check_path(Path(os.fsdecode(b"caf\xe9")), "corpus.path")


def test_an_error_names_what_the_user_gave(tmp_path):
    with pytest.raises(InputError, match=r"^my\.zip/a\.csv: no rows$"):  # noqa: SIM117
        with named_as(tmp_path, "my.zip"):
            raise InputError(f"{tmp_path}/a.csv: no rows")
