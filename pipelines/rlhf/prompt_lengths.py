"""Whether prompts and their answers fit the base, as far as it is known before anything is made."""

from dataclasses import fields
from pathlib import Path
from random import Random

from genlab.core.program import InputError
from genlab.models.positions import check_cap
from pipelines.rlhf.mini_world import make_prompts, n_drawn, read_world
from pipelines.rlhf.purposes import Wanted


def check_answers_fit(
    key: str, cap: int, prompts: Path, base: Path, made_by: dict[str, dict]
) -> None:
    """Raise InputError if `cap` new tokens after the longest prompt exceed the base's positions.

    made_by: as `genlab check` says. The mini world's prompts are known here, word by word, and a
    word has one token at least; of others, and of a base from the Hub, the programs see.
    """
    check_cap(key, cap, base, made_by)
    asked, sizes = made_by[str(prompts)], made_by.get(str(base), {})
    if asked["source"] != "mini" or sizes.get("source") not in ("bundled", "mini"):
        return
    wanted = Wanted(**{field.name: asked[field.name] for field in fields(Wanted)})
    drawn = make_prompts(read_world(asked["path"]), n_drawn(wanted), Random(asked["seed"]))
    longest = max(len(prompt.split()) for prompt, _ in drawn)
    if cap + longest > sizes["n_positions"]:
        raise InputError(
            f"{key}={cap} new tokens and a prompt of {longest} words exceed base.n_positions="
            f"{sizes['n_positions']}; lower the one or raise the other"
        )
