"""Rankers: scores worked out by hand on models with given embeddings, and every way to be wrong."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genlab.core.program import InputError
from genlab.mini.ranker_folders import fetch_ranker
from genlab.mini.rankers import RankerRecipe
from genlab.models.quiet_tensorflow import import_tensorflow
from genlab.ranking import bm25
from genlab.ranking.encoders import count_unread
from genlab.ranking.rankers import (
    RankerKind,
    keep_last,
    load_ranker,
)
from genlab.ranking.similarities import paired_relevance
from genlab.sources.source import Origin, Source
from tests.query_tables import write_queries

EMBEDDINGS = {"[UNK]": [0, 0], "red": [1, 0], "blue": [0, 1], "dark": [3, 4], "inverse": [-2, 0]}
LETTERS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh"]
NO_TRAINING = RankerRecipe(max_queries=1, dim=1, epochs=1, seed=1)


def describe(folder, kind):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ranker.json").write_text(json.dumps({"name": folder.name, "kind": kind}))
    return folder


def save_static_model(folder):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = {word: i for i, word in enumerate(EMBEDDINGS)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    vectors = np.array(list(EMBEDDINGS.values()), dtype=np.float32)
    static = StaticEmbedding(tokenizer, embedding_weights=vectors)
    model = SentenceTransformer(modules=[static], device="cpu")
    model.save_pretrained(str(folder), create_model_card=False)


def save_bert(model_class, folder, n_positions=6, num_hidden_layers=1, **options):
    import torch
    import transformers

    torch.manual_seed(1)
    config = transformers.BertConfig(
        vocab_size=len(LETTERS),
        hidden_size=16,
        num_hidden_layers=num_hidden_layers,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=n_positions,
        **options,
    )
    model = getattr(transformers, model_class)(config)
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(LETTERS))
    transformers.BertTokenizerFast(
        str(folder / "vocab.txt"), model_max_length=n_positions
    ).save_pretrained(folder)
    return model


def save_tensorflow_model(folder, embed):
    tf, _ = import_tensorflow()
    module = tf.Module()
    module.__call__ = tf.function(embed, input_signature=[tf.TensorSpec([None], tf.string)])
    tf.saved_model.save(module, str(folder))


@pytest.fixture(scope="module")
def static(tmp_path_factory):
    folder = describe(tmp_path_factory.mktemp("rankers") / "hand", "sentence_transformer")
    save_static_model(folder / "model")
    return load_ranker(folder, batch_size=2)


@pytest.fixture(scope="module")
def cross_encoder_folder(tmp_path_factory):
    folder = describe(tmp_path_factory.mktemp("rankers") / "cross", "cross_encoder")
    save_bert("BertForSequenceClassification", folder / "model", n_positions=12, num_labels=1)
    return folder


def test_a_sentence_transformer_scores_the_cosine_of_given_embeddings(static):
    queries = ["red", "red", "red", "blue dark", "red"]
    texts = ["dark", "red blue", "blue", "dark blue", "inverse"]
    expected = [3 / 5, math.sqrt(1 / 2), 0.0, 1.0, -1.0]
    scores = static.relevance(queries, texts)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, atol=1e-6)


def test_a_zero_embedding_scores_zero_and_not_nan(static):
    scores = static.relevance(["red", "", "", "unknown words"], ["", "red", "", "red"])
    assert scores.tolist() == [0, 0, 0, 0]


def test_what_is_kept_are_the_last_items_each_computed_alone():
    computed = []

    def compute(items):
        computed.append(items)
        return np.array([[len(item), 1] for item in items])

    kept = keep_last(compute, 2)
    assert kept(["a", "bb", "a"]).tolist() == [[1, 1], [2, 1], [1, 1]]
    assert kept(["bb", "ccc", "a"]).tolist() == [[2, 1], [3, 1], [1, 1]]  # ccc put a out
    assert computed == [["a"], ["bb"], ["ccc"], ["a"]]
    assert keep_last(compute, 0) is compute


def test_no_pairs_give_no_scores(static):
    assert static.relevance([], []).shape == (0,)


def test_a_model_without_an_input_limit_leaves_nothing_unread(static):
    assert static.n_unread(["red " * 5000, ""]).tolist() == [0, 0]


def test_n_unread_counts_exactly_the_tokens_that_the_score_does_not_see(tmp_path):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling

    save_bert("BertModel", tmp_path / "bert")
    transformer = Transformer(str(tmp_path / "bert"))
    pooling = Pooling(transformer.get_embedding_dimension())
    folder = describe(tmp_path / "bert-ranker", "sentence_transformer")
    model = SentenceTransformer(modules=[transformer, pooling], device="cpu")
    model.save_pretrained(str(folder / "model"), create_model_card=False)
    ranker = load_ranker(folder, batch_size=8)

    # Six positions hold [CLS], four letters and [SEP].
    unread = ranker.n_unread(["", "a b c d", "a b c d e", "a b c d e f g"])
    assert (unread.dtype, unread.tolist()) == (np.int32, [0, 0, 1, 3])
    whole, tail, read = ranker.relevance(
        ["h"] * 3, ["a b c d e f g", "a b c d h h h", "a b c h e f g"]
    )
    assert whole == tail != read


def test_a_cross_encoder_scores_the_logit_of_query_and_text_read_together(cross_encoder_folder):
    import torch
    import transformers

    queries, texts = ["a b", "c", "a b", "a b"], ["d e f", "", "d", "d e f"]
    model = transformers.BertForSequenceClassification.from_pretrained(
        cross_encoder_folder / "model"
    ).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(cross_encoder_folder / "model")
    with torch.no_grad():
        expected = [
            model(**tokenizer(query, text, return_tensors="pt")).logits.item()
            for query, text in zip(queries, texts, strict=True)
        ]
    for n_kept in (0, 3):
        ranker = load_ranker(cross_encoder_folder, batch_size=2, n_kept=n_kept)
        np.testing.assert_allclose(ranker.relevance(queries, texts), expected, atol=1e-5)
    assert ranker.relevance([], []).shape == (0,)


def save_roberta(kind, folder, **options):
    """Write a tokenizer without a limit; return a RoBERTa of 34 positions, 32 of them usable."""
    import torch
    import transformers
    from tokenizers.processors import TemplateProcessing

    from tests.tiny_models import make_tokenizer

    torch.manual_seed(3)
    config = transformers.RobertaConfig(
        vocab_size=300, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, pad_token_id=1,
        intermediate_size=16, max_position_embeddings=34, initializer_range=0.5, **options,
    )  # fmt: skip
    model = getattr(transformers, kind)(config)
    tokenizer = make_tokenizer()
    tokenizer.pad_token = tokenizer.convert_ids_to_tokens(1)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="Q $A", pair="Q $A Q $B", special_tokens=[("Q", 5)]
    )
    tokenizer.save_pretrained(folder)
    return model


def test_a_cross_encoder_of_robertas_kind_is_cut_at_the_positions_it_has(tmp_path):
    folder = describe(tmp_path / "pairs", "cross_encoder")
    model = save_roberta("RobertaForSequenceClassification", folder / "model", num_labels=1)
    model.save_pretrained(folder / "model")
    ranker = load_ranker(folder, batch_size=2)
    scores = ranker.relevance(["red"] * 2, ["blue " * 200, "blue " * 300])
    assert scores[0] == scores[1]


@pytest.mark.parametrize("kind", ["cross_encoder", "sentence_transformer"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_weights_are_computed_in_float32(tmp_path, kind, dtype):
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling

    folders = {}
    for name in ("half", "whole"):  # the same rounded weights, the latter stored as float32
        folder = folders[name] = describe(tmp_path / name, kind)
        embeds = kind == "sentence_transformer"
        build = "RobertaModel" if embeds else "RobertaForSequenceClassification"
        place = folder / ("inner" if embeds else "model")
        model = save_roberta(build, place, num_labels=1).to(getattr(torch, dtype))
        (model if name == "half" else model.float()).save_pretrained(place)
        if embeds:
            modules = [Transformer(str(place)), Pooling(16)]
            made = SentenceTransformer(modules=modules, device="cpu")
            made.save_pretrained(str(folder / "model"), create_model_card=False)
    queries, texts = ["red"] * 3, ["blue stone", "old", "a new market in the north"]
    half, whole = (load_ranker(folders[n], 2).relevance(queries, texts) for n in folders)
    assert half.tolist() == whole.tolist()
    assert half.tolist() != torch.tensor(half).to(getattr(torch, dtype)).float().tolist()


def test_a_cross_encoder_with_two_labels_is_refused(tmp_path):
    folder = describe(tmp_path / "pairs", "cross_encoder")
    save_bert("BertForSequenceClassification", folder / "model", num_labels=2)
    with pytest.raises(InputError, match=r"ranker pairs: .* 2 labels; a ranker has one"):
        load_ranker(folder, batch_size=2)


def test_a_saved_model_scores_the_cosine_whatever_the_batches(tmp_path):
    tf, _ = import_tensorflow()

    def embed(texts):
        return tf.stack(
            [tf.cast(tf.strings.length(texts), tf.float32), tf.ones(tf.shape(texts))], 1
        )

    folder = describe(tmp_path / "lengths", "tensorflow_hub")
    save_tensorflow_model(folder / "model", embed)
    queries, texts = ["aaa", "a", "aaa", "aaa"], ["a", "aaa", "", "aaaa"]
    # [3, 1] with [1, 1], [0, 1] and [4, 1]
    expected = [4 / math.sqrt(20), 4 / math.sqrt(20), 1 / math.sqrt(10), 13 / math.sqrt(170)]
    for batch_size, n_kept in ((1, 0), (2, 0), (64, 0), (64, 2)):
        ranker = load_ranker(folder, batch_size, n_kept)
        np.testing.assert_allclose(ranker.relevance(queries, texts), expected, atol=1e-6)
    assert ranker.n_unread(texts).tolist() == [0, 0, 0, 0]


def test_a_nan_score_names_the_ranker_and_the_first_query_and_text(tmp_path):
    tf, _ = import_tensorflow()

    def embed(texts):
        bad = tf.strings.regex_full_match(texts, "bad.*")
        return tf.where(bad[:, None], tf.constant([[np.nan, 1.0]]), tf.constant([[1.0, 1.0]]))

    folder = describe(tmp_path / "sick", "tensorflow_hub")
    save_tensorflow_model(folder / "model", embed)
    ranker = load_ranker(folder, batch_size=4)
    with pytest.raises(InputError) as error:
        ranker.relevance(["q1", "q2", "q3"], ["good", "bad " + "x" * 100, "bad"])
    assert "ranker sick: 2 of 3 scores are NaN or infinite" in str(error.value)
    assert f"query 'q2' and text 'bad {'x' * 53}...'" in str(error.value)


def test_a_saved_model_that_takes_no_strings_is_refused(tmp_path):
    tf, _ = import_tensorflow()
    folder = describe(tmp_path / "mute", "tensorflow_hub")
    tf.saved_model.save(tf.Module(), str(folder / "model"))
    with pytest.raises(InputError, match=r"ranker mute: .* cannot be called"):
        load_ranker(folder, batch_size=2)


def letter_counts(texts):
    return np.array([[text.count(letter) for letter in "ab"] for text in texts], dtype=np.float32)


pair = st.tuples(st.text("ab", max_size=4), st.text("ab", max_size=4))


@given(st.lists(pair, max_size=12))
def test_embedding_each_different_string_once_gives_the_scores_of_embedding_all(pairs):
    queries, texts = [q for q, _ in pairs], [t for _, t in pairs]
    embedded = []

    def embed(strings):
        embedded.append(strings)
        return letter_counts(strings)

    expected = []
    for x, y in zip(letter_counts(queries), letter_counts(texts), strict=True):
        lengths = math.hypot(*x) * math.hypot(*y)
        expected.append(float(x @ y) / lengths if lengths else 0.0)
    scores = paired_relevance("cosine", embed, embed, queries, texts)
    np.testing.assert_allclose(scores, expected, atol=1e-6)
    assert all(len(strings) == len(set(strings)) for strings in embedded)


def test_many_pairs_are_scored_as_few_are(monkeypatch):
    queries, texts = ["a", "ab", "b", "aab", ""], ["ab", "ab", "a", "b", "a"]

    def scores():
        return paired_relevance("cosine", letter_counts, letter_counts, queries, texts)

    at_once = scores()
    monkeypatch.setattr("genlab.ranking.similarities.PAIRS_AT_A_TIME", 2)
    assert (
        paired_relevance("cosine", letter_counts, letter_counts, queries, texts) == at_once
    ).all()


@pytest.mark.parametrize("limit", [None, math.inf, 10**30])  # the last as transformers writes it
def test_no_limit_means_nothing_is_unread(limit):
    assert count_unread(None, limit, ["a", "b"]).tolist() == [0, 0]


@pytest.mark.parametrize(
    "manifest", [None, "{", "[]", '{"name": "x"}', '{"name": "x", "kind": "y"}']
)
def test_a_folder_without_a_sound_manifest_is_named(tmp_path, manifest):
    if manifest is not None:
        (tmp_path / "ranker.json").write_text(manifest)
    with pytest.raises(InputError, match=r"ranker\.json: no ranker's manifest .* run `dvc repro`"):
        load_ranker(tmp_path, batch_size=2)


def test_a_model_cut_short_is_named(tmp_path):
    folder = describe(tmp_path / "cut", "sentence_transformer")
    save_static_model(folder / "model")
    weights = folder / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4])
    with pytest.raises(InputError, match=r"ranker cut: .* does not work as a sentence_transformer"):
        load_ranker(folder, batch_size=2)


FOXES = [
    (split, f"fox {colour}", [(f"the fox is {colour}",), "the fox sleeps in a den"])
    for colour, split in [("red", "train"), ("grey", "validation")]
]


def test_bm25_is_fetched_with_the_counts_of_the_whole_table(tmp_path):
    table, output = tmp_path / "dedup.parquet", tmp_path / "bm25"
    write_queries(table, FOXES)
    manifest = fetch_ranker(
        RankerKind.bm25, Origin(Source.mini, table, "none", "none"), NO_TRAINING, output
    )
    assert manifest == {
        "name": "bm25",
        "kind": "bm25",
        "source": "mini",
        "n_documents": 4,
        "n_words": 20,
        "vocabulary": 9,  # the fox is red grey sleeps in a den
        "mean_length": 5.0,
        "validation_mrr": 1.0,
        "n_validation_queries": 1,
    }
    assert json.loads((output / "ranker.json").read_text()) == manifest
    ranker = load_ranker(output, batch_size=1)
    pairs = ["red fox", "red", "red"], ["a red fox nobody counted", "", "grey"]
    direct = bm25.score_pairs(bm25.read_collection(output), *pairs)
    assert ranker.relevance(*pairs).tolist() == direct.tolist()
    assert direct[0] > 0 and direct[1:].tolist() == [0, 0]
    assert ranker.n_unread(["a b"]).tolist() == [0]


def test_a_users_model_is_fetched_and_scores_the_same(tmp_path, static):
    save_static_model(tmp_path / "mine")
    manifest = fetch_ranker(
        RankerKind.sentence_transformer,
        Origin(Source.file, tmp_path / "mine", "none", "none"),
        NO_TRAINING,
        tmp_path / "labse",
    )
    assert manifest == {
        "name": "labse",
        "kind": "sentence_transformer",
        "source": "file",
        "path": str(tmp_path / "mine"),
    }
    ranker = load_ranker(tmp_path / "labse", batch_size=2)
    pairs = ["red", "dark"], ["dark", "blue red"]
    assert ranker.relevance(*pairs).tolist() == static.relevance(*pairs).tolist()


def test_a_failed_fetch_leaves_the_ranker_that_was_there(tmp_path):
    save_static_model(tmp_path / "mine")
    (tmp_path / "mine" / "tokenizer.json").write_text("{}")
    before = describe(tmp_path / "labse", "bm25")
    with pytest.raises(InputError, match=r"ranker labse: .*mine does not work as a sentence_"):
        fetch_ranker(
            RankerKind.sentence_transformer,
            Origin(Source.file, tmp_path / "mine", "none", "none"),
            NO_TRAINING,
            before,
        )
    assert [path.name for path in before.iterdir()] == ["ranker.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labse", "mine"]


@pytest.mark.parametrize(
    ("kind", "source", "message"),
    [("bm25", "hub", "set source to mini"), ("cross_encoder", "mini", "use source hub or file")],
)
def test_a_source_that_a_kind_does_not_have_is_refused(tmp_path, kind, source, message):
    with pytest.raises(InputError, match=message):
        origin = Origin(Source(source), tmp_path, "none", "none")
        fetch_ranker(RankerKind(kind), origin, NO_TRAINING, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def save_sentence_transformer(folder):
    """Write a ranker of two BERT layers to `folder`; return the folder of its model."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling

    save_bert("BertModel", folder.parent / "bert", num_hidden_layers=2)
    modules = [Transformer(str(folder.parent / "bert")), Pooling(16)]
    model = describe(folder, "sentence_transformer") / "model"
    SentenceTransformer(modules=modules, device="cpu").save_pretrained(
        str(model), create_model_card=False
    )
    return model


