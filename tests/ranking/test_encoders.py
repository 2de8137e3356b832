"""Encoders of sentence-transformers: each scores as its own settings say, or is refused by them."""

import json
import shutil

import numpy as np
import pytest

from genlab.core.program import InputError
from genlab.mini.ranker_folders import fetch_ranker
from genlab.mini.rankers import RankerRecipe
from genlab.ranking.rankers import RankerKind, load_ranker
from genlab.sources.source import Origin, Source
from tests.ranking.test_rankers import LETTERS, describe, save_bert, save_static_model

NO_TRAINING = RankerRecipe(max_queries=1, dim=1, epochs=1, seed=1)
QUERIES = ["a b", "a b", "h", "c d e"]
TEXTS = ["b a", "h g f", "a h", "e"]


def edit(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def save_encoder(folder, n_positions=12, routes=False, **options):
    """Write a sentence transformer of one BERT layer, with `routes` of two; return its folder."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Router, Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling

    def reader(name):
        where = folder.parent / name
        positions = n_positions if name == "texts" else 12
        save_bert("BertModel", where, positions, initializer_range=0.5)
        edit(where / "tokenizer_config.json", tokenizer_class="BertTokenizer")
        return Transformer(str(where)), Pooling(16)

    modules = list(reader("texts"))
    if routes:
        modules = [Router.for_query_document(list(reader("queries")), modules)]
    model = SentenceTransformer(modules=modules, device="cpu", **options)
    model.save_pretrained(str(folder), create_model_card=False)
    return folder


def fetched(tmp_path, folder, kind=RankerKind.sentence_transformer):
    """Fetch a model as a user's own; return the ranker."""
    output = tmp_path / "rankers" / "mine"
    fetch_ranker(kind, Origin(Source.file, folder, "none", "none"), NO_TRAINING, output)
    return load_ranker(output, batch_size=2)


@pytest.mark.parametrize("similarity", ["cosine", "dot", "euclidean", "manhattan"])
def test_texts_are_compared_by_the_measure_that_a_model_names(tmp_path, similarity):
    from sentence_transformers import SentenceTransformer

    folder = save_encoder(tmp_path / "model", similarity_fn_name=similarity)
    own = SentenceTransformer(str(folder), device="cpu")
    vectors = own.encode_query(QUERIES), own.encode_document(TEXTS)
    expected = own.similarity_pairwise(*vectors).numpy()
    found = fetched(tmp_path, folder).relevance(QUERIES, TEXTS)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_the_length_of_a_vector_counts_for_a_model_of_the_dot_product(tmp_path):
    save_static_model(tmp_path / "model")  # red: 1, 0; dark: 3, 4; inverse: -2, 0
    edit(tmp_path / "model" / "config_sentence_transformers.json", similarity_fn_name="dot")
    folder = describe(tmp_path / "hand", "sentence_transformer")
    shutil.copytree(tmp_path / "model", folder / "model")
    scores = load_ranker(folder, batch_size=2).relevance(["red"] * 3, ["dark", "red", "inverse"])
    assert scores.tolist() == [3, 1, -2]  # the cosines are 0.6, 1 and -1


def test_a_prompt_takes_its_part_of_what_is_read(tmp_path):
    prompts = {"query": "", "document": "a b c "}
    ranker = fetched(tmp_path, save_encoder(tmp_path / "model", prompts=prompts))
    # 12 positions: [CLS], three of the prompt, seven of the text, [SEP]
    text = "d e f g h d e"
    assert ranker.n_unread([text, f"{text} f g"]).tolist() == [0, 2]
    scores = ranker.relevance(["a"] * 3, [text, f"{text} f g", "d e f g h d h"])
    assert scores[0] == pytest.approx(scores[1], abs=1e-6)
    assert scores[0] != pytest.approx(scores[2], abs=1e-4)


@pytest.mark.parametrize("name", ["document", "passage", "corpus"])
def test_each_side_has_its_own_prompt_whatever_the_texts_one_is_called(tmp_path, name):
    from sentence_transformers import SentenceTransformer

    folder = save_encoder(tmp_path / "model", prompts={"query": "a b ", name: "g h "})
    own = SentenceTransformer(str(folder), device="cpu")
    queries = own.encode([f"a b {each}" for each in QUERIES], prompt="")
    texts = own.encode([f"g h {each}" for each in TEXTS], prompt="")
    expected = own.similarity_pairwise(queries, texts).numpy()
    found = fetched(tmp_path, folder).relevance(QUERIES, TEXTS)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_prompts_that_nothing_is_asked_with_are_said(tmp_path, capsys):
    folder = save_encoder(tmp_path / "model", prompts={"s2p": "find: ", "sts": ""})
    fetched(tmp_path, folder)
    assert f"{folder}: its prompts (s2p) are not used: none is for" in capsys.readouterr().out
    folder = save_encoder(tmp_path / "other", prompts={"s2p": "find: ", "passage": "text: "})
    fetched(tmp_path, folder)
    assert "prompts" not in capsys.readouterr().out


def test_texts_are_cut_and_counted_by_the_route_that_reads_them(tmp_path):
    from sentence_transformers import SentenceTransformer

    folder = save_encoder(tmp_path / "model", n_positions=6, routes=True)
    ranker = fetched(tmp_path, folder)
    assert ranker.n_unread(["a b c d e f", "a b c d"]).tolist() == [2, 0]
    own = SentenceTransformer(str(folder), device="cpu")
    vectors = own.encode_query(QUERIES), own.encode_document(TEXTS)
    expected = own.similarity_pairwise(*vectors).numpy()
    np.testing.assert_allclose(ranker.relevance(QUERIES, TEXTS), expected, atol=1e-5)


@pytest.mark.parametrize("route", ["query_0_Transformer", "document_0_Transformer"])
def test_a_route_whose_weights_are_missing_is_refused(tmp_path, route):
    from safetensors.numpy import load_file, save_file

    folder = save_encoder(tmp_path / "model", routes=True)
    path = folder / route / "model.safetensors"
    lost = "encoder.layer.0.attention.self.query.weight"
    kept = {name: each for name, each in load_file(path).items() if name != lost}
    save_file(kept, path, metadata={"format": "pt"})
    with pytest.raises(InputError, match=f"{route}: not a whole .*, 1 weights are missing"):
        fetched(tmp_path, folder)


def test_what_a_static_models_own_tokenizer_cuts_is_unread(tmp_path):
    from tokenizers import Tokenizer

    save_static_model(tmp_path / "model")
    path = str(tmp_path / "model" / "tokenizer.json")
    tokenizer = Tokenizer.from_file(path)
    tokenizer.enable_truncation(2)
    tokenizer.save(path)
    folder = describe(tmp_path / "hand", "sentence_transformer")
    shutil.copytree(tmp_path / "model", folder / "model")
    ranker = load_ranker(folder, batch_size=2)
    assert ranker.n_unread(["red blue", "red blue dark dark dark", ""]).tolist() == [0, 3, 0]


def test_a_length_for_texts_alone_is_the_limit(tmp_path):
    folder = save_encoder(tmp_path / "model")
    edit(folder / "sentence_bert_config.json", document_length=5)
    assert fetched(tmp_path, folder).n_unread(["a b c d", "a"]).tolist() == [1, 0]


def test_a_model_of_word_vectors_scores_and_counts_what_it_does_not_read(tmp_path):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, WordEmbeddings
    from sentence_transformers.sentence_transformer.modules.tokenizer import WhitespaceTokenizer

    words = WhitespaceTokenizer(vocab=["red", "new", "stone"], stop_words=[])
    table = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
    first = WordEmbeddings(words, table, max_seq_length=2)
    model = SentenceTransformer(modules=[first, Pooling(8)], device="cpu")
    folder = tmp_path / "model"
    model.save_pretrained(str(folder), create_model_card=False)
    ranker = fetched(tmp_path, folder)
    assert ranker.n_unread(["red stone new", "new"]).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("part", "found"),
    [
        ("sentence_transformers.sparse_encoder.modules.SpladePooling", "SparseEncoder"),
        ("sentence_transformers.sparse_encoder.models.SpladePooling", "SparseEncoder"),
        ("pylate.models.Dense.Dense", "MultiVectorEncoder"),
    ],
)
def test_an_encoder_of_another_kind_is_known_by_its_modules(tmp_path, part, found):
    folder = save_encoder(tmp_path / "model")
    modules = json.loads((folder / "modules.json").read_text())
    modules[1]["type"] = part
    (folder / "modules.json").write_text(json.dumps(modules))
    described = json.loads((folder / "config_sentence_transformers.json").read_text())
    described.pop("model_type")
    (folder / "config_sentence_transformers.json").write_text(json.dumps(described))
    with pytest.raises(InputError, match=f"this looks like a {found} model, but kind is sentence"):
        fetched(tmp_path, folder)


