"""fetch: the made-up corpus, and every format and every bad row of real files."""

import gzip
import json
import os
import re
import socket
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
import yaml
from typer.testing import CliRunner

from genlab.core.program import InputError
from genlab.core.tables import read_table
from genlab.models.loading import load_text_to_text_model, load_tokenizer
from genlab.sources.bad_rows import BadRows
from genlab.sources.decoding import Encoding
from pipelines.reviews import mini_reviews, review_files
from pipelines.reviews.mini_pages import make_pages
from pipelines.reviews.mini_reviews import accusative, fill, make_reviews
from pipelines.reviews.review_files import Reading, read_review_files
from pipelines.reviews.review_layouts import Columns, ReviewFormat
from pipelines.reviews.stages import fetch
from tests.tiny_t5 import save_t5

WORLD = Path(mini_reviews.__file__).with_name("mini_reviews.yaml")

COLUMNS = Columns(
    id_column="none",
    organisation_column="name_ru",
    address_column="address",
    rubrics_column="rubrics",
    rating_column="rating",
    text_column="text",
    rubric_separator=";",
    default_rubric="Место",
    max_text_bytes=100,
)
ALL = Reading(ReviewFormat.auto, Encoding.auto, n_reviews=0, seed=1)
EXPECTED = [
    {
        "review_id": "a-0",
        "organisation": "Уют, ул. Мира, 1",
        "rubrics": ["Кафе", "Бар"],
        "rating": 5,
        "text": "Вкусно.\nПридём!",
    },
    {"review_id": "a-1", "organisation": "", "rubrics": ["Место"], "rating": 1, "text": "Ужас"},
]


@pytest.fixture(scope="module")
def mini() -> pl.DataFrame:
    return pl.concat(make_reviews(WORLD, 3000, seed=17))


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path: Path, *, columns=COLUMNS, drop=False, n=0, layout=ReviewFormat.auto, seed=1):
    bad = BadRows(are_dropped=drop)
    frames = read_review_files(path, Reading(layout, Encoding.auto, n, seed), columns, bad)
    rows = pl.concat(frames).to_dicts()
    return (rows, bad.counts) if drop else rows


# ---- the made-up corpus


def test_the_same_seed_gives_the_same_reviews_and_another_other_ones(mini):
    assert mini.equals(pl.concat(make_reviews(WORLD, 3000, seed=17)))
    assert not mini.equals(pl.concat(make_reviews(WORLD, 3000, seed=18)))


def test_four_reviews_in_five_have_five_stars_and_two_stars_are_rarest(mini):
    counts = Counter(mini["rating"])
    assert 0.75 < counts[5] / 3000 < 0.81
    assert min(counts, key=counts.get) == 2 and set(counts) == {1, 2, 3, 4, 5}


def test_every_text_has_10_to_60_words_and_no_unfilled_place(mini):
    n_words = mini["text"].str.split(" ").list.len()
    assert n_words.min() >= 10 and n_words.max() <= 60
    assert not mini["text"].str.contains(r"[{}\[\]|]").any()


def test_an_organisation_has_one_list_of_rubrics(mini):
    assert mini.group_by("organisation").agg(pl.col("rubrics").n_unique())["rubrics"].max() == 1
    assert mini["review_id"].n_unique() == 3000


def test_the_rating_can_be_told_from_the_text_but_not_always(mini):
    """Of the words that are only said at one star, none at five but by the confused 3 %."""
    is_angry = mini["text"].str.contains("хам|Обходите стороной|шарашк")
    shares = mini.with_columns(is_angry=is_angry).group_by("rating").agg(pl.col("is_angry").mean())
    share = dict(shares.iter_rows())
    assert share[1] > 0.2 > 0.02 > share[5] > 0


@pytest.mark.parametrize(
    ("noun", "gender", "expected"),
    [
        ("борщ", "m", "взяли борщ, он вкусный"),
        ("пицца", "f", "взяли пиццу, он вкусная"),
        ("замена масла", "f", "взяли замену масла, он вкусная"),
        ("лазанья", "f", "взяли лазанью, он вкусная"),
        ("вино", "n", "взяли вино, он вкусное"),
        ("сырники", "p", "взяли сырники, он вкусные"),
    ],
)
def test_a_sentence_agrees_with_its_detail(noun, gender, expected):
    sentence = "взяли {a}, он [вкусный|вкусная|вкусное|вкусные]"
    assert fill(sentence, noun, gender) == expected


