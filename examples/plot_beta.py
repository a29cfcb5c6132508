"""
What do beta, capacity and free bits do to the latent space?
============================================================

The KL term is what the latent point tells about a row, in nats. Four ways to weigh it, on the same
handwritten digits with ten latent dimensions:

- beta = 1, the evidence lower bound: a dimension is used if it is worth its nats;
- beta = 4: nats are four times as dear, so fewer dimensions are used;
- a capacity: the whole is held at so many nats;
- free bits: the first nats of each dimension cost nothing, so that none lies idle.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skvae import VAETransformer
from skvae.display import LatentSpaceDisplay, TraversalDisplay
from skvae.objectives import Capacity, FreeBits

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)
SETTINGS = {
    "beta = 1": {},
    "beta = 4": {"beta": 4.0},
    "capacity of 10 nats": {"objective": Capacity(nats=10, weight=10)},
    "2 free nats each": {"objective": FreeBits(nats=2)},
}
models = {
    name: VAETransformer(
        10, likelihood="gaussian", max_iter=40, early_stopping=False, random_state=0, **settings
    ).fit(X_train)
    for name, settings in SETTINGS.items()
}

# %%
# Nats per dimension, most first; their sum; and the score of new images, always at beta = 1.
for name, vae in models.items():
    nats = sorted(vae.latent_kl_, reverse=True)
    print(f"{name:19}", *(f"{kl:4.1f}" for kl in nats), end=" ")
    print(f" sum {sum(nats):4.1f}, score {vae.score(X_test):.2f}")

# %%
# The two dimensions of each that carry most.
figure, axes = plt.subplots(2, 2, figsize=(11, 9), layout="constrained")
for ax, (name, vae) in zip(axes.flat, models.items(), strict=True):
    dims = vae.latent_kl_.argsort()[:-3:-1]
    LatentSpaceDisplay.from_estimator(vae, X_train, y_train, dims=dims, ax=ax)
    ax.set_title(name)

# %%
# What does each dimension change in an image? Under beta = 4 the idle ones change nothing.
_ = TraversalDisplay.from_estimator(models["beta = 4"], X_train, shape=(8, 8))

# %%
# With free bits each of them does something, and none does much.
_ = TraversalDisplay.from_estimator(models["2 free nats each"], X_train, shape=(8, 8))
plt.show()
