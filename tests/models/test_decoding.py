"""Decoding: a text depends on its query alone, and is what transformers alone would make."""

import random
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from typer import BadParameter

from genlab.core.program import InputError
from genlab.core.seeds import random_stream
from genlab.models.decoding import (
    Decoding,
    check_temperature,
    decode_batch,
    generate,
    last_scores,
    pad_left,
    pick,
    score_processors,
)
from genlab.models.end_of_text import end_tokens, end_tokens_in
from tests.tiny_models import make_gpt2, make_llama

SAMPLED = Decoding(
    cap=60, temperature=0.7, top_k=0, top_p=1.0, num_beams=1, repetition_penalty=1.0, seed=3
)
GREEDY = replace(SAMPLED, temperature=0.0)
MODELS = {"gpt2": cache(make_gpt2), "llama": cache(make_llama)}
END = 0
# 12 prompts of 1 to 9 tokens, none of them the end-of-text.
RNG = random.Random(1)
PROMPTS = [[RNG.randrange(1, 60) for _ in range(RNG.randrange(1, 10))] for _ in range(12)]
IDS = [f"q{number}" for number in range(12)]

each_model = pytest.mark.parametrize("name", MODELS)
sampled_and_greedy = pytest.mark.parametrize(
    "decoding", [SAMPLED, GREEDY], ids=["sampled", "greedy"]
)


def decode(name, decoding, prompts=PROMPTS, ids=IDS, batch_size=7, ends=frozenset({END})):
    """Return {query id: (tokens, finished)}."""
    return decode_once(
        name, decoding, tuple(map(tuple, prompts)), tuple(ids), batch_size, frozenset(ends)
    )


@cache  # the texts that others are compared with are needed by many tests
def decode_once(name, decoding, prompts, ids, batch_size, ends):
    tokens, finished = generate(
        MODELS[name](), list(map(list, prompts)), list(ids), decoding, set(ends), batch_size
    )
    return dict(zip(ids, zip(tokens, finished, strict=True), strict=True))


def test_a_forward_that_hands_all_on_gets_all_options(monkeypatch):
    model = make_gpt2()
    expected = generate(model, PROMPTS, IDS, SAMPLED, {END}, 7)
    whole, seen = model.forward, []

    def forward(*given, **named):
        seen.append(set(named))
        return whole(*given, **named)

    monkeypatch.setattr(model, "forward", forward)
    assert generate(model, PROMPTS, IDS, SAMPLED, {END}, 7) == expected
    assert all({"position_ids", "past_key_values"} <= names for names in seen)


def by_transformers(model, prompt, cap, ends=(END,), **options):
    """Return the new tokens transformers' own generate gives one prompt without any padding."""
    import torch

    ids = torch.tensor([prompt])
    output = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=cap,
        eos_token_id=ends and list(ends),
        pad_token_id=END,
        do_sample=False,
        **options,
    )
    return output[0, len(prompt) :].tolist()


def up_to_end(tokens, ends=(END,)):
    """Return (tokens before the first end-of-text, whether there is one)."""
    at = next((i for i, token in enumerate(tokens) if token in ends), None)
    return tokens[:at], at is not None


@each_model
@sampled_and_greedy
def test_the_first_50_tokens_are_the_generation_of_length_50(name, decoding):
    long = decode(name, decoding)
    short = decode(name, replace(decoding, cap=50))
    assert short == {
        query: (tokens[:50], finished and len(tokens) < 50)
        for query, (tokens, finished) in long.items()
    }
    assert any(len(tokens) > 50 for tokens, _ in long.values())


@each_model
@sampled_and_greedy
@pytest.mark.parametrize("batch_size", [1, 32])
def test_the_batch_size_does_not_change_a_text(name, decoding, batch_size):
    decoding = replace(decoding, cap=24)
    assert decode(name, decoding, batch_size=batch_size) == decode(name, decoding, batch_size=7)


