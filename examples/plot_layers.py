"""
What if the columns are images or series?
=========================================

Images have neighbours and series have an order. An encoder or a decoder that knows it is a
function of two numbers, those of its inputs and of its outputs, that builds a Keras model.
"""

import matplotlib.pyplot as plt
import numpy as np
from keras import Sequential, layers
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skvae import VAETransformer
from skvae.display import ManifoldDisplay, NetworkDisplay, ReconstructionDisplay

# %%
# Convolutions
# ------------
# Handwritten digits, 8 x 8 pixels with 17 grey values. A row of the table is an image.


def convolutional_encoder(n_inputs, n_outputs):
    return Sequential(
        [
            layers.Reshape((8, 8, 1)),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.Conv2D(32, 3, strides=2, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(n_outputs),
        ]
    )


def convolutional_decoder(n_inputs, n_outputs):
    return Sequential(
        [
            layers.Dense(4 * 4 * 32, activation="relu"),
            layers.Reshape((4, 4, 32)),
            layers.Conv2DTranspose(16, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2D(1, 3, padding="same"),
            layers.Flatten(),  # 64 numbers: one for each pixel
        ]
    )


images, held_out = train_test_split(load_digits().data / 16, random_state=0)
settings = {"latent_dim": 8, "likelihood": "bernoulli", "max_iter": 20, "early_stopping": False}
dense = VAETransformer(**settings, random_state=0).fit(images)
convolutional = VAETransformer(
    **settings,
    encoder=convolutional_encoder,
    decoder=convolutional_decoder,
    learning_rate=5e-3,
    random_state=0,
).fit(images)

for name, vae in {"dense": dense, "convolutional": convolutional}.items():
    n_weights = vae.encoder_.count_params() + vae.decoder_.count_params()
    print(
        f"digits, {name:13}: {vae.score(held_out):.2f} nats per held-out image, {n_weights} weights"
    )

# %%
# The networks, and what they keep of new images.
_ = NetworkDisplay.from_estimator(convolutional)

# %%
_ = ReconstructionDisplay.from_estimator(convolutional, held_out, shape=(8, 8), n=12)

# %%
# Recurrence
# ----------
# Waves of 40 time steps with an amplitude, a frequency and a phase of their own, and noise. The
# last 15 steps are missing in the rows to be restored: the model continues them.


def recurrent_encoder(n_inputs, n_outputs):
    # with holes in the table, the second half of the inputs says where they are
    return Sequential(
        [
            layers.Reshape((2, n_inputs // 2)),
            layers.Permute((2, 1)),
            layers.Bidirectional(layers.GRU(32)),
            layers.Dense(n_outputs),
        ]
    )


def recurrent_decoder(n_inputs, n_outputs):
    return Sequential(
        [
            layers.Dense(32, activation="tanh"),
            layers.RepeatVector(n_outputs),
            layers.GRU(32, return_sequences=True),
            layers.Dense(1),
            layers.Flatten(),
        ]
    )


rng = np.random.default_rng(0)
time = np.arange(40)
amplitude, frequency, phase = (
    rng.uniform(*limits, (1200, 1)) for limits in ((0.5, 2), (0.1, 0.4), (0, 2 * np.pi))
)
truth = amplitude * np.sin(frequency * time + phase)
waves = truth + 0.1 * rng.normal(size=truth.shape)
cut = waves[:200].copy()
cut[:, 25:] = np.nan

recurrent = VAETransformer(
    4,
    likelihood="gaussian",
    encoder=recurrent_encoder,
    decoder=recurrent_decoder,
    hide=0.2,
    max_iter=20,
    early_stopping=False,
    learning_rate=5e-3,
    random_state=0,
).fit(waves[200:])
continued = recurrent.impute(cut)
error = np.sqrt(np.mean((continued - truth[:200])[:, 25:] ** 2))
print(
    f"waves continued by 15 steps: error {error:.2f}, "
    f"standard deviation of the truth {truth[:200, 25:].std():.2f}"
)

# %%
# Three waves: given on the left of the line, continued on its right.
figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
for i, color in enumerate(["C0", "C1", "C2"]):
    axes.plot(time, waves[i] + 4 * i, ".", color=color, alpha=0.4)
    axes.plot(time[25:], continued[i, 25:] + 4 * i, color=color)
axes.axvline(24.5, color="gray", linestyle=":")
axes.set(xlabel="time step", yticks=[])

# %%
# Waves along the two latent dimensions that carry most. `draw` tells how a row is drawn.
dims = recurrent.latent_kl_.argsort()[:-3:-1]
_ = ManifoldDisplay.from_estimator(
    recurrent, n=7, dims=dims, draw=lambda ax, row: ax.plot(row, linewidth=1)
)
plt.show()
