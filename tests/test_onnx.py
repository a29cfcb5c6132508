"""Graphs of ONNX, as onnxruntime runs them."""

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import polars as pl
import pytest
from scipy.sparse import csr_array, issparse
from sklearn.exceptions import NotFittedError
from tables import BY_LIKELIHOOD, COUNTS, NORMAL, ORDERED, SHARES, N

from skvae import VAEImputer, VAETransformer, likelihoods, to_onnx
from skvae._component import known
from skvae.likelihoods import Gaussian, Likelihood, Poisson, WarpedGaussian, ZeroInflated

pytestmark = [
    pytest.mark.filterwarnings("ignore:In the future `np.object`:FutureWarning"),  # of tf2onnx
    pytest.mark.filterwarnings("ignore:Columns that may want another look"),
]
RNG = np.random.default_rng(1)
MIXED = pd.DataFrame(
    {
        "x": NORMAL[:, 0],
        "skewed": np.exp(3 * NORMAL[:, 1]),
        "single": NORMAL[:, 2].astype(np.float32),
        "cents": NORMAL[:, 1].round(2),
        "k": RNG.choice(["red", "blue", "grün"], N),
        "few": RNG.poisson(4, N),
        "many": RNG.integers(-(10**6), 10**9, N),
        "yes": RNG.random(N) < 0.3,
        "when": pd.Timestamp("2020-01-01") + pd.to_timedelta(RNG.integers(0, 9**6, N), unit="s"),
        "day": RNG.choice(pd.date_range("2020-01-01", "2020-01-09"), N),
        "long": pd.to_timedelta(RNG.integers(0, 10**6, N), unit="ms"),
        "same": 1.5,
        "order": ORDERED["o"],
    }
)
HOLED = MIXED.convert_dtypes().mask(RNG.random(MIXED.shape) < 0.2)
CODES = pd.DataFrame(
    {
        "n": RNG.choice([3, 7, 1], N),
        "f": RNG.choice([0.5, 2.5, 1.0], N),
        "t": RNG.choice(pd.date_range("2020", "2022", freq="QS", unit="ns"), N),
        "b": RNG.random(N) < 0.5,
        "i": RNG.choice([3, -7, 1], N).astype(np.int32),
        "u": RNG.choice([3, 7, 1], N).astype(np.uint8),
    }
)
WITH_HOLES = np.where(RNG.random((N, 3)) < 0.2, np.nan, NORMAL)
TABLES = {
    "array": (NORMAL, {}),
    "float32 with holes": (WITH_HOLES.astype(np.float32), {}),
    "gaussian with holes": (WITH_HOLES, {"likelihood": "gaussian"}),
    "mixed": (MIXED, {}),
    "mixed with holes": (HOLED, {}),
    "polars": (pl.from_pandas(HOLED), {}),
    "codes": (CODES, {"likelihood": "categorical"}),
    "autoregressive": (MIXED[["x", "k", "few"]], {"autoregressive": True}),
    "flow": (NORMAL, {"posterior": "flow"}),
    "far from 0": (
        pd.DataFrame(
            {
                "x": 1e9 + NORMAL[:, 0],
                "i": RNG.integers(2**31 - 300, 2**31, N).astype(np.int32),
                "u": RNG.integers(2**32 - 300, 2**32, N).astype(np.uint32),
                "t": pd.Timestamp("2020-01-01")
                + pd.to_timedelta(RNG.integers(0, 3600, N), unit="s"),
                "huge": NORMAL[:, 1] * 1e300,
            }
        ),
        {"likelihood": "gaussian"},
    ),
    "gelu": (NORMAL, {"activation": "gelu"}),
    "sparse": (csr_array(COUNTS.astype(float)), {}),
    "linear": (NORMAL, {"hidden_layer_sizes": ()}),
    "heavy tails": (NORMAL, {"likelihood": WarpedGaussian("cell", heavy_tails=True)}),
    "cell": (NORMAL, {"likelihood": Gaussian(scale="cell")}),
    "shares with zeros": (np.where(COUNTS > 1, SHARES, 0), {"likelihood": ZeroInflated("beta")}),
    **{name: (X, {"likelihood": name}) for name, X in BY_LIKELIHOOD.items()},
}


@pytest.fixture(scope="module", params=TABLES)
def fitted(request):
    X, parameters = TABLES[request.param]
    fixed = {"random_state": 0, "max_iter": 3, "hidden_layer_sizes": 8, "early_stopping": False}
    return VAETransformer(2, **fixed | parameters).fit(X), X


