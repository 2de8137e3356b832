"""What separates the names of a header, and the text in a formula of Excel's."""

import pytest

from genlab.core.delimiters import delimiter_of, said_in


@pytest.mark.parametrize(
    ("header", "expected"),
    [("a,b", ","), ("a;b;c,d", ";"), ("a\tb", "\t"), ("a|b|c", "|"), ("a", ","),
     ('"a;b;c",d', ","), ('"say ""a;b;c""",d', ",")],
)  # fmt: skip
def test_what_stands_in_quotes_separates_nothing(header, expected):
    assert delimiter_of(header) == expected


@pytest.mark.parametrize(
    ("field", "expected"),
    [('="007"', "007"), ('="a ""b"""', 'a "b"'), ('=""', ""), ("=A1", "=A1"), ('="a', '="a'),
     ('="a"&"b"', '="a"&"b"'), ("007", "007")],
)  # fmt: skip
def test_a_formula_of_one_text_is_that_text_and_no_other_one_is(field, expected):
    assert said_in(field) == expected
