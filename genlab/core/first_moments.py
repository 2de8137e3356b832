"""What a process does before all else: how it takes Ctrl-C and how it reckons.

It is imported first of all, so it imports little.
"""

import os
import sys

# The built-in module: the library's `signal` is made of enums, whose import can be interrupted.
from _signal import SIGINT, default_int_handler, getsignal, signal

INTERRUPTED = 130  # what shells report: 128 + SIGINT


def begin() -> None:
    """Obey Ctrl-C while the rest is imported, and hold the kernels of libraries yet to come."""
    from genlab.core.instructions import hold_kernels

    obey_while_importing()
    hold_kernels()


def end_at_once(*_: object) -> None:
    """End this process with one line; a handler of SIGINT."""
    os.write(2, b"interrupted\n")
    os._exit(INTERRUPTED)


def obey_while_importing() -> None:
    """Have Ctrl-C end the process at once, if it is `python -m` and has not begun to work.

    Python looks for the module that it is to run, and imports the packages around it, with "-m" in
    the place of the program's name. Where SIGINT is ignored (a job in the background), it stays so.
    """
    if sys.argv[:1] == ["-m"] and getsignal(SIGINT) is default_int_handler:
        signal(SIGINT, end_at_once)
