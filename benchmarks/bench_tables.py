"""Mixed tables, beside baselines: synthetic rows, imputation, outliers, counts, dtypes and cost.

    python benchmarks/bench_tables.py [--json FILE] [--quick] [--full] [--sets adult,...] [PART ...]

Each part is one table, measured in one run:

    fidelity    real and synthetic rows: shapes, trends, use for learning, privacy
    raw         whether synthetic rows of files as they are can be told from the files' own rows
    dependence  rows of made tables in which columns still go together, by VAESynthesizer
    membership  whether synthetic rows, or scores, give away which rows a model was trained on
    imputation  error of hidden cells of numeric sets, half of them or a fifth hidden
    hivae       error of hidden cells of the mixed sets of the HI-VAE paper, with its own masks
    outliers    ROC AUC on sets of ADBench, trained on normal rows
    counts      held-out score of count columns, beside independent columns
    round_trip  whether dtypes, names and categories come back, and seconds per epoch
    min_count   held-out score and fidelity where values of few rows are kept and where they are not
    cost        a mixed table against floats of the same shape, and peak memory of a large fit

`--sets` names the tables of fidelity and membership (default: adult) and of raw and round_trip
(default: all), `--seeds` the seeds of the first four and the masks of imputation, `--only` the
generators of fidelity (its tables have a tenth of the rows for tests, as TabSyn's, and Adult its
own). `--full` adds slow baselines (TabularARGN of mostlyai-engine among them, and `miceforest`,
which wants `lightgbm<4.6`) and all sets of outliers; `--quick` shows in minutes that all parts run,
on few rows and epochs: its figures mean nothing. Four columns of fidelity and those of raw need
`pip install sdmetrics xgboost`.

Data come from the folder named by SKVAE_DATA, else from OpenML where a set is there.
"""

import argparse
import json
import multiprocessing
import os
import resource
import statistics
import time
import warnings
import zipfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault(
    "OMP_WAIT_POLICY", "PASSIVE"
)  # boosted trees are 60 times slower where busy cores spin

import numpy as np
import pandas as pd
from dependence import CASES, DRAWN, ROWS, kept
from fidelity import (
    FEW_ROWS,
    compare,
    distance_space,
    is_number,
    plain,
    sdmetrics_is_there,
    told_apart,
    two_samples,
)
from machine import machine
from pandas.api.types import is_integer_dtype
from scipy import stats
from scipy.optimize import minimize_scalar
from sklearn.datasets import fetch_openml, load_breast_cancer, load_wine
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    ExtraTreesRegressor,
    IsolationForest,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.metrics import mean_absolute_error, mean_squared_error, roc_auc_score
from sklearn.model_selection import KFold, cross_val_score, train_test_split
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from skvae import VAEImputer, VAEOutlierDetector, VAESynthesizer, VAETransformer

FIDELITY_VAE = {"latent_dim": 32, "max_iter": 100}
IMPUTATION_VAE = {}  # the imputer's own
HIVAE_VAE = {"latent_dim": 10, "max_iter": 100}
OUTLIERS_VAE = {}  # the detector's own
COUNTS_VAE = {"latent_dim": 4}
MIN_COUNT_VAE = {"latent_dim": 16, "max_iter": 30}
ROUND_TRIP_VAE = {"latent_dim": 8, "max_iter": 10}
COST_VAE = {"latent_dim": 8, "max_iter": 5, "early_stopping": False}
QUICK_EPOCHS, QUICK_ROWS = 3, 2000

HIDDEN = {0.5: mean_squared_error, 0.2: mean_absolute_error}
DONORS = 5000  # rows that kNN imputation of the HI-VAE sets takes values from
OUTLIER_SETS, NORMAL_ROWS = 17, 10_000
MIN_COUNT_SETS, LEAST, SEEDS = ["adult", "shoppers", "ames", "NMES1988"], (1, 5), 3
FEW_MEMBERS, TOLD = 450, 2000
REPEATS = 5
LARGE_ROWS = 1_000_000

# Names as on OpenML, where the files have none
ADULT_COLUMNS = [
    "age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation",
    "relationship", "race", "sex", "capital-gain", "capital-loss", "hours-per-week",
    "native-country", "class",
]  # fmt: skip
MUSHROOM_COLUMNS = ["class", *(f"trait-{i}" for i in range(1, 23))]
ADULT = {"header": None, "names": ADULT_COLUMNS, "skipinitialspace": True, "na_values": "?"}
MAGIC_COLUMNS = ["length", "width", "size", "conc", "conc1", "asym", "m3long", "m3trans", "alpha",
                 "dist", "class"]  # fmt: skip
