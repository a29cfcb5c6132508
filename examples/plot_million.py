"""
How long do a million rows take?
================================

A million rows of six columns, in float32. Memory is that of the whole process, at its largest.
"""

import resource
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np

from skvae import VAETransformer
from skvae.display import LatentSpaceDisplay


def gigabytes():
    """The most memory that this process has had so far (on Linux)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


rng = np.random.default_rng(0)
hidden = rng.normal(size=(1_000_000, 2)).astype(np.float32)
waves = np.sin(hidden @ rng.normal(size=(2, 6)).astype(np.float32))
X = waves + rng.normal(0, 0.1, waves.shape).astype(np.float32)
print(f"{X.shape[0]:,} rows, {X.nbytes / 1e6:.0f} MB")

# %%
# One epoch: thousands of steps, for so many rows.
vae = VAETransformer(2, max_iter=1, early_stopping=False, random_state=0)
before, start = gigabytes(), perf_counter()
vae.fit(X)
print(f"fit: {perf_counter() - start:.0f} s, {vae.n_iter_} epoch")
print(f"memory: {before:.1f} GB before, {gigabytes():.1f} GB at the most")

# %%
# The rest goes over blocks of rows.
start = perf_counter()
Z = vae.transform(X)
print(f"transform: {perf_counter() - start:.0f} s")
start = perf_counter()
drawn = vae.sample(1_000_000, random_state=0)
print(f"sample: {perf_counter() - start:.0f} s for a million new rows")
print("spread of columns, of the table:", X.std(axis=0).round(2))
print("                   of new rows:", drawn.std(axis=0).round(2))

# %%
# Did it find what is behind the columns? Rows coloured by one of the two hidden numbers.
_ = LatentSpaceDisplay.from_estimator(vae, X[:3000], hidden[:3000, 0])
plt.show()
