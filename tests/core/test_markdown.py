from genlab.core.markdown import markdown_table


def test_the_first_row_is_the_header_and_a_bar_does_not_end_its_cell():
    assert markdown_table([["arm", "n"], ["a|b", 3]]) == "| arm | n |\n| --- | --- |\n| a\\|b | 3 |"
