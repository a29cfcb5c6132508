import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from skvae import VAEImputer, VAETransformer

X, y = load_iris(return_X_y=True)
HOLES = np.random.default_rng(0).random(X.shape) < 0.3
Y = np.where(HOLES, np.nan, X)


def small(**parameters):
    return VAEImputer(
        VAETransformer(2, hidden_layer_sizes=32, max_iter=60, **parameters), random_state=0
    )


def test_holes_are_filled_better_than_with_the_mean_and_the_rest_is_untouched():
    filled = small().fit_transform(Y)
    np.testing.assert_array_equal(filled[~HOLES], X[~HOLES])
    error, error_of_mean = (
        ((guess - X)[HOLES] ** 2).mean() for guess in (filled, np.nanmean(Y, axis=0))
    )
    assert error < 0.5 * error_of_mean


def test_draws_keep_the_spread_of_a_column_that_means_do_not():
    means, draws = small().fit(Y), small().set_params(draw=True).fit(Y)
    drawn = draws.transform(Y)
    np.testing.assert_array_equal(drawn[~HOLES], X[~HOLES])
    np.testing.assert_array_equal(drawn, draws.transform(Y))  # of the same random_state
    assert means.transform(Y)[HOLES].std() < drawn[HOLES].std()
    residual, residual_of_means = (
        (filled - X)[HOLES].std() for filled in (drawn, means.transform(Y))
    )
    assert residual > 1.2 * residual_of_means


def test_means_use_no_random_numbers():
    state = np.random.RandomState(0)
    imputer = VAEImputer(VAETransformer(max_iter=2), random_state=state).fit(Y)
    before = state.get_state()[2]
    imputer.transform(Y)
    assert state.get_state()[2] == before


def test_it_fills_what_the_fitted_model_imputes():
    imputer = small().fit(Y)
    np.testing.assert_array_equal(imputer.transform(Y), imputer.vae_.impute(Y))
    np.testing.assert_array_equal(small().fit_transform(Y), imputer.transform(Y))


@pytest.mark.smoke
def test_it_works_in_a_pipeline_and_a_search():
    model = make_pipeline(small(), LogisticRegression(max_iter=1000))
    assert cross_val_score(model, Y, y, cv=3).mean() > 0.7
    search = GridSearchCV(model, {"vaeimputer__vae__latent_dim": [1, 2]}, cv=2).fit(Y, y)
    assert search.best_score_ > 0.7


def test_a_frame_stays_a_frame_with_its_labels():
    kind = pd.Series(np.array(["x", "y", "z"])[y]).where(~HOLES[:, 2])
    frame = pd.DataFrame(Y[:, :2], columns=["a", "b"]).assign(kind=kind)
    filled = small().fit_transform(frame)
    assert list(filled.columns) == ["a", "b", "kind"]
    assert filled.dtypes.equals(frame.dtypes)
    assert not filled.isna().to_numpy().any()
    trees = make_pipeline(
        small(), HistGradientBoostingClassifier(max_iter=5, categorical_features="from_dtype")
    )
    assert (
        trees.fit(frame.astype({"kind": "category"}), y).score(
            frame.astype({"kind": "category"}), y
        )
        > 0.7
    )


def test_its_random_state_takes_the_place_of_the_models():
    first, second = (
        VAEImputer(VAETransformer(max_iter=3, random_state=seed), random_state=0) for seed in (1, 2)
    )
    np.testing.assert_array_equal(first.fit_transform(Y), second.fit_transform(Y))
    own = VAEImputer(VAETransformer(max_iter=3, random_state=1)).fit(Y)
    np.testing.assert_array_equal(
        own.vae_.transform(X), VAETransformer(max_iter=3, random_state=1).fit(Y).transform(X)
    )


def test_the_model_given_is_left_as_it_was():
    vae = VAETransformer(max_iter=2)
    VAEImputer(vae, random_state=0).fit(Y)
    assert not hasattr(vae, "n_iter_")
    assert repr(vae) == repr(clone(vae))


def test_something_else_than_a_model_is_refused():
    with pytest.raises(ValueError, match="The 'vae' parameter of VAEImputer"):
        VAEImputer(vae="vae").fit(Y)
