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


def test_scores_are_those_of_the_model(detector):
    np.testing.assert_array_equal(detector.score_samples(X), detector.vae_.score_samples(X))


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
