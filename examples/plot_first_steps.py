"""
First steps: can eight numbers tell a handwritten digit?
========================================================

Reduce, restore, generate, score and tune on handwritten digits: 1,797 images of 8 x 8 pixels.
"""

# %%
# Fit. The pixels are grey values, 0 to 16. Divided by 16 they are shares of ink, for which
# "bernoulli" is the likelihood; other columns go without it, and nothing has to be scaled.
from time import perf_counter
from warnings import catch_warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neighbors import KNeighborsClassifier

from skvae import VAETransformer
from skvae.display import LatentSpaceDisplay, ManifoldDisplay, ReconstructionDisplay

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)
start = perf_counter()
vae = VAETransformer(latent_dim=8, likelihood="bernoulli", random_state=0).fit(X_train)
print(f"fit: {len(X_train)} images in {perf_counter() - start:.0f} s, {vae.n_iter_} epochs")
print(f"     nats that each latent dimension carries: {np.round(vae.latent_kl_, 1)}")

# %%
# Reduce 64 columns to 8. Is as much of the digit left as in 8 principal components?
for name, reduce in {"skvae": vae, "PCA": PCA(8).fit(X_train)}.items():
    Z_train, Z_test = reduce.transform(X_train), reduce.transform(X_test)
    accuracy = KNeighborsClassifier(5).fit(Z_train, y_train).score(Z_test, y_test)
    print(
        f"reduce: 5 nearest neighbours on 8 dimensions of {name} name {accuracy:.1%} of new digits"
    )

# %%
# Restore images from their 8 numbers, and generate new ones.
restored = vae.inverse_transform(vae.transform(X_test))
left = ((X_test - restored) ** 2).sum() / ((X_test - X_train.mean(axis=0)) ** 2).sum()
print(f"restore: {1 - left:.0%} of the variance of new images comes back")
drawn = vae.inverse_transform(vae.sample_latent(n_draws=8, random_state=0))
print(f"generate: 8 new images, pixels from {drawn.min():.2f} to {drawn.max():.2f}")

# %%
# Score: log-likelihood per image in nats. Higher is better.
shuffled = np.random.default_rng(0).permuted(X_test, axis=1)
print(
    f"score: {vae.score(X_test):.1f} nats for new images, "
    f"{vae.score(shuffled):.1f} for images with shuffled pixels"
)

# %%
# Tune: `score` makes GridSearchCV work without a `scoring`. Fits too short to end where they would
# (each of them warns of it) tell candidates apart.
short = VAETransformer(likelihood="bernoulli", max_iter=20, random_state=0)
with catch_warnings(category=ConvergenceWarning, action="ignore"):
    search = GridSearchCV(short, {"latent_dim": [2, 16]}, cv=2).fit(X_train)
print(f"tune: latent_dim={search.best_params_['latent_dim']} scores best of 2 and 16")

# %%
# A picture. On the left the latent space of a model with two dimensions, coloured by the digit that
# it was never told; on the right the images that this model makes all over it; below, images that
# the larger model never saw, and what eight numbers keep of them.
flat = VAETransformer(latent_dim=2, likelihood="bernoulli", random_state=0).fit(X_train)
figure, axes = plt.subplot_mosaic(
    "ab;cc", height_ratios=[4, 1], figsize=(11, 6.8), layout="constrained"
)
LatentSpaceDisplay.from_estimator(flat, X_train, y_train, ax=axes["a"])
ManifoldDisplay.from_estimator(flat, shape=(8, 8), ax=axes["b"])
ReconstructionDisplay.from_estimator(vae, X_test, shape=(8, 8), n=16, ax=axes["c"])
figure.savefig("first_steps.png")
print("picture: first_steps.png")
