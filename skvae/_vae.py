"""The estimator: parameters, what they may be, and methods that name the rooms they go through."""

from contextlib import suppress
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted

from skvae import likelihoods, objectives, posteriors, priors, schedules
from skvae._blocks import Blocks, takes_blocks
from skvae._explain import scored_cells
from skvae._fitting import fit, partial_fit
from skvae._persistence import Kept
from skvae._sklearn import (
    CallbackSupportMixin,
    HasMethods,
    Interval,
    StrOptions,
    fit_context,
    generator,
    output_container,
    warn,
)
from skvae.likelihoods._auto import chooser
from skvae.table import (
    FLOATS,
    Cells,
    Rows,
    checked,
    conditions,
    overlaid,
    weights_of,
    with_holes,
)

ACTIVATIONS = {"elu", "gelu", "leaky_relu", "relu", "selu", "sigmoid", "silu", "softplus", "tanh"}
OPTIMIZERS = {"adam", "adamw", "rmsprop", "sgd"}
MOST_DIMENSIONS = 21_201  # that SciPy's Sobol points, the noise of scores, have
QUANTILE_DRAWS = 200  # behind each filled cell
MOST_NUMBERS = 2**28  # for the draws of one row: 1 GiB


@takes_blocks("transform", "impute", "posterior_predictive", "score_samples", "score_cells")
class VAETransformer(
    Kept, CallbackSupportMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Variational Auto-Encoder: reduces, restores, generates, scores and completes rows of a table.

    An encoder network gives each row x a distribution q(z | x) of latent points, and a
    decoder network gives each latent point z a distribution p(x | z) of rows. Both are
    trained together to bring up a lower bound of log p(x).

    A DataFrame may hold numbers, booleans, text, categories and datetimes, and cells may be
    missing. Columns are scaled and encoded inside; there is no need to do so first. A constant
    column has no part in the model and is restored exactly.

    Parameters
    ----------
    latent_dim : int, default=2
        Dimension of the latent space: the number of columns that `transform` gives.
    likelihood : str, Likelihood, dict of {column: str or Likelihood} or list, default="auto"
        Distribution of a cell given the latent point. "auto" looks at the dtype of a column and
        not at its values: "warped_gaussian" for floats (normal after a map learned from
        the column, so any smooth shape), "histogram" for integers, datetimes and
        durations (any shape, with atoms at values that repeat), "bernoulli" for booleans, "ordinal"
        for ordered categories, and "categorical" for text, other categories and objects. A sparse
        table of whole numbers, of any dtype, is "bernoulli" where all are 0 or 1, and
        "negative_binomial" where they are other counts. For real numbers there are "gaussian",
        "laplace" and "student_t" too, for positive ones "lognormal", for shares "beta" and
        "continuous_bernoulli", for counts "poisson" and "zero_inflated";
        :mod:`skvae.likelihoods` has their classes.
        Columns that a dict leaves out follow "auto". A list holds some of those that "auto" gives,
        at most one of each, in other settings: ``[WarpedGaussian(scale="cell")]`` is for all
        floats, and other columns follow "auto". Any other value holds for all columns.
        `likelihood_` shows the choice.
    hidden_layer_sizes : int or tuple of int, default=(256, 128)
        Units of the encoder's hidden layers, first to last; the decoder mirrors them.
        () makes a linear model.
    activation : str, default="relu"
        Of the hidden layers: "elu", "gelu", "leaky_relu", "relu", "selu", "sigmoid",
        "silu", "softplus" or "tanh", as in Keras.
    dropout : float in [0, 1), default=0.0
        Share of hidden units that are dropped at random in each training step.
    beta : float or Schedule, default=1.0
        Weight of the KL term while training. Above 1 the latent space is closer to the
        prior, below 1 rows are restored more closely. A number is risen to linearly, see
        `max_iter`; an object of :mod:`skvae.schedules` says what each epoch gets. Scores
        always use 1, so a search over beta needs a `scoring` of its own.
    prior : str or Prior, default="normal"
        Distribution of latent points, p(z): "normal"; or, trained with the rest, "mixture" (of
        normals: for tables with groups, and for synthetic rows), "vamp" (of what the encoder
        makes of learned rows) or "flow"; or fitted to the latent points after training under
        "normal": "fitted" (a GaussianMixture); or an object of :mod:`skvae.priors`.
    posterior : str or Posterior, default="gaussian"
        Shape of q(z | x): "gaussian" (a mean and a scale per dimension), "full_gaussian" (a
        covariance matrix), "flow" (any smooth shape), or an object of :mod:`skvae.posteriors`.
    objective : str or Objective, default="elbo"
        What training maximises: "elbo", "iwae" (closer to log p(x), with `n_draws` above 1),
        "capacity", "free_bits", or an object of :mod:`skvae.objectives`.
    n_draws : int, default=1
        Monte Carlo draws of z per row and step.
    encoder, decoder : callable, default=None
        Networks of one's own, such as convolutional or recurrent ones: functions of
        (n_inputs, n_outputs) that build a Keras layer or model from `(n, n_inputs)` to
        `(n, n_outputs)`, a new one at each call. `hidden_layer_sizes`, `activation` and
        `dropout` have no part in it. An encoder's inputs are the columns as the likelihood
        prepares them, see `encoder_`: under "gaussian" and "bernoulli" as many, in their order,
        constant ones too, under "warped_gaussian" (floats by default) twice as many, first all
        standardised values, then all normal scores; and as many more that are 1 at holes, if `fit`
        meets holes or hides cells. A decoder's outputs are in the order of columns too, first all
        means, under all three. Only functions that a module defines can be pickled.
        Sequential and functional models tell how wide their layers are, so that blocks of rows
        fit into memory.
    autoregressive : bool, default=False
        Whether cells see each other: p(x | z) is then a product over columns, each given z and the
        columns before it, so that what depends on each other stays together: a city and its
        country, a total and its parts. Sums and differences of numbers or times that tell more of
        a column than any other column are found, and it is told by them: an end by its start and
        how long it took (columns under "histogram", which "auto" gives whole numbers and times). It
        is trained in a second stage, with the encoder as it is, on draws of q(z | x), for at most
        `max_iter` epochs; then cells are shifted to the shares that their labels and bins have in
        the rows. Last, but not under `warm_start`, a GaussianMixture of latent points takes the
        place of `prior`, unless held-out rows lose more than 0.1 nats by that. Draws, scores,
        conditions and filled cells are those of the whole. `transform`, `inverse_transform`,
        `encoder_`, `decoder_` and `history_` are those of the first stage. For up to 1,100 columns;
        scores and conditions take several times as long.
    hide : float in [0, 1), default=0.0
        Share of cells that are hidden at random in each training step, so that the encoder
        learns to live with holes that the rows of `fit` do not have. It differs from row to
        row, around this mean. Rows that are held out judge as they are: hiding cells of theirs
        fills no better.
    init : {"random", "pca", "isomap"} or transformer, default="random"
        Where training starts. "random": anywhere. Else the encoder and the decoder are first
        fitted to an embedding of up to 2,000 rows: "pca" for a linear one; "isomap" for a
        manifold, such as a curve that training from anywhere folds up; or any scikit-learn
        transformer with `n_components`, which becomes `latent_dim`. It takes the method's time
        and 2,000 training steps.
    optimizer : {"adam", "adamw", "rmsprop", "sgd"} or Keras optimizer, default="adam"
        "sgd" has a Nesterov momentum of 0.9, as in MLPRegressor. An object of
        `keras.optimizers` stands for its class and its settings but for the learning rate. It
        is given all learned arrays as one vector: weight decay and clipping act on the whole of
        it, biases and noise scales too.
    learning_rate : float, default=0.002
        Of any optimizer: an object's own is not used. SGD without momentum, Adagrad, Adadelta and
        Ftrl want a larger one. It is kept until the loss stalls or the last fifth of the epochs
        begins, and then falls linearly to zero.
    batch_size : int or "auto", default="auto"
        Rows per step. "auto" is a power of two from 16 to 128, about a sixteenth of the rows.
    max_iter : int, default=200
        Largest number of epochs; a very large one trains until the loss stalls. The KL term comes
        in linearly over the first quarter of them, but over no more than 50 epochs and no more
        than 5,000 steps; training never stops early before that. An epoch of more than 1,000
        steps is trained, judged and ended in parts.
    early_stopping : bool, default=True
        Whether to hold out rows, to let the learning rate fall and end training once their
        loss stalls, and to restore the weights that were best for them. With fewer than
        10 rows to hold out the training loss decides. False trains for `max_iter` epochs.
    validation_fraction : float in (0, 1), default=0.1
        Share of rows to hold out; of many, 25,000, which tell as well. `fit` takes rows of one's
        own in their place, `X_val`.
    n_iter_no_change : int, default=10
        Epochs without a gain after which the loss counts as stalled; for epochs of more than 3,000
        steps as many times 3,000 steps.
    tol : float, default=1e-4
        Smallest gain that counts, in nats per row, beyond its standard error.
    warm_start : bool, default=False
        Whether `fit` goes on from the last fit (weights, scaling of columns, and the optimiser
        where that fit had warm_start too) for up to `max_iter` more epochs.
    random_state : int, RandomState or None, default=None
        Randomness of `fit`. The same int gives the same bits for the same number of threads;
        None is different each time. Global random generators are neither read nor moved.
    min_count : int, default=1
        Rows that a value of X needs to be kept in the model. Labels of fewer rows count as
        missing; whole numbers of fewer rows share a bin; bins, and the spans between the
        quantiles by which "warped_gaussian" maps a column, hold as many rows, and the range that
        numbers and datetimes come back in ends where as many rows lie at or beyond. With 1 the
        model holds the smallest and the largest value of such columns, quantiles that may be
        values, and all labels, which may be those of a single row: set it to 5 or more before a
        model is published. A row that weighs 5 counts as five.
    verbose : int, default=0
        Print one line per so many epochs (losses at the last beta, best held-out loss so far,
        learning rate, beta, seconds, and seconds that are left at most), and in the end why
        training stopped; 0 prints nothing. Callbacks of scikit-learn 1.9, given by `set_callbacks`,
        see each epoch: they get the rows that are held out, and a True from one at the end of an
        epoch ends the fit.

    Attributes
    ----------
    n_features_in_ : int
        Columns seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Only where X has column names that are all strings.
    likelihood_ : dict of {column: Likelihood}
        By name, or by number in an array; columns whose likelihoods are equal share one object.
    prior_, posterior_ : Prior, Posterior
        Copies of those in use.
    encoder_, decoder_ : keras.Model
        The encoder network, from a row as the likelihood prepares it (standardised columns for
        "gaussian", these and their normal scores for "warped_gaussian", one-hot levels for
        "categorical", with room for more) to the raw parameters of q(z | x), and the decoder
        network, from a latent point to the raw parameters of p(x | z). If `fit` met holes, the
        encoder's last inputs say where they are. Built anew at each access.
    n_iter_ : int
        Epochs trained; the last may have been ended within.
    best_iter_ : int
        The epoch whose weights were kept, from 1 on: the best of the last fit, from where beta has
        risen to its last value; under `warm_start` counted over all fits.
    history_ : dict of ndarray of shape (`n_iter_`,)
        "loss", "log_likelihood", "kl" and "validation_loss" in nats per row in the units of
        X, and "beta". Both losses are taken at the last beta throughout, also while it rises.
        "loss" has the penalties that layers of one's own put on their weights. "validation_loss"
        is that of rows that each fit holds out anew; without them it is the loss.
        All are those of the prior in training, which for "fitted" is "normal".
    lower_bound_ : float
        ELBO of training rows with beta = 1, whatever the objective was, in nats per row in the
        units of X. Of many rows it is that of some: 16,000, or after short training fewer.
    latent_kl_ : ndarray of shape (latent_dim,)
        Nats that each latent dimension carries; near 0 means that it is not used. Their total,
        in shape (1,), where the KL has no closed form: all but prior "normal" with posterior
        "gaussian".

    See Also
    --------
    sklearn.decomposition.PCA : Linear, with the same noise in every column.
    sklearn.decomposition.FactorAnalysis : Linear, with a noise scale per column.
    sklearn.mixture.GaussianMixture : A density without a latent space.

    References
    ----------
    Kingma, Welling (2014). Auto-Encoding Variational Bayes.
    Rezende, Mohamed, Wierstra (2014). Stochastic Backpropagation and Approximate Inference
    in Deep Generative Models.
    Larochelle, Murray (2011). The Neural Autoregressive Distribution Estimator.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skvae import VAETransformer
    >>> X = load_iris(as_frame=True).data
    >>> vae = VAETransformer(latent_dim=2, random_state=0).fit(X)
    >>> vae.transform(X).shape
    (150, 2)
    >>> vae.inverse_transform([[0.0, 0.0]]).columns.equals(X.columns)
    True
    >>> vae.sample(3, random_state=0).shape
    (3, 4)
    >>> bool(vae.score(X) > -3)  # nats per row
    True
    """

    _parameter_constraints: dict = {
        "latent_dim": [Interval(Integral, 1, MOST_DIMENSIONS, closed="both")],
        "likelihood": [str, likelihoods.Likelihood, dict, list, tuple],
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(ACTIVATIONS)],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "beta": [Interval(Real, 0, None, closed="left"), schedules.Schedule],
        "prior": [str, priors.Prior],
        "posterior": [str, posteriors.Posterior],
        "objective": [str, objectives.Objective],
        "n_draws": [Interval(Integral, 1, None, closed="left")],
        "encoder": [None, callable],
        "decoder": [None, callable],
        "autoregressive": ["boolean"],
        "hide": [Interval(Real, 0, 1, closed="left")],
        "init": [
            StrOptions({"random", "pca", "isomap"}),
            HasMethods(["fit_transform", "set_params"]),
        ],
        "optimizer": [StrOptions(OPTIMIZERS), HasMethods(["apply", "get_config"])],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "min_count": [Interval(Integral, 1, None, closed="left")],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        latent_dim=2,
        *,
        likelihood="auto",
        hidden_layer_sizes=(256, 128),
        activation="relu",
        dropout=0.0,
        beta=1.0,
        prior="normal",
        posterior="gaussian",
        objective="elbo",
        n_draws=1,
        encoder=None,
        decoder=None,
        autoregressive=False,
        hide=0.0,
        init="random",
        optimizer="adam",
        learning_rate=2e-3,
        batch_size="auto",
        max_iter=200,
        early_stopping=True,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        warm_start=False,
        random_state=None,
        min_count=1,
        verbose=0,
    ):
        self.latent_dim = latent_dim
        self.likelihood = likelihood
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.dropout = dropout
        self.beta = beta
        self.prior = prior
        self.posterior = posterior
        self.objective = objective
        self.n_draws = n_draws
        self.encoder = encoder
        self.decoder = decoder
        self.autoregressive = autoregressive
        self.hide = hide
        self.init = init
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state
        self.min_count = min_count
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None, *, X_val=None, sample_weight_val=None) -> Self:
        """Learn the model from the rows of X.

        Parameters
        ----------
        X : array-like, sparse matrix, DataFrame of shape (n_samples, n_features) or Blocks
            Arrays hold numbers or booleans; frames text, categories and datetimes too. Cells
            may be missing (NaN, None, NA, NaT): training uses the observed cells alone. Sparse
            matrices are made dense a batch at a time; their zeros are zeros, not holes. Of tables
            that memory does not hold give :class:`Blocks`; then other methods take them too.
        y : ignored
            Here for the sake of pipelines.
        sample_weight : array-like of shape (n_samples,), default=None
            How often each row counts: all that is learned is as if it came so many times, and 0
            leaves it out. Whole numbers are taken as they are, up to 16 in the mean or 100,000
            rows in all: as of repeated rows, some copies may be trained on and others held out.
            Other numbers count by their shares alone, in copies of a row that stay together:
            times of the smallest one where these are few, else two in the mean, drawn by
            `random_state` so that their mean is exact. The order of rows makes no difference, with
            weights or without.
        X_val : array-like, sparse matrix or DataFrame of shape (n_val, n_features), default=None
            Rows that judge training, in the place of a share of X: later ones, say. All rows of X
            are then trained on, and alone say what columns hold. With ``early_stopping=False``
            these rows are only scored in `history_`, but judge the second stage of
            `autoregressive` still. A pipeline prepares them where it has
            ``transform_input=["X_val"]``.
        sample_weight_val : array-like of shape (n_val,), default=None
            The same of rows of `X_val`.

        Returns
        -------
        self : VAETransformer
            The fitted model itself.

        Raises
        ------
        ValueError
            If X has values that the likelihood cannot give, infinity, or a dtype that is none
            of these, if the schema differs from that of an earlier fit under `warm_start`, or
            if the loss stops being finite. The model of an earlier fit is left as it was.
        KeyboardInterrupt
            At an interrupt, within about a second. The best model of this fit so far is kept,
            whole; before its first epoch, or first 1,000 steps, has been judged, or at a second
            interrupt while that model is made ready, that of an earlier fit.

        Warns
        -----
        UserWarning
            If columns may want another look: identifiers, text that means numbers or times, whole
            numbers that pandas made floats for their holes, a value a hundred deviations from all
            others. Columns that a dict `likelihood` names are left out.
        ConvergenceWarning
            If training was still gaining when `max_iter` ended it, or the latent points are not
            used.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skvae import VAETransformer
        >>> X = load_iris(as_frame=True).data
        >>> vae = VAETransformer(2, max_iter=5, random_state=0).fit(X)
        >>> vae.n_features_in_, vae.n_iter_
        (4, 5)
        """
        fit(self, X, y, X_val, (sample_weight, sample_weight_val))
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, sample_weight=None, *, schema=None) -> Self:
        """One pass over rows that come in pieces, each of which moves the model on.

        The first piece says what columns hold (scales, bins, ranges, labels), unless `schema` does.
        Labels that come later count as missing. The learning rate is held, beta rises over 1,000
        steps, and none of the rows judges; `verbose` and callbacks have no part. Give pieces in
        random order, and better several times: what the last ones do not have is forgotten. In the
        mean of two seeds Adult in 20 pieces, 5 passes, gives held-out rows -29.3 nats where pieces
        are shuffled (-29.5 after five epochs of `fit`), and -31.3 where they are sorted by age.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            A piece, with the columns of the first one.
        y : ignored
            Here for the sake of pipelines.
        sample_weight : array-like of shape (n_samples,), default=None
            As in `fit`; of each piece by itself where they are not whole numbers.
        schema : array-like, sparse matrix or DataFrame, default=None
            Rows that say what columns hold: a random sample, say. They are not trained on. Later
            calls do not look at it.

        Returns
        -------
        self : VAETransformer
            With attributes as after `fit`, each call an epoch; `lower_bound_` is that of the piece.

        Raises
        ------
        ValueError
            Under `autoregressive`, or if a piece does not have the columns of the first one.

        Warns
        -----
        UserWarning
            If there are labels that the first piece did not have, or a column varies that was
            constant there.

        Examples
        --------
        >>> import numpy as np
        >>> from skvae import VAETransformer
        >>> rng = np.random.default_rng(0)
        >>> vae = VAETransformer(random_state=0)
        >>> for _ in range(3):
        ...     vae = vae.partial_fit(rng.normal(size=(500, 4)))
        >>> vae.n_iter_
        3
        """
        partial_fit(self, X, sample_weight, schema)
        return self

    def transform(self, X):
        """Mean of q(z | x) of each row.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            With the columns of `fit`; cells may be missing.

        Returns
        -------
        Z : ndarray of shape (n_samples, latent_dim)
            In float32 for float32 input, else in float64. Deterministic.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skvae import VAETransformer
        >>> X = load_iris(as_frame=True).data
        >>> vae = VAETransformer(2, max_iter=5, random_state=0).fit(X)
        >>> vae.transform(X[:3]).shape
        (3, 2)
        """
        from skvae import inference

        x, dtype = self._encoded(X)
        return inference.posterior_mean(self._model, x).astype(dtype)

    def inverse_transform(self, Z):
        """The mean or most likely value of p(x | z) at latent points, as a table like that of fit.

        Parameters
        ----------
        Z : array-like of shape (n_samples, latent_dim)
            Latent points, such as those of `transform`.

        Returns
        -------
        X : ndarray or DataFrame of shape (n_samples, n_features)
            Float columns hold the mean, in the units of X; integers the mean rounded and
            within the range seen; booleans and labels the most likely value. Fit floats
            (`X.astype(float)`) to get means and probabilities instead. A pandas frame has the
            index of Z if Z is one too, which `set_output(transform="pandas")` makes it.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skvae import VAETransformer
        >>> X = load_iris(as_frame=True).data
        >>> vae = VAETransformer(2, max_iter=5, random_state=0).fit(X)
        >>> vae.inverse_transform(vae.transform(X)).columns.equals(X.columns)
        True
        """
        check_is_fitted(self)
        with np.errstate(over="ignore", invalid="ignore"):  # of sums that look for NaN
            points = check_array(Z, dtype=FLOATS, input_name="Z")
        if points.shape[1] != self._n_features_out:
            raise ValueError(
                f"Z has {points.shape[1]} columns, but this model has "
                f"latent_dim={self._n_features_out}."
            )
        from skvae import inference

        with np.errstate(over="ignore"):  # told by the decoder
            points = points.astype(np.float32)
        cells = inference.cells(self._model, points, self._model.network.likelihood.point)
        return self._codec.decode(cells, len(points), points=True, like=Z)

    def sample(self, n_samples=1, random_state=None, *, given=None, missing=False):
        """New rows drawn from the model, as a table like the one seen in `fit`.

        Each cell is drawn from its likelihood; it is not the mean. Columns stay within the range
        seen; only floats under such as "gaussian" may leave it, as a normal distribution does. No
        cell is missing, whatever `fit` saw, unless `missing`.

        Parameters
        ----------
        n_samples : int, default=1
            How many; for each condition, where `given` is a frame of them.
        random_state : int, RandomState, Generator or None, default=None
            The same int gives the same rows; None gives others at every call.
        given : dict of {column: value} or DataFrame, default=None
            Cells that the rows shall have, exactly; the others are drawn given them. A frame
            may leave out columns and have holes: for each of its rows, `n_samples` are drawn.
            A hole (None, NaN) is no condition. A whole number or datetime that `fit` never saw
            counts as the nearest one it saw.
        missing : bool, default=False
            Whether cells are missing as in the table of `fit`: together where they were, and given
            the other cells; never where `given` has one. It takes `autoregressive=True`. That
            `given` has a cell does not say that `fit` would have seen it: for a cause of death,
            say, give that the person died too.

        Returns
        -------
        X : ndarray or DataFrame of shape (n_samples, n_features)
            With a frame of conditions, (n_samples * len(given), n_features): the first draw of
            every row, then the second of every row, and so on, with the index of `given`.

        Raises
        ------
        ValueError
            If a condition cannot be met exactly: an unknown column or label, a value of another
            kind, or one that the dtype of the column cannot hold; or if `missing` without
            `autoregressive`.

        Warns
        -----
        UserWarning
            If so few of the latent points tried agree with a condition that rows had to share them,
            or a number lies outside of what `fit` saw.

        References
        ----------
        Rubin (1988). Using the SIR algorithm to simulate posterior distributions.

        Examples
        --------
        >>> import pandas as pd
        >>> from skvae import VAETransformer
        >>> pets = pd.DataFrame({"pet": ["cat", "dog"] * 50, "legs": [4] * 100})
        >>> vae = VAETransformer(1, max_iter=5, random_state=0).fit(pets)
        >>> vae.sample(2, random_state=0, given={"pet": "dog"})
           pet  legs
        0  dog     4
        1  dog     4
        """
        check_is_fitted(self)
        rng, n = generator(random_state), _count(n_samples, "n_samples")
        if missing and self._model.network.chain is None:
            raise ValueError(
                "missing=True, but this model has not learned which cells are missing; fit with "
                "autoregressive=True."
            )
        if given is not None:
            return self._draw_given(n, given, missing, rng)
        z = self._draw_prior(n, rng)
        return self._draw_rows(z, rng) if not missing else self._draw_holed(z, rng)

    def sample_latent(self, X=None, n_draws=1, random_state=None):
        """Latent points drawn from q(z | x), or from the prior.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features), default=None
            None draws from the prior.
        n_draws : int, default=1
            Points for each row of X, or in all.
        random_state : int, RandomState, Generator or None, default=None
            The same int gives the same points; None gives others at every call.

        Returns
        -------
        Z : ndarray of shape (n_draws, n_samples, latent_dim), or (n_draws, latent_dim)
            The latter from the prior.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skvae import VAETransformer
        >>> X = load_iris(as_frame=True).data
        >>> vae = VAETransformer(2, max_iter=5, random_state=0).fit(X)
        >>> vae.sample_latent(X, n_draws=5, random_state=0).shape
        (5, 150, 2)
        >>> vae.sample_latent(n_draws=5, random_state=0).shape
        (5, 2)
        """
        rng = generator(random_state)
        if X is None:
            check_is_fitted(self)
            return self._draw_prior(_count(n_draws, "n_draws"), rng)
        x, dtype = self._encoded(X)
        return self._draw_posterior(x, n_draws, rng).astype(dtype)

    def posterior_predictive(self, X, n_draws=1, random_state=None):
        """Rows drawn from p(x_new | x): a latent point from q(z | x), then a row from p(x | z).

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            With the columns of `fit`; cells may be missing.
        n_draws : int, default=1
            Rows drawn for each row of X.
        random_state : int, RandomState, Generator or None, default=None
            The same int gives the same rows; None gives others at every call.

        Returns
        -------
        X_new : ndarray or DataFrame of shape (n_draws * n_samples, n_features)
            The first draw of every row, then the second of every row, and so on; a pandas
            frame has the index of X, as often.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skvae import VAETransformer
        >>> X = load_iris(as_frame=True).data
        >>> vae = VAETransformer(2, max_iter=5, random_state=0).fit(X)
        >>> vae.posterior_predictive(X[:3], n_draws=2, random_state=0).index.tolist()
        [0, 1, 2, 0, 1, 2]
        """
        rng = generator(random_state)
        x, _ = self._encoded(X)
        z = self._draw_posterior(x, n_draws, rng)
        return self._draw_rows(z.reshape(-1, z.shape[-1]), rng, like=X)

    def impute(
        self, X, random_state=None, *, draw=False, n_draws=128, n_imputations=None, quantiles=None
    ):
        """X with its missing cells filled, given the observed cells of their rows.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Rows with NaN, None, NA or NaT; those of `fit` or others. Sparse ones are made dense.
        random_state : int, RandomState, Generator or None, default=None
            Of the draws; not used unless `draw` or `quantiles`.
        draw : bool, default=False
            False fills a cell with its conditional mean, rounded for whole numbers, or its most
            likely level: whole numbers that are codes want `likelihood={name: "categorical"}`.
            True draws it, all cells of a row together.
        n_draws : int, default=128
            Importance-weighted draws of z behind each row. Under `autoregressive` 48 for each 128
            begun, where at most a quarter of a row is missing.
        n_imputations : int, default=None
            How many tables to draw, for multiple imputation. With `quantiles`, how many draws they
            are of; None is 200 there.
        quantiles : array-like of floats, default=None
            Fills a cell with these quantiles of its draws in place of its mean, in a table each:
            0.5 is the median, 0.025 and 0.975 hold a number with a probability of .95 if the model
            is right. It takes itself for sure, so fewer are held: quantiles of the draws of models
            of several bootstraps are wider. Ordered labels have quantiles too; other labels are
            the most frequent one in all tables.

        Returns
        -------
        X : ndarray or DataFrame of shape (n_samples, n_features), or a list of them
            A list of `n_imputations` tables, or of one for each of the `quantiles`. Observed cells
            are unchanged, in a wider dtype than that of `fit` if need be, and so are the index and
            the columns; a level that `fit` never saw counts as missing and is replaced, with a
            warning. A column of which `fit` saw no cell stays empty.

        Raises
        ------
        ValueError
            If `n_imputations` is given without `draw` or `quantiles`, `draw` with `quantiles`, or a
            quantile is outside of [0, 1].

        References
        ----------
        Mattei, Frellsen (2019). MIWAE: Deep Generative Modelling and Imputation of Incomplete
        Data Sets.
        Rubin (1987). Multiple Imputation for Nonresponse in Surveys.

        Examples
        --------
        >>> import numpy as np
        >>> from skvae import VAETransformer
        >>> x = np.random.default_rng(0).normal(size=(300, 1))
        >>> vae = VAETransformer(1, random_state=0).fit(np.hstack([x, x]))
        >>> low, high = vae.impute([[np.nan, 1.0]], 0, quantiles=[0.025, 0.975])
        >>> bool(low[0, 0] < 1 < high[0, 0])
        True
        """
        check_is_fitted(self)
        times = _n_tables(draw, n_imputations, quantiles)
        from skvae.inference import drawn_cells, expected_cells

        n_draws = self._n_draws(n_draws)
        X = X.toarray() if issparse(X) else X
        rows = self._rows(X)
        x = self._codec.encode(rows, warns=True).x
        exact = self._codec.numbers(rows)
        if times:
            drawn: Any = drawn_cells(self._model, x, n_draws, generator(random_state), times)
        else:
            by_cell = None if exact is None else exact[:, self._codec.order]
            drawn = [expected_cells(self._model, x, n_draws, by_cell)]
        found = [self._codec.numbers_of([cells], points=not times, given=exact) for cells in drawn]
        if quantiles is not None:
            found = self._codec.quantiles(found, np.atleast_1d(quantiles))
        observed, tables = self._codec.observed(x[:], rows), []
        for numbers in found:
            filled = self._codec.columns_of(numbers)
            columns = overlaid(self._codec, filled, rows, observed, len(x))
            tables.append(self._codec.table(columns, len(x), X))
        return tables[0] if n_imputations is None and quantiles is None else tables

    def score_samples(self, X, n_draws=128) -> np.ndarray:
        """Importance-weighted lower bound of log p of the observed cells of each row.

        In nats, in the units of X: the scaling of columns inside the model is counted, so
        scores of models with other settings compare, and multiplying a column by 1000
        takes log 1000 off. Always with beta = 1. Deterministic, and free of the other rows.
        Labels, counts and repeated values count with their probability, other numbers with
        their density; a level that `fit` never saw has the probability 1 / (rows + 1).

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            With holes in all cells but some, it is the density of a condition.
        n_draws : int, default=128
            Draws of z for each row. The bound rises to log p(x) as they grow; at the default
            it is usually within 0.01 to 0.1 nats of it. Under `autoregressive` 48 for each 128
            begun, of rows of which at most a quarter is missing.

        Returns
        -------
        log_prob : ndarray of shape (n_samples,)
            A Series with the index of X after `set_output(transform="pandas")`.

        References
        ----------
        Burda, Grosse, Salakhutdinov (2016). Importance Weighted Autoencoders.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skvae import VAETransformer
        >>> X = load_iris(as_frame=True).data
        >>> vae = VAETransformer(2, max_iter=5, random_state=0).fit(X)
        >>> odd = X[:1] * [10, 1, 1, 1]  # a sepal of 51 cm
        >>> bool(vae.score_samples(odd)[0] < vae.score_samples(X[:1])[0])
        True
        """
        from skvae import inference

        check_is_fitted(self)
        n_draws = self._n_draws(n_draws)
        rows = self._rows(X)
        encoded = self._codec.encode(rows)
        scores = inference.log_likelihood(self._model, encoded.x, n_draws)
        scores += encoded.offset
        if hasattr(X, "iloc") and output_container(self) == "pandas":
            return type(X.iloc[:, 0])(scores, index=X.index)
        return scores

    def score_cells(self, X, n_draws=64):
        """Log-likelihood of each cell, given the other observed cells of its row.

        log p(cell | others), in nats, in the units of X, as those of `score_samples`; so a cell of
        a rare label or of a column of large units is low by itself. What a cell costs above what is
        usual for it is told by :meth:`VAEOutlierDetector.explain`. Deterministic, and free of the
        other rows.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            With the columns of `fit`; cells may be missing.
        n_draws : int, default=64
            Draws of z behind a row, as many given all of its cells, given those without one, one
            after the other, and from the prior: so it is rounded up to a multiple of the number of
            columns + 2, at most of 33. With 64 scores are off by some 0.1 nats, in odd rows by 0.2.
            Under `autoregressive` a cell scores what its row loses in `score_samples` without it,
            by so many draws for each: that is slow, by as many times as there are columns.

        Returns
        -------
        log_prob : ndarray or DataFrame of shape (n_samples, n_features)
            Floats; NaN in holes, and in a column of which `fit` saw no cell. A table like that of
            `fit`, with the index of X.

        References
        ----------
        Besag (1975). Statistical Analysis of Non-Lattice Data: their sum is the pseudo-likelihood.

        Examples
        --------
        >>> import numpy as np
        >>> from skvae import VAETransformer
        >>> x = np.random.default_rng(0).normal(size=(300, 1))
        >>> vae = VAETransformer(1, random_state=0).fit(np.hstack([x, x]))
        >>> (near, _), (far, _) = vae.score_cells([[0.0, 0.0], [0.0, 2.0]])
        >>> bool(far < near)
        True
        """
        check_is_fitted(self)
        return scored_cells(self, X, self._n_draws(n_draws))

    def score(self, X, y=None, sample_weight=None) -> float:
        """Mean of `score_samples` over the rows: higher is better.

        Scores compare between models of the same columns in which each column has a density in
        both or a probability in both: "gaussian" and "laplace" compare, and "poisson" and
        "negative_binomial", but a density and a probability do not, and "histogram" has
        probabilities for values that repeat.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            With the columns of `fit`.
        y : ignored
            Here for the sake of pipelines.
        sample_weight : array-like of shape (n_samples,), default=None
            Of rows in the mean.

        Returns
        -------
        score : float
            In nats per row, in the units of X.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skvae import VAETransformer
        >>> X = load_iris(as_frame=True).data
        >>> vae = VAETransformer(2, max_iter=5, random_state=0).fit(X)
        >>> abs(vae.score(X) - float(vae.score_samples(X).mean())) < 1e-6
        True
        """
        found = self.score_samples(X)
        scores = np.concatenate([*found] if isinstance(X, Blocks) else [found])
        if sample_weight is None:
            return float(scores.mean())
        weight = weights_of(len(scores), sample_weight)
        counts = weight > 0
        return float(np.average(scores[counts], weights=weight[counts] / weight.max()))

    @property
    def encoder_(self):
        """Keras model from encoded cells to the raw parameters of q(z | x), built on demand.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skvae import VAETransformer
        >>> X = load_iris(as_frame=True).data
        >>> vae = VAETransformer(2, max_iter=5, random_state=0).fit(X)
        >>> vae.encoder_.input_shape
        (None, 8)
        """
        return self._keras_model("encoder")

    @property
    def decoder_(self):
        """Keras model from latent points to the raw parameters of p(x | z), built on demand.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skvae import VAETransformer
        >>> X = load_iris(as_frame=True).data
        >>> vae = VAETransformer(2, max_iter=5, random_state=0).fit(X)
        >>> vae.decoder_.input_shape
        (None, 2)
        """
        return self._keras_model("decoder")

    @property
    def _n_features_out(self):
        return self._model.network.latent_dim

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_model")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        with suppress(ValueError):  # an unknown name or a bad parameter is reported by fit
            tags.input_tags.positive_only = chooser(self.likelihood)(None, "float").positive_only
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags

    def _rows(self, X: Any) -> Rows:
        check_is_fitted(self)
        return checked(self, X, reset=False, like=self._codec.frame)

    def _encoded(self, X: Any) -> tuple[Cells, np.dtype]:
        """Checked rows as cells, and the dtype of results; says which levels are new."""
        rows = self._rows(X)
        return self._codec.encode(rows, warns=True).x, rows.dtype

    def _draw_rows(self, z: np.ndarray, rng: np.random.Generator, like: Any = None) -> Any:
        from skvae.inference import drawn

        return self._codec.decode(drawn(self._model, z, rng), len(z), like=like)

    def _draw_prior(self, n: int, rng: np.random.Generator) -> np.ndarray:
        from skvae import inference

        noise = rng.standard_normal((n, self._n_features_out), np.float32)
        return inference.prior_sample(self._model, noise).astype(np.float64)

    def _draw_given(self, n: int, given: Any, missing: bool, rng: np.random.Generator) -> Any:
        """n rows for each condition."""
        from skvae.inference import rows_given

        met = conditions(self._codec, given)
        blocks, size, n_drawn = rows_given(self._model, met.x, n, rng)
        _warn_of_few(n, size, n_drawn)
        n_rows, cells = n * len(met.x), list(blocks)
        restored = self._codec.restore(cells, n_rows, given=met.numbers)
        columns = overlaid(self._codec, restored, met, met.kept, n_rows)
        if missing:
            columns = self._holed(columns, cells, np.tile(met.kept, (n, 1)), rng)
        return self._codec.table(columns, n_rows, given)

    def _draw_holed(self, z: np.ndarray, rng: np.random.Generator) -> Any:
        """A row for each latent point, with missing cells."""
        from skvae.inference import drawn

        blocks = list(drawn(self._model, z, rng))
        columns = self._codec.typed(self._codec.restore(blocks, len(z)))
        columns = self._holed(columns, blocks, np.zeros((len(z), len(columns)), bool), rng)
        return self._codec.table(columns, len(z), None)

    def _holed(self, columns: list, blocks: list, kept: np.ndarray, rng: Any) -> list:
        """Columns of rows, encoded in blocks, of which cells are missing that are not kept."""
        from skvae.inference import missing

        holes = np.empty(kept.shape, bool)
        holes[:, self._codec.order] = missing(self._model, np.concatenate(blocks), rng)
        return with_holes(columns, holes & ~kept)

    def _draw_posterior(self, x: Cells, n_draws: Any, rng: np.random.Generator) -> np.ndarray:
        from skvae import inference

        noise = rng.standard_normal(
            (_count(n_draws, "n_draws"), len(x), self._n_features_out), np.float32
        )
        return inference.posterior_sample(self._model, x, noise)

    def _n_draws(self, n_draws: Any) -> int:
        """A number of draws of z for each row, if so many fit into memory."""
        numbers = max(self._n_features_out, self._model.network.numbers_per_draw)
        if _count(n_draws, "n_draws") * numbers > MOST_NUMBERS:
            raise ValueError(
                f"n_draws={n_draws} takes {n_draws} x {numbers} numbers for each row, but draws of "
                f"one row have to fit into memory; at most {MOST_NUMBERS // numbers} are expected."
            )
        return int(n_draws)

    def _keras_model(self, part: str) -> Any:
        check_is_fitted(self)
        from skvae.engine import enter

        enter()
        model = getattr(self._model.network, part).keras_model(self._model.learned()[part])
        model(model.inputs[0])  # Keras exports what has been called
        return model


def _count(n: Any, name: str) -> int:
    if not isinstance(n, Integral) or n < 1:
        raise ValueError(f"{name}={n!r}, but a whole number of at least 1 is expected.")
    return int(n)


def _n_tables(draw: bool, n_imputations: Any, quantiles: Any) -> int:
    """How many times missing cells are drawn: 0 if they are not."""
    if quantiles is None:
        if n_imputations is None:
            return int(draw)
        if not draw:
            raise ValueError(
                f"n_imputations={n_imputations} asks for draws, but draw=False fills cells with "
                "their means; set draw=True."
            )
        return _count(n_imputations, "n_imputations")
    if draw:
        raise ValueError(
            "draw=True fills cells with draws, and quantiles with quantiles of them; give one."
        )
    shares = np.atleast_1d(np.asarray(quantiles))
    numbers = shares.ndim == 1 and len(shares) and shares.dtype.kind in "fiu"
    if not (numbers and ((shares >= 0) & (shares <= 1)).all()):
        raise ValueError(f"quantiles={quantiles!r}, but numbers from 0 to 1 are expected.")
    return QUANTILE_DRAWS if n_imputations is None else _count(n_imputations, "n_imputations")


def _warn_of_few(n: int, size: float, n_drawn: int) -> None:
    """Say where so many rows rest on fewer effective draws."""
    if size < n:
        warn(
            f"The condition is far from what the model knows: {n} rows rest on {size:.0f} "
            f"effective draws of {n_drawn}, and some share a latent point. Give fewer columns, "
            "or values that go together, or ask for fewer rows."
        )
