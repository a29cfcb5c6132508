"""The grid keeps values; its density, atoms and tails are a probability on the whole line."""

import numpy as np
import pytest
from scipy.integrate import quad

from skvae.likelihoods._grid import INSIDE, REPEATS, Grid

RNG = np.random.default_rng(0)
NORMAL = RNG.normal(size=2000)
COLUMNS = {
    "normal": NORMAL,
    "lognormal": RNG.lognormal(sigma=3, size=2000),
    "mostly zeros, and a tail": np.append(np.zeros(1500), RNG.lognormal(7, 2, 500)),
    "two atoms, and two values more": np.append(np.repeat([0.5, 2.0], 50), [0.7, 3.0]),
    "an atom below and one above": np.concatenate(
        [np.full(50, -9.0), RNG.random(900), np.full(50, 9.0)]
    ),
    "few whole numbers": RNG.poisson(3, 2000).astype(float),
    "many whole numbers": RNG.integers(-5000, 5000, 2000).astype(float),
    "whole numbers that pile up": np.append(np.full(500, 40.0), RNG.geometric(0.01, 1500)).astype(
        float
    ),
    "a far typing error": np.append(RNG.integers(20, 5000, 1999), 99_999_999_999).astype(float),
    "a far date": 1.7e18 + 86_400e9 * np.append(RNG.integers(0, 3000, 1999), -9e4),
    "few distinct values": RNG.choice([-0.1, 0.0, 0.25, 1e6], 500),
    "two values": RNG.choice([0.1, 0.2], 300),
    "one value": np.full(30, 4.5),
    "one row": np.array([4.5]),
    "two rows": np.array([4.5, 5.5]),
    "neighbouring floats": np.repeat(1.7e18 + 256.0 * np.arange(4), 100),
    "huge": 1e300 * NORMAL,
    "tiny": 1e-300 * NORMAL,
    "huge atoms": RNG.choice([-1e300, 1e300, 2e300], 300),
    "tiny atoms": RNG.choice([1e-300, 3e-300], 300),
    "dates": 1.7e18 + 86_400e9 * RNG.integers(0, 3000, 2000),
    "moments": 1.7e18 + np.floor(1e17 * RNG.random(2000)),
}
each_column = pytest.mark.parametrize("X", COLUMNS.values(), ids=COLUMNS)


def learned(X, n_bins=20):
    return Grid.learn(X, n_bins, min_share=0.005)


def code_of(grid, X):
    return grid.encode(X)[0].astype(int)


def scale_of(grid):
    ends = np.append(grid.edges, grid.atoms)
    return ends.max() - ends.min() or 1.0


def probability_of_stretches(grid):
    """The integral of exp(log_slope) between places where it may jump, and each stretch's slot."""
    halfway = (grid.atoms[:-1] + grid.atoms[1:]) / 2
    scale = scale_of(grid)
    jumps = np.unique(np.concatenate([grid.edges, grid.atoms, halfway]))
    low, width = (
        np.append(jumps[0] - scale, jumps),
        np.concatenate([[scale], np.diff(jumps), [scale]]),
    )
    inside = low[:, None] + width[:, None] * np.linspace(0.01, 0.99, 9)

    def density(start, step):
        return lambda t: np.exp(grid.encode(np.array([start + step * t]))[1][0]) * abs(step)

    stretches = [quad(density(a, h), 0, 1)[0] for a, h in zip(low[1:-1], width[1:-1], strict=True)]
    tails = [
        quad(density(end, step), 0, np.inf)[0]
        for end, step in ((jumps[0], -scale), (jumps[-1], scale))
    ]
    codes = code_of(grid, inside)
    assert (codes == codes[:, :1]).all()
    return codes[:, 0], np.array([tails[0], *stretches, tails[1]])


@pytest.mark.parametrize("name", [name for name in COLUMNS if name != "neighbouring floats"])
def test_the_probability_of_each_slot_is_one(name):
    grid = learned(COLUMNS[name])
    codes, probability = probability_of_stretches(grid)
    atoms = np.exp(grid.encode(grid.atoms)[1])
    total = np.bincount(codes, probability, minlength=grid.n_slots)
    total += np.bincount(code_of(grid, grid.atoms), atoms, minlength=grid.n_slots)
    np.testing.assert_allclose(total, 1, rtol=1e-6)