def test_code_that_a_ranker_brings_along_is_not_replaced_in_silence(tmp_path):
    # JinaBERT's weights have BERT's names, and BERT computes something else with them.
    folder = save_encoder(tmp_path / "model")
    edit(folder / "config.json", auto_map={"AutoModel": "org/code--modeling.JinaBertModel"})
    with pytest.raises(
        InputError, match=r"config\.json asks for JinaBertModel, .* a BertModel may"
    ):
        fetched(tmp_path, folder)


def test_a_token_without_an_embedding_is_refused_where_the_ranker_is_fetched(tmp_path):
    folder = save_encoder(tmp_path / "model")
    tokens = json.loads((folder / "tokenizer.json").read_text())
    tokens["model"]["vocab"]["stone"] = 99
    (folder / "tokenizer.json").write_text(json.dumps(tokens))
    message = rf"gives 'stone' the number 99, but .* numbers 0 to {len(LETTERS) - 1}; take the"
    with pytest.raises(InputError, match=message):
        fetched(tmp_path, folder)


def test_a_missing_folder_of_pooling_is_named(tmp_path):
    folder = save_encoder(tmp_path / "model")
    shutil.rmtree(folder / "1_Pooling")
    with pytest.raises(
        InputError, match=r"model: 1_Pooling/config\.json is missing, which modules"
    ):
        fetched(tmp_path, folder)


