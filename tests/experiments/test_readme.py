import json
import re
import shutil
import subprocess
from dataclasses import replace
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from genlab.__main__ import COMMANDS
from genlab.core.program import InputError
from genlab.experiments.claims_file import read_claims
from genlab.experiments.claims_tables import (
    arms_table,
    claims_table,
    verdicts_line,
    with_interval,
)
from genlab.experiments.headlines import (
    example_lines,
    headline_rows,
    headlines_list,
    headlines_over_collections,
)
from genlab.experiments.layout import Layout, Metric, read_layout
from genlab.experiments.published_tables import exploratory_line, published_table
from genlab.experiments.readme import (
    PAGES,
    TABLES,
    fill,
    main,
    read_json,
    render,
    stand_ins,
)
from genlab.experiments.score_tables import probes_table, references_table, spreads_table
from tests.project_copy import ROOT

LAYOUT = Layout(
    path=Path("rows.parquet"),
    unit="query_id",
    group="ranker",
    metrics={"place": Metric("place", "lower"), "good": Metric("good", "higher", "share")},
    shown=("place",),
)
NUMBERS = {"value": 4.5, "low": 4.25, "high": 4.75}
FOUND = {"difference": -0.5, "low": -0.75, "high": -0.0001, "n": 500, "verdict": "supported"}
SETTLED = {
    "arms": {"long": {"a": {"place": NUMBERS}}, "short_text": {"a": {"place": NUMBERS}}},
    "claims": {"shorter": {"a": FOUND}},
}
CLAIMS = {
    "shorter": {"claim": "Shorter is better.", "metric": "place"},
    "later": {"claim": "Later.", "metric": "place"},
}
PUBLISHED = {
    "columns": ["place", "good"],
    "arms": {
        "long": {"same_data_and_model": False, "a": [7.0, 0.2]},
        "short_text": {"same_data_and_model": True, "a": [5.0, 0.3]},
    },
}
REREAD = {
    "best": {"length": {"a": {"place": "short_text", "good": "long"}}},
    "below_chance": {"a": {"long": ["place"]}, "b": {}},
    "claims": {
        "shorter": {
            "a": {
                "place": {"difference": -2.0, "verdict": "agrees"},
                "good": {"low": -1, "high": 1, "verdict": "disagrees, not significant"},
            }
        }
    },
}


def lines_of(table: str) -> list[list[str]]:
    """Return the cells of a table's rows, without the line below the header."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return [rows[0], *rows[2:]]


@pytest.fixture(scope="module")
def record(tmp_path_factory) -> Path:
    """Return a folder with the committed README, claims and metrics.

    The workspace may hold another run: on another processor `make repro` writes other numbers.
    """
    folder = tmp_path_factory.mktemp("record")
    of_pipelines = ["pipelines/*/claims.yaml", "pipelines/*/record/claims.json"]
    words = ["git", "ls-tree", "-r", "--name-only", "HEAD", "pipelines"]
    tracked = subprocess.check_output(words, cwd=ROOT, text=True).splitlines()
    taken = [name for name in tracked if any(fnmatch(name, each) for each in of_pipelines)]
    names = [*PAGES, "claims.yaml", "dvc.lock", "metrics", *taken]
    archive = subprocess.check_output(["git", "archive", "HEAD", *names], cwd=ROOT)
    subprocess.run(["tar", "--extract", "--directory", folder], input=archive, check=True)
    return folder


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_what_the_committed_metrics_say(record, page):
    assert (record / page).read_text(encoding="utf-8") == render(record, page)


def test_the_committed_claims_belong_to_the_committed_run(record):
    """The first training of params.yaml as it is, and all tables that it made, are dvc.lock's."""
    rows = json.loads((record / "metrics/claims.json").read_text())["rows"]
    arms = yaml.safe_load((record / "claims.yaml").read_text(encoding="utf-8"))["arms"]
    lock = yaml.safe_load((record / "dvc.lock").read_text(encoding="utf-8"))
    made = {
        out["path"]: out["md5"]
        for stage in lock["stages"].values()
        for out in stage.get("outs", [])
    }
    of_default = [name for name, arm in arms.items() if arm == {} or "table" in arm]
    assert "tuned" in of_default
    for name in of_default:
        first, *_ = rows[name]["md5"].values()
        assert first == made[rows[name]["path"]], name


