"""What pictures of models show: the data that was drawn, read off their axes."""

import subprocess
import sys
from copy import copy

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from display_models import RNG, X, small
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skvae import VAEImputer
from skvae.display import (
    LatentSpaceDisplay,
    LossCurveDisplay,
)

pytestmark = pytest.mark.usefixtures("closed")


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
from copy import copy
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


def offsets(ax):
    """The points of each scatter by its label."""
    return {part.get_label(): np.asarray(part.get_offsets()) for part in ax.collections}


def legend_of(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_latent_points_are_drawn_with_a_colour_and_a_name_for_each_label(vae):
    y = np.resize(["cat", "dog", "emu"], len(X))
    display = LatentSpaceDisplay.from_estimator(vae, X, y)
    Z = vae.transform(X)[:, display.dims]
    drawn = offsets(display.ax_)
    for label in ("cat", "dog", "emu"):
        np.testing.assert_allclose(drawn[label], Z[y == label])
    assert legend_of(display.ax_) == ["cat", "dog", "emu"]
    colours = [tuple(part.get_facecolor()[0]) for part in display.ax_.collections]
    assert len(set(colours)) == 3


def test_two_latent_dimensions_have_the_axes_of_the_manifold_whatever_they_carry(vae):
    other = copy(vae)
    for nats in ([1.0, 2.0], [2.0, 1.0]):
        other.latent_kl_ = np.array(nats)
        display = LatentSpaceDisplay.from_estimator(other, X)
        assert display.ax_.get_xlabel().startswith("latent 0")
        assert display.ax_.get_ylabel().startswith("latent 1")


def test_numbers_have_a_colour_bar_and_holes_are_grey_crosses(vae):
    y = pd.Series(np.linspace(0, 1, len(X)), name="share")
    y[:5] = np.nan
    display = LatentSpaceDisplay.from_estimator(vae, X, y)
    holes, points = display.ax_.collections
    assert holes.get_label() == "missing" and len(holes.get_offsets()) == 5
    np.testing.assert_allclose(points.get_array(), y[5:])
    assert display.figure_.axes[-1].get_ylabel() == "share"


def test_labels_beyond_twelve_are_the_most_frequent_ones_and_others():
    y = np.repeat([f"label {i:02}" for i in range(20)], np.arange(20, 0, -1))
    display = LatentSpaceDisplay(RNG.normal(size=(len(y), 2)), y).plot()
    assert legend_of(display.ax_) == [*(f"label {i:02}" for i in range(11)), "9 others"]
    assert len(offsets(display.ax_)["9 others"]) == (y > "label 10").sum()


def test_points_of_rare_labels_lie_above_those_of_frequent_ones():
    ax = LatentSpaceDisplay(RNG.normal(size=(20, 2)), ["a"] * 5 + ["b"] * 15).plot().ax_
    heights = {drawn.get_label(): drawn.get_zorder() for drawn in ax.collections}
    assert heights["a"] > heights["b"]


def test_a_label_called_others_is_one_like_the_rest():
    y = np.repeat(["others", *(f"label {i:02}" for i in range(15))], np.arange(16, 0, -1))
    drawn = offsets(LatentSpaceDisplay(RNG.normal(size=(len(y), 2)), y).plot().ax_)
    assert len(drawn["others"]) == 16 and len(drawn["5 others"]) == 15


def test_labels_that_begin_with_an_underscore_are_in_the_legend():
    labels = np.resize(["_private", "open"], 20)
    for Z in (RNG.normal(size=(20, 2)), RNG.normal(size=(20, 1))):
        names = legend_of(LatentSpaceDisplay(Z, labels).plot().ax_)
        assert [name.strip() for name in names] == ["_private", "open"]


def test_whole_numbers_are_told_in_their_order():
    display = LatentSpaceDisplay(RNG.normal(size=(12, 2)), [10, 9, 2, 1] * 3).plot()
    assert legend_of(display.ax_) == ["1", "2", "9", "10"]


def test_more_dimensions_are_drawn_in_pairs_those_of_most_nats_first():
    vae = small(6).fit(X)
    display = LatentSpaceDisplay.from_estimator(vae, X)
    assert display.dims == np.argsort(-vae.latent_kl_)[:5].tolist()
    Z = vae.transform(X)
    for i in range(4):
        for j in range(i + 1):
            pair = [display.dims[j], display.dims[i + 1]]
            np.testing.assert_allclose(display.axes_[i, j].collections[0].get_offsets(), Z[:, pair])
    assert not display.axes_[0, 3].axison


def test_the_spread_is_that_of_draws_of_the_posterior(vae):
    display = LatentSpaceDisplay.from_estimator(vae, X, spread=True)
    ellipses = display.ax_.collections[0]
    deviations = vae.sample_latent(X, 2000, random_state=1).std(axis=0)[:, display.dims]
    np.testing.assert_allclose(ellipses.get_offsets(), vae.transform(X)[:, display.dims])
    widths = np.sort([2 * ellipses.get_widths() / 2, 2 * ellipses.get_heights() / 2], axis=0)
    np.testing.assert_allclose(np.prod(widths / 2, axis=0), np.prod(deviations, axis=1), rtol=0.4)


def test_one_dimension_is_drawn_against_numbers_and_counted_by_labels():
    Z, t = RNG.normal(size=(60, 1)), np.linspace(0, 1, 60)
    display = LatentSpaceDisplay(Z, t).plot()
    np.testing.assert_allclose(display.ax_.collections[0].get_offsets(), np.c_[Z, t])
    display = LatentSpaceDisplay(Z, t > 0.3).plot()
    assert sum(bar.get_height() for bar in display.ax_.patches) == 60
    assert legend_of(display.ax_) == ["False", "True"]


def test_dates_colour_points_too():
    days = pd.Series(pd.date_range("2020-01-01", periods=20))
    display = LatentSpaceDisplay(RNG.normal(size=(20, 2)), days).plot()
    np.testing.assert_allclose(display.ax_.collections[0].get_array(), 18262 + np.arange(20))


def test_dimensions_that_there_are_not_are_refused(vae):
    with pytest.raises(ValueError, match=r"dims=\[5\], but the latent space has .* \[0, 1\]"):
        LatentSpaceDisplay.from_estimator(vae, X, dims=[5])


@pytest.mark.parametrize("dims", [5, (), (0, 0), "0"])
def test_dimensions_that_are_no_list_of_different_ones_are_refused(vae, dims):
    with pytest.raises(
        ValueError, match="but the latent space has .* give a list of some of these"
    ):
        LatentSpaceDisplay.from_estimator(vae, X, dims=dims)


@pytest.mark.parametrize(("y", "n"), [([1, 2, 3], 3), (np.zeros((120, 2)), 240)])
def test_a_y_of_another_length_is_refused_before_rows_are_encoded(vae, y, n):
    broken = copy(vae)
    broken.transform = None  # calling it would raise
    with pytest.raises(
        ValueError, match=f"y has {n} values, but X has 120 rows; give one for each"
    ):
        LatentSpaceDisplay.from_estimator(broken, X, y)
    with pytest.raises(ValueError, match=f"y has {n} values, but X has 120 rows"):
        LatentSpaceDisplay(X, y).plot()


def test_rows_go_through_the_steps_before_a_model():
    pipeline = make_pipeline(StandardScaler(), small()).fit(X)
    display = LatentSpaceDisplay.from_estimator(pipeline, X)
    np.testing.assert_allclose(display.Z, pipeline.transform(X))


def test_a_figure_in_a_dark_style_is_drawn_in_its_colours(vae):
    with plt.style.context("dark_background"):
        display = LatentSpaceDisplay.from_estimator(vae, X)
    assert display.figure_.get_facecolor()[:3] == (0, 0, 0)


def test_an_estimator_that_is_not_fitted_is_refused():
    with pytest.raises(NotFittedError):
        LatentSpaceDisplay.from_estimator(small(), X)
