"""Draws the picture of the README: digits in two principal components and in two latent dimensions.

python docs/first_screen.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier

from skvae import VAETransformer
from skvae.display import LatentSpaceDisplay

PICTURE = Path(__file__).with_name("_static") / "latent_space.png"

X, y = load_digits(return_X_y=True)
X = X / 16
vae = VAETransformer(latent_dim=2, likelihood="bernoulli", random_state=0).fit(X[:1000])
reducers = {"PCA": PCA(2).fit(X[:1000]), "skvae": vae}
figure, axes = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained")
for ax, (name, reducer) in zip(axes, reducers.items(), strict=True):
    Z = reducer.transform(X)
    known = KNeighborsClassifier(5).fit(Z[:1000], y[:1000]).score(Z[1000:], y[1000:])
    LatentSpaceDisplay(Z[1000:], y[1000:]).plot(ax)
    ax.set_title(f"{name}: 5 neighbours name {known:.0%} of the digits")
figure.savefig(PICTURE, dpi=80)
print(f"{PICTURE.name}: {PICTURE.stat().st_size // 1000} kB")