def test_only_a_feminine_noun_changes_in_the_accusative():
    assert accusative("сауна", "f") == "сауну" and accusative("плита", "m") == "плита"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda world: world.pop("names"), "names is missing"),
        (lambda world: world["openings"].pop(3), "openings: 3 is missing"),
        (lambda world: world["sentences"].pop("dish"), "sentences: dish is missing"),
        (lambda world: world["sentences"]["dish"][5].append("вкусно"), "'вкусно' names no detail"),
        (
            lambda world: world["sentences"]["dish"][5].append("{d} [a|b]"),
            r"\[a\|b\] must have four forms",
        ),
        (lambda world: world["rubrics"]["Кафе"]["dish"].append("суп"), "'суп' must end in its"),
        (lambda world: world["rubrics"].update(Баня={}), "rubrics.Баня: visits and some of"),
        (lambda world: world["rubrics"].update(Кафе=5), "rubrics.Кафе: must be a mapping"),
        (lambda world: world["rubrics"]["Кафе"].update(place=5), "rubrics.Кафе.place: must be a"),
        (lambda world: world["rubrics"]["Кафе"].update(visits="да"), "Кафе.visits: must be a list"),
        (lambda world: world["rubrics"]["Кафе"]["dish"].append("суп mf"), "'суп mf' must end in"),
        (lambda world: world["remarks"].append([]), r"remarks: \[\] is not text"),
        (lambda world: world["openings"][5].append(""), "openings, 5: an empty text"),
    ],
)
def test_a_mistake_in_the_vocabulary_is_named(tmp_path, change, message):
    world = yaml.safe_load(WORLD.read_text())
    change(world)
    path = write(tmp_path / "world.yaml", yaml.safe_dump(world, allow_unicode=True))
    with pytest.raises(InputError, match=message):
        list(make_reviews(path, 10, seed=1))


def test_a_rubric_may_have_no_other_rubrics(tmp_path):
    world = yaml.safe_load(WORLD.read_text())
    for entry in world["rubrics"].values():
        entry.pop("also")
    path = write(tmp_path / "world.yaml", yaml.safe_dump(world, allow_unicode=True))
    rows = pl.concat(make_reviews(path, 40, seed=1))
    assert rows["rubrics"].list.len().unique().to_list() == [1]


# ---- files

TSKV = (
    "address=ул. Мира, 1\tname_ru=Уют\trating=5.\trubrics=Кафе;Бар\ttext=Вкусно.\\nПридём!\n"
    "rating=1.\ttext=Ужас\n"
)
CSV = (
    "address,name_ru,rating,rubrics,text\n"
    '"ул. Мира, 1",Уют,5,Кафе;Бар,"Вкусно.\nПридём!"\n'
    ",,1,,Ужас\n"
)
ROWS = [
    {
        "address": "ул. Мира, 1",
        "name_ru": "Уют",
        "rating": 5.0,
        "rubrics": "Кафе;Бар",
        "text": "Вкусно.\nПридём!",
    },
    {"address": None, "name_ru": None, "rating": 1, "rubrics": None, "text": "Ужас"},
]


@pytest.mark.parametrize("content", [TSKV, "tskv\t" + TSKV, CSV, CSV.replace(",", ";")])
@pytest.mark.parametrize("pack", [str.encode, lambda text: gzip.compress(text.encode())])
def test_tskv_and_csv_packed_or_not_give_the_same_reviews(tmp_path, content, pack):
    if content.startswith("address;"):  # with ; between columns, another sign between rubrics
        content = content.replace('"ул. Мира; 1"', '"ул. Мира, 1"').replace("Кафе;Бар", "Кафе/Бар")
        columns = replace(COLUMNS, rubric_separator="/")
    else:
        columns = COLUMNS
    assert read(write(tmp_path / "a", pack(content)), columns=columns) == EXPECTED


