"""fetch: the made-up reviews, other texts, and the flagship's queries."""

import gzip
import os
import socket
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
import yaml
from typer.testing import CliRunner

from genlab.core.program import InputError
from genlab.core.tables import QUERY_SCHEMA, read_table, write_table
from genlab.sources.decoding import Encoding
from pipelines.alignment import labelled_texts, mini_films
from pipelines.alignment.found_texts import mood_of
from pipelines.alignment.labelled_texts import (
    Reading,
    first_sentences,
    read_queries,
    read_text_files,
)
from pipelines.alignment.mini_films import fill, make_reviews
from pipelines.alignment.schemas import TEXT_SCHEMA, divide, training_texts
from pipelines.alignment.stages import fetch

WORLD = Path(mini_films.__file__).with_name("mini_films.yaml")


@pytest.fixture(scope="module")
def mini():
    return pl.concat(make_reviews(WORLD, 2000, 0.1, seed=17))


NINE_WORDS = Reading(Encoding.auto, True, True, 0, 9, 0.1, 1)


def read(path, max_words=20, n_texts=0, encoding=Encoding.auto, files=None):
    dropped, files = Counter(), Counter() if files is None else files
    reading = Reading(encoding, True, True, n_texts, max_words, 0.2, 1)
    frames = list(read_text_files(path, reading, dropped, files))
    rows = pl.concat(frames).sort("text_id")
    return dict(rows.select("text", "is_positive").iter_rows()), +dropped


# ---- the made-up corpus


def test_the_same_seed_gives_the_same_reviews_and_another_other_ones(mini):
    assert mini.equals(pl.concat(make_reviews(WORLD, 2000, 0.1, seed=17)))
    assert not mini.equals(pl.concat(make_reviews(WORLD, 2000, 0.1, seed=18)))


def test_half_of_the_reviews_are_pleased_all_differ_and_no_place_is_unfilled(mini):
    assert mini["is_positive"].mean() == 0.5
    assert mini["text"].n_unique() == 2000 and not mini["text"].str.contains(r"[{}]").any()


def test_the_mood_can_be_told_from_the_words_but_not_always(mini):
    world = yaml.safe_load(WORLD.read_text())
    good = mini["text"].str.count_matches("|".join(set(world["good"]["adjective"])))
    bad = mini["text"].str.count_matches("|".join(set(world["bad"]["adjective"])))
    right = ((good > bad) == mini["is_positive"]).filter(good != bad).mean()
    assert 0.8 < right < 0.99


def test_a_word_of_the_sentences_own_mood_is_put_in(mini):
    from random import Random

    world = {"good": {"adjective": ["fine"]}, "bad": {"adjective": ["poor"]}, "aspect": ["plot"]}
    sentence = "the {aspect} is {adjective}."
    assert fill(sentence, world, "good", Random(1)) == "the plot is fine."
    assert fill(sentence, world, "bad", Random(1)) == "the plot is poor."


def test_splits_and_halves_depend_on_the_id_alone_and_have_their_shares(mini):
    assert all(
        (split, half) == divide(text_id, 0.1)
        for text_id, split, half in mini.select("text_id", "split", "half").iter_rows()
    )
    assert 0.08 < (mini["split"] == "validation").mean() < 0.12
    assert 0.45 < (mini["half"] == "reward").mean() < 0.55


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda world: world.pop("genre"), "top level: genre is missing"),
        (lambda world: world["titles"].pop("second"), "titles: second is missing"),
        (lambda world: world["good"].update(verb=[1]), "good, verb: 1 is not text"),
        (lambda world: world["bad"].update(closings=[]), "bad, closings: 0 different texts"),
        (lambda world: world["neutral"].append("so {adjective}"), "neutral: .*holds {adjective}"),
    ],
)
def test_a_mistake_in_the_vocabulary_is_named(tmp_path, change, message):
    world = yaml.safe_load(WORLD.read_text())
    change(world)
    path = tmp_path / "world.yaml"
    path.write_text(yaml.safe_dump(world))
    with pytest.raises(InputError, match=message):
        list(make_reviews(path, 10, 0.1, seed=1))


def test_a_vocabulary_that_is_used_up_is_an_error_and_no_endless_loop(tmp_path):
    one = {name: ["x"] for name in ("openings", "neutral", *mini_films.LISTS)}
    words = {name: ["x"] for name in (*mini_films.MOOD_LISTS, "sentences", "closings")}
    world = one | {"titles": {"first": ["x"], "second": ["x"]}, "good": words, "bad": words}
    (tmp_path / "world.yaml").write_text(yaml.safe_dump(world))
    with pytest.raises(InputError, match="too few words for 10 different reviews"):
        list(make_reviews(tmp_path / "world.yaml", 10, 0.1, seed=1))


