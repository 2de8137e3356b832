"""The label desk in a terminal: the same texts, the same answers, no browser."""

import re
from collections.abc import Callable
from time import monotonic

from genlab.core.terminal import read_line
from genlab.labelling.desk import Desk

EMPTY = {"en": "(This text is empty.)", "ru": "(Этот текст пуст.)"}
OBEYED = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def ask_in_terminal(desk: Desk, language: str, ask: Callable[[str], str] = read_line) -> None:
    """Ask for one text after another until all have an answer, or q, Ctrl-D or Ctrl-C.

    ask: takes a prompt, returns a line. Raises InputError or OSError if an answer cannot be kept.
    """
    view = desk.view()
    while view["text"]:
        print("\n" + screen(view, language))
        shown = monotonic()
        try:
            way = "best first, like 2>1=3" if view["order"] else f"1-{len(view['choices'])}"
            key = ask(f"{way}, b = take back, q = end: ").strip().lower().replace(" ", "")
        except (EOFError, KeyboardInterrupt):
            key = "q"
        if key == "q":
            break
        if key == "b":
            if view["last"]:
                view = desk.undo(view["last"]["id"])
            else:
                print("There is no answer to take back.")
        elif answer := answer_of(desk, view, key):
            seconds = round(monotonic() - shown, 1)
            view = desk.answer(view["text"]["id"], answer, seconds)
        else:
            print(f"{key!r} is no answer.")


def answer_of(desk: Desk, view: dict, key: str) -> str:
    """Return the answer in a typed line, a choice's number or an order; "" if it is invalid."""
    if view["order"]:
        return key if desk.fits(view["text"]["id"], key) else ""
    choices = [name for name, _ in view["choices"]]
    return choices[int(key) - 1] if key.isdecimal() and 1 <= int(key) <= len(choices) else ""


def screen(view: dict, language: str) -> str:
    """Return a view as lines of plain text."""
    n_left = sum(n for _, n in view["left"])
    left = ", ".join(f"{group}: {n}" for group, n in view["left"])
    lines = [f"{view['n'] - n_left + 1} of {view['n']} (left by {view['sheet']['by']}: {left})"]
    for column, caption in view["sheet"]["show"].items():
        value = view["text"]["beside"][column]
        words = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        of = f" / {caption['of']}" if "of" in caption else ""
        lines.append(f"{worded(caption, language)}: {words}{of}")
    text = view["text"]["text"]
    lines += [
        "",
        text if text.strip() else worded(EMPTY, language),
        "",
        worded(view["sheet"]["question"], language),
    ]
    for number, (_, words) in enumerate([] if view["order"] else view["choices"], 1):
        lines.append(f"  {number}  {worded(words, language)}")
    lines.append(worded(view["sheet"]["hint"], language))
    return printable("\n".join(lines))


def worded(wording: dict, language: str) -> str:
    """Return the wording in this language, or in the first one that there is."""
    return wording.get(language) or next(words for key, words in wording.items() if key != "of")


def printable(text: str) -> str:
    """Return a text without control characters and bidirectional marks."""
    return OBEYED.sub("\N{REPLACEMENT CHARACTER}", text)
