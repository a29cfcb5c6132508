"""What a process may do with TensorFlow."""

import subprocess
import sys

import pytest

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
