"""Files of ours, whose shape is taken for granted: what is wrong in one is told by its name.

A person's hand, a merge or an older version may have left another shape in a file that programs
write. It is read as it should be, and what that stumbles over becomes one line. Of files that
people write every key is checked where they are read.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from genlab.core.program import InputError

STUMBLES = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, StopIteration)
AGAIN = "`git checkout` brings the committed one back, and `dvc repro` makes it anew"


@contextmanager
def reading(files: Iterable[object], mend: str = AGAIN) -> Iterator[None]:
    """Make what the block stumbles over an InputError that names the files it read so far.

    files: may grow in the block; mend: what to do.
    """
    try:
        yield
    except STUMBLES as error:
        said = f"there is no {error}" if isinstance(error, KeyError) else str(error)
        what = ", ".join(dict.fromkeys(map(str, files)))
        raise InputError(f"{what}: not of the shape that genlab writes ({said}); {mend}") from error
