"""Sentences with a run's numbers in them: what a name in braces becomes, and one that is none."""

import pytest

from genlab.core.program import InputError
from genlab.report.sentences import fill

VALUES = {
    "score": {
        "labse": {"top_1": {"value": 0.332, "low": 0.292, "high": 0.374}, "n": 500, "loss": 0.0004},
        "mini v1.5": {"top_1": 1},
        "large": {"exact": 12345.6, "below": -1000.0, "almost": 999.5, "small": 999.4},
        "minus": {"little": -0.002, "none": -0.0, "much": -0.12},
        "labels": ["a", "b"],
    },
    "each": "new_topic",
    "new_topic": "new_topic",
    "params": {
        "score": {"arm": "labse"},
        "made": {"source": "mini", "path": "world.yaml"},
        "bundled": {"source": "bundled", "path": "minis/base"},
        "hub": {"source": "hub", "hub_id": "some/corpus", "revision": "a47ee7aae8d7"},
        "unpinned": {"source": "hub", "hub_id": "some/corpus", "revision": "none"},
        "file": {"source": "file", "path": "/home/someone/WikiQA"},
        "template": "{rubrics}: {rating}",
    },
}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{score.labse.top_1:%}", "33\u00a0% [29, 37]"),
        ("{score.labse.top_1:1%}", "33.2\u00a0% [29.2, 37.4]"),
        ("{score.labse.top_1:2}", "0.33 [0.29, 0.37]"),
        ("{score.labse.top_1.value:1}", "0.3"),
        ("{score.labse.n} of {score.labse.n:0}", "500 of 500"),
        ("{score.labse.loss}", "0.0004"),
        ("{score.large.exact} and {score.large.below}", "12,346 and -1,000"),
        ("{score.large.almost} and {score.large.small}", "1,000 and 999"),
        ("{score.minus.little:%} and {score.minus.little:1%}", "0\u00a0% and -0.2\u00a0%"),
        ("{score.minus.none} and {score.minus.much:%}", "0 and -12\u00a0%"),
        ("{score.mini v1.5.top_1}", "1"),  # a key with a dot in it
        ("{score.labels}", "a, b"),
        ("{score.b.n or score.labse.n:0} {score.labse.n or score.large.exact}", "500 500"),
        ("{score.{params.score.arm}.n}", "500"),  # a name in a name
        ("{each} is {{each}}", "new topic is new_topic"),  # underscores in names alone
        ("{params.made}", "mini, made here"),
        ("{params.bundled}", "mini, made once and bundled"),
        ("{params.hub}", "some/corpus@a47ee7a"),
        ("{params.unpinned}", "some/corpus"),
        ("{params.file}", "WikiQA"),  # no path of a machine
        ("{params.template}", "{rubrics}: {rating}"),  # what is put in is not filled in turn
    ],
)
def test_a_name_in_braces_becomes_its_value(text, said):
    assert fill(text, VALUES, "x") == said


def test_a_text_that_is_a_name_keeps_the_underscores_of_what_is_put_in():
    assert fill("score.{each}.win", VALUES, "x", is_name=True) == "score.new_topic.win"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{score.b or score.c}", r"\{score.b\}: there is no b"),
        ("{score.labs.n}", "there is no labs; did you mean labse"),
        ("{score.labse.n.more}", "there is no more"),
        ("{nothing.of.it}", "there is no nothing; there is score, each"),
        ("{score.labse}", "is dict; name one value"),
        ("{score.labse.n:x}", "after the colon digits or %"),
        ("{score.labse.n:}", "after the colon digits or %"),
        ("{score.labse.n:10000000000}", "after the colon digits or %"),
    ],
)
def test_a_name_that_has_no_value_is_an_error_that_says_where(text, reason):
    with pytest.raises(InputError, match=f"^report.yaml: headline: .*{reason}"):
        fill(text, VALUES, "report.yaml: headline")
