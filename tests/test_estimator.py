"""VAETransformer as its users use it, on real sets."""

import json
import pickle
import random
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skvae import VAETransformer
from skvae.likelihoods import Gaussian

IRIS = load_iris(as_frame=True)
WINE, CULTIVAR = load_wine(return_X_y=True)
CANCER, MALIGNANT = load_breast_cancer(return_X_y=True)


def small(**parameters):
    settings = {"hidden_layer_sizes": 16, "max_iter": 60, "learning_rate": 0.01, "random_state": 0}
    return VAETransformer(**{**settings, **parameters})


@pytest.mark.smoke
def test_it_works_as_a_step_of_a_pipeline():
    model = make_pipeline(small(latent_dim=3), LogisticRegression())
    assert cross_val_score(model, WINE, CULTIVAR, cv=3).mean() > 0.85


def test_it_works_behind_another_scaler():
    model = make_pipeline(MinMaxScaler(), small(likelihood="continuous_bernoulli", max_iter=5))
    assert np.isfinite(model.fit(CANCER).score(CANCER))


@pytest.mark.parametrize(
    "n_jobs", [pytest.param(None, marks=pytest.mark.smoke), pytest.param(2, marks=pytest.mark.slow)]
)
def test_grid_search_needs_no_scoring(n_jobs):
    grid = {"latent_dim": [1, 2], "likelihood": [Gaussian(), Gaussian(scale=0.05)]}
    search = GridSearchCV(small(), grid, cv=2, n_jobs=n_jobs).fit(IRIS.data)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_params_["likelihood"] == Gaussian()
    assert search.best_estimator_.latent_dim == search.best_params_["latent_dim"]


def test_cross_validation_scores_are_finite_and_compare_with_pca():
    X = StandardScaler().fit_transform(CANCER)
    cv = KFold(3, shuffle=True, random_state=0)
    assert (
        cross_val_score(small(max_iter=100), X, cv=cv).mean()
        > cross_val_score(PCA(2), X, cv=cv).mean()
    )


def test_it_stands_beside_pca_in_a_feature_union():
    union = FeatureUnion([("pca", PCA(2)), ("vae", small(max_iter=3))]).fit(WINE)
    assert union.transform(WINE).shape == (178, 4)
    assert list(union.get_feature_names_out()[-2:]) == [
        "vae__vaetransformer0",
        "vae__vaetransformer1",
    ]


@pytest.mark.smoke
@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_set_output_gives_named_columns(container):
    vae = small(max_iter=3).set_output(transform=container)
    Z = vae.fit_transform(IRIS.data)
    assert type(Z).__module__.startswith(container)
    assert list(Z.columns) == ["vaetransformer0", "vaetransformer1"]
    if container == "pandas":
        assert Z.index.equals(IRIS.data.index)


def test_clone_keeps_parameters_and_drops_what_was_learned():
    vae = small(likelihood=Gaussian(scale="shared")).fit(IRIS.data)
    copy = clone(vae)
    assert repr(copy) == repr(vae)
    with pytest.raises(NotFittedError):
        copy.transform(IRIS.data)


def in_another_process(code, **environment):
    import os

    env = {**os.environ, **environment}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env
    )
    return json.loads(result.stdout)


@pytest.mark.smoke
def test_a_dumped_model_gives_the_same_bits_in_another_process(tmp_path):
    vae = small().fit(IRIS.data)
    joblib.dump((vae, IRIS.data), tmp_path / "vae.joblib")
    code = f"""
import joblib, json
vae, X = joblib.load({str(tmp_path / "vae.joblib")!r})
drawn = vae.sample(3, random_state=0).to_numpy()
print(json.dumps([vae.transform(X).tolist(), drawn.tolist(), vae.score(X)]))
"""
    Z, drawn, score = in_another_process(code)
    np.testing.assert_array_equal(Z, vae.transform(IRIS.data))
    np.testing.assert_array_equal(drawn, vae.sample(3, random_state=0))
    assert score == vae.score(IRIS.data)


FIT = """
import json
from sklearn.datasets import load_wine
from skvae import VAETransformer
X = load_wine().data
vae = VAETransformer(
    hidden_layer_sizes=16, max_iter=60, learning_rate=0.01, random_state=0, dropout=0.1
).fit(X)
print(json.dumps([vae.transform(X).tolist(), vae.sample(3, random_state=0).tolist(), vae.score(X)]))
"""