def test_json_lines_and_parquet_give_the_same_reviews(tmp_path):
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS)
    assert read(write(tmp_path / "a.jsonl", lines)) == EXPECTED
    pl.DataFrame(ROWS, strict=False).write_parquet(tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet") == EXPECTED


def test_a_folder_gives_the_reviews_of_its_data_files(tmp_path):
    write(tmp_path / "a.tskv", TSKV)
    write(tmp_path / "b.csv.gz", gzip.compress(CSV.encode()))
    write(tmp_path / "SOURCE.md", "no data")
    assert [row["review_id"] for row in read(tmp_path)] == ["a-0", "a-1", "b-0", "b-1"]


def test_a_zip_is_read_as_a_folder_and_a_bad_row_in_it_is_named(tmp_path, capsys):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.tskv", TSKV + "rating=0.\ttext=Да\n")
        archive.writestr("b.csv.gz", gzip.compress(CSV.encode()))
        archive.writestr(".DS_Store", b"\0")
    rows, counts = read(path, drop=True)
    assert [row["review_id"] for row in rows] == ["a-0", "a-1", "b-0", "b-1"]
    assert counts == {"rating": 1}
    said = capsys.readouterr().err
    assert f"left out: {path}/a.tskv, line 3: rating is '0.'" in said
    assert "not read, as hidden: 1 (.DS_Store)" in said
    with pytest.raises(InputError, match=rf"^{path}/a.tskv, line 3: rating is '0.'"):
        read(path)


def test_tskv_escapes_are_undone_and_other_backslashes_stay(tmp_path):
    path = write(tmp_path / "a", r"rating=3.	text=a\\nb\tc\=d\e")
    assert read(path)[0]["text"] == "a\\nb\tc=d\\e"


@pytest.mark.parametrize(("n", "times", "is_bad"), [(2, 1, True), (400, 3, True), (400, 4, False)])
def test_a_word_before_an_equals_sign_behind_a_raw_tab_is_no_column(tmp_path, n, times, is_bad):
    """Of 400 rows 4 are one in a hundred: a column that few rows have."""
    rows = [f"rating=5.\ttext=Вкусно {i}" for i in range(n)]
    rows[:times] = [f"rating=4.\ttext=вижу\tцена=3 за {i}" for i in range(times)]
    path = write(tmp_path / "a.tskv", "\n".join(rows))
    if not is_bad:
        assert len(read(path)) == n
        return
    message = rf"line 1: the key of 'цена=3 за 0' is in {times} of {n} rows; write a tab in a text"
    with pytest.raises(InputError, match=message):
        read(path)
    found, counts = read(path, drop=True)
    assert (len(found), counts) == (n - times, {"row": times})


def test_a_column_of_the_users_may_be_in_one_row(tmp_path):
    path = write(tmp_path / "a.tskv", "rating=5.\ttext=Да\tname_ru=Уют\nrating=5.\ttext=Да\n")
    assert [row["organisation"] for row in read(path)] == ["Уют", ""]


def test_blanks_are_none_of_an_id_and_whole_numbers_have_no_point(tmp_path):
    columns = replace(COLUMNS, id_column="id")
    rows = [ROWS[0] | {"id": " 7"}, ROWS[1] | {"id": 8.0}]
    path = write(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows)))
    assert [row["review_id"] for row in read(path, columns=columns)] == ["7", "8"]
    write(path, "\n".join(json.dumps(ROWS[0] | {"id": each}) for each in ("7 ", 7)))
    with pytest.raises(InputError, match="line 2: id '7' occurs twice"):
        read(path, columns=columns)


@pytest.mark.parametrize("word", ["nan", "None", "<NA>", "NULL", "NA"])
def test_what_a_program_writes_for_nothing_is_no_name(tmp_path, word):
    row = ROWS[0] | {"name_ru": word, "rubrics": word, "text": word}
    (found,) = read(write(tmp_path / "a.jsonl", json.dumps(row)))
    assert (found["organisation"], found["rubrics"], found["text"]) == ("", ["Место"], word)


@pytest.mark.parametrize("listed", ["['Кафе', 'Бар']", '["Кафе", "Бар"]', " [] "])
def test_rubrics_that_are_a_list_as_text_are_a_bad_row(tmp_path, listed):
    path = write(tmp_path / "a.jsonl", json.dumps(ROWS[0] | {"rubrics": listed}))
    with pytest.raises(InputError, match=r"line 1: rubrics is .*, a list as text; write its parts"):
        read(path)


@pytest.mark.parametrize("title", ["Отзывы за май\n", "Отзывы за май,,,,\n"])
def test_a_title_above_the_header_is_what_is_named(tmp_path, title):
    with pytest.raises(InputError, match=r"a.csv, line 1: columns .* \(there: 'Отзывы за май'"):
        read(write(tmp_path / "a.csv", title + CSV), drop=True)


