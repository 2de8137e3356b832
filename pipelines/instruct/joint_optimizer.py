"""Muon for a model's matrices and AdamW for the rest, as one optimizer that a Trainer can drive."""

from typing import TYPE_CHECKING, Any

from genlab.mini.training import two_optimizers

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


def joint_optimizer(
    model: "PreTrainedModel", learning_rate: float, embedding_learning_rate: float
) -> "torch.optim.Optimizer":
    """Return genlab.mini.training's two optimizers as one, which is saved and resumed whole."""
    import torch

    class Joint(torch.optim.Optimizer):
        def __init__(self) -> None:
            self.parts = two_optimizers(model, learning_rate, embedding_learning_rate)
            super().__init__([{"params": list(model.parameters())}], {})
            self.share_groups()

        def share_groups(self) -> None:
            """Show the parts' own groups, whose rates a schedule then sets."""
            self.param_groups = [group for part in self.parts for group in part.param_groups]

        def step(self, closure: Any = None) -> None:
            for part in self.parts:
                part.step()

        def state_dict(self) -> dict:
            return {"parts": [part.state_dict() for part in self.parts]}

        def load_state_dict(self, state: dict) -> None:
            for part, each in zip(self.parts, state["parts"], strict=True):
                part.load_state_dict(each)
            self.share_groups()

    return Joint()
