"""One warning before fit names what a user may want to mend; ordinary tables get none."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_iris, load_wine

from skvae import VAESynthesizer, VAETransformer

N = 300
RNG = np.random.default_rng(0)
NUMBERS = RNG.normal(size=N)
COUNTS = RNG.poisson(5, N).astype(float)


def told(X, **parameters):
    """The warnings of a fit that are no others'."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        VAETransformer(1, hidden_layer_sizes=2, max_iter=1, **parameters).fit(X)
    texts = [str(one.message) for one in caught]
    return [text for text in texts if text.startswith("Columns that may want another look")]


def beside_numbers(column):
    return pd.DataFrame({"odd": column, "x": NUMBERS})


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (range(1000, 1000 + N), "Identifiers"),
        (RNG.permutation(2 * N)[:N], "Identifiers"),  # as a part of a table has them
        ([f"{i:06d}" for i in RNG.permutation(N)], "Identifiers"),
        ([f"a note on the case of {i} and others" for i in range(N)], "free text"),
        (pd.date_range("2020", periods=N).astype(str), "times.*to_datetime"),
        ([f"{d}/{m}/2021" for d, m in RNG.integers(1, 13, (N, 2))], "times.*to_datetime"),
        (pd.date_range("2020", periods=N, freq="h").astype(str), "times.*to_datetime"),
        ([f"{x:.2f}" for x in 100 * RNG.random(N)], "numbers.*to_numeric"),
        ([f"{x:.1f}".replace(".", ",") for x in NUMBERS], "numbers.*to_numeric"),
        (["n/a", *[f"{x:.2f}" for x in NUMBERS[1:]]], "numbers.*to_numeric"),
        ([f"{x:.3f}".removeprefix("0") for x in RNG.random(N)], "numbers.*to_numeric"),
        ([f"{x} EUR" for x in RNG.integers(1, 999, N)], "numbers.*without units"),
        ([f"{x:.1f}%" for x in 100 * RNG.random(N)], "numbers.*without units"),
        (np.where(RNG.random(N) < 0.4, 0.0, RNG.lognormal(size=N)), "a fifth.*histogram"),
        (np.where(np.arange(N) < 5, 1e9, NUMBERS), "100 deviations or more"),
        (np.where(RNG.random(N) < 0.1, np.nan, COUNTS), r"convert_dtypes\(\)"),
        (np.where(np.arange(N) == 7, 1e6, NUMBERS), "100 deviations or more"),
        (np.where(np.arange(N) == 7, 1e300, 1e-10 * NUMBERS), "100 deviations or more"),
        (np.where(np.arange(N) == 7, -99_999, COUNTS.astype(int)), "100 deviations or more"),
    ],
)
def test_a_column_to_mend_is_named_once(column, words):
    [text] = told(beside_numbers(column))
    assert "'odd'" in text
    assert "'x'" not in text
    assert text.count("'odd'") == 1
    with pytest.warns(UserWarning, match=words):
        VAETransformer(1, hidden_layer_sizes=2, max_iter=1).fit(beside_numbers(column))


def test_several_columns_share_one_warning():
    frame = pd.DataFrame({"a": COUNTS, "b": COUNTS + 1, "key": range(N)})
    frame.loc[::9, ["a", "b"]] = None
    [text] = told(frame)
    assert "'a', 'b'" in text
    assert "'key'" in text


def test_arrays_are_looked_at_too():
    X = np.stack([NUMBERS, np.where(np.arange(N) == 7, 1e9, NUMBERS)], axis=1)
    [text] = told(X)
    assert text.endswith("to be mended if wrong: 1.")


@pytest.mark.parametrize(
    "X",
    [
        load_iris(as_frame=True).frame,
        load_wine(as_frame=True).frame,
        load_breast_cancer(as_frame=True).frame,
        beside_numbers(RNG.lognormal(0, 3, N)),
        beside_numbers(RNG.standard_t(3, N)),
        beside_numbers(np.append(np.zeros(N - 1), 5.0)),
        beside_numbers(RNG.choice(["1", "2", "3"], N)),
        beside_numbers([f"{z:05d}" for z in RNG.integers(0, 40, N)]),  # with zeros in front
        beside_numbers(RNG.choice(["2021-01", "2021-02"], N)),
        beside_numbers([f"1.{x}.{y}" for x, y in RNG.integers(0, 9, (N, 2))]),  # versions
        beside_numbers(np.rint(1e5 * RNG.lognormal(0, 0.5, N)).astype(int)),
        beside_numbers(RNG.choice([0.0, 0.25, 0.5], N)),
        np.where(RNG.random((N, 3)) < 0.5, 0.0, RNG.random((N, 3))),  # grey values
        beside_numbers(1e300 * NUMBERS),
        beside_numbers(["one"] * N),
        beside_numbers(range(N)).head(30),
    ],
    ids=range(16),
)
def test_ordinary_tables_get_no_warning(X):
    assert told(X) == []


def test_a_column_that_the_user_named_is_known():
    frame = beside_numbers(np.where(np.arange(N) == 7, 1e6, NUMBERS))
    assert told(frame, likelihood={"odd": "student_t"}) == []


def test_what_a_synthesizer_keeps_as_it_is_needs_no_warning():
    holed = beside_numbers(np.where(RNG.random(N) < 0.1, np.nan, COUNTS))
    vae = VAETransformer(1, hidden_layer_sizes=2, max_iter=1, likelihood="histogram")
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Columns that may")
        VAESynthesizer(vae, random_state=0).fit(holed)


@pytest.mark.parametrize("dtype", ["float64", "Int64"])
def test_a_column_of_which_only_rows_without_a_share_have_cells_is_in_no_doubt(dtype):
    weight = np.where(np.arange(N) < 40, 1e-9, 1.0)
    column = pd.Series(RNG.integers(9, size=N)).astype("Int64").mask(weight == 1.0).astype(dtype)
    vae = VAETransformer(1, hidden_layer_sizes=2, max_iter=1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        vae.fit(beside_numbers(column), sample_weight=weight)
    assert not [one for one in caught if "another look" in str(one.message)]
