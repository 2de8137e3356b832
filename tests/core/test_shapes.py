"""Files of ours in any wrong shape become one line that names them."""

import pytest

from genlab.core.program import InputError
from genlab.core.shapes import parse_json, read_json, reading

DEEP = "[" * 100_000


BROKEN = ("", "{", "\ufeff{}", "1" * 5_000, DEEP, b"\xff\xfe{", b'"\xe9"')


@pytest.mark.parametrize("content", BROKEN)
def test_json_that_is_none_is_a_value_error_however_it_is_broken(content):
    with pytest.raises(ValueError, match=r"."):
        parse_json(content)


def test_a_json_file_is_read_or_named_with_what_to_do(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(InputError, match=rf"^{path}: no such file; run it$"):
        read_json(path, "run it")
    path.write_text(DEEP)
    with pytest.raises(InputError, match=rf"^{path}: no JSON \(it is nested too deeply\); run it$"):
        read_json(path, "run it")
    path.write_bytes(b'"\xe9"')
    with pytest.raises(InputError, match=rf"^{path}: no JSON \('utf-8' codec"):
        read_json(path)
    path.write_text('{"a": [1, "é"]}', encoding="utf-8")
    assert read_json(path) == {"a": [1, "é"]}


def test_what_a_block_stumbles_over_names_the_files_that_it_read():
    files = ["a.json"]
    message = r"^a.json, b.json: .* \(there is no 'x'\); run it$"
    with pytest.raises(InputError, match=message), reading(files, "run it"):
        files.append("b.json")
        {}["x"]
