"""Held-out log-density in nats, for every objective, posterior and prior, beside two baselines.

    python benchmarks/bench_density.py [--json FILE] [--quick] [--sets wine,abalone,...] [PART ...]

    choices     one base model with one part changed at a time, and what each costs per step, on
                5,000 rows of each set at most; and the baselines, FactorAnalysis and
                GaussianMixture, tuned by validation rows
    tuned       the best of a short list by validation rows, beside the baselines tuned alike

All models get the same data: columns of real numbers with uniform noise as wide as the
column's resolution, since ties would make a contest of noise floors; and the same floor, a
thousandth of a column's standard deviation. 60 % of the rows are for training, 20 % for
tuning and 20 % for the figures shown, which are nats per row in the units of the data.
`--quick` shows in minutes that all parts run: its figures mean nothing.

Data come from scikit-learn and from the folder named by SKVAE_DATA, else from OpenML.
"""

import argparse
import json
import os
import statistics
import time
import warnings
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pandas as pd
from machine import machine
from sklearn.datasets import fetch_openml, load_breast_cancer, load_diabetes, load_wine
from sklearn.decomposition import FactorAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from skvae import VAETransformer
from skvae.likelihoods import Gaussian
from skvae.objectives import Capacity
from skvae.priors import Mixture

CELL = Gaussian(scale="cell")
BASE = {"latent_dim": 6, "likelihood": CELL, "random_state": 0}
CHOICES = {
    "base: elbo, gaussian posterior, normal prior": {},
    "objective iwae, 10 draws": {"objective": "iwae", "n_draws": 10},
    "objective elbo, 10 draws": {"n_draws": 10},
    "objective capacity, 5 nats": {"objective": Capacity(nats=5.0)},
    "objective free_bits": {"objective": "free_bits"},
    "posterior full_gaussian": {"posterior": "full_gaussian"},
    "posterior flow": {"posterior": "flow"},
    "prior mixture": {"prior": "mixture"},
    "prior vamp": {"prior": "vamp"},
    "prior flow": {"prior": "flow"},
    "prior fitted": {"prior": "fitted"},
    "likelihood with a scale per column": {"likelihood": "gaussian"},
    "mixture, iwae, 10 draws": {"prior": "mixture", "objective": "iwae", "n_draws": 10},
    "mixture, full_gaussian": {"prior": "mixture", "posterior": "full_gaussian"},
}
PATIENT = {"max_iter": 1000, "n_iter_no_change": 50, "random_state": 0}
LINEAR = {"hidden_layer_sizes": (), "posterior": "full_gaussian", "learning_rate": 5e-3, **PATIENT}
TUNED = [
    {**BASE, "prior": "mixture"},
    {**BASE, "prior": "mixture", "likelihood": "gaussian"},
    {**BASE, "prior": "mixture", "objective": "iwae", "n_draws": 10, "max_iter": 400},
    {**BASE, "prior": "mixture", "posterior": "full_gaussian", "max_iter": 400},
    {**LINEAR, "latent_dim": 20, "prior": Mixture(5), "likelihood": CELL},
    {**LINEAR, "latent_dim": 20, "prior": Mixture(5)},
    {**LINEAR, "latent_dim": 8, "prior": Mixture(5)},
    {**LINEAR, "latent_dim": 8},
]
COMPONENTS, MANY_COMPONENTS, MANY_ROWS = (1, 2, 3, 5, 8, 12, 20, 30), (50, 80), 5000
REGULARISATIONS = 1e-6, 1e-3, 1e-2  # the first is the square of a thousandth
CHOICE_ROWS = 5000
COST_SET, COST_EPOCHS = "abalone", 20

FILES = {
    "red wine": (
        "tabular/winequality-red.csv.gz",
        {"sep": ";"},
        ("wine-quality-red", 1),
        slice(11),
    ),
    "banknote": (
        "tabular/banknote_authentication.csv.gz",
        {"header": None},
        ("banknote-authentication", 1),
        slice(4),
    ),
    "abalone": ("tabular/abalone.data.gz", {"header": None}, ("abalone", 1), slice(1, 8)),
    "California": ("tabular/california_housing.csv.gz", {}, ("california_housing", 1), slice(9)),
    "magic": ("tabular/magic04.data.gz", {"header": None}, ("MagicTelescope", 1), slice(10)),
}
SHIPPED = {
    "wine": load_wine,
    "breast cancer": load_breast_cancer,
    "diabetes": lambda: load_diabetes(scaled=False),
}


# Parts ----------------------------------------------------------------------------------


def choices(arguments):
    tables = {name: split(name, arguments.quick, CHOICE_ROWS) for name in arguments.sets}
    rows = {}
    for label, parts in CHOICES.items():
        scores = {
            name: score(vae(BASE | parts, arguments.quick), *table)[1]
            for name, table in tables.items()
        }
        rows[label] = scores | {"ms per step": cost(BASE | parts, arguments.quick)}
        show_row(label, rows[label])
    for label, models in {
        "FactorAnalysis, tuned": factor_analyses,
        "GaussianMixture, tuned": mixtures,
    }.items():
        rows[label] = {
            name: best(models(table, arguments.quick), table)[0] for name, table in tables.items()
        }
        rows[label]["ms per step"] = "-"
    show(
        f"choices: held-out nats per row, {BASE} with one part changed; "
        f"milliseconds per step of warm fits on {COST_SET}, median of 3",
        rows,
    )
    return rows