def column(X, j):
    """A column as ONNX takes it."""
    X = X.toarray() if issparse(X) else X
    if isinstance(X, np.ndarray):
        return X[:, j]
    cells = (X.to_pandas().convert_dtypes() if isinstance(X, pl.DataFrame) else X).iloc[:, j]
    kind = cells.dtype.kind if hasattr(cells.dtype, "kind") else "O"
    if kind in "mM":
        return cells.to_numpy().astype(np.int64)
    if isinstance(cells.dtype, pd.CategoricalDtype) or kind == "O":
        return cells.astype(object).where(cells.notna(), "").to_numpy(object)
    return cells.to_numpy(float, na_value=np.nan) if cells.isna().any() else cells.to_numpy()


def run(model, arrays):
    session = onnxruntime.InferenceSession(model.SerializeToString())
    kinds = {"tensor(double)": np.float64, "tensor(float)": np.float32, "tensor(bool)": bool}
    given = {
        put.name: array.astype(kinds.get(put.type, array.dtype))
        for put, array in zip(session.get_inputs(), arrays, strict=True)
    }
    return dict(
        zip([out.name for out in session.get_outputs()], session.run(None, given), strict=True)
    )


def codes(vae, X):
    arrays = [column(X, j)[:, None] for j in range(vae.n_features_in_)]
    return run(to_onnx(vae), arrays)["Z"]


def test_every_known_likelihood_is_tried():
    assert BY_LIKELIHOOD.keys() == known(Likelihood, likelihoods).keys()


def test_onnxruntime_transforms_as_the_model_does(fitted):
    vae, X = fitted
    np.testing.assert_allclose(codes(vae, X), vae.transform(X), atol=1e-5)


def test_onnxruntime_restores_as_the_model_does(fitted):
    vae, X = fitted
    Z = vae.transform(X).astype(np.float32)
    Z[:2] = 50.0, -50.0
    found, there = run(to_onnx(vae, part="inverse_transform"), [Z]), vae.inverse_transform(Z)
    assert len(found) == vae.n_features_in_
    for j, (cells, feature) in enumerate(zip(found.values(), vae._codec.features, strict=True)):
        want = column(there, j)
        if cells.dtype == object:
            assert (cells[:, 0] == want).mean() > 0.99
        else:
            scale = max(feature.scale, float(np.ptp(want.astype(float))), 1e-3)
            step = getattr(feature.format, "step", 0) or (cells.dtype.kind in "iu")
            off = np.abs(cells[:, 0].astype(float) - want.astype(float))
            assert off.max() <= 1e-5 * scale + step
            assert (off <= 1e-5 * scale).mean() > 0.97  # others were about half way between two


def test_labels_and_numbers_that_fit_never_saw_are_as_in_transform():
    vae = VAETransformer(2, random_state=0, max_iter=3, hidden_layer_sizes=8).fit(MIXED)
    later = MIXED.assign(x=MIXED["x"] * 1e9, few=MIXED["few"] + 1000, same=3.0)
    later.loc[:9, "k"] = "violet"
    with pytest.warns(UserWarning, match="violet"):
        want = vae.transform(later)
    np.testing.assert_allclose(codes(vae, later), want, atol=1e-5)


def test_inputs_and_outputs_are_named_and_typed_by_column():
    vae = VAETransformer(2, random_state=0, max_iter=3, hidden_layer_sizes=8).fit(MIXED)
    session = onnxruntime.InferenceSession(to_onnx(vae).SerializeToString())
    kinds = {put.name: put.type.removeprefix("tensor(").rstrip(")") for put in session.get_inputs()}
    assert kinds == {
        "x": "double",
        "skewed": "double",
        "single": "float",
        "cents": "double",
        "k": "string",
        "few": "int64",
        "many": "int64",
        "yes": "bool",
        "when": "int64",
        "day": "int64",
        "long": "int64",
        "same": "double",
        "order": "string",
    }
    back = onnxruntime.InferenceSession(to_onnx(vae, "inverse_transform").SerializeToString())
    assert {out.name: out.type for out in back.get_outputs()} == {
        put.name: put.type for put in session.get_inputs()
    }


EMPTY = pd.DataFrame(
    {
        "x": NORMAL[:, 0],
        "text": pd.Series([None] * N, dtype="str"),
        "when": pd.Series([pd.NaT] * N, dtype="datetime64[us]"),
        "floats": np.nan,
        "whole": pd.Series([None] * N, dtype="Int64"),
        "rare": [f"{i}" for i in range(N)],
        "few": RNG.permutation(N) * 1000,
    }
)


def test_columns_of_which_nothing_is_known_come_back_empty():
    vae = VAETransformer(1, random_state=0, max_iter=1, min_count=2, likelihood={"few": "poisson"})
    vae.set_params(likelihood="auto").fit(EMPTY)
    Z = vae.transform(EMPTY)
    np.testing.assert_allclose(codes(vae, EMPTY), Z, atol=1e-5)
    back = run(to_onnx(vae, "inverse_transform"), [Z.astype(np.float32)])
    assert set(back["text"][:, 0]) == set(back["rare"][:, 0]) == {""}
    assert (back["when"] == np.iinfo(np.int64).min).all()
    assert np.isnan(back["floats"]).all() and np.isnan(back["whole"]).all()


