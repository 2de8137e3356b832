"""The column of texts in a table of any form."""

import pytest

from genlab.core.program import InputError
from genlab.sources.text_columns import is_table, table_texts, text_column


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "id,Text\n1,one\n2,two\n"),
        ("a.jsonl", '{"text": "one"}\n{"text": "two"}\n'),
        ("a.json", '[{"text": "one"}, {"text": "two"}]'),
    ],
)
def test_a_tables_texts_are_those_of_its_text_column(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    assert is_table(tmp_path / name)
    assert [text for _, text in table_texts(tmp_path / name)] == ["one", "two"]


def test_no_text_column_and_two_of_them_are_named():
    assert text_column("here", ["id", " Text "]) == " Text "
    with pytest.raises(InputError, match=r"column 'text' is missing \(there: 'id'\)"):
        text_column("here", ["id"])
    with pytest.raises(InputError, match="here: "):
        text_column("here", ["text", "Text"])
    with pytest.raises(InputError, match="'sentence' and 'text' may both be the text; remove or"):
        text_column("here", ["sentence", "label", "text"])