def test_one_review_cannot_be_of_both_moods():
    with pytest.raises(InputError, match=r"corpus.n_texts=1: .* at least two"):
        list(make_reviews(WORLD, 1, 0.1, seed=1))


# ---- files


def test_the_path_inside_an_archive_tells_the_mood_whatever_the_archive_is_called(tmp_path):
    with zipfile.ZipFile(tmp_path / "pos.zip", "w") as archive:
        archive.writestr("neg/a.txt", "bad")
        archive.writestr("pos/b.txt", "good")
    assert read(tmp_path / "pos.zip") == ({"bad": False, "good": True}, {})


def write_folder(folder):
    for name, text in {
        "pos/a.txt": "Loved it.\nTruly.",
        "neg/b.txt": "Hated it. " + "Very long sentence that nobody reads to the end. " * 9,
        "neg/c.txt": " \n",
        "neg/readme.md": "No.",
        "other/d.txt": "no mood",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_a_folder_tells_the_mood_and_a_long_text_is_cut_to_whole_sentences(tmp_path):
    texts, dropped = read(write_folder(tmp_path), max_words=12)
    assert texts == {
        "Loved it. Truly.": True,
        "Hated it. Very long sentence that nobody reads to the end.": False,
        "No.": False,
    }
    assert dropped == {"empty": 1}


def test_a_zip_is_read_where_it_lies_a_text_a_line_and_windows_1252_too(tmp_path):
    with zipfile.ZipFile(tmp_path / "lines.zip", "w") as archive:
        archive.writestr("set/rt.pos", "très bien\ngood\ngood\n".encode("latin-1"))
        archive.writestr("set/rt.neg", "bad\nworse\n")
        archive.writestr("set/README", "about")
    assert read(tmp_path / "lines.zip") == (
        {"bad": False, "worse": False, "très bien": True, "good": True},
        {"duplicate": 1},
    )
    assert read(tmp_path) == read(tmp_path / "lines.zip")


def test_a_tar_is_read_as_the_folder_of_its_files_as_the_large_movie_review_dataset_is(tmp_path):
    folder = write_folder(tmp_path / "reviews")
    with tarfile.open(tmp_path / "reviews.tar.gz", "w:gz") as archive:
        archive.add(folder, "reviews")
    assert read(tmp_path / "reviews.tar.gz", max_words=12) == read(folder, max_words=12)


def test_an_archive_in_an_archive_is_named_with_what_to_do(tmp_path, capsys):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, text in {"pos/a.txt": "good", "neg/b.txt": "bad", "more.zip": "PK"}.items():
            archive.writestr(name, text)
    assert read(tmp_path / "a.zip") == ({"bad": False, "good": True}, {})
    assert "1 (a.zip/more.zip); unpack what is packed: a.zip/more.zip" in capsys.readouterr().err


def test_as_many_of_either_mood_are_taken(tmp_path):
    (tmp_path / "x.pos").write_text("one\ntwo\nthree")
    (tmp_path / "x.neg").write_text("four\nfive\nsix")
    texts, dropped = read(tmp_path, n_texts=4)
    assert sorted(texts.values()) == [False, False, True, True]
    assert dropped == {"beyond_n_texts": 2}


def test_texts_in_are_texts_out_and_dropped(tmp_path):
    (tmp_path / "x.pos").write_text("one\n\none\ntwo two two two two two two\nthree")
    (tmp_path / "x.neg").write_text("four")
    texts, dropped = read(tmp_path, max_words=6, n_texts=2)
    assert len(texts) + dropped.total() == 6
    assert dropped == {
        "empty": 1,
        "duplicate": 1,
        "first_sentence_too_long": 1,
        "beyond_n_texts": 1,
    }


def test_a_text_with_both_labels_counts_for_neither(tmp_path):
    (tmp_path / "x.pos").write_text("one\nboth\nboth\ntwo")
    (tmp_path / "x.neg").write_text("three\nboth\nboth")
    texts, dropped = read(tmp_path)
    assert texts == {"one": True, "two": True, "three": False}
    assert dropped == {"both_labels": 3, "duplicate": 1}


@pytest.mark.parametrize("content", [{}, {"pos/a.txt": "good"}])
def test_texts_of_one_mood_or_none_are_refused(tmp_path, content):
    for name, text in content.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=rf"{len(content)} positive and 0 negative texts"):
        read(tmp_path)


