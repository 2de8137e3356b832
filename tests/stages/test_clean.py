"""The clean stage: every rule on small tables, the counts, and the command line."""

import json
import subprocess
import sys
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from genlab.core.program import InputError
from genlab.core.tables import QUERY_SCHEMA, read_table, write_table
from genlab.passages.cleaning import WordBounds, check_bounds, clean_batch
from genlab.text.rules import NO_RULES, clean_texts
from stages import clean
from tests.option_words import option_words
from tests.project_copy import ROOT

OPEN = WordBounds(
    min_query_words=1,
    max_query_words=1000,
    min_passage_words=1,
    max_passage_words=1000,
    min_new_words=0,
)


def table(*rows):
    """Queries from (query, [passage, ...]); the first passage of each is the selected one."""
    return pl.DataFrame(
        [
            {
                "query_id": f"q{number}",
                "query": query,
                "passages": [
                    {"text": text, "is_selected": place == 0} for place, text in enumerate(texts)
                ],
                "split": "train",
            }
            for number, (query, texts) in enumerate(rows)
        ],
        schema=QUERY_SCHEMA,
    )


def cleaned_text(text, **on):
    return clean_texts(pl.Series("text", [text]), replace(NO_RULES, **on)).item()


def cleaned(rows, **on):
    """Return the cleaned queries as (query, [passage, ...]) and the counts."""
    bounds = {name: on.pop(name) for name in list(on) if hasattr(OPEN, name)}
    frame, counts = clean_batch(table(*rows), replace(NO_RULES, **on), replace(OPEN, **bounds))
    lists = [[passage["text"] for passage in passages] for passages in frame["passages"]]
    return list(zip(frame["query"], lists, strict=True)), counts


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("<p>One</p><p>two</p>", "One\ntwo"),
        ('H<sub>2</sub>O is <a href="/w?a=1" class=x>water</a>.<br/>', "H2O is water."),
        ("<SCRIPT type='a'>if (a<b) {}</SCRIPT>kept<!-- not\nthis -->", "kept"),
        ("<td nowrap>cell</td>", "cell"),
        ("x < 5 and y > 3", "x < 5 and y > 3"),
        ("a <b and c> d, call <name>", "a <b and c> d, call <name>"),
        ("Q&amp;A&nbsp;it&#39;s &#x201c;so&rdquo;", "Q&A it's “so”"),
        ("AT&T ?a=1&copy=2 &unknown;", "AT&T ?a=1&copy=2 &unknown;"),
        ("&lt;b&gt; &amp;lt;", "<b> &lt;"),
        ("a&#0;b&#x00;c&#000;d &#32;e", "abcd e"),
    ],
)
def test_markup_goes_and_what_only_looks_like_markup_stays(text, plain):
    assert cleaned_text(text, strip_markup=True) == plain


def test_invisible_characters_and_odd_spaces_go_whatever_the_rules():
    text = "\ufeff zero\u200bwidth  soft\u00adhyphen\x00\u00a0no-break\tt \r\n\n last\u2028"
    assert cleaned_text(text) == "zerowidth softhyphen no-break t\nlast"


def test_the_unicode_form_is_the_one_asked_for():
    text = "e\u0301 ﬁ"
    assert cleaned_text(text, unicode_form="none") == "e\u0301 ﬁ"
    assert cleaned_text(text, unicode_form="NFC") == "é ﬁ"
    assert cleaned_text(text, unicode_form="NFKC") == "é fi"


def test_utf8_read_as_latin1_is_repaired_only_where_certain():
    broken = "It’s 5° in São Paulo — »Spaß«".encode().decode("latin-1")
    assert cleaned_text(broken, repair_encoding=True) == "It’s 5° in São Paulo — »Spaß«"
    assert cleaned_text("»viel Spaß» ÂGE", repair_encoding=True) == "»viel Spaß» ÂGE"


@pytest.mark.parametrize(
    ("broken", "proper"),
    [
        ("Ð\x9fÑ\x80Ð¸Ð²ÐµÑ\x82 means hello.", "Привет means hello."),
        ("The cafÃƒÂ© is open.", "The café is open."),
        ("It isnâ€™t far, â€œheâ€\x9d said.", "It isn’t far, “he” said."),
        ("The price is â‚¬20.", "The price is €20."),
        ("РџСЂРёРІРµС‚ РјРёСЂ", "Привет мир"),
    ],
)
def test_whole_texts_are_repaired_whatever_encoding_was_taken_for_utf8(broken, proper):
    assert cleaned_text(broken, repair_encoding=True) == proper


