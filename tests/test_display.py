"""What pictures of models show: the data that was drawn, read off their axes."""

import subprocess
import sys

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.decomposition import PCA
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skvae import VAEImputer, VAETransformer
from skvae.display import (
    LatentSpaceDisplay,
    LossCurveDisplay,
    ManifoldDisplay,
    NetworkDisplay,
    ReconstructionDisplay,
    TraversalDisplay,
)

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
    assert legend_of(display.ax_) == [*(f"label {i:02}" for i in range(11)), "others"]
    assert len(offsets(display.ax_)["others"]) == (y > "label 10").sum()


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


def test_a_y_of_another_length_is_refused(vae):
    with pytest.raises(ValueError, match="y has 3 values, but X has 120 rows"):
        LatentSpaceDisplay.from_estimator(vae, X, [1, 2, 3])


def test_rows_go_through_the_steps_before_a_model():
    pipeline = make_pipeline(StandardScaler(), small()).fit(X)
    display = LatentSpaceDisplay.from_estimator(pipeline, X)
    np.testing.assert_allclose(display.Z, pipeline.transform(X))


def test_a_figure_in_a_dark_style_is_drawn_in_its_colours(vae):
    with plt.style.context("dark_background"):
        display = LatentSpaceDisplay.from_estimator(vae, X)
    assert display.figure_.get_facecolor()[:3] == (0, 0, 0)


MIXED = pd.DataFrame(
    {
        "size": X[:, 0],
        "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(np.round(30 * X[:, 1]), unit="D"),
        "kind": np.where(X[:, 2] > 0, "large", "small"),
        "whole": pd.array(np.round(10 * X[:, 3]), dtype="Int64"),
        "same": "one",
    }
)


@pytest.fixture(scope="module")
def mixed():
    return small(max_iter=30).fit(MIXED)


def points_of_grid(n):
    """Latent points of two dimensions, the first moving fastest, through quantiles."""
    z = norm.ppf((np.arange(n) + 0.5) / n)
    return np.array([[x, y] for y in z for x in z])


def test_the_manifold_of_images_is_one_picture_whose_dimensions_rise_to_the_right_and_upwards(vae):
    display = ManifoldDisplay.from_estimator(vae, n=5, shape=(2, 2))
    image = display.ax_.images[0].get_array()
    rows = vae.inverse_transform(points_of_grid(5))
    for i in range(25):
        y, x = divmod(i, 5)
        tile = image[3 * (4 - y) : 3 * (4 - y) + 2, 3 * x : 3 * x + 2]
        np.testing.assert_allclose(tile, rows[i].reshape(2, 2))
    assert display.ax_.get_xticklabels()[0].get_text() == f"{norm.ppf(0.1):.1f}"
    assert [label.get_text() for label in display.ax_.get_yticklabels()][2] == "0.0"


def test_rows_of_a_table_have_a_map_for_each_column(mixed):
    display = ManifoldDisplay.from_estimator(mixed, n=6)
    rows = mixed.inverse_transform(points_of_grid(6))
    size, day, kind, whole, _ = (panel.images[0].get_array() for panel in display.axes_)
    np.testing.assert_allclose(size, rows["size"].to_numpy().reshape(6, 6))
    days = (rows["day"] - pd.Timestamp("1970-01-01")) / pd.Timedelta("1D")
    np.testing.assert_allclose(day, days.to_numpy().reshape(6, 6))
    np.testing.assert_allclose(whole, rows["whole"].to_numpy(float).reshape(6, 6))
    assert len(np.unique(kind)) == rows["kind"].nunique() == 2
    assert len({*zip(kind.ravel().tolist(), rows["kind"], strict=True)}) == 2
    titles = [panel.get_title() for panel in display.axes_]
    assert titles == ["size", "day", "kind", "whole", "same"]


def test_a_function_of_ones_own_draws_each_row(vae, mixed):
    drawn = []
    display = ManifoldDisplay.from_estimator(vae, n=3, draw=lambda ax, row: drawn.append(row))
    np.testing.assert_allclose(drawn, vae.inverse_transform(points_of_grid(3)))
    assert display.axes_.shape == (3, 3)
    named = []
    ManifoldDisplay.from_estimator(mixed, n=2, draw=lambda ax, row: named.append(row["kind"]))
    assert named == mixed.inverse_transform(points_of_grid(2))["kind"].tolist()