def test_reviews_of_texts_and_ratings_alone_get_the_default_rubric(tmp_path):
    path = write(tmp_path / "a.jsonl", '{"id": 7, "stars": "4", "body": "Да"}')
    columns = replace(
        COLUMNS,
        id_column="id",
        organisation_column="none",
        address_column="none",
        rubrics_column="none",
        rating_column="stars",
        text_column="body",
    )
    expected = {"organisation": "", "rubrics": ["Место"], "rating": 4, "text": "Да"}
    assert read(path, columns=columns) == [{"review_id": "7"} | expected]


@pytest.mark.parametrize(
    ("change", "reason", "message"),
    [
        ({"rating": 0}, "rating", "line 2: rating is 0, not a whole number 1 to 5"),
        ({"rating": 6}, "rating", "line 2: rating is 6"),
        ({"rating": 4.5}, "rating", "line 2: rating is 4.5"),
        ({"rating": True}, "rating", "line 2: rating is True"),
        ({"rating": "много"}, "rating", "line 2: rating is 'много'"),
        ({"rating": "0_4"}, "rating", "line 2: rating is '0_4'"),
        ({"rating": [5]}, "rating", "line 2: rating is a list"),
        ({"rating": None}, "rating", "line 2: rating is null"),
        ({"text": " \n"}, "text", "line 2: text is empty"),
        ({"text": 5}, "text", "line 2: text is 5, not text"),
        ({"text": "я" * 51}, "text", "line 2: text has 102 bytes"),
        ({"name_ru": 5}, "organisation", "line 2: name_ru is 5"),
        ({"rubrics": [1]}, "rubrics", "line 2: rubrics is a list"),
        ({"rubrics": "{a,b}"}, "rubrics", "line 2: rubrics is '{a,b}', a list as text"),
    ],
)
def test_a_bad_row_stops_with_file_row_and_reason_or_is_dropped_and_counted(
    tmp_path, capsys, change, reason, message
):
    lines = [json.dumps(row) for row in (ROWS[0], ROWS[1] | change, ROWS[1])]
    path = write(tmp_path / "a.jsonl", "\n".join(lines))
    with pytest.raises(InputError, match=rf"a.jsonl, {message}.*corpus.bad_rows=drop"):
        read(path)
    rows, counts = read(path, drop=True)
    assert [row["rating"] for row in rows] == [5, 1] and counts == {reason: 1}
    assert f"left out: {path}, {message}" in capsys.readouterr().err


def test_an_id_that_has_lost_its_last_digits_is_a_bad_row(tmp_path):
    path = write(tmp_path / "a.jsonl", json.dumps(ROWS[0] | {"id": 1.2e18}))
    with pytest.raises(
        InputError, match=r"line 1: id is 1\.2e\+18, a number with a point that has"
    ):
        read(path, columns=replace(COLUMNS, id_column="id"))


