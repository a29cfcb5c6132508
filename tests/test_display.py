"""What pictures of models show: the data that was drawn, read off their axes."""

import subprocess
import sys

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skvae import VAEImputer, VAETransformer
from skvae.display import LossCurveDisplay

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 2)) @ RNG.normal(size=(2, 4)) + 0.1 * RNG.normal(size=(120, 4))


@pytest.fixture(autouse=True)
def closed():
    """Nothing is shown, and no figure outlives its test."""
    matplotlib.use("Agg")
    yield
    plt.close("all")


def small(latent_dim=2, **parameters):
    settings = {"hidden_layer_sizes": 16, "max_iter": 8, "random_state": 0}
    return VAETransformer(latent_dim, **settings | parameters)


@pytest.fixture(scope="module")
def vae():
    return small().fit(X)


def curves(n=40, start=30.0):
    """A history whose first epoch is far off, and of which the first quarter has a lower beta."""
    loss = 10 + 2.0 ** -np.arange(n)
    loss[0] = start
    return {
        "loss": loss,
        "validation_loss": loss + 0.5,
        "log_likelihood": -loss + 3,
        "kl": np.full(n, 3.0),
        "beta": np.minimum(1, np.arange(1, n + 1) / 10),
    }


def line(ax, label):
    return next(line for line in ax.lines if line.get_label().startswith(label))


def test_the_loss_curve_shows_both_losses_and_marks_the_epoch_that_was_kept(vae):
    display = LossCurveDisplay.from_estimator(vae)
    losses, log_likelihood, kl = display.axes_
    for label, name in (("training", "loss"), ("held-out", "validation_loss")):
        np.testing.assert_array_equal(line(losses, label).get_ydata(), vae.history_[name])
    np.testing.assert_array_equal(
        log_likelihood.lines[0].get_ydata(), vae.history_["log_likelihood"]
    )
    np.testing.assert_array_equal(kl.lines[0].get_ydata(), vae.history_["kl"])
    best = line(losses, "best epoch")
    assert best.get_xdata() == [vae.best_iter_]
    assert best.get_ydata() == [vae.history_["validation_loss"][vae.best_iter_ - 1]]
    assert "lower is better" in losses.get_ylabel()


def test_first_epochs_far_above_do_not_squash_the_others_and_are_told():
    losses = LossCurveDisplay(curves(start=1e6), 40).plot().axes_[0]
    low, high = losses.get_ylim()
    assert low < 10 and 10.5 < high < 13
    assert "epoch 1: 1e+06" in [text.get_text().removeprefix("↑ ") for text in losses.texts]


def test_first_epochs_that_are_not_far_off_are_within_the_panel():
    display = LossCurveDisplay(curves(n=8, start=11.5), 8).plot()
    assert display.axes_[0].get_ylim()[1] > 12


def test_epochs_in_which_beta_rises_are_shaded():
    losses = LossCurveDisplay(curves(), 40).plot().axes_[0]
    (span,) = losses.patches
    assert (span.get_x(), span.get_width()) == (0.5, 9)
    assert not LossCurveDisplay(curves() | {"beta": np.ones(40)}, 40).plot().axes_[0].patches


def test_without_held_out_rows_there_is_one_loss():
    history = curves()
    losses = LossCurveDisplay(history | {"validation_loss": history["loss"]}, 3).plot().axes_[0]
    assert [line.get_label()[:8] for line in losses.lines] == ["training", "best epo"]


def test_panels_go_where_given_axes_were(vae):
    figure, (left, right) = plt.subplots(1, 2)
    right.plot([1, 2])
    display = LossCurveDisplay.from_estimator(vae, ax=left)
    assert display.figure_ is figure and not left.axison and right.axison
    assert all(ax.get_position().x1 < 0.5 for ax in display.axes_)


def test_axes_without_a_place_in_a_grid_are_refused():
    with pytest.raises(ValueError, match="cannot be divided into the panels .* plt.subplots"):
        LossCurveDisplay(curves(), 3).plot(plt.figure().add_axes([0, 0, 1, 1]))


def test_estimators_around_a_model_and_pipelines_are_looked_into(vae):
    imputer = VAEImputer(small(max_iter=2)).fit(X)
    pipeline = make_pipeline(StandardScaler(), small(max_iter=3)).fit(X)
    assert len(LossCurveDisplay.from_estimator(imputer).epochs) == 2
    assert len(LossCurveDisplay.from_estimator(pipeline).epochs) == 3


def test_an_estimator_without_a_latent_space_is_refused():
    with pytest.raises(TypeError, match=r"PCA\(\) has no latent space to look at; give a VAE"):
        LossCurveDisplay.from_estimator(PCA().fit(X))


def test_without_matplotlib_it_is_said_what_to_install():
    code = """
import sys
sys.modules["matplotlib"] = sys.modules["matplotlib.pyplot"] = None
from skvae.display import LossCurveDisplay
one = dict.fromkeys(("loss", "validation_loss", "log_likelihood", "kl", "beta"), [1.0])
try:
    LossCurveDisplay(one, 1).plot()
except ImportError as error:
    print(error)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.startswith(
        "matplotlib is not installed, but pictures are drawn by it; run"
    )
