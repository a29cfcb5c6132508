"""How like real rows synthetic ones are: shapes, trends, two samples, use for learning, privacy.

Tables are those that `plain` of _compare_tables makes.
"""

import warnings
from functools import partial
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.metrics import pairwise_distances_chunked, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skvae._compare_tables import BOTH, FEWEST, Case, figures, filled, numbers, some

BOOSTER = {  # a part held out to stop early would have to have two rows of each class
    "categorical_features": "from_dtype",
    "early_stopping": False,
    "random_state": 0,
}
FOLDS = StratifiedKFold(3, shuffle=True, random_state=0)
LEVELS = 255  # most labels of a column that boosted trees and distances tell apart
CLASSES = 30  # most that a target may have
MOST = 50_000  # rows of a table that are looked at
PRIVACY_ROWS = 5000  # synthetic rows whose nearest real row is looked for
TEST_ROWS = 10_000  # rows held out that they may be nearer to
TIE = 1e-6  # distances that differ by less, or by less of their size, are one
MEGABYTES = 128  # of distances at a time
TABLE = "table"  # what sdmetrics calls it
HELD_OUT = 0.25  # share of the real rows that boosters are judged on, where there are no others
TOGETHER, SUBSETS = 3, 50  # columns that single a row out, and how many such sets are tried


def quality_parts(case: Case) -> dict:
    """The overall scores of sdmetrics, and its scores of columns and of pairs."""
    reports = case.some(MOST).beside(quality)
    scores = {name: overall(report) for name, report in reports.items()}
    return {
        "quality": pd.DataFrame(scores).reindex(columns=BOTH).rename_axis(None),
        "shapes": details(reports, "Column Shapes", [*case.kinds]),
        "pairs": details(reports, "Column Pair Trends", [*case.kinds]),
    }


def details(reports: dict, title: str, names: list) -> pd.DataFrame:
    """The scores of columns, or of pairs, of the synthetic rows and of those held out."""
    table, *held_out = (report.get_details(title, TABLE) for report in reports.values())
    table.insert(table.columns.get_loc("Score") + 1, "floor", np.nan)
    for other in held_out:
        table["floor"] = other["Score"]
    table = table.drop(columns=["Table", "Error"], errors="ignore")
    for column in table.filter(like="Column"):
        table[column] = [names[i] for i in table[column]]
    return table.rename(columns={"Score": "synthetic"}).rename(columns=str.lower)


def two_samples(case: Case) -> pd.DataFrame:
    """The AUC of telling rows from real ones, and the score made of it."""
    auc = pd.Series(case.some(MOST).beside(auc_of_telling))
    return figures({"two-sample score": indistinct(auc), "ROC AUC": auc})


def utility(case: Case, target: str | None) -> pd.DataFrame:
    """What a booster scores that learned from the synthetic rows, and from the real ones."""
    if target is None:
        return figures({})
    case = case if case.test is not None else held_out(case)
    few = case.some(MOST)
    learn = partial(learned_score, real=case.real, test=case.test, target=target)
    name = "R2" if is_regression(case.real, target) else "ROC AUC"
    scores = {name: {"synthetic": learn(few.synthetic), "floor": learn(few.real)}}
    return figures(scores).rename_axis(target)


def held_out(case: Case) -> Case:
    """The case with a part of its real rows as its test rows."""
    test = case.real.sample(frac=HELD_OUT, random_state=0)
    return case._replace(tables=case.tables | {"real": case.real.drop(test.index), "test": test})


def privacy(case: Case) -> pd.DataFrame:
    """How near rows come to real ones, and how often they repeat them."""
    few = case.some(MOST)
    parts = {"exact copies": case.beside(copies), "singled out": few.beside(singled_out)}
    return figures(parts if case.test is None else nearness(few) | parts)


def nearness(case: Case) -> dict:
    """How near synthetic rows come, beside test rows; and one half of these beside the other."""
    real, test = case.real, case.tables["test"]
    found = {
        "synthetic": nearer(real, test, case.synthetic),
        "floor": nearer(real, test[1::2], test[::2]),
    }
    names = ["nearer to real rows", "distance to real rows"]
    return pd.DataFrame(found, names).T.to_dict()


def checked_target(target: Any, case: Case) -> str | None:
    """The name of a target that all tables can be asked about."""
    if target is None:
        return None
    name = str(target)
    if name not in case.kinds:
        raise ValueError(f"There is no target {target!r} among the columns {[*case.kinds]}.")
    for table, rows in case.tables.items():
        if (n := rows[name].count()) < FEWEST:
            raise ValueError(f"The target {name!r} has {n} cells in {table}, but needs {FEWEST}.")
        if rows.drop(columns=name).isna().all(axis=None):
            raise ValueError(
                f"{table} has no cells but those of the target {name!r}; give it columns to "
                "predict the target from, or no target."
            )
    classes = case.real[name].nunique()
    if classes < 2 or (classes > CLASSES and not is_regression(case.real, name)):
        raise ValueError(
            f"The target {target!r} has {classes} classes; give a column of numbers, or one of 2 "
            f"to {CLASSES} classes."
        )
    return name


