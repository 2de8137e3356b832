"""enrich: which words are keywords, in what order, and what a model may write."""

import json
from collections import Counter
from types import SimpleNamespace

import polars as pl
import pytest
from typer.testing import CliRunner

from genlab.core.program import InputError
from genlab.core.tables import read_table, write_table
from pipelines.reviews import keyword_model
from pipelines.reviews.keywords import Rules, analyse, tidy_keywords, weigh_keywords
from pipelines.reviews.schemas import SPLIT_SCHEMA
from pipelines.reviews.stages import enrich, fetch

RULES = Rules(
    max_keywords=5, min_chars=3, min_reviews=1, min_reviews_unknown=3, dictionary_forms=True
)
TEXTS = [
    "Взяли солянку и борщ, место отличное",
    "Борщ холодный, место ужасное",
    "Солянка, солянка! И сырники. Место хорошее, бариста",
]


def changed(**changes) -> Rules:
    return Rules(**(RULES.__dict__ | changes))


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("солянку", ("солянка", None)),
        ("детьми", ("ребенок", None)),
        ("вкусная", ("вкусный", "not_a_noun")),
        ("заказывали", ("заказывать", "not_a_noun")),
        ("он", ("он", "not_a_noun")),
        ("wifi", ("wifi", "not_a_word")),
        ("5", ("5", "not_a_word")),
    ],
)
def test_a_word_is_known_by_its_dictionary_form_and_only_nouns_count(word, expected):
    assert analyse(word) == expected


def test_the_rarest_nouns_come_first_and_equal_ones_in_the_texts_order():
    """место is in all three texts, борщ and солянка in two, сырник in one."""
    keywords, _ = weigh_keywords(TEXTS, [True] * 3, RULES)
    assert keywords == [
        ["солянка", "борщ", "место"],
        ["борщ", "место"],
        ["сырник", "солянка", "место"],
    ]


def test_weights_come_from_the_train_split_alone():
    """Without the third text сырник is unknown and солянка the rarest."""
    keywords, fates = weigh_keywords(TEXTS, [True, True, False], RULES)
    assert keywords[2] == ["солянка", "место"]
    assert fates["min_reviews"] == 1


def test_every_word_is_a_keyword_or_dropped_for_one_reason():
    keywords, fates = weigh_keywords(TEXTS, [True] * 3, changed(max_keywords=2))
    assert [len(each) for each in keywords] == [2, 2, 2]
    assert fates == Counter(
        # Not nouns: взяли и отличное | холодный ужасное | и хорошее. The word twice: солянка.
        {None: 6, "not_a_noun": 7, "duplicate": 1, "max_keywords": 2, "not_a_word": 1}
    )
    assert fates.total() == sum(len(text.split()) for text in TEXTS)


def test_a_word_that_is_in_no_dictionary_is_one_if_enough_reviews_have_it():
    texts = ["Приветливый бариста", "Бариста и кофе", "Снова бариста"]
    keywords, _ = weigh_keywords(texts, [True] * 3, RULES)
    assert [each.count("бариста") for each in keywords] == [1, 1, 1]
    keywords, fates = weigh_keywords(texts, [True] * 3, changed(min_reviews_unknown=4))
    assert keywords == [[], ["кофе"], []] and fates["not_a_word"] == 3


def test_keywords_can_stay_as_the_text_has_them():
    keywords, _ = weigh_keywords(TEXTS, [True] * 3, changed(dictionary_forms=False))
    assert keywords[0] == ["солянку", "борщ", "место"]


def test_texts_without_a_russian_noun_are_an_error():
    with pytest.raises(InputError, match=r"no noun stands in 1 reviews .*give Russian texts"):
        weigh_keywords(["nice place", "good"], [True, True], RULES)


def test_a_models_duplicates_and_non_words_are_dropped_and_counted():
    fates = Counter()
    proposed = ["Вкусный борщ", "вкусные борщи", "щзщ", "да", "", "сервис", "зал", "цена", "вид"]
    kept = tidy_keywords(proposed, changed(max_keywords=3), fates)
    assert kept == ["вкусный борщ", "сервис", "зал"]
    assert fates == Counter(
        {None: 3, "duplicate": 1, "not_a_word": 2, "min_chars": 1, "max_keywords": 2}
    )


# ---- a keyword model


def stub_model(monkeypatch, written: list[str]) -> None:
    """Have a model that writes these texts, in order, whatever it reads."""
    import torch

    class Tokenizer:
        def __call__(self, texts, **options):
            assert options["truncation"] and options["max_length"] == 512
            return {"input_ids": torch.zeros(len(texts), 2), "attention_mask": None}

        def batch_decode(self, rows, skip_special_tokens):
            return [written[int(row)] for row in rows]

    class Model(torch.nn.Module):
        n_read = 0
        config = SimpleNamespace()
        generation_config = SimpleNamespace()

        def get_encoder(self):
            return self

        get_decoder = get_encoder

        def generate(self, input_ids, **options):
            assert options["max_new_tokens"] == 9 and not options["do_sample"]
            start = self.n_read
            self.n_read += len(input_ids)
            return torch.arange(start, self.n_read)

    monkeypatch.setattr(keyword_model, "load_text_to_text_model", lambda folder: Model())
    monkeypatch.setattr(keyword_model, "load_tokenizer", lambda folder: Tokenizer())


def reviews_table(path):
    columns = {"review_id": ["1", "2", "3"], "organisation": ["А", "Б", "В"]}
    columns |= {"rubrics": [["Кафе"]] * 3, "rating": [5, 1, 4], "text": TEXTS}
    columns |= {"split": ["train", "train", "test"]}
    write_table(path, [pl.DataFrame(columns, schema=SPLIT_SCHEMA)], SPLIT_SCHEMA)


