"""A report on synthetic rows."""

import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import Any

KEYS = (
    "Columns with another value in each real row, of which no synthetic row has any: {}. If they "
    "tell rows apart and nothing else, drop them from all tables: by them alone any synthetic row "
    "is found out."
)


def compare(real: Any, synthetic: Any, *, test: Any = None, target: Any = None) -> "Comparison":
    """How like real rows synthetic ones are: shapes, pairs, rules, use for learning, privacy.

    Each figure stands beside its floor: what rows of `test`, real ones that no synthesizer saw,
    give in place of the synthetic ones. No synthetic rows need be better.

    Shapes and pairs are those of the QualityReport of sdmetrics, which is under the MIT licence
    (``pip install '.[report]'``). Numbers and times are told from labels by the dtypes of
    `real`: those of the same column in the other tables may differ, such as integers and floats.
    Tables of more than 50,000 rows are represented by so many of them, and the nearest rows are
    those of 5,000 synthetic ones; always the same rows, so that the same tables give the same
    figures. On two cores, 20,000 rows of 15 columns took 15 to 25 seconds, and 2,000 rows of 200
    columns, one half of which are labels, 140 to 300, most of them in sdmetrics, which looks at
    each of their 19,900 pairs.

    Parameters
    ----------
    real : array-like or DataFrame of shape (n_samples, n_features)
        The rows that the synthetic ones were learned from. A frame of pandas, of polars or of
        another library that narwhals knows.
    synthetic : array-like or DataFrame of shape (n_synthetic, n_features)
        The rows to judge, with the columns of `real`, in any order.
    test : array-like or DataFrame of shape (n_test, n_features), default=None
        Real rows that were held out. Without them there is no floor, and nothing to tell whether
        synthetic rows are too near to the real ones.
    target : str, int or None, default=None
        The column to predict from the others, to see what rows are worth for learning.

    Returns
    -------
    comparison : Comparison
        A table for each part, `summary()` and `to_html(path)`.

    Raises
    ------
    ValueError
        If the tables have other columns than `real`, or other kinds of cells in them, or fewer
        than 10 rows, or no cells, or if there is no such target or nothing to predict it from.
    ImportError
        If sdmetrics is missing.

    Warns
    -----
    UserWarning
        Of columns that seem to do nothing but tell rows apart, such as numbers of customers.

    See Also
    --------
    VAESynthesizer : Draws synthetic rows.

    References
    ----------
    Lopez-Paz, Oquab (2017). Revisiting Classifier Two-Sample Tests.
    Giomi, Boenisch, Wehmeyer, Tasnadi (2023). A Unified Framework for Quantifying Privacy Risk in
    Synthetic Data.

    Examples
    --------
    >>> from skvae import compare
    >>> compare(train, rows, test=test, target="income").to_html("report.html")  # doctest: +SKIP
    """
    if find_spec("sdmetrics") is None:
        raise ImportError(
            "compare needs sdmetrics: in the folder of skvae, pip install '.[report]'."
        )
    from skvae import _compare_figures as figures
    from skvae._compare_page import pictured
    from skvae._compare_rules import dependence, holes
    from skvae._compare_tables import case_of, frame_of, keys_of

    given = {"real": real, "synthetic": synthetic, "test": test}
    frames = {name: frame_of(X, name) for name, X in given.items() if X is not None}
    case = case_of(frames)
    target = figures.checked_target(target, case)
    if keys := keys_of(case):
        warnings.warn(KEYS.format(", ".join(map(repr, keys))), UserWarning, stacklevel=2)
    return Comparison(
        **figures.quality_parts(case),
        holes=holes(case),
        dependence=dependence(case),
        two_samples=figures.two_samples(case),
        utility=figures.utility(case, target),
        privacy=figures.privacy(case),
        _n_rows={name: len(table) for name, table in case.tables.items()},
        _drawn=pictured(frames, case),
    )


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """What `compare` found: a DataFrame for each part.

    Those of figures have the columns "synthetic" and "floor": what the synthetic rows give, and
    what the rows of `test` give in their place, NaN without them. It keeps no rows, but what
    pictures show of them: shares, edges of bins and the most frequent labels.

    Attributes
    ----------
    quality : DataFrame
        The overall scores of sdmetrics, "Column Shapes" and "Column Pair Trends"; 1 is ideal.
    shapes : DataFrame
        The score of each column: 1 less the Kolmogorov-Smirnov distance of numbers and times, and
        less the total variation distance of labels. Cells that are missing are left out.
    pairs : DataFrame
        The score of each two columns: how alike their correlations are, or their tables of counts.
        NaN where the real columns have little to do with each other.
    holes : DataFrame
        The share of rows in which a column is missing, or two of them together.
    dependence : DataFrame
        Columns that determine others, and columns that are at most others, in all rows of `real`
        and by no chance, and the share of the other rows that keep to that. "rows" is how many real
        rows say so. Of `real` itself all do.
    two_samples : DataFrame
        The cross-validated ROC AUC of boosted trees at telling rows from real ones, and
        2 (1 - AUC), of which 1 is ideal.
    utility : DataFrame
        What boosted trees that learned from rows score at predicting `target` in `test`, or in a
        quarter of `real`: ROC AUC (of each class against the rest), or R2 of numbers of more than
        two values; of numbers of two values, others are the nearer one. The floor is that of
        learning from `real`, but for this quarter. Its index is named for `target`; empty without.
    privacy : DataFrame
        The share of rows that are nearer to a row of `real` than to one of `test`, as if there were
        as many, of several that are equally near each for its part (of the floor: one half of
        `test` against the other); their median distance to `real` over that of `test`, NaN where
        this is 0; exact copies of rows of `real`; and how often the cells of a row
        in three columns are those of one row of `real` and of no other. The first two need `test`.

    See Also
    --------
    skvae.display.FidelityDisplay : Its pictures alone.

    Examples
    --------
    >>> from skvae import compare
    >>> compare(train, rows, test=test).dependence  # doctest: +SKIP
    """

    quality: Any
    shapes: Any
    pairs: Any
    holes: Any
    dependence: Any
    two_samples: Any
    utility: Any
    privacy: Any
    _n_rows: dict  # of each table
    _drawn: tuple  # what pictures show

    def summary(self) -> Any:
        """One row a figure: of the synthetic rows, its floor, and what is ideal.

        Returns
        -------
        table : DataFrame of shape (n_figures, 3)
            With the columns "synthetic", "floor" and "ideal".

        Examples
        --------
        >>> import numpy as np
        >>> from skvae import compare
        >>> real, synthetic = np.random.default_rng(0).normal(size=(2, 50, 2))
        >>> compare(real, synthetic).summary().at["exact copies", "synthetic"]  # doctest: +SKIP
        0.0
        """
        from skvae import _compare_page as page

        return page.summary(self)

    def to_html(self, path: str | PathLike) -> None:
        """Write one page that needs nothing else: figures, what they mean, and pictures.

        Pictures need matplotlib; without it there are none.

        Parameters
        ----------
        path : str or path-like
            Of the file, which is overwritten if there is one.

        Examples
        --------
        >>> from skvae import compare
        >>> compare(train, rows, test=test).to_html("report.html")  # doctest: +SKIP
        """
        from skvae import _compare_page as page

        Path(path).write_text(page.to_html(self, self._n_rows, self._drawn), encoding="utf-8")

    def _repr_html_(self) -> str:
        from skvae._compare_page import shown

        return shown(self.summary())

    def __repr__(self) -> str:
        from skvae._compare_page import scored_pairs

        table = self.summary().to_string(float_format="{:.3f}".format, na_rep="-")
        return f"{table}\n{scored_pairs(self.pairs)}"
