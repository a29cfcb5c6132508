"""
Where do the digits lie?
========================

The three pictures that tutorials of the Variational Auto-Encoder end with, on the handwritten
digits of scikit-learn: the loss, two latent dimensions coloured by digit, and images along them.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits

from skvae import VAETransformer
from skvae.display import LatentSpaceDisplay, LossCurveDisplay, ManifoldDisplay

X, y = load_digits(return_X_y=True, as_frame=True)
vae = VAETransformer(latent_dim=2, likelihood="bernoulli", random_state=0).fit(X / 16)
print(f"{vae.n_iter_} epochs, {vae.score(X / 16):.2f} nats per image")

# %%
# The loss of training images and of those held out, and its two terms.
_ = LossCurveDisplay.from_estimator(vae)

# %%
# Each image is a point. The model was not told which digit it is.
_ = LatentSpaceDisplay.from_estimator(vae, X / 16, y)

# %%
# The decoder makes an image of each point: here of 15 x 15, at the quantiles of the prior.
_ = ManifoldDisplay.from_estimator(vae, n=15, shape=(8, 8))
plt.show()