def run_enrich(tmp_path, folder) -> dict:
    reviews_table(tmp_path / "in.parquet")
    arguments = [
        *(str(path) for path in (tmp_path / "in.parquet", folder, tmp_path / "out.parquet")),
        f"--metrics={tmp_path / 'enrich.json'}",
        "--max_keywords=5",
        "--min_chars=3",
        "--min_reviews=1",
        "--min_reviews_unknown=3",
        "--dictionary_forms",
        "--separator=;,",
        "--batch_size=2",
        "--max_new_tokens=9",
    ]
    result = CliRunner().invoke(enrich.app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads((tmp_path / "enrich.json").read_text())


def test_a_model_reads_in_batches_and_its_texts_are_split_and_tidied(tmp_path, monkeypatch):
    stub_model(monkeypatch, ["солянка; борщ", "борщ, борщи; щзщ", " ; "])
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    counts = run_enrich(tmp_path, folder)
    keywords = read_table(tmp_path / "out.parquet")["keywords"].to_list()
    assert keywords == [["солянка", "борщ"], ["борщ"], []]
    assert counts["reviews"] == {"out": 3, "without_keywords": 1}
    assert counts["words"]["in"] == 5 and counts["words"]["out"] == 3
    assert counts["keywords"] == {"per_review": 1.0, "different": 2}


def test_without_a_model_the_nouns_are_weighed(tmp_path):
    arguments = ["keyword_model", str(tmp_path / "none"), "--hub_id=none", "--revision=none"]
    result = CliRunner().invoke(fetch.app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    run_enrich(tmp_path, tmp_path / "none")
    keywords = read_table(tmp_path / "out.parquet")["keywords"].to_list()
    assert keywords == [["солянка", "борщ", "место"], ["борщ", "место"], ["солянка", "место"]]


def test_a_model_that_cannot_be_downloaded_leaves_nothing(tmp_path, monkeypatch):
    import huggingface_hub

    def fail(*_, **__):
        raise ConnectionError("no network")

    monkeypatch.setattr(huggingface_hub.HfApi, "repo_info", fail)
    with pytest.raises(InputError, match=r"keyword_model.hub_id=some/t5 at 0{40} .*no network"):
        keyword_model.download_model("some/t5", "0" * 40, tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_a_model_without_safetensors_is_refused(tmp_path, monkeypatch):
    import huggingface_hub

    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/config.json").write_text("{}")
    monkeypatch.setattr(
        huggingface_hub.HfApi, "repo_info", lambda *_, **__: SimpleNamespace(siblings=[])
    )
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: tmp_path / "cache")
    with pytest.raises(InputError, match="no weights"):
        keyword_model.download_model("some/t5", "0" * 40, tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.fixture
def keyword_folder(tmp_path):
    from tests.tiny_t5 import save_t5

    return save_t5(tmp_path / "keywords")


def keywords_of(folder, texts):
    return list(keyword_model.write_keywords(texts, folder, ",", 2, max_new_tokens=4))


@pytest.mark.parametrize(
    "settings",
    [
        {"return_dict_in_generate": True, "output_scores": True},
        {"num_beams": 4, "num_return_sequences": 4, "num_beam_groups": 2},
        {"stop_strings": ["."]},
        {"penalty_alpha": 0.6, "top_k": 4},
        {"prompt_lookup_num_tokens": 3},
    ],
)
def test_settings_that_ask_for_more_than_a_text_change_no_keyword(keyword_folder, settings):
    expected = keywords_of(keyword_folder, TEXTS)
    path = keyword_folder / "generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    assert keywords_of(keyword_folder, TEXTS) == expected


def test_settings_that_shape_a_text_are_the_models_own(keyword_folder):
    from genlab.models.loading import load_tokenizer

    tokenizer = load_tokenizer(keyword_folder)
    first = tokenizer("борщ", add_special_tokens=False)["input_ids"][-1]
    path = keyword_folder / "generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"forced_bos_token_id": first}))
    word = tokenizer.decode([first]).strip()
    assert all(found[0].strip().startswith(word) for found in keywords_of(keyword_folder, TEXTS))


def test_texts_are_cut_at_the_positions_of_a_keyword_model(tmp_path):
    import torch
    from transformers import BartConfig, BartForConditionalGeneration

    from tests.tiny_t5 import make_tokenizer

    tokenizer = make_tokenizer()
    torch.manual_seed(0)
    sizes = dict.fromkeys(["d_model", "encoder_ffn_dim", "decoder_ffn_dim"], 16)
    sizes |= dict.fromkeys(["encoder_layers", "decoder_layers"], 1)
    sizes |= dict.fromkeys(["encoder_attention_heads", "decoder_attention_heads"], 2)
    ids = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2, "decoder_start_token_id": 1}
    config = BartConfig(vocab_size=len(tokenizer), max_position_embeddings=64, **ids, **sizes)
    BartForConditionalGeneration(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    keyword_model.try_keywords(tmp_path)
    long = "борщ " * 300
    assert keywords_of(tmp_path, [long]) == keywords_of(tmp_path, [long + "зал"])
    with pytest.raises(InputError, match="reads 64 tokens at most, and an output may have 65"):
        list(keyword_model.write_keywords(["борщ"], tmp_path, ",", 1, max_new_tokens=65))


def test_a_model_whose_settings_allow_no_text_is_refused(keyword_folder):
    path = keyword_folder / "generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"repetition_penalty": -1.0}))
    with pytest.raises(InputError, match=r"keywords: it cannot write keywords \(ValueError: .*pen"):
        keyword_model.try_keywords(keyword_folder)
