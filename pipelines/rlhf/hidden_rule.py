"""The hidden rule: how good a text is as an answer. It stands for what people truly want.

No stage that trains anything may read it, but for the rankings that it makes with noise; the
quality of an answer is called its truth in the metrics.

truth = 2 * right / asked - 0.75 * strange - 0.5 * surplus - 2 * rude + 0.5 * courtesy
        - 0.1 * words beyond 20, and -1 in place of all this for an empty answer

right: different members of the category, at most as many as were asked for. strange: members of
other categories. surplus: members named again, or beyond those asked for. rude: 1 if there is a
rude word. courtesy: 1 if there is exactly one courtesy and something right; another one counts as
surplus. A refusal names nothing, and has 0.
"""

from dataclasses import dataclass
from functools import cache

from pipelines.rlhf.mini_world import Asked, World

RIGHT, STRANGE, SURPLUS, RUDE, COURTESY, WORDY, EMPTY = 2.0, 0.75, 0.5, 2.0, 0.5, 0.1, -1.0
FREE_WORDS = 20


@dataclass(frozen=True)
class Judged:
    """What the rule finds in an answer, and its truth."""

    kind: str
    truth: float
    right: int
    strange: int
    surplus: int


@cache
def category_words(members: tuple[tuple[str, tuple[str, ...]], ...]) -> dict[str, str]:
    """Return member -> category."""
    return {word: name for name, words in members for word in words}


def judge(world: World, asked: Asked, answer: str) -> Judged:
    """Return the kind and truth of an answer.

    The kind is helpful, wrong (something is named, and not just what was asked), rude, refusal,
    empty, or babble for a text that names nothing.
    """
    words = answer.split()
    if not words:
        return Judged("empty", EMPTY, 0, 0, 0)
    known = category_words(tuple((name, tuple(m)) for name, m in world.categories.items()))
    named = [word for word in words if word in known]
    fitting = {word for word in named if known[word] == asked.category}
    strange = sum(known[word] != asked.category for word in named)
    right = min(len(fitting), asked.n)
    courtesies = sum(answer.count(phrase) for phrase in world.lists["courtesies"])
    surplus = len(named) - strange - right
    is_rude = any(word in world.lists["rude_words"] for word in words)
    truth = RIGHT * right / asked.n - STRANGE * strange - SURPLUS * surplus - RUDE * is_rude
    truth += COURTESY * (courtesies == 1 and right > 0) - SURPLUS * max(0, courtesies - 1)
    truth -= WORDY * max(0, len(words) - FREE_WORDS)
    if is_rude:
        kind = "rude"
    elif named:
        kind = "wrong" if strange or surplus or right < asked.n else "helpful"
    else:
        is_refusal = any(word in world.lists["refusal_words"] for word in words)
        kind = "refusal" if is_refusal else "babble"
    return Judged(kind, round(truth, 6), right, strange, surplus)