MAGIC = {"header": None, "names": MAGIC_COLUMNS}
MUSHROOM = {"header": None, "names": MUSHROOM_COLUMNS, "na_values": "?"}
FILES = {
    "adult": ("tabular/adult.data.gz", ADULT),
    "shoppers": ("tabular/online_shoppers_intention.csv.gz", {}),
    "magic": ("tabular/magic04.data.gz", MAGIC),
    "beijing": ("tabular/beijing_pm25.csv.gz", {}),
    "ames": ("tabular/ames_housing.csv.gz", {}),
    "mushroom": ("tabular/agaricus-lepiota.data.gz", MUSHROOM),
    "california": ("tabular/california_housing.csv.gz", {}),
    "credit": ("tabular/R_credit_data.csv.gz", {}),
    "flchain": ("tabular/R_flchain.csv.gz", {}),
    "nafld1": ("tabular/R_nafld1.csv.gz", {}),
    "snsdata": ("counts/snsdata.csv.gz", {}),
    "NMES1988": ("counts/NMES1988.csv.gz", {}),
    "banknote": ("tabular/banknote_authentication.csv.gz", {"header": None}),
    "yeast": ("tabular/yeast.data.gz", {"header": None, "sep": r"\s+"}),
    "red wine": ("tabular/winequality-red.csv.gz", {"sep": ";"}),
}
OPENML = {
    "adult": ("adult", 2),
    "magic": ("MagicTelescope", 1),
    "mushroom": ("mushroom", 1),
    "banknote": ("banknote-authentication", 1),
    "yeast": ("yeast", 1),
    "red wine": ("wine-quality-red", 1),
}
MIXED = ["adult", "shoppers", "beijing", "ames", "mushroom", "snsdata", "NMES1988"]
RAW = ["ames", "beijing", "snsdata", "NMES1988", "mushroom", "california", "shoppers", "flchain",
       "nafld1", "credit"]  # fmt: skip
IDENTIFIERS = ["No", "Order", "PID", "rownames"]
TARGETS = {
    "adult": "class",
    "shoppers": "Revenue",
    "magic": "class",
    "default": "cat-23",
    "beijing": "pm2.5",
    "ames": "SalePrice",
    "mushroom": "class",
}
NUMERIC = {  # name and how many of its leading numeric columns
    "banknote": ("banknote", 4),
    "yeast": ("yeast", 8),
    "red wine": ("red wine", 11),
}
HIVAE_TABLES = {"default": "defaultCredit"}  # that come with its code
HIVAE_SETS = ["Adult", "Breast", "Wine", "defaultCredit", "letter", "spam"]
COUNTS = ["visits", "nvisits", "ovisits", "novisits", "emergency", "hospital"]


# Fidelity -------------------------------------------------------------------------------


def fidelity(arguments):
    rows = {}
    for name in arguments.sets or ["adult"]:
        train, test = split(name, arguments.quick, 0.1)
        target = TARGETS.get(name)
        rows[f"{name}, real rows"] = compare(train, test, target)
        for label, generate in generators(train, arguments).items():
            runs = []
            for seed in range(arguments.seeds):
                make = partial(generate, train, len(train), arguments.quick, seed)
                seconds, synthetic = timed(make)
                own = compare(train, test, target, synthetic) | {"fit and sample s": seconds}
                runs.append(own)
            rows[f"{name}, {label}"] = means(runs)
    needed = "" if sdmetrics_is_there() else " The first three columns need sdmetrics."
    show(
        f"fidelity: as many synthetic rows as training rows, all against the training rows, means "
        f"of {arguments.seeds} seeds; the real rows are the test rows, but for AUC or R2 (boosted "
        "trees, tested on the test rows) the training rows. C2ST: 2 (1 - AUC) of XGBoost at "
        "telling rows from training rows, 1 is ideal. Nearer to training rows: 0.5 is ideal, 1 is "
        "copying. Distance: the median to the nearest training row over that of the test rows. "
        f"Missing categories have {FEW_ROWS} or more training rows.{needed}",
        rows,
    )
    return rows


def generators(train, arguments):
    """What makes rows like those of a table: all, or those that `--only` names."""
    found = GENERATORS | (WITHOUT_HOLES if train.isna().any(axis=None) else {})
    found |= SLOW if arguments.full else {}
    unknown = set(arguments.only or ()) - set(GENERATORS | WITHOUT_HOLES | SLOW)
    if unknown:
        raise SystemExit(f"--only names {unknown}, but there are {list(found)} (more by --full).")
    return {label: found[label] for label in arguments.only or found if label in found}