def test_an_id_met_twice_is_a_bad_row(tmp_path):
    path = write(tmp_path / "a.jsonl", "\n".join([json.dumps(ROWS[0] | {"id": 1})] * 2))
    with pytest.raises(InputError, match="line 2: id '1' occurs twice"):
        read(path, columns=replace(COLUMNS, id_column="id"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.csv",
            "stars,text\n5,Да\n",
            r"'rating' and 'name_ru' .*there: 'stars', 'text'",
        ),
        (
            "a.csv",
            "rating,text\n5,Да\n",
            r"'name_ru' and 'address' and 'rubrics' are .*none: w",
        ),
        ("a.csv", CSV + '5,"', "line 5: broken CSV .* one that opens there is not closed"),
        ("a.jsonl", '{"text": ', "line 1: broken JSON"),
        (
            "a.json",
            '{"data": [{"rating": 5, "text": "a"}]}',
            "there: 'data'.*, or give the list under 'data' alone, if the rows are in it; name the",
        ),
        ("a.jsonl", "  \n", "the file is empty"),
        ("a.parquet", b"PAR1 and no more", "not a whole Parquet file"),
        ("a.zip", b"PK\x03\x04", "a.zip: not a zip archive that can be read"),
        ("a.tskv", b"rating=5.\ttext=\xff", "line 1: invalid UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_clear_error(tmp_path, name, content, message):
    with pytest.raises(InputError, match=message):
        read(write(tmp_path / name, content))


def test_a_csv_row_with_a_column_too_many_is_a_bad_row(tmp_path):
    path = write(tmp_path / "a.csv", CSV + "x,y,5,z,Да,?\n")
    with pytest.raises(InputError, match=r"line 5: a list where an object belongs"):
        read(path)


def test_nothing_there_and_nothing_but_bad_rows_are_errors(tmp_path):
    with pytest.raises(InputError, match=r"no such file or folder; correct corpus.path"):
        read(tmp_path / "none")
    with pytest.raises(InputError, match=r"no data file in it \(there: nothing\)"):
        read(tmp_path)
    path = write(tmp_path / "a.tskv", "rating=0.\ttext=Да\n" * 12)
    with pytest.raises(InputError, match=r"no reviews in it \(12 rows are bad\)"):
        read(path, drop=True)


# ---- files as people have them

PLAIN = replace(
    COLUMNS,
    organisation_column="none",
    address_column="none",
    rubrics_column="none",
)
TEXTS = ["Вкусно и быстро", "Ужасный сервис, ушли"]
PLAIN_CSV = f'rating,text\n5,{TEXTS[0]}\n1,"{TEXTS[1]}"\n'
PLAIN_ROWS = [{"rating": 5, "text": TEXTS[0]}, {"rating": 1, "text": TEXTS[1]}]


@pytest.mark.parametrize(
    "content",
    [
        PLAIN_CSV.encode("windows-1251"),
        PLAIN_CSV.encode("utf-16"),
        PLAIN_CSV.replace("\n", "\r").encode(),
        ("\n" + PLAIN_CSV).encode(),
        ("sep=,\r\n" + PLAIN_CSV).encode(),
        json.dumps(PLAIN_ROWS).encode(),
        json.dumps(PLAIN_ROWS, ensure_ascii=False).encode("utf-8-sig"),
        pa.compress(json.dumps(PLAIN_ROWS).encode(), "zstd", asbytes=True),
    ],
)
def test_any_encoding_line_end_and_packing_gives_the_same_texts(tmp_path, content):
    rows = read(write(tmp_path / "a", content), columns=PLAIN)
    assert [(row["rating"], row["text"]) for row in rows] == [(5, TEXTS[0]), (1, TEXTS[1])]


@pytest.mark.parametrize(
    ("content", "reason", "message"),
    [
        ("rating=5.\ttext=Вкусно\tи быстро\n", "row", "'и быстро' between tabs is no key=value"),
        ("rating=5.\ttext=a\ttext=b\n", "row", "the key 'text' occurs twice"),
        ('{"rating": 5, "text": "a", "rating": 1}\n', "row", "the key 'rating' occurs twice"),
        ('{"rating": 5, "text": "a"\n', "row", "broken JSON"),
        ('{"rating": 1e400, "text": "a"}\n', "rating", "rating is inf"),
        ('{"rating": ' + "9" * 900 + ', "text": "a"}\n', "rating", "rating is 9999"),
        ('{"rating": ' + "9" * 5000 + ', "text": "a"}\n', "rating", "rating is inf"),
        (f'rating,text\n5,"{"x" * 200_000}"\n', "text", "text has 200000 bytes"),
        ('rating,text\n5,"a"b\n', "row", "broken CSV"),
    ],
)
def test_an_unreadable_row_stops_with_its_line_or_is_dropped_and_counted(
    tmp_path, content, reason, message
):
    good = {"r": "rating=1.\ttext=Да\n", "{": '{"rating": 1, "text": "Да"}\n'}[content[0]]
    good = "1,Да\n" if content.startswith("rating,") else good
    path = write(tmp_path / "a", content + good)
    line = 2 if content.startswith("rating,") else 1
    with pytest.raises(InputError) as caught:
        read(path, columns=PLAIN)
    assert f"{path}, line {line}: " in str(caught.value) and message in str(caught.value)
    assert len(str(caught.value)) < 500
    rows, counts = read(path, columns=PLAIN, drop=True)
    assert [row["text"] for row in rows] == ["Да"] and counts == {reason: 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('rating,text\n1,Да\n5,"не закрыта\n4,Нет\n', "line 3: broken CSV"),
        ('[{"rating": 1, "text": "Да"}, {"rating": 5 "text": "Нет"}, {}]', "broken JSON at line 1"),
        ('[{"rating": 1, "text": "Да"}, {"rating"', "broken JSON at line 1"),
    ],
)
def test_where_nothing_more_can_be_read_the_rows_before_may_be_kept_and_the_loss_is_counted(
    tmp_path, capsys, content, message
):
    path = write(tmp_path / "a", content)
    with pytest.raises(InputError, match=f"{message}.*corpus.bad_rows=drop"):
        read(path, columns=PLAIN)
    rows, counts = read(path, columns=PLAIN, drop=True)
    assert [row["text"] for row in rows] == ["Да"] and counts == {"rest_of_file": 1}
    assert "from there on can be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("column", "reason"),
    [("name_ru", "organisation"), ("address", "organisation"), ("rubrics", "rubrics")],
)
def test_half_a_surrogate_pair_is_a_bad_row_in_any_column(tmp_path, column, reason):
    lines = [json.dumps(ROWS[0] | {column: "x\ud800"}), json.dumps(ROWS[1])]
    path = write(tmp_path / "a.jsonl", "\n".join(lines))
    with pytest.raises(InputError, match=rf"line 1: {column} has half a surrogate pair"):
        read(path)
    assert read(path, drop=True)[1] == {reason: 1}


