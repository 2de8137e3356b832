from genlab.core.markdown import markdown_table, table_rows

ROWS = [["arm", "n", "note"], ["a|b", "3", "P(a | b)"], ["", "", ""]]
TABLE = r"""
| arm | n | note |
| --- | --- | --- |
| a\|b | 3 | P(a \| b) |
|  |  |  |
""".strip()


def test_the_first_row_is_the_header_and_a_bar_does_not_end_its_cell():
    assert markdown_table(ROWS) == TABLE


def test_a_table_is_read_back_as_the_rows_it_was_made_of():
    assert table_rows(TABLE) == table_rows(f"A sentence above it.\n\n{TABLE}") == ROWS
