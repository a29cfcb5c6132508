"""What a process may do with TensorFlow."""

import os
import subprocess
import sys
from ctypes import pythonapi
from signal import SIGABRT

import pytest

from skvae._quiet import LEVEL, quiet

FORKED = """
import multiprocessing, pickle, sys, warnings
import numpy as np
from skvae import VAETransformer

warnings.simplefilter("ignore")
X = np.random.default_rng(0).normal(size=(400, 3))  # enough for several threads
vae = VAETransformer(64, max_iter=1, hidden_layer_sizes=4, random_state=0).fit(X)
dumped = pickle.dumps(vae)

def work(name):
    model = pickle.loads(dumped)  # safe
    X_or_not = {"sample": [3], "encoder_": [], "inverse_transform": [np.zeros((400, 64))],
                "impute": [np.where(X > 1, np.nan, X)]}.get(name, [X])
    try:
        found = getattr(model, name)
        found(*X_or_not)
    except RuntimeError as error:
        return str(error)

names = ["transform", "sample", "fit", "encoder_", "impute", "inverse_transform", "score"]
with multiprocessing.get_context("fork").Pool(1) as pool:
    told = dict(zip(names, pool.map_async(work, names).get(60)))
    print([name for name in names if "'spawn' or 'forkserver'" not in str(told[name])])
assert vae.transform(X).shape == (400, 64)  # the parent goes on
"""
BEFORE = """
import multiprocessing, pickle, warnings
import numpy as np
import skvae

def work(dumped):
    return pickle.loads(dumped).transform(np.zeros((2, 3))).shape

def fitted(_):
    from skvae import VAETransformer
    X = np.random.default_rng(0).normal(size=(50, 3))
    warnings.simplefilter("ignore")
    return pickle.dumps(VAETransformer(max_iter=1, hidden_layer_sizes=4, random_state=0).fit(X))

fork = multiprocessing.get_context("fork")
with fork.Pool(1) as pool:
    dumped = pool.map_async(fitted, [0]).get(120)[0]
pickle.loads(dumped)  # the parent loads, and does not run
with fork.Pool(1) as pool:
    print([shape for shape in pool.map_async(work, [dumped]).get(120) if shape != (2, 2)])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks")
@pytest.mark.parametrize("code", [FORKED, BEFORE], ids=["after a fit", "before any"])
def test_a_forked_process_is_told_at_once_or_works(code):
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False
    )
    assert result.stdout.strip() == "[]", result.stderr[-2000:]


FIT = """
import warnings
from sklearn.datasets import load_iris
from skvae import VAETransformer

warnings.simplefilter("ignore")
vae = VAETransformer(max_iter=1, hidden_layer_sizes=4, random_state=0).fit(load_iris().data)
vae.sample(3)
"""
IN_A_CHILD = """
import os, subprocess, sys
code = f"import os; print(os.environ.get('{level}'))"
print(subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True).stdout)
"""


def of_process(code, **variables):
    """What a process prints, and what it writes to standard error."""
    told = {name: value for name, value in os.environ.items() if name != LEVEL}
    command = [sys.executable, "-c", code]
    result = subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=True, env=told | variables
    )
    return result.stdout.strip(), result.stderr


def test_a_fit_prints_nothing_and_leaves_the_environment_of_child_processes():
    child = IN_A_CHILD.replace("{level}", LEVEL)
    assert of_process(FIT + child) == ("None", "")


def test_lines_of_tensorflow_are_there_for_those_who_ask():
    _, error = of_process(FIT, **{LEVEL: "0"})
    assert "tensorflow" in error.lower()


def test_what_is_no_noise_is_passed_on(capfd, monkeypatch):
    monkeypatch.delenv(LEVEL, raising=False)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    noise = b"WARNING: All log messages before absl::InitializeLog() is called\n"
    noise += b"E0000 00:00:17.5 1 cuda.cc:52] failed call\n"
    with quiet():
        assert os.environ[LEVEL] == "3"
        os.write(2, b"one\n" + noise + b"F0000 00:00:17.5 1 a.cc:1] fatal\ntwo")
    assert capfd.readouterr().err == "one\nF0000 00:00:17.5 1 a.cc:1] fatal\ntwo"
    assert LEVEL not in os.environ


def test_an_import_that_fails_leaves_standard_error_as_it_was(capfd, monkeypatch):
    monkeypatch.delenv(LEVEL, raising=False)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    with pytest.raises(ImportError), quiet():
        raise ImportError
    os.write(2, b"E0000 00:00:17.5 1 after.cc:1] later")
    assert "later" in capfd.readouterr().err


ABORT = """
import faulthandler, os
from skvae._quiet import quiet
if {traced}:
    faulthandler.enable()
with quiet():
    os.write(2, b"E0000 00:00:17.5 1 cuda.cc:52] failed call\\nno such instructions\\n")
    os.abort()
"""


@pytest.mark.parametrize("traced", [False, True])
def test_the_message_of_an_abort_is_passed_on(traced):
    environment = {name: value for name, value in os.environ.items() if name != LEVEL}
    command = [sys.executable, "-c", ABORT.format(traced=traced)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.stderr.startswith("no such instructions\n")
    assert ("Fatal Python error: Aborted" in done.stderr) == traced
    assert done.returncode not in (0, 1)


def test_an_abort_is_as_ever_after_tensorflow_is_imported(monkeypatch):
    monkeypatch.delenv(LEVEL, raising=False)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    before = pythonapi.PyOS_getsig(SIGABRT)
    with quiet():
        assert pythonapi.PyOS_getsig(SIGABRT) != before
    assert pythonapi.PyOS_getsig(SIGABRT) == before


@pytest.mark.parametrize("imported", [True, False])
def test_who_has_asked_or_imported_tensorflow_sees_all(imported, capfd, monkeypatch):
    if imported:
        monkeypatch.delenv(LEVEL, raising=False)
        monkeypatch.setitem(sys.modules, "tensorflow", None)
    else:
        monkeypatch.setenv(LEVEL, "1")
        monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    before = dict(os.environ)
    with quiet():
        assert dict(os.environ) == before
        os.write(2, b"E0000 00:00:17.5 1 a.cc:1] seen")
    assert "seen" in capfd.readouterr().err