def test_two_files_of_one_stem_lose_no_review_and_hidden_files_are_named(tmp_path, capsys):
    for name in ("reviews.2022.csv", "reviews.2023.csv", "same.csv", "same.tsv"):
        write(tmp_path / name, PLAIN_CSV)
    write(tmp_path / "._same.csv", b"\0\5\x16\7")
    ids = [row["review_id"] for row in read(tmp_path, columns=PLAIN)]
    stems = ["reviews.2022", "reviews.2023", "same.csv", "same.tsv"]
    assert ids == [f"{stem}-{number}" for stem in stems for number in (0, 1)]
    assert "no data file: 1 (._same.csv)" in capsys.readouterr().err


@pytest.mark.parametrize("text", ['"Отлично" сказал он', '"Отлично сказал он'])
def test_a_quote_between_tabs_loses_no_review(tmp_path, text):
    path = write(tmp_path / "a.tsv", f"text\trating\n{text}\t5\nУжас\t1\n")
    rows, counts = read(path, columns=PLAIN, drop=True)
    assert [row["text"] for row in rows] == [text, "Ужас"] and not counts


def test_a_link_that_leads_out_of_a_folder_of_reviews_and_a_pipe_are_refused(tmp_path):
    outside = write(tmp_path / "private.csv", PLAIN_CSV)
    write(tmp_path / "in" / "a.csv", PLAIN_CSV)
    (tmp_path / "in/b.csv").symlink_to(outside)
    with pytest.raises(InputError, match=r"in: b.csv is a link that leads out of the folder"):
        read(tmp_path / "in", columns=PLAIN)
    (tmp_path / "in/b.csv").unlink()
    os.mkfifo(tmp_path / "in/b.csv")
    with pytest.raises(InputError, match=r"in: b.csv is neither a file nor a folder"):
        read(tmp_path / "in", columns=PLAIN)


def test_n_reviews_are_drawn_by_seed_and_an_empty_class_is_warned_of(tmp_path, capsys):
    lines = [f"{5 - number // 20},текст {number}" for number in range(100)]  # sorted by rating
    path = write(tmp_path / "a.csv", "\n".join(["rating,text", *lines]))
    drawn = read(path, columns=PLAIN, n=30)
    assert {row["rating"] for row in drawn} == {1, 2, 3, 4, 5} and len(drawn) == 30
    numbers = [int(row["text"].split()[1]) for row in drawn]
    assert numbers == sorted(numbers)
    assert drawn == read(path, columns=PLAIN, n=30)
    assert drawn != read(path, columns=PLAIN, n=30, seed=2)
    counts = review_files.ReviewCounts()
    counts.add(pl.DataFrame({"rating": [5, 1], "organisation": ["", ""]}))
    counts.numbers(BadRows(False))
    assert "no review has 2, 3, 4 stars" in capsys.readouterr().err


# ---- the Hub


