"""How like real rows synthetic ones are: the figures of `skvae.compare`, and more."""

import numpy as np
from sklearn.metrics import roc_auc_score

from skvae._compare_figures import (
    auc_of_telling,
    copies,
    distance_space,
    indistinct,
    learned_score,
    nearer,
    nearest,
    overall,
    placed,
    quality,
)
from skvae._compare_tables import case_of, filled
from skvae._compare_tables import plain as with_holes
from skvae.display._tables import kind_of

FEW_ROWS = 50  # a category with fewer real rows may be missing among synthetic ones


def compare(train, test, synthetic, target, learn_from=None):
    """One table row. Real rows are their own test rows, so they have no share of nearer rows."""
    real = learn_from is not None
    missing = missing_categories(train, synthetic)
    train, test, synthetic = tables(train, test, synthetic)
    shape, trend, all_trends = quality_errors(train, synthetic)
    nearer_share, distance = (None, 1.0) if real else nearer(train, test, synthetic)
    return {
        "shape error %": shape,
        "trend error %": trend,
        "of all pairs %": all_trends,
        "AUC or R2": utility(train if real else synthetic, train, test, *target)
        if target
        else None,
        "C2ST": told(train, test if real else synthetic),
        "nearer to training rows": nearer_share,
        "copies %": 100 * copies(train, synthetic),
        "distance": distance,
        "missing categories": missing,
        "fit and sample s": None,
    }


def tables(*frames):
    """Frames as `skvae.compare` sees them, by what the columns of the first one hold."""
    return case_of(dict(enumerate(frames))).tables.values()


def sdmetrics_is_there():
    try:
        import sdmetrics  # noqa: F401
    except ImportError:
        return False
    return True


def quality_errors(real, synthetic):
    """Per cent that sdmetrics' scores lack: columns, pairs past its thresholds, and all pairs."""
    if not sdmetrics_is_there():
        return None, None, None
    own, all_pairs = (100 * (1 - overall(quality(real, synthetic, of_all))) for of_all in (0, 1))
    return all_pairs["Column Shapes"], own["Column Pair Trends"], all_pairs["Column Pair Trends"]


def utility(rows, train, test, target, _):
    """Test score of boosted trees that learned from `rows`; `train` gives the categories."""
    score = learned_score(rows, train, test, target)
    return None if np.isnan(score) else score


def two_samples(real, synthetic):
    """2 (1 - AUC) of XGBoost at telling as many real rows as synthetic ones: 1 is ideal."""
    return told(*tables(real, synthetic))


def told(real, synthetic):
    """The same, of tables."""
    try:
        from xgboost import XGBClassifier
    except ImportError:
        return None
    model = XGBClassifier(enable_categorical=True, random_state=0, n_jobs=1, tree_method="hist")
    return indistinct(auc_of_telling(real, synthetic, model))


def told_apart(members, others, synthetic, scores=None):
    """AUC at telling rows of training from others: by the nearest synthetic row, by their scores.

    0.5 is ideal.
    """
    is_member = np.repeat([1, 0], [len(members), len(others)])
    members, others, synthetic = tables(members, others, synthetic)
    space = distance_space(members).fit(filled(members))
    x, *near = (placed(space, table) for table in (synthetic, members, others))
    distances = np.concatenate([nearest(x, rows) for rows in near])
    by_score = None if scores is None else roc_auc_score(is_member, np.concatenate(scores))
    return {"AUC, nearest": roc_auc_score(is_member, -distances), "AUC, likelihood": by_score}


def missing_categories(train, synthetic):
    missing = 0
    for column in train:
        if not is_number(train[column]):
            counts = train[column].value_counts()
            missing += (~counts.index[counts >= FEW_ROWS].isin(synthetic[column].unique())).sum()
    return int(missing)


def plain(table):
    """Numbers as floats, all else as text, in which a missing cell is a category."""
    return filled(with_holes(table))


def is_number(column):
    return kind_of(column) == "number"
