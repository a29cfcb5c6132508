"""
Where do the digits of MNIST lie?
=================================

The same three pictures as of the small digits, on 15,000 images of 28 x 28 pixels. The files of
MNIST are looked for in `mnist`, in the folder that the environment variable SKVAE_DATA names.
"""

import gzip
import os
from pathlib import Path
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np

from skvae import VAETransformer
from skvae.display import LatentSpaceDisplay, LossCurveDisplay, ManifoldDisplay


def mnist(name, header, n):
    """The first n images or labels of a file: bytes after a header."""
    content = gzip.decompress((Path(os.environ["SKVAE_DATA"]) / "mnist" / name).read_bytes())
    return np.frombuffer(content, np.uint8, offset=header)[: n * (784 if header == 16 else 1)]


n = 15_000
X = mnist("train-images-idx3-ubyte.gz", 16, n).reshape(n, 784) / np.float32(255)
y = mnist("train-labels-idx1-ubyte.gz", 8, n)

# %%
# Fit two latent dimensions in a few epochs. It warns of pixels at the rim, in which one image alone
# has much ink.
start = perf_counter()
vae = VAETransformer(2, likelihood="bernoulli", max_iter=15, early_stopping=False, random_state=0)
vae.fit(X)
print(f"{vae.n_iter_} epochs in {perf_counter() - start:.0f} s")

# %%
# The loss and its two terms.
_ = LossCurveDisplay.from_estimator(vae)

# %%
# Each image is a point. The model was not told which digit it is.
_ = LatentSpaceDisplay.from_estimator(vae, X[:5000], y[:5000])

# %%
# The images of 15 x 15 points, at the quantiles of the prior.
_ = ManifoldDisplay.from_estimator(vae, n=15, shape=(28, 28))
plt.show()
