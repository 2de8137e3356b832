"""Rankings from outside and from the labeller: pairs, ties, and what is refused."""

import json
import zipfile
from collections import Counter

import polars as pl
import pytest

from genlab.core.program import InputError
from genlab.sources.decoding import Encoding
from pipelines.rlhf import foreign_rankings
from pipelines.rlhf.foreign_rankings import checked, read_file_rows, read_plain_texts
from pipelines.rlhf.rankings import Ties, has_a_pair, pair_table, preference_pairs, reward_rows
from pipelines.rlhf.schemas import RANK_SCHEMA

TALK = [{"role": "user", "content": "ask"}, {"role": "assistant", "content": "better"}]
SYSTEM = {"role": "system", "content": "be kind"}


def read_rows(path):
    return read_file_rows(path, Counter())


def lines(folder, *rows):
    (folder / "ranks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "ranks.jsonl"


def test_all_forms_of_a_ranking_are_read(tmp_path):
    dialogue = "\n\nHuman: hi\n\nAssistant: yes?\n\nHuman: a joke\n\nAssistant:"
    path = lines(
        tmp_path,
        {"prompt": "one", "answers": ["best", "worse", "worst"]},
        {"prompt": "two", "answers": ["x", "y", "z"], "ranks": [2, 1, 1]},
        {"prompt": "three", "chosen": "good", "rejected": "bad", "demonstration": "perfect"},
        {"chosen": dialogue + " knock knock", "rejected": dialogue + " no"},
        {"info": {"post": "four"}, "summaries": [{"text": "s0"}, {"text": "s1"}], "choice": 1},
    )
    rows = read_rows(path)
    found = [(row[1], row[2], [(a["text"], a["rank"]) for a in row[5]]) for row in rows]
    assert found == [
        ("one", "best", [("best", 1), ("worse", 2), ("worst", 3)]),
        ("two", None, [("x", 2), ("y", 1), ("z", 1)]),
        ("three", "perfect", [("good", 1), ("bad", 2)]),
        (dialogue.strip(), "knock knock", [("knock knock", 1), ("no", 2)]),
        ("four", "s1", [("s0", 2), ("s1", 1)]),
    ]


@pytest.mark.parametrize(
    "name", ["scores", "rank", "Labels", "order", "preference", "best", "answer_ranks"]
)
def test_ranks_under_another_name_are_refused_and_not_passed_over(tmp_path, name):
    row = {"prompt": "a", "answers": ["x", "y"], name: [1, 5]}
    with pytest.raises(InputError, match=f"line 1: answers come with '{name}', which is not read"):
        read_rows(lines(tmp_path, row))
    found = read_rows(lines(tmp_path, row | {"ranks": [2, 1]}))
    assert [answer["rank"] for answer in found[0][5]] == [2, 1]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": "p", "answers": ["a"]}, "line 1: a ranking with 1 answer; it takes two"),
        ({"prompt": "p", "answers": ["a", "a"]}, "line 1: the answer 'a' is there twice"),
        ({"prompt": "p", "answers": ["a", " a\n"]}, "line 1: the answer 'a' is there twice"),
        ({"prompt": "p", "chosen": "a", "rejected": "a"}, "line 1: the answer 'a' is there twice"),
        ({"prompt": "p", "answers": ["a", "b"], "ranks": [1, 1]}, "line 1: all 2 answers are tied"),
        ({"prompt": "p", "answers": ["a", "b"], "ranks": [1]}, "ranks must be a whole number"),
        ({"prompt": "p", "answers": ["a", "b"], "ranks": [0, 1]}, "ranks must be a whole number"),
        (
            {"prompt": "p", "answers": ["a", "b"], "ranks": [1, 2**31]},
            "line 1: ranks 1 to 2147483648 are none of 2 answers",
        ),
        (  # ratings of 1 to 7
            {"prompt": "p", "answers": ["a", "b", "c"], "ranks": [5, 3, 1]},
            "line 1: ranks 1 to 5 are none of 3 answers: 1 is the best, and 3 the most; if these a",
        ),
        ({"prompt": "p", "answers": ["a", "b"], "ranks": [2, 3]}, "ranks 2 to 3 are none of 2 ans"),
        ({"prompt": "p", "answers": ["\u00e9", "e\u0301"]}, "line 1: the answer '\u00e9' is there"),
        (
            {"question": "p", "chosen": "a", "rejected": "b"},
            r"line 1: there is no prompt \(there: 'question', 'chosen', 'rejected'\)",
        ),
        (
            {"info": {"post": "p"}, "summaries": ["a", "b"], "choice": 0},
            "must be an object with text",
        ),
        ({"info": "p", "summaries": [{"text": "a"}], "choice": 0}, "info an object"),
        ({"prompt": " ", "answers": ["a", "b"]}, "line 1: prompt is empty"),
        ({"prompt": "p", "answers": ["a", 3]}, "line 1: answer 2 is 3, not text"),
        ({"prompt": "p", "chosen": "a"}, "it needs answers, or chosen and rejected"),
        (["p", "a"], "line 1: not an object"),
        (
            {"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": None},
            "rejected is null, not text",
        ),
        (
            {"info": {"post": "p"}, "summaries": [{"text": "a"}, {"text": "b"}], "choice": "1"},
            "choice is '1'; it must be the number of one of the 2 summaries, counted from 0",
        ),
        (
            {"info": {"post": "p"}, "summaries": [{"text": "a"}, {"text": "b"}], "choice": 5},
            "choice is 5; it must be",
        ),
        (
            {"info": {"post": "p"}, "summaries": [{"text": "a"}, {"text": "b"}], "choice": True},
            "choice is True; it must be",
        ),
        (
            {"chosen": [{"role": "user", "content": "a"}], "rejected": []},
            "prompt and chosen are not one message of the user's and one of the assistant's",
        ),
        (
            {"prompt": "other", "chosen": TALK, "rejected": TALK},
            "prompt and chosen are not one message",
        ),
        (
            {"prompt": [SYSTEM, *TALK[:1]], "chosen": TALK[1:], "rejected": TALK[1:]},
            "prompt and chosen are not one message",
        ),
        (
            {"chosen": TALK, "rejected": [{"role": "user", "content": "b"}, *TALK[1:]]},
            "chosen and rejected answer different prompts",
        ),
        (
            {"prompt": "p", "chosen": "a", "rejected": "b", "margin": -1},
            "line 1: margin -1 says that the rejected answer is the better one",
        ),
        (
            {
                "prompt": "p",
                "chosen": "a",
                "rejected": "b",
                "score_chosen": "2",
                "score_rejected": "9",
            },
            "line 1: score_chosen 2 is below score_rejected 9",
        ),
        (
            {"prompt": "p", "chosen": "a", "rejected": "b", "score_chosen": 1, "score_rejected": 5},
            "line 1: score_chosen 1 is below score_rejected 5; exchange the answers",
        ),
        (
            {"prompt": "p", "chosen": "a", "rejected": "b", "chosen_score": 1, "rejected_score": 2},
            "line 1: chosen_score 1 is below rejected_score 2",
        ),
        ({f"k{n}": 0 for n in range(20_000)}, r"\(there: 'k0', .*, 'k9', \.\.\.\)$"),
    ],
)
def test_a_bad_ranking_in_a_file_stops_with_its_line(tmp_path, row, message):
    with pytest.raises(InputError, match=message):
        read_rows(lines(tmp_path, row))