def test_texts_that_are_all_too_long_are_not_called_missing(tmp_path):
    (tmp_path / "x.pos").write_text("so good\nso fine")
    (tmp_path / "x.neg").write_text("so bad")
    with pytest.raises(InputError, match=r"left.*: 3 have a first sentence of more than corpus.ma"):
        read(tmp_path, max_words=1)


def test_a_broken_archive_is_named(tmp_path):
    (tmp_path / "x.zip").write_bytes(b"PK no")
    with pytest.raises(InputError, match=r"x.zip: not a zip archive"):
        read(tmp_path)


def test_a_mood_is_a_whole_part_of_the_path_or_its_ending():
    assert mood_of("aclImdb/train/pos/1_8.txt") is True and mood_of("rt.neg") is False
    assert mood_of("positive/1.txt") is None and mood_of("pos") is None


def test_a_first_sentence_that_is_too_long_leaves_nothing():
    assert first_sentences("one two three. four", 2) == ""
    assert first_sentences("one two. three four. five", 4) == "one two. three four."


# ---- files as people have them


def write_texts(folder, good, bad):
    for mood, content in (("pos", good), ("neg", bad)):
        (folder / mood).mkdir(parents=True)
        (folder / mood / "1.txt").write_bytes(content)
    return folder


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("A joy.".encode("utf-16"), "A bore.".encode("utf-16")),
        (b"\xef\xbb\xbfA joy.", b"\xef\xbb\xbfA bore."),
        (b"A joy.<br /><br />", b"<p>A bore.</p>"),
        ("A\u00ad joy\u200b.".encode(), b"A&nbsp;bore."),
        (b"A\rjoy.\r", b"A\r\nbore.\r\n"),
    ],
)
def test_every_encoding_and_markup_leaves_the_plain_text(tmp_path, good, bad):
    folder = write_texts(tmp_path / "in", good, bad)
    assert read(folder)[0] == {"A joy.": True, "A bore.": False}


def test_windows_1252_lines_keep_their_quotes_and_dashes(tmp_path):
    (tmp_path / "rt.pos").write_bytes("it’s a “joy” — …\x0bfrom start".encode("windows-1252"))
    (tmp_path / "rt.neg").write_bytes(b"a bore")
    assert read(tmp_path)[0] == {"it’s a “joy” — … from start": True, "a bore": False}


def test_a_doubtful_encoding_is_an_error_until_it_is_declared(tmp_path):
    folder = write_texts(tmp_path / "in", "Очень хорошо".encode("koi8-r"), b"x")
    with pytest.raises(InputError, match=r"in/pos/1.txt: byte 0 is no UTF-8.*has encoding"):
        read(folder)
    assert read(folder, encoding=Encoding.koi8_r)[0] == {"Очень хорошо": True, "x": False}


def test_hidden_and_system_files_are_passed_over_and_counted_also_in_archives(tmp_path, capsys):
    names = ["__MACOSX/pos/._1.txt", "pos/.DS_Store", "neg/Thumbs.db", "pos/desktop.ini"]
    folder = write_texts(tmp_path / "in", b"A joy.", b"A bore.")
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        for name in [*names, "pos/1.txt", "neg/1.txt", "README"]:
            texts = {"pos/1.txt": b"A joy.", "neg/1.txt": b"A bore."}
            content = texts.get(name, b"\0\5\x16\7")
            archive.writestr(name, content)
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
    for path in (folder, tmp_path / "in.zip"):
        files = Counter()
        assert read(path, files=files)[0] == {"A joy.": True, "A bore.": False}
        assert files == {"read": 2, "hidden": 4, "unread": 1}
    assert "nothing tells a mood: 1 (README)" in capsys.readouterr().err


def test_a_member_whose_name_no_folder_can_hold_is_named(tmp_path):
    path = pack(tmp_path / "a.zip", {"x" * 300 + ".jsonl": b'{"text": "A joy.", "label": 1}\n'})
    with pytest.raises(InputError, match=r"a\.zip: 'x+' in it cannot be unpacked \(File name too"):
        read(path)


def test_packed_files_are_unpacked_and_empty_ones_without_a_mood_are_named(tmp_path):
    (tmp_path / "neg").mkdir()
    (tmp_path / "rt.pos.gz").write_bytes(gzip.compress(b"A joy.\nFun.\n"))
    (tmp_path / "neg" / "1.txt.gz").write_bytes(gzip.compress(b"A bore."))
    (tmp_path / "notes.txt").write_bytes(b"")
    files = Counter()
    assert read(tmp_path, files=files)[0] == {"A joy.": True, "Fun.": True, "A bore.": False}
    assert files == {"read": 2, "unread": 1}


