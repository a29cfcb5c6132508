"""Tables that come in blocks."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pytest
from pyarrow import parquet

import skvae.table._sampled
import skvae.table._stored
from skvae import Blocks, VAETransformer

N, HEIGHT = 2000, 300


def mixed(n=N, seed=0):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=n)
    return pd.DataFrame(
        {
            "a": a,
            "b": a + 0.1 * rng.normal(size=n),
            "c": rng.integers(0, 9, n),
            "d": rng.choice(["x", "y", "z"], n),
            "e": np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n)),
        }
    )


def cut(X, height=HEIGHT):
    return Blocks(lambda: (X[i : i + height] for i in range(0, len(X), height)))


def model(**settings):
    return VAETransformer(2, hidden_layer_sizes=8, max_iter=8, random_state=0, **settings)


@pytest.fixture
def small(monkeypatch):
    """As if memory held 800 rows of a table of five columns, and 500 of encoded ones."""
    monkeypatch.setattr(skvae.table._sampled, "NUMBERS", 5 * 800)
    monkeypatch.setattr(skvae.table._stored, "NUMBERS", 5 * 500)


@pytest.fixture(scope="module")
def in_memory():
    return model().fit(mixed())


@pytest.fixture
def streamed(small):
    return model().fit(cut(mixed()))


def test_a_table_that_memory_holds_is_fitted_to_the_same_bits(in_memory):
    vae = model().fit(cut(mixed()))
    assert pickle.dumps(vae._codec) == pickle.dumps(in_memory._codec)
    np.testing.assert_array_equal(vae._model.weights, in_memory._model.weights)


def test_a_longer_one_is_fitted_as_well(in_memory, streamed):
    X = mixed(seed=1)
    others = [model().set_params(random_state=seed).fit(mixed()).score(X) for seed in (1, 2)]
    scores = [in_memory.score(X), *others]
    assert abs(streamed.score(X) - np.mean(scores)) < max(0.1, 3 * np.std(scores))
    assert streamed._n_steps >= in_memory._n_steps  # all rows count, not those of a sample


def test_the_same_seed_gives_the_same_bits(small, streamed):
    again = model().fit(cut(mixed()))
    np.testing.assert_array_equal(again._model.weights, streamed._model.weights)


@pytest.mark.usefixtures("small")
def test_cells_that_see_each_other_are_trained_on_all_rows():
    vae = model(autoregressive=True).fit(cut(mixed()))
    assert np.isfinite(vae.score(mixed(seed=1)))


@pytest.mark.usefixtures("small")
def test_ranges_and_labels_are_those_of_all_rows():
    X = mixed()
    X.loc[1500, ["a", "c", "d"]] = [50.0, 77, "once"]
    X["c"] = X["c"].astype(int)
    vae = model().fit(cut(X))
    a, _, _, d, _ = vae._codec.features
    assert "once" in d.format.levels
    assert a.place(np.array([50.0]))[0] > a.place(np.array([5.0]))[0]
    with pytest.warns(UserWarning, match="never"):
        vae.transform(X.assign(d="never")[:3])


def test_a_sample_is_uniform(monkeypatch):
    monkeypatch.setattr(skvae.table._sampled, "NUMBERS", 200)
    rows = np.arange(1000.0)[:, None]
    drawn = np.zeros(1000)
    for seed in range(200):
        sample = skvae.table._sampled.sampled(cut(rows, 70), np.random.default_rng(seed))
        drawn[sample.table[:, 0].astype(int)] += 1
        assert sample.n == 1000
    # the least comes once with each seed; with ascending blocks a largest one does with each block
    middle = np.setdiff1d(np.arange(1000), [0, *range(69, 1000, 70), 999])
    assert abs(drawn[middle].mean() - 40) < 1
    halves = drawn[middle[middle < 500]].mean(), drawn[middle[middle >= 500]].mean()
    assert abs(halves[0] - halves[1]) < 2
    assert drawn[middle].std() < 8  # 5.7 if rows are drawn alike


def test_blocks_of_the_file_are_dealt_all_rows_once(monkeypatch):
    monkeypatch.setattr(skvae.table._stored, "NUMBERS", 2 * 100)
    rng = np.random.default_rng(0)
    x = np.stack([np.arange(1030), np.arange(1030)], axis=1).astype(np.float32)
    store = skvae.table._stored.Store(1030, 2, None, rng)
    for part in np.array_split(x, 7):
        assert not len(store.add(part, np.array([], int)))
    stored = store.stored()
    blocks = [stored.block(k)[:] for k in range(len(stored.heights))]
    assert [len(block) for block in blocks] == stored.heights
    assert sorted(np.concatenate(blocks)[:, 0]) == [*range(1030)]
    assert all(abs(block[:, 0].mean() - 515) < 120 for block in blocks)
    np.testing.assert_array_equal(stored.span(1, 2).block(3)[:], blocks[3][:, 1:])


def test_methods_give_blocks_for_blocks(in_memory):
    X = mixed()
    codes = in_memory.transform(cut(X))
    np.testing.assert_allclose(np.concatenate([*codes]), in_memory.transform(X), atol=1e-6)
    assert [len(block) for block in codes] == [300] * 6 + [200]
    scores = np.concatenate([*in_memory.score_samples(cut(X[:600]))])
    np.testing.assert_allclose(scores, in_memory.score_samples(X[:600]), atol=1e-4)
    filled = pd.concat([*in_memory.impute(cut(X[:600]), random_state=0)])
    assert not filled.isna().any(axis=None)
    assert filled.index.equals(X.index[:600])


def test_draws_of_blocks_differ_and_come_again(in_memory):
    same = Blocks(lambda: [mixed()[:50]] * 2)
    first, second = in_memory.impute(same, 0, draw=True)
    assert (first["e"] != second["e"]).any()
    pd.testing.assert_frame_equal(first, next(iter(in_memory.impute(same, 0, draw=True))))


@pytest.mark.parametrize("library", ["parquet", "dataset", "polars", "arrays"])
def test_blocks_come_from_other_libraries(library, tmp_path, in_memory):
    X = mixed()
    table = pa.Table.from_pandas(X, preserve_index=False)
    parquet.write_table(table, tmp_path / "one.parquet")
    blocks = {
        "parquet": lambda: Blocks.of_parquet(tmp_path),
        "dataset": lambda: Blocks.of_dataset(pyarrow.dataset.dataset(table)),
        "polars": lambda: Blocks.of_polars(pl.scan_parquet(tmp_path / "one.parquet")),
        "arrays": lambda: cut(X.drop(columns="d").to_numpy()),
    }[library]()
    vae = model(likelihood="gaussian" if library == "arrays" else "auto").fit(blocks)
    assert sum(map(len, vae.transform(blocks))) == N


def test_they_are_written_to_parquet(tmp_path, in_memory):
    path = tmp_path / "codes.parquet"
    in_memory.transform(cut(mixed())).to_parquet(path)
    codes = pd.read_parquet(path)
    np.testing.assert_allclose(codes, in_memory.transform(mixed()), atol=1e-6)
    in_memory.impute(cut(mixed()[:400]), 0).to_parquet(path)
    assert [*pd.read_parquet(path)] == [*"abcde"]


def test_codes_have_the_names_that_set_output_asks_for(in_memory):
    vae = pickle.loads(pickle.dumps(in_memory)).set_output(transform="pandas")
    assert [*next(iter(vae.transform(cut(mixed()))))] == ["vaetransformer0", "vaetransformer1"]


def test_no_file_is_left(small, tmp_path):
    blocks = Blocks(cut(mixed()).make, folder=tmp_path)
    model().fit(blocks)
    assert not [*tmp_path.iterdir()]


@pytest.mark.usefixtures("small")
def test_rows_that_are_held_out_are_shown_to_callbacks():
    shown = []

    class Watcher:
        def setup(self, estimator, context): ...
        def teardown(self, estimator, context): ...
        def on_fit_task_begin(self, estimator, context, X=None, y=None, **_):
            shown.append(X() if callable(X) else X)

        def on_fit_task_end(self, estimator, context, **_): ...

    vae = model()
    if not hasattr(vae, "set_callbacks"):
        pytest.skip("scikit-learn has no callbacks")
    vae.set_callbacks(Watcher()).fit(cut(mixed()))
    held_out = [X for X in shown if X is not None]
    assert all(len(X) == 200 for X in held_out)


def test_a_full_disk_is_told_before_anything_is_written(small, tmp_path, monkeypatch):
    usage = type("usage", (), {"free": 10})
    monkeypatch.setattr(skvae.table._stored, "disk_usage", lambda folder: usage)
    with pytest.raises(OSError, match="take 3.6e-05 GB, but .* has 1e-08 GB left; give Blocks"):
        model().fit(Blocks(cut(mixed()).make, folder=tmp_path))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("second", [1500, 2100])
def test_other_rows_at_the_second_time_are_refused(second):
    X, lengths = mixed(2100), iter([N, second])
    changing = Blocks(lambda: cut(X[: next(lengths)]))
    with pytest.raises(ValueError, match="gave 2000 rows at first, and (1500|more) the second"):
        model().fit(changing)


def test_what_cannot_be_is_told():
    X = mixed()
    with pytest.raises(TypeError, match=r"a function that gives blocks .* got a DataFrame"):
        Blocks(X)
    with pytest.raises(ValueError, match="has no rows"):
        model().fit(Blocks(lambda: []))
    with pytest.raises(ValueError, match=r"Block 1 has the columns .*, but the first block has"):
        model().fit(Blocks(lambda: [X, X.drop(columns="a")]))
    with pytest.raises(ValueError, match=r"Block 0 is a ndarray of shape \(3,\)"):
        model().fit(Blocks(lambda: [np.ones(3)]))
    with pytest.raises(TypeError, match="LazyFrame of polars"):
        Blocks.of_polars(X)
    with pytest.raises(ValueError, match="go through them"):
        model().partial_fit(cut(X))


@pytest.mark.usefixtures("small")
def test_weights_are_for_tables_in_memory():
    with pytest.raises(ValueError, match="let blocks repeat rows in the place of weights"):
        model().fit(cut(mixed()), sample_weight=np.ones(N))


@pytest.mark.parametrize(
    ("X", "advice"),
    [
        ("rows.parquet", r"Blocks.of_parquet\(path\)"),
        (pyarrow.dataset.dataset(pa.table({"a": [1.0]})), r"Blocks.of_dataset\(X\)"),
        (pl.LazyFrame({"a": [1.0]}), r"Blocks.of_polars\(X\)"),
        (iter([mixed(3)]), r"Blocks\(function\)"),
        (lambda: [mixed(3)], r"Blocks\(X\)"),
    ],
)
def test_what_comes_in_blocks_is_pointed_to_them(X, advice):
    with pytest.raises(ValueError, match=advice):
        model().fit(X)


def test_a_fit_of_blocks_goes_on_from_a_checkpoint(small, tmp_path):
    from skvae.callbacks import Checkpoint

    if not hasattr(VAETransformer, "set_callbacks"):
        pytest.skip("scikit-learn has no callbacks")
    path = Path(tmp_path) / "fit"
    whole = model().fit(cut(mixed()))

    def stops(states, after=9):
        for k, state in enumerate(states):
            yield state
            if k == after:
                raise KeyboardInterrupt

    from skvae import _fitting

    stages = _fitting.stages
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_fitting, "stages", lambda *a: stops(stages(*a)))
        with pytest.raises(KeyboardInterrupt):
            model().set_callbacks(Checkpoint(path)).fit(cut(mixed()))
    vae = model().set_callbacks(Checkpoint(path)).fit(cut(mixed()))
    np.testing.assert_array_equal(vae._model.weights, whole._model.weights)
