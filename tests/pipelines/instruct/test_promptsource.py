"""promptsource's own templates of 19 data sets: all render, and none is answered wrongly.

They lie beside the project, in ../shared; where they do not, there is nothing to test.
"""

import pytest

from genlab.core.program import InputError
from pipelines.instruct.prompt_templates import read_templates
from pipelines.instruct.rendering import Limits, render, renderer
from tests.project_copy import ROOT

FOLDER = ROOT.parent / "shared/data/promptsource"

PAIR = {"sentence1": "A dog ran.", "sentence2": "An animal moved."}
PREMISE = {"premise": "A dog ran.", "hypothesis": "An animal moved."}
REVIEW = {"text": "A fine film."}
ROWS = {  # a row of each, with the fields and label of the Hub's
    "ag_news": {"text": "Shares rose.", "label": 2},
    "glue/mrpc": PAIR | {"label": 1},
    "glue/qnli": {"question": "Who ran?", "sentence": "A dog ran.", "label": 0},
    "glue/rte": PAIR | {"label": 0},
    "imdb": REVIEW | {"label": 1},
    "rotten_tomatoes": REVIEW | {"label": 1},
    "sst/default": {"sentence": "A fine film.", "label": 0.9},
    "super_glue/axb": PAIR | {"label": 0},
    "super_glue/axg": PREMISE | {"label": 0},
    "super_glue/boolq": {"question": "did a dog run", "passage": "A dog ran.", "label": 1},
    "super_glue/cb": PREMISE | {"label": 2},
    "super_glue/copa": {
        "premise": "A dog ran.",
        "choice1": "It saw a cat.",
        "choice2": "It slept.",
        "question": "cause",
        "label": 0,
    },
    "super_glue/multirc": {
        "paragraph": "A dog ran.",
        "question": "Who ran?",
        "answer": "a dog",
        "label": 1,
    },
    "super_glue/record": {
        "passage": "Anna met Ben.",
        "query": "@placeholder met Ben.",
        "entities": ["Anna", "Ben"],
        "answers": ["Anna"],
    },
    "super_glue/rte": PREMISE | {"label": 0},
    "super_glue/wic": {
        "word": "bank",
        "sentence1": "By the bank.",
        "sentence2": "A bank robbed.",
        "label": 0,
    },
    "super_glue/wsc.fixed": {
        "text": "Anna saw Ben as he ran.",
        "span1_text": "Ben",
        "span2_text": "he",
        "span2_index": 4,
        "label": 1,
    },
    "trec": {"text": "Who ran?", "coarse_label": 3, "fine_label": 29},
    "wiki_qa": {
        "question": "who ran?",
        "answer": "A dog ran.",
        "document_title": "Dog",
        "label": 1,
    },
}
PLACES = {"sst/default": 1, "super_glue/record": 0, "trec": 3}  # of the answer; else the label
REFUSED = {"fine_grained_open", "fine_grained_open_context_first"}  # offer `description` twice
# What is asked about another label, or another question, renders to nothing.
N_SKIPPED = {"super_glue/copa": 2, "trec": 9}


@pytest.mark.skipif(not FOLDER.is_dir(), reason=f"{FOLDER} is not there")
def test_all_196_templates_of_promptsource_render_or_are_named():
    found = read_templates(FOLDER)
    assert set(found) == set(ROWS)
    assert sum(map(len, found.values())) == 196
    refused, n_ranked = set(), 0
    with renderer(Limits(20_000, 2048, 5.0), 17) as made:
        for name, templates in found.items():
            n_skipped = 0
            for each in templates:
                try:
                    [one] = render(made, each, [("e", ROWS[name])])
                except InputError as error:
                    assert str(error).startswith(f"{each.shown}, example e: two answer choices")
                    refused.add(each.name)
                    continue
                n_skipped += bool(one.skipped)
                assert one.skipped or (one.input and one.target), each.shown
                if one.choices:
                    n_ranked += 1
                    assert one.label == PLACES.get(name, ROWS[name].get("label")), each.shown
            assert n_skipped == N_SKIPPED.get(name, 0), name
    assert refused == REFUSED
    assert n_ranked == 158
