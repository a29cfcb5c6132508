"""SHA-256 of what fits give: run it before and after a change that should keep every bit.

    python benchmarks/digests.py > before.json
    python benchmarks/digests.py --against before.json

Digests hold for one machine and one set of library versions.
"""

import argparse
import hashlib
import json
import os
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from sklearn.datasets import load_iris, load_wine

from skvae import VAETransformer
from skvae.likelihoods import Gaussian, Histogram, ZeroInflated

ROWS = 200


def mixed(holes=0.0):
    """A frame with columns of every kind."""
    rng = np.random.default_rng(0)
    group = rng.integers(0, 3, ROWS)
    frame = pd.DataFrame(
        {
            "real": rng.normal(size=ROWS) + group,
            "single": rng.normal(size=ROWS).astype(np.float32),
            "positive": rng.lognormal(group, 1.0),
            "share": rng.beta(2, 1 + group),
            "count": rng.poisson(1 + 3 * group),
            "many": rng.integers(0, 10_000, ROWS),
            "flag": rng.random(ROWS) < 0.3,
            "label": np.array(["a", "b", "c"])[group],
            "when": pd.Timestamp("2020-01-01")
            + pd.to_timedelta(rng.integers(0, 5000, ROWS), unit="h"),
            "same": np.full(ROWS, 7),
        }
    )
    frame["grade"] = pd.Categorical(
        np.array(["low", "mid", "high"])[group], ["low", "mid", "high"], ordered=True
    )
    if not holes:
        return frame
    nullable = {"count": "Int64", "many": "Int64", "flag": "boolean", "same": "Int64"}
    return frame.astype(nullable).mask(rng.random(frame.shape) < holes)


def counts():
    """Whole numbers that are mostly zero."""
    rng = np.random.default_rng(0)
    return rng.poisson(np.array([[3, 0.1, 0, 1], [0, 2, 0, 0.2]])[rng.integers(0, 2, ROWS)])


def build(n_inputs, n_outputs):
    """A network of one's own, with moving averages."""
    hidden = keras.layers.Dense(8, activation="tanh")
    layers = [hidden, keras.layers.BatchNormalization(), keras.layers.Dense(n_outputs)]
    return keras.Sequential([keras.Input((n_inputs,)), *layers])


LIKELIHOODS = {
    "real": Gaussian(scale="cell"),
    "single": "student_t",
    "positive": "lognormal",
    "share": "beta",
    "count": "negative_binomial",
    "many": Histogram(n_bins=10),
}
CONFIGURATIONS = {
    "iris": (load_iris(as_frame=True).data, {}),
    "wine in float32, deeper, dropout": (
        load_wine().data.astype(np.float32),
        {"hidden_layer_sizes": (8, 8), "dropout": 0.2},
    ),
    "mixed": (mixed(), {}),
    "mixed with holes": (mixed(0.2), {}),
    "a likelihood per column": (mixed(), {"likelihood": LIKELIHOODS}),
    "laplace and zeros": (
        mixed()[["real", "count", "positive"]],
        {
            "likelihood": {
                "real": "laplace",
                "count": "zero_inflated",
                "positive": ZeroInflated("lognormal"),
            }
        },
    ),
    "categorical numbers": (mixed()[["count", "label", "grade"]], {"likelihood": "categorical"}),
    "sparse counts": (csr_array(counts()), {"likelihood": "poisson"}),
    "whole numbers in an array": (counts(), {}),
    "mixture, full covariance": (
        load_wine().data,
        {"prior": "mixture", "posterior": "full_gaussian"},
    ),
    "vamp, iwae": (load_wine().data, {"prior": "vamp", "objective": "iwae", "n_draws": 3}),
    "flows": (load_wine().data, {"prior": "flow", "posterior": "flow"}),
    "fitted prior, pca, hidden cells": (
        load_wine().data,
        {"prior": "fitted", "init": "pca", "hide": 0.2},
    ),
    "free bits, sgd": (load_wine().data, {"objective": "free_bits", "optimizer": "sgd"}),
    "own networks": (load_wine().data, {"encoder": build, "decoder": build}),
    "grey values": (np.clip(load_wine().data / 2000, 0, 1), {"likelihood": "continuous_bernoulli"}),
    "warm start": (load_wine().data, {"warm_start": True}),
}


def digest(table):
    """The hash of a table's cells, whatever holds them."""
    cells = (
        table.to_numpy(object).tolist() if hasattr(table, "iloc") else np.asarray(table).tolist()
    )
    return hashlib.sha256(repr(cells).encode()).hexdigest()[:16]


def digests(X, parameters):
    """What a fit gives, as hashes."""
    vae = (
        VAETransformer(hidden_layer_sizes=8, max_iter=4, random_state=0)
        .set_params(**parameters)
        .fit(X)
    )
    if vae.warm_start:
        vae.fit(X)
    rows = X[:50] if not hasattr(X, "iloc") else X.iloc[:50]
    if isinstance(rows, pd.DataFrame):
        lost = rows.assign(**{rows.columns[0]: None})
    else:
        lost = rows.toarray().astype(float) if hasattr(rows, "toarray") else rows.astype(float)
        lost[:, 0] = np.nan
    given = {(X.columns[0] if hasattr(X, "columns") else 0): 1}
    return {
        "weights": digest(vae._model.weights),
        "transform": digest(vae.transform(rows)),
        "restored": digest(vae.inverse_transform(vae.transform(rows))),
        "sample": digest(vae.sample(50, random_state=0)),
        "given": digest(vae.sample(5, random_state=0, given=given)),
        "impute": digest(vae.impute(lost)),
        "draw": digest(vae.impute(lost, random_state=0, draw=True)),
        "score": digest(vae.score_samples(rows)),
        "score with holes": digest(vae.score_samples(lost)),
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--against", help="what an earlier run printed; tells the differences")
    before = parser.parse_args().against
    warnings.simplefilter("ignore")
    found = {name: digests(*configuration) for name, configuration in CONFIGURATIONS.items()}
    if not before:
        print(json.dumps(found, indent=1))
        return
    with open(before) as file:
        known = json.load(file)
    moved = [
        f"{name}: {part}"
        for name in known
        for part in known[name]
        if known[name][part] != found[name][part]
    ]
    print("\n".join(moved) or f"All {sum(map(len, found.values()))} digests are equal.")


if __name__ == "__main__":
    main()