@pytest.mark.parametrize("limit", ["12", -1, 2.5])
def test_a_limit_that_is_no_number_of_tokens_is_named(tmp_path, limit):
    folder = save_encoder(tmp_path / "model")
    edit(folder / "sentence_bert_config.json", max_seq_length=limit)
    with pytest.raises(
        InputError, match=r"sentence_bert_config\.json: max_seq_length is .*, no num"
    ):
        fetched(tmp_path, folder)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("modules.json", '{"a": 1}', "broken, not a list of modules with path and type; get it"),
        ("modules.json", "[1", "broken, not a list of modules with path and type; get it again"),
        ("router_config.json", "[1", "broken, no JSON object .*; get it again"),
        ("router_config.json", '{"structure": 3}', "broken, structure does not list each route's"),
        ("config_sentence_transformers.json", "[]", "broken, no JSON object"),
    ],
)
def test_a_broken_description_of_modules_is_named(tmp_path, name, content, message):
    folder = save_encoder(tmp_path / "model", routes=name.startswith("router"))
    (folder / name).write_text(content)
    with pytest.raises(InputError, match=f"model/{name}: {message}"):
        fetched(tmp_path, folder)


def test_a_similarity_that_the_library_does_not_know_is_not_taken_for_the_cosine(tmp_path):
    folder = save_encoder(tmp_path / "model", similarity_fn_name="dot")
    edit(folder / "config_sentence_transformers.json", similarity_fn_name="dot_product")
    with pytest.raises(InputError, match=r"is 'dot_product', which is none of cosine, dot, "):
        fetched(tmp_path, folder)


def test_a_ranker_whose_config_names_other_sizes_is_told_so(tmp_path):
    folder = save_encoder(tmp_path / "model")
    edit(folder / "config.json", vocab_size=99)
    with pytest.raises(
        InputError, match=r"sentence_transformer \(its weights have other sizes tha"
    ):
        fetched(tmp_path, folder)


def test_a_ranker_cuts_words_as_its_tokenizer_json_does(tmp_path):
    folder = save_encoder(tmp_path / "model")
    path = folder / "tokenizer.json"
    tokens = json.loads(path.read_text())
    split = {"type": "Split", "pattern": {"String": "b"}, "behavior": "Removed", "invert": False}
    tokens["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [split, {"type": "Whitespace"}]}
    path.write_text(json.dumps(tokens))
    ranker = fetched(tmp_path, folder)
    one, same, other = ranker.relevance(["c"] * 3, ["a d", "ab bd", "d a"])
    assert one == pytest.approx(same, abs=1e-6)
    assert one != pytest.approx(other, abs=1e-4)


def test_a_language_model_as_a_ranker_asks_by_its_template_of_chats(tmp_path):
    from sentence_transformers import CrossEncoder
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.cross_encoder.modules import LogitScore

    from tests.tiny_models import make_llama, make_tokenizer

    tokenizer = make_tokenizer()
    tokenizer.pad_token = tokenizer.eos_token
    tokenizer.chat_template = (
        "Is this the answer?{% for each in messages %} {{ each.role }}: {{ each.content }}"
        "{% endfor %} yes or no"
    )
    make_llama(len(tokenizer)).save_pretrained(tmp_path / "llama")
    tokenizer.save_pretrained(tmp_path / "llama")
    reader = Transformer(
        str(tmp_path / "llama"),
        transformer_task="text-generation",
        processor_kwargs={"padding_side": "left"},
    )
    model = CrossEncoder(modules=[reader, LogitScore(260, 261)], device="cpu")
    model.save_pretrained(str(tmp_path / "model"), create_model_card=False)
    assert (tmp_path / "model" / "chat_template.jinja").is_file()
    expected = model.predict(list(zip(QUERIES, TEXTS, strict=True)), activation_fn=lambda x: x)
    ranker = fetched(tmp_path, tmp_path / "model", RankerKind.cross_encoder)
    np.testing.assert_allclose(ranker.relevance(QUERIES, TEXTS), expected, rtol=1e-3, atol=1e-4)