def test_the_same_seed_gives_the_same_bits_here_and_in_another_process():
    first, second = (small(dropout=0.1).fit(WINE) for _ in range(2))
    Z, drawn, _ = in_another_process(FIT)
    for other in (second.transform(WINE), Z):
        np.testing.assert_array_equal(first.transform(WINE), other)
    for other in (second.sample(3, random_state=0), drawn):
        np.testing.assert_array_equal(first.sample(3, random_state=0), other)


SEARCH = """
import json
import numpy as np
from sklearn.model_selection import GridSearchCV
from skvae import VAETransformer
rng = np.random.default_rng(0)  # wide enough that products are split between threads
X = rng.normal(size=(600, 3)) @ rng.normal(size=(3, 784)) + rng.normal(size=(600, 784)) > 0
vae = VAETransformer(max_iter=8, batch_size=64, random_state=0)
search = GridSearchCV(vae, {"latent_dim": [1, 3]}, cv=2).fit(X)
print(json.dumps([search.best_params_, search.cv_results_["mean_test_score"].tolist()]))
"""


@pytest.mark.slow
def test_the_number_of_threads_changes_no_choice_and_scores_by_far_less_than_candidates_differ():
    (best_of_one, one), (best_of_two, two) = (
        in_another_process(SEARCH, TF_NUM_INTRAOP_THREADS=n, TF_NUM_INTEROP_THREADS=n)
        for n in ("1", "2")
    )
    assert best_of_one == best_of_two
    np.testing.assert_allclose(
        one, two, atol=0.01 * abs(one[0] - one[1])
    )  # last bits differ, and grow


THREADS = """
import json
import numpy as np
import tensorflow as tf
from skvae import VAETransformer
X = np.random.default_rng(0).normal(size=(50, 3))
before = tf.constant(0.0) if {runs} else None
VAETransformer(max_iter=1).fit(X)
print(json.dumps(tf.config.threading.get_intra_op_parallelism_threads()))
"""


@pytest.mark.parametrize(
    ("runs", "environment", "threads"),
    [
        (False, {"OMP_NUM_THREADS": "1"}, 1),  # as in joblib's workers
        pytest.param(False, {"OMP_NUM_THREADS": "2,1"}, 0, marks=pytest.mark.slow),
        pytest.param(False, {}, 0, marks=pytest.mark.slow),
        (False, {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "2"}, 0),
        (True, {"OMP_NUM_THREADS": "1"}, 0),  # too late to tell
    ],
)
def test_tensorflow_takes_the_threads_that_it_may(runs, environment, threads, monkeypatch):
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
        monkeypatch.delenv(name, raising=False)
    assert in_another_process(THREADS.replace("{runs}", str(runs)), **environment) == threads


def test_another_seed_gives_another_model():
    first, second = (small(random_state=seed).fit(WINE).transform(WINE) for seed in (0, 1))
    assert abs(first - second).max() > 0.01


def test_global_generators_are_neither_read_nor_moved():
    def states():
        return random.getstate(), np.random.get_state()[1].tolist(), np.random.get_state()[2]

    tf.random.set_seed(0)
    expected = tf.random.uniform([3]).numpy()
    tf.random.set_seed(0)
    before = states()
    vae = small(random_state=None, dropout=0.1).fit(WINE)
    (
        vae.sample(2),
        vae.sample_latent(WINE),
        vae.posterior_predictive(WINE),
        vae.score(WINE),
        vae.encoder_,
        vae.decoder_,
    )
    assert states() == before
    np.testing.assert_array_equal(tf.random.uniform([3]), expected)


def test_draws_differ_from_call_to_call_unless_seeded():
    vae = small().fit(WINE)
    for draw in (
        vae.sample,
        lambda n, random_state=None: vae.posterior_predictive(WINE[:n], random_state=random_state),
    ):
        assert (draw(5) != draw(5)).any()
        np.testing.assert_array_equal(draw(5, random_state=3), draw(5, random_state=3))
    assert (vae.sample_latent(WINE) != vae.sample_latent(WINE)).all()


