"""data_files: of a file, a folder or a zip every file is read, or counted and named."""

import os
import tempfile
import zipfile
from collections import Counter

import pytest

from genlab.core.program import InputError
from genlab.core.scratch import scratch_root
from genlab.sources import archives
from genlab.sources.archives import unpacked_folder
from genlab.sources.data_files import found_files


def pack(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def contents(path, extensions=(".txt",)):
    """Return {name: content} of the data files at a path, and the counts of its files."""
    counts = Counter()
    with found_files(path, extensions, counts) as (_, files):
        return {file.name: file.read_text() for file in files}, counts


MEMBERS = {
    "mine/b.txt": "two",
    "mine/a.txt": "one",
    "mine/notes.md": "x",
    "mine/deep/c.txt": "three",
    "__MACOSX/mine/._a.txt": "\0",
    "mine/.DS_Store": "\0",
}


def test_a_zip_is_read_as_the_folder_of_its_files(tmp_path, capsys):
    """One folder above all files is passed over; what lies deeper is named, as in a folder."""
    path = pack(tmp_path / "a.zip", MEMBERS)
    for name in ("b.txt", "a.txt", "notes.md", "deep/c.txt", ".DS_Store"):
        (tmp_path / "a" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "a" / name).write_text(MEMBERS[f"mine/{name}"])
    found, counts = contents(path)
    assert (found, counts) == (
        {"a.txt": "one", "b.txt": "two"},
        {"read": 2, "hidden": 2, "unread": 2},
    )
    said = capsys.readouterr().err
    assert "not read, as hidden: 2 (__MACOSX/mine/._a.txt, mine/.DS_Store)" in said
    assert "not read, as hidden or no data file: 2 (deep/, notes.md)" in said
    in_folder = contents(tmp_path / "a")
    assert in_folder == (found, {"read": 2, "hidden": 1, "unread": 2})
    assert not list(scratch_root().glob("unpacked-*"))


def test_errors_name_the_archive_and_its_file_and_nothing_unpacked_stays(tmp_path):
    path = pack(tmp_path / "a.zip", MEMBERS)
    with pytest.raises(InputError) as caught, found_files(path, (".txt",), Counter()) as (_, files):
        raise InputError(f"{files[0]}, line 1: wrong")
    assert str(caught.value) == f"{path}/mine/a.txt, line 1: wrong"
    with pytest.raises(InputError, match=rf"{path}/mine: no data file in it \(there: a.txt, b.txt"):
        contents(path, (".csv",))
    assert not list(scratch_root().glob("unpacked-*"))


def test_a_zip_among_other_files_is_to_be_given_alone(tmp_path):
    pack(tmp_path / "a.zip", MEMBERS)
    with pytest.raises(InputError, match=r"there: a.zip\).* a zip is read if corpus.path names it"):
        contents(tmp_path)


def test_a_member_may_be_longer_on_disk_than_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_MEMBER_BYTES", 2)
    path = pack(tmp_path / "a.zip", {"a.txt": "one"})
    assert contents(path)[0] == {"a.txt": "one"}
    monkeypatch.setattr(archives, "MAX_ARCHIVE_BYTES", 2)
    with pytest.raises(InputError, match=r"'a.txt' would grow from \d+ to 3 bytes"):
        contents(path)


def test_a_file_that_is_no_zip_is_given_as_it_is(tmp_path):
    (tmp_path / "a.zip").write_text("one")
    assert contents(tmp_path / "a.zip") == ({"a.zip": "one"}, {"read": 1, "hidden": 0, "unread": 0})
    with pytest.raises(InputError, match=r"none: no such file or folder; correct corpus.path"):
        contents(tmp_path / "none")


def test_what_is_about_the_data_is_no_data(tmp_path, capsys):
    for name in ("a.txt", "README.txt", "LICENSE.txt", "~$a.txt"):
        (tmp_path / name).write_text(name)
    assert contents(tmp_path) == ({"a.txt": "a.txt"}, {"read": 1, "hidden": 1, "unread": 2})
    assert "no data file: 3 (LICENSE.txt, README.txt, ~$a.txt)" in capsys.readouterr().err


def test_a_name_that_is_not_utf_8_is_named(tmp_path):
    name = os.fsdecode(b"\xe9t\xe9.txt")  # as unpacked from an old archive
    (tmp_path / name).write_text("one")
    for path in (tmp_path, tmp_path / name):
        with pytest.raises(InputError, match=r"the name b'.*\\xe9t\\xe9\.txt' is not UTF-8"):
            contents(path)


def test_a_pipe_is_said_to_be_none_of_what_is_read(tmp_path):
    os.mkfifo(tmp_path / "a.txt")
    with pytest.raises(InputError, match=r"a\.txt: neither a file nor a folder; correct corpus"):
        contents(tmp_path / "a.txt")


def test_names_that_no_folder_can_hold_are_one_line(tmp_path):
    for members in ({"a": "1", "a/b.txt": "2"}, {"x" * 300 + ".txt": "1"}):
        path = pack(tmp_path / "a.zip", members)
        with (
            pytest.raises(InputError, match=r"a.zip: '.*' in it cannot be unpacked to "),
            unpacked_folder(path, Counter()),
        ):
            pass


def test_nothing_is_unpacked_into_memory(tmp_path, monkeypatch):
    """Where /tmp is memory, a corpus of gigabytes would fill it."""
    path = pack(tmp_path / "a.zip", MEMBERS)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "memory"))
    with unpacked_folder(path, Counter()) as (place, _):
        assert place.is_relative_to(scratch_root())