@pytest.mark.parametrize("n", [0, 1])
def test_few_rows_will_do(n):
    vae = VAETransformer(1, random_state=0, max_iter=1).fit(MIXED[["x", "k"]])
    arrays = [column(MIXED.iloc[:n], j)[:, None] for j in (0, 4)]
    assert run(to_onnx(vae), arrays)["Z"].shape == (n, 1)
    back = run(to_onnx(vae, "inverse_transform"), [np.zeros((n, 1), np.float32)])
    assert back["k"].shape == (n, 1)


def test_columns_may_be_called_as_they_like():
    names = ["Z", "network/x", "Cast_0_output", "codec"]
    X = pd.DataFrame(RNG.normal(size=(N, 4)), columns=names)
    vae = VAETransformer(1, random_state=0, max_iter=1).fit(X)
    model = to_onnx(vae)
    onnx.checker.check_model(model, full_check=True)
    assert [put.name for put in (*model.graph.input, *model.graph.output)] == [*names, "Z_"]
    assert [put.name for put in to_onnx(vae, "inverse_transform").graph.output] == names


class Mine(Poisson):
    """A likelihood of one's own."""


@pytest.mark.parametrize(
    ("likelihood", "X", "message"),
    [
        (Mine(), COUNTS, r"Mine\(\) is the likelihood of column 0 and of your own"),
        (ZeroInflated(Mine()), COUNTS, r"Mine\(\) is the likelihood of column 0"),
        ("auto", pd.DataFrame({"m": [1, "a"] * 50}, dtype=object), "'m' holds text and numbers"),
        ("auto", pd.DataFrame({"m": ["", "a"] * 50}), "'m' holds labels that are empty text"),
        ("auto", pd.DataFrame({"m": ["b\0", "a"] * 50}), "'m' holds .* end in a NUL"),
        (
            "categorical",
            pd.DataFrame({"m": [2**60, 2**60 + 1] * 50}),
            r"'m' holds labels of 2\*\*53",
        ),
        (
            "auto",
            MIXED[["when"]].apply(lambda times: times.dt.tz_localize("Europe/Paris")),
            "'when' holds datetimes in the zone Europe/Paris",
        ),
    ],
)
def test_what_cannot_be_exported_is_a_sentence(likelihood, X, message):
    vae = VAETransformer(1, likelihood=likelihood, random_state=0, max_iter=1).fit(X)
    for part in ("transform", "inverse_transform"):
        with pytest.raises(ValueError, match=message):
            to_onnx(vae, part=part)


def test_columns_need_names():
    X = pd.DataFrame(NORMAL, columns=["", "a", "b"])
    vae = VAETransformer(1, random_state=0, max_iter=1).fit(X)
    with pytest.raises(ValueError, match="The columns '', 'a', 'b' need names that differ as text"):
        to_onnx(vae)


def test_what_networks_do_that_onnx_cannot_is_said(monkeypatch):
    def refuses(*_):
        raise RuntimeError("Op has no registered schema")

    monkeypatch.setattr("onnx.version_converter.convert_version", refuses)
    vae = VAETransformer(1, random_state=0, max_iter=1).fit(NORMAL)
    with pytest.raises(ValueError, match="The networks do what ONNX has no word for .Op has no"):
        to_onnx(vae)


def test_only_fitted_models_and_known_parts_are_taken():
    with pytest.raises(NotFittedError):
        to_onnx(VAETransformer())
    with pytest.raises(TypeError, match=r"got a VAEImputer; .* such as imputer.vae_"):
        to_onnx(VAEImputer())
    vae = VAETransformer(1, random_state=0, max_iter=1).fit(NORMAL)
    with pytest.raises(ValueError, match=r"part='sample', but one of \['inverse_transform', 'tran"):
        to_onnx(vae, part="sample")


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    vae = VAETransformer(1, random_state=0, max_iter=1).fit(NORMAL)
    monkeypatch.setattr("skvae._onnx.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"ndonnx and tf2onnx.*pip install '\.\[onnx\]'"):
        to_onnx(vae)


@pytest.mark.parametrize("part", ["encoder_", "decoder_"])
def test_networks_are_exported_by_keras(part, tmp_path):
    vae = VAETransformer(2, random_state=0, max_iter=1).fit(NORMAL)
    network = getattr(vae, part)
    network.export(tmp_path / "network.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx")
    (given,) = session.get_inputs()
    x = RNG.normal(size=(5, given.shape[1])).astype(np.float32)
    np.testing.assert_allclose(session.run(None, {given.name: x})[0], network(x), atol=1e-5)
