"""Tables that come in blocks: more rows than memory holds."""

import os
from collections.abc import Callable, Iterable, Iterator
from copy import copy, deepcopy
from functools import partial, update_wrapper, wraps
from inspect import signature
from itertools import starmap
from typing import Any, Self

import numpy as np

from skvae._sklearn import check_is_fitted, generator
from skvae.table import sampled, some, sources

__all__ = ["Blocks"]


class Blocks:
    """A table that comes in blocks, as often as it is asked for.

    `fit` goes through it twice: once to learn what columns hold, from a uniform sample of 4 million
    cells with the ranges and labels of all, and once to write encoded cells to a temporary file, of
    4 bytes a cell, from which it trains. A table of up to 16 million cells is fitted as one in
    memory is. `min_count` counts rows of the sample.

    `transform`, `impute`, `posterior_predictive`, `score_samples` and `score_cells` give Blocks in
    turn: nothing is computed before these are gone through or written by `to_parquet`. Given a
    DataFrame of dask they give a collection of dask, which computes partitions side by side.

    Parameters
    ----------
    make : callable
        Gives the blocks, frames or arrays of rows and columns, anew at each call.
    folder : str or path, default=None
        Where `fit` writes the file; None: where the system has temporary files. It has no name and
        is gone with the process, however that ends.

    Examples
    --------
    >>> import numpy as np
    >>> from skvae import Blocks, VAETransformer
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(1000, 3))
    >>> blocks = Blocks(lambda: np.array_split(X, 4))
    >>> vae = VAETransformer(2, max_iter=5, random_state=0).fit(blocks)
    >>> [Z.shape for Z in vae.transform(blocks)]
    [(250, 2), (250, 2), (250, 2), (250, 2)]
    """

    def __init__(
        self, make: Callable[[], Iterable], *, folder: str | os.PathLike[str] | None = None
    ) -> None:
        if not callable(make):
            raise TypeError(
                f"Blocks takes a function that gives blocks anew at each call, but got a "
                f"{type(make).__name__}; write Blocks(lambda: ...), as with "
                "Blocks(lambda: pd.read_csv(path, chunksize=100_000)), or Blocks.of_parquet(path), "
                "of_polars, of_dask."
            )
        if folder is not None and not os.path.isdir(folder):
            raise ValueError(f"folder={str(folder)!r} is not there; make it, or give another.")
        self.make, self.folder = make, folder

    def __iter__(self) -> Iterator:
        return iter(self.make())

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise ValueError(
            "Blocks stand here in the place of a table, which is expected. VAETransformer, "
            "VAEImputer and VAEOutlierDetector take them in fit, and in methods that look at one "
            "row after the other; elsewhere give a table, such as some of the rows, or go through "
            "the blocks."
        )

    def __repr__(self) -> str:
        return f"Blocks({self.make!r})"

    @classmethod
    def of_parquet(cls, path: Any, *, folder: Any = None) -> Self:
        """The rows of a Parquet file, or of all in a folder, by pyarrow.

        Parameters
        ----------
        path : str, path or list of them
            Of files, or of a folder.
        folder : str or path, default=None
            Where `fit` writes the encoded cells.

        Returns
        -------
        blocks : Blocks
            Tables of pyarrow.

        Examples
        --------
        >>> from skvae import Blocks
        >>> Blocks.of_parquet("year=2026")  # doctest: +SKIP
        """
        return cls.of_dataset(sources.of_parquet(path), folder=folder)

    @classmethod
    def of_dataset(cls, dataset: Any, *, folder: Any = None) -> Self:
        """The rows of a `pyarrow.dataset`.

        Parameters
        ----------
        dataset : pyarrow.dataset.Dataset
            Whatever pyarrow can scan.
        folder : str or path, default=None
            Where `fit` writes the encoded cells.

        Returns
        -------
        blocks : Blocks
            Tables of pyarrow.

        Examples
        --------
        >>> import pyarrow as pa, pyarrow.dataset
        >>> from skvae import Blocks
        >>> blocks = Blocks.of_dataset(pyarrow.dataset.dataset(pa.table({"a": [1, 2]})))
        >>> [block.num_rows for block in blocks]
        [2]
        """
        _check_has(
            "of_dataset",
            dataset,
            "to_batches",
            "dataset of pyarrow",
            "of a path of_parquet makes one",
        )
        return cls(partial(sources.of_dataset, dataset), folder=folder)

    @classmethod
    def of_polars(cls, frame: Any, *, folder: Any = None) -> Self:
        """The rows of a LazyFrame, which polars streams.

        Parameters
        ----------
        frame : polars.LazyFrame
            A query; it runs each time that the blocks are gone through.
        folder : str or path, default=None
            Where `fit` writes the encoded cells.

        Returns
        -------
        blocks : Blocks
            Frames of polars.

        Examples
        --------
        >>> import polars as pl
        >>> from skvae import Blocks
        >>> [len(block) for block in Blocks.of_polars(pl.LazyFrame({"a": [1, 2]}))]
        [2]
        """
        _check_has(
            "of_polars",
            frame,
            "collect_batches",
            "LazyFrame of polars, 1.34 or later",
            "of a DataFrame that is its .lazy(), of a file pl.scan_parquet(path)",
        )
        return cls(partial(frame.collect_batches, chunk_size=sources.ROWS), folder=folder)

    @classmethod
    def of_dask(cls, frame: Any, *, folder: Any = None) -> Self:
        """The partitions of a dask DataFrame, or blocks of an Array, computed one after the other.

        Parameters
        ----------
        frame : dask.dataframe.DataFrame or dask.array.Array
            Its partitions have to fit into memory; blocks of an array have all of its columns.
        folder : str or path, default=None
            Where `fit` writes the encoded cells.

        Returns
        -------
        blocks : Blocks
            Frames of pandas.

        Examples
        --------
        >>> from skvae import Blocks
        >>> Blocks.of_dask(frame)  # doctest: +SKIP
        """
        _check_has(
            "of_dask",
            frame,
            "partitions",
            "DataFrame or an Array of dask",
            "fit takes a table in memory as it is",
        )
        return cls(lambda: (part.compute() for part in frame.partitions), folder=folder)

    def to_parquet(self, path: Any) -> None:
        """Write the blocks to a Parquet file as they come.

        Parameters
        ----------
        path : str or path
            Of the file. Columns of arrays are named by their numbers.

        Examples
        --------
        >>> import numpy as np
        >>> from pathlib import Path
        >>> from tempfile import mkdtemp
        >>> from skvae import Blocks
        >>> path = Path(mkdtemp()) / "ones.parquet"
        >>> Blocks(lambda: [np.ones((2, 1)), np.ones((3, 1))]).to_parquet(path)
        >>> sum(len(block) for block in Blocks.of_parquet(path))
        5
        """
        sources.write_parquet(self, path)


