"""The rankers made here: they learn, twice the same, and their files compute what was trained."""

import numpy as np
import polars as pl
import pytest

from genlab.core.program import InputError
from genlab.core.tables import write_table
from genlab.mini.ranker_folders import fetch_ranker
from genlab.mini.rankers import (
    BUCKETS,
    RankerRecipe,
    TrainingPairs,
    embed,
    inverse_frequencies,
    make_ranker,
    mean_reciprocal_rank,
    read_training_pairs,
    train,
)
from genlab.ranking.rankers import RankerKind, load_ranker
from genlab.sources.source import Origin, Source
from tests.broken_saves import save_zeroed
from tests.query_tables import write_queries

MADE_HERE = ["sentence_transformer", "tensorflow_hub"]
CREATURES = ["falcon", "badger", "salmon", "weasel", "plover", "marmot", "beetle", "walrus"]
# A question's word never occurs in its answer: only training can join them.
TOPICS = {"diet": ["eats", "mouse"], "home": ["lives", "cave"], "size": ["weighs", "pound"],
          "song": ["calls", "shrill"], "name": ["latin", "term"]}  # fmt: skip


def write_rows(path, rows):
    """Write queries "0", "1", ... from (query, [(text, is_selected)], split)."""
    queries = [
        (split, query, [(text,) if is_selected else text for text, is_selected in passages])
        for query, passages, split in rows
    ]
    return write_queries(path, queries, ids=map(str, range(len(rows))))


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """Write 60 train and 60 validation queries with 6 passages each: chance has an MRR of 0.41."""
    rng = np.random.default_rng(1)

    def passage(creature, topic):
        filler = rng.choice(["often", "the", "a", "there", "many", "old", "very", "some"], 2)
        return " ".join([*filler, creature, *TOPICS[topic]])

    rows = []
    for i in range(120):
        creature, *others = rng.permutation(CREATURES)
        topic, *further = rng.permutation(list(TOPICS))
        passages = [(passage(creature, topic), True)]
        passages += [(passage(creature, other), False) for other in further[:2]]
        passages += [(passage(other, topic), False) for other in others[:3]]
        order = rng.permutation(len(passages))
        split = "train" if i < 60 else "validation"
        rows.append((f"{topic} of {creature}", [passages[j] for j in order], split))
    return write_rows(tmp_path_factory.mktemp("toy") / "dedup.parquet", rows)


def recipe_of(seed: int) -> RankerRecipe:
    return RankerRecipe(max_queries=60, dim=64, epochs=30, seed=seed)


@pytest.fixture(scope="module", params=MADE_HERE)
def made(request, toy, tmp_path_factory):
    output = tmp_path_factory.mktemp("rankers") / request.param
    origin = Origin(Source.mini, toy, "none", "none")
    manifest = fetch_ranker(RankerKind(request.param), origin, recipe_of(3), output)
    return output, manifest, load_ranker(output, batch_size=16)


def test_sixty_queries_teach_it_more_than_the_words_that_query_and_answer_share(made):
    _, manifest, _ = made
    assert manifest["n_train_queries"] == manifest["n_validation_queries"] == 60
    # The creature alone leaves three passages: (1 + 1/2 + 1/3) / 3 = 0.61.
    assert manifest["validation_mrr"] > 0.68


def test_the_query_in_front_of_a_strange_text_raises_its_score(made):
    query, stranger = "diet of falcon", "some very old beetle calls shrill"
    alone, echoed = made[2].relevance([query] * 2, [stranger, f"{query} {stranger}"])
    assert echoed > alone + 0.2


def test_an_empty_text_scores_zero(made):
    assert made[2].relevance(["diet of falcon", ""], ["", "falcon"]).tolist() == [0, 0]