def means(runs):
    return {
        part: None if value is None else statistics.fmean(run[part] for run in runs)
        for part, value in runs[0].items()
    }


def vae_rows(train, n, quick, seed, **more):
    vae = VAETransformer(**settings(FIDELITY_VAE | more | {"random_state": seed}, quick))
    return vae.fit(train).sample(n, random_state=0)


def interpolated_rows(train, n, quick, seed):
    """Rows between a random row and one of its five nearest neighbours, as SMOTE makes them."""
    rng = np.random.default_rng(seed)
    table = plain(train)
    x = distance_space(table).fit_transform(table).astype(np.float32)
    neighbours = (
        NearestNeighbors(n_neighbors=5, algorithm="brute").fit(x).kneighbors(return_distance=False)
    )
    row = rng.integers(len(train), size=n)
    neighbour = neighbours[row, rng.integers(5, size=n)]
    a, b = (train.iloc[rows].reset_index(drop=True) for rows in (row, neighbour))
    share = rng.random(n)
    return pd.DataFrame(
        {column: between(a[column], b[column], share, rng.random(n) < 0.5) for column in train}
    )


def between(a, b, share, takes_a):
    one_of_both = a.where(takes_a, b)
    if not is_number(a):
        return one_of_both
    mixed = a + share * (b - a)
    mixed = mixed.round() if is_integer_dtype(a) else mixed
    return mixed.fillna(one_of_both).astype(a.dtype)


def independent_columns(train, n, quick, seed):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {c: train[c].sample(n, replace=True, random_state=rng).array for c in train}
    )


def synthesizer(quick, seed):
    quick_vae = VAETransformer(autoregressive=True, max_iter=QUICK_EPOCHS)
    return VAESynthesizer(quick_vae if quick else None, random_state=seed)


def synthesizer_rows(train, n, quick, seed, **more):
    return synthesizer(quick, seed).fit(train).sample(n, random_state=0, **more)