def test_a_hub_dataset_gives_its_train_rows(tmp_path, monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "hub"
    folder.mkdir()
    pl.DataFrame(ROWS, strict=False).write_parquet(folder / "train.parquet")
    frames, _ = review_files.read_hub_reviews(str(folder), "main", ALL, COLUMNS, BadRows(False))
    rows = pl.concat(frames).to_dicts()
    expected = [row | {"review_id": f"hub-{n}"} for n, row in enumerate(EXPECTED)]
    assert rows == expected


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["1", "2", "3", "4", "5"], None),
        (["1 star", "2 stars"], None),  # as Yelp's are called
        (["bad", "good"], "rating is 'good', not a whole"),
        (["0 stars", "9 stars"], "rating is '9 stars', not a whole"),
    ],
)
def test_ratings_that_are_classes_of_the_hub_count_by_their_names(
    tmp_path, monkeypatch, names, message
):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    label = datasets.ClassLabel(names=names)
    features = datasets.Features({"text": datasets.Value("string"), "rating": label})
    rows = {"text": ["Да", "Нет"], "rating": [1, 0]}
    (tmp_path / "hub").mkdir()
    table = datasets.Dataset.from_dict(rows, features=features)
    table.to_parquet(tmp_path / "hub/train.parquet")
    columns = replace(
        COLUMNS, organisation_column="none", address_column="none", rubrics_column="none"
    )
    where = (str(tmp_path / "hub"), "main", ALL, columns, BadRows(False))
    if message:
        with pytest.raises(InputError, match=rf"row 0 \(counted from 0\): {message}"):
            pl.concat(review_files.read_hub_reviews(*where)[0])
    else:
        found = pl.concat(review_files.read_hub_reviews(*where)[0])
        assert found["rating"].to_list() == [2, 1]
        rows = read(tmp_path / "hub/train.parquet", columns=columns)
        assert [row["rating"] for row in rows] == [2, 1]


def test_without_a_network_the_hub_is_one_clear_error(monkeypatch):
    import huggingface_hub

    def fail(*_, **__):
        raise socket.gaierror("no network")

    monkeypatch.setattr(huggingface_hub.HfApi, "repo_info", fail)
    with pytest.raises(InputError, match=r"some/reviews at revision 0{40} .*no network.*: file"):
        review_files.read_hub_reviews("some/reviews", "0" * 40, ALL, COLUMNS, BadRows(False))


# ---- the command