def test_a_score_does_not_depend_on_the_texts_beside_it(made):
    texts = ["falcon eats mouse", "x", "a much longer text about a badger and its cave " * 5]
    together = made[2].relevance(["diet of falcon"] * 3, texts)
    alone = [made[2].relevance(["diet of falcon"], [text])[0] for text in texts]
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_the_same_seed_writes_the_same_bytes_and_another_does_not(made, toy, tmp_path):
    output, manifest, _ = made
    kind = manifest["kind"]
    again = make_ranker(kind, toy, recipe_of(3), tmp_path / "again")
    other = make_ranker(kind, toy, recipe_of(4), tmp_path / "other")
    assert again["train_loss"] == manifest["train_loss"] != other["train_loss"]

    def contents(folder):
        files = [path for path in folder.rglob("*") if path.is_file()]
        # TensorFlow numbers a process's functions, so a second graph has other names in it.
        return {path.name: path.read_bytes() for path in files if path.name != "saved_model.pb"}

    first = contents(output / "model")
    assert contents(tmp_path / "again" / "model") == first != contents(tmp_path / "other" / "model")


def test_the_saved_model_computes_what_was_trained_in_any_script(tmp_path):
    from genlab.models.quiet_tensorflow import import_tensorflow

    tf, hub = import_tensorflow()
    pairs = TrainingPairs(["Ёлка?", "red fox"], ["ЁЛКА: дерево", "the red-fox runs"], [[], ["den"]])
    kept = {}

    def tokenize(texts):
        def bucket(token):
            return int(tf.strings.to_hash_bucket_fast(token, BUCKETS))

        words = {
            "Ёлка?": ["ёлка"],
            "red fox": ["red", "fox", "red fox"],
            "ЁЛКА: дерево": ["ёлка", "дерево", "ёлка дерево"],
            "the red-fox runs": ["the", "red", "fox", "runs", "the red", "red fox", "fox runs"],
            "den": ["den"],
        }
        kept.update({text: np.array([bucket(token) for token in words[text]]) for text in texts})
        return [kept[text] for text in texts]

    recipe = RankerRecipe(max_queries=2, dim=8, epochs=2, seed=5)
    weights, _ = train(pairs, tokenize, BUCKETS, recipe, n_layers=2)
    table = write_rows(
        tmp_path / "table.parquet",
        [
            ("Ёлка?", [("ЁЛКА: дерево", True)], "train"),
            ("red fox", [("the red-fox runs", True), ("den", False)], "train"),
        ],
    )
    make_ranker("tensorflow_hub", table, recipe, tmp_path / "ranker")
    got = hub.load(str(tmp_path / "ranker" / "model"))(tf.constant(list(kept))).numpy()
    np.testing.assert_allclose(got, embed(weights, list(kept.values())).numpy(), atol=1e-6)


def test_a_sentence_transformer_that_is_saved_otherwise_is_an_error(toy, tmp_path, monkeypatch):
    from sentence_transformers import SentenceTransformer

    save_zeroed(monkeypatch, SentenceTransformer)
    with pytest.raises(InputError, match="its weights are not saved as they were trained"):
        make_ranker("sentence_transformer", toy, recipe_of(3), tmp_path / "made")


def test_a_tensorflow_model_that_is_saved_otherwise_is_an_error(toy, tmp_path, monkeypatch):
    from genlab.models.quiet_tensorflow import import_tensorflow

    tf, _ = import_tensorflow()
    whole = tf.saved_model.save

    def save(module, path):
        module.weights[1].assign(tf.zeros_like(module.weights[1]))
        whole(module, path)

    monkeypatch.setattr(tf.saved_model, "save", save)
    with pytest.raises(InputError, match="its weights are not saved as they were trained"):
        make_ranker("tensorflow_hub", toy, recipe_of(3), tmp_path / "made")


def test_embeddings_are_means_taken_through_layers_with_tanh_between():
    import torch

    table = torch.tensor([[2.0, 0.0], [0.0, 4.0]])
    first, second = torch.tensor([[1.0, 0.0], [0.0, 0.5]]), torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    bags = [np.array([0, 1]), np.array([], dtype=np.int64), np.array([1])]
    assert embed([table], bags).tolist() == [[1, 2], [0, 0], [0, 4]]
    expected = [[np.tanh(1), np.tanh(1)], [0, 0], [np.tanh(2), 0]]
    np.testing.assert_allclose(embed([table, first, second], bags), expected, atol=1e-6)