@pytest.mark.parametrize(
    ("prompt", "is_whole"),
    [(None, True), ("ask", True), (TALK[:1], True), ("ask", False), (TALK[:1], False)],
)
def test_messages_of_a_user_and_an_assistant_are_prompt_and_answers(tmp_path, prompt, is_whole):
    """TRL's conversational form, as of data sets that were made with it."""
    other = [TALK[0], {"role": "assistant", "content": "worse"}]
    chosen, rejected = (each if is_whole else each[1:] for each in (TALK, other))
    row = {"prompt": prompt, "chosen": chosen, "rejected": rejected}
    (found,) = read_rows(lines(tmp_path, row))
    assert (found[1], [each["text"] for each in found[5]]) == ("ask", ["better", "worse"])


def test_an_answer_in_messages_may_begin_as_its_prompt_does(tmp_path):
    yes = {"role": "user", "content": "Yes"}
    row = {
        name: [yes, {"role": "assistant", "content": text}]
        for name, text in (("chosen", "Yes, sir"), ("rejected", "Yes, madam"))
    }
    (found,) = read_rows(lines(tmp_path, row))
    assert (found[1], [each["text"] for each in found[5]]) == ("Yes", ["Yes, sir", "Yes, madam"])


@pytest.mark.parametrize("scores", [(5, 1), (3, 3), (None, 4), ("low", 2)])
def test_scores_that_agree_or_are_none_leave_the_choice_as_it_is(tmp_path, scores):
    given = dict(zip(("score_chosen", "score_rejected"), scores, strict=True))
    row = {"prompt": "p", "chosen": "a", "rejected": "b"} | given
    assert [a["rank"] for a in read_rows(lines(tmp_path, row))[0][5]] == [1, 2]


