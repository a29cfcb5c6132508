"""
First steps
===========

Reduce, restore, generate, score and tune on handwritten digits (1,797 images of 8 x 8
pixels, each a whole number from 0 to 16).
"""

# %%
# Fit. Nothing has to be scaled first: a column's location and scale are learned.
from time import perf_counter
from warnings import catch_warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skvae import VAETransformer

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
start = perf_counter()
vae = VAETransformer(latent_dim=8, random_state=0).fit(X_train)
print(f"fit: {len(X_train)} images in {perf_counter() - start:.0f} s, {vae.n_iter_} epochs")
print(f"     nats that each latent dimension carries: {np.round(vae.latent_kl_, 1)}")

# %%
# Reduce 64 columns to 8. Is more of the digit left than in 8 principal components?
for name, reduce in {"skvae": vae, "PCA": make_pipeline(StandardScaler(), PCA(8))}.items():
    Z_train, Z_test = reduce.fit(X_train).transform(X_train), reduce.transform(X_test)
    accuracy = KNeighborsClassifier(5).fit(Z_train, y_train).score(Z_test, y_test)
    print(
        f"reduce: 5 nearest neighbours on 8 dimensions of {name} name {accuracy:.1%} of new digits"
    )

# %%
# Restore images from their 8 numbers, and generate new ones.
restored = vae.inverse_transform(vae.transform(X_test))
left = ((X_test - restored) ** 2).sum() / ((X_test - X_train.mean(axis=0)) ** 2).sum()
print(f"restore: {1 - left:.0%} of the variance of new images comes back")
drawn = vae.sample(8, random_state=0)
print(f"generate: 8 new images, pixels from {drawn.min():.1f} to {drawn.max():.1f}")

# %%
# Score: log-density per image in nats, in the units of X. Higher is better.
shuffled = np.random.default_rng(0).permuted(X_test, axis=1)
print(
    f"score: {vae.score(X_test):.1f} nats for new images, "
    f"{vae.score(shuffled):.3g} for images with shuffled pixels"
)

# %%
# Tune: `score` makes GridSearchCV work without a `scoring`. Fits too short to end where they would
# (each of them warns of it) tell candidates apart.
short = VAETransformer(max_iter=40, random_state=0)
with catch_warnings(category=ConvergenceWarning, action="ignore"):
    search = GridSearchCV(short, {"latent_dim": [2, 16]}, cv=2).fit(X_train)
print(f"tune: latent_dim={search.best_params_['latent_dim']} scores best of 2 and 16")

# %%
# A picture: the latent space of a model with two dimensions, and images of the larger one.
Z = VAETransformer(latent_dim=2, random_state=0).fit_transform(X)
figure = plt.figure(figsize=(11, 5), layout="constrained")
left_side, right_side = figure.subfigures(1, 2)
axes = left_side.subplots()
points = axes.scatter(*Z.T, c=y, cmap="tab10", s=8)
axes.set(title="Latent space of digits", xlabel="latent dimension 0", ylabel="latent dimension 1")
left_side.colorbar(points, ax=axes, label="digit")
means = vae.inverse_transform(vae.sample_latent(n_draws=8, random_state=0))
rows = {
    "new": X_test[:8],
    "restored": restored[:8],
    "generated": drawn,
    "their means": means,
}
for axes_row, (name, images) in zip(right_side.subplots(4, 8), rows.items(), strict=True):
    axes_row[0].set_title(name, loc="left")
    for axes, image in zip(axes_row, images, strict=True):
        axes.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=16)
        axes.axis("off")
figure.savefig("first_steps.png")
print("picture: first_steps.png")