def test_the_committed_verdicts_are_of_the_claims_in_claims_yaml(record):
    settled = json.loads((record / "metrics/claims.json").read_text())
    claims = yaml.safe_load((record / "claims.yaml").read_text(encoding="utf-8"))["claims"]
    assert list(settled["claims"]) == list(claims)


# ---- tables


def test_a_claim_is_shown_with_verdict_difference_pairs_and_the_studys_own_numbers():
    header, shorter, later = lines_of(claims_table(SETTLED, CLAIMS, REREAD, LAYOUT, {}))
    assert header == ["claim", "pairs", "a", "in the study's own numbers"]
    assert shorter == [
        "Shorter is better.",
        "500",
        "**supported** -0.500 (-0.750 to +0.000)",
        "a 1 of 2",
    ]
    assert later == ["Later.", "", "not run", ""]


def test_a_cell_that_was_no_test_says_why_and_one_not_settled_what_would_settle_it():
    cells = {
        "a": FOUND | {"verdict": "cannot be tested here", "why": "it is blind"},
        "b": FOUND | {"verdict": "identical"},
        "c": FOUND | {"verdict": "not settled", "n_needed": 1234},
        "d": FOUND | {"verdict": "not settled", "n_needed": 1234, "trainings_needed": 16},
    }
    arms = {"long": {group: {"place": NUMBERS} for group in cells}}
    table = claims_table({"arms": arms, "claims": {"shorter": cells}}, CLAIMS, {}, LAYOUT, {})
    assert lines_of(table)[1][2:] == [
        "**cannot be tested here**: it is blind",
        "**identical**",
        "**not settled** -0.500 (-0.750 to +0.000), needs 1,300",
        "**not settled** -0.500 (-0.750 to +0.000), needs 1,300 and 16 trainings",
    ]


def test_a_significant_difference_within_the_margin_is_said_to_be():
    layout = replace(LAYOUT, metrics={"place": Metric("place", "lower", margin=0.8)})
    cells = {
        "a": FOUND | {"n_tests": 3},
        "b": FOUND | {"low": -0.8},  # not inside: the interval ends at the margin
        "c": FOUND | {"verdict": "not settled", "n_needed": 1234},
    }
    arms = {"long": {group: {"place": NUMBERS} for group in cells}}
    settled = {"arms": arms, "claims": {"shorter": cells}}
    assert lines_of(claims_table(settled, CLAIMS, {}, layout, {}))[1][2:] == [
        "**supported**, within 0.8: -0.500 (-0.750 to +0.000)",
        "**supported** -0.500 (-0.800 to +0.000)",
        "**not settled** -0.500 (-0.750 to +0.000), needs 1,300",
    ]
    assert "*Within M*: the interval" in verdicts_line(settled, CLAIMS, layout)
    assert "*Within M*" not in verdicts_line(settled, CLAIMS, LAYOUT)
    content = {"headlines": ["shorter"], "claims": CLAIMS}
    assert "a **supported**, within 0.8: -0.500" in headlines_list(settled, content, layout, {}, {})


def test_the_line_above_the_claims_names_the_unit_and_holms_family():
    cells = {"a": FOUND | {"n_tests": 3, "p_adjusted": 0.01}, "b": FOUND | {"verdict": "identical"}}
    line = verdicts_line({"claims": {"shorter": cells}}, CLAIMS, LAYOUT)
    asked = verdicts_line({"claims": {"shorter": cells}}, CLAIMS, LAYOUT, trained=["train.seed"])
    assert ("was trained once" in asked, "was trained once" in line) == (True, False)
    assert "paired by query_id" in line
    assert "for the 3 tests in this table (1 more cell is no test: no pair differs" in line
    assert "*Identical*" in line and "*Not settled*" not in line