def run_corpus(tmp_path: Path, **changes) -> dict:
    params = yaml.safe_load(WORLD.with_name("params.yaml").read_text())["corpus"]
    params |= {"path": str(WORLD), "n_reviews": 50} | changes
    options = [f"--{key}={value}" for key, value in params.items()]
    output, metrics = tmp_path / "corpus.parquet", tmp_path / "corpus.json"
    arguments = ["corpus", str(output), f"--metrics={metrics}", *options]
    arguments.append(f"--manifest={tmp_path / 'manifest.json'}")
    result = CliRunner().invoke(fetch.app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(metrics.read_text())


def test_the_command_counts_what_it_writes(tmp_path):
    path = write(tmp_path / "a.tskv", TSKV + "rating=0.\ttext=Да\n")
    counts = run_corpus(tmp_path, source="file", path=path, bad_rows="drop")
    assert counts == {
        "reviews": 2,
        "bad_rows": {"total": 1, "rating": 1},
        "organisations": 1,
        "ratings": {"stars_1": 1, "stars_2": 0, "stars_3": 0, "stars_4": 0, "stars_5": 1},
        "files": {"read": 1, "hidden": 0, "unread": 0},
    }
    for name in (".DS_Store", "notes.md", "._a.tskv"):
        write(tmp_path / "more" / name, b"\0")
    write(tmp_path / "more" / "a.tskv", TSKV)
    counts = run_corpus(tmp_path, source="file", path=tmp_path / "more")
    assert counts["files"] == {"read": 1, "hidden": 2, "unread": 1}
    assert read_table(tmp_path / "corpus.parquet").to_dicts() == EXPECTED
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert (manifest["asset"], manifest["rows"]) == (str(tmp_path / "more"), 2)


def test_two_runs_write_the_same_bytes(tmp_path):
    run_corpus(tmp_path)
    first = (tmp_path / "corpus.parquet").read_bytes()
    run_corpus(tmp_path)
    assert (tmp_path / "corpus.parquet").read_bytes() == first


# ---- what the mini T5 reads, and the base


def test_pages_bear_what_their_review_is_about_and_are_none_of_the_corpus(mini):
    pages, prompts = make_pages(WORLD, 120, 17, "{rubrics} | {rating} | {keywords}")
    assert (pages, prompts) == make_pages(WORLD, 120, 17, "{rubrics} | {rating} | {keywords}")
    page = re.compile(r"([^.]+)\. Оценка ([1-5])\. Упоминают: ([^.]*)\. (.+)", re.DOTALL)
    parts = [page.fullmatch(each).groups() for each in pages]
    known = {rubric for each in mini["rubrics"] for rubric in each}
    assert {rubric for rubrics, *_ in parts for rubric in rubrics.split(", ")} <= known
    assert {rating for _, rating, *_ in parts} == set("12345")
    assert prompts == [" | ".join(asked) for *asked, _ in parts]
    # Dictionary forms: "каша" does not stand in the text as it is where there is "кашу".
    mentioned = [word in text for *_, words, text in parts for word in words.split(", ")]
    assert sum(mentioned) / len(mentioned) > 0.5
    texts = {text.lower().replace("ё", "е") for text in mini["text"]}
    assert not texts & {text for *_, text in parts}


def run_base(tmp_path: Path, **changes):
    params = yaml.safe_load(WORLD.with_name("params.yaml").read_text())
    params = params["base"] | {"template": params["prompt"]["template"]}
    params |= {"source": "mini", "made_from": str(WORLD)}
    sizes = {"n_pages": 120, "vocab_size": 700, "d_model": 16, "num_layers": 1, "num_heads": 2}
    options = [f"--{key}={value}" for key, value in (params | sizes | changes).items()]
    files = [f"--metrics={tmp_path / 'base.json'}", f"--manifest={tmp_path / 'manifest.json'}"]
    return CliRunner().invoke(fetch.app, ["base", str(tmp_path / "base"), *files, *options])


def test_the_mini_base_knows_the_words_of_the_template(tmp_path):
    result = run_base(tmp_path)
    assert result.exit_code == 0, result.output
    tokenizer = load_tokenizer(tmp_path / "base")
    # One token each, as in a real model: in pieces a prompt would be twice as long.
    words = ["▁<рубрики>:", "▁<оценка>:", "▁<ключевые"]
    assert [tokenizer.tokenize(each[1:]) for each in words] == [[each] for each in words]
    counts = json.loads((tmp_path / "base.json").read_text())["model"]
    model = load_text_to_text_model(tmp_path / "base")
    assert counts["parameters"] == sum(each.numel() for each in model.parameters())
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["revision"] == "none" and "model.safetensors" in str(manifest)


def test_a_folder_is_taken_as_base_as_it_is_and_one_that_is_no_t5_refused(tmp_path):
    source = save_t5(tmp_path / "t5")
    result = run_base(tmp_path, source="file", path=source)
    assert result.exit_code == 0, result.output
    weights = "model.safetensors"
    assert (tmp_path / "base" / weights).read_bytes() == (source / weights).read_bytes()

    (tmp_path / "gpt2").mkdir()
    (tmp_path / "gpt2" / "config.json").write_text('{"model_type": "gpt2"}')
    result = run_base(tmp_path, source="file", path=tmp_path / "gpt2")
    assert result.exit_code and isinstance(result.exception, InputError)
    assert str(tmp_path / "gpt2") in str(result.exception)
    assert (tmp_path / "base" / weights).read_bytes() == (source / weights).read_bytes()


@pytest.mark.parametrize("value", ["5", "null", "true", '"x"'])
def test_a_value_that_is_no_row_is_named_or_dropped(tmp_path, value):
    good = '{"rating": 5, "text": "good"}'
    columns = replace(
        COLUMNS, organisation_column="none", address_column="none", rubrics_column="none"
    )
    path = write(tmp_path / "a.jsonl", f"{good}\n{value}\n")
    with pytest.raises(InputError, match=r"a\.jsonl, line 2: .* where an object belongs; or leave"):
        read(path, columns=columns)
    rows, counts = read(path, columns=columns, drop=True)
    assert ([row["text"] for row in rows], counts) == (["good"], {"row": 1})


def test_a_header_alone_is_told_which_columns_it_lacks(tmp_path):
    path = write(tmp_path / "a.csv", "404: Not Found\n")
    with pytest.raises(InputError, match=r"a\.csv, line 1: columns .* \(there: '404: Not Found'\)"):
        read(path)
