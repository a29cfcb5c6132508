import os

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
if "PYTEST_XDIST_WORKER" in os.environ:  # several processes share the cores: a thread for each
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
collect_ignore = ["typed_use.py"]  # mypy reads it: its lines are wrong on purpose


@pytest.fixture
def short_start(monkeypatch):
    """A start from an embedding takes 32 steps, where it does not matter how good it is."""
    from skvae.training import _start

    monkeypatch.setattr(_start, "EPOCHS", 2)


@pytest.fixture
def closed():
    """Pictures are drawn in memory, and no figure outlives its test."""
    import matplotlib
    import matplotlib.pyplot as plt

    matplotlib.use("Agg")
    yield
    plt.close("all")
