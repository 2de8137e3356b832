"""A tiny random model with the tokens of two speakers, and a folder of it as train leaves one."""

from pathlib import Path

from genlab.mini.gpt2 import Sizes, new_model, train_tokenizer
from pipelines.chitchat.arm_training import save_layout
from pipelines.chitchat.base_model import add_speakers
from pipelines.chitchat.chat_inputs import Layout, Separator
from pipelines.chitchat.mini_dialogues import plain_texts
from tests.project_copy import ROOT

WORLD = ROOT / "pipelines/chitchat/mini_dialogues.yaml"
SIZES = Sizes(
    vocab_size=500,
    n_layer=2,
    n_embd=32,
    n_head=2,
    n_positions=256,
    epochs=1,
    batch_size=4,
    learning_rate=0.01,
    embedding_learning_rate=0.01,
    max_offset=0,
    seed=17,
)
DIALOGUE = Layout(3, Separator.speaker, True, True, True)
BARE = Layout(0, Separator.end, False, False, True)


def make_model(folder: Path, layout: Layout = DIALOGUE) -> Path:
    """Write a model with random weights that says all sorts of things."""
    import torch

    torch.manual_seed(17)
    tokenizer = train_tokenizer(plain_texts(WORLD, 100, 17), SIZES.vocab_size)
    model = new_model(tokenizer, SIZES)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    add_speakers(folder, 17)
    save_layout(layout, folder)
    return folder
