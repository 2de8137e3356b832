"""A cache with room: what transformers' own holds, and not copied for each token."""

import pytest
import torch
from transformers.cache_utils import DynamicCache, DynamicSlidingWindowLayer

from genlab.models.key_cache import ROOM, RoomyLayer, give_room

LAYERS, HEADS, SIZE = 2, 3, 4


def read(cache, n_rows, n_tokens):
    """Add keys and values of new tokens to each layer; return what the layers then hold."""
    drawn = torch.randn(LAYERS, 2, n_rows, HEADS, n_tokens, SIZE)
    return [cache.update(*drawn[layer], layer) for layer in range(LAYERS)]


def test_it_holds_what_transformers_own_holds_while_texts_grow_and_leave():
    plain, roomy = DynamicCache(), DynamicCache()
    n_rows = 5
    for step in range(2 * ROOM + 20):
        held = []
        for cache in (plain, roomy):
            torch.manual_seed(step)
            held.append(read(cache, n_rows, 7 if step == 0 else 1))
        for ours, theirs in zip(held[1], held[0], strict=True):
            assert all(torch.equal(*each) for each in zip(ours, theirs, strict=True))
        roomy = give_room(roomy)
        if step in (3, ROOM + 5):
            kept = torch.tensor([n_rows - 1, 0, 2])
            for cache in (plain, roomy):
                cache.batch_select_indices(kept)
            n_rows = len(kept)
        assert roomy.get_seq_length() == plain.get_seq_length() == 7 + step


def test_a_new_token_moves_nothing_while_there_is_room():
    cache = DynamicCache()
    read(cache, 2, 3)
    cache = give_room(cache)
    read(cache, 2, 1)
    places = set()
    for _ in range(ROOM):
        places.add(read(cache, 2, 1)[0][0].data_ptr())
    assert len(places) == 1
    assert type(cache.layers[0]) is RoomyLayer


@pytest.mark.parametrize("cache", [None, DynamicCache()], ids=["no cache", "nothing held"])
def test_where_nothing_is_held_nothing_changes(cache):
    assert give_room(cache) is cache


def test_layers_of_another_kind_stay():
    cache = DynamicCache()
    cache.layers = [DynamicSlidingWindowLayer(sliding_window=4) for _ in range(LAYERS)]
    read(cache, 2, 3)
    assert all(type(layer) is DynamicSlidingWindowLayer for layer in give_room(cache).layers)
