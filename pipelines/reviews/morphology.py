"""Russian words' dictionary forms and grammar, by pymorphy3 and its dictionary."""

from functools import cache


@cache
def morphology():
    """Return pymorphy3's analyser; its dictionary is loaded in 0.1 s."""
    from pymorphy3 import MorphAnalyzer

    return MorphAnalyzer(lang="ru")