def save_cross_encoder(folder):
    """Write a ranker of two BERT layers to `folder`; return the folder of its model."""
    model = describe(folder, "cross_encoder") / "model"
    save_bert("BertForSequenceClassification", model, num_labels=1, num_hidden_layers=2)
    return model


def change_weights(model, change):
    """Give the weights in a folder the names `change` returns; those it calls None are left out."""
    from safetensors.numpy import load_file, save_file

    path = model / "model.safetensors"
    renamed = {change(name): weight for name, weight in load_file(path).items()}
    renamed.pop(None, None)
    save_file(renamed, path, metadata={"format": "pt"})


def change_config(model, **values):
    path = model / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize("save", [save_sentence_transformer, save_cross_encoder])
def test_a_ranker_whose_config_has_more_layers_than_its_weights_is_refused(tmp_path, save):
    model = save(tmp_path / "more")
    load_ranker(tmp_path / "more", batch_size=2)
    change_config(model, num_hidden_layers=3)
    # a layer: query, key, value, output, two dense, each with a bias; two norms
    with pytest.raises(InputError, match=r"model: not a whole .*, 16 weights are missing \(.*ayer"):
        load_ranker(tmp_path / "more", batch_size=2)


@pytest.mark.parametrize("save", [save_sentence_transformer, save_cross_encoder])
def test_a_ranker_whose_config_has_fewer_layers_than_its_weights_is_refused(tmp_path, save):
    change_config(save(tmp_path / "fewer"), num_hidden_layers=1)
    with pytest.raises(InputError, match=r"model: config\.json has fewer layers .*, 16 weights"):
        load_ranker(tmp_path / "fewer", batch_size=2)


