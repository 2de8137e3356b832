"""Generation by encoder-decoder models: as transformers does it, independent of neighbours."""

from collections import Counter

import numpy as np
import pytest

from genlab.core.program import InputError
from genlab.models.decoding import Decoding
from genlab.models.seq2seq_decoding import draw_candidates, generate_texts
from tests.tiny_t5 import make_t5

INPUTS = [
    [5, 9, 3, 1],
    [7, 1],
    [8, 8, 12, 30, 4, 22, 1],
    [11, 2, 1],
    [39, 17, 25, 6, 1],
    [3, 14, 15, 9, 26, 5, 35, 8, 9, 7, 1],
]
IDS = [f"r{number}" for number in range(len(INPUTS))]
STUDY = {"temperature": 0.8, "top_k": 30, "top_p": 0.9, "num_beams": 4, "repetition_penalty": 1.4}


def settings(**options) -> Decoding:
    plain = {"cap": 12, "temperature": 0.0, "top_k": 0, "top_p": 1.0, "num_beams": 1}
    return Decoding(**{**plain, "repetition_penalty": 1.0, "seed": 3, **options})


@pytest.fixture(scope="module")
def models():
    return [make_t5(seed=seed) for seed in range(4)]


def theirs(model, row, decoding):
    """Return transformers' deterministic generation for one input, without the end-of-text."""
    import torch

    output = model.generate(
        torch.tensor([row]),
        attention_mask=torch.ones(1, len(row), dtype=torch.long),
        max_new_tokens=decoding.cap,
        do_sample=False,
        num_beams=decoding.num_beams,
        repetition_penalty=decoding.repetition_penalty,
        early_stopping=False,
    )[0, 1:].tolist()
    ended = 1 in output
    return output[: output.index(1)] if ended else output, ended


@pytest.mark.parametrize("num_beams", [1, 2, 4])
@pytest.mark.parametrize("repetition_penalty", [1.0, 1.4])
def test_without_drawing_texts_are_those_of_transformers(num_beams, repetition_penalty):
    decoding = settings(num_beams=num_beams, repetition_penalty=repetition_penalty)
    lengths = set()
    for model in [make_t5(seed=seed, scale=1.5) for seed in range(4)]:
        tokens, finished = generate_texts(model, INPUTS, IDS, decoding, batch_size=4)
        for row, new, ended in zip(INPUTS, tokens, finished, strict=True):
            assert (new, ended) == theirs(model, row, decoding)
            lengths.add(len(new))
    assert min(lengths) < 12 == max(lengths)  # some end early, some reach the cap


@pytest.mark.parametrize("num_beams", [1, 4])
def test_a_drawn_text_does_not_depend_on_batch_order_or_neighbours(models, num_beams):
    decoding = settings(**(STUDY | {"num_beams": num_beams, "temperature": 3.0}))
    whole, _ = generate_texts(models[0], INPUTS, IDS, decoding, batch_size=6)
    assert generate_texts(models[0], INPUTS, IDS, decoding, batch_size=1)[0] == whole
    assert generate_texts(models[0], INPUTS[::-1], IDS[::-1], decoding, 4)[0] == whole[::-1]
    assert generate_texts(models[0], INPUTS[2:4], IDS[2:4], decoding, 2)[0] == whole[2:4]
    other = settings(**(STUDY | {"num_beams": num_beams, "temperature": 3.0, "seed": 4}))
    assert generate_texts(models[0], INPUTS, IDS, other, batch_size=6)[0] != whole


def test_one_drawn_token_has_the_model_s_distribution(models):
    import torch
    from scipy.stats import chisquare

    n = 4000
    decoding = settings(cap=1, temperature=4.0, top_k=6)
    ids = [f"item {number}" for number in range(n)]
    tokens, finished = generate_texts(models[1], [INPUTS[0]] * n, ids, decoding, batch_size=2000)
    with torch.inference_mode():
        logits = models[1](
            input_ids=torch.tensor([INPUTS[0]]), decoder_input_ids=torch.tensor([[0]])
        ).logits[0, 0]
    best = logits.topk(6)
    expected = (best.values / 4.0).softmax(0).double().numpy()
    assert expected.max() < 0.9
    counts = Counter(row[0] if row else 1 for row in tokens)
    seen = [counts.pop(token, 0) for token in best.indices.tolist()]
    assert not counts
    assert chisquare(seen, n * expected / expected.sum()).pvalue > 0.001
    assert finished == [row == [] for row in tokens]


def test_the_best_candidates_are_taken_where_nothing_is_drawn():
    import torch

    total = torch.tensor([[-3.0, -1.0, -2.0, -5.0]], dtype=torch.float64)
    places, values = draw_candidates(total, 2, None)
    assert places.tolist() == [[1, 2]] and values.tolist() == [[-1.0, -2.0]]


def test_candidates_are_drawn_without_replacement_as_worked_out_by_hand():
    import torch

    # Best first the weights are 0.5 (place 2), 0.3 (0), 0.2 (1). 0.6 falls on place 0. Left are
    # 0.5 and 0.2: 0.8 x 0.7 = 0.56 falls on place 1. Then place 2, whatever the number.
    total = torch.tensor([[0.3, 0.2, 0.5]], dtype=torch.float64).log()
    places, values = draw_candidates(total, 2, torch.tensor([[0.6, 0.8]], dtype=torch.float64))
    assert places.tolist() == [[0, 1]]
    assert values.exp().tolist() == [pytest.approx([0.3, 0.2])]
    places, _ = draw_candidates(total, 3, torch.tensor([[0.6, 0.8, 0.0]], dtype=torch.float64))
    assert places.tolist() == [[2, 0, 1]]  # by score, not in the order drawn


