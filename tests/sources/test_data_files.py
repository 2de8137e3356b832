"""data_files: of a file, a folder or a zip every file is read, or counted and named."""

import io
import os
import tarfile
import tempfile
import zipfile
from collections import Counter

import pytest

from genlab.core.program import InputError
from genlab.core.scratch import scratch_root
from genlab.sources import archives
from genlab.sources.data_files import found_files
from genlab.sources.text_files import is_data_file
from genlab.sources.unpacked import unpacked_folder


def pack(path, members):
    if not isinstance(path, io.BytesIO):
        path.parent.mkdir(exist_ok=True)
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


def test_a_folder_without_data_says_where_below_it_they_lie(tmp_path):
    """As in a data set of the Hub, and in what datasets.save_to_disk writes."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "shard.arrow").write_bytes(b"")
    with pytest.raises(InputError, match=r"its Arrow files are datasets\.save_to_disk's: read"):
        contents(tmp_path)
    (tmp_path / "data" / "a.txt").write_text("a")
    with pytest.raises(InputError, match="there are data in data/: give such a folder"):
        contents(tmp_path)


def test_a_zip_in_a_folder_without_data_is_read_as_if_it_were_unpacked_there(tmp_path, capsys):
    """As a download is that was unpacked once; what lies beside the zip is counted."""
    pack(tmp_path / "a.zip", MEMBERS)
    (tmp_path / "README.txt").write_text("about")
    (tmp_path / "deep").mkdir()
    assert contents(tmp_path) == (
        {"a.txt": "one", "b.txt": "two"},
        {"read": 2, "hidden": 2, "unread": 4},
    )
    said = capsys.readouterr().err
    assert "read, as no data file is beside: 1 (a.zip)" in said
    assert "not read, beside archives: 2 (README.txt, deep/)" in said
    with pytest.raises(InputError) as caught, found_files(tmp_path, (".txt",), Counter()) as found:
        raise InputError(f"{found[1][0]}, line 1: wrong")
    assert str(caught.value) == f"{tmp_path}/a.zip/mine/a.txt, line 1: wrong"
    assert not list(scratch_root().glob("unpacked-*"))


def test_a_zip_beside_data_files_is_not_read_and_it_is_said_what_to_do(tmp_path, capsys):
    """As a rule it holds these files, and every row would count twice."""
    pack(tmp_path / "a.zip", MEMBERS)
    (tmp_path / "c.txt").write_text("three")
    assert contents(tmp_path) == ({"c.txt": "three"}, {"read": 1, "hidden": 0, "unread": 1})
    assert (
        "1 (a.zip); a.zip: not read where data files lie beside; unpack it, or give it alone as "
        "corpus.path" in capsys.readouterr().err
    )


def test_data_of_several_zips_come_together_and_one_name_in_two_is_refused(tmp_path):
    pack(tmp_path / "a.zip", {"one/a.txt": "1", "one/notes.md": "x"})
    pack(tmp_path / "b.zip", {"b.txt": "2", "notes.md": "y"})
    assert contents(tmp_path) == (
        {"a.txt": "1", "b.txt": "2"},
        {"read": 2, "hidden": 0, "unread": 2},  # the rest of each zip
    )
    pack(tmp_path / "c.zip", {"a.txt": "3"})
    with pytest.raises(InputError) as caught:
        contents(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: both a.zip and c.zip hold 'a.txt'; give one of the two, or unpack them to "
        "one folder"
    )


def zipped(members):
    """Return the bytes of a zip."""
    stream = io.BytesIO()
    pack(stream, members)
    return stream.getvalue()


def test_a_zip_in_a_zip_is_read_and_a_third_one_inside_is_refused(tmp_path):
    inner = zipped({"b.txt": "two"})
    path = pack(tmp_path / "a.zip", {"mine/in.zip": inner, "mine/readme.txt": "about"})
    assert contents(path) == ({"b.txt": "two"}, {"read": 1, "hidden": 0, "unread": 1})
    with pytest.raises(InputError) as caught, found_files(path, (".txt",), Counter()) as found:
        raise InputError(f"{found[1][0]}, line 1: wrong")
    assert str(caught.value) == f"{path}/mine/in.zip/b.txt, line 1: wrong"
    deep = pack(tmp_path / "deep.zip", {"out.zip": zipped({"in.zip": inner})})
    with pytest.raises(InputError, match=r"deep.zip/out.zip/in.zip: an archive in an archive in"):
        contents(deep)


def test_what_archives_grow_to_is_measured_over_all_of_them(tmp_path, monkeypatch):
    """A bomb may be built of zips each of which is in measure."""
    monkeypatch.setattr(archives, "MAX_RATIO", 60)
    monkeypatch.setattr(archives, "SMALL_BYTES", 6_000)
    inner = zipped({f"{i}.txt": bytes([i]) * 5_000 for i in range(10)})  # 50,000 of some 1,200
    path = pack(tmp_path / "a.zip", {f"{i}.zip": inner for i in range(30)})
    with pytest.raises(InputError, match=rf"^{path}: it would grow from \d+ to \d+ bytes"):
        contents(path)
    for i in range(3):
        pack(tmp_path / f"all/{i}.zip", {f"{i}.txt": b"abc" * 100})
    monkeypatch.setattr(archives, "MAX_ARCHIVE_BYTES", 700)
    with pytest.raises(InputError, match=rf"^{tmp_path}/all: unpacked it would have 900 bytes"):
        contents(tmp_path / "all")


def tarred(path, members, mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            member = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            if not isinstance(content, tarfile.TarInfo):
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
            else:
                archive.addfile(member)
    return path


@pytest.mark.parametrize(
    ("name", "mode"), [("a.tar.gz", "w:gz"), ("a.tar", "w"), ("a.tgz", "w:gz")]
)
def test_a_tar_is_read_as_a_zip_is(tmp_path, name, mode):
    members = {name: content.encode() for name, content in MEMBERS.items()}
    path = tarred(tmp_path / name, members, mode)
    expected = {"a.txt": "one", "b.txt": "two"}, {"read": 2, "hidden": 2, "unread": 2}
    assert contents(path) == expected
    assert contents(tmp_path) == expected


def test_a_tar_that_leads_out_links_repeats_blows_up_or_is_damaged_is_refused(tmp_path):
    link = tarfile.TarInfo("a.txt")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    for members, words in (
        ({"../a.txt": b"x"}, "the name '../a.txt' leads out of it"),
        ({"a.txt": link}, "'a.txt' is a link or no file"),
        ({"a.txt": b"\0" * 3_000_000}, r"it would grow from \d+ to \d+ bytes"),
        ({"a.txt": b"x", "./a.txt": b"y"}, "'./a.txt' is in it twice"),
    ):
        path = tarred(tmp_path / "a.tar.gz", members)
        with pytest.raises(InputError, match=rf"^{path}: {words}"):
            contents(path)
    content = tarred(tmp_path / "a.tar", {"a.txt": b"x" * 2000}, "w").read_bytes()
    (tmp_path / "a.tar").write_bytes(content[:1000])
    with pytest.raises(InputError, match=r"a.tar: a damaged tar archive \("):
        contents(tmp_path / "a.tar")
    assert not list(scratch_root().glob("unpacked-*"))


def test_a_member_may_be_longer_on_disk_than_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_MEMBER_BYTES", 2)
    path = pack(tmp_path / "a.zip", {"a.txt": "one"})
    assert contents(path)[0] == {"a.txt": "one"}
    monkeypatch.setattr(archives, "MAX_ARCHIVE_BYTES", 2)
    with pytest.raises(InputError, match=r"a.zip: unpacked it would have 3 bytes, 2 are allowed"):
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
            unpacked_folder(path, Counter(), is_data_file),
        ):
            pass


def test_nothing_is_unpacked_into_memory(tmp_path, monkeypatch):
    """Where /tmp is memory, a corpus of gigabytes would fill it."""
    path = pack(tmp_path / "a.zip", MEMBERS)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "memory"))
    with unpacked_folder(path, Counter(), is_data_file) as (place, _):
        assert place.is_relative_to(scratch_root())
