"""Filling holes as a step of a pipeline."""

from typing import Self

from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted

from skvae._around import Around
from skvae._blocks import takes_blocks
from skvae._persistence import Kept
from skvae._sklearn import CallbackSupportMixin, fit_context, passing_callbacks
from skvae._vae import VAETransformer


@takes_blocks("transform")
class VAEImputer(
    Around, Kept, CallbackSupportMixin, OneToOneFeatureMixin, TransformerMixin, BaseEstimator
):
    """Fills the missing cells of a table with a Variational Auto-Encoder.

    A cell is filled with its conditional mean, or its most likely level, given the observed
    cells of its row. Rows need not have been seen in `fit`, nor need those of `fit` have had
    holes. Several draws, for multiple imputation, and quantiles come from
    :meth:`VAETransformer.impute` of `vae_`.

    Parameters
    ----------
    vae : VAETransformer, default=None
        The model to fit. None is
        ``VAETransformer(latent_dim=8, hide=0.2, objective="iwae", n_draws=10)``.
    random_state : int, RandomState or None, default=None
        Takes the place of that of `vae`, unless None. Of the draws too, which are the same in each
        call if it is an int.
    draw : bool, default=False
        Fills a cell with a draw, all cells of a row together, and not with what is expected of it:
        so a filled column keeps its spread, and depends on others as strongly as it does.

    Attributes
    ----------
    vae_ : VAETransformer
        The fitted model.
    n_features_in_ : int
        Columns seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Only where X has column names that are all strings.

    See Also
    --------
    sklearn.impute.KNNImputer : From the nearest rows; numbers only.
    sklearn.impute.IterativeImputer : From a regression of each column on the others.

    References
    ----------
    Mattei, Frellsen (2019). MIWAE: Deep Generative Modelling and Imputation of Incomplete
    Data Sets.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from skvae import VAEImputer
    >>> X = load_iris().data
    >>> holes = np.random.default_rng(0).random(X.shape) < 0.2
    >>> filled = VAEImputer(random_state=0).fit_transform(np.where(holes, np.nan, X))
    >>> bool(abs(filled - X)[holes].mean() < abs(X.mean(axis=0) - X)[holes].mean())
    True
    """

    _parameter_constraints: dict = {
        "vae": [VAETransformer, None],
        "random_state": ["random_state"],
        "draw": ["boolean"],
    }

    # A tighter bound than the ELBO wants holes filled well, not codes near a simple posterior.
    _MODEL: dict = {"latent_dim": 8, "hide": 0.2, "objective": "iwae", "n_draws": 10}

    def __init__(self, vae=None, random_state=None, *, draw=False):
        self.vae = vae
        self.random_state = random_state
        self.draw = draw

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None) -> Self:
        """Learn the model from the observed cells of X.

        Parameters
        ----------
        X : array-like, sparse matrix, DataFrame of shape (n_samples, n_features) or Blocks
            With holes or without: NaN, None, NA or NaT. For tables that memory does not hold give
            :class:`Blocks`; then `transform` takes them too.
        y : ignored
            Here for the sake of pipelines.

        Returns
        -------
        self : VAEImputer
            The fitted imputer itself.

        Examples
        --------
        >>> import numpy as np
        >>> from skvae import VAEImputer, VAETransformer
        >>> X = np.random.default_rng(0).normal(size=(100, 2))
        >>> imputer = VAEImputer(VAETransformer(1, max_iter=5), random_state=0).fit(X)
        >>> imputer.vae_.n_iter_
        5
        """
        self.vae_ = fitted(self._model(), X, self, y)
        return self

    def transform(self, X):
        """X with its missing cells filled.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            With the columns of `fit`.

        Returns
        -------
        X : ndarray or DataFrame of shape (n_samples, n_features)
            Observed cells are unchanged. Deterministic unless `draw`.

        Examples
        --------
        >>> import numpy as np
        >>> from skvae import VAEImputer, VAETransformer
        >>> X = np.random.default_rng(0).normal(size=(100, 2))
        >>> imputer = VAEImputer(VAETransformer(1, max_iter=5), random_state=0).fit(X)
        >>> filled = imputer.transform([[0.5, np.nan]])
        >>> float(filled[0, 0]), bool(np.isfinite(filled[0, 1]))
        (0.5, True)
        """
        check_is_fitted(self)
        return self.vae_.impute(X, self.random_state if self.draw else None, draw=self.draw)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        vae = VAETransformer() if self.vae is None else self.vae
        tags.input_tags = vae.__sklearn_tags__().input_tags
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.non_deterministic = self.draw
        return tags


def fitted(vae: VAETransformer, X, owner: BaseEstimator, y=None) -> VAETransformer:
    """A fitted copy of a model, with its owner's random state; the owner learns its columns."""
    vae = clone(vae)
    if owner.random_state is not None:
        vae.set_params(random_state=owner.random_state)
    with passing_callbacks(owner, vae, X, y):
        vae.fit(X, y)
    for name in ("n_features_in_", "feature_names_in_"):
        vars(owner).pop(name, None)
        if hasattr(vae, name):
            setattr(owner, name, getattr(vae, name))
    return vae