@each_column
def test_decoding_gives_the_values_back(X):
    grid = learned(X)
    back = grid.decode(grid.encode(X)[0])
    is_atom = np.isin(X, grid.atoms)
    np.testing.assert_array_equal(back[is_atom], X[is_atom])
    if grid.n_bins:
        width = np.diff(grid.edges)[np.searchsorted(grid.edges[1:-1], X, side="right")]
        rounding = 4 * np.spacing(abs(X))
        assert (abs(back - X)[~is_atom] <= (rounding + (1 - INSIDE) * width)[~is_atom]).all()
        inner = ~is_atom & (grid.edges[-1] > X)
        assert np.median(abs(back - X)[inner] - rounding[inner]) <= 0


@each_column
def test_places_and_slopes_are_finite_also_in_float32_and_beyond_the_grid(X):
    grid, far = learned(X), (X.max() - X.min()) / 8
    values = np.concatenate([X, X.min() - far * np.arange(4), X.max() + far * np.arange(4)])
    places, log_slope = grid.encode(values)
    assert np.isfinite(places).all()
    assert np.isfinite(log_slope).all()
    assert (places >= 0).all()
    assert (places < grid.n_slots).all()
    np.testing.assert_array_equal(np.float32(places).astype(int), places.astype(int))


@each_column
def test_a_hole_does_not_disturb_the_other_values(X):
    with_hole, without = (learned(X).encode(values) for values in (np.append(np.nan, X), X))
    np.testing.assert_array_equal(np.array(with_hole)[:, 1:], without)


@pytest.mark.parametrize(
    "name", ["few whole numbers", "many whole numbers", "whole numbers that pile up"]
)
def test_whole_numbers_come_back_whole_and_bins_end_between_them(name):
    X = COLUMNS[name]
    grid = learned(X)
    np.testing.assert_array_equal(np.round(grid.decode(grid.encode(X)[0])), X)
    np.testing.assert_array_equal(grid.edges % 1, 0.5)
    drawn = np.round(
        grid.decode(RNG.uniform(0, INSIDE, 5000) + RNG.integers(0, grid.n_slots, 5000))
    )
    assert drawn.min() >= X.min()
    assert drawn.max() <= X.max()


@each_column
def test_bins_hold_about_as_many_values_each(X):
    grid = learned(X)
    if grid.n_bins and not grid.whole:
        rest = X[~np.isin(X, grid.atoms)]
        counts = np.histogram(rest, grid.edges)[0]
        assert grid.n_bins <= 28  # and the outermost are split in up to five
        assert counts.max() <= 3 * len(rest) / grid.n_bins + 2


@each_column
def test_a_repeated_value_is_an_atom(X):
    values, counts = np.unique(X, return_counts=True)
    often = values[counts >= max(0.005 * len(X), REPEATS)]
    grid = learned(X)
    alone = (
        np.diff(grid.edges)[code_of(grid, often)] == 1
        if grid.whole and grid.n_bins
        else np.isin(often, grid.atoms)
    )
    assert alone.all()


@pytest.mark.parametrize(
    "name", ["few whole numbers", "many whole numbers", "whole numbers that pile up"]
)
def test_the_probabilities_of_whole_numbers_sum_to_one_and_draws_have_them(name):
    grid, shares = learned(COLUMNS[name]), np.random.default_rng(0).random(4000)
    every = np.arange(-200_000.0, 200_000.0)
    places, log_slope = grid.encode(every)
    inside = np.bincount(places.astype(int), np.exp(log_slope), grid.n_slots)
    np.testing.assert_allclose(inside, 1, atol=2e-3)
    for slot in range(0, grid.n_slots, 7):
        drawn = grid.decode(slot + 0.999 * shares)
        assert (drawn == np.floor(drawn)).all()
        assert (code_of(grid, drawn) == slot).all()