def argn_rows(*arguments):
    """Rows of mostlyai's TabularARGN, in a process of its own: PyTorch clashes with TensorFlow."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_argn_rows, *arguments).result()


def _argn_rows(train, n, quick, seed):
    """The same, at its own settings."""
    from mostlyai.engine import TabularARGN

    model = TabularARGN(random_state=seed, verbose=0, max_epochs=1 if quick else 100)
    return model.fit(train).sample(n_samples=n)[train.columns]


GENERATORS = {
    "VAESynthesizer": synthesizer_rows,
    "VAETransformer": vae_rows,
    "VAETransformer with a mixture": partial(vae_rows, prior="mixture"),
    "interpolation": interpolated_rows,
    "independent columns": independent_columns,
}
WITHOUT_HOLES = {"VAESynthesizer without holes": partial(synthesizer_rows, missing=False)}
SLOW = {"TabularARGN": argn_rows}


# Raw tables -----------------------------------------------------------------------------


def raw(arguments):
    """Files as they are, no column named, those set aside by VAESynthesizer left out."""
    rows = {}
    for name in arguments.sets or RAW:
        table = load(name).head(QUICK_ROWS if arguments.quick else None)
        half, other = train_test_split(table, test_size=0.5, random_state=0)
        half, other = half.reset_index(drop=True), other.reset_index(drop=True)
        runs = [beside_half(half, other, arguments.quick, seed) for seed in range(arguments.seeds)]
        rows[name] = means(runs)
    show(
        "raw: VAESynthesizer fitted to half of the rows, and as many synthetic rows; C2ST: 2 (1 - "
        "AUC) of XGBoost at telling these, or the real other half, from them, 1 is ideal. Means of "
        f"{arguments.seeds} seeds",
        rows,
    )
    return rows


def beside_half(half, other, quick, seed):
    model = synthesizer(quick, seed)
    seconds, synthetic = timed(lambda: model.fit(half).sample(len(half), random_state=0))
    learned = list(model.vae_.feature_names_in_)
    return {
        "rows": len(half),
        "columns": half.shape[1],
        "set aside": half.shape[1] - len(learned),
        "missing cells %": 100 * half[learned].isna().to_numpy().mean(),
        "synthetic C2ST": two_samples(half[learned], synthetic[learned]),
        "real C2ST": two_samples(half[learned], other[learned]),
        "fit and sample s": seconds,
    }


# Dependence -----------------------------------------------------------------------------


def dependence(arguments):
    def generate(table, n, seed):
        return synthesizer_rows(table, n, arguments.quick, seed)

    rows = {}
    for name in CASES:
        runs = [kept(generate, name, seed) for seed in range(arguments.seeds)]
        real, synthetic = zip(*runs, strict=True)
        rows[name] = {"real rows": min(real), "synthetic": statistics.fmean(synthetic),
                      "worst seed": min(synthetic)}  # fmt: skip
    show(
        f"dependence: the share of {DRAWN} rows of VAESynthesizer in which columns go together as "
        f"in its table of {ROWS} rows, means of {arguments.seeds} seeds",
        rows,
    )
    return rows


# Membership -----------------------------------------------------------------------------


def membership(arguments):
    """Half of the training rows are members; the other half are not, and told from them."""
    rows = {}
    for name in arguments.sets or ["adult"]:
        table, _ = split(name, arguments.quick)
        for n in (len(table), FEW_MEMBERS):
            runs = [given_away(table.sample(n, random_state=seed), arguments.quick, seed)
                    for seed in range(arguments.seeds)]  # fmt: skip
            rows[f"{name}, {n} rows"] = means(runs)
    show(
        "membership: AUC at telling the half of the rows that VAESynthesizer was trained on from "
        f"the other half, means of {arguments.seeds} seeds; by the distance to the nearest of as "
        f"many synthetic rows, and by score_samples, both of {TOLD} rows of each half at most. "
        "0.5 is ideal",
        rows,
    )
    return rows


def given_away(table, quick, seed):
    members, others = (part.reset_index(drop=True) for part in (table[::2], table[1::2]))
    model = synthesizer(quick, seed).fit(members)
    synthetic = model.sample(len(members), random_state=0)
    halves = [half.head(TOLD) for half in (members, others)]
    scores = [model.vae_.score_samples(half) for half in halves]
    return told_apart(*halves, synthetic, scores)


# Imputation -----------------------------------------------------------------------------


def imputation(arguments):
    tables = {"breast cancer": load_breast_cancer().data, "wine": load_wine().data}
    for label, (name, width) in NUMERIC.items():
        tables[label] = load(name).select_dtypes("number").iloc[:, :width].to_numpy(float)
    found = {}
    for share, error in HIDDEN.items():
        rows = {}
        for label, impute in imputers(arguments).items():
            errors = partial(hidden_errors, impute, share, error, arguments.seeds)
            seconds, means = timed(
                lambda e=errors: {name: statistics.mean(e(X)) for name, X in tables.items()}
            )
            rows[label] = means | {"s": seconds}
        show(
            f"imputation: {error.__name__.replace('_', ' ')} of hidden cells of standardised "
            f"columns, {100 * share:g} % hidden at random, mean over {arguments.seeds} masks; "
            "seconds of all sets and masks",
            rows,
        )
        found[f"{100 * share:g} % hidden"] = rows
    return found


def imputers(arguments):
    vae = None
    if arguments.quick:
        vae = VAETransformer(**settings(IMPUTATION_VAE, arguments.quick))
    found = {
        "mean": SimpleImputer().fit_transform,
        "KNNImputer": KNNImputer().fit_transform,
        "IterativeImputer, BayesianRidge": IterativeImputer(random_state=0).fit_transform,
        "VAEImputer": VAEImputer(vae=vae, random_state=0).fit_transform,
    }
    if arguments.full:
        trees = ExtraTreesRegressor(n_estimators=100, n_jobs=-1, random_state=0)
        trees = IterativeImputer(trees, random_state=0)
        found |= {"IterativeImputer, ExtraTrees": trees.fit_transform, "miceforest": mice_forest}
    return found


def hidden_errors(impute, share, error, n_masks, X):
    """The error of the hidden cells for each mask."""
    X = StandardScaler().fit_transform(X)
    for seed in range(n_masks):
        hidden = np.random.default_rng(seed).random(X.shape) < share
        filled = impute(np.where(hidden, np.nan, X))
        yield error(X[hidden], filled[hidden])


def mice_forest(X):
    """The mean of five completions of miceforest 6."""
    from miceforest import ImputationKernel

    kernel = ImputationKernel(
        pd.DataFrame(X).add_prefix("c"),
        num_datasets=5,
        random_state=0,
        mean_match_strategy="normal",
    )
    kernel.mice(5)
    return np.mean([kernel.complete_data(i).to_numpy() for i in range(5)], axis=0)


# HI-VAE ---------------------------------------------------------------------------------


def hivae(arguments):
    rows = {}
    for name in ["Breast"] if arguments.quick else HIVAE_SETS:
        for percent in (20, 50):
            x, kinds, n_levels, hidden = load_hivae(name, percent)
            seen = typed(x.mask(hidden), x, kinds)
            row = {}
            for label, impute in HIVAE_IMPUTERS.items():
                seconds, filled = timed(lambda i=impute, s=seen: i(s, arguments.quick))
                row[label] = column_errors(x, filled, kinds, n_levels, hidden)
            rows[f"{name}, {percent} % hidden"] = row | {f"{label} s": seconds}
    show(
        "hivae: error of hidden cells, mean over columns: RMSE over the range of numbers, "
        "share of wrong categories, distance over the number of levels of ordinal columns",
        rows,
    )
    return rows


def load_hivae(name, percent):
    """Cells as numbers, kind and number of levels of each column, and what the mask hides."""
    if "SKVAE_DATA" not in os.environ:
        raise SystemExit(
            "The HI-VAE sets come with its code, not from OpenML: see SKVAE_DATA in the README."
        )
    with zipfile.ZipFile(Path(os.environ["SKVAE_DATA"], "hivae", "hivae.zip")) as archive:
        x = pd.read_csv(archive.open(f"{name}/data.csv"), header=None).astype(float)
        types = pd.read_csv(archive.open(f"{name}/data_types.csv"))
        hidden = cells(archive, f"{name}/Missing{percent}_1.csv", x.shape)
        lost = f"{name}/MissingTrue.csv"
        lost = (
            cells(archive, lost, x.shape) if lost in archive.namelist() else np.zeros(x.shape, bool)
        )
    return x.mask(lost), list(types["type"]), list(types["nclass"]), hidden & ~lost


def cells(archive, file, shape):
    """The 1-based (row, column) pairs of a file, as a mask."""
    mask = np.zeros(shape, bool)
    mask[tuple(pd.read_csv(archive.open(file), header=None).to_numpy().T - 1)] = True
    return mask


def typed(seen, x, kinds):
    """The table of a user: categories, ordered categories, whole numbers and floats."""
    return pd.DataFrame(
        {f"{kind}-{c}": typed_column(seen[c], x[c], kind) for c, kind in enumerate(kinds)}
    )


def typed_column(seen, x, kind):
    if kind in ("cat", "ordinal"):
        levels = np.sort(x.dropna().unique())
        return pd.Series(pd.Categorical(seen, levels, ordered=kind == "ordinal"))
    return seen.astype("Int64") if kind == "count" else seen


def column_errors(x, filled, kinds, n_levels, hidden):
    errors = []
    for c, kind in enumerate(kinds):
        cells_hidden = hidden[:, c]
        truth = x[c].to_numpy()[cells_hidden]
        guess = filled.iloc[:, c].astype(float).to_numpy()[cells_hidden]
        if kind == "cat":
            errors.append(np.mean(guess != truth))
        elif kind == "ordinal":
            errors.append(np.mean(np.abs(guess - truth)) / n_levels[c])
        else:
            errors.append(np.sqrt(np.mean((guess - truth) ** 2)) / (x[c].max() - x[c].min()))
    return np.mean(errors)


def mean_or_mode(seen, quick):
    return seen.apply(lambda x: x.astype(float).fillna(x.mode()[0] if is_category(x) else x.mean()))


def knn(seen, quick):
    """KNNImputer on standardised numbers and ordinal codes and one-hot categories."""
    blocks = [neighbour_space(seen[column]) for column in seen]
    x = np.concatenate(blocks, axis=1)
    donors = np.random.default_rng(0).permutation(len(x))[:DONORS]
    x = KNNImputer(keep_empty_features=True).fit(x[donors]).transform(x)
    parts = np.split(x, np.cumsum([block.shape[1] for block in blocks])[:-1], axis=1)
    return pd.DataFrame(
        {c: from_neighbours(part, seen[c]) for c, part in zip(seen, parts, strict=True)}
    )


def neighbour_space(column):
    if is_category(column) and not column.cat.ordered:
        one_hot = pd.get_dummies(column).to_numpy(float) * 0.5**0.5
        return np.where(column.isna().to_numpy()[:, None], np.nan, one_hot)
    x = column.astype(float).to_numpy()[:, None]
    return (x - np.nanmean(x)) / np.nanstd(x)


def from_neighbours(part, column):
    if is_category(column) and not column.cat.ordered:
        return column.cat.categories[part.argmax(axis=1)]
    x = column.astype(float).to_numpy()
    x = part[:, 0] * np.nanstd(x) + np.nanmean(x)
    return x.round() if is_category(column) else x


def vae_filled(seen, quick):
    vae = VAETransformer(**settings(HIVAE_VAE, quick))
    return VAEImputer(vae=vae, random_state=0).set_output(transform="pandas").fit_transform(seen)


HIVAE_IMPUTERS = {
    "mean or mode": mean_or_mode,
    f"kNN, {DONORS} donors": knn,
    "VAEImputer": vae_filled,
}


def is_category(column):
    return isinstance(column.dtype, pd.CategoricalDtype)


# Outliers -------------------------------------------------------------------------------


def outliers(arguments):
    files = sorted(data_folder("adbench").glob("*.npz"), key=n_rows)
    if not arguments.full:
        files = files[: 3 if arguments.quick else OUTLIER_SETS]
    rows = {}
    for file in files:
        X, X_test, y_test = normal_and_rest(file)
        name = file.stem.split("_", 1)[1]
        rows[name] = {
            label: roc_auc_score(y_test, -score(X, X_test, arguments.quick))
            for label, score in DETECTORS.items()
        }
    rows["mean"] = {
        label: statistics.mean(row[label] for row in rows.values()) for label in DETECTORS
    }
    show(
        f"outliers: ROC AUC on the {len(files)} smallest sets, trained on half of the normal rows "
        f"(at most {NORMAL_ROWS}), tested on all others",
        rows,
    )
    return rows


def data_folder(name):
    if "SKVAE_DATA" not in os.environ:
        raise SystemExit(
            f"The {name} files are not on OpenML: name their folder's parent in SKVAE_DATA."
        )
    return Path(os.environ["SKVAE_DATA"], name)


def n_rows(file):
    return len(np.load(file)["y"])


def normal_and_rest(file):
    data = np.load(file)
    X, y = data["X"].astype(float), data["y"].ravel()
    normal = np.random.default_rng(0).permutation(np.flatnonzero(y == 0))
    train = normal[: min(len(normal) // 2, NORMAL_ROWS)]
    rest = np.setdiff1d(np.arange(len(X)), train)
    scaler = StandardScaler().fit(X[train])
    return scaler.transform(X[train]), scaler.transform(X[rest]), y[rest]


def vae_normality(X, X_test, quick):
    changed = settings(OUTLIERS_VAE, quick)
    vae = VAETransformer(**changed) if changed.keys() != {"random_state"} else None
    return VAEOutlierDetector(vae=vae, random_state=0).fit(X).score_samples(X_test)


def pca_density(X, X_test, quick):
    return PCA(0.9, svd_solver="full").fit(X).score_samples(X_test)


def pca_restoration(X, X_test, quick):
    pca = PCA(0.9, svd_solver="full").fit(X)
    return -np.sum((X_test - pca.inverse_transform(pca.transform(X_test))) ** 2, axis=1)


def forest_normality(X, X_test, quick):
    return IsolationForest(random_state=0).fit(X).score_samples(X_test)


def neighbour_normality(X, X_test, quick):
    return -NearestNeighbors(n_neighbors=5).fit(X).kneighbors(X_test)[0].mean(axis=1)


DETECTORS = {
    "VAEOutlierDetector": vae_normality,
    "PCA, 90 % of variance, density": pca_density,
    "PCA, 90 % of variance, restoration": pca_restoration,
    "IsolationForest": forest_normality,
    "mean distance to 5 neighbours": neighbour_normality,
}


# Counts ---------------------------------------------------------------------------------


def counts(arguments):
    X = load("NMES1988")[COUNTS]
    cv = KFold(2 if arguments.quick else 5, shuffle=True, random_state=0)
    rows = {}
    for likelihood, log_prob in {
        "poisson": poisson_log_prob,
        "negative_binomial": negative_binomial_log_prob,
    }.items():
        vae = VAETransformer(likelihood=likelihood, **settings(COUNTS_VAE, arguments.quick))
        runs = {
            f"VAETransformer, {likelihood}": lambda vae=vae: cross_val_score(
                vae, X, cv=cv, error_score="raise"
            ),
            f"independent columns, {likelihood}": lambda p=log_prob: independent_scores(
                p, X.to_numpy(), cv
            ),
        }
        for label, run in runs.items():
            seconds, scores = timed(run)
            rows[label] = {
                "score": np.mean(scores),
                "lowest fold": min(scores),
                "highest fold": max(scores),
                "s": seconds,
            }
    show(
        f"counts: {', '.join(COUNTS)} of NMES1988, held-out nats per row, "
        f"mean of {cv.n_splits} folds",
        rows,
    )
    return rows


def independent_scores(log_prob, X, cv):
    return [
        sum(log_prob(X[train, c], X[test, c]).mean() for c in range(X.shape[1]))
        for train, test in cv.split(X)
    ]


def poisson_log_prob(train, test):
    return stats.poisson(train.mean()).logpmf(test)


def negative_binomial_log_prob(train, test):
    """The likeliest mean is the mean of the counts, whatever the shape is."""

    def law(log_shape):
        shape = np.exp(log_shape)
        return stats.nbinom(shape, shape / (shape + train.mean()))

    best = minimize_scalar(lambda s: -law(s).logpmf(train).sum(), bounds=(-7, 12), method="bounded")
    return law(best.x).logpmf(test)


# Round trip -----------------------------------------------------------------------------


def round_trip(arguments):
    rows = {}
    for name in arguments.sets or MIXED:
        table = load(name)
        table = table.head(QUICK_ROWS) if arguments.quick else table
        vae = VAETransformer(**settings(ROUND_TRIP_VAE, arguments.quick))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            warnings.simplefilter("ignore", ConvergenceWarning)  # these epochs are few on purpose
            seconds, _ = timed(lambda vae=vae, table=table: vae.fit(table))
            results = {
                "sample": vae.sample(1000, random_state=0),
                "inverse_transform": vae.inverse_transform(vae.transform(table)),
                "impute": vae.impute(table),
            }
        shape = {
            "rows": len(table),
            "columns": table.shape[1],
            "missing cells": int(table.isna().sum().sum()),
        }
        rows[name] = shape | {
            f"{method} is alike": alike(result, table) for method, result in results.items()
        }
        rows[name] |= {
            "impute only fills": only_fills(results["impute"], table),
            "warnings": len(caught),
            "s per epoch": seconds / vae.n_iter_,
        }
    show(
        "round_trip: alike means the same columns and dtypes, and no category that the table has "
        "not; warnings are all but ConvergenceWarning; seconds of the whole first fit over its "
        "epochs",
        rows,
    )
    return rows


def alike(result, table):
    same = list(result.columns) == list(table.columns) and result.dtypes.equals(table.dtypes)
    return same and all(
        result[c].dropna().isin(table[c].dropna().unique()).all()
        for c in table
        if not is_number(table[c])
    )


def only_fills(filled, table):
    """Whether no cell is missing any more and no cell that was there has changed."""
    kept = (filled == table) | table.isna()
    return bool(kept.all(axis=None) and filled.notna().all(axis=None))


# Values of few rows ---------------------------------------------------------------------


def min_count(arguments):
    rows = {}
    for name in arguments.sets or MIN_COUNT_SETS:
        train, test = split(name, arguments.quick)
        runs = {(least, seed): kept_from(least, seed, name, train, test, arguments.quick)
                for seed in range(SEEDS) for least in LEAST}  # fmt: skip
        for least in LEAST:
            own = [runs[least, seed] for seed in range(SEEDS)]
            rows[f"{name}, min_count={least}"] = means(own)
    show(
        f"min_count: {MIN_COUNT_VAE}, means of {SEEDS} seeds; nats per row of the test rows, and "
        "of all but the hundredth of them that scores lowest; errors as in fidelity",
        rows,
    )
    return rows


def kept_from(least, seed, name, train, test, quick):
    vae = VAETransformer(
        **settings(MIN_COUNT_VAE | {"random_state": seed, "min_count": least}, quick)
    ).fit(train)
    scores = np.sort(vae.score_samples(test, n_draws=20))
    likeness = compare(train, test, TARGETS.get(name), vae.sample(len(train), random_state=0))
    return {
        "nats": scores.mean(),
        "nats but for 1 %": scores[len(scores) // 100 :].mean(),
        **likeness,
    }


# Cost -----------------------------------------------------------------------------------


def cost(arguments):
    rows = {"s per epoch": epoch_cost(arguments.quick), "MB": memory_cost(arguments.quick)}
    times, memory = rows.values()
    show(
        f"cost: Adult's mixed table against as many standard-normal floats, {COST_VAE}, {REPEATS} "
        "alternating warm fits, and the peak memory of a fit for one epoch of a large table of "
        "Adult's rows. MB are resident, but for the table: df.memory_usage(deep=False)",
        {"": times | memory},
    )
    return rows


def epoch_cost(quick):
    mixed = load("adult")
    mixed = mixed.head(QUICK_ROWS) if quick else mixed
    floats = np.random.default_rng(0).normal(size=mixed.shape)
    seconds = {"mixed": [], "floats": []}
    for repeat in range(REPEATS + 1):
        for label, X in {"mixed": mixed, "floats": floats}.items():
            vae = VAETransformer(**settings(COST_VAE, quick))
            spent, _ = timed(lambda vae=vae, X=X: vae.fit(X))
            if repeat:  # the first round warms up
                seconds[label].append(spent / vae.n_iter_)
    ratios = [a / b for a, b in zip(seconds["mixed"], seconds["floats"], strict=True)]
    medians = {
        f"{label}, s per epoch": statistics.median(values) for label, values in seconds.items()
    }
    return medians | {"median ratio": statistics.median(ratios)}


def memory_cost(quick):
    """Measured in a process of its own, whose peak is the fit's."""
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    process = context.Process(
        target=measure_memory, args=(20_000 if quick else LARGE_ROWS, answers)
    )
    process.start()
    answer = answers.get()
    process.join()
    return answer