@pytest.mark.parametrize(
    "text",
    [
        "Ela disse «BOA MANHÃ» e foi embora.",
        "A MAÇÃ\u00a0VERMELHA está na mesa.",
        "A AMANHÃª edição fica na rua do norte.",
        "Veio ontem a minha IRMÃ\u00a0MAIS VELHA do sul.",
        "Привет — мир «да»…",
    ],
)
def test_a_text_that_may_be_proper_stays(text):
    assert cleaned_text(text, repair_encoding=True) == text.replace("\u00a0", " ")


def test_citation_marks_go_and_other_brackets_stay():
    text = "Deep.[1][23] Old[citation needed] lake[Edit] [sic] [a]"
    assert cleaned_text(text, strip_citations=True) == "Deep. Old lake [sic] [a]"


def test_a_citation_mark_goes_even_with_an_odd_space_in_it():
    texts = pl.Series("text", ["so it was[citation\u00a0needed]\u2003then"])
    rules = replace(NO_RULES, strip_citations=True)
    assert clean_texts(texts, rules).to_list() == ["so it was then"]


def test_lower_casing_applies_to_queries_and_passages_and_keeps_cyrillic():
    rows, _ = cleaned([("Как ГЛУБОКО", ["Озеро ВАРН"])], lower_case=True)
    assert rows == [("как глубоко", ["озеро варн"])]


@pytest.mark.parametrize(
    ("line", "is_kept"),
    [
        ("It ends.", True),
        ("Does it end?", True),
        ("It ends!", True),
        ('He said "so."', True),
        ("He said “so”", True),
        ("(It ends.)", True),
        ("Read more", False),
        ("It goes on...", False),
        ("It goes on…", False),
        ("Home |", False),
    ],
)
def test_a_line_without_terminal_punctuation_is_dropped(line, is_kept):
    rows, counts = cleaned([("q", [f"Kept one.\n{line}"])], require_terminal_punctuation=True)
    assert rows == [("q", [f"Kept one. {line}" if is_kept else "Kept one."])]
    assert counts.lines["require_terminal_punctuation"] == (not is_kept)


def test_short_lines_and_javascript_lines_are_dropped_and_the_rest_joined():
    text = "Menu\nOne two three\nPlease enable JavaScript in your browser\nfour five six"
    rows, counts = cleaned([("q", [text])], min_line_words=3, drop_javascript_lines=True)
    assert rows == [("q", ["One two three four five six"])]
    assert counts.lines == {None: 2, "min_line_words": 1, "drop_javascript_lines": 1}


def test_a_passage_without_lines_left_is_dropped_and_its_place_closes_up():
    rows, counts = cleaned([("q", ["one two", "Menu\nHome", "three four"])], min_line_words=2)
    assert rows == [("q", ["one two", "three four"])]
    assert counts.passages == {None: 2, "no_line_left": 1}


def test_placeholder_text_and_curly_brackets_drop_the_passage():
    passages = ["Lorem Ipsum dolor", "a {x}", "}", "kept"]
    rows, counts = cleaned([("q", passages)], drop_lorem_ipsum=True, drop_curly_brackets=True)
    assert rows == [("q", ["kept"])]
    assert counts.passages == {None: 1, "drop_lorem_ipsum": 1, "drop_curly_brackets": 2}


def test_length_bounds_are_inclusive_and_count_words():
    bounds = {
        "min_query_words": 2,
        "max_query_words": 3,
        "min_passage_words": 2,
        "max_passage_words": 3,
    }
    texts = ["a", "a b", "a b c", "a b c d", " "]
    rows, counts = cleaned([(query, texts) for query in texts], **bounds)
    assert rows == [("a b", ["a b", "a b c"]), ("a b c", ["a b", "a b c"])]
    assert counts.queries["train"] == {None: 2, "min_query_words": 2, "max_query_words": 1}
    assert counts.passages == {
        None: 4,
        "empty": 2,
        "min_passage_words": 2,
        "max_passage_words": 2,
        "query_dropped": 15,
    }


@pytest.mark.parametrize(
    ("passage", "n_new_words"),
    [
        ("How deep is Lake Varn?", 0),
        ("how deep is lake varn - how deep is lake varn! " * 9, 0),
        ("Lake Varn", 0),
        ("?!", 0),
        ("Lake Varn: 40 m deep", 2),
        ("Forty forty FORTY: how deep is lake varn", 1),
        ("how deep is lake varn " * 9 + "it is forty", 2),
        ("It has been measured more than once, and each time the rod came up wet.", 14),
    ],
)
def test_a_passage_with_too_few_words_beyond_the_query_is_dropped(passage, n_new_words):
    query = "how deep is lake varn"
    for least in range(4):
        _, counts = cleaned([(query, [passage])], min_new_words=least)
        assert counts.passages["min_new_words"] == (n_new_words < least)


def test_a_query_without_passages_is_dropped_and_no_one_elses_passages_move():
    rows, counts = cleaned([("a", ["{"]), ("b", ["kept b"]), ("c", [])], drop_curly_brackets=True)
    assert rows == [("b", ["kept b"])]
    assert counts.queries["train"] == {None: 1, "no_passage_left": 2}


