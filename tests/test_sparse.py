"""Sparse tables: the same as dense ones, without making them dense."""

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csc_array, csr_array, csr_matrix, vstack
from sklearn.base import clone

from skvae import VAEOutlierDetector, VAETransformer
from skvae.inference import _proposals
from skvae.likelihoods import NegativeBinomial, ZeroInflated
from skvae.table import Dense, Sparse, _cells
from skvae.table._cells import differing

RNG = np.random.default_rng(0)
GROUP = RNG.integers(0, 3, 400)
COUNTS = RNG.poisson(np.array([[3, 0.1, 0, 1], [0, 2, 0, 0.2], [0.1, 0, 0, 4]])[GROUP])
COUNTS = np.column_stack([COUNTS, RNG.random((400, 3)) < 0.1])  # the third column is constant


def small(**parameters):
    return VAETransformer(
        **{"hidden_layer_sizes": 16, "max_iter": 10, "random_state": 0, **parameters}
    )


@pytest.mark.parametrize(
    "parts",
    [
        {"likelihood": "warped_gaussian"},
        {"likelihood": "histogram"},
        {"likelihood": "poisson"},
        {"likelihood": "gaussian", "hide": 0.2},
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_a_sparse_table_gives_the_bits_of_a_dense_one(parts, dtype):
    X = COUNTS.astype(dtype)
    sparse, dense = small(**parts).fit(csr_array(X)), small(**parts).fit(X)
    np.testing.assert_array_equal(sparse._model.weights, dense._model.weights)
    for give in ("transform", "score_samples"):
        np.testing.assert_array_equal(getattr(sparse, give)(csr_array(X)), getattr(dense, give)(X))
    np.testing.assert_array_equal(
        sparse.sample(20, random_state=0), dense.sample(20, random_state=0)
    )
    assert sparse.sample(20).dtype == dtype
    assert sparse.transform(csr_array(X)).dtype == dense.transform(X).dtype
    np.testing.assert_array_equal(
        sparse.posterior_predictive(csr_array(X), random_state=0),
        dense.posterior_predictive(X, random_state=0),
    )


def likelihoods_of(X):
    return set(map(str, small(max_iter=1).fit(X).likelihood_.values()))


@pytest.mark.parametrize("dtype", [np.float32, np.int8, np.uint64])
def test_sparse_whole_numbers_are_counts_or_flags_whatever_their_dtype(dtype):
    counts, flags = csr_array(COUNTS.astype(dtype)), csr_array((COUNTS > 0).astype(dtype))
    assert likelihoods_of(counts) == {"NegativeBinomial()"}
    assert likelihoods_of(flags) == {"Bernoulli()"}
    assert likelihoods_of(counts.toarray()) <= {"WarpedGaussian()", "Histogram()"}
    vae = small().fit(flags)
    drawn = vae.sample(200, random_state=0)
    assert drawn.dtype == dtype
    assert set(np.unique(drawn)) == {0, 1}
    np.testing.assert_array_equal(vae.score_samples(flags), vae.score_samples(flags.toarray()))


@pytest.mark.parametrize(
    "X", [COUNTS * 0.5, COUNTS - 1, COUNTS * 2**24, COUNTS > 0], ids=["halves", "<0", ">", "bool"]
)
def test_other_sparse_numbers_are_taken_as_in_an_array(X):
    assert likelihoods_of(csr_array(X)) == likelihoods_of(X)


def test_counts_after_flags_are_refused_by_a_word_on_counts():
    vae = small(max_iter=1).fit(csr_array(COUNTS > 1).astype(float))
    with pytest.raises(ValueError, match=r"Bernoulli needs .* or 'negative_binomial' for counts"):
        vae.score(csr_array(COUNTS))


def test_a_likelihood_of_sparse_counts_takes_no_place_in_a_list():
    with pytest.raises(ValueError, match="name the columns of others in a dict"):
        small(likelihood=[NegativeBinomial()]).fit(COUNTS)


def test_a_hole_among_sparse_counts_is_no_other_kind_and_a_zero_table_is_one():
    X = COUNTS.astype(float)
    X[3, 1] = np.nan
    assert likelihoods_of(csr_array(X)) == {"NegativeBinomial()"}
    assert likelihoods_of(csr_array(X * 0)) == {"Bernoulli()"}


def test_warm_start_and_partial_fit_know_sparse_counts_again():
    X = csr_array(COUNTS)
    vae = small(max_iter=2, warm_start=True).fit(X)
    assert vae.fit(X).n_iter_ == 4
    pieces = small().partial_fit(X[:200], schema=X).partial_fit(X[200:])
    assert str(pieces.likelihood_[0]) == "NegativeBinomial()"


@pytest.mark.smoke
@pytest.mark.parametrize(
    "kind", [csr_matrix, csc_array, lambda X: csr_array(X).tocoo()], ids=["csr", "csc", "coo"]
)
def test_any_sparse_format_is_taken(kind):
    vae = small(max_iter=2).fit(kind(COUNTS))
    np.testing.assert_array_equal(vae.transform(kind(COUNTS)), vae.transform(COUNTS))


@pytest.mark.smoke
def test_holes_in_a_sparse_table_are_holes():
    X = np.where(RNG.random(COUNTS.shape) < 0.1, np.nan, COUNTS)
    sparse, dense = (small(likelihood="histogram").fit(rows) for rows in (csr_array(X), X))
    np.testing.assert_array_equal(sparse.score_samples(csr_array(X)), dense.score_samples(X))
    np.testing.assert_array_equal(sparse.impute(csr_array(X)), dense.impute(X))


LIKELIHOODS = ["poisson", "negative_binomial", ZeroInflated("lognormal"), "histogram", "gaussian"]


@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=str)
def test_what_a_likelihood_learns_of_a_wide_table_comes_from_all_its_rows(likelihood, monkeypatch):
    dense = small(likelihood=likelihood, max_iter=1).fit(COUNTS)
    monkeypatch.setattr(_cells, "NUMBERS", 2 * len(COUNTS))  # two columns at a time
    sparse = small(likelihood=likelihood, max_iter=1).fit(csr_array(COUNTS))
    np.testing.assert_allclose(
        sparse._model.constants, dense._model.constants, rtol=1e-5, atol=1e-6
    )


@pytest.mark.slow
def test_rows_with_holes_are_scored_some_at_a_time_with_the_same_bits(monkeypatch):
    X = COUNTS.astype(float)
    X[::3, 0] = np.nan
    vae = small().fit(csr_array(X))
    expected = vae.score_samples(csr_array(X))
    monkeypatch.setattr(_proposals, "DENSE", 50 * X.shape[1])
    np.testing.assert_array_equal(vae.score_samples(csr_array(X)), expected)


def test_entries_of_one_cell_are_added_up_and_may_come_in_any_order():
    X = csr_array(COUNTS.astype(np.int64))
    halves = X.copy()
    halves.data = halves.data - 1
    rows, columns = X.nonzero()
    twice = csr_array(
        (
            np.append(halves.data, np.ones_like(X.data)),
            (np.append(rows, rows), np.append(columns, columns)),
        )
    )
    order = np.concatenate([np.arange(a, b)[::-1] for a, b in pairwise(X.indptr)])
    reversed_ = csr_array((X.data[order], X.indices[order], X.indptr), X.shape)
    truth = csr_array(([True, True, True], [0, 0, 1], [0, 2, 2, 3, 3]), (4, 2))  # one cell twice
    assert not reversed_.has_sorted_indices
    for table, same in ((twice, COUNTS), (reversed_, COUNTS), (truth, truth.toarray())):
        vae = small(max_iter=2, likelihood="poisson")
        codes = clone(vae).fit_transform(table)
        np.testing.assert_array_equal(codes, vae.fit_transform(same))


def test_levels_are_read_as_they_were_given():
    ids = 2**53 + np.array([1, 3, -(2**53)])
    X = np.column_stack([ids[RNG.integers(3, size=200)], COUNTS[:200, 0]])
    parts = {"likelihood": {0: "categorical", 1: "poisson"}, "max_iter": 3}
    sparse, dense = small(**parts).fit(csr_array(X)), small(**parts).fit(X)
    np.testing.assert_array_equal(sparse.score_samples(csr_array(X)), dense.score_samples(X))


def test_holes_are_filled_where_zero_is_no_level():
    X = np.column_stack([np.ones(100), RNG.integers(1, 3, 100)]).astype(int)
    sparse, dense = (
        small(likelihood="ordinal", max_iter=2).fit(kind(X)) for kind in (csr_array, np.asarray)
    )
    new = np.array([[1, 7], [1, 2]])
    np.testing.assert_array_equal(sparse.score_samples(csr_array(new)), dense.score_samples(new))


def test_levels_of_zero_take_no_room():
    X = -(RNG.random((300, 20)) < 0.02).astype(int)
    X[0] = -1
    rows = small(likelihood="categorical", max_iter=1).fit(csr_array(X))
    encoded = rows._codec.encode(rows._rows(csr_array(X))).x
    assert encoded.differing.nnz == (X != 0).sum()


def test_an_infinity_is_told_with_its_place():
    X = csr_array(COUNTS.astype(float))
    X.data[0] = np.nan
    X.data[X.indptr[5]] = np.inf
    with pytest.raises(ValueError, match=rf"infinity in column {X.indices[X.indptr[5]]} \(row 5\)"):
        small().fit(X)


def test_a_sparse_condition_and_sparse_columns_of_a_frame_are_told():
    vae = small(max_iter=1).fit(csr_array(COUNTS))
    with pytest.raises(
        ValueError, match="given is sparse, but a zero in a sparse table is a value, not a hole"
    ):
        vae.sample(2, given=csr_array(COUNTS[:2]))
    with pytest.raises(
        ValueError, match=r"dtype Sparse\[int64, 0\], but .* give X\.sparse\.to_coo\(\)"
    ):
        small().fit(pd.DataFrame.sparse.from_spmatrix(csr_array(COUNTS)))


def test_explicit_zeros_are_zeros():
    X = csr_array(COUNTS.astype(float))
    X.data[::3] = 0.0
    sparse, dense = (small(likelihood="gaussian").fit(rows) for rows in (X, X.toarray()))
    np.testing.assert_array_equal(sparse.transform(X), dense.transform(X.toarray()))


def test_warm_start_early_stopping_and_an_embedding_work_on_sparse_rows(short_start):
    vae = (
        small(warm_start=True, init="pca", prior="fitted")
        .fit(csr_array(COUNTS))
        .fit(csr_array(COUNTS))
    )
    assert np.isfinite(vae.score(csr_array(COUNTS)))


def test_other_estimators_take_sparse_tables_too():
    detector = VAEOutlierDetector(small()).fit(csr_array(COUNTS))
    np.testing.assert_array_equal(detector.predict(csr_array(COUNTS)), detector.predict(COUNTS))


def test_a_value_outside_of_the_support_is_told_with_its_row():
    X = COUNTS.astype(float)
    X[7, 1] = -3
    with pytest.raises(ValueError, match=r"column 1 has -3 \(row 7\)"):
        small(likelihood="poisson").fit(csr_array(X))


def test_columns_without_zeros_may_have_a_likelihood_of_positive_numbers():
    X = np.column_stack([np.exp(RNG.normal(size=100)), RNG.random((100, 2)) < 0.2])
    vae = small(likelihood={0: "lognormal"}).fit(csr_array(X))
    assert np.isfinite(vae.score(csr_array(X)))


def test_sparse_rows_are_as_the_dense_ones():
    base = np.array([0.5, 0, 1], np.float32)
    dense = np.where(RNG.random((20, 3)) < 0.5, base, RNG.normal(size=(20, 3)).astype("f4"))
    dense[3, 1] = np.nan
    rows = Sparse(
        vstack([differing(dense[:9], base), differing(dense[9:], base)], format="csr"), base
    )
    assert (len(rows), rows.shape) == (20, (20, 3))
    np.testing.assert_array_equal(rows[:], dense)
    np.testing.assert_array_equal(rows[np.array([4, 3, 4])], dense[[4, 3, 4]])
    np.testing.assert_array_equal(list(rows.T), dense.T)
    np.testing.assert_array_equal(rows.span(1, 3)[:], dense[:, 1:])
    np.testing.assert_array_equal(rows.filled()[:], Dense(dense).filled()[:])
    assert np.flatnonzero(rows.rows_with_holes(np.ones(3, bool))).tolist() == [3]
    assert not rows.rows_with_holes(np.array([True, False, True])).any()


@pytest.mark.parametrize("places", [[0, 1], [8, 9], [9, 2, 7], [5]])
def test_rows_are_parted_without_a_copy_and_dense_and_sparse_ones_alike(places):
    dense, places = np.arange(30, dtype=np.float32).reshape(10, 3), np.array(places)
    rows = Sparse(differing(dense, np.zeros(3)), np.zeros(3, np.float32))
    expected = dense.copy()
    others, there = Dense(dense).parted(places)
    assert np.shares_memory(others[:], dense)
    np.testing.assert_array_equal(there[:], expected[places])
    np.testing.assert_array_equal(
        np.sort(others[:][:, 0]), np.delete(expected, places, axis=0)[:, 0]
    )
    for sparse, same in zip(rows.parted(places), (others, there), strict=True):
        np.testing.assert_array_equal(sparse[:], same[:])


GROWTH = """
import numpy as np
from scipy.sparse import random_array
from skvae import VAETransformer
X = random_array(
    (400_000, 300), density=5e-4, format="csr", rng=np.random.default_rng(0), dtype=np.float32
)
vae = VAETransformer(hidden_layer_sizes=4, max_iter=1, likelihood="gaussian", batch_size=500)
for n in (40_000, 400_000):
    vae.fit(X[:n]).transform(X[:n])
    with open("/proc/self/status") as f:
        print(next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmHWM")))
"""


@pytest.mark.slow
def test_memory_grows_by_little_of_what_dense_rows_take():
    if not sys.platform.startswith("linux"):
        pytest.skip("reads /proc")
    printed = subprocess.run(
        [sys.executable, "-c", GROWTH], capture_output=True, text=True, check=True
    ).stdout
    few, many = map(
        int, printed.split()
    )  # peaks, of a process of its own: other tests may have taken more
    assert 0 < many - few < 0.25 * 360_000 * 300 * 4