def quality(real: pd.DataFrame, synthetic: pd.DataFrame, all_pairs: bool = False) -> Any:
    """The QualityReport of sdmetrics, with its own thresholds or of all pairs."""
    from sdmetrics.reports import QualityReport

    is_number = real.columns.isin(numbers(real))
    kinds = {i: {"sdtype": "numerical" if x else "categorical"} for i, x in enumerate(is_number)}
    report = QualityReport()
    if all_pairs:  # as papers have it: the thresholds came later
        report.real_correlation_threshold = report.real_association_threshold = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tables = ({TABLE: table} for table in numbered(real, synthetic))
        report.generate(*tables, {"tables": {TABLE: {"columns": kinds}}}, verbose=False)
    return report


def numbered(real: pd.DataFrame, rows: pd.DataFrame) -> tuple:
    """Both tables with numbers for labels and for names, which sdmetrics is faster with."""
    both = pd.concat([real, rows], ignore_index=True).apply(coded)
    both.columns = range(both.shape[1])
    return both[: len(real)], both[len(real) :]


def coded(x: pd.Series) -> pd.Series:
    """Numbers as they are, labels as the numbers of levels, NaN in holes."""
    return x if x.dtype == float else pd.Series(pd.factorize(x)[0], x.index).where(x.notna())


def overall(report: Any) -> pd.Series:
    """The scores of a report by property."""
    return report.get_properties().set_index("Property")["Score"]


def auc_of_telling(real: pd.DataFrame, synthetic: pd.DataFrame, booster: Any = None) -> float:
    """ROC AUC of a booster at telling as many real rows as synthetic ones, in three folds."""
    n = min(len(real), len(synthetic))
    rows = [table.sample(n, random_state=0)[real.columns] for table in (real, synthetic)]
    X = learnable(pd.concat(rows, ignore_index=True).dropna(axis=1, how="all"), real)
    booster = booster or HistGradientBoostingClassifier(**BOOSTER)
    y = np.repeat([1, 0], n)
    return cross_val_score(booster, X, y, cv=FOLDS, scoring="roc_auc").mean()


def indistinct(auc: Any) -> Any:
    """2 (1 - AUC): 1 where rows cannot be told apart, 0 where all can."""
    return 2 * (1 - np.maximum(auc, 0.5))


def learnable(table: pd.DataFrame, real: pd.DataFrame) -> pd.DataFrame:
    """Numbers as they are, all else as categories: the commonest of the real rows."""
    labels = filled(real).drop(columns=numbers(real))
    known = {name: levels(column) for name, column in labels.items()}
    return filled(table).apply(lambda x: as_one_of(x, known.get(x.name)))


def levels(labels: pd.Series) -> list:
    """The commonest labels, in the order in which they come."""
    common = labels.value_counts().index[:LEVELS]
    return [*labels[labels.isin(common)].unique()]


def as_one_of(x: pd.Series, known: list | None) -> pd.Series:
    """A column as one of categories, if there are any; other cells are missing."""
    return x if known is None else x.where(x.isin(known)).astype(pd.CategoricalDtype(known))


def learned_score(rows: pd.DataFrame, real: pd.DataFrame, test: pd.DataFrame, target: str) -> float:
    """Score on `test` of boosted trees that learned from `rows`; `real` gives the categories.

    ROC AUC, of each class against the rest, or R2 of numbers of more than two values.
    """
    rows = rows.dropna(axis=1, how="all")
    (X, y), (X_test, y_test) = (_task(table[[*rows]], real, target) for table in (rows, test))
    if is_regression(real, target):
        return HistGradientBoostingRegressor(**BOOSTER).fit(X, y).score(X_test, y_test)
    if y.nunique() < 2:
        return np.nan
    model = HistGradientBoostingClassifier(**BOOSTER).fit(X, y)
    return _each_against_the_rest(model, X_test, y_test)


def _task(table: pd.DataFrame, real: pd.DataFrame, target: str) -> tuple[pd.DataFrame, pd.Series]:
    """What is known of rows, and what is to be predicted."""
    rows = table.dropna(subset=[target])
    y = rows[target]
    if target in numbers(real) and not is_regression(real, target):
        y = y > (real[target].min() + real[target].max()) / 2  # the nearer of its two values
    return learnable(rows, real).drop(columns=target), y