def test_selection_stays_with_its_passage_and_missing_texts_count_as_empty():
    batch = table(("q", ["one", "two", "three"]), ("r", [None, "four"]))
    frame, counts = clean_batch(batch, NO_RULES, OPEN)
    assert frame["passages"].to_list() == [
        [
            {"text": "one", "is_selected": True},
            {"text": "two", "is_selected": False},
            {"text": "three", "is_selected": False},
        ],
        [{"text": "four", "is_selected": False}],
    ]
    assert counts.passages == {None: 4, "empty": 1}


def test_characters_are_counted_before_and_after_for_queries_and_passages():
    _, counts = cleaned([(" ab ", ["c  d", "{"])], drop_curly_brackets=True)
    assert counts.chars == {"in": 4 + 4 + 1, "out": 2 + 3}


TEXTS = st.text(st.sampled_from("ab .\n{&;<p>\u200b\u00a0é1"), max_size=12)
ROWS = st.lists(st.tuples(TEXTS, st.lists(TEXTS, max_size=4)), max_size=5)


@settings(max_examples=60)
@given(ROWS, st.booleans(), st.integers(0, 2))
def test_what_comes_in_is_kept_or_dropped_for_one_reason(rows, is_strict, least):
    rules = {
        "strip_markup": is_strict,
        "drop_curly_brackets": is_strict,
        "require_terminal_punctuation": is_strict,
        "min_line_words": least,
        "min_new_words": least,
    }
    kept, counts = cleaned(rows, **rules)
    passages_kept = [text for _, texts in kept for text in texts]
    assert counts.queries["train"].total() == len(rows)
    assert counts.queries["train"][None] == len(kept)
    assert counts.passages.total() == sum(len(texts) for _, texts in rows)
    assert counts.passages[None] == len(passages_kept)
    assert counts.chars["out"] == sum(map(len, passages_kept)) + sum(len(q) for q, _ in kept)
    assert all(text == " ".join(text.split()) and text for text in passages_kept)


def test_crossed_bounds_are_refused():
    with pytest.raises(InputError, match=r"clean.min_query_words \(9\) is above clean.max_query"):
        check_bounds(replace(OPEN, min_query_words=9, max_query_words=3))


def arguments(folder, **on):
    """The command line as DVC writes it: underscored names, --no_ as --no-."""
    line = [str(folder / "in.parquet"), str(folder / "out.parquet")]
    line += ["--metrics", str(folder / "clean.json")]
    return line + option_words(vars(NO_RULES) | vars(OPEN) | on)


def test_the_stage_writes_table_and_metrics(tmp_path):
    batch = table(("Q&amp;A", ["<b>one</b> two", "{"]), ("b", ["three"]))
    batch = batch.with_columns(split=pl.Series(["train", "validation"]))
    write_table(tmp_path / "in.parquet", [batch], QUERY_SCHEMA)
    line = arguments(tmp_path, strip_markup=True, drop_curly_brackets=True)
    run = subprocess.run(
        [sys.executable, "-m", "stages.clean", *line],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stderr) == (0, "")
    written = read_table(tmp_path / "out.parquet")
    assert written.schema == QUERY_SCHEMA
    assert written["query"].to_list() == ["Q&A", "b"]
    metrics = json.loads((tmp_path / "clean.json").read_text())
    assert list(metrics) == ["queries", "passages", "lines", "chars", "splits"]
    assert metrics["passages"]["in"] == 3
    assert metrics["passages"]["out"] == 2
    assert {k: v for k, v in metrics["passages"]["dropped"].items() if v} == {
        "drop_curly_brackets": 1
    }
    assert metrics["splits"] == {"train": 1, "validation": 1}


def test_a_missing_option_is_an_error_that_names_it(tmp_path):
    line = arguments(tmp_path)
    line.remove("--no-drop_lorem_ipsum")
    result = CliRunner().invoke(clean.app, line)
    assert result.exit_code == 2
    assert "--drop-lorem-ipsum" in result.output


def test_nothing_left_names_the_rule_and_leaves_no_file(tmp_path):
    batch = table(("q", ["{", "{}", "a"]), ("r", ["}"]))
    write_table(tmp_path / "in.parquet", [batch], QUERY_SCHEMA)
    line = arguments(tmp_path, drop_curly_brackets=True, min_passage_words=2)
    result = CliRunner().invoke(clean.app, line)
    assert isinstance(result.exception, InputError)
    assert "no train query is left of 2; the rule clean.drop_curly_brackets dropped most (3)" in (
        str(result.exception)
    )
    assert not (tmp_path / "out.parquet").exists()
    assert not (tmp_path / "clean.json").exists()