@sampled_and_greedy
def test_the_order_of_the_queries_does_not_change_a_text(decoding):
    order = random.Random(5).sample(range(12), 12)
    shuffled = decode("gpt2", decoding, [PROMPTS[i] for i in order], [IDS[i] for i in order])
    assert shuffled == decode("gpt2", decoding)


@sampled_and_greedy
def test_a_part_of_the_queries_gets_the_same_texts(decoding):
    part = decode("gpt2", decoding, PROMPTS[4:9], IDS[4:9])
    whole = decode("gpt2", decoding)
    assert part == {query: whole[query] for query in IDS[4:9]}


def test_equal_prompts_of_different_queries_get_different_samples():
    texts = decode("gpt2", SAMPLED, [PROMPTS[0]] * 12)
    assert len({tuple(tokens) for tokens, _ in texts.values()}) == 12


def test_another_seed_gives_other_samples():
    other = decode("gpt2", replace(SAMPLED, seed=4))
    assert all(other[query] != text for query, text in decode("gpt2", SAMPLED).items())


@each_model
def test_left_padded_greedy_equals_transformers_one_by_one(name):
    alone = [up_to_end(by_transformers(MODELS[name](), prompt, 30)) for prompt in PROMPTS]
    assert list(decode(name, replace(GREEDY, cap=30)).values()) == alone
    assert len({tuple(tokens[:3]) for tokens, _ in alone}) > 8  # not one text for all


@pytest.mark.parametrize("batch_size", [1, 12])
def test_the_repetition_penalty_is_that_of_transformers_alone_even_where_padding_is_the_end(
    batch_size,
):
    penalized = replace(GREEDY, repetition_penalty=1.5, cap=40)
    model = MODELS["gpt2"]()
    alone = [
        up_to_end(by_transformers(model, prompt, 40, repetition_penalty=1.5)) for prompt in PROMPTS
    ]
    texts = decode("gpt2", penalized, batch_size=batch_size)
    assert list(texts.values()) == alone
    assert texts != decode("gpt2", replace(GREEDY, cap=40))
    assert any(finished for _, finished in alone)  # where a padded end-of-text would be punished


@pytest.mark.parametrize("penalty", [1.0, 1.5])
@pytest.mark.parametrize("batch_size", [1, 7])
def test_beams_are_those_of_transformers_one_by_one(batch_size, penalty):
    beams = replace(GREEDY, num_beams=3, cap=12, repetition_penalty=penalty)
    model = MODELS["gpt2"]()
    ends = {END, 7, 11}  # many ends, so that beams end at different lengths
    alone = [
        up_to_end(
            by_transformers(model, prompt, 12, ends, num_beams=3, repetition_penalty=penalty), ends
        )
        for prompt in PROMPTS
    ]
    assert list(decode("gpt2", beams, batch_size=batch_size, ends=ends).values()) == alone
    assert len({finished for _, finished in alone}) == 2
    assert alone != list(decode("gpt2", replace(beams, num_beams=1), ends=ends).values())


def test_a_models_own_generation_settings_change_no_text():
    model = make_gpt2()
    expected = {
        beams: generate(model, PROMPTS, IDS, replace(GREEDY, cap=12, num_beams=beams), {END}, 12)
        for beams in (1, 3)
    }
    # What a folder from the Hub may bring along in generation_config.json.
    settings = dict(do_sample=True, temperature=3.0, top_k=5, num_beams=2, length_penalty=3.0)
    settings |= dict(max_length=5, min_new_tokens=10, no_repeat_ngram_size=2)
    model.generation_config.update(**settings)
    for beams, texts in expected.items():
        decoding = replace(GREEDY, cap=12, num_beams=beams)
        assert generate(model, PROMPTS, IDS, decoding, {END}, 12) == texts