def _each_against_the_rest(model: Any, X: pd.DataFrame, y: pd.Series) -> float:
    """The mean ROC AUC of the classes that there are, by their probabilities."""
    truth = pd.get_dummies(y)
    truth = truth.loc[:, truth.mean() < 1]
    found = pd.DataFrame(model.predict_proba(X), columns=model.classes_)
    found = found.reindex(columns=truth.columns, fill_value=0.0)
    return roc_auc_score(truth, found) if truth.size else np.nan


def is_regression(real: pd.DataFrame, target: str) -> bool:
    """Whether a target is to be predicted as a number."""
    return target in numbers(real) and real[target].nunique() > 2


def copies(train: pd.DataFrame, rows: pd.DataFrame) -> float:
    """The share of rows whose cells are all those of a training row, or missing where its are."""
    rows, train = (t.set_axis(range(t.shape[1]), axis=1) for t in (rows, train.drop_duplicates()))
    return (rows.merge(train, how="left", indicator=True)["_merge"] == "both").mean()


def singled_out(real: pd.DataFrame, rows: pd.DataFrame) -> float:
    """How often a row's cells in three columns are those of one real row and of no other.

    The mean over rows and over sets of columns: all of them, or as many as SUBSETS by chance. As in
    Giomi et al. (2023), what matters is how much more often than for rows held out.
    """
    both = pd.concat([real, rows], ignore_index=True)
    codes = both.apply(lambda x: pd.factorize(x, use_na_sentinel=False)[0]).to_numpy()
    shares = [unique(codes[:, columns], len(real)) for columns in subsets(real.shape[1])]
    return float(np.mean(shares))


def subsets(n: int) -> list:
    """Sets of columns."""
    together = min(TOGETHER, n)
    if comb(n, together) <= SUBSETS:
        return [[*columns] for columns in combinations(range(n), together)]
    rng = np.random.default_rng(0)
    return [rng.choice(n, together, replace=False) for _ in range(SUBSETS)]


def unique(codes: np.ndarray, n_real: int) -> float:
    """The share of the rows after the real ones whose codes are those of one real row."""
    cells = pd.factorize(np.ravel_multi_index(codes.T, codes.max(axis=0) + 1))[0]
    times = np.bincount(cells[:n_real], minlength=len(cells))
    return (times[cells[n_real:]] == 1).mean()


def nearer(train: pd.DataFrame, test: pd.DataFrame, rows: pd.DataFrame) -> tuple[float, float]:
    """Share of rows nearer to a training row, and how far they are beside test rows.

    Votes are weighed as if there were as many test rows as training rows, and shared evenly among
    the rows that are equally near. NaN where most test rows repeat training rows.
    """
    space = distance_space(train).fit(filled(train))
    tables = train, some(test, TEST_ROWS), some(rows, PRIVACY_ROWS)
    x, x_test, x_new = (placed(space, table) for table in tables)
    to_train, to_test = nearest(x, x_new), nearest(x_test, x_new)
    votes, ties = 1.0 * (to_train < to_test), np.isclose(to_train, to_test, TIE, TIE)
    if ties.any():
        votes[ties] = shared(np.concatenate([x, x_test]), x_new[ties], len(x))
    weighed = votes.mean() / len(x), (1 - votes.mean()) / len(x_test)
    usual = np.median(nearest(x, x_test))
    return weighed[0] / sum(weighed), np.median(to_train) / usual if usual > TIE else np.nan


def placed(space: ColumnTransformer, table: pd.DataFrame) -> np.ndarray:
    """Rows as points."""
    return space.transform(filled(table))


def nearest(x: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The distance of each row to the nearest of x."""
    return NearestNeighbors(n_neighbors=1, algorithm="brute").fit(x).kneighbors(rows)[0][:, 0]


def shared(x: np.ndarray, rows: np.ndarray, n_first: int) -> np.ndarray:
    """The share of the first of x among those that are nearest to each row."""

    def of_some(distances: np.ndarray, _: int) -> np.ndarray:
        near = distances <= distances.min(axis=1, keepdims=True) * (1 + TIE) + TIE
        return near[:, :n_first].sum(axis=1) / near.sum(axis=1)

    parts = pairwise_distances_chunked(rows, x, reduce_func=of_some, working_memory=MEGABYTES)
    return np.concatenate([*parts])


def distance_space(train: pd.DataFrame) -> ColumnTransformer:
    """Standardised numbers and their holes, and one-hot labels, two of which are 1 apart."""
    of_numbers = numbers(train.dropna(axis=1, how="all"))
    labels = train.columns.difference(numbers(train), sort=False)
    fill = SimpleImputer(strategy="constant", fill_value=0.0, add_indicator=True)
    one_hot = OneHotEncoder(handle_unknown="ignore", max_categories=LEVELS, sparse_output=False)
    return ColumnTransformer(
        [
            ("numbers", make_pipeline(StandardScaler(), fill), of_numbers),
            ("labels", one_hot, labels),
        ],
        transformer_weights={"labels": 0.5**0.5},
    )
