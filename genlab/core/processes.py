"""Share a stage's work among the processes that `accelerate launch` has started.

The work is cut into batches that are the same for any number of processes. Of n processes each
computes every n-th batch, and all get all results. So the numbers are those of one process, to the
last bit: a model's output for a text can depend on the rest of its batch, but not on the process
that computes it. Only the first process writes files.

    dvc exp run -S 'launch.generate=accelerate launch --num_processes 2'      # two GPUs; on a CPU
                                                                              # add --multi_gpu
On two machines that both have the stage's inputs (`dvc pull`) the same command runs on each, on the
second one by hand; dvc.lock has its options. Both give the launcher --num_machines 2, the total
--num_processes, --main_process_ip and --main_process_port of the first, and --machine_rank 0 or 1.
"""

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import torch

Batch = TypeVar("Batch")
Result = TypeVar("Result")


def rank_and_size() -> tuple[int, int]:
    """Return this process's number, from 0, and how many there are, as the launcher says."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def is_first() -> bool:
    """Return whether this process writes the files: the only one, or the one numbered 0."""
    return rank_and_size()[0] == 0


def best_device() -> "torch.device":
    """Return this process's own GPU, or the CPU where there is none."""
    import torch

    local = int(os.environ.get("LOCAL_RANK", "0"))
    return torch.device("cuda", local) if torch.cuda.is_available() else torch.device("cpu")


def map_shared(
    function: Callable[[Batch], Result],
    batches: Sequence[Batch],
    on_done: Callable[[Batch], object] = lambda batch: None,
) -> list[Result]:
    """Return function(batch) for every batch in order, each computed by one of the processes.

    Every process must call this with the same batches. `on_done` is called for each batch that this
    process has computed.
    """
    rank, size = rank_and_size()
    mine = []
    for batch in batches[rank::size]:
        mine.append(function(batch))
        on_done(batch)
    if size == 1:
        return mine
    from accelerate import PartialState
    from accelerate.utils import gather_object

    # Joins the processes, if nothing has yet; without a GPU it must be told, or each stays alone.
    PartialState(cpu=best_device().type == "cpu")
    results: list = [None] * len(batches)
    for number, part in enumerate(gather_object([mine])):
        results[number::size] = part
    return results
