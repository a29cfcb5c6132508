import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from skvae import VAEOutlierDetector, VAETransformer

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 2)) @ RNG.normal(size=(2, 6)) + 0.1 * RNG.normal(size=(300, 6))
FAR = RNG.normal(size=(60, 6)) * X.std(axis=0)  # as wide in each column, but off the plane


def small(**parameters):
    return VAEOutlierDetector(
        VAETransformer(2, hidden_layer_sizes=32, max_iter=60), random_state=0, **parameters
    )


@pytest.fixture(scope="module")
def detector():
    return small().fit(X[:200])


@pytest.mark.smoke
def test_rows_off_the_plane_score_lower(detector):
    scores = detector.score_samples(np.concatenate([X[200:], FAR]))
    assert roc_auc_score([1] * 100 + [0] * 60, scores) > 0.95
    assert (detector.predict(FAR) == -1).mean() > 0.9


@pytest.mark.parametrize("contamination", [0.05, 0.3])
def test_contamination_is_the_share_of_training_rows_called_outliers(contamination):
    labels = small(contamination=contamination).fit_predict(X)
    assert (labels == -1).mean() == pytest.approx(contamination, abs=0.01)


@pytest.mark.smoke
def test_the_sign_of_the_decision_is_the_prediction(detector):
    rows = np.concatenate([X, FAR])
    decision = detector.decision_function(rows)
    np.testing.assert_array_equal(decision, detector.score_samples(rows) - detector.offset_)
    np.testing.assert_array_equal(detector.predict(rows), np.where(decision < 0, -1, 1))


@pytest.mark.parametrize("likelihood", ["gaussian", "auto", "histogram"])
def test_scores_do_not_depend_on_the_units_of_columns(likelihood):
    vae = VAETransformer(2, hidden_layer_sizes=8, max_iter=20, likelihood=likelihood)
    units = 10.0 ** np.arange(-3, 3)
    holed = np.where(RNG.random(X.shape) < 0.2, np.nan, X)
    scores = [
        VAEOutlierDetector(vae, random_state=0).fit(X * unit).score_samples(holed * unit)
        for unit in (1, units)
    ]
    np.testing.assert_allclose(*scores, rtol=0.01, atol=0.02)


def test_scores_are_those_of_the_model_less_what_units_give(detector):
    deviations = detector.vae_.score_samples(X) - detector.score_samples(X)
    held = VAEOutlierDetector(VAETransformer(2, max_iter=1, likelihood="gaussian")).fit(X)
    less = held.vae_.score_samples(X) - held.score_samples(X)
    np.testing.assert_allclose(less, -np.log(X.std(axis=0)).sum(), rtol=1e-6)
    assert deviations.std() > 0.1  # normal scores: dense values count as others do


def test_a_row_with_a_cell_far_beyond_all_others_is_the_first_outlier(detector):
    far = X[200:].copy()
    far[3, 2] = 40 * X[:, 2].std()
    assert detector.score_samples(far).argmin() == 3


def test_a_value_between_groups_is_as_abnormal_as_in_the_density():
    rng = np.random.default_rng(0)
    groups = np.where(rng.random(400) < 0.5, -5.0, 5.0) + rng.normal(0, 0.2, 400)
    found = small().fit(np.c_[groups, rng.normal(size=400)])
    between, *within = found.score_samples([[0.0, 0.0], [-5.0, 0.0], [5.0, 0.0]])
    assert between < min(within) - 1


def test_a_whole_number_that_never_came_is_less_normal_than_those_that_did():
    rng = np.random.default_rng(0)
    found = small().fit(pd.DataFrame({"n": rng.choice([0, 1, 10], 300), "x": rng.normal(size=300)}))
    odd = pd.DataFrame({"n": [0, 1, 10, 5, 6, 11], "x": np.zeros(6)})
    scores = found.score_samples(odd)
    assert scores[3:].max() < scores[:3].min() - 3


def test_a_hole_in_a_column_of_small_units_makes_no_row_an_outlier():
    rows = X[:, :3] * [1, 1e6, 1e-6]
    found = small().fit(rows)
    for j in range(3):
        holed = rows.copy()
        holed[:, j] = np.nan
        assert (found.predict(holed) == -1).mean() < 0.25


def test_mixed_rows_with_holes_are_judged_by_what_is_there():
    kind = RNG.integers(0, 2, 400)
    frame = pd.DataFrame(
        {"kind": np.array(["a", "b"])[kind], "x": kind * 10 + RNG.normal(size=400)}
    )
    detector = small().fit(frame)
    odd = pd.DataFrame({"kind": ["a", "a", None, "b"], "x": [10.0, 0.0, 10.0, np.nan]})
    assert list(detector.predict(odd)) == [-1, 1, 1, 1]


@pytest.mark.parametrize("contamination", [0, 0.6, "some"])
def test_a_bad_contamination_is_refused(contamination):
    with pytest.raises(ValueError, match="The 'contamination' parameter of VAEOutlierDetector"):
        small(contamination=contamination).fit(X)