MOODS = {"A joy.": True, "Good, one": True, "A bore.": False}
TABLES_OF_MOODS = {
    "pos/a.csv": b'text,n\nA joy.,1\n"Good, one",2\n',
    "neg/b.jsonl.gz": gzip.compress(b'{"text": "A bore."}\n'),
}


def test_of_a_table_in_a_folder_of_a_mood_the_texts_are_read(tmp_path):
    for name, content in TABLES_OF_MOODS.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(content)
    assert read(tmp_path)[0] == MOODS
    (tmp_path / "pos/a.csv").write_text("body,n\nA joy.,1\n")
    with pytest.raises(InputError, match=r"pos/a.csv, .*column 'text' is missing .there: 'body'"):
        read(tmp_path)


def pack(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    "members",
    [
        TABLES_OF_MOODS,
        {"reviews.csv": b'text,label\nA joy.,1\n"Good, one",1\nA bore.,0\n'},
        {"all/a.jsonl": b'{"text": "A joy.", "label": 1}\n{"text": "Good, one", "label": 1}\n',
         "all/b.txt": b"neg A bore.\n"},
        {"pos\\0.txt": b"A joy.", "pos\\1.txt": b"Good, one", "neg\\0.txt": b"A bore.",
         "__MACOSX\\pos\\._0.txt": b"\0\5"},
        {"pos/0.txt.gz": gzip.compress(b"A joy."), "pos/1.txt": b"Good, one",
         "neg/0.txt.zst": pa.compress(b"A bore.", "zstd", asbytes=True)},
    ],
)  # fmt: skip
def test_an_archive_is_read_as_its_folder_would_be(tmp_path, members):
    assert read(pack(tmp_path / "a.zip", members))[0] == MOODS


def test_a_fault_in_a_table_of_an_archive_names_both(tmp_path):
    path = pack(tmp_path / "a.zip", {"in/a.csv": b"text,label\nA joy.,7\n"})
    with pytest.raises(InputError, match=f"^{path}, in/a.csv, line 2: label '7' is none of"):
        read(path)


def test_a_link_that_leads_out_of_the_folder_and_a_pipe_are_refused(tmp_path):
    folder = write_texts(tmp_path / "in", b"A joy.", b"A bore.")
    (folder / "pos/link.txt").symlink_to("/etc/hostname")
    with pytest.raises(InputError, match=r"in: pos/link.txt is a link that leads out of the fold"):
        read(folder)
    (folder / "pos/link.txt").unlink()
    os.mkfifo(folder / "pos/pipe.txt")
    with pytest.raises(InputError, match=r"in: pos/pipe.txt is neither a file nor a folder"):
        read(folder)


def test_only_the_path_below_the_corpus_tells_the_mood(tmp_path):
    folder = write_texts(tmp_path / "neg" / ".pos", b"A joy.", b"A bore.")
    assert read(folder)[0] == {"A joy.": True, "A bore.": False}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "text,label\nA joy.,1\nA bore.,0\n"),
        ("a.csv", "sep=;\nlabel;text\npositive;A joy.\nnegative;A bore.\n"),
        ("a.tsv", "sentence\tlabel\nA joy.\t1\nA bore.\t0\n"),
        ("a.jsonl", '{"text": "A joy.", "label": 1}\n{"text": "A bore.", "label": 0}\n'),
        ("a.json", '[{"text": "A joy.", "label": true}, {"text": "A bore.", "label": "neg"}]'),
        ("a.txt", "pos A joy.\nneg A bore.\n"),
        ("a.txt", "1\tA joy.\n0\tA bore.\n"),
        ("a.txt", '1,"A joy."\n0,"A bore."\n'),
        ("a.csv", '"pos";"A joy."\n"neg";"A bore."\n'),
        ("a.csv", '1,A joy.\n0,"A bore."\n'),
        ("a.tsv", "'sep=;'\nlabel;text\n1;A joy.\n0;A bore.\n"),
    ],
)
def test_tables_and_lines_with_labels_are_read_alone_and_in_folders(tmp_path, name, content):
    (tmp_path / "pos").mkdir()  # above the corpus: it says nothing
    path = tmp_path / "pos" / name
    path.write_text(content)
    expected = {"A joy.": True, "A bore.": False}
    assert read(path)[0] == expected == read(path.parent)[0]