def test_the_seeds_that_moved_with_the_trainings_are_named():
    cells = {"a": FOUND | {"n_tests": 1, "p_adjusted": 0.01, "n_trainings": 5}}
    for trained, named in (
        (["train.seed"], "seeds of its own: "),
        (["score.training"], "seeds of its own: "),
        (["train.seed", "base.seed"], "seeds of its own (train.seed, base.seed): "),
    ):
        line = verdicts_line({"claims": {"shorter": cells}}, CLAIMS, LAYOUT, trained=trained)
        assert f"trained 5 times with {named}intervals and p are for other query_ids" in line


def test_a_record_written_before_there_was_such_a_line_has_none():
    assert verdicts_line(SETTLED, CLAIMS, LAYOUT) == exploratory_line(REREAD) == ""
    assert "These 32 comparisons" in exploratory_line({"n_tests": 32})


def test_a_group_or_metric_that_an_arm_lacks_is_an_empty_cell():
    settled = {
        "arms": {"long": {"a": {"place": NUMBERS}}, "late": {"b": {"place": NUMBERS}, "a": {}}},
        "claims": {"shorter": {"b": FOUND}},
    }
    shown = "4.50 (4.25-4.75)"
    assert lines_of(arms_table(settled, LAYOUT, {}, {}))[1:] == [
        ["a", "long", shown],
        ["a", "late", ""],
        ["b", "long", ""],
        ["b", "late", shown],
    ]
    header, shorter, _ = lines_of(claims_table(settled, CLAIMS, {}, LAYOUT, {}))
    assert header == ["claim", "pairs", "a", "b"]
    assert shorter[2:] == ["not run", "**supported** -0.500 (-0.750 to +0.000)"]


def test_a_bar_in_a_claim_does_not_end_its_cell():
    claims = {"shorter": {"claim": "P(short | asked) is higher.", "metric": "place"}}
    assert r"| P(short \| asked) is higher. | 500 |" in claims_table(
        SETTLED, claims, {}, LAYOUT, {}
    )


def test_why_a_claim_came_out_so_stands_beside_it():
    claims = CLAIMS | {"shorter": CLAIMS["shorter"] | {"why": "Texts end early."}}
    row = lines_of(claims_table(SETTLED, claims, {}, LAYOUT, {}))[1]
    assert row[0] == "Shorter is better. *Texts end early.*"
    content = {"headlines": ["shorter"], "claims": claims}
    found = headlines_list(SETTLED, content, LAYOUT, {}, {"shorter": "b: holds"})
    assert "+0.000). Texts end early. On real" in " ".join(found.split())


def test_claims_without_published_numbers_have_no_such_column():
    assert lines_of(claims_table(SETTLED, CLAIMS, {}, LAYOUT, {}))[0] == ["claim", "pairs", "a"]


def test_a_published_number_says_whether_data_and_model_are_the_same():
    header, long, short = lines_of(arms_table(SETTLED, LAYOUT, PUBLISHED, {}))
    assert header == ["ranker", "arm", "place", "published place"]
    assert long == ["a", "long", "4.50 (4.25-4.75)", "7.00 on other data and model"]
    assert short == ["a", "short text", "4.50 (4.25-4.75)", "5.00 on same data and model"]
    assert len(lines_of(arms_table(SETTLED, LAYOUT, {}, {}))[0]) == 3


