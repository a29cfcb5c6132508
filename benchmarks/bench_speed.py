"""Speed beside Keras, PyTorch, pyod and scikit-learn: one run, side by side.

    python benchmarks/bench_speed.py [--json FILE] [--quick] [PART ...]

    short       whole warm fits of 100, 1,000 and 10,000 steps on three shapes
    long        the same of 100,000 steps: nearly two hours
    quality     seconds to the held-out bound that the textbook VAE of Keras has after 50 epochs
    search      a grid search of 5 folds and 12 candidates, beside one over a naive Keras estimator
    inference   one row, a million rows, a million draws, scores
    first       what the first fit of a process takes: import, trace, train
    memory      peak of a fit on a million rows, and what 200 fits leave
    growth      seconds per epoch as rows, columns and draws grow

Repeats take turns, and ratios are medians over neighbours. Each side is warmed up first. PyTorch
and pyod take part where they are installed (`pip install torch pyod`). `--quick` shows in
minutes that all parts run: its figures mean little.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import warnings
from itertools import pairwise
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import pandas as pd
from bench_fit import load_mnist, show, textbook_vae, timed
from machine import machine
from sklearn.base import BaseEstimator
from sklearn.datasets import fetch_openml, load_digits
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skvae import VAETransformer

REPEATS = 5
SHAPES = {  # hidden layers, latent dimensions, batch, likelihood
    "small": ((64, 64), 8, 128, "gaussian"),
    "Adult": ((128, 64), 8, 128, "gaussian"),
    "wide": ((256,), 2, 100, "bernoulli"),
}
DROPOUT = 0.2
KERAS_EPOCHS = 50
BUDGETS = 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64


# Whole fits -----------------------------------------------------------------------------


def short(quick):
    return whole_fits({100: 1} if quick else {100: REPEATS, 1_000: REPEATS, 10_000: 1})


def long(quick):
    return whole_fits({1_000 if quick else 100_000: 1})


def whole_fits(repeats):
    """Seconds of fits of so many steps, and their ratios, for each shape.

    Where they are not repeated only skvae, whose programs depend on the length, does one before
    that does not count: others take so many steps that a first one makes no difference.
    """
    tables = {}
    for name, (hidden, latent_dim, batch, likelihood) in SHAPES.items():
        columns = {}
        for n_steps, n in repeats.items():
            X, epochs = of_length(data(name)[0], n_steps, batch)
            runs = {
                label: make(X, hidden, latent_dim, batch, likelihood, epochs)
                for label, make in TRAINERS.items()
            }
            runs = {label: run for label, run in runs.items() if run}
            columns[n_steps] = compared(runs, n, warm=list(runs) if n > 1 else ["skvae"])
        tables[name] = {
            label: {
                f"{n_steps:,} steps: {what}": value
                for n_steps, rows in columns.items()
                for what, value in rows[label].items()
            }
            for label in runs
        }
        setting = f"{hidden}, latent {latent_dim}, dropout {DROPOUT}, batch {batch}, {likelihood}"
        show(f"{name}: {X.shape[0]} x {X.shape[1]} at most, {setting}", tables[name])
    return tables


def of_length(X, n_steps, batch):
    """Rows, all or fewer, and the epochs in which a fit of them has so many steps."""
    epochs = -(-n_steps * batch // len(X))
    return X[: n_steps * batch // epochs], epochs


def compared(runs, repeats, warm):
    """Medians of runs that take turns, and of their ratios to the first."""
    for label in warm:
        runs[label]()
    times = {label: [] for label in runs}
    for _ in range(repeats):
        for label, run in runs.items():
            times[label].append(timed(run)[0])
    first = next(iter(times.values()))
    return {
        label: {
            "s": statistics.median(t),
            "times": statistics.median(a / b for a, b in zip(t, first, strict=True)),
        }
        for label, t in times.items()
    }


def skvae_trainer(X, hidden, latent_dim, batch, likelihood, epochs):
    vae = VAETransformer(
        latent_dim,
        hidden_layer_sizes=hidden,
        dropout=DROPOUT,
        likelihood=likelihood,
        batch_size=batch,
        max_iter=epochs,
        early_stopping=False,
        random_state=0,
    )
    return lambda: vae.fit(X)


def keras_trainer(X, hidden, latent_dim, batch, likelihood, epochs, steps_per_execution=1):
    model = textbook_vae(X.shape[1], hidden, latent_dim, DROPOUT, likelihood, 1e-3)
    model.steps_per_execution = steps_per_execution
    y = X if likelihood == "bernoulli" else None
    return lambda: model.fit(X, y, batch_size=batch, epochs=epochs, verbose=0)


def keras_in_chunks(*settings):
    return keras_trainer(*settings, steps_per_execution=32)


def torch_trainer(X, hidden, latent_dim, batch, likelihood, epochs):
    try:
        import torch
    except ImportError:
        return None
    from torch import nn

    def stack(sizes):
        inner = [
            part
            for a, b in pairwise(sizes[:-1])
            for part in (nn.Linear(a, b), nn.ReLU(), nn.Dropout(DROPOUT))
        ]
        return nn.Sequential(*inner, nn.Linear(*sizes[-2:]))

    encoder = stack((X.shape[1], *hidden, 2 * latent_dim))
    decoder = stack((latent_dim, *reversed(hidden), X.shape[1]))
    log_scale = nn.Parameter(torch.zeros(X.shape[1]))
    optimizer = torch.optim.Adam(
        [*encoder.parameters(), *decoder.parameters(), log_scale], fused=True
    )
    rows = torch.from_numpy(np.ascontiguousarray(X, np.float32))

    def nll(x, raw):
        if likelihood == "bernoulli":
            return nn.functional.binary_cross_entropy_with_logits(raw, x, reduction="none")
        return 0.5 * ((x - raw) * torch.exp(-log_scale)) ** 2 + log_scale

    def train():
        for _ in range(epochs):
            for places in torch.randperm(len(rows)).split(batch):
                x = rows[places]
                mean, log_variance = encoder(x).chunk(2, dim=-1)
                z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
                kl = 0.5 * (mean**2 + torch.exp(log_variance) - 1 - log_variance).sum(-1)
                loss = (nll(x, decoder(z)).sum(-1) + kl).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

    return train


def pyod_trainer(X, hidden, latent_dim, batch, likelihood, epochs):
    try:
        from pyod.models.vae import VAE
    except ImportError:
        return None
    model = VAE(
        encoder_neuron_list=list(hidden),
        decoder_neuron_list=list(reversed(hidden)),
        latent_dim=latent_dim,
        batch_size=batch,
        epoch_num=epochs,
        dropout_rate=DROPOUT,
        batch_norm=False,
        verbose=0,
    )
    return lambda: model.fit(X)


def mlp_trainer(X, hidden, latent_dim, batch, likelihood, epochs):
    layers = (*hidden, latent_dim, *reversed(hidden))
    mlp = MLPRegressor(
        hidden_layer_sizes=layers, batch_size=batch, max_iter=epochs, tol=0, n_iter_no_change=epochs
    )
    return lambda: mlp.fit(X, X)


def products(X, hidden, latent_dim, batch, likelihood, epochs):
    """The matrix products of forward and backward passes alone."""
    rng = np.random.default_rng(0)
    stacks = (X.shape[1], *hidden, 2 * latent_dim), (latent_dim, *reversed(hidden), X.shape[1])
    shapes = [(a, b) for sizes in stacks for a, b in pairwise(sizes)]
    layers = [
        [rng.normal(size=s).astype("f4") for s in ((batch, a), (a, b), (batch, b))]
        for a, b in shapes
    ]

    def run():
        for _ in range(epochs * -(-len(X) // batch)):
            for i, (x, kernel, gradient) in enumerate(layers):
                x @ kernel
                x.T @ gradient
                if i:  # nothing needs the gradient of the rows themselves
                    gradient @ kernel.T

    return run


TRAINERS = {
    "skvae": skvae_trainer,
    "keras.Model.fit": keras_trainer,
    "keras.Model.fit, 32 steps per execution": keras_in_chunks,
    "PyTorch, eager": torch_trainer,
    "pyod VAE, with the scores that end its fit": pyod_trainer,
    "MLPRegressor": mlp_trainer,
    "matrix products alone": products,
}


# Time to quality ------------------------------------------------------------------------


def quality(quick):
    """The shortest warm fit of a short list of epochs that reaches the textbook VAE's bound."""
    rows = {}
    for name, (hidden, latent_dim, batch, likelihood) in SHAPES.items():
        X, X_test = data(name)
        epochs = 2 if quick else KERAS_EPOCHS
        y, y_test = (X, X_test) if likelihood == "bernoulli" else (None, None)
        fresh = lambda: textbook_vae(X.shape[1], hidden, latent_dim, 0.0, likelihood, 1e-3)  # noqa: B023, E731
        fresh().fit(X[:batch], None if y is None else y[:batch], batch_size=batch, verbose=0)
        keras.utils.set_random_seed(0)
        model = fresh()
        keras_seconds, _ = timed(
            lambda: model.fit(X, y, batch_size=batch, epochs=epochs, verbose=0)  # noqa: B023
        )
        target = -float(model.evaluate(X_test, y_test, verbose=0))
        for budget in BUDGETS:
            vae = VAETransformer(
                latent_dim,
                hidden_layer_sizes=hidden,
                likelihood=likelihood,
                max_iter=budget,
                early_stopping=False,
                random_state=0,
            )
            vae.fit(X)
            seconds, _ = timed(lambda: vae.fit(X))  # noqa: B023
            reached = vae.score_samples(X_test, n_draws=1).mean()
            if reached >= target:
                break
        rows[name] = {"Keras: epochs": epochs, "Keras: s": keras_seconds, "Keras: ELBO": target,
                      "skvae: epochs": budget, "skvae: s": seconds, "skvae: ELBO": reached,
                      "times faster": keras_seconds / seconds}  # fmt: skip
    show(
        "quality: held-out one-draw ELBO in nats; whole warm fits without dropout; "
        "skvae with its own batch size and learning rate",
        rows,
    )
    return rows