def test_empty_texts_among_the_training_pairs_leave_the_weights_finite():
    ids = {"": [], "a": [0], "b": [1], "c": [2]}
    pairs = TrainingPairs(["", "a"], ["b", ""], [[""], ["c", ""]])
    recipe = RankerRecipe(max_queries=2, dim=4, epochs=2, seed=1)
    weights, loss = train(
        pairs, lambda texts: [np.array(ids[t], dtype=np.int64) for t in texts], 3, recipe, 0
    )
    assert np.isfinite(weights[0].numpy()).all() and np.isfinite(loss)


def test_rare_words_weigh_more_and_the_mean_weight_is_one():
    weights = inverse_frequencies([np.array([0, 0, 1]), np.array([0])], n_ids=3)
    # ln(1 + 2/2), ln(1 + 2/1) and, for the id in no document, ln(1 + 2/1) again
    expected = np.log([2, 3, 3]) / np.mean(np.log([2, 3, 3]))
    np.testing.assert_allclose(weights, expected, rtol=1e-6)


def test_training_pairs_are_drawn_of_the_answerable_train_queries(tmp_path):
    table = write_rows(
        tmp_path / "dedup.parquet",
        [
            ("q0", [("no", False)], "train"),
            ("q1", [("n1", False), ("y1", True), ("y2", True), ("", False)], "train"),
            ("q2", [("y3", True)], "validation"),
            ("q3", [("y4", True)], "train"),
            ("q4", [("y5", True)], "train"),
            ("q5", [], "train"),
        ],
    )
    assert read_training_pairs(table, 9, seed=1) == TrainingPairs(
        ["q1", "q3", "q4"], ["y1", "y4", "y5"], [["n1", ""], [], []]
    )
    drawn = {tuple(read_training_pairs(table, 2, seed).queries) for seed in range(20)}
    assert drawn == {("q1", "q3"), ("q1", "q4"), ("q3", "q4")}


def test_fewer_than_two_train_queries_are_refused(tmp_path):
    table = write_rows(tmp_path / "t.parquet", [("q", [("y", True)], "train")])
    with pytest.raises(InputError, match=r"t\.parquet: 1 train queries with a selected passage"):
        read_training_pairs(table, 10, seed=1)


def test_a_table_that_is_not_of_queries_is_refused(tmp_path):
    scores = pl.DataFrame({"query": ["why"], "score": [0.5]})
    write_table(tmp_path / "score", [scores], scores.schema)
    with pytest.raises(InputError, match=r"score: no column passages and split \(there: query, sc"):
        read_training_pairs(tmp_path / "score", 9, seed=1)


def test_the_mean_reciprocal_rank_of_scores_given_by_hand(tmp_path):
    table = write_rows(
        tmp_path / "dedup.parquet",
        [
            ("q", [("3", True), ("9", True)], "train"),
            ("q", [("1", False), ("5", True), ("7", False)], "validation"),  # 2nd: 1/2
            ("q", [("4", True), ("4", False), ("8", True)], "validation"),  # best selected is 1st
            ("q", [("6", False), ("6", True), ("6", False)], "validation"),  # tied 1st to 3rd: 2nd
            ("q", [("6", False)], "validation"),  # unanswerable
        ],
    )

    def relevance(queries, texts):
        return np.array([float(text) for text in texts], dtype=np.float32)

    assert mean_reciprocal_rank(relevance, table) == {
        "validation_mrr": 0.6667,
        "n_validation_queries": 3,
    }


def test_without_validation_queries_there_is_no_mean_reciprocal_rank(tmp_path):
    table = write_rows(tmp_path / "t.parquet", [("q", [("y", True)], "train")])
    assert mean_reciprocal_rank(None, table) == {}