def test_end_of_text_stops_a_row_and_is_left_out():
    ends = {END, 5, 9, 17, 33}
    texts = decode("gpt2", SAMPLED, ends=ends)
    free = decode("gpt2", SAMPLED, ends=set())
    for query, (tokens, finished) in texts.items():
        assert (tokens, finished) == up_to_end(free[query][0], ends)
        assert not ends & set(tokens)
        assert finished == (len(tokens) < 60)
    assert len({finished for _, finished in texts.values()}) == 2


@each_model
@sampled_and_greedy
@pytest.mark.parametrize("batch_size", [1, 7])
def test_a_text_driven_on_is_up_to_its_first_end_the_text_that_stopped(name, decoding, batch_size):
    ends = {END, 5, 9, 17, 33}
    stopped = decode(name, decoding, batch_size=7, ends=ends)
    driven = decode(name, replace(decoding, ignore_eos=True), batch_size=batch_size, ends=ends)
    for query, (tokens, finished) in driven.items():
        assert len(tokens) == 60
        assert up_to_end(tokens, ends) == stopped[query]
        assert finished == stopped[query][1]
    n_ends = [sum(token in ends for token in tokens) for tokens, _ in driven.values()]
    assert max(n_ends) > 1  # it goes on past further ones, too


@sampled_and_greedy
def test_what_stands_after_an_end_is_what_the_model_alone_would_write(decoding):
    free = decode("gpt2", decoding, ends=set())
    driven = decode("gpt2", replace(decoding, ignore_eos=True), ends={5, 9, 17})
    assert [tokens for tokens, _ in driven.values()] == [tokens for tokens, _ in free.values()]


def test_beams_driven_on_are_those_of_transformers_without_an_end():
    from transformers import GenerationConfig

    beams = replace(GREEDY, num_beams=3, cap=12, ignore_eos=True)
    ends = {END, 7, 11}
    model = make_gpt2()
    model.generation_config = GenerationConfig()
    alone = []
    for prompt in PROMPTS:
        tokens = by_transformers(model, prompt, 12, ends=None, num_beams=3)
        alone.append((tokens, up_to_end(tokens, ends)[1]))
    assert list(decode("gpt2", beams, ends=ends).values()) == alone
    assert all(len(tokens) == 12 for tokens, _ in alone)
    assert len({finished for _, finished in alone}) == 2


def test_rows_that_end_leave_the_batch_without_changing_the_others():
    class Recorder:
        def __init__(self, model):
            self.model, self.device, self.batches = model, model.device, []

        def __call__(self, **inputs):
            self.batches.append(len(inputs["input_ids"]))
            return self.model(**inputs)

    recorder = Recorder(MODELS["gpt2"]())
    ends = {END, 5, 9, 17, 33}
    streams = np.stack([random_stream(SAMPLED.seed, query, SAMPLED.cap) for query in IDS])
    rows = decode_batch(recorder, PROMPTS, streams, SAMPLED, ends)
    # A row of k tokens, its end-of-text among them, takes part in k steps.
    expected = [sum(len(row) >= step for row in rows) for step in range(1, max(map(len, rows)) + 1)]
    assert recorder.batches == expected
    assert expected[0] == 12 > expected[-1]
    texts = [up_to_end(row, ends) for row in rows]
    assert texts == list(decode("gpt2", SAMPLED, batch_size=1, ends=ends).values())


def test_draws_follow_the_distribution():
    import torch

    n_draws = 20_000
    scores = torch.tensor([1.0, -2.0, 0.5, float("-inf"), 2.0, -1.0])
    probabilities = scores.softmax(0).double().numpy()
    uniforms = torch.from_numpy(random_stream(1, "draws", n_draws))
    drawn = np.bincount(pick(scores.expand(n_draws, -1), uniforms).numpy(), minlength=6)
    possible = probabilities > 0
    assert drawn[~possible] == 0
    expected = n_draws * probabilities[possible]
    chi_square = ((drawn[possible] - expected) ** 2 / expected).sum()
    assert chi_square < 18.47  # 0.1 % point of chi-square with 4 degrees of freedom