def test_a_random_state_object_moves_on_between_calls():
    vae = small(max_iter=3).fit(WINE)
    for rng in (np.random.RandomState(0), np.random.default_rng(0)):
        assert (vae.sample(2, random_state=rng) != vae.sample(2, random_state=rng)).any()


def test_samples_look_like_the_data():
    vae = small(max_iter=150, hidden_layer_sizes=32).fit(IRIS.data)
    drawn = vae.sample(5000, random_state=0)
    spread = IRIS.data.std()
    assert (abs(drawn.mean() - IRIS.data.mean()) < 0.25 * spread).all()
    assert (abs(drawn.std() / spread - 1) < 0.25).all()
    assert (abs(drawn.corr() - IRIS.data.corr()) < 0.25).to_numpy().all()


def test_inverse_transform_restores_rows_better_than_the_mean_does():
    vae = small(max_iter=150).fit(WINE)
    error = ((vae.inverse_transform(vae.transform(WINE)) - WINE) ** 2).mean(axis=0) / WINE.var(
        axis=0
    )
    assert error.mean() < 0.6


@pytest.mark.smoke
def test_shapes_of_latent_draws():
    vae = small(latent_dim=3, max_iter=2).fit(WINE)
    assert vae.sample_latent(WINE[:10], n_draws=4).shape == (4, 10, 3)
    assert vae.sample_latent(n_draws=4).shape == (4, 3)
    assert vae.posterior_predictive(WINE[:10], n_draws=4).shape == (40, 13)


def test_latent_draws_have_the_mean_that_transform_gives():
    vae = small(latent_dim=3).fit(WINE)
    draws = vae.sample_latent(WINE, n_draws=2000, random_state=0)
    error = draws.std(axis=0) / 2000**0.5
    assert (abs(draws.mean(axis=0) - vae.transform(WINE)) < 6 * error).all()


def test_a_number_of_units_is_one_layer():
    one, tuple_ = (
        small(hidden_layer_sizes=sizes, max_iter=3).fit(WINE).transform(WINE)
        for sizes in (16, (16,))
    )
    np.testing.assert_array_equal(one, tuple_)


def test_unfitted_use_says_so():
    vae = VAETransformer()
    for use in (
        vae.transform,
        vae.score,
        vae.score_samples,
        vae.inverse_transform,
        vae.posterior_predictive,
        vae.sample_latent,
    ):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            use(WINE)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        vae.sample()
    for attribute in ("encoder_", "decoder_", "history_"):
        assert not hasattr(vae, attribute)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"latent_dim": 0},
            "The 'latent_dim' parameter of VAETransformer must be an int in the range",
        ),
        (
            {"latent_dim": 2.0},
            "The 'latent_dim' parameter of VAETransformer must be an int in the range",
        ),
        ({"dropout": 1.0}, "The 'dropout' parameter .* must be a float in the range"),
        ({"beta": -1}, "The 'beta' parameter .* must be a float in the range"),
        ({"activation": "rely"}, "The 'activation' parameter .* must be a str among"),
        ({"likelihood": 3}, "The 'likelihood' parameter"),
        (
            {"likelihood": "gausian"},
            "Unknown likelihood 'gausian'. Known names: bernoulli, .*gaussian",
        ),
        (
            {"prior": "flat"},
            "Unknown prior 'flat'. Known names: fitted, flow, mixture, normal, vamp",
        ),
        (
            {"posterior": "flat"},
            "Unknown posterior 'flat'. Known names: flow, full_gaussian, gaussian",
        ),
        (
            {"objective": "mse"},
            "Unknown objective 'mse'. Known names: capacity, elbo, free_bits, iwae",
        ),
        (
            {"hidden_layer_sizes": (64, 0)},
            r"hidden_layer_sizes=\(64, 0\), but each layer needs a whole number",
        ),
        ({"hidden_layer_sizes": (64, 2.5)}, "but each layer needs a whole number"),
        ({"likelihood": Gaussian(scale="wide")}, "The 'scale' parameter of Gaussian must be"),
        ({"batch_size": 0}, "The 'batch_size' parameter"),
        ({"learning_rate": 0.0}, "The 'learning_rate' parameter"),
        ({"validation_fraction": 1.0}, "The 'validation_fraction' parameter"),
    ],
)
def test_bad_parameters_get_one_clear_sentence(parameters, message):
    with pytest.raises(ValueError, match=message):
        VAETransformer(**parameters).fit(WINE)


