"""
What if no likelihood fits a column?
====================================

Write your own. A template: copy the class, and put your own formula into its methods. The Weibull
distribution of how long things last has about everything that a likelihood may have; two attributes
and four methods are all that one needs, and the comments say which.

The table: how many days four parts of a machine last. A machine that works hard wears out most of
them sooner. The truth is known here, so that scores can be compared with it.
"""

import matplotlib.pyplot as plt
import numpy as np
from keras import ops
from scipy.special import gammaln, logsumexp
from scipy.stats import norm, spearmanr, weibull_min

from skvae import VAETransformer
from skvae.likelihoods import Likelihood

SMALLEST = 1e-37  # float32 has hardly a smaller number; what fills a hole may be 0 or negative
FARTHEST = 20.0  # exp(20) is half a billion nats: from here on a line, which cannot overflow


def bounded(x, xp):
    """About x near zero, never beyond 10 either way: finite wherever training wanders."""
    return 10 * xp.tanh(x / 10)


class Weibull(Likelihood):
    """Positive numbers, with a scale that the decoder gives and a shape learned per column.

    The logarithm of a cell is `center + spread * (raw - noise / shape)` with noise of the standard
    Gumbel distribution. Center and spread are those of a single Weibull for the whole column.

    Weibull (1951). A Statistical Distribution Function of Wide Applicability.
    """

    measure = "density"  # needed: "density"; "mass" for counts; "mixed" for both
    support = "positive numbers"  # needed: what error messages say
    positive_only = True  # left out where negative numbers are fine

    def supports(self, X):  # needed: whether each number can have come from it
        return (X > 0) & np.isfinite(X)

    def location_and_scale(self, X):  # needed unless cells are of about 1
        return 0.0, np.exp(np.log(X).mean())

    def n_raw(self, size):  # numbers that the decoder gives: one for each cell, as by default
        return size.cells

    def init(self, size):  # arrays that training shall learn, where they start
        return {"log_shape": np.zeros(size.cells, np.float32)}

    def constants(self, x, columns):  # arrays learned once, in float32: those of one Weibull
        log_x = np.log(np.maximum(x, SMALLEST))
        spread = np.maximum(6**0.5 / np.pi * log_x.std(axis=0), 1e-4)
        return {"center": log_x.mean(axis=0) + np.euler_gamma * spread, "spread": spread}

    def features(self, w, x, seen):  # what the encoder sees: of about 1, and 0 in a hole
        return seen * self.standardised(w, x)

    def log_prob(self, w, x, raw):  # needed: nats of each cell, with keras.ops
        shape = ops.exp(bounded(w["log_shape"], ops))
        t = shape * (self.standardised(w, x) - bounded(raw, ops))
        hazard = ops.exp(ops.minimum(t, FARTHEST)) * (1 + ops.relu(t - FARTHEST))
        return ops.log(shape / w["spread"]) - ops.log(ops.maximum(x, SMALLEST)) + t - hazard

    def point(self, w, raw):  # needed: the mean of each cell, with NumPy
        center, deviation = self.center_and_deviation(w, raw)
        return np.exp(center + gammaln(1 + deviation))

    def sample(self, w, raw, rng):  # needed: a draw of each cell, with NumPy
        center, deviation = self.center_and_deviation(w, raw)
        return np.exp(center - deviation * rng.gumbel(size=raw.shape))

    def standardised(self, w, x):  # from here on helpers, which other likelihoods need not have
        return (ops.log(ops.maximum(x, SMALLEST)) - w["center"]) / w["spread"]

    def center_and_deviation(self, w, raw):
        center = w["center"] + w["spread"] * bounded(raw.astype(np.float64), np)
        return center, w["spread"] * np.exp(-bounded(w["log_shape"].astype(np.float64), np))


# %%
# Days that parts last: Weibull again, given the load of the machine.
SHAPES = np.array([1.0, 1.5, 2.5, 4.0])  # the first breaks at any time, the last in its time
DAYS = np.array([900.0, 400.0, 250.0, 120.0])  # of a machine of average load
BY_LOAD = np.array([0.3, -0.8, -0.8, -0.6])


def days_of(n, rng):
    """Days that the parts of n machines last."""
    load = rng.normal(size=(n, 1))
    return weibull_min.rvs(SHAPES, scale=DAYS * np.exp(BY_LOAD * load), random_state=rng)


def true_score(X):
    """Mean log-density of rows, in nats: the integral over the load as a sum."""
    load = np.linspace(-6, 6, 241)[:, None, None]
    cells = weibull_min.logpdf(X, SHAPES, scale=DAYS * np.exp(BY_LOAD * load))
    log_weight = norm.logpdf(load[..., 0]) + np.log(load[1, 0, 0] - load[0, 0, 0])
    return logsumexp(cells.sum(axis=-1) + log_weight, axis=0).mean()


rng = np.random.default_rng(0)
X, X_new = days_of(2000, rng), days_of(2000, rng)

# %%
# The better likelihood has the higher score on new rows.
settings = {"hidden_layer_sizes": 32, "learning_rate": 0.01, "batch_size": 128, "max_iter": 60}
settings["random_state"] = 0
models = {
    "Weibull": VAETransformer(1, likelihood=Weibull(), **settings).fit(X),
    "lognormal": VAETransformer(1, likelihood="lognormal", **settings).fit(X),
    "gaussian": VAETransformer(1, likelihood="gaussian", **settings).fit(X),
}
scores = {name: vae.score(X_new) for name, vae in models.items()}
print("nats per new row")
for name, score in {"truth": true_score(X_new), **scores}.items():
    print(f"  {name:9}  {score:.2f}")

# %%
# Rows drawn from the model are like new rows: in their means, and in how parts go together.
drawn = models["Weibull"].sample(2000, random_state=0)
print("mean days of each part, and rank correlation of the last two")
for name, rows in {"new rows": X_new, "drawn": drawn}.items():
    print(f"  {name:9} {rows.mean(axis=0).round()}  {spearmanr(rows[:, 2], rows[:, 3])[0]:.2f}")

figure, axes = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
for axis, (name, vae) in zip(axes, models.items(), strict=True):
    rows = vae.sample(2000, random_state=0)
    bins = np.linspace(-2000, 4000, 61)
    axis.hist(X_new[:, 0], bins, color="lightgray", label="new rows")
    axis.hist(rows[:, 0], bins, histtype="step", label=f"drawn, {name}")
    axis.set(title=f"{name}: {scores[name]:.2f} nats", xlabel="days that the first part lasts")
    axis.legend()
figure.savefig("your_own_likelihood.png")
print("picture: your_own_likelihood.png")
