"""
How is a curve unrolled by one latent dimension?
================================================

A Variational Auto-Encoder with one latent dimension should unroll a curve. Trained with
squared error it collapses, since that is a normal distribution with noise as wide as the
data; with a learned noise scale it folds the curve up. Started from a manifold embedding,
`init="isomap"`, it unrolls it.
"""

from warnings import catch_warnings

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import spearmanr

from skvae import VAETransformer
from skvae.display import LatentSpaceDisplay, ReconstructionDisplay
from skvae.likelihoods import Gaussian

rng = np.random.default_rng(0)
t = rng.uniform(-1.5 * np.pi, 1.5 * np.pi, 300)
X = np.stack([(1 + np.sin(t)) / 2, (np.sign(t) * (np.cos(t) - 1) + 2) / 4], axis=1)

# %%
# Three ways to learn the S-curve, one argument apart. Warnings are silenced: the first fit would
# tell that its latent dimension is not used.
settings = {"latent_dim": 1, "max_iter": 80, "early_stopping": False, "random_state": 0}
MODELS = {
    "squared error": VAETransformer(likelihood=Gaussian(scale=1.0), **settings),
    "learned noise (default)": VAETransformer(**settings),
    'init="isomap"': VAETransformer(init="isomap", **settings),
}
for name, vae in MODELS.items():
    with catch_warnings(action="ignore"):
        Z = vae.fit_transform(X)
    error = ((vae.inverse_transform(Z) - X) ** 2).mean()
    follows = abs(spearmanr(Z[:, 0], t)[0])
    print(f"{name:24} squared error {error:.4f}, rank correlation with the curve {follows:.3f}")

# %%
# Above, what is restored along the latent dimension, in black. Below, where each point of the curve
# lies in it: a line that only rises or only falls is a curve unrolled.
figure, axes = plt.subplots(2, 3, figsize=(12, 7), layout="constrained")
for (above, below), (name, vae) in zip(axes.T, MODELS.items(), strict=True):
    ends = np.quantile(vae.transform(X), [0, 1])
    above.scatter(*X.T, c=t, s=6)
    above.plot(*vae.inverse_transform(np.linspace(*ends, 1000)[:, None]).T, "k", linewidth=1)
    above.set_title(name)
    LatentSpaceDisplay.from_estimator(vae, X, t, ax=below)
    below.set_ylabel("place along the curve")

# %%
# Both columns are restored by the last model, over the whole of their range.
_ = ReconstructionDisplay.from_estimator(MODELS['init="isomap"'], X)

# %%
# A circle has no ends. One dimension has to cut it somewhere; the embedding folds it flat instead,
# so that each latent point stands for two places.
angle = rng.uniform(0, 2 * np.pi, 300)
circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
vae = VAETransformer(init="isomap", **settings).fit(circle)
display = LatentSpaceDisplay.from_estimator(vae, circle, angle)
_ = display.ax_.set_ylabel("angle")
plt.show()
