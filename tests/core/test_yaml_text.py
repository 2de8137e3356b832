"""YAML that people wrote: what it would be read as in silence is refused by its line."""

import pytest

from genlab.core.program import InputError
from genlab.core.yaml_text import nests_deeply, read_yaml_file


@pytest.mark.parametrize("number", ["0_1", "1_000", "0.0_5", "[1, 2_0]", "{b: 3_0}"])
def test_a_number_with_an_underscore_is_refused_and_a_text_is_not(tmp_path, number):
    path = tmp_path / "label.yaml"
    path.write_text(f"a: 1\nn: {number}\n")
    with pytest.raises(
        InputError, match=r"label\.yaml: not YAML .*line 2: write the number .* _, or"
    ):
        read_yaml_file(path, "give one")
    path.write_text("n: &x '0_1'\nm: bm25_2\no: *x\n")
    assert read_yaml_file(path, "give one") == {"n": "0_1", "m": "bm25_2", "o": "0_1"}


def test_brackets_in_texts_and_lists_side_by_side_are_not_deep():
    assert not nests_deeply("a: [[1], [2]]\n" * 1_000 + "b: '{{ x }}'\n" * 1_000)
    assert nests_deeply("a: " + "[{b: " * 150)
