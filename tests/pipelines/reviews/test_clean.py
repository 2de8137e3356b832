"""pipelines.reviews.stages.clean: each rule alone on texts worked out by hand, and the counts."""

import json
import unicodedata
from collections import Counter
from dataclasses import replace

import polars as pl
import pytest
from typer.testing import CliRunner

from genlab.core.program import InputError
from genlab.core.tables import read_table, write_table
from pipelines.reviews.review_rules import Rules, check_any_left, clean_batch, clean_texts
from pipelines.reviews.schemas import REVIEW_SCHEMA
from pipelines.reviews.stages import clean

OFF = Rules(
    strip_markup=False,
    repair_encoding=False,
    marks_to_words=False,
    drop_dates=False,
    drop_number_words=False,
    fold_yo=False,
    drop_other_characters=False,
    lower_case=False,
    min_words=1,
    max_chars=1000,
)


def table(*texts: str) -> pl.DataFrame:
    rows = [
        {
            "review_id": str(number),
            "organisation": "Уют",
            "rubrics": ["Кафе"],
            "rating": 5,
            "text": text,
        }
        for number, text in enumerate(texts)
    ]
    return pl.DataFrame(rows, schema=REVIEW_SCHEMA)


@pytest.mark.parametrize(
    ("rule", "text", "expected"),
    [
        ("marks_to_words", "Ставлю 5 из 5!", "Ставлю отлично!"),
        ("marks_to_words", "4/5, 9 из 10, 3 из 5, 2 из пяти", "хорошо, отлично, средне, плохо"),
        ("marks_to_words", "0 из 10 и 1 из 5", "ужасно и ужасно"),
        ("marks_to_words", "7 из 5 и 2 из 3 столов, 5 из 50", "7 из 5 и 2 из 3 столов, 5 из 50"),
        ("drop_dates", "Были здесь 12.05.2023. Вкусно", "Были здесь. Вкусно"),
        ("drop_dates", "Приезжали 3 марта 2021 г. с детьми", "Приезжали с детьми"),
        ("drop_dates", "Приходим с 2019 года, всегда рады", "Приходим, всегда рады"),
        ("drop_dates", "Стол 2019 стоит 12.50 рублей", "Стол 2019 стоит 12.50 рублей"),
        ("drop_dates", "1 мая. Было шумно", "Было шумно"),
        ("drop_number_words", "Ждали двадцать минут", "Ждали"),
        ("drop_number_words", "Отдал Сто пять тысяч!", "Отдал!"),
        ("marks_to_words", "5/10/2023 и 1/5/2022", "5/10/2023 и 1/5/2022"),
        ("marks_to_words", "Дали 2/5 порции, это 4/5 звёзд", "Дали 2/5 порции, это хорошо звёзд"),
        ("drop_dates", "Были тут 5/10/2023 и снова 1/5/2022, всё", "Были тут и снова, всё"),
        ("drop_number_words", "Заходим по два раза!", "Заходим!"),
        ("drop_number_words", "Два официанта хамили", "Два официанта хамили"),
        ("drop_number_words", "двое стояли одни, семью ждали", "двое стояли одни, семью ждали"),
        ("fold_yo", "Ёлка, мёд", "Елка, мед"),
        ("drop_other_characters", "Супер ❤️, суп — 5 % «ок»", "Супер, суп — 5 % «ок»"),
        ("drop_other_characters", "да(❤)нет", "да нет"),
        (
            "drop_other_characters",
            "Ґанок, café, naïve, 京都, ٣ 👍🏽",
            "Ґанок, café, naïve, 京都, ٣",
        ),
    ],
)
def test_each_rule_rewrites_only_what_it_is_for(rule, text, expected):
    texts, n_changed = clean_texts(pl.Series([text]), replace(OFF, **{rule: True}))
    assert texts.to_list() == [expected]
    assert n_changed[rule] == (text != expected)


def test_characters_are_composed_and_invisible_ones_gone_before_any_rule():
    rules = replace(OFF, fold_yo=True, drop_other_characters=True)
    text = unicodedata.normalize("NFD", "Твой самый любимый чай и ёлка")
    assert clean_texts(pl.Series([text]), rules)[0].item() == "Твой самый любимый чай и елка"
    text = "Пре\u00adкрас\u00adное мес\u00adто для от\u200bды\u200bха\ufeff с семь\u2060ёй"
    assert clean_texts(pl.Series([text]), rules)[0].item() == "Прекрасное место для отдыха с семьей"


def test_a_text_keeps_everything_but_its_spacing_with_all_rules_off():
    texts, n_changed = clean_texts(pl.Series(["Ёлка  5 из 5\n12.05.2023 сто ❤"]), OFF)
    assert texts.to_list() == ["Ёлка 5 из 5 12.05.2023 сто ❤"] and not n_changed


def test_lengths_are_those_after_the_rewrites():
    rules = replace(OFF, drop_dates=True, min_words=2, max_chars=8)
    reviews = table("три слова тут", "да", "!?", "да нет 12.05.2023", "8 знаков")
    kept, fates, _ = clean_batch(reviews, rules)
    assert kept["text"].to_list() == ["да нет", "8 знаков"]
    assert fates == Counter({None: 2, "max_chars": 1, "min_words": 1, "empty": 1})


def test_a_corpus_that_loses_everything_is_an_error_that_says_why():
    with pytest.raises(InputError, match=r"no review is left of 3; 2 dropped as max_chars: loosen"):
        check_any_left("a.parquet", Counter({"max_chars": 2, "empty": 1}))


def test_the_command_counts_rows_in_as_rows_out_and_dropped(tmp_path):
    write_table(tmp_path / "in.parquet", [table("Ещё 5 из 5", "❤", "Мёд был хорош")], REVIEW_SCHEMA)
    switches = [
        "strip_markup",
        "repair_encoding",
        "marks_to_words",
        "drop_dates",
        "drop_number_words",
        "fold_yo",
    ]
    arguments = [
        str(tmp_path / "in.parquet"),
        str(tmp_path / "out.parquet"),
        f"--metrics={tmp_path / 'clean.json'}",
        *(f"--{name}" for name in [*switches, "drop_other_characters"]),
        "--no-lower_case",
        "--min_words=2",
        "--max_chars=512",
    ]
    result = CliRunner().invoke(clean.app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "clean.json").read_text()) == {
        "reviews": {"in": 3, "out": 2, "dropped": {"empty": 1, "min_words": 0, "max_chars": 0}},
        "rewritten": {
            "marks_to_words": 1,
            "drop_dates": 0,
            "drop_number_words": 0,
            "fold_yo": 2,
            "drop_other_characters": 1,
            "lower_case": 0,
        },
        "chars": {"in": 10 + 1 + 13, "out": 11 + 13},
    }
    texts = read_table(tmp_path / "out.parquet")["text"].to_list()
    assert texts == ["Еще отлично", "Мед был хорош"]


UNCLEAN = {
    "Хорошо.<br />Плохо &amp; дорого &quot;тут&quot;": 'Хорошо. Плохо & дорого "тут"',
    "<p>Вкусно</p>&nbsp;очень и очень": "Вкусно очень и очень",
    "Очень вкусно".encode().decode("windows-1251"): "Очень вкусно",
}


def test_markup_entities_and_mistaken_encodings_go_before_any_rule_looks():
    on = replace(OFF, strip_markup=True, repair_encoding=True)
    assert clean_texts(pl.Series(list(UNCLEAN)), on)[0].to_list() == list(UNCLEAN.values())
    assert clean_texts(pl.Series(list(UNCLEAN)), OFF)[0].to_list() == list(UNCLEAN)
