"""The source study's pickle, a list of lists of strings, read without ever running what is in it.

Unpickling runs code that the file names. So two guards stand before it. First every opcode of the
file is looked at, and only those pass that build lists and strings: none that looks up a name,
calls, or builds a dictionary, a number or bytes. Then the unpickler refuses every name by itself.
A pickle is one object, so it is held in memory whole, about twice the size of its file.
"""

import io
import pickle
import pickletools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from genlab.core.program import InputError
from genlab.sources.archives import MAX_RATIO, SMALL_BYTES
from genlab.sources.file_text import one_line, opened

ALLOWED = {
    *("PROTO", "FRAME", "STOP", "MARK"),
    *("EMPTY_LIST", "LIST", "APPEND", "APPENDS"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT", "GET", "BINGET", "LONG_BINGET"),
}
NUMBERED = {"PUT", "BINPUT", "LONG_BINPUT"}  # keep an object under a number, from 0 or 1 on
MAX_BYTES = 1 << 31  # 2 GiB; the study's 800,000 dialogues have about 0.2
INSTEAD = "write the dialogues as JSON Lines instead"


class ListUnpickler(pickle.Unpickler):
    """Refuses every class, function and outside reference."""

    def find_class(self, module_name: str, global_name: str) -> NoReturn:
        """Refuse: lists and strings need no name."""
        raise pickle.UnpicklingError(f"it asks for {module_name}.{global_name}")

    def persistent_load(self, pid: Any) -> NoReturn:
        """Refuse: nothing lies outside the file."""
        raise pickle.UnpicklingError("it asks for an object outside of it")


def pickled_rows(file: Path) -> Iterator[tuple[str, Any]]:
    """Yield the dialogues of a pickle with their places, counted from 0.

    What a dialogue is made of is left to the reader of rows. Raises InputError for a pickle that
    builds anything else than lists and strings, or is damaged; nothing of it is run before.
    """
    content = whole_pickle(file)
    check_opcodes(file, content)
    try:
        dialogues = ListUnpickler(io.BytesIO(content)).load()
    except Exception as error:  # a broken pickle fails in any way
        raise InputError(f"{file}: a damaged pickle ({one_line(error)}); get it again") from None
    del content
    if not isinstance(dialogues, list):
        raise InputError(f"{file}: a pickle of one text, not of a list of dialogues; {INSTEAD}")
    for number, dialogue in enumerate(dialogues):
        yield f"{file}, dialogue {number} (counted from 0)", dialogue


def whole_pickle(file: Path) -> bytes:
    """Return the bytes of a pickle, packed or not; raise InputError for more than it may have."""
    n_packed = file.stat().st_size
    most = min(MAX_BYTES, max(SMALL_BYTES, MAX_RATIO * n_packed))
    with opened(file) as stream:
        content = stream.read(most + 1)
    if len(content) > most:
        raise InputError(
            f"{file}: a pickle of more than {most} bytes (in a file of {n_packed}); {INSTEAD}"
        )
    return content


def check_opcodes(file: Path, content: bytes) -> None:
    """Raise InputError for an opcode that builds more than lists and strings; run none.

    The unpickler allocates its memo by the highest index in it, so an index above the number of
    objects is refused, too.
    """
    n_kept = 0
    try:
        for opcode, number, position in pickletools.genops(content):
            if opcode.name in NUMBERED and (number or 0) > n_kept + 1:
                raise InputError(
                    f"{file}: refused, as loading it could fill the memory: at byte {position} "
                    f"this pickle keeps an object under number {number}, of {n_kept} before it; "
                    f"{INSTEAD}"
                )
            n_kept += opcode.name in NUMBERED or opcode.name == "MEMOIZE"
            if opcode.name not in ALLOWED:
                raise InputError(
                    f"{file}: refused, as loading it could run code: at byte {position} this "
                    f"pickle does {opcode.name}, and only lists and strings are admitted; {INSTEAD}"
                )
    except ValueError as error:  # genops's, for what is no pickle
        raise InputError(f"{file}: not a whole pickle ({error}); get it again") from None


def write_pickle(file: Path, rows: list) -> None:
    """Write rows as the study's pickle."""
    file.write_bytes(pickle.dumps(rows, protocol=4))