def measure_memory(rows, answers):
    import keras  # noqa: F401  # imported by fit otherwise, and then counted as its memory

    imports = resident_memory("VmRSS")
    table = load("adult").sample(rows, replace=True, random_state=0, ignore_index=True)
    size = table.memory_usage(deep=False).sum() / 1e6
    before = resident_memory("VmRSS")
    VAETransformer(**settings(COST_VAE | {"max_iter": 1}, False)).fit(table)
    peak = resident_memory("VmHWM")
    answers.put(
        {
            "rows": rows,
            "table MB": size,
            "MB after imports": imports,
            "MB before the fit": before,
            "peak MB": peak,
            "peak beyond imports / table": (peak - imports) / size,
            "peak beyond before / table": (peak - before) / size,
        }
    )


def resident_memory(field):
    """In MB. A new process inherits its parent's ru_maxrss: it is only read where /proc is not."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # bytes on macOS
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(lines[field].split()[0]) * 1024 / 1e6


# Data and tables ------------------------------------------------------------------------


def load(name):
    """The set as its file gives it."""
    if name in HIVAE_TABLES:
        x, kinds, *_ = load_hivae(HIVAE_TABLES[name], 10)
        return typed(x, x, kinds)
    if "SKVAE_DATA" in os.environ:
        file, options = FILES[name]
        return pd.read_csv(Path(os.environ["SKVAE_DATA"], file), **options)
    if name not in OPENML:
        raise SystemExit(
            f"{name} is not on OpenML: name the folder of {FILES[name][0]} in SKVAE_DATA."
        )
    set_name, version = OPENML[name]
    return fetch_openml(set_name, version=version, as_frame=True).frame


def split(name, quick, test_size=0.2):
    """Training and test rows without row numbers; Adult has its own test rows."""
    table = load(name).drop(columns=IDENTIFIERS, errors="ignore")
    if name == "adult" and "SKVAE_DATA" in os.environ:
        train = table
        test = pd.read_csv(
            Path(os.environ["SKVAE_DATA"], "tabular/adult.test.gz"), skiprows=1, **ADULT
        )
        test["class"] = test["class"].str.rstrip(".")
    else:
        train, test = train_test_split(table, test_size=test_size, random_state=0)
    if quick:
        train, test = train.head(QUICK_ROWS), test.head(QUICK_ROWS)
    return train.reset_index(drop=True), test.reset_index(drop=True)


def settings(vae, quick):
    return {"random_state": 0, **vae, **({"max_iter": QUICK_EPOCHS} if quick else {})}


def timed(function):
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def show(title, rows):
    columns = list(next(iter(rows.values())))
    print(f"\n{title}\n\n| | {' | '.join(columns)} |\n|{' --- |' * (len(columns) + 1)}")
    for label, row in rows.items():
        print(f"| {label} | {' | '.join(cell(row[column]) for column in columns)} |", flush=True)


def cell(value):
    if value is None:
        return "-"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "NO"
    return str(value) if isinstance(value, int) else f"{value:.4g}"


PARTS = {
    "fidelity": fidelity,
    "raw": raw,
    "dependence": dependence,
    "membership": membership,
    "imputation": imputation,
    "hivae": hivae,
    "outliers": outliers,
    "counts": counts,
    "round_trip": round_trip,
    "min_count": min_count,
    "cost": cost,
}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", default=list(PARTS), metavar="PART")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--seeds", type=int, default=1)
    for option in ("--sets", "--only"):
        parser.add_argument(option, type=lambda names: names.split(","))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    print(f"{machine()}, pandas {pd.__version__}")
    results = {part: PARTS[part](arguments) for part in arguments.parts}
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2, default=float))


if __name__ == "__main__":
    main()