@each_column
def test_slots_have_the_means_of_what_they_decode_to(X):
    grid = learned(X)
    shares = (np.arange(500) + 0.5) / 500
    means = grid.decode(np.arange(grid.n_slots)[:, None] + shares).mean(axis=1)
    rounding = 0.01 if grid.whole else 0.0  # 500 places do not share out evenly among whole numbers
    np.testing.assert_allclose(
        grid.means(), means, rtol=1e-6, atol=1e-6 * scale_of(grid) + rounding
    )


def test_a_single_value_has_tails_as_well():
    _, log_slope = Grid.learn(np.full(99, 4.5), 20, 0.005).encode(np.array([3.5, 4.5, 5.5]))
    np.testing.assert_allclose(np.exp(log_slope), [0.005 / 4, 0.99, 0.005 / 4])


def test_tails_are_finite_at_any_distance():
    for X in (np.array([0.0, 1e-10] * 9), np.array([-1e307, 1e307] * 9), RNG.normal(size=100)):
        for X_ in (X, X + np.linspace(0, X.max(), len(X))):  # atoms, or bins
            with np.errstate(all="raise", under="ignore"):
                _, log_slope = learned(X_).encode(np.array([-1.7e308, -1e300, 1e300, 1.7e308]))
            assert np.isfinite(log_slope).all()


@each_column
def test_one_far_value_does_not_outweigh_all_others(X):
    grid = learned(X)
    _, log_slope = grid.encode(X.max() + scale_of(grid) * np.array([1e3, 1e6]))
    np.testing.assert_allclose(log_slope[0] - log_slope[1], 2 * np.log(1e3), rtol=1e-3)


FAR = 99_999_999_999.0
TABLES = {
    "whole": RNG.integers(20, 5000, 2000).astype(float),
    "floats": 50 + 10 * NORMAL,
    "ties at the top": np.append(RNG.normal(50, 10, 1960).clip(max=89.9), np.full(40, 90.0)),
    "whole ties": np.append(RNG.integers(20, 5000, 5000), np.full(20, 5001)).astype(float),
    "mostly zeros": np.append(np.zeros(1800), RNG.integers(1000, 9000, 199)).astype(float),
    "few distinct": RNG.integers(0, 9, 400).astype(float),
    "60 floats": NORMAL[:60],
    "20 whole": RNG.integers(20, 5000, 20).astype(float),
}


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("n_far", [1, 2, 5])
@pytest.mark.parametrize("name", TABLES)
def test_a_few_far_values_share_no_slot_and_move_no_mean(name, n_far, sign):
    X = TABLES[name]
    n_far = min(n_far, len(X) // 20)
    far = FAR * sign * (1 + np.arange(n_far))
    grid = learned(np.append(X, far), 50)
    codes = code_of(grid, X)
    assert not set(code_of(grid, far)) & set(codes)
    shares = np.bincount(code_of(grid, np.append(X, far)), minlength=grid.n_slots)
    assert shares @ grid.points() / shares.sum() == pytest.approx(X.mean(), abs=0.3 * X.std())
    clean = learned(X, 50)
    np.testing.assert_allclose(grid.means()[codes], clean.means()[code_of(clean, X)], rtol=1e-12)
    np.testing.assert_allclose(grid.decode(grid.encode(far)[0]), far, rtol=1e-2)


@pytest.mark.parametrize("n_far", [5, 6, 8, 10])
def test_far_values_of_enough_rows_share_no_slot(n_far):
    X = TABLES["whole"]
    far = FAR + np.arange(n_far)
    grid = Grid.learn(np.append(X, far), 50, 0.005, min_count=5)
    assert not set(code_of(grid, far)) & set(code_of(grid, X))


@pytest.mark.parametrize(
    "X",
    [
        np.repeat([0.0, 1.0, 2.0], [900, 96, 4]),
        np.arange(1.0, 61.0),
        RNG.geometric(0.1, 200).astype(float),
        np.floor(RNG.lognormal(5, 1, 1000)),
        RNG.lognormal(sigma=1.5, size=1000),
        np.repeat([0.0, 5.0], [995, 5]),
    ],
    ids=["few twos", "each once", "geometric", "lognormal", "floats", "two values"],
)
def test_no_value_is_far_that_is_only_rare(X):
    grid = learned(X, 50)
    np.testing.assert_array_equal(grid.points(), grid.means())
    assert grid.near == (X.min(), X.max())