def test_a_label_that_is_none_is_an_error_with_its_line_and_no_label_is_counted(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,label\na,1\nb,0\nc,\n")
    assert read(path)[1] == {"no_label": 1}
    path.write_text("text,label\na,1\nb,2\n")
    with pytest.raises(InputError, match=r"a.csv, line 3: label '2' is none of 0, 1, pos"):
        read(path)
    path.write_text("hello\n")
    with pytest.raises(InputError, match=r"a.csv: neither its path nor its first line tells"):
        read(path)


def test_a_quoted_line_may_hold_the_separator_and_quotes_and_a_raw_quote_is_text(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text('1,"Good, one"\n0,"Bad ""x"", one"\n')
    assert read(path)[0] == {"Good, one": True, 'Bad "x", one': False}
    path.write_text('1, "Good, one"\n0, "Bad"\n')
    assert read(path)[0] == {"Good, one": True, "Bad": False}
    path.write_text('1,"Good," he said\n0,Bad, bad\n')
    assert read(path)[0] == {'"Good," he said': True, "Bad, bad": False}


@pytest.mark.parametrize(
    ("name", "content", "missing"),
    [
        ("a.csv", "body,score\nx,1\n", "text and label .there: 'body', 'score'"),
        ("a.tsv", "review\tscore\nx\t1\n", "label .there: 'review', 'score'"),
    ],
)
def test_missing_columns_are_named(tmp_path, name, content, missing):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=f"{name}, .*no column {missing}"):
        read(tmp_path / name)


def test_columns_of_a_table_that_differ_in_case_alone_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("text,Text,label\na,b,1\n")
    with pytest.raises(InputError, match=r"line 1: column 'Text' occurs twice \(as 'text'\)"):
        read(tmp_path)
    (tmp_path / "a.csv").unlink()
    (tmp_path / "a.jsonl").write_text('{"text": "a", "label": 1, "Label": 0}\n')
    with pytest.raises(InputError, match=r"line 1: column 'Label' occurs twice"):
        read(tmp_path)


def test_two_columns_that_may_be_the_label_are_refused_as_they_may_disagree(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,sentiment,label\nfine,positive,0\npoor,negative,1\n")
    with pytest.raises(InputError, match="line 2: columns 'sentiment' and 'label' may both be the"):
        read(path)


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.pdf", b"%PDF-1.4\nfine\n", "a PDF"),
        ("a.txt", b"\x89PNG\r\n\x1a\n fine", "a picture"),
        ("a.rtf", b"{\\rtf1\\ansi fine}", "an RTF document"),
        ("a.pkl", b"\x80\x04K\x01.", "a Python pickle"),
    ],
)
def test_what_is_no_text_in_a_folder_of_a_mood_is_named(tmp_path, name, content, what):
    for mood in ("pos", "neg"):
        (tmp_path / mood).mkdir()
        (tmp_path / mood / "a.html").write_text(f"<html><body>{mood}</body></html>")
    assert read(tmp_path)[0] == {"pos": True, "neg": False}  # a web page is a text with markup
    (tmp_path / "pos" / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"pos/{name}: this is {what}.*, or remove it"):
        read(tmp_path)
    with zipfile.ZipFile(tmp_path / "pos/all.zip", "w") as archive:
        archive.write(tmp_path / "pos" / name, f"pos/{name}")
    (tmp_path / "pos" / name).unlink()
    with pytest.raises(InputError, match=rf"all.zip, pos/{name}: this is {what}"):
        read(tmp_path)


def test_minus_one_beside_one_is_negative_and_what_is_taken_for_what_is_said(tmp_path, capsys):
    (tmp_path / "a.csv").write_text("text,label\na,-1\nb,1\nc,1.0\nd,\n")
    assert read(tmp_path) == ({"a": False, "b": True, "c": True}, {"no_label": 1})
    assert capsys.readouterr().err == (
        "a.csv: labels are read so: empty as no label (1), -1 as negative (1), 1 as positive (1), "
        "1.0 as positive (1)\n"
    )


def test_minus_one_alone_or_beside_other_negatives_is_no_label(tmp_path, capsys):
    (tmp_path / "a.csv").write_text("text,label\na,pos\nb,neg\nc,-1\n")
    (tmp_path / "b.csv").write_text("text,label\nd,-1\ne,-1\n")
    assert read(tmp_path) == ({"a": True, "b": False}, {"no_label": 3})
    assert "b.csv: labels are read so: -1 as no label (2)" in capsys.readouterr().err


