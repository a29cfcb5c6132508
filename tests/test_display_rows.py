"""What pictures of rows and networks show: the data that was drawn, read off their axes."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from display_models import MIXED, RNG, X, small, texts
from scipy.stats import norm
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skvae.display import (
    ManifoldDisplay,
    NetworkDisplay,
    ReconstructionDisplay,
    TraversalDisplay,
)

pytestmark = pytest.mark.usefixtures("closed")


@pytest.fixture(scope="module")
def vae():
    return small().fit(X)


@pytest.fixture(scope="module")
def mixed():
    return small(max_iter=200).fit(MIXED)


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


def test_a_title_tells_how_columns_were_chosen_only_if_the_display_chose_them():
    rows = pd.DataFrame(RNG.normal(size=(4, 20)), columns=[f"c{j}" for j in range(20)])
    z = np.array([-1.0, 1.0])
    assert ManifoldDisplay(rows, z).plot().figure_.get_suptitle() == "12 of 20 columns"
    chosen = ManifoldDisplay(rows, z, columns=["c19", "c3"]).plot()
    assert chosen.figure_.get_suptitle() == "2 of 20 columns"
    assert [panel.get_title() for panel in chosen.axes_] == ["c19", "c3"]


def test_one_overshooting_pixel_leaves_the_colours_of_images():
    images = RNG.random(size=(4, 12))
    images[0, 0] = 7.0
    z = np.array([-1.0, 1.0])
    drawn = ManifoldDisplay(pd.DataFrame(images), z, shape=(2, 2, 3)).plot().ax_.images[0]
    np.testing.assert_allclose(drawn.get_array()[:2, 3:5], images[3].reshape(2, 2, 3))
    np.testing.assert_allclose(drawn.get_array()[3, 0], np.minimum(images[0, :3], 1))
    drawn = ManifoldDisplay(pd.DataFrame(255 * images), z, shape=(2, 2, 3)).plot().ax_.images[0]
    np.testing.assert_allclose(drawn.get_array()[:2, 3:5], images[3].reshape(2, 2, 3))


def test_an_image_of_another_size_is_refused(vae):
    with pytest.raises(ValueError, match=r"shape=\(3, 2\), but a row has 4 columns; give the"):
        ManifoldDisplay.from_estimator(vae, shape=(3, 2))


def test_a_grid_of_three_dimensions_is_refused():
    with pytest.raises(ValueError, match="a grid has one or two dimensions"):
        ManifoldDisplay.from_estimator(small(3, max_iter=1).fit(X), dims=(0, 1, 2))


@pytest.mark.parametrize("dims", [1, (0, 1, 9), ()])
def test_a_grid_of_dimensions_that_there_are_not_is_refused(vae, dims):
    with pytest.raises(ValueError, match=r"but the latent space has the dimensions \[0, 1\]; give"):
        ManifoldDisplay.from_estimator(vae, dims=dims)


def test_without_dimensions_a_grid_has_the_two_that_carry_most(vae):
    assert ManifoldDisplay.from_estimator(vae, n=2, dims=None).dims == [0, 1]
    three = small(3).fit(X)
    display = ManifoldDisplay.from_estimator(three, n=2, dims=None)
    assert display.dims == np.argsort(-three.latent_kl_)[:2].tolist()


def test_rows_come_back_through_the_steps_before_a_model():
    pipeline = make_pipeline(StandardScaler(), small()).fit(X * 1e3)
    display = ManifoldDisplay.from_estimator(pipeline, n=3)
    np.testing.assert_allclose(display.rows, pipeline.inverse_transform(points_of_grid(3)))


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


def test_the_middle_is_among_the_steps_whose_moves_count_from_it(vae):
    display = TraversalDisplay.from_estimator(vae, X, n=4)
    np.testing.assert_allclose(display.steps, [-2.5, -1.25, 0, 1.25, 2.5])
    np.testing.assert_array_equal(display.moves(0)[:, 2], 0)
    rows = pd.DataFrame({"age": [20.0, 30.0, 50.0]})
    moves = TraversalDisplay([rows], np.array([0.0, 1.0, 2.0]), ["latent 0"]).moves(0)
    np.testing.assert_array_equal(moves, [[0, 10, 30]])


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


def test_a_single_row_is_a_middle_from_which_the_prior_tells_how_far_to_go(mixed):
    row = MIXED[:1].assign(whole=pd.array([None], dtype="Int64"))
    display = TraversalDisplay.from_estimator(mixed, row, n=3, dims=[0])
    points = np.tile(mixed.transform(row), (3, 1))
    points[:, 0] += [-2.5, 0, 2.5]
    pd.testing.assert_frame_equal(display.rows[0], mixed.inverse_transform(points))


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
    levels = [label.get_text() for label in kind.get_yticklabels()]
    shares = pd.crosstab(after["kind"][:91], holed["kind"][:91], normalize="columns")
    shares = shares.reindex(levels, fill_value=0)[levels]
    np.testing.assert_allclose(kind.images[0].get_array(), shares)
    common = holed["kind"].value_counts(normalize=True)
    told = [label.get_text() for label in kind.get_xticklabels()]
    assert told == [f"{level} {common[level]:.0%}" for level in levels]
    assert kind.get_title() == f"kind\n{agree.mean():.0%} as before"


def test_labels_that_do_not_come_back_count_among_the_rows_before():
    before = pd.DataFrame({"kind": ["a", "a", "a", "a", "b"]})
    after = pd.DataFrame({"kind": ["a", "new", None, "a", "b"]})
    panel = ReconstructionDisplay(before, after).plot().ax_
    names = [label.get_text() for label in panel.get_yticklabels()]
    shares = pd.DataFrame(panel.images[0].get_array(), names, names)
    assert shares["a"].to_dict() == {"a": 0.5, "b": 0, "new": 0.25}
    assert shares["b"].to_dict() == {"a": 0, "b": 1, "new": 0}
    assert panel.images[0].colorbar.ax.get_yticklabels()[-1].get_text() == "100%"


def test_a_label_comes_back_whatever_its_type():
    before = pd.DataFrame({"flag": [True, False, True]})
    display = ReconstructionDisplay(before, before.astype(float).astype(object)).plot()
    assert display.restored == {"flag": 1} and display.ax_.get_title() == "flag\n100% as before"
    assert {label.get_text() for label in display.ax_.get_yticklabels()} == {"True", "False"}


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


def test_a_title_of_the_users_figure_is_kept():
    figure, axes = plt.subplots(1, 2)
    figure.suptitle("mine")
    before = pd.DataFrame(RNG.normal(size=(20, 30)))
    display = ReconstructionDisplay(before, before).plot(axes[1])
    assert display.figure_ is figure and figure.get_suptitle() == "mine"