def test_one_dimension_gives_curves():
    vae = small(1, max_iter=2).fit(X)
    display = ManifoldDisplay.from_estimator(vae, n=9)
    z = norm.ppf((np.arange(9) + 0.5) / 9)
    for j, panel in enumerate(display.axes_):
        np.testing.assert_allclose(panel.lines[0].get_xdata(), z)
        np.testing.assert_allclose(
            panel.lines[0].get_ydata(), vae.inverse_transform(z[:, None])[:, j]
        )


def test_of_many_columns_those_that_vary_most_are_shown_and_it_is_said():
    rng = np.random.default_rng(0)
    told = rng.normal(size=(120, 1)) * [1e-6, 1, -1, 1e6]
    told = told * (1 + 0.01 * rng.normal(size=(120, 4)))
    wide = np.c_[rng.normal(size=(120, 20)), told]
    display = ManifoldDisplay.from_estimator(small(max_iter=60).fit(wide), n=4)
    assert {20, 21, 22, 23} <= set(display.columns) and len(display.axes_) == 12
    assert display.figure_.get_suptitle() == "12 of 24 columns: those that vary most"


def test_an_image_of_another_size_is_refused(vae):
    with pytest.raises(ValueError, match=r"shape=\(3, 2\), but a row has 4 columns; give the"):
        ManifoldDisplay.from_estimator(vae, shape=(3, 2))


def test_a_grid_of_three_dimensions_is_refused():
    with pytest.raises(ValueError, match="a grid has one or two dimensions"):
        ManifoldDisplay.from_estimator(small(3, max_iter=1).fit(X), dims=(0, 1, 2))


def test_rows_come_back_through_the_steps_before_a_model():
    pipeline = make_pipeline(StandardScaler(), small()).fit(X * 1e3)
    display = ManifoldDisplay.from_estimator(pipeline, n=3)
    np.testing.assert_allclose(display.rows, pipeline.inverse_transform(points_of_grid(3)))


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_a_traversal_tells_moves_in_deviations_and_labels_where_they_change(mixed):
    display = TraversalDisplay.from_estimator(mixed, MIXED, n=5, dims=[1])
    codes = mixed.transform(MIXED)
    points = np.tile(codes.mean(axis=0), (5, 1))
    points[:, 1] += np.linspace(-2.5, 2.5, 5) * codes[:, 1].std()
    rows = mixed.inverse_transform(points)
    moves = (rows["size"] - rows["size"][2]) / MIXED["size"].std(ddof=0)
    image = display.ax_.images[0].get_array().filled(np.nan)
    np.testing.assert_allclose(image[0], moves, rtol=1e-6)
    days = (rows["day"] - rows["day"][2]) / MIXED["day"].std(ddof=0)
    np.testing.assert_allclose(image[1], days, rtol=1e-6, atol=1e-12)
    assert np.isnan(image[[2, 4]]).all()
    changes = rows["kind"][rows["kind"] != rows["kind"].shift()].tolist()
    assert texts(display.ax_) == [*changes, "one"]
    names = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert names == ["size", "day", "kind", "whole", "same"]


def test_without_rows_a_traversal_starts_from_the_middle_of_the_prior(vae):
    display = TraversalDisplay.from_estimator(vae, n=3, shape=(2, 2))
    image = display.ax_.images[0].get_array()
    for row, i in enumerate(np.argsort(-vae.latent_kl_)):
        points = np.zeros((3, 2))
        points[:, i] = [-2.5, 0, 2.5]
        restored = vae.inverse_transform(points).reshape(3, 2, 2)
        for step in range(3):
            tile = image[3 * row : 3 * row + 2, 3 * step : 3 * step + 2]
            np.testing.assert_allclose(tile, restored[step])
    told = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert told == display.names and told[0].startswith(f"latent {np.argmax(vae.latent_kl_)} (")
    assert [label.get_text() for label in display.ax_.get_xticklabels()] == ["-2.5", "0", "+2.5"]


def test_each_dimension_shows_the_columns_that_it_moves_most():
    rows = pd.DataFrame(np.zeros((5, 30)), columns=[f"c{j}" for j in range(30)])
    rows["c7"] = rows["c29"] = np.linspace(-1, 1, 5)
    display = TraversalDisplay(
        [rows], np.linspace(-2, 2, 5), ["latent 0"], deviations=dict.fromkeys(rows, 1.0)
    ).plot()
    names = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert len(names) == 12 and {"c7", "c29"} <= set(names)
    assert "12 of 30 columns" in display.figure_.get_suptitle()