def test_minus_one_and_zero_in_one_table_are_refused_as_zero_may_be_neutral(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\na,-1\nb,0\nc,1\nd,1\n")
    with pytest.raises(InputError, match=r"a.csv: the labels are -1 \(1\), 0 \(1\), 1 \(2\); with"):
        read(tmp_path)


def test_a_parquet_of_texts_and_labels_is_read(tmp_path):
    rows = pl.DataFrame({"n": [1, 2], "text": ["A joy.", "A bore."], "label": [1, 0]})
    rows.write_parquet(tmp_path / "a.parquet")
    assert read(tmp_path)[0] == {"A joy.": True, "A bore.": False}
    rows.drop("label").write_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"a.parquet: no column label \(there: 'n', 'text'\)"):
        read(tmp_path)


def test_one_text_cannot_be_of_both_moods_and_texts_are_drawn_by_seed(tmp_path):
    folder = write_texts(tmp_path / "in", b"a", b"b")
    with pytest.raises(InputError, match=r"corpus.n_texts=1: .* at least 2, or 0"):
        read(folder, n_texts=1)
    (folder / "x.pos").write_text("".join(f"good {n}\n" for n in range(100)))
    texts, dropped = read(folder, n_texts=20)
    numbers = [int(text.split()[1]) for text in texts if text.startswith("good")]
    # The 101st good text may be drawn, too.
    assert len(numbers) in (9, 10) and max(numbers) > 20 and dropped == {"beyond_n_texts": 91}


# ---- the Hub and the flagship


def test_a_hub_that_cannot_be_reached_is_one_error_line(tmp_path, monkeypatch):
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *a, **k: (_ for _ in ()).throw(OSError("off"))
    )
    with pytest.raises(InputError, match="stanfordnlp/nosuch"):
        list(labelled_texts.read_hub_texts("stanfordnlp/nosuch", "0" * 40, NINE_WORDS, Counter()))


def test_a_data_set_of_texts_and_labels_is_read_and_its_breaks_are_lines(tmp_path):
    rows = {"text": ["Fine.<br /><br />Good.", "Bad.", "x", "Poor."], "label": [1, 0, -1, 0]}
    pl.DataFrame(rows).write_parquet(tmp_path / "train.parquet")
    dropped = Counter()
    frames = labelled_texts.read_hub_texts(str(tmp_path), "main", NINE_WORDS, dropped)
    found = pl.concat(frames).select("text", "is_positive").rows()
    assert found == [("Fine. Good.", True), ("Bad.", False), ("Poor.", False)]
    assert dropped == {"no_label": 1, "beyond_n_texts": 0}


@pytest.mark.parametrize(
    ("names", "first_is_positive"),
    [(["positive", "negative"], True), (["neg", "pos"], False), (["1", "2"], False)],
)
def test_the_names_of_a_data_sets_classes_tell_which_is_positive(
    tmp_path, names, first_is_positive
):
    from datasets import ClassLabel, Dataset, Features, Value

    features = Features({"text": Value("string"), "label": ClassLabel(names=names)})
    rows = {"text": ["first.", "second."], "label": [0, 1]}
    Dataset.from_dict(rows, features=features).to_parquet(tmp_path / "train.parquet")
    frames = labelled_texts.read_hub_texts(str(tmp_path), "main", NINE_WORDS, Counter())
    found = dict(pl.concat(frames).select("text", "is_positive").rows())
    assert found == {"first.": first_is_positive, "second.": not first_is_positive}
    assert read(tmp_path / "train.parquet")[0] == found  # as a file of the user's, too


def test_a_label_of_the_hub_beyond_0_and_1_is_refused_by_its_row(tmp_path):
    rows = {"text": ["Good.", "Bad.", "Fair."], "label": [1, 0, 2]}
    pl.DataFrame(rows).write_parquet(tmp_path / "train.parquet")
    with pytest.raises(InputError, match=r", row 2: label 2 is none of 0, 1, pos, neg"):
        list(labelled_texts.read_hub_texts(str(tmp_path), "main", NINE_WORDS, Counter()))
    listed = tmp_path / "listed"
    listed.mkdir()
    pl.DataFrame({"text": ["Good."], "label": [[1]]}).write_parquet(listed / "train.parquet")
    with pytest.raises(InputError, match=r", row 0: label a list is none of 0, 1, pos, neg"):
        list(labelled_texts.read_hub_texts(str(listed), "main", NINE_WORDS, Counter()))