# Grid search ----------------------------------------------------------------------------


class NaiveKeras(BaseEstimator):
    """What most people write: a model per fit, trained by `keras.Model.fit`."""

    def __init__(self, hidden=(64,), learning_rate=1e-3, dropout=0.0, epochs=50):
        self.hidden = hidden
        self.learning_rate = learning_rate
        self.dropout = dropout
        self.epochs = epochs

    def fit(self, X, y=None):
        self.model_ = textbook_vae(
            X.shape[1], self.hidden, 8, self.dropout, "gaussian", self.learning_rate
        )
        self.model_.fit(X, batch_size=64, epochs=self.epochs, verbose=0)
        return self

    def score(self, X, y=None):
        return -float(self.model_.evaluate(X, verbose=0))


def search(quick):
    X = StandardScaler().fit_transform(load_digits().data).astype(np.float32)
    epochs, rates, dropouts = 2 if quick else 50, [1e-3, 3e-3], [0.0, 0.1]
    hidden = [(64,), (128, 64), (256, 128)]
    cv = KFold(5, shuffle=True, random_state=0)
    vae = VAETransformer(8, batch_size=64, max_iter=epochs, early_stopping=False, random_state=0)
    grid = {"hidden_layer_sizes": hidden, "learning_rate": rates, "dropout": dropouts}
    naive_grid = {"hidden": hidden, "learning_rate": rates, "dropout": dropouts}
    searches = {
        f"skvae, n_jobs={n}": GridSearchCV(vae, grid, cv=cv, refit=False, n_jobs=n) for n in (1, 2)
    }
    searches["naive Keras, n_jobs=1"] = GridSearchCV(
        NaiveKeras(epochs=epochs), naive_grid, cv=cv, refit=False
    )
    rows = {}
    for label, found in searches.items():
        seconds, _ = timed(lambda: found.fit(X))  # noqa: B023
        rows[label] = {"s": seconds, "best score": found.best_score_}
    for row in rows.values():
        row["times skvae, n_jobs=1"] = row["s"] / rows["skvae, n_jobs=1"]["s"]
    show(
        f"search: digits, 5 folds x 12 candidates of 3 architectures, {epochs} epochs; "
        "the first search traces its programs",
        rows,
    )
    return rows