def test_images_are_shown_above_those_that_are_restored(vae):
    display = ReconstructionDisplay.from_estimator(vae, X, shape=(2, 2), n=3)
    image = display.ax_.images[0].get_array()
    for row, rows in enumerate([X, vae.inverse_transform(vae.transform(X))]):
        for i in range(3):
            tile = image[3 * row : 3 * row + 2, 3 * i : 3 * i + 2]
            np.testing.assert_allclose(tile, rows[i].reshape(2, 2))


def test_columns_are_drawn_before_against_after_without_holes(mixed):
    holed = MIXED.assign(
        size=MIXED["size"].mask(MIXED.index < 10), kind=MIXED["kind"].mask(MIXED.index > 90)
    )
    display = ReconstructionDisplay.from_estimator(mixed, holed)
    after = mixed.inverse_transform(mixed.transform(holed))
    size, _, kind, *_ = display.axes_
    expected = np.c_[MIXED["size"], after["size"]][10:]
    np.testing.assert_allclose(size.collections[0].get_offsets(), expected)
    assert display.restored["size"] == pytest.approx(r2_score(*expected.T))
    agree = (after["kind"] == holed["kind"])[:91]
    assert display.restored["kind"] == pytest.approx(agree.mean())
    levels = [label.get_text() for label in kind.get_xticklabels()]
    shares = pd.crosstab(after["kind"][:91], holed["kind"][:91], normalize="columns")
    shares = shares.reindex(levels, fill_value=0)[levels]
    np.testing.assert_allclose(kind.images[0].get_array(), shares)
    assert kind.get_title() == f"kind\n{agree.mean():.0%} as before"


def test_of_many_columns_some_are_shown_from_the_best_restored_to_the_worst():
    before = pd.DataFrame(RNG.normal(size=(50, 40)))
    after = before + np.arange(40) / 10 * RNG.normal(size=(50, 40))
    display = ReconstructionDisplay(before, after)
    shares = [display.restored[name] for name in display.columns]
    assert len(shares) == 12 and shares == sorted(shares, reverse=True)
    assert (shares[0], shares[-1]) == (1, min(display.restored.values()))


def test_the_network_is_drawn_with_the_widths_of_its_layers(mixed):
    display = NetworkDisplay.from_estimator(mixed)
    encoder, decoder = mixed.encoder_, mixed.decoder_
    widths = [encoder.input_shape[1], 16, encoder.output_shape[1], 2, 16, decoder.output_shape[1]]
    bars = [container[0] for container in display.ax_.containers]
    np.testing.assert_allclose([bar.get_height() for bar in bars], np.log2(1 + np.array(widths)))
    assert [text for text in texts(display.ax_) if text.replace(",", "").isdigit()] == [
        f"{width:,}" for width in widths
    ]
    told = texts(display.ax_)[-1].split("\n")
    assert told[:2] == ["p(z): Normal()", "q(z | x): Gaussian()"]
    assert told[3:] == [
        "p(x | z) of 5 columns:",
        *["Histogram()", "    day, whole", "Categorical()", "    kind, same"],
        *["WarpedGaussian()", "    size"],
    ]


def test_of_many_layers_and_columns_the_first_are_named_and_the_others_counted():
    deep = [(f"layer{i}", 8) for i in range(20)]
    names = [f"c{i}" for i in range(200)]
    display = NetworkDisplay(deep, deep, 2, "p", "q", {"Gaussian()": names}).plot()
    assert "14\nmore" in texts(display.ax_) and "layer7" not in texts(display.ax_)
    assert texts(display.ax_)[-1].endswith("    c0, c1, c2 and 197 more")
    assert len(display.ax_.containers) == 15


def test_layers_of_ones_own_are_named():
    vae = small(encoder=own_encoder, max_iter=1).fit(X)
    named = NetworkDisplay.from_estimator(vae).encoder
    assert named[1:] == [("Reshape", 8), ("Conv1D tanh", 24), ("Flatten", 24), ("Dense", 4)]


def own_encoder(n_inputs, n_outputs):
    from keras import Input, Sequential, layers

    return Sequential(
        [
            Input((n_inputs,)),
            layers.Reshape((n_inputs, 1)),
            layers.Conv1D(3, 2, padding="same", activation="tanh"),
            Sequential([layers.Flatten(), layers.Dense(n_outputs)]),
        ]
    )