def test_the_best_answer_stands_for_a_demonstration_that_is_null(tmp_path):
    row = {"prompt": "p", "answers": ["a", "b"], "demonstration": None}
    assert read_rows(lines(tmp_path, row))[0][2] == "a"


def test_a_json_array_is_read_and_foreign_files_are_named(tmp_path):
    path = tmp_path / "ranks.json"
    path.write_text(json.dumps([{"prompt": "p", "answers": ["a", "b"]}], indent=2))
    assert read_rows(path)[0][1:3] == ("p", "a")
    for content, message in (
        (b"PAR1...", "this is Parquet|not a whole Parquet file"),
        (b"PK\x03\x04...", "not a zip archive that can be read"),
        (b"%PDF-1.4", "this is a PDF"),
    ):
        path.write_bytes(content)
        for read in (read_rows, read_plain_texts):
            with pytest.raises(InputError, match=f"ranks.json: ({message})"):
                read(path)


def test_rankings_and_texts_of_a_folder_or_a_zip_are_those_of_its_files(tmp_path):
    folder = tmp_path / "ranks"
    for name in ("a", "b"):
        write = folder / f"{name}.jsonl"
        write.parent.mkdir(exist_ok=True)
        write.write_text(json.dumps({"prompt": name, "answers": ["x", "y"]}) + "\n")
    (folder / "notes.md").write_text("x")
    (folder / "texts.txt").write_text("abc\n\nd, e\n")
    path = tmp_path / "ranks.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, f"ranks/{file.name}")
    for given in (folder, path):
        files = Counter()
        rows = read_file_rows(given, Counter(), counts=files)
        assert [row[:2] for row in rows] == [("prompt-0000000", "a"), ("prompt-0000001", "b")]
        assert files == {"read": 2, "hidden": 0, "unread": 2}
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(folder / "texts.txt", "texts.txt")
        archive.writestr("more.csv", "id,text\n1,f\n")
    assert read_plain_texts(path) == ["f", "abc", "d, e"]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.jsonl", '{"prompt": "p"}\n')
    with pytest.raises(InputError, match=rf"^{path}/a.jsonl, line 1: it needs answers"):
        read_rows(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", '{"text": "abc"}\n{"text": " "}\n{"text": "d, e"}\n'),
        ("a.csv", 'id,Text\n1,abc\n2,"d, e"\n'),
        ("a.txt", "abc\n\nd, e\n"),
        ("b.txt", '{"text": "abc"}\n{"text": "d, e"}\n'),
        ("c.txt", '[\n {"text": "abc"}, {"text": "d, e"}]\n'),
    ],
)
def test_plain_texts_are_lines_or_the_texts_of_a_table(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    assert read_plain_texts(tmp_path / name) == ["abc", "d, e"]


def test_a_spreadsheets_word_is_an_answer_and_a_line_but_no_text_of_a_table(tmp_path):
    row = {"prompt": "what does a sheet say of nothing", "answers": ["#N/A", "0"]}
    assert read_rows(lines(tmp_path, row))[0][2] == "#N/A"
    (tmp_path / "a.txt").write_text("#N/A\n")
    assert read_plain_texts(tmp_path / "a.txt") == ["#N/A"]
    (tmp_path / "a.csv").write_text("id,text\n1,#N/A\n")
    with pytest.raises(InputError, match=r"a\.csv, line 2: text is #N/A, which a program wrote"):
        read_plain_texts(tmp_path / "a.csv")


def test_a_table_without_a_column_of_plain_text_is_named(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"body": "abc"}\n')
    with pytest.raises(InputError, match=r"a.jsonl, line 1: column 'text' is missing .*'body'"):
        read_plain_texts(tmp_path / "a.jsonl")


def test_a_prompt_twice_in_a_file_is_refused_and_in_a_data_set_counted(tmp_path):
    row = {"prompt": "p", "answers": ["a", "b"]}
    with pytest.raises(InputError, match=r"line 2: the prompt is that of .*line 1"):
        read_rows(lines(tmp_path, row, row))
    dropped = []
    assert len(list(checked([("1", row), ("2", row), ("3", {})], dropped.append))) == 1
    assert len(dropped) == 2


def comparisons(n_posts, n_each):
    """Rows as of summarize_from_feedback: several comparisons of each post's summaries."""
    return [
        {"info": {"post": f"post {i}"}, "choice": 0,
         "summaries": [{"text": f"good {k}"}, {"text": f"bad {k}"}]}
        for i in range(n_posts)
        for k in range(n_each)
    ]  # fmt: skip


def test_later_comparisons_of_a_post_are_counted_apart_and_told(tmp_path, capsys):
    dropped = Counter()
    rows = read_file_rows(lines(tmp_path, *comparisons(10, 4)), dropped)
    assert len(rows) == 10 and dropped == {"prompt_again": 30}
    assert "30 rows compare answers to a prompt that an earlier row has" in capsys.readouterr().out


def test_a_data_set_of_the_hub_is_asked_for_its_configuration(monkeypatch, capsys):
    asked = []
    rows = [*comparisons(2, 3), {"info": {"post": "x"}, "summaries": [], "choice": 9}]

    def load(hub_id, name, revision, splits, **words):
        asked.append((hub_id, name, revision, words["asked"]))
        return {"train": rows}, revision

    monkeypatch.setattr(foreign_rankings, "load_dataset", load)
    dropped = Counter()
    found = foreign_rankings.read_hub_rows("o/s", "comparisons", "c0", dropped)
    assert len(found) == 2 and dropped == {"prompt_again": 4, "bad_row": 1}
    foreign_rankings.read_hub_rows("o/s", "none", "c0", Counter())
    assert [each[:3] for each in asked] == [("o/s", "comparisons", "c0"), ("o/s", "", "c0")]
    assert "corpus.hub_name=comparisons" in asked[0][3]


def test_a_dialogue_beside_its_prompt_is_no_part_of_the_answers(tmp_path):
    prompt = "\n\nHuman: hi\n\nAssistant:"
    row = {"prompt": prompt, "chosen": f"{prompt} good", "rejected": f"{prompt} bad"}
    ((_, asked, shown, _, _, answers),) = read_rows(lines(tmp_path, row))
    assert (asked, shown) == (prompt, "good")
    assert [answer["text"] for answer in answers] == ["good", "bad"]


def test_a_dialogue_that_ends_with_the_human_is_refused(tmp_path):
    said = "\n\nHuman: hi\n\nAssistant:"
    row = {"chosen": f"{said} good", "rejected": f"{said} bad\n\nHuman: what?"}
    for each in (row, row | {"prompt": said}):
        with pytest.raises(InputError, match="line 1: rejected goes on with a turn of the human's"):
            read_rows(lines(tmp_path, each))


def test_a_misspelt_key_beside_ranks_is_named(tmp_path):
    row = {"prompt": "p", "answers": ["a", "b"], "ranks": [1, 2], "demonstation": "c"}
    with pytest.raises(InputError, match=r"'demonstation', which is not.* did you mean demonst"):
        read_rows(lines(tmp_path, row))
    assert len(read_rows(lines(tmp_path, row | {"demonstration": "c"}))) == 1


def ranked(*prompts):
    """Rows of RANK_SCHEMA: each prompt is a list of ranks; answer j has the token 10 + j."""
    rows = [
        (f"p{i}-{j}", "reward", f"p{i}", "ask", [1, 2], [10 + j], j != 1, f"answer {j}", None, None,
         rank)
        for i, ranks in enumerate(prompts)
        for j, rank in enumerate(ranks)
    ]  # fmt: skip
    return pl.DataFrame(rows, RANK_SCHEMA, orient="row")


def test_every_two_answers_are_a_pair_with_the_better_one_first():
    pairs = pair_table(ranked([2, 1, 2]), None, 0.0)
    assert pairs.select("better", "worse", "is_tied").rows() == [
        (1, 0, False), (0, 2, True), (1, 2, False),
    ]  # fmt: skip


def test_ties_are_dropped_or_refused_and_what_teaches_nothing_is_counted():
    table, dropped = ranked([1, 2, 2], [1, 1], [None, None]), Counter()
    rows = reward_rows(table, Ties.drop, 0, dropped)
    assert [row["ranks"] for row in rows] == [[1, 2, 2]]
    assert rows[0]["answer_ids"] == [[10, 0], [11], [12, 0]]  # cut answers have no end-of-text
    assert dropped == {"all_tied": 1, "not_ranked": 1}
    with pytest.raises(InputError, match=r"p0: two answers are tied, and reward\.ties=refuse"):
        reward_rows(table, Ties.refuse, 0, Counter())
    with pytest.raises(InputError, match=r"no ranking is left to learn from \(all_tied: 1\)"):
        reward_rows(ranked([1, 1]), Ties.drop, 0, Counter())


def test_what_can_be_learnt_from_is_the_same_for_dpo_and_the_reward_model():
    table = ranked([1, 2, 2], [1, 1], [None, None], [2, 1], [1, None])
    left = table.filter(has_a_pair())["prompt_id"].unique(maintain_order=True).to_list()
    assert left == ["p0", "p3"]
    assert len(reward_rows(table, Ties.drop, 0, Counter())) == len(left)


def test_dpo_learns_from_the_untied_pairs_of_the_same_rankings():
    pairs = preference_pairs(ranked([2, 1, 2]))
    assert pairs.select("chosen_id", "rejected_id").rows() == [("p0-1", "p0-0"), ("p0-1", "p0-2")]
    assert pairs["chosen_finished"].to_list() == [False, False]
    with pytest.raises(InputError, match="no two answers are ranked apart"):
        preference_pairs(ranked([1, 1]))


def test_a_declared_encoding_is_that_of_the_rankings_and_of_the_plain_text(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes('{"prompt": "é?", "answers": ["à", "ù"]}\n'.encode("cp850"))
    with pytest.raises(InputError, match="set that to what it is"):
        read_file_rows(path, Counter())
    [row] = read_file_rows(path, Counter(), Encoding.cp850)
    assert (row[1], row[5][0]["text"]) == ("é?", "à")
    plain = tmp_path / "a.txt"
    plain.write_bytes("é à\n".encode("cp850"))
    assert read_plain_texts(plain, Encoding.cp850) == ["é à"]