def test_a_small_ranker_in_a_published_ones_place_is_called_so_and_no_other(tmp_path):
    published = {"arms": {"long": PUBLISHED["arms"]["long"] | {"b": [6.0, 0.1], "c": [6.0, 0.1]}}}
    (tmp_path / "metrics/fetch").mkdir(parents=True)
    for name, source in (("a", "mini"), ("b", "hub"), ("bm25", "mini")):
        path = tmp_path / f"metrics/fetch/{name}_manifest.json"
        path.write_text(json.dumps({"source": source}))
    names = stand_ins(tmp_path, published)
    assert names == {"a": "a (mini)"}
    header, long, _ = lines_of(arms_table(SETTLED, LAYOUT, PUBLISHED, names))
    assert (header[0], long[0], long[3]) == ("ranker", "a (mini)", "7.00 on other data and model")
    header, shorter, _ = lines_of(claims_table(SETTLED, CLAIMS, REREAD, LAYOUT, names))
    assert (header[2], shorter[3]) == ("a (mini)", "a 1 of 2")  # the study's own is the real one
    details = {"a": {"place": NUMBERS}, "bm25": {"place": NUMBERS}}
    table = lines_of(references_table(details, LAYOUT, names))
    assert [row[0] for row in table] == ["ranker", "a (mini)", "bm25"]


def test_a_metric_stands_beside_its_references_where_there_are_any():
    details = {"a": {"place": NUMBERS | {"chance": 6.0, "floor": 9.0}}}
    header, row = lines_of(references_table(details, LAYOUT, {}))
    assert header == ["ranker", "metric", "tuned", "chance", "floor", "ceiling"]
    assert row == ["a", "place", "4.50 (4.25-4.75)", "6.00", "9.00", ""]


def test_the_studys_own_numbers_are_told_with_what_speaks_against_its_prose():
    rows = lines_of(published_table({**REREAD, "below_chance": {"a": {"long": ["place"]}}}, CLAIMS))
    assert rows[0] == ["claim, checked on the study's own numbers", "a"]
    assert rows[1][1] == (
        "holds in 1 of 2 metrics (0 of 1 shares significantly); **not in** good, not significantly"
    )
    assert rows[2] == ["best by length", "short text: place; long: good"]
    assert rows[3] == ["worse than a random place", "long: place"]


def test_a_probe_is_a_row_and_a_ranker_a_column():
    details = {"a": {"query_alone": {"place": NUMBERS}}, "b": {"random_words": {"place": NUMBERS}}}
    assert lines_of(probes_table(details, LAYOUT, {})) == [
        ["text in the slot, place", "a", "b"],
        ["query alone", "4.50 (4.25-4.75)", ""],
        ["random words", "", "4.50 (4.25-4.75)"],
    ]


def test_an_arm_has_its_spread_over_the_texts_of_one_model():
    details = {"before": {"place": {"texts": NUMBERS}}, "hinge_1": {"place": {"texts": NUMBERS}}}
    assert lines_of(spreads_table(details, LAYOUT)) == [
        ["arm", "place"],
        ["before", "4.50 (4.25-4.75)"],
        ["hinge 1", "4.50 (4.25-4.75)"],
    ]


def test_numbers_carry_their_interval():
    assert with_interval({"value": 4.555, "low": 4.3, "high": 4.8}) == "4.55 (4.30-4.80)"


# ---- markers


def test_a_table_replaces_what_stood_between_its_markers_and_others_are_not_made():
    text = "a\n<!-- arms -->\nold\n<!-- /arms -->\nb\n"
    made = []
    assert fill(text, lambda name: made.append(name) or "new") == text.replace("old", "new")
    assert made == ["arms"]


def test_empty_markers_are_filled_and_a_text_without_any_stays():
    text = "<!-- arms -->\n<!-- /arms -->\n"
    assert fill(text, lambda name: "new") == "<!-- arms -->\nnew\n<!-- /arms -->\n"
    assert fill("nothing here\n", lambda name: "new") == "nothing here\n"


def test_a_marker_of_no_known_table_or_without_its_other_half_is_an_error():
    with pytest.raises(InputError, match=r"<!-- arm --> is no table; did you mean arms\?"):
        fill("<!-- arm -->\n<!-- /arm -->\n", lambda name: "new")
    with pytest.raises(InputError, match="<!-- arms --> without <!-- /arms --> below it"):
        fill("<!-- /arms -->\n<!-- arms -->\n", lambda name: "new")


