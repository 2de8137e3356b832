"""number_words: no word is left without its number."""

import pytest

from pipelines.reviews.number_words import drop_number_words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # With a unit all goes, and what is said of numbers only.
        ("Был тут по два раза", "Был тут"),
        ("Через двадцать минут принесли", "принесли"),
        ("Отдал сто пять тысяч рублей!", "Отдал !"),
        ("минут двадцать ждали", "ждали"),
        ("ждали больше двух часов", "ждали"),
        ("прошло два-три часа и пять минут", "прошло"),
        ("работают с пяти до семи", "работают"),
        # What is no unit keeps its number.
        ("два официанта хамили", "два официанта хамили"),
        ("взяли три вкусных блюда", "взяли три вкусных блюда"),
        ("с двумя детьми, в двух местах", "с двумя детьми, в двух местах"),
        ("ждали час, два официанта", "ждали час, два официанта"),
        # A number that counts nothing goes alone.
        ("номер два был грязный", "номер был грязный"),
        ("Отдал сто пять тысяч!", "Отдал !"),
        ("двое стояли одни, семью ждали", "двое стояли одни, семью ждали"),
    ],
)
def test_a_number_goes_with_its_unit_or_stays_with_what_it_counts(text, expected):
    assert " ".join(drop_number_words(text).split()) == expected
