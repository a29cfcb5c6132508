"""How like real rows synthetic ones are: the figures of `skvae.compare`, and more."""

from importlib.util import find_spec

import numpy as np
from sklearn.metrics import roc_auc_score

from skvae._compare_figures import (
    MOST,
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
from skvae.display._tables import LABEL, kind_of

FEW_ROWS = 50  # a category with fewer real rows may be missing among synthetic ones


def compare(train, test, target=None, synthetic=None):
    """One table row: of synthetic rows, or of the test rows, beside which none are nearer."""
    rows = test if synthetic is None else synthetic
    case = case_of({"real": train, "synthetic": rows, "test": test})
    few = case.some(MOST)
    shape, trend, all_trends = quality_errors(few.real, few.synthetic)
    learn_from = few.real if synthetic is None else few.synthetic
    none_nearer = None, 1.0
    near = none_nearer if synthetic is None else nearer(few.real, few.test, few.synthetic)
    return {
        "shape error %": shape,
        "trend error %": trend,
        "of all pairs %": all_trends,
        "AUC or R2": target and utility(learn_from, case, target),
        "C2ST": told(few.real, few.synthetic),
        "nearer to training rows": near[0],
        "copies %": 100 * copies(case.real, case.synthetic),
        "distance": near[1],
        "missing categories": missing_categories(case),
        "fit and sample s": None,
    }


def sdmetrics_is_there():
    return find_spec("sdmetrics") is not None


def quality_errors(real, synthetic):
    """Per cent that sdmetrics' scores lack: columns, pairs past its thresholds, and all pairs."""
    if not sdmetrics_is_there():
        return None, None, None
    own, all_pairs = (100 * (1 - overall(quality(real, synthetic, of_all))) for of_all in (0, 1))
    return all_pairs["Column Shapes"], own["Column Pair Trends"], all_pairs["Column Pair Trends"]


def utility(rows, case, target):
    """Test score of boosted trees that learned from `rows`."""
    score = learned_score(rows, case.real, case.test, target)
    return None if np.isnan(score) else score


def two_samples(real, synthetic):
    """2 (1 - AUC) of XGBoost at telling as many real rows as synthetic ones: 1 is ideal."""
    few = case_of({"real": real, "synthetic": synthetic}).some(MOST)
    return told(few.real, few.synthetic)


def told(real, synthetic):
    """The same, of tables made plain."""
    if find_spec("xgboost") is None:
        return None
    from xgboost import XGBClassifier

    model = XGBClassifier(enable_categorical=True, random_state=0, n_jobs=1, tree_method="hist")
    return indistinct(auc_of_telling(real, synthetic, model))


def told_apart(members, others, synthetic, scores=None):
    """AUC at telling rows of training from others: by the nearest synthetic row, by their scores.

    0.5 is ideal.
    """
    is_member = np.repeat([1, 0], [len(members), len(others)])
    members, others, synthetic = case_of(
        {"members": members, "others": others, "synthetic": synthetic}
    ).tables.values()
    space = distance_space(members).fit(filled(members))
    x, *near = (placed(space, table) for table in (synthetic, members, others))
    distances = np.concatenate([nearest(x, rows) for rows in near])
    by_score = None if scores is None else roc_auc_score(is_member, np.concatenate(scores))
    return {"AUC, nearest": roc_auc_score(is_member, -distances), "AUC, likelihood": by_score}


def missing_categories(case):
    """How many labels of many real rows the synthetic ones lack."""
    missing = 0
    for column in (name for name, kind in case.kinds.items() if kind == LABEL):
        counts = case.real[column].value_counts()
        missing += (~counts.index[counts >= FEW_ROWS].isin(case.synthetic[column])).sum()
    return int(missing)


def plain(table):
    """Numbers as floats, all else as text, in which a missing cell is a category."""
    return filled(with_holes(table))


def is_number(column):
    return kind_of(column) == "number"