def test_tables_that_a_pipeline_makes_itself_are_taken_from_metrics_readme(tmp_path):
    shutil.copy(ROOT / "claims.yaml", tmp_path)
    (tmp_path / "metrics/readme").mkdir(parents=True)
    for name, cell in (("said", "a|b"), ("sizes", "9")):
        content = json.dumps({name: [["head"], [cell]]})
        (tmp_path / f"metrics/readme/{name}.json").write_text(content)
    (tmp_path / "README.md").write_text(
        "<!-- said -->\n<!-- /said -->\n<!-- sizes -->\n<!-- /sizes -->"
    )
    tables = ["| head |\n| --- |\n" + row for row in (r"| a\|b |", "| 9 |")]
    assert render(tmp_path) == (
        f"<!-- said -->\n{tables[0]}\n<!-- /said -->\n<!-- sizes -->\n{tables[1]}\n<!-- /sizes -->"
    )
    (tmp_path / "RESULTS.md").write_text("<!-- size -->\n<!-- /size -->\n")
    with pytest.raises(InputError, match=r"^RESULTS.md: <!-- size --> is no table; .* sizes\?"):
        render(tmp_path, "RESULTS.md")


def test_a_pipeline_needs_only_the_files_of_the_tables_it_shows(tmp_path):
    shutil.copy(ROOT / "claims.yaml", tmp_path)
    (tmp_path / "metrics").mkdir()
    (tmp_path / "README.md").write_text("<!-- probes -->\n<!-- /probes -->\n")
    with pytest.raises(InputError, match=r"probe_details.json: no such file; `dvc repro` and"):
        render(tmp_path)
    details = {"labse": {"query_alone": {"average_loc": NUMBERS}}}
    (tmp_path / "metrics/probe_details.json").write_text(json.dumps(details))
    assert "| query alone | 4.50 (4.25-4.75) |" in render(tmp_path)


def test_every_table_can_be_rendered(tmp_path):
    """Or a name in TABLES without a table would leave "None" in a README."""
    shutil.copy(ROOT / "claims.yaml", tmp_path)
    (tmp_path / "metrics").mkdir()
    says_so = {"verified", "findings", "first_findings"}  # where nothing is there
    for name in set(TABLES) - {"headline_rows", *says_so}:
        (tmp_path / "README.md").write_text(f"<!-- {name} -->\n<!-- /{name} -->\n")
        with pytest.raises(InputError, match="no such file"):
            render(tmp_path)


def test_the_example_is_quoted_so_that_its_text_marks_up_nothing():
    example = {"query": "how deep", "text": "<b>` 40\n# m", "answer": "a " * 60, "n_texts": 11}
    lines = example_lines(
        example | {"places": {"labse": 2.5, "bm25": 1.0}}, {"labse": "labse (mini)"}
    )
    assert lines.startswith(
        "> **Query:** `how deep`, **our text's place** among its 10 real passages: labse (mini) 2.5"
    )
    assert "\n> **Our text:** `<b>' 40 # m`\n" in lines
    assert max(map(len, lines.splitlines())) <= 100


def test_a_headline_says_the_claim_its_verdicts_and_what_real_rankers_said():
    content = {"headlines": ["shorter"], "claims": CLAIMS}
    found = headlines_list(
        SETTLED, content, LAYOUT, {"a": "a (mini)"}, {"shorter": "minilm: holds on 3 of 3"}
    )
    assert " ".join(found.split()).startswith(
        "- Shorter is better. Here: a (mini) **supported** -0.5"
    )
    assert " ".join(found.split()).endswith(
        "On real rankers and passages: minilm: holds on 3 of 3."
    )
    assert (
        headlines_list({"claims": {}}, content, LAYOUT, {}, {})
        == "- Shorter is better. Here: not run."
    )


def test_a_headline_of_claims_without_groups_says_the_verdict_alone():
    settled = {"claims": {"shorter": {"": FOUND}}}
    content = {"headlines": ["shorter"], "claims": CLAIMS}
    assert headlines_list(settled, content, LAYOUT, {}, {}) == (
        "- Shorter is better. Here: **supported** -0.500 (-0.750 to +0.000)."
    )


