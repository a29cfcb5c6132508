"""
A curve with one latent dimension
=================================

A Variational Auto-Encoder with one latent dimension should unroll a curve. Trained with
squared error it collapses, since that is a normal distribution with noise as wide as the
data; with a learned noise scale it folds the curve up. Started from a manifold embedding,
`init="isomap"`, it unrolls it.
"""

from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import spearmanr
from sklearn.datasets import make_swiss_roll

from skvae import VAETransformer
from skvae.likelihoods import Gaussian

rng = np.random.default_rng(0)
t = rng.uniform(-1.5 * np.pi, 1.5 * np.pi, 300)
X = np.stack([(1 + np.sin(t)) / 2, (np.sign(t) * (np.cos(t) - 1) + 2) / 4], axis=1)


def described(label, vae, X, t):
    """Fit, and say how far restored rows are and whether the latent dimension follows the curve."""
    start = perf_counter()
    Z = vae.fit_transform(X)
    error = ((vae.inverse_transform(Z) - X) ** 2).mean()
    follows = max(abs(spearmanr(z, t)[0]) for z in Z.T)
    print(
        f"{label}: squared error {error:.4f}, rank correlation {follows:.3f}, "
        f"{perf_counter() - start:.0f} s"
    )
    return f"{label}\nsquared error {error:.4f}, rank correlation {follows:.3f}"


def restored_curve(vae, X):
    """Points along the latent dimension, between the codes of the rows."""
    ends = np.quantile(vae.transform(X), [0, 1])
    return vae.inverse_transform(np.linspace(*ends, 1000)[:, None])


# %%
# Three ways to learn the S-curve, one argument apart.
S_CURVE = {
    "squared error": VAETransformer(1, likelihood=Gaussian(scale=1.0), random_state=0),
    "learned noise (default)": VAETransformer(1, random_state=0),
    'init="isomap"': VAETransformer(1, init="isomap", random_state=0),
}
figure, axes = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
for axis, (label, vae) in zip(axes, S_CURVE.items(), strict=True):
    axis.set_title(described(label, vae, X, t), fontsize=10)
    axis.scatter(*X.T, c=t, s=6)
    axis.plot(*restored_curve(vae, X).T, color="black", linewidth=1)
figure.savefig("curve.png")

# %%
# Other shapes. A circle has no ends: one dimension has to cut it somewhere, and the embedding
# folds it flat, so each code stands for two points. A spiral and a Swiss roll are unrolled.
angle = rng.uniform(0, 2 * np.pi, 300)
turns = rng.uniform(1.5 * np.pi, 4.5 * np.pi, 600)
roll, along = make_swiss_roll(1500, random_state=0)
SHAPES = {
    "circle": (np.stack([np.cos(angle), np.sin(angle)], axis=1), angle, 1),
    "spiral": (turns[:, None] * np.stack([np.cos(turns), np.sin(turns)], axis=1), turns, 1),
    "Swiss roll, 2 latent dimensions": (roll, along, 2),
}
figure, axes = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
for axis, (label, (X, t, latent_dim)) in zip(axes, SHAPES.items(), strict=True):
    vae = VAETransformer(latent_dim, init="isomap", random_state=0)
    axis.set_title(described(label, vae, X, t), fontsize=10)
    if latent_dim == 1:
        axis.scatter(*X.T, c=t, s=6)
        axis.plot(*restored_curve(vae, X).T, color="black", linewidth=1)
    else:
        axis.scatter(*vae.transform(X).T, c=t, s=6)
        axis.set(xlabel="latent dimension 0", ylabel="latent dimension 1")
figure.savefig("curve_shapes.png")
print("pictures: curve.png, curve_shapes.png")