def test_where_fewer_are_possible_than_asked_the_others_score_minus_infinity():
    import torch

    nothing = -torch.inf
    total = torch.tensor([[nothing, 0.0, nothing, -1.0], [0.0, -1.0, -2.0, -3.0]]).double()
    uniforms = torch.full((2, 4), 0.5, dtype=torch.float64)
    places, values = draw_candidates(total, 4, uniforms)
    assert places[0, :2].tolist() == [1, 3]
    assert values[0].tolist() == [0.0, -1.0, nothing, nothing]
    assert sorted(places[1].tolist()) == [0, 1, 2, 3]


def test_the_first_of_several_draws_has_the_softmax_distribution():
    import torch
    from scipy.stats import chisquare

    uniforms = torch.from_numpy(np.random.default_rng(0).random((5000, 1)))
    total = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64).log().expand(5000, 4)
    places, _ = draw_candidates(total, 1, uniforms)
    counts = Counter(places[:, 0].tolist())
    assert chisquare([counts[i] for i in range(4)], [500, 1000, 1500, 2000]).pvalue > 0.001


def leaning_to(token, by=1000.0):
    """Return a model whose every step prefers one token."""
    import torch

    model = make_t5()
    forward = model.forward

    def lean(*args, **options):
        output = forward(*args, **options)
        output.logits = output.logits + by * (torch.arange(40) == token)
        return output

    model.forward = lean
    return model


@pytest.mark.parametrize("num_beams", [1, 3])
@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_an_end_of_text_ends_and_the_cap_caps(num_beams, temperature):
    decoding = settings(cap=5, num_beams=num_beams, temperature=temperature)
    tokens, finished = generate_texts(leaning_to(1), INPUTS[:2], IDS[:2], decoding, 2)
    assert tokens == [[], []] and finished == [True, True]
    tokens, finished = generate_texts(leaning_to(7), INPUTS[:2], IDS[:2], decoding, 2)
    assert tokens == [[7] * 5, [7] * 5] and finished == [False, False]


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_without_beams_the_first_tokens_are_the_shorter_generation(models, temperature):
    for model in models:
        long, ended = generate_texts(model, INPUTS, IDS, settings(temperature=temperature), 4)
        short, ended_early = generate_texts(
            model, INPUTS, IDS, settings(temperature=temperature, cap=5), 4
        )
        assert short == [row[:5] for row in long]
        assert ended_early == [end and len(row) < 5 for row, end in zip(long, ended, strict=True)]


def test_the_first_tokens_of_a_beam_need_not_be_the_shorter_beam(models):
    """So a text that beams wrote is said to be cut, not generated anew."""
    differ = []
    for model in models:
        long, _ = generate_texts(model, INPUTS, IDS, settings(**STUDY), 4)
        short, _ = generate_texts(model, INPUTS, IDS, settings(**STUDY, cap=5), 4)
        differ += [a != b[:5] for a, b in zip(short, long, strict=True)]
    assert any(differ)


def test_progress_counts_every_input(models):
    done = []
    generate_texts(models[0], INPUTS, IDS, settings(cap=2), 4, done.append)
    assert done == [4, 2]


@pytest.mark.parametrize("num_beams", [1, 2])
def test_broken_weights_are_an_error_and_no_text(num_beams):
    import torch

    model = make_t5()
    with torch.no_grad():
        model.lm_head.weight.fill_(float("nan"))
    with pytest.raises(InputError, match="NaN, its weights are broken"):
        generate_texts(model, INPUTS[:1], IDS[:1], settings(num_beams=num_beams), 1)


@pytest.mark.parametrize(
    ("n_input", "cap", "message"),
    [
        (13, 5, "a BartEncoder reads 12 tokens at most, and an input has 13; cut inputs shorter"),
        (5, 13, "a BartDecoder reads 12 tokens at most, and an output may have 13; lower the cap"),
        (12, 12, None),
    ],
)
def test_what_a_side_has_no_positions_for_is_refused_before_it_is_read(n_input, cap, message):
    import torch
    from transformers import BartConfig, BartForConditionalGeneration

    torch.manual_seed(1)
    config = BartConfig(
        vocab_size=40, d_model=16, encoder_layers=1, decoder_layers=1, encoder_ffn_dim=16,
        decoder_ffn_dim=16, encoder_attention_heads=2, decoder_attention_heads=2,
        max_position_embeddings=12, pad_token_id=0, eos_token_id=1, decoder_start_token_id=1,
    )  # fmt: skip
    model = BartForConditionalGeneration(config).eval()
    inputs = [[5] * n_input, [7]]
    if message is None:
        tokens, _ = generate_texts(model, inputs, IDS[:2], settings(cap=cap), batch_size=2)
        assert max(map(len, tokens)) <= cap
    else:
        with pytest.raises(InputError, match=message):
            generate_texts(model, inputs, IDS[:2], settings(cap=cap), batch_size=2)