@pytest.mark.parametrize("save", [save_sentence_transformer, save_cross_encoder])
def test_a_ranker_whose_weights_have_other_names_is_refused(tmp_path, save):
    change_weights(save(tmp_path / "named"), lambda name: f"model.{name}")
    with pytest.raises(InputError, match=r"not a whole .* weights are missing"):
        load_ranker(tmp_path / "named", batch_size=2)


def test_a_cross_encoder_without_its_classifier_is_refused(tmp_path):
    model = save_cross_encoder(tmp_path / "headless")
    change_weights(model, lambda name: None if name.startswith("classifier") else name)
    with pytest.raises(
        InputError, match=r"cross-encoder, 2 weights are missing \(classifier\.bias"
    ):
        load_ranker(tmp_path / "headless", batch_size=2)


@pytest.mark.parametrize("save", [save_sentence_transformer, save_cross_encoder])
def test_a_ranker_without_its_vocabulary_is_refused(tmp_path, save):
    model = save(tmp_path / "wordless")
    for path in [*model.glob("tokenizer*.json"), *model.glob("vocab*")]:
        path.unlink()
    with pytest.raises(InputError, match=r"model: no tokenizer can be .*there is no vocabulary"):
        load_ranker(tmp_path / "wordless", batch_size=2)


def test_a_sentence_transformer_needs_no_pooler(tmp_path):
    model = save_sentence_transformer(tmp_path / "pooled")
    pairs = ["a b", "c"], ["a c", "d"]
    before = load_ranker(tmp_path / "pooled", batch_size=2).relevance(*pairs)
    change_weights(model, lambda name: None if name.startswith("pooler") else name)
    after = load_ranker(tmp_path / "pooled", batch_size=2).relevance(*pairs)
    assert after.tolist() == before.tolist()
