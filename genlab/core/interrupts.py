"""Ctrl-C ends a program within seconds, whatever it is doing at that moment.

Python runs its handler of SIGINT between two steps of the main thread. Four things keep it waiting:
an import, which would end in a traceback of other people's modules; a library that installs the
handler again with SA_RESTART (polars 2.1 does when it is imported), so that a wait for a lock goes
on for ever; a long call of compiled code; and a library that catches all errors. So while modules
are imported a handler of our own ends the process (startup.py); later the first Ctrl-C raises
KeyboardInterrupt as usual, and a thread wakes a main thread that does not react and, after GRACE
seconds, ends the process.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from genlab.core.startup import end_at_once

GRACE = 10.0  # seconds for files to be closed, folders removed and processes ended
SAME_PRESS = 1.0  # seconds; our own second signal comes within them, a person's later


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Run the block so that SIGINT ends it; yield a function that says whether SIGINT came.

    The first one raises KeyboardInterrupt in the main thread; GRACE seconds after it, or at a
    second one, the process ends.
    """
    before = signal.getsignal(signal.SIGINT)
    in_main_thread = threading.current_thread() is threading.main_thread()
    if before in (signal.SIG_IGN, None) or not in_main_thread:
        yield lambda: False
        return
    pressed: list[float] = []

    def interrupt(*_: object) -> None:
        pressed.append(time.monotonic())
        if len(pressed) == 1:
            raise KeyboardInterrupt
        if pressed[-1] - pressed[0] > SAME_PRESS:
            end_at_once()

    signal.signal(signal.SIGINT, interrupt)  # without SA_RESTART
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=end_if_deaf, args=(reader, GRACE), daemon=True).start()
    try:
        yield lambda: bool(pressed)
    finally:
        signal.set_wakeup_fd(wakeup)
        os.close(writer)
        signal.signal(signal.SIGINT, before)


def end_if_deaf(reader: int, grace: float) -> None:
    """Wait for a SIGINT, wake the main thread, and end the process if it still runs after `grace`.

    reader: of the pipe into which Python writes the number of every signal that arrives.
    """
    with open(reader, "rb", buffering=0) as signals:
        while number := signals.read(1):
            if number[0] == signal.SIGINT:
                break
        else:
            return  # the program has ended
        time.sleep(SAME_PRESS / 2)
        signal.siginterrupt(signal.SIGINT, True)  # a module imported since may have set SA_RESTART
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        time.sleep(grace)
        end_at_once()


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Hold SIGINT back during the block; processes and threads started in it never get one."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
