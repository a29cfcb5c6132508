"""TensorFlow's start without the lines that it prints, unless they are asked for."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from tempfile import TemporaryFile
from threading import current_thread, main_thread

LEVEL = "TF_CPP_MIN_LOG_LEVEL"  # the variable by which a user asks for lines
FATAL_ALONE = "3"
NOISE = re.compile(rb"^(?:[IWE]\d{4} \d\d:|WARNING: All log messages before absl).*\n?", re.M)


@contextmanager
def quiet() -> Iterator[None]:
    """Whoever imports TensorFlow in here hears of it no more than what is fatal.

    TensorFlow reads the variable once, so that it need not stay for child processes. Where the user
    has set it, or imported TensorFlow before, nothing changes.
    """
    if "tensorflow" in sys.modules or LEVEL in os.environ:
        yield
        return
    os.environ[LEVEL] = FATAL_ALONE
    try:
        with _filtered() if current_thread() is main_thread() else nullcontext():
            yield
    finally:
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
    with TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            os.write(2, NOISE.sub(b"", file.read()))