def test_a_query_is_a_prompt_and_its_first_answer_the_text(tmp_path):
    passages = [
        {"text": "no", "is_selected": False},
        {"text": "yes", "is_selected": True},
        {"text": "too", "is_selected": True},
    ]
    rows = [
        ("1", "why", passages, "train", None, None),
        ("2", "how", passages[:1], "validation", None, None),
    ]
    write_table(tmp_path / "q", [pl.DataFrame(rows, QUERY_SCHEMA, orient="row")], QUERY_SCHEMA)
    found = pl.concat(read_queries(tmp_path / "q"))
    assert found.rows() == [("1", "why", "yes", None, "train", "reward")]


def test_the_program_counts_what_it_takes_and_leaves_out(tmp_path):
    words = ["corpus", str(tmp_path / "out"), "--metrics", str(tmp_path / "m"), "--source", "file"]
    words += ["--path", str(write_folder(tmp_path / "in")), "--hub_id", "x", "--revision", "main"]
    words += [
        "--n_texts",
        "0",
        "--max_words",
        "12",
        "--validation_share",
        "0",
        "--seed",
        "1",
        "--encoding",
        "auto",
        "--strip_markup",
        "--repair_encoding",
    ]
    result = CliRunner().invoke(fetch.app, words)
    assert result.exit_code == 0, result.output
    assert read_table(tmp_path / "out").height == 3
    counts = yaml.safe_load((tmp_path / "m").read_text())
    assert counts == {
        "train_texts": 3,
        "validation_texts": 0,
        "positive": 1,
        "negative": 2,
        "left_out": {"total": 1, "empty": 1, "beyond_n_texts": 0},
        "files": {"read": 4, "unread": 1},
    }


# ---- models


def test_no_text_teaches_both_models():
    rows = [("1", "", "a", True, "train", "reward"), ("2", "", "b", False, "train", "reward")]
    rows += [("3", "", "c", True, "train", "held_out"), ("4", "", "d", False, "train", "held_out")]
    rows += [("5", "", "e", True, "validation", "reward")]
    table = pl.DataFrame(rows, TEXT_SCHEMA, orient="row")
    assert training_texts(table, "reward", "reward_model")[0] == ["a", "b"]
    texts, labels = training_texts(table, "held_out", "held_out_reward")
    assert texts == ["c", "d"] and labels.tolist() == [1.0, 0.0]
    with pytest.raises(InputError, match=r"reward_model.source=mini.*1 texts of 1; give another"):
        training_texts(table.head(1), "reward", "reward_model")


def model_options(folder, name, **options):
    """Return the command line of fetch reward_model or held_out_reward."""
    settings = {"source": "mini", "path": folder / "corpus", "hub_id": "x", "revision": "main"}
    settings |= {"positive_label": "auto", "min_accuracy": 0.0}
    settings |= {
        "reward_model": {"vocab_size": 300, "hidden_size": 32, "max_tokens": 48, "epochs": 1,
                         "batch_size": 32, "learning_rate": 0.003, "seed": 1},
        "held_out_reward": {"min_texts": 2, "inverse_penalty": 1.0},
    }[name]  # fmt: skip
    words = [name, str(folder / "corpus"), str(folder / name), "--metrics", str(folder / "m.json")]
    for option, value in (settings | options).items():
        words += [f"--{option}", str(value)]
    return words


@pytest.fixture
def corpus(tmp_path, mini):
    write_table(tmp_path / "corpus", [mini.head(400)], mini.schema)
    return tmp_path


def test_the_two_reward_models_are_trained_on_two_halves_and_measured_on_neither(corpus):
    from genlab.preference.rewards import check_two_models

    for name in ("reward_model", "held_out_reward"):
        result = CliRunner().invoke(fetch.app, model_options(corpus, name))
        assert result.exit_code == 0, result.output
        measured = yaml.safe_load((corpus / "m.json").read_text())
        assert 0.4 < measured["validation_accuracy"] <= 1
    check_two_models(corpus / "reward_model", corpus / "held_out_reward")


def test_a_classifier_of_three_labels_is_refused_and_not_kept(corpus):
    from tests.preference.test_rewards import save_classifier

    theirs = save_classifier(corpus / "theirs", 3) / "model"
    words = model_options(corpus, "reward_model", source="file", path=theirs)
    result = CliRunner().invoke(fetch.app, words)
    assert isinstance(result.exception, InputError) and "has 3" in str(result.exception)
    assert not (corpus / "reward_model").exists()