# After fit ------------------------------------------------------------------------------


def inference(quick):
    n = 20_000 if quick else 1_000_000
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(n, 5)).astype("f4") @ rng.normal(size=(5, 30)).astype("f4")).astype("f4")
    vae = VAETransformer(8, max_iter=10, random_state=0).fit(X[:10_000])
    (
        vae.transform(X[:1]),
        vae.transform(X[:5000]),
        vae.sample(5000),
        vae.score_samples(X[:1000], n_draws=100),
    )
    single = [
        1e3 * timed(lambda i=i: vae.transform(X[i : i + 1]))[0]
        for i in range(100 if quick else 2000)
    ]
    bulk, _ = timed(lambda: vae.transform(X))
    drawn, _ = timed(lambda: vae.sample(n, random_state=0))
    scored, _ = timed(lambda: vae.score_samples(X[: n // 20], n_draws=100))
    rows = {
        "transform of one row, p50 ms": np.percentile(single, 50),
        "transform of one row, p99 ms": np.percentile(single, 99),
        f"transform of {n} rows, rows per s": n / bulk,
        f"sample({n}), s": drawn,
        f"score_samples of {n // 20} rows, 100 draws, rows per s": n // 20 / scored,
    }
    show(
        "inference: 30 columns, default layers, latent 8",
        {label: {"": value} for label, value in rows.items()},
    )
    return rows


# The first fit, and memory --------------------------------------------------------------

FIRST = """
import time; start = time.perf_counter()
import numpy as np
from skvae import VAETransformer
X = np.random.default_rng(0).normal(size=(10_000, 30))
import tensorflow, keras
imported = time.perf_counter()
vae = VAETransformer(8, hidden_layer_sizes=(64, 64), max_iter=10, early_stopping=False)
vae.fit(X); first = time.perf_counter()
vae.fit(X); second = time.perf_counter()
print(imported - start, first - imported - (second - first), second - first)
"""
PEAK = """
import numpy as np, tensorflow, keras, scipy.stats, pandas, narwhals, sklearn.mixture
from skvae import VAETransformer
few = np.random.default_rng(0).normal(size=(1000, 30)).astype("f4")
VAETransformer(8, max_iter={before}).fit(few)
def resident(which):  # in bytes; getrusage would count what the parent process once took
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith(which))
before = resident("VmRSS")
X = np.random.default_rng(0).standard_normal(({n}, 30), np.float32)
VAETransformer(8, max_iter=2).fit(X)
print((resident("VmHWM") - before) / X.nbytes)
"""
GROWN = """
import gc, numpy as np
from skvae import VAETransformer
X = np.random.default_rng(0).normal(size=(200, 5))
def resident():
    gc.collect()
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * 4096
for i in range({n} + 20):
    VAETransformer(max_iter=3, random_state=i).fit(X).score(X)
    if i == 19:
        before = resident()
print((resident() - before) / 2**20)
"""


def alone(code):
    """The numbers that a process of its own prints."""
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    return [float(number) for number in printed.split()]


def first(quick):
    runs = [alone(FIRST) for _ in range(1 if quick else REPEATS)]
    row = dict(
        zip(
            ["import s", "trace and compile s", "train s"],
            np.median(runs, axis=0).tolist(),
            strict=True,
        )
    )
    show("first: 10,000 x 30, 64-64, 10 epochs, in a process of its own, medians", {"skvae": row})
    return row


def memory(quick):
    n = 20_000 if quick else 1_000_000
    peak = (
        f"peak of a fit on {n} x 30 float32, times the data (itself counted), "
        "beyond imports and a small fit"
    )
    rows = {
        peak: alone(PEAK.format(n=n, before=1))[0],
        f"{peak} that was compiled by XLA": alone(PEAK.format(n=n, before=100))[0],
        "growth over 200 fits, MB": alone(GROWN.format(n=10 if quick else 200))[0],
    }  # fmt: skip
    show("memory", {label: {"": value} for label, value in rows.items()})
    return rows


# Growth ---------------------------------------------------------------------------------


def growth(quick):
    """Seconds per epoch, and the slope on a log-log plot between the last two sizes."""
    rng = np.random.default_rng(0)
    most = 1000 if quick else None
    scales = {
        "rows, of 30 columns": [(n, 30, 1) for n in (1000, 10_000, 100_000, 1_000_000)],
        "columns, of 10,000 rows": [(10_000, d, 1) for d in (10, 100, 500, 2000)],
        "draws, of 10,000 x 30": [(10_000, 30, k) for k in (1, 5, 10, 50)],
    }
    tables = {}
    for title, sizes in scales.items():
        rows = {}
        for n, d, k in sizes:
            X = rng.standard_normal((min(n, most or n), d), np.float32)
            seconds = epoch_seconds(X, k)
            rows[" x ".join(map(str, (n, d, k)))] = {"s per epoch": seconds}
        (a, b), times = sizes[-2:], [row["s per epoch"] for row in rows.values()]
        rows["slope between the last two"] = {
            "s per epoch": np.log(times[-1] / times[-2]) / np.log(np.prod(b) / np.prod(a))
        }
        show(f"growth with {title}: batch 128, default layers", rows)
        tables[title] = rows
    return tables


def epoch_seconds(X, n_draws, batch=128, least=600):
    """The difference between fits of some epochs and of twice as many, without what is done once.

    They have steps enough for one program to serve them all.
    """
    few = -(-least * batch // len(X))
    vae = VAETransformer(
        8, n_draws=n_draws, batch_size=batch, early_stopping=False, random_state=0, max_iter=few
    )
    vae.fit(X)
    times = [
        min(timed(lambda: vae.set_params(max_iter=n).fit(X))[0] for _ in range(2))  # noqa: B023
        for n in (few, 2 * few)
    ]
    return (times[1] - times[0]) / few


# Data -----------------------------------------------------------------------------------


def data(name):
    """Training and held-out rows."""
    if name == "wide":
        return load_mnist()
    X = simulated() if name == "small" else adult()
    edge = len(X) * 5 // 6
    return X[:edge], X[edge:]


def simulated():
    """12,000 rows of 30 columns around a curved surface of 5 dimensions."""
    rng = np.random.default_rng(0)
    inner = np.tanh(rng.normal(size=(12_000, 5)) @ rng.normal(size=(5, 20)))
    X = inner @ rng.normal(size=(20, 30)) + 0.3 * rng.normal(size=(12_000, 30))
    return StandardScaler().fit_transform(X).astype(np.float32)


def adult():
    """Adult's numbers standardised and its labels one-hot."""
    if "SKVAE_DATA" in os.environ:
        file = Path(os.environ["SKVAE_DATA"], "tabular", "adult.data.gz")
        table = pd.read_csv(file, header=None, skipinitialspace=True)
    else:
        table = fetch_openml("adult", version=2, as_frame=True).frame
    numbers = table.select_dtypes("number")
    labels = table.drop(columns=numbers.columns).astype(str)
    columns = [
        StandardScaler().fit_transform(numbers),
        OneHotEncoder(sparse_output=False).fit_transform(labels),
    ]
    X = np.hstack(columns).astype(np.float32)
    return X[np.random.default_rng(0).permutation(len(X))]


PARTS = {
    part.__name__: part for part in (short, long, quality, search, inference, first, memory, growth)
}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", default=list(PARTS), metavar="PART")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"{machine()}, Keras {keras.__version__}")
    results = {}
    for part in arguments.parts:
        results[part] = PARTS[part](arguments.quick)
        if arguments.json:
            arguments.json.write_text(json.dumps(results, indent=2, default=float))


if __name__ == "__main__":
    main()
