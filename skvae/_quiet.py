"""TensorFlow's start without the lines that it prints, unless they are asked for."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from ctypes import CFUNCTYPE, PYFUNCTYPE, c_int, c_void_p, cast, pythonapi
from functools import partial
from signal import SIGABRT, raise_signal
from tempfile import TemporaryFile
from threading import current_thread, main_thread
from typing import IO

from skvae._memory import uncollected

LEVEL = "TF_CPP_MIN_LOG_LEVEL"  # the variable by which a user asks for lines
FATAL_ALONE = "3"
NOISE = re.compile(rb"^(?:[IWE]\d{4} \d\d:|WARNING: All log messages before absl).*\n?", re.M)


@contextmanager
def quiet() -> Iterator[None]:
    """Whoever imports TensorFlow in here hears of it no more than what is fatal.

    TensorFlow reads the variable once, so that it need not stay for child processes. Where the user
    has set it, or imported TensorFlow before, nothing changes.
    """
    if "tensorflow" in sys.modules:
        yield
        return
    asked, alone = LEVEL in os.environ, current_thread() is main_thread()
    os.environ.setdefault(LEVEL, FATAL_ALONE)
    try:
        with uncollected(), _filtered() if alone and not asked else nullcontext():
            yield
    finally:
        if not asked:
            os.environ.pop(LEVEL, None)


@contextmanager
def _filtered() -> Iterator[None]:
    """Hold back what the process writes to standard error, and pass on at the end what tells.

    Two libraries write as they are loaded, before they look at any level.
    """
    try:
        kept = os.dup(2)
    except OSError:  # it is closed
        yield
        return
    with TemporaryFile() as file, _before_abort(tell := partial(_pass_on, file, kept)):
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            tell()
            os.close(kept)


def _pass_on(file: IO[bytes], kept: int) -> None:
    """Give standard error back, and it what tells of what was held back."""
    os.dup2(kept, 2)
    file.seek(0)
    with suppress(OSError), open(2, "wb", closefd=False) as stderr:  # all, if at several times
        stderr.write(NOISE.sub(b"", file.read()))


@contextmanager
def _before_abort(tell: Callable) -> Iterator[None]:
    """Have a function called should the process abort: Python's own handlers come too late."""
    set_handler = PYFUNCTYPE(c_void_p, c_int, c_void_p)(("PyOS_setsig", pythonapi))

    def handle(signal: int) -> None:
        tell()
        set_handler(SIGABRT, before)
        raise_signal(SIGABRT)

    handler = CFUNCTYPE(None, c_int)(handle)
    before = set_handler(SIGABRT, cast(handler, c_void_p))
    try:
        yield
    finally:
        set_handler(SIGABRT, before)
