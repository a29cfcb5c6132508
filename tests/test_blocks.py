"""Tables that come in blocks."""

import pickle
from copy import copy
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pytest
from pyarrow import parquet
from scipy.sparse import csr_array

import skvae.table._sampled
import skvae.table._stored
from skvae import Blocks, VAEImputer, VAEOutlierDetector, VAETransformer

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
    monkeypatch.setattr(skvae.table._sampled, "NUMBERS", 800)
    rows = np.arange(1000.0)[:, None]
    drawn = np.zeros(1000)
    for seed in range(200):
        sample = skvae.table._sampled.sampled(cut(rows, 70), np.random.default_rng(seed))
        drawn[sample.table[:, 0].astype(int)] += 1
        assert sample.n == 1000
    assert drawn[[0, 999]].tolist() == [200, 200]  # the ends
    middle = drawn[1:-1]
    assert abs(middle.mean() - 40) < 1
    assert abs(middle[:500].mean() - middle[500:].mean()) < 2
    assert middle.std() < 8  # 5.7 if rows are drawn alike
    assert drawn[range(69, 999, 70)].mean() < 50  # largest ones of their blocks


def test_columns_of_which_no_label_comes_twice_leave_a_sample_as_it_is(monkeypatch):
    monkeypatch.setattr(skvae.table._sampled, "NUMBERS", 2 * 2000)
    X = pd.DataFrame({"id": np.arange(5000).astype(str), "t": np.arange(5000) // 1000})
    sample = skvae.table._sampled.sampled(cut(X, 1000), np.random.default_rng(0))
    assert len(sample.table) < 520
    assert sample.table["t"].value_counts().min() > 60  # of 100
    np.testing.assert_array_equal(sample.table["id"].astype(int), sample.places)


def test_many_small_blocks_are_sampled_too(monkeypatch):
    monkeypatch.setattr(skvae.table._sampled, "NUMBERS", 400)
    rows = np.arange(1000.0)[:, None]
    sample = skvae.table._sampled.sampled(cut(rows, 1), np.random.default_rng(0))
    assert len(sample.table) <= 102


def test_rare_codes_of_whole_numbers_are_kept(small, monkeypatch):
    monkeypatch.setattr(skvae.table._sampled, "SHARE", 100)
    X = mixed().assign(c=lambda X: 5 * (X["c"] > 4))
    X.loc[1234, "c"] = 3
    vae = model(likelihood={"c": "categorical"}).fit(cut(X))
    assert vae._codec.features[2].format.levels == (0, 3, 5)


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
    assert in_memory.score(cut(X[:600])) == pytest.approx(in_memory.score(X[:600]), abs=1e-5)
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


def test_they_have_the_output_that_was_set_when_they_were_made(in_memory):
    vae = copy(in_memory).set_output(transform="pandas")
    codes = vae.transform(cut(mixed(20)))
    vae.set_output(transform="default")
    assert isinstance(next(iter(codes)), pd.DataFrame)


@pytest.mark.parametrize("make", [model, lambda: VAEImputer(model())])
def test_one_method_fits_and_transforms(make):
    found = make().set_output(transform="pandas").fit_transform(cut(mixed()))
    whole = make().set_output(transform="pandas").fit_transform(mixed())
    np.testing.assert_allclose(
        pd.concat(found)[whole.columns[:2]].astype(float), whole[whole.columns[:2]], atol=1e-4
    )


def test_blocks_may_use_the_same_memory_again():
    X, memory = mixed(600)[["a", "b"]].to_numpy(), np.empty((200, 2))

    def refilled():
        for start in range(0, 600, 200):
            memory[:] = X[start : start + 200]
            yield memory

    weights = [model().fit(rows)._model.weights for rows in (X, Blocks(refilled))]
    np.testing.assert_array_equal(*weights)


def test_labels_beyond_the_sample_are_told_once(small):
    X = mixed().assign(d=[f"no. {i % 60}" if i % 2 else "none" for i in range(N)])
    with pytest.warns(UserWarning, match="not seen in the sample of rows") as warned:
        model().fit(cut(X, 100))
    assert len([one for one in warned if "not seen" in str(one.message)]) == 1


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
        def on_fit_task_begin(self, estimator, context): ...
        def on_fit_task_end(self, estimator, context, *, X=None, y=None):
            shown.append(X)

    vae = model()
    if not hasattr(vae, "set_callbacks"):
        pytest.skip("scikit-learn has no callbacks")
    vae.set_callbacks(Watcher()).fit(cut(mixed()))
    held_out = [X for X in shown if X is not None]
    assert held_out
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


def test_masked_cells_are_holes():
    X = np.ma.masked_greater(np.random.default_rng(0).normal(size=(60, 2)), 1.0)
    vae = model(likelihood="gaussian").fit(Blocks(lambda: [X[:30], X[30:]]))
    expected = model(likelihood="gaussian").fit(X)
    np.testing.assert_array_equal(vae._model.weights, expected._model.weights)


def test_blocks_without_rows_are_left_out(in_memory):
    X = mixed()
    codes = in_memory.transform(Blocks(lambda: [X[:3], X[:0], X[3:6]]))
    assert [len(block) for block in codes] == [3, 3]


@pytest.mark.usefixtures("small")
def test_values_that_cannot_be_are_told_where_no_sample_has_them():
    X = mixed().assign(c=lambda X: X["c"].astype(float))
    beside = np.random.default_rng(np.random.default_rng(0).integers(2**63))
    places = skvae.table._sampled.sampled(cut(X), beside).places
    X.loc[np.setdiff1d(np.arange(20, N), places)[0], "c"] = 0.5
    with pytest.raises(ValueError, match="[Pp]oisson needs counts"):
        model(likelihood={"c": "poisson"}).fit(cut(X))


def test_blocks_of_holes_take_the_dtype_of_the_others():
    X = mixed()[:600].assign(t=pd.date_range("2020", periods=600).where(np.arange(600) >= 300))
    whole = model().fit(X)
    first = X[:300].assign(t=pd.Series([None] * 300, dtype=object))
    vae = model().fit(Blocks(lambda: [first, X[300:]]))
    assert vae._codec.features[5].dtype == whole._codec.features[5].dtype
    table = pa.Table.from_pandas(X, preserve_index=False)
    nothing = table[:300].drop_columns("t").append_column("t", pa.nulls(300))
    model().fit(Blocks(lambda: [nothing, table[300:]]))
    frame = pl.from_pandas(X)
    model().fit(Blocks(lambda: [frame[:300].with_columns(t=None), frame[300:]]))


def test_blocks_with_other_kinds_of_columns_are_refused():
    X = mixed()[:60]
    with pytest.raises(ValueError, match="Column 'a' holds labels in block 1, but numbers in"):
        model().fit(Blocks(lambda: [X, X.assign(a="text")]))


def test_rows_of_ones_own_are_shown_to_callbacks():
    from skvae._streamed import of_blocks

    rng = np.random.default_rng(0)
    plan = of_blocks(model(), cut(mixed()), rng, mixed()[:7], (None, None))
    assert len(plan.shown(None, None, mixed()[:7])[0]) == 7


@pytest.mark.usefixtures("small")
def test_no_row_that_is_held_out_tells_of_all():
    from skvae._streamed import of_blocks

    plan = of_blocks(model(), cut(mixed()), np.random.default_rng(0), None, (None, None))
    cells = {row.tobytes() for row in plan.data.validation[:]}
    assert len(cells) == 200
    assert not cells & {row.tobytes() for row in plan.data.telling[:]}


@pytest.mark.parametrize("early_stopping", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.usefixtures("small")
def test_no_block_stays_in_memory(early_stopping):
    X, taken = pa.Table.from_pandas(mixed()), []

    def watched():
        for _ in range(50):
            block = pa.Table.from_batches(X.to_batches()).take(np.arange(N))
            taken.append(pa.total_allocated_bytes())
            yield block
            del block

    few = {"hidden_layer_sizes": 2, "max_iter": 1, "batch_size": 4096, "random_state": 0}
    VAETransformer(1, early_stopping=early_stopping, **few).fit(Blocks(watched))
    assert max(taken) < taken[0] + 10 * X.nbytes  # of 50


@pytest.mark.usefixtures("small")
def test_a_batch_has_no_row_twice():
    assert model(batch_size=1000).fit(cut(mixed()))._n_steps == 8 * 4  # of 450 rows


def test_indices_of_pandas_are_not_written(tmp_path):
    X = pd.DataFrame({"a": [1.0, 2.0]}, index=[5, 7])
    Blocks(lambda: [X, X.reset_index(drop=True)]).to_parquet(tmp_path / "a.parquet")
    block, *_ = Blocks.of_parquet(tmp_path / "a.parquet")
    assert block.column_names == ["a"]


@pytest.mark.parametrize("output", ["default", "pandas"])
def test_an_imputer_takes_blocks(output):
    X = mixed(200)
    imputer = VAEImputer(model(), random_state=0).set_output(transform=output).fit(cut(X))
    filled = pd.concat(imputer.transform(cut(X, 90)))
    pd.testing.assert_frame_equal(filled, imputer.transform(X))
    twice = imputer.set_params(draw=True).transform(Blocks(lambda: [X, X]))
    one, other = twice
    assert (one["e"] != other["e"]).any()
    pd.testing.assert_frame_equal(one, next(iter(twice)))


def test_a_detector_takes_blocks():
    X = mixed(200)
    of_table, of_blocks = (VAEOutlierDetector(model(), random_state=0) for _ in range(2))
    of_table.fit(X), of_blocks.fit(cut(X, 90))
    assert of_blocks.offset_ == of_table.offset_
    for method in ("predict", "score_samples", "decision_function", "explain"):
        found = np.concatenate([*getattr(of_blocks, method)(cut(X, 90))])
        np.testing.assert_array_equal(found, np.asarray(getattr(of_table, method)(X)))


def test_a_detector_learns_its_offset_from_a_sample(small, monkeypatch):
    scored, score = [], VAEOutlierDetector.score_samples
    monkeypatch.setattr(
        VAEOutlierDetector, "score_samples", lambda self, X: scored.append(len(X)) or score(self, X)
    )
    X = mixed()
    detector = VAEOutlierDetector(model(), random_state=0).fit(cut(X))
    assert len(scored) == 1
    assert scored[0] < N / 4
    assert (detector.predict(X) == -1).mean() == pytest.approx(0.1, abs=0.05)


def test_blocks_that_are_used_up_are_told(in_memory):
    rows = iter([mixed(300)])
    once = Blocks(lambda: rows)
    assert len([*in_memory.transform(once)]) == 1
    for use in (list, lambda codes: codes.to_parquet("never.parquet")):
        with pytest.raises(ValueError, match="has no rows, or none any more"):
            use(in_memory.transform(once))


def test_a_file_is_whole_or_not_there(tmp_path):
    path, X = tmp_path / "a.parquet", mixed(20)
    for second in (X.drop(columns="a"), X.assign(c=0.5)):
        with pytest.raises(
            ValueError, match=r"Block 1 cannot be .* \(.*\); give each block the same"
        ):
            Blocks(lambda second=second: [X, second]).to_parquet(path)
        assert not [*tmp_path.iterdir()]


def test_a_path_that_cannot_be_written_is_told_first(tmp_path):
    with pytest.raises(IsADirectoryError, match="is a folder; give the path of a file in it"):
        Blocks(lambda: pytest.fail("made")).to_parquet(tmp_path)


def test_a_link_stays_one(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "a.parquet")
    Blocks(lambda: [mixed(20)]).to_parquet(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert len(pd.read_parquet(tmp_path / "a.parquet")) == 20


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (pd.DataFrame({"a": [None]}), pd.DataFrame({"a": ["x"]})),
        (np.ones((1, 1), np.float32), np.full((1, 1), 0.1)),
        (pd.DataFrame({"a": [pd.Timestamp(0)]}), pd.DataFrame({"a": [0.5]})),
    ],
    ids=["nulls", "decimals", "times"],
)
def test_dtypes_that_do_not_hold_a_block_are_told(first, second, tmp_path):
    with pytest.raises(ValueError, match=r"Block 1 cannot be written .* the same columns"):
        Blocks(lambda: [first, second]).to_parquet(tmp_path / "a.parquet")


@pytest.mark.parametrize("named", ["ab", "ba"])
def test_what_was_an_index_is_no_column(named, tmp_path):
    X = mixed(20)
    X.sample(frac=1, random_state=0).to_parquet(tmp_path / f"{named[0]}.parquet")
    X.to_parquet(tmp_path / f"{named[1]}.parquet")
    for block in Blocks.of_parquet(tmp_path):
        assert block.column_names == [*X.columns]


def test_dtypes_of_files_hold_those_of_all(tmp_path):
    tables = [{"a": [1], "b": pd.array([None], object)}, {"a": [1.5], "b": ["x"]}]
    for name, table in zip("cd", tables, strict=True):
        pd.DataFrame(table).to_parquet(tmp_path / f"{name}.parquet")
    rows = pa.concat_tables(Blocks.of_parquet(tmp_path)).to_pydict()
    assert rows == {"a": [1.0, 1.5], "b": [None, "x"]}
    pd.DataFrame({"a": [pd.Timestamp(0)], "b": ["x"]}).to_parquet(tmp_path / "e.parquet")
    with pytest.raises(ValueError, match=r"e\.parquet' has other dtypes than .*c\.parquet'"):
        Blocks.of_parquet(tmp_path)


def test_names_of_folders_are_a_column(tmp_path):
    for year in (2025, 2026):
        folder = tmp_path / f"year={year}"
        folder.mkdir()
        mixed(20).to_parquet(folder / "a.parquet")
    rows = pa.concat_tables(Blocks.of_parquet(tmp_path))
    assert rows["year"].to_pylist() == [2025] * 20 + [2026] * 20


def test_files_are_those_of_one_table(tmp_path):
    with pytest.raises(ValueError, match="has no Parquet files"):
        Blocks.of_parquet(tmp_path)
    X = mixed(20)
    X.to_parquet(tmp_path / "a.parquet")
    X.drop(columns="c").to_parquet(tmp_path / "b.parquet")
    with pytest.raises(ValueError, match=r"b\.parquet' has the columns .*, but .*a\.parquet' has"):
        Blocks.of_parquet(tmp_path)


def test_what_cannot_be_is_told(tmp_path):
    X = mixed()
    with pytest.raises(ValueError, match=r"Block 0 is a str of .*lambda: \[table\]"):
        model().fit(Blocks(lambda: X))
    with pytest.raises(ValueError, match=r"Block 0 is a csr_array, but blocks are dense"):
        model().fit(Blocks(lambda: [csr_array(np.eye(9))]))
    with pytest.raises(TypeError, match=r"of_dask takes a DataFrame or .*in memory as it is"):
        Blocks.of_dask(X)
    with pytest.raises(TypeError, match=r"of_dataset takes a dataset of pyarrow, but got a str"):
        Blocks.of_dataset("a.parquet")
    with pytest.raises(TypeError, match=r"a function that gives blocks .* got a DataFrame"):
        Blocks(X)
    with pytest.raises(ValueError, match="has no rows"):
        model().fit(Blocks(lambda: []))
    with pytest.raises(ValueError, match=r"Block 1 has the columns .*, but the first block has"):
        model().fit(Blocks(lambda: [X, X.drop(columns="a")]))
    with pytest.raises(ValueError, match=r"Block 1 is a polars\..*, but the first .* a pandas\."):
        model().fit(Blocks(lambda: [X, pl.from_pandas(X)]))
    for empty in (X[[]], np.ones((3, 0))):
        with pytest.raises(ValueError, match=r"Block 0 has no columns"):
            model().fit(Blocks(lambda empty=empty: [empty]))
    with pytest.raises(ValueError, match=r"Block 0 is a ndarray of shape \(3,\)"):
        model().fit(Blocks(lambda: [np.ones(3)]))
    with pytest.raises(ValueError, match="is not there; make it"):
        Blocks(list, folder=tmp_path / "none")
    with pytest.raises(TypeError, match="LazyFrame of polars"):
        Blocks.of_polars(X)
    with pytest.raises(ValueError, match="Blocks stand here"):
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