@pytest.mark.parametrize("n", [0, -1, 2.5, "3"])
def test_bad_counts_get_one_clear_sentence(n):
    vae = small(max_iter=2).fit(WINE)
    for use in (
        lambda: vae.sample(n),
        lambda: vae.sample_latent(WINE, n_draws=n),
        lambda: vae.sample_latent(n_draws=n),
        lambda: vae.posterior_predictive(WINE, n_draws=n),
        lambda: vae.score_samples(WINE, n_draws=n),
    ):
        with pytest.raises(
            ValueError, match=r"n_(samples|draws)=.*, but a whole number of at least 1 is expected"
        ):
            use()


def test_latent_points_of_another_dimension_are_refused():
    vae = small(max_iter=2).fit(WINE)
    with pytest.raises(ValueError, match="Z has 3 columns, but this model has latent_dim=2"):
        vae.inverse_transform(np.zeros((4, 3)))


@pytest.mark.parametrize(
    ("parameters", "X", "message"),
    [
        ({}, np.full((5, 3), np.inf), "infinity"),
        ({"learning_rate": 1e30}, WINE[:, :4], "The loss became"),
    ],
)
def test_a_fit_that_fails_leaves_the_old_model_usable(parameters, X, message):
    vae = small(max_iter=2).fit(WINE)
    Z = vae.transform(WINE)
    with pytest.raises(ValueError, match=message):
        vae.set_params(**parameters).fit(X)
    np.testing.assert_array_equal(vae.transform(WINE), Z)


@pytest.mark.parametrize("backend", ["jax", pytest.param("torch", marks=pytest.mark.slow), "numpy"])
def test_another_backend_gets_one_sentence(backend):
    code = """
import json
from skvae import VAETransformer
try:
    VAETransformer().fit([[1.0], [2.0]])
except RuntimeError as error:
    print(json.dumps(str(error)))
"""
    assert f"KERAS_BACKEND={backend} is set" in in_another_process(code, KERAS_BACKEND=backend)


@pytest.mark.parametrize("random_state", ["a", -1, 2.5])
def test_a_bad_random_state_gets_one_clear_sentence(random_state):
    vae = small(max_iter=2).fit(WINE)
    with pytest.raises(ValueError, match="random_state=.*, but a whole number of at least 0"):
        vae.sample(random_state=random_state)


def test_a_pickled_model_carries_the_optimiser_only_where_it_is_needed():
    plain, warm = (
        small(hidden_layer_sizes=256, max_iter=2, warm_start=warm).fit(WINE)
        for warm in (False, True)
    )
    assert len(pickle.dumps(plain)) < 0.6 * len(pickle.dumps(warm))


def test_layers_are_float32_whatever_keras_is_told():
    import keras

    expected = small(max_iter=3).fit(WINE).transform(WINE)
    keras.config.set_dtype_policy("mixed_float16")
    keras.config.set_floatx("float64")
    try:
        vae = small(max_iter=3, hidden_layer_sizes=(16, 4)).fit(WINE)
        assert {weight.dtype for weight in vae.encoder_.weights} == {"float32"}
        np.testing.assert_array_equal(small(max_iter=3).fit(WINE).transform(WINE), expected)
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")


@pytest.mark.slow
def test_eight_latent_dimensions_of_digits_classify_better_than_eight_of_pca():
    X, y = load_digits(return_X_y=True)
    cv = KFold(5, shuffle=True, random_state=0)
    accuracy = [
        cross_val_score(
            make_pipeline(StandardScaler(), reduce, KNeighborsClassifier(5)), X, y, cv=cv
        ).mean()
        for reduce in (VAETransformer(8, random_state=0), PCA(8))
    ]
    assert accuracy[0] > accuracy[1] + 0.02


def test_a_frame_of_booleans_and_numbers_keeps_its_kinds():
    frame = IRIS.frame.assign(setosa=IRIS.target == 0)
    drawn = small().fit(frame).sample(100, random_state=0)
    assert drawn["setosa"].dtype == bool
    assert set(drawn["target"].unique()) <= {0, 1, 2}
    assert isinstance(drawn, pd.DataFrame)
