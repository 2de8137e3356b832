"""What every process sets up first: the handling of Ctrl-C and the libraries' vector instructions.

This module is imported before all others, so it imports little itself.
"""

import os
import sys

# The built-in module: the library's `signal` is made of enums, whose import can be interrupted.
from _signal import SIGINT, default_int_handler, getsignal, signal

INTERRUPTED = 130  # what shells report: 128 + SIGINT


def begin() -> None:
    """Handle Ctrl-C during imports, and limit the libraries that are imported later to AVX2."""
    from genlab.core.processor import hold_kernels

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
