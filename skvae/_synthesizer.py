"""Synthetic rows, ready to use."""

import warnings
from typing import Any, Self

from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from skvae._around import Around, Later
from skvae._imputer import fitted
from skvae._persistence import Kept
from skvae._plan import INPUTS
from skvae._sklearn import CallbackSupportMixin, fit_context, generator
from skvae._vae import VAETransformer
from skvae.likelihoods import Histogram
from skvae.priors import Mixture
from skvae.table import Aside, Rows, checked

N_BINS = 100  # of numbers and times
EPOCHS, SEEN = (10, 100), 800_000  # fewest and most; between, as many as so many rows make
READY = {"latent_dim": 8, "prior": Mixture(50), "autoregressive": True}
GAINING = "Training was still gaining"
BY_MEANING = {"ordered": "categorical"}  # so that tables of pairs hold for them too


class VAESynthesizer(Around, Kept, CallbackSupportMixin, BaseEstimator):
    """Draws new rows like those of a table, with a Variational Auto-Encoder.

    The columns of the rows drawn are those of `fit`: names, order, dtypes; numbers within the range
    seen, whole where they were, with as many decimals; labels among those seen; cells missing where
    they were. Columns that depend on each other stay together.

    Identifiers are made anew, and free text is left missing: text of which nearly all cells differ,
    and whole numbers that all differ and follow each other or are called an id. Numbers made anew
    are none of those seen; text may be, by chance. A warning names these columns. Other identifiers
    are learned as any numbers: drop them first.

    Parameters
    ----------
    vae : VAETransformer, default=None
        The model to fit. None is ``VAETransformer(8, prior=Mixture(50), autoregressive=True)``,
        with ``Histogram(100)`` for numbers and times, "categorical" for ordered labels, and as many
        epochs (`max_iter`) as make 800,000 rows in all, but at least 10 and at most 100.
    random_state : int, RandomState or None, default=None
        Takes the place of that of `vae`, unless None.

    Attributes
    ----------
    vae_ : VAETransformer
        The fitted model, of the columns that are learned: for scores, latent points, filled cells.
    n_features_in_ : int
        Columns seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Only where X has column names that are all strings.

    See Also
    --------
    VAETransformer.sample : The same from any model.

    Examples
    --------
    >>> import pandas as pd
    >>> from skvae import VAESynthesizer
    >>> towns = {"city": ["Lyon", "Nice", "Bonn"] * 100, "country": list("FFD") * 100}
    >>> cities = pd.DataFrame(towns)
    >>> rows = VAESynthesizer(random_state=0).fit(cities).sample(500, random_state=0)
    >>> rows.columns.tolist()
    ['city', 'country']
    >>> set(rows.loc[rows.city == "Bonn", "country"])
    {'D'}
    """

    _parameter_constraints: dict = {"vae": [VAETransformer, None], "random_state": ["random_state"]}

    _MODEL: dict = {
        **READY,
        "likelihood": Later("by column"),
        "max_iter": Later(f"{EPOCHS[0]} to {EPOCHS[1]}, by rows"),
    }

    def __init__(self, vae=None, random_state=None):
        self.vae = vae
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None) -> Self:
        """Learn the table.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            The table, as it comes.
        y : ignored
            Here for the sake of pipelines.

        Returns
        -------
        self : VAESynthesizer
            The fitted synthesiser itself.

        Warns
        -----
        UserWarning
            If there are columns of identifiers or free text.

        Examples
        --------
        >>> import pandas as pd
        >>> from skvae import VAESynthesizer, VAETransformer
        >>> pets = pd.DataFrame({"legs": [4] * 100, "pet": ["cat", "dog"] * 50})
        >>> synthesizer = VAESynthesizer(VAETransformer(1, max_iter=5), random_state=0)
        >>> synthesizer.fit(pets).vae_.n_iter_
        5
        """
        rows = checked(self, X, reset=True)
        own = {name: vars(self)[name] for name in INPUTS if name in vars(self)}
        aside = Aside.of(X, rows)
        if len(aside.columns) == len(rows.names):
            raise ValueError(
                "X has nothing but identifiers and free text, which cannot be learned; give other "
                "columns too."
            )
        vae = self.vae or _ready(_likelihoods(rows, aside), rows.n)
        with warnings.catch_warnings():
            if self.vae is None:  # how long it trains is not the user's choice
                warnings.filterwarnings("ignore", GAINING, ConvergenceWarning)
            self.vae_ = fitted(vae, aside.rest(X), self, y)
        kept: Any = vars(self)
        for name in INPUTS:  # those of what is learned
            kept.pop(name, None)
        kept.update(own, _aside=aside)
        return self

    def sample(self, n_samples=1, random_state=None, *, given=None, missing=True):
        """New rows, as a table like the one seen in `fit`.

        Parameters
        ----------
        n_samples : int, default=1
            How many; for each condition, where `given` is a frame of them.
        random_state : int, RandomState, Generator or None, default=None
            The same int gives the same rows; None gives others at every call.
        given : dict of {column: value} or DataFrame, default=None
            Cells that the rows shall have, as in :meth:`VAETransformer.sample`.
        missing : bool, default=True
            Whether cells are missing as in the table of `fit`, where `vae_` is autoregressive.

        Returns
        -------
        X : ndarray or DataFrame of shape (n_samples, n_features)
            With a frame of conditions, (n_samples * len(given), n_features).

        Examples
        --------
        >>> import pandas as pd
        >>> from skvae import VAESynthesizer, VAETransformer
        >>> pets = pd.DataFrame({"legs": [4] * 100, "pet": ["cat", "dog"] * 50})
        >>> synthesizer = VAESynthesizer(VAETransformer(1, max_iter=5), random_state=0)
        >>> synthesizer.fit(pets).sample(2, random_state=0, given={"pet": "dog"})
           legs  pet
        0     4  dog
        1     4  dog
        """
        check_is_fitted(self)
        rng = generator(random_state)
        missing = missing and self.vae_.autoregressive
        rows = self.vae_.sample(n_samples, rng, given=given, missing=missing)
        return self._aside.back(rows, rng)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        vae = VAETransformer() if self.vae is None else self.vae
        tags.input_tags = vae.__sklearn_tags__().input_tags
        return tags


def _ready(likelihoods: dict, n_rows: int) -> VAETransformer:
    """The model for so many rows."""
    fewest, most = EPOCHS
    max_iter = max(fewest, min(most, SEEN // n_rows))
    return VAETransformer(likelihood=likelihoods, max_iter=max_iter, **READY)


def _likelihoods(rows: Rows, aside: Aside) -> dict:
    """Likelihoods for synthetic rows, by what columns hold, of those that are learned."""
    numbers = dict.fromkeys(("float", "integer", "datetime", "duration"), Histogram(N_BINS))
    by_meaning, found = numbers | BY_MEANING, {}
    for name, column in zip(rows.names, rows.columns(), strict=True):
        if column.dtype.meaning in by_meaning and name not in aside.columns:
            found[name] = by_meaning[column.dtype.meaning]
    return found
