"""Outliers as rows of low density."""

from copy import deepcopy
from numbers import Real
from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils.validation import check_is_fitted

from skvae._around import Around
from skvae._blocks import sample_of, takes_blocks
from skvae._explain import costs_of_cells
from skvae._imputer import fitted
from skvae._persistence import Kept
from skvae._sklearn import CallbackSupportMixin, Interval, fit_context
from skvae._vae import VAETransformer


@takes_blocks("score_samples", "explain", "decision_function", "predict")
class VAEOutlierDetector(Around, Kept, CallbackSupportMixin, OutlierMixin, BaseEstimator):
    """Finds outliers as the rows to which a Variational Auto-Encoder gives a low density.

    Mixed columns and missing cells are welcome: a row is judged by its observed cells. Where many
    are missing few rows fall below `offset_`, which is one for all: compare such rows with each
    other by `score_samples`. Labels that `fit` never saw, and values of columns that had one alone,
    cost a row log(rows + 1) nats, which need not make it an outlier. Whole numbers are judged by
    how frequent they are, floats by a smooth density: give measures as floats.

    Parameters
    ----------
    vae : VAETransformer, default=None
        The model to fit. None is ``VAETransformer(latent_dim=8)``.
    contamination : float in (0, 0.5], default=0.1
        Share of the rows of `fit` that `predict` calls outliers. It is larger among others, which
        the model knows less well, often by several times: for them take the threshold from
        `score_samples` of rows that were not in `fit`.
    random_state : int, RandomState or None, default=None
        Takes the place of that of `vae`, unless None.

    Attributes
    ----------
    vae_ : VAETransformer
        The fitted model.
    offset_ : float
        The score below which a row is an outlier, in nats.
    n_features_in_ : int
        Columns seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Only where X has column names that are all strings.

    See Also
    --------
    sklearn.ensemble.IsolationForest : By random cuts; numbers only.
    sklearn.neighbors.LocalOutlierFactor : By the density of neighbours.

    References
    ----------
    An, Cho (2015). Variational Autoencoder based Anomaly Detection using Reconstruction
    Probability.
    Le Lan, Dinh (2021). Perfect Density Models Cannot Guarantee Anomaly Detection.

    Examples
    --------
    >>> import numpy as np
    >>> from skvae import VAEOutlierDetector
    >>> X = np.random.default_rng(0).normal(size=(300, 3))
    >>> detector = VAEOutlierDetector(random_state=0).fit(X)
    >>> detector.predict([[0.0, 0.0, 0.0], [9.0, -9.0, 9.0]])
    array([ 1, -1])
    """

    _parameter_constraints: dict = {
        "vae": [VAETransformer, None],
        "contamination": [Interval(Real, 0, 0.5, closed="right")],
        "random_state": ["random_state"],
    }

    _MODEL: dict = {"latent_dim": 8}

    def __init__(self, vae=None, *, contamination=0.1, random_state=None):
        self.vae = vae
        self.contamination = contamination
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None) -> Self:
        """Learn the density of the rows of X.

        Parameters
        ----------
        X : array-like, sparse matrix, DataFrame of shape (n_samples, n_features) or Blocks
            Most of them regular; cells may be missing. For tables that memory does not hold give
            :class:`Blocks`; then other methods take them too, and `offset_` is learned from a
            sample of rows, of 4 million cells.
        y : ignored
            Here for the sake of pipelines.

        Returns
        -------
        self : VAEOutlierDetector
            The fitted detector itself.

        Examples
        --------
        >>> import numpy as np
        >>> from skvae import VAEOutlierDetector, VAETransformer
        >>> X = np.random.default_rng(0).normal(size=(100, 2))
        >>> detector = VAEOutlierDetector(VAETransformer(1, max_iter=5), random_state=0).fit(X)
        >>> int((detector.predict(X) == -1).sum())  # a tenth, as `contamination` says
        10
        """
        self.vae_ = fitted(self._model(), X, self, y)
        scores = self.score_samples(sample_of(X, deepcopy(self.random_state)))
        self.offset_ = float(np.percentile(scores, 100 * self.contamination))
        return self

    def score_samples(self, X) -> np.ndarray:
        """Lower bound of the log-density of each row, in nats: the lower, the more abnormal.

        That of `VAETransformer.score_samples` but for the units: numbers count in deviations of
        their column, so that multiplying one by 1000 changes nothing, with holes or without. Where
        values of a column are denser than its deviation tells, as the small ones of a skewed column
        are, they count in the normal scores or bins that its likelihood learned: no value is the
        more normal for lying there, and values that are far, or between groups, are as abnormal as
        ever (Le Lan, Dinh 2021). The more cells are missing, the nearer the score is to 0.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            With the columns of `fit`.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            In nats.

        Examples
        --------
        >>> import numpy as np
        >>> from skvae import VAEOutlierDetector, VAETransformer
        >>> X = np.random.default_rng(0).normal(size=(100, 2))
        >>> detector = VAEOutlierDetector(VAETransformer(1, max_iter=5), random_state=0).fit(X)
        >>> near, far = detector.score_samples([[0.0, 0.0], [9.0, 9.0]])
        >>> bool(near > far)
        True
        """
        check_is_fitted(self)
        scores = np.asarray(self.vae_.score_samples(X))
        return scores - self.vae_._codec.log_units(self.vae_._rows(X))

    def explain(self, X, n_draws=64):
        """What each cell costs: why a row is an outlier.

        How much less likely a cell is, given the others of its row, than what the model would draw
        in its place is in the mean: -log p(cell | others) less the mean of that of draws from
        p(cell | others), in nats. It is about 0 in the mean over rows such as the model draws,
        above 0 over rows that were not in `fit` of a model that fits its own closely, some nats
        where a cell does not go with the others, and at most log(rows + 1) for a label that
        `fit` never saw. Numbers count as in `score_samples`, so that multiplying a column by 1000
        changes nothing. Where two cells disagree, both cost: which is wrong is told by a third.
        Deterministic, and free of the other rows.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            With the columns of `fit`; cells may be missing.
        n_draws : int, default=64
            Draws of z behind a row, as in :meth:`VAETransformer.score_cells`. Costs are off by some
            0.2 nats, in odd rows by 0.4, mostly since 8 draws in the place of a cell stand for all.
            Under `autoregressive` each of these is scored with its row, which takes some 10 times
            as long as `score_cells` does there.

        Returns
        -------
        costs : ndarray or DataFrame of shape (n_samples, n_features)
            Floats; NaN in holes, and in a column of which `fit` saw no cell. A table like that of
            `fit`, with the index of X.

        See Also
        --------
        VAETransformer.score_cells : The log-likelihood of a cell, given the others, itself.

        Examples
        --------
        >>> import numpy as np
        >>> from skvae import VAEOutlierDetector
        >>> rng = np.random.default_rng(0)
        >>> x = rng.normal(size=(300, 1)) + 0.1 * rng.normal(size=(300, 3))
        >>> detector = VAEOutlierDetector(random_state=0).fit(x)
        >>> int(detector.explain([[1.0, 1.0, -1.0]]).argmax())
        2
        """
        check_is_fitted(self)
        return costs_of_cells(self.vae_, X, self.vae_._n_draws(n_draws))

    def decision_function(self, X) -> np.ndarray:
        """The scores less `offset_`: negative for outliers.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            With the columns of `fit`.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            In nats.

        Examples
        --------
        >>> import numpy as np
        >>> from skvae import VAEOutlierDetector, VAETransformer
        >>> X = np.random.default_rng(0).normal(size=(100, 2))
        >>> detector = VAEOutlierDetector(VAETransformer(1, max_iter=5), random_state=0).fit(X)
        >>> (detector.decision_function([[0.0, 0.0], [9.0, 9.0]]) < 0).tolist()
        [False, True]
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X) -> np.ndarray:
        """-1 for outliers, 1 for other rows.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            With the columns of `fit`.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Whole numbers.

        Examples
        --------
        >>> import numpy as np
        >>> from skvae import VAEOutlierDetector, VAETransformer
        >>> X = np.random.default_rng(0).normal(size=(100, 2))
        >>> detector = VAEOutlierDetector(VAETransformer(1, max_iter=5), random_state=0).fit(X)
        >>> detector.predict([[0.0, 0.0], [9.0, 9.0]])
        array([ 1, -1])
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        vae = VAETransformer() if self.vae is None else self.vae
        tags.input_tags = vae.__sklearn_tags__().input_tags
        return tags
