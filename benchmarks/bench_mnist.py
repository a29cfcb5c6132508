"""Binarised MNIST: the log-likelihood of the test images, in nats.

    python benchmarks/bench_mnist.py [--json FILE] [RUN ...]

    short       what the objective and the prior change in ten epochs, in some ten minutes
    elbo, iwae, mixture, vamp, flow
                784-400-400-40-400-400-784 on the static images, early stopping, up to 40 minutes
                each
    dynamic     784-256-128-2 on images binarised anew, ten times over

Figures are importance-weighted bounds of 200 draws (500 for `dynamic`), on the 10,000 test
images (2,000 for `short`). Finished runs are kept in FILE with their settings and not run
again, so that a long list can be resumed. What `dynamic` holds out for early stopping are other
binarisations of images that it trains on.

The folder named by SKVAE_DATA has the static binarisation that papers use; without it, the
images come from OpenML and are binarised once with a fixed seed.
"""

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from bench_fit import load_mnist

from skvae import VAETransformer
from skvae.priors import Mixture

STATIC = {
    "latent_dim": 40,
    "likelihood": "bernoulli",
    "hidden_layer_sizes": (400, 400),
    "learning_rate": 1e-3,
    "max_iter": 250,
    "validation_fraction": 1 / 6,
    "random_state": 0,
}
CHANGES = {
    "elbo": {},
    "iwae": {"objective": "iwae", "n_draws": 5},
    "mixture": {"prior": Mixture(200)},
    "vamp": {"prior": "vamp"},
    "flow": {"prior": "flow"},
}
SHORT = {"max_iter": 10, "early_stopping": False}
DYNAMIC = {"latent_dim": 2, "likelihood": "bernoulli", "max_iter": 15, "random_state": 0}
BINARISATIONS = 10


def settings_of(name):
    if name == "dynamic":
        return DYNAMIC
    return (
        STATIC | (SHORT if name.startswith("short ") else {}) | CHANGES[name.removeprefix("short ")]
    )


def run(name):
    """What a run shows."""
    X, X_test = dynamic_images() if name == "dynamic" else static_images()
    start = time.perf_counter()
    vae = VAETransformer(**settings_of(name)).fit(X)
    minutes = (time.perf_counter() - start) / 60
    X_test = (
        X_test[::5] if name.startswith("short ") else X_test
    )  # the first ones are easier than the others
    log_prob = vae.score_samples(X_test, n_draws=500 if name == "dynamic" else 200).mean()
    elbo = vae.score_samples(X_test, n_draws=1).mean()  # with one draw the bound is the ELBO
    return {"epochs": vae.n_iter_, "minutes": minutes, "log-likelihood": log_prob, "ELBO": elbo,
            "settings": repr(settings_of(name))}  # fmt: skip


def static_images():
    """Training and validation images, and test images."""
    folder = os.environ.get("SKVAE_DATA")
    if not folder:
        rng = np.random.default_rng(0)
        return tuple((rng.random(X.shape) < X).astype(np.float32) for X in load_mnist())
    bits = np.load(Path(folder, "binarized_mnist", "binarized_mnist.npz"))
    images = {
        part: np.unpackbits(bits[part], axis=1).astype(np.float32)
        for part in ("train", "valid", "test")
    }
    return np.concatenate([images["train"], images["valid"]]), images["test"]


def dynamic_images():
    """All training images binarised several times, and test images once."""
    rng = np.random.default_rng(0)
    X, X_test = load_mnist()
    X = np.concatenate([rng.random(X.shape, dtype=np.float32) < X for _ in range(BINARISATIONS)])
    return X, rng.random(X_test.shape) < X_test


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="*", default=["short"], metavar="RUN")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    short = [f"short {change}" for change in CHANGES]
    names = [name for given in arguments.runs for name in (short if given == "short" else [given])]
    results = (
        json.loads(arguments.json.read_text()) if arguments.json and arguments.json.exists() else {}
    )
    print("| | epochs | minutes | log-likelihood | ELBO |\n| --- | --- | --- | --- | --- |")
    for name in names:
        if results.get(name, {}).get("settings") != repr(settings_of(name)):
            results[name] = run(name)
        row = results[name]
        print(
            f"| {name} | {row['epochs']} | {row['minutes']:.1f} "
            f"| {row['log-likelihood']:.2f} | {row['ELBO']:.2f} |",
            flush=True,
        )
        if arguments.json:
            arguments.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