@pytest.mark.parametrize(
    ("uniform", "token"), [(0.0, 1), (0.2499, 1), (0.2501, 3), (0.9999, 3), (1 - 2**-53, 3)]
)
def test_a_draw_inverts_the_cumulative_distribution(uniform, token):
    import torch

    # Probabilities 0, 1/4, 0, 3/4, 0: what has none is never drawn, at either end. At 1/4 itself
    # the last bit of the processor's softmax decides.
    scores = torch.tensor([[0.0, 0.25, 0.0, 0.75, 0.0]]).log()
    assert pick(scores, torch.tensor([uniform], dtype=torch.float64)).tolist() == [token]


def test_a_draw_among_the_tokens_that_top_k_has_left_is_the_draw_among_all(monkeypatch):
    import torch

    from genlab.models import decoding

    scores = torch.randn((500, 2000), generator=torch.Generator().manual_seed(1))
    kept = scores.masked_fill(scores < scores.topk(50).values[:, -1:], float("-inf"))
    kept[0, :2] = kept[0].max()  # ties count as well: 52 tokens are left in this row
    uniforms = torch.from_numpy(random_stream(1, "draws", 500))
    drawn = pick(kept, uniforms)
    monkeypatch.setattr(decoding, "FEW", 0)
    assert drawn.tolist() == pick(kept, uniforms).tolist()


def test_sampling_follows_the_models_own_distribution():
    import torch

    # 4,000 queries with one and the same prompt: the first token's frequencies.
    model, n = MODELS["gpt2"](), 4000
    decoding = replace(SAMPLED, cap=1, temperature=1.5)
    ids = [str(number) for number in range(n)]
    tokens, _ = generate(model, [PROMPTS[0]] * n, ids, decoding, set(), 1000)
    with torch.inference_mode():
        expected = (model(torch.tensor([PROMPTS[0]])).logits[0, -1] / 1.5).softmax(0).numpy()
    found = np.bincount([row[0] for row in tokens], minlength=60) / n
    # Four standard errors of each share, and a count's grain.
    assert (np.abs(found - expected) <= 4 * np.sqrt(expected * (1 - expected) / n) + 1 / n).all()


def test_top_k_of_one_is_greedy():
    assert decode("gpt2", replace(SAMPLED, top_k=1)) == decode("gpt2", GREEDY)


def support(decoding, probabilities):
    """Return the tokens that the processed scores of `probabilities` can give."""
    import torch

    scores = torch.tensor([probabilities]).log()
    processed = score_processors(decoding)(torch.zeros((1, 1), dtype=torch.long), scores)
    return processed.isfinite()[0].nonzero()[:, 0].tolist()


@pytest.mark.parametrize(
    ("options", "tokens"),
    [
        ({}, [0, 1, 2, 3]),
        ({"top_k": 2}, [1, 3]),
        ({"top_k": 9}, [0, 1, 2, 3]),
        ({"top_p": 0.5}, [1]),  # the fewest tokens whose probabilities reach 0.5
        ({"top_p": 0.6}, [1, 3]),
        ({"top_p": 0.85}, [0, 1, 3]),
        ({"top_k": 2, "top_p": 0.9}, [1, 3]),
        ({"temperature": 0.0, "top_k": 2, "top_p": 0.1}, [0, 1, 2, 3]),  # greedy: not used
    ],
)
def test_top_k_and_top_p_restrict_what_can_be_drawn(options, tokens):
    decoding = replace(SAMPLED, temperature=1.0)
    assert support(replace(decoding, **options), [0.15, 0.5, 0.1, 0.25]) == tokens


def test_temperature_divides_the_scores_before_top_p():
    # At temperature 1/2 the probabilities 0.15, 0.5, 0.1, 0.25 become their squares over 0.345:
    # 0.065, 0.725, 0.029, 0.181.
    assert support(replace(SAMPLED, temperature=0.5, top_p=0.7), [0.15, 0.5, 0.1, 0.25]) == [1]
    assert support(replace(SAMPLED, temperature=0.5, top_p=0.9), [0.15, 0.5, 0.1, 0.25]) == [1, 3]


