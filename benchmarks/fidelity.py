"""How like real rows synthetic ones are: shapes, trends, use for learning, privacy."""

import warnings

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

FEW_ROWS = 50  # a category with fewer real rows may be missing among synthetic ones
PRIVACY_ROWS = 5000  # synthetic rows whose nearest real row is looked for


def compare(train, test, synthetic, target, learn_from=None):
    """One table row. Real rows are their own test rows, so they have no share of nearer rows."""
    real = learn_from is not None
    shape, trend, all_trends = quality_errors(train, synthetic)
    nearer, distance = (None, 1.0) if real else privacy(train, test, synthetic)
    return {
        "shape error %": shape,
        "trend error %": trend,
        "of all pairs %": all_trends,
        "AUC or R2": utility(train if real else synthetic, train, test, *target)
        if target
        else None,
        "C2ST": two_samples(train, test if real else synthetic),
        "nearer to training rows": nearer,
        "copies %": 100 * copies(train, synthetic),
        "distance": distance,
        "missing categories": missing_categories(train, synthetic),
        "fit and sample s": None,
    }


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
    kinds = {c: {"sdtype": "numerical" if is_number(real[c]) else "categorical"} for c in real}
    scores = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sdmetrics.reports.single_table import QualityReport

        for all_pairs in (False, True):
            report = QualityReport()
            if all_pairs:  # as papers have it: the thresholds came later
                report.real_correlation_threshold = report.real_association_threshold = 0
            report.generate(
                with_gaps(real), with_gaps(synthetic), {"columns": kinds}, verbose=False
            )
            scores[all_pairs] = 100 * (1 - report.get_properties().set_index("Property")["Score"])
    return scores[True]["Column Shapes"], *(
        scores[which]["Column Pair Trends"] for which in (False, True)
    )


def utility(rows, train, test, target, positive):
    """Test score of boosted trees that learned from `rows`; `train` gives the categories."""
    rows, test = (table.dropna(subset=[target]) for table in (rows, test))
    X, X_test = (learnable(table, train).drop(columns=target) for table in (rows, test))
    if positive is None:
        model = HistGradientBoostingRegressor(categorical_features="from_dtype", random_state=0)
        return model.fit(X, rows[target].astype(float)).score(X_test, test[target].astype(float))
    y, y_test = rows[target] == positive, test[target] == positive
    if y.nunique() == 1:
        return None
    model = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0).fit(
        X, y
    )
    return roc_auc_score(y_test, model.predict_proba(X_test)[:, 1])


def learnable(table, train):
    """Numbers as floats, all else as the categories of the training rows."""
    return plain(table).apply(
        lambda x: x if is_number(x) else categories(x, text(train[x.name]).unique())
    )


def categories(column, levels):
    return column.astype(pd.CategoricalDtype(levels))


def two_samples(real, synthetic):
    """2 (1 - AUC) of XGBoost at telling as many real rows as synthetic ones: 1 is ideal."""
    try:
        from xgboost import XGBClassifier
    except ImportError:
        return None
    n = min(len(real), len(synthetic))
    rows = [table.sample(n, random_state=0)[real.columns] for table in (real, synthetic)]
    X = learnable(pd.concat(rows, ignore_index=True), real)
    model = XGBClassifier(enable_categorical=True, random_state=0, n_jobs=1, tree_method="hist")
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    auc = cross_val_score(model, X, np.repeat([1, 0], n), cv=folds, scoring="roc_auc").mean()
    return 2 * (1 - max(auc, 0.5))


def copies(train, rows):
    """The share of rows whose cells are all those of a training row."""
    train, rows = (pd.util.hash_pandas_object(plain(table), index=False) for table in (train, rows))
    return np.isin(rows, train).mean()


def told_apart(members, others, synthetic, scores=None):
    """AUC at telling rows of training from others: by the nearest synthetic row, by their scores.

    0.5 is ideal.
    """
    space = distance_space(members).fit(plain(members))
    x, *near = (space.transform(plain(t)).astype(np.float32) for t in (synthetic, members, others))
    is_member = np.repeat([1, 0], [len(members), len(others)])
    distances = np.concatenate([nearest(x, rows) for rows in near])
    by_score = None if scores is None else roc_auc_score(is_member, np.concatenate(scores))
    return {"AUC, nearest": roc_auc_score(is_member, -distances), "AUC, likelihood": by_score}


def privacy(train, test, synthetic):
    """Share of synthetic rows nearer to a training row, and how far they are beside test rows.

    Votes are weighed as if there were as many test rows as training rows. A little noise on the
    real rows breaks ties at random.
    """
    rng = np.random.default_rng(0)
    space = distance_space(train).fit(plain(train))
    near = synthetic.sample(min(PRIVACY_ROWS, len(synthetic)), random_state=0)
    x, x_test, x_new = (
        space.transform(plain(table)).astype(np.float32) for table in (train, test, near)
    )
    x, x_test = (rows + rng.normal(0, 1e-4, rows.shape).astype(np.float32) for rows in (x, x_test))
    to_train, to_test = nearest(x, x_new), nearest(x_test, x_new)
    share = np.mean(to_train < to_test)
    votes = share / len(x), (1 - share) / len(x_test)
    return votes[0] / sum(votes), np.median(to_train) / np.median(nearest(x, x_test))


def nearest(x, rows):
    return NearestNeighbors(n_neighbors=1, algorithm="brute").fit(x).kneighbors(rows)[0][:, 0]


def missing_categories(train, synthetic):
    missing = 0
    for column in train:
        if not is_number(train[column]):
            counts = train[column].value_counts()
            missing += (~counts.index[counts >= FEW_ROWS].isin(synthetic[column].unique())).sum()
    return int(missing)


def distance_space(train):
    """Standardised numbers and their gaps, and one-hot categories, two of which are 1 apart."""
    numbers = [c for c in train if is_number(train[c])]
    others = [c for c in train if c not in numbers]
    fill = SimpleImputer(strategy="constant", fill_value=0.0, add_indicator=True)
    return ColumnTransformer(
        [
            ("numbers", make_pipeline(StandardScaler(), fill), numbers),
            ("others", OneHotEncoder(handle_unknown="ignore", sparse_output=False), others),
        ],
        transformer_weights={"others": 0.5**0.5},
    )


def plain(table):
    """Numbers as floats, all else as text, in which a missing cell is a category."""
    return table.apply(lambda x: x.astype("Float64").astype(float) if is_number(x) else text(x))


def with_gaps(table):
    """As `plain`, but gaps stay: sdmetrics drops them in columns and counts them in pairs."""
    return plain(table).mask(table.isna())


def text(column):
    return column.astype(object).where(column.notna(), "missing").astype(str)


def is_number(column):
    return is_numeric_dtype(column) and not is_bool_dtype(column)
