"""What a report of a bug wants to know."""

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

from skvae._version import __version__

NEEDED = ("scikit-learn", "tensorflow", "keras", "numpy", "scipy", "pandas", "narwhals")
ONNX = ("onnx", "ndonnx", "tf2onnx", "onnxruntime")
OPTIONAL = ("polars", "pyarrow", "matplotlib", "sdmetrics", "skops", *ONNX)
VARIABLES = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "CUDA_VISIBLE_DEVICES", "XLA_FLAGS")


def show_versions() -> None:
    """Print what a report of a bug wants to know: versions, machine, threads and devices.

    Nothing is imported for it: threads and devices are those of TensorFlow where it has run, so
    call it after what went wrong.

    See Also
    --------
    sklearn.show_versions : Libraries of threads and compilers too.

    Examples
    --------
    >>> from skvae import show_versions
    >>> show_versions()  # doctest: +ELLIPSIS
    skvae: ...
    Python: ...
    """
    for name, value in _told():
        print(f"{name}: {value}")


def _told() -> Iterator[tuple[str, object]]:
    """Names and what there is to say."""
    yield "skvae", __version__
    yield "Python", sys.version.replace("\n", " ")
    yield "platform", platform.platform()
    yield "processors", os.cpu_count()
    for name in (*NEEDED, *OPTIONAL):
        yield name, _installed(name)
    yield from ((name, os.environ[name]) for name in VARIABLES if name in os.environ)
    yield from _of_tensorflow()


def _installed(name: str) -> str:
    """The version of a package."""
    with suppress(PackageNotFoundError):
        return version(name)
    return "not installed"


def _of_tensorflow() -> Iterator[tuple[str, object]]:
    """Its threads and devices."""
    if "tensorflow" not in sys.modules:
        yield "TensorFlow's devices", "not asked, since it has not been imported"
        return
    from skvae.engine import devices, threads

    yield "TensorFlow's devices", ", ".join(devices())
    yield "TensorFlow's threads", threads() or "as many as processors"
