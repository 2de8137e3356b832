"""archives: members are read where they lie, and none leads out, blows up or is damaged unseen."""

import stat
import zipfile

import pytest

from genlab.core.program import InputError
from genlab.sources import archives
from genlab.sources.archives import member_names, read_members


def pack(path, members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def test_members_are_read_in_order_of_name(tmp_path):
    path = pack(tmp_path / "a.zip", [("b/2.txt", b"two"), ("b/1.txt", b"one")])
    assert list(read_members(path, member_names(path))) == [
        ("b/1.txt", b"one"),
        ("b/2.txt", b"two"),
    ]


@pytest.mark.parametrize("name", ["../up.txt", "/etc/x", "a/../../x", "C:/x", "..\\x", "."])
def test_a_name_that_leads_out_is_refused(tmp_path, name):
    path = pack(tmp_path / "a.zip", [(name, b"x")])
    with pytest.raises(InputError, match=r"a.zip: the name .* leads out of it"):
        member_names(path)


def test_a_link_and_a_name_met_twice_are_refused(tmp_path):
    link = zipfile.ZipInfo("pos/link.txt")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(InputError, match=r"'pos/link.txt' is a link"):
        member_names(pack(tmp_path / "a.zip", [(link, b"/etc/passwd")]))
    with pytest.warns(UserWarning, match=r"Duplicate name"):
        path = pack(tmp_path / "b.zip", [("a", b"1"), ("a", b"2")])
    with pytest.raises(InputError, match=r"'a' is in it twice"):
        member_names(path)


def test_a_bomb_is_refused_by_its_ratio_and_by_its_size(tmp_path, monkeypatch):
    path = pack(tmp_path / "a.zip", [("pos/1.txt", b"\0" * 3_000_000)])
    with pytest.raises(InputError, match=r"'pos/1.txt' would grow from \d+ to 3000000 bytes"):
        member_names(path)
    path = pack(tmp_path / "b.zip", [("a", b"x" * 600), ("b", b"y" * 600)])
    assert member_names(path) == ["a", "b"]
    with monkeypatch.context() as patched:  # members that overlap: each alone is in measure
        patched.setattr(archives, "SMALL_BYTES", 1000)
        patched.setattr(archives, "MAX_RATIO", 4)
        with pytest.raises(InputError, match=r"it would grow from \d+ to 1200 bytes"):
            member_names(path)
    monkeypatch.setattr(archives, "MAX_ARCHIVE_BYTES", 1000)
    with pytest.raises(InputError, match=r"unpacked it would have 1200 bytes"):
        member_names(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_a_damaged_member_is_named(tmp_path, method):
    text = b"a warm and funny film, and a joy from start to end " * 3
    path = pack(tmp_path / "a.zip", [("pos/1.txt", text)], method)
    content = bytearray(path.read_bytes())
    for place in range(55, 75):
        content[place] ^= 0x5A
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"'pos/1.txt' in it is damaged"):
        list(read_members(path, member_names(path)))