def test_a_longer_random_stream_begins_with_the_shorter():
    long = random_stream(7, "q1", 300)
    assert (random_stream(7, "q1", 50) == long[:50]).all()
    assert ((long >= 0) & (long < 1)).all()


def test_random_streams_differ_by_seed_and_by_query():
    # "1" + "2:x" and "12" + ":x" must not meet: ids may hold any characters.
    streams = [random_stream(seed, query, 8) for seed in (1, 12) for query in ("a", "b", "2:a")]
    assert len({tuple(stream) for stream in streams}) == 6


def test_padding_is_left_masked_and_no_new_token():
    ids, mask = pad_left([[5, 6, 7], [8]], "cpu")
    assert ids.tolist() == [[5, 6, 7], [8, 8, 8]]
    assert mask.tolist() == [[1, 1, 1], [0, 0, 1]]


def test_a_prompt_that_leaves_no_room_is_named():
    prompts = [[1] * 10, [1] * 69, [1]]
    assert generate(MODELS["gpt2"](), [[1] * 68], ["q"], GREEDY, {END}, 1)
    with pytest.raises(InputError, match=r"prompt b: .* 69 tokens.*gen\.cap=60.*128.* prompts$"):
        generate(MODELS["gpt2"](), prompts, ["a", "b", "c"], GREEDY, {END}, 1)
    driven_on = replace(GREEDY, ignore_eos=True)
    with pytest.raises(InputError, match=r"forced\.cap=60 new ones .* lower forced\.cap"):
        generate(MODELS["gpt2"](), prompts, ["a", "b", "c"], driven_on, {END}, 1)


def test_broken_weights_are_told_in_words_of_any_pipeline():
    import torch

    model = SimpleNamespace(name_or_path="mine")
    output = SimpleNamespace(logits=torch.full((1, 1, 3), torch.nan))
    with pytest.raises(InputError, match=r"^mine: .* NaN.* again with a lower learning rate$"):
        last_scores(model, output)


@pytest.mark.parametrize(
    ("of_model", "of_tokenizer", "ends"),
    [(3, 3, {3}), ([3, 4], 5, {3, 4, 5}), (None, 5, {5}), (3, None, {3})],
)
def test_texts_end_at_the_tokenizers_and_at_the_models_own_ends(of_model, of_tokenizer, ends):
    model = SimpleNamespace(generation_config=SimpleNamespace(eos_token_id=of_model))
    assert end_tokens(model, SimpleNamespace(eos_token_id=of_tokenizer)) == ends


@pytest.mark.parametrize("has_generation_config", [True, False])
def test_the_ends_are_read_from_a_folder_without_the_weights(tmp_path, has_generation_config):
    model = MODELS["gpt2"]()
    model.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    if not has_generation_config:
        (tmp_path / "generation_config.json").unlink()
    tokenizer = SimpleNamespace(eos_token_id=5)
    assert end_tokens_in(tmp_path, tokenizer) == end_tokens(model, tokenizer) == {END, 5}


def test_progress_is_told_in_prompts():
    done = []
    generate(MODELS["gpt2"](), PROMPTS, IDS, replace(GREEDY, cap=1), {END}, 5, done.append)
    assert done == [5, 5, 2]


@pytest.mark.parametrize("value", [1e-300, 1e-38, 0.00099])
def test_a_temperature_too_near_to_zero_is_refused(value):
    with pytest.raises(BadParameter, match=r"must be 0 \(greedy\), or at least 0\.001"):
        check_temperature(value)


@pytest.mark.parametrize("value", [0.0, 0.001, 1.0, 50.0])
def test_a_temperature_of_zero_or_enough_is_taken(value):
    assert check_temperature(value) == value
