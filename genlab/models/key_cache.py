"""A key-value cache with preallocated room, so that a new token does not copy the whole cache.

transformers' own `DynamicLayer` concatenates its tensors with the new token's at every step, which
makes the copying quadratic in the length of the texts. The numbers are the same.
"""

import torch
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

ROOM = 64  # positions: what is allocated beyond those asked for


class RoomyLayer(DynamicLayer):
    """The keys and values [b, heads, t, d] of one layer, as views of longer buffers."""

    def __init__(self, layer: DynamicLayer) -> None:
        """Take over what `layer` holds."""
        super().__init__()
        self.lazy_initialization(layer.keys, layer.values)
        self.keys, self.values = layer.keys, layer.values
        self.buffers = (self.keys, self.values)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args, **kwargs
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add the keys and values [b, heads, new, d] of new tokens, and return those of all."""
        start = self.keys.shape[-2]
        end = start + key_states.shape[-2]
        if end > self.buffers[0].shape[-2]:
            self.buffers = (with_room(self.keys, end + ROOM), with_room(self.values, end + ROOM))
        for buffer, new in zip(self.buffers, (key_states, value_states), strict=True):
            buffer[:, :, start:end] = new
        self.keys, self.values = (buffer[:, :, :end] for buffer in self.buffers)
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep these rows of the batch."""
        length = self.keys.shape[-2]
        self.buffers = tuple(buffer[indices] for buffer in self.buffers)
        self.keys, self.values = (buffer[:, :, :length] for buffer in self.buffers)


def with_room(held: torch.Tensor, length: int) -> torch.Tensor:
    """Return a tensor [b, heads, length, d] that begins with a copy of `held` [b, heads, t, d]."""
    batch, heads, n_held, size = held.shape
    buffer = held.new_empty((batch, heads, length, size))
    buffer[:, :, :n_held] = held
    return buffer


def give_room(cache: Cache) -> Cache:
    """Return a model's cache with its plain growing layers replaced by `RoomyLayer`s."""
    if isinstance(cache, DynamicCache):
        cache.layers = [
            RoomyLayer(layer) if type(layer) is DynamicLayer and layer.is_initialized else layer
            for layer in cache.layers
        ]
    return cache