def test_a_headline_over_collections_has_the_verdicts_of_each_ranker():
    groups = {"wikiqa bm25": FOUND, "msmarco bm25": FOUND | {"verdict": "contradicted"}}
    content = {"headlines": ["shorter"], "claims": CLAIMS}
    said = headlines_over_collections({"claims": {"shorter": groups}}, content, LAYOUT)
    assert " ".join(said.split()) == (
        "- Shorter is better. bm25 **holds on 1 of 2, the contrary on 1**: wikiqa -0.50 (-0.75 to "
        "+0.00) holds; msmarco -0.50 (-0.75 to +0.00) the contrary."
    )


ARMS = """\
| how | arm | place | note |
| --- | --- | --- | --- |
| greedy | tuned | 2.00 (1.00-3.00) | P(a \\| b) |
| greedy | base | 4.00 (3.00-5.00) |  |
| sampled | tuned | 3.00 (2.00-4.00) |  |"""


def test_headline_rows_are_rows_and_columns_of_another_table():
    asked = {"table": "arms", "rows": {"how": ["greedy"]}, "columns": ["arm", "note"]}
    above = {"arms": f"A sentence.\n\n{ARMS}"}
    assert headline_rows({"headline_rows": asked}, above.__getitem__, above) == (
        "| arm | note |\n| --- | --- |\n| tuned | P(a \\| b) |\n| base |  |"
    )


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"columns": ["arms"]}, "headline_rows: arms has no column arms; did you mean arm?"),
        ({"rows": {"how": ["gredy"]}}, "headline_rows: arms has no how gredy; did you mean greedy"),
        ({"columns": None}, None),
        ({"table": "headline_rows"}, "headline_rows: headline_rows is no table with rows"),
        ({"table": "armz"}, "armz is no table with rows; did you mean arms?"),
    ],
)
def test_headline_rows_that_are_not_there_are_named(changed, message):
    asked = {"table": "arms", "columns": ["arm"]} | changed
    if message is None:
        asked.pop("columns")
        message = "claims.yaml: headline_rows: must have table and columns"
    with pytest.raises(InputError) as error:
        headline_rows({"headline_rows": asked}, {"arms": ARMS}.__getitem__, ["arms"])
    assert message in str(error.value)


def test_a_headline_that_is_no_claim_is_named(tmp_path, monkeypatch):
    text = (ROOT / "claims.yaml").read_text(encoding="utf-8")
    (tmp_path / "claims.yaml").write_text(text.replace("[tuning_helps,", "[tuning_help,"))
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    layout = read_layout(tmp_path / "claims.yaml")
    with pytest.raises(
        InputError, match="headlines: no claim tuning_help; did you mean tuning_helps"
    ):
        read_claims(tmp_path / "claims.yaml", layout, params)


# ---- the README itself


def test_every_file_the_readme_names_is_there():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\b(?:sweeps|stages|genlab|tests|benchmarks)/[\w/.]+\.\w+", text))
    assert named, "the README names no file, so this test proves nothing"
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
    modules = set(re.findall(r"python -m ([\w.]+)", text))
    assert [m for m in sorted(modules) if find_spec(m) is None] == []
    commands = set(re.findall(r"python -m genlab (\w+)", text))
    assert commands and commands <= set(COMMANDS)


def test_the_readme_is_at_most_130_lines_of_at_most_100_characters():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 130 and max(map(len, lines)) <= 100


def test_a_file_of_numbers_that_is_cut_is_named(tmp_path):
    (tmp_path / "claims.json").write_text('{"claims": ')
    with pytest.raises(InputError, match=r"claims\.json: no JSON .*; run `dvc repro`"):
        read_json(tmp_path / "claims.json")


def test_a_folder_without_a_page_to_write_into_is_named(tmp_path):
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    with pytest.raises(InputError, match=r"has no README.md or RESULTS.md; give the folder"):
        main(tmp_path)
