"""
Can angles be learned, and codes be kept apart by an adversary?
===============================================================

A likelihood for angles and a penalty learned by an adversary, both defined here and given to
`VAETransformer` like any other part: no registration, no change to the package.

The table: directions (in radians) that four sensors report of one of three winds.
"""

import matplotlib.pyplot as plt
import numpy as np
from keras import ops

from skvae import VAETransformer
from skvae.likelihoods import Likelihood
from skvae.priors import Normal


class WrappedCauchy(Likelihood):
    """Angles around a direction, with a concentration: both given by the decoder.

    Kato, Jones (2013). An extended family of circular distributions.
    """

    measure = "density"
    support = "angles from -pi to pi"

    def supports(self, X):
        return abs(X) <= np.pi

    def n_features(self, size):
        return 2 * size.cells

    def n_raw(self, size):
        return 3 * size.cells

    def features(self, w, x, seen):
        return ops.concatenate([seen * ops.cos(x), seen * ops.sin(x)], axis=-1)

    def log_prob(self, w, x, raw):
        across, up, log_odds = ops.split(raw, 3, axis=-1)
        rho = 0.999 * ops.sigmoid(log_odds)
        away = x - ops.arctan2(up, across + 1e-6)
        return ops.log((1 - rho**2) / (2 * np.pi)) - ops.log(1 + rho**2 - 2 * rho * ops.cos(away))

    def point(self, w, raw):
        across, up, _ = np.split(raw, 3, axis=-1)
        return np.arctan2(up, across)

    def sample(self, w, raw, rng):
        rho = 0.999 / (1 + np.exp(-np.split(raw, 3, axis=-1)[2]))
        away = 2 * np.arctan((1 - rho) / (1 + rho) * np.tan(np.pi * (rng.random(rho.shape) - 0.5)))
        return np.angle(np.exp(1j * (self.point(w, raw) + away)))


class Factorised(Normal):
    """Standard normal prior with a penalty on codes whose dimensions depend on each other.

    The penalty is the total correlation, an implicit KL: that of the codes of all rows from
    the product of their dimensions. Its density ratio is learned by an adversary, which tells
    codes from codes with their dimensions shuffled over rows.

    Kim, Mnih (2018). Disentangling by Factorising.
    """

    def __init__(self, weight=5.0):
        self.weight = weight

    def init(self, latent_dim, rng, features):
        shapes = {"inner": (latent_dim, 64), "outer": (64, 1)}
        return {"bias": np.zeros(64, np.float32)} | {
            name: rng.standard_normal(shape, np.float32) / shape[0] ** 0.5
            for name, shape in shapes.items()
        }

    def log_odds(self, w, z):
        return (ops.tanh(z @ w["inner"] + w["bias"]) @ w["outer"])[..., 0]

    def auxiliary_loss(self, w, z):
        fixed = {name: ops.stop_gradient(array) for name, array in w.items()}
        codes = ops.stop_gradient(z)
        shuffled = ops.stack(
            [ops.roll(codes[..., i], i, axis=1) for i in range(z.shape[-1])], axis=-1
        )
        told = ops.softplus(-self.log_odds(w, codes)) + ops.softplus(self.log_odds(w, shuffled))
        return self.weight * self.log_odds(fixed, z) + told - ops.stop_gradient(told)


# %%
# Three winds, and sensors of which some are more precise than others.
rng = np.random.default_rng(0)
wind = rng.integers(0, 3, 2000)
direction = np.array([-2.5, 0.0, 3.0])[wind][:, None]
X = direction + rng.standard_cauchy((2000, 4)) * [0.06, 0.15, 0.3, 0.09]
X = np.angle(np.exp(1j * X))

# %%
# Three models: the default, which knows no angles; one with the likelihood; one with the prior too.
settings = {"latent_dim": 2, "max_iter": 60, "random_state": 0}
normal = VAETransformer(**settings).fit(X)
angles = VAETransformer(likelihood=WrappedCauchy(), **settings).fit(X)
both = VAETransformer(likelihood=WrappedCauchy(), prior=Factorised(), **settings).fit(X)
for label, vae in {
    "normal distributions": normal,
    "wrapped Cauchy": angles,
    "and a factorised prior": both,
}.items():
    print(
        f"{label}: {vae.score(X):.2f} nats per row, "
        f"{vae.latent_kl_.sum():.2f} of them through the codes; ",
        end="",
    )
    print(f"correlation of the codes {np.corrcoef(vae.transform(X).T)[0, 1]:.2f}")

# %%
# Two sensors, in the table and in rows drawn. To the default -pi and pi are far apart.
figure, axes = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
tables = {
    "table": X,
    "drawn": both.sample(2000, random_state=0),
    "drawn, normal": normal.sample(2000, random_state=0),
}
for axis, (title, rows) in zip(axes, tables.items(), strict=True):
    axis.scatter(rows[:, 0], rows[:, 1], s=2)
    axis.set(title=title, xlabel="sensor 0", ylabel="sensor 1", xlim=(-5, 5), ylim=(-5, 5))
figure.savefig("your_own.png")
print("picture: your_own.png")