def their_classifier(folder, names, swapped=False):
    """Write a classifier of moods whose label 0 is names[0]; swapped: that one is positive."""
    import json

    from genlab.preference.reward_folders import make_classifier
    from tests.preference.test_rewards import LABELS, RECIPE, TEXTS

    make_classifier(TEXTS, 1 - LABELS if swapped else LABELS, RECIPE, folder, "x")
    path = folder / "model/config.json"
    config = json.loads(path.read_text())
    config |= {"id2label": dict(enumerate(names)), "label2id": {n: i for i, n in enumerate(names)}}
    path.write_text(json.dumps(config))
    return folder / "model"


@pytest.fixture
def moods(tmp_path):
    """A folder with a corpus of sixteen plain texts, whose moods are known."""
    from tests.preference.test_rewards import BAD, GOOD

    rows = [
        (f"{i}", "", text, i % 2 == 0, "validation", "reward")
        for i, text in enumerate(text for pair in zip(GOOD, BAD, strict=True) for text in pair)
    ]
    table = pl.DataFrame(rows * 2, TEXT_SCHEMA, orient="row")
    write_table(tmp_path / "corpus", [table], TEXT_SCHEMA)
    return tmp_path


def fetched(corpus, name="reward_model", **options):
    result = CliRunner().invoke(fetch.app, model_options(corpus, name, **options))
    return result, corpus / name


@pytest.mark.parametrize("swapped", [False, True])
def test_the_positive_label_is_the_one_that_labelled_texts_prove(moods, swapped):
    from genlab.preference.rewards import load_reward

    names = ("good", "bad") if swapped else ("bad", "good")
    theirs = their_classifier(moods / "theirs", names, swapped)
    result, folder = fetched(moods, source="file", path=theirs)
    assert result.exit_code == 0, result.output
    assert yaml.safe_load((folder / "reward.json").read_text())["positive_label"] == 1 - swapped
    assert "reward_model: good is positive, by 16" in result.output
    texts = read_table(moods / "corpus")
    found = load_reward(folder, 64)([""] * len(texts), texts["text"].to_list())
    is_positive = texts["is_positive"].to_numpy()
    assert found[is_positive].mean() > found[~is_positive].mean()


def test_a_label_that_is_asked_for_or_named_but_rates_below_chance_is_refused(moods):
    theirs = their_classifier(moods / "theirs", ("good", "bad"), swapped=True)
    for asked in ("bad", "1"):
        result, folder = fetched(moods, source="file", path=theirs, positive_label=asked)
        assert isinstance(result.exception, InputError)
        assert "its label bad rates negative texts above positive ones" in str(result.exception)
        assert not folder.exists()
    result, _ = fetched(moods, source="file", path=theirs, positive_label="good")
    assert result.exit_code == 0, result.output
    result, _ = fetched(moods, source="file", path=theirs, positive_label="fine")
    assert "positive_label=fine: there is no such label, only good (0)" in str(result.exception)
    lying = their_classifier(moods / "lying", ("positive", "negative"))
    result, _ = fetched(moods, source="file", path=lying)
    assert "its label positive rates negative texts above positive" in str(result.exception)


def test_without_labelled_texts_a_label_must_be_named_or_given(moods):
    theirs = their_classifier(moods / "theirs", ("LABEL_0", "LABEL_1"))
    table = read_table(moods / "corpus").with_columns(is_positive=pl.lit(None, pl.Boolean))
    write_table(moods / "corpus", [table], TEXT_SCHEMA)
    result, folder = fetched(moods, source="file", path=theirs)
    assert "nor 0 labelled texts tell which one is positive" in str(result.exception)
    assert "reward_model.positive_label to LABEL_0 (0) or LABEL_1 (1)" in str(result.exception)
    assert not folder.exists()
    result, _ = fetched(moods, source="file", path=theirs, positive_label="LABEL_1")
    assert result.exit_code == 0, result.output


UNCLEAN = {
    "Хорошо.<br />Плохо &amp; дорого &quot;тут&quot;": 'Хорошо. Плохо & дорого "тут"',
    "<p>Вкусно</p>&nbsp;очень и очень": "Вкусно очень и очень",
    "Очень вкусно".encode().decode("windows-1251"): "Очень вкусно",
}


def test_texts_lose_markup_entities_and_mistaken_encodings_as_reviews_do(tmp_path):
    folder = write_texts(tmp_path / "in", *(text.encode() for text in [*UNCLEAN][:2]))
    assert set(read(folder)[0]) == set([*UNCLEAN.values()][:2])
    folder = write_texts(tmp_path / "again", [*UNCLEAN][2].encode(), b"x")
    assert set(read(folder)[0]) == {"Очень вкусно", "x"}