def _check_has(method: str, given: Any, attribute: str, what: str, advice: str) -> None:
    if not hasattr(given, attribute):
        raise TypeError(
            f"Blocks.{method} takes a {what}, but got a {type(given).__name__}; {advice}."
        )


def takes_blocks(*names: str) -> Callable:
    """A class whose methods of these names give Blocks for Blocks, once they are gone through.

    And a collection of dask for a DataFrame of dask.
    """

    def changed(cls: type) -> type:
        for name in names:
            setattr(cls, name, _by_block(getattr(cls, name)))
        return _fitted_by_block(cls) if hasattr(cls, "fit_transform") else cls

    return changed


def _fitted_by_block(cls: Any) -> Any:
    """The class, whose `fit_transform` scikit-learn expects to give a table."""
    of_table = cls.fit_transform

    def called(self: Any, X: Any, y: Any = None, **fit_params: Any) -> Any:
        """Fit to X, and transform it.

        Parameters
        ----------
        X : array-like, sparse matrix, DataFrame of shape (n_samples, n_features) or Blocks
            Rows of a table.
        y : ignored
            Here for the sake of pipelines.
        **fit_params : dict
            More for `fit`.

        Returns
        -------
        X_new : ndarray or DataFrame of shape (n_samples, n_features_new), or Blocks
            What `transform` gives.

        Examples
        --------
        >>> import numpy as np
        >>> from skvae import VAETransformer
        >>> X = np.random.default_rng(0).normal(size=(100, 3))
        >>> VAETransformer(2, max_iter=5).fit_transform(X).shape
        (100, 2)
        """
        if isinstance(X, Blocks):
            return self.fit(X, y, **fit_params).transform(X)
        return of_table(self, X, y, **fit_params)

    cls.fit_transform = update_wrapper(called, of_table, assigned=("__name__",))
    return cls


def _as_it_is(estimator: Any) -> Any:
    """A copy, which set_output does not change."""
    kept = copy(estimator)
    kept._sklearn_output_config = dict(getattr(estimator, "_sklearn_output_config", {}))
    return kept


def sample_of(X: Any, seed: Any) -> Any:
    """A uniform sample of the rows of blocks; another table as it is."""
    return sampled(X, generator(seed)).table if isinstance(X, Blocks) else X


def _by_block(method: Callable) -> Callable:
    """The method, also of Blocks in the place of a table; each has random numbers of its own."""
    draws = "random_state" in signature(method).parameters

    @wraps(method)
    def called(self: Any, X: Any, *args: Any, **settings: Any) -> Any:
        in_partitions = type(X).__module__.startswith("dask.dataframe.")
        if not (in_partitions or isinstance(X, Blocks)):
            return method(self, X, *args, **settings)
        check_is_fitted(self)
        given = signature(method).bind(self, X, *args, **settings).arguments
        del given["self"], given["X"]
        seed = given.pop("random_state", None) if draws else deepcopy(self.random_state)
        first = int(generator(seed).integers(2**31))
        model = _as_it_is(self)  # what comes later is that of the model of now

        def of_block(k: int, block: Any) -> Any:
            one = copy(model)
            one.random_state = np.random.default_rng([first, k])
            own = {"random_state": one.random_state} if draws else {}
            return method(one, block, **given, **own)

        if in_partitions:
            few = of_block(0, getattr(self, "vae_", self).sample(2, random_state=0))
            return sources.by_partition(of_block, X, few[:0])
        return Blocks(lambda: starmap(of_block, enumerate(some(X))), folder=X.folder)

    return called