def tuned(arguments):
    rows = {}
    for name in arguments.sets:
        table = split(name, arguments.quick)
        found = {
            "VAETransformer": [
                (f"model {i}", vae(parts, arguments.quick)) for i, parts in enumerate(TUNED, 1)
            ],
            "FactorAnalysis": factor_analyses(table, arguments.quick),
            "GaussianMixture": mixtures(table, arguments.quick),
        }
        rows[name] = {"rows": sum(map(len, table)), "columns": table[0].shape[1]}
        for label, models in found.items():
            shown, which = best(models, table)
            rows[name] |= {label: shown, f"{label}: chosen": which}
        show_row(name, rows[name])
    listed = "\n".join(f"    {i}  {parts}" for i, parts in enumerate(TUNED, 1))
    show(
        "tuned: held-out nats per row of the best model by validation rows. "
        f"VAETransformer's models:\n{listed}",
        rows,
    )
    return rows


def best(models, table):
    """The test score of the model with the best validation score, and its name."""
    (_, shown), which = max((score(model, *table), which) for which, model in models)
    return shown, which


def factor_analyses(table, quick):
    return [
        (f"{k} factors", FactorAnalysis(k)) for k in range(1, 3 if quick else table[0].shape[1])
    ]


def mixtures(table, quick):
    counts = COMPONENTS + (MANY_COMPONENTS if len(table[0]) > MANY_ROWS else ())
    return [
        (
            f"{k} {shape}, {floor:g}",
            GaussianMixture(k, covariance_type=shape, reg_covar=floor, random_state=0),
        )
        for k in (counts[:2] if quick else counts)
        for shape in ("full", "diag", "tied")
        for floor in REGULARISATIONS
    ]


def vae(parts, quick):
    return VAETransformer(**parts, **({"max_iter": 3} if quick and "max_iter" not in parts else {}))


def score(model, train, validation, test):
    """Mean log-density of validation and test rows. scikit-learn's models see standardised ones."""
    if isinstance(model, VAETransformer):
        model.fit(train)
        return model.score(validation), model.score(test)
    scaler = StandardScaler().fit(train)
    log_scale = np.log(scaler.scale_).sum()
    model.fit(scaler.transform(train))
    return tuple(model.score(scaler.transform(rows)) - log_scale for rows in (validation, test))


def cost(parts, quick):
    """Milliseconds per step of a fit whose program is there: the first of four fits makes it."""
    train, _, _ = split(COST_SET, quick)
    settings = parts | {
        "early_stopping": False,
        "max_iter": 2 if quick else COST_EPOCHS,
        "batch_size": 128,
    }
    seconds = []
    for _ in range(4):
        start = time.perf_counter()
        VAETransformer(**settings).fit(train)
        seconds.append(time.perf_counter() - start)
    return 1000 * statistics.median(seconds[1:]) / (settings["max_iter"] * -(-len(train) // 128))


# Data and tables ------------------------------------------------------------------------


def split(name, quick, n_rows=None):
    """Training, validation and test rows of real numbers without ties, of n_rows rows at most."""
    rng = np.random.default_rng(0)
    X = load(name).astype(float)
    X = X[:300] if quick else X if n_rows is None else X[rng.permutation(len(X))[:n_rows]]
    X = X + (rng.random(X.shape) - 0.5) * [
        np.diff(np.unique(column.round(9))).min() for column in X.T
    ]
    train, others = train_test_split(X, train_size=0.6, random_state=0)
    return train, *train_test_split(others, train_size=0.5, random_state=0)


def load(name):
    if name in SHIPPED:
        return SHIPPED[name]().data
    file, options, openml, columns = FILES[name]
    if "SKVAE_DATA" in os.environ:
        table = pd.read_csv(Path(os.environ["SKVAE_DATA"], file), **options)
    else:
        table = fetch_openml(openml[0], version=openml[1], as_frame=True).frame
    return table.iloc[:, columns].dropna().to_numpy()


def show(title, rows):
    columns = list(next(iter(rows.values())))
    print(f"\n{title}\n\n| | {' | '.join(columns)} |\n|{' --- |' * (len(columns) + 1)}")
    for label, row in rows.items():
        show_row(label, row)


def show_row(label, row):
    cells = (f"{value:.2f}" if isinstance(value, float) else str(value) for value in row.values())
    print(f"| {label} | {' | '.join(cells)} |", flush=True)


PARTS = {"choices": choices, "tuned": tuned}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", default=list(PARTS), metavar="PART")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--sets", type=lambda names: names.split(","), default=[*SHIPPED, *FILES])
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    print(machine())
    results = {part: PARTS[part](arguments) for part in arguments.parts}
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2, default=float))


if __name__ == "__main__":
    main()
