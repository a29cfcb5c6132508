"""Fit time, time per step and held-out bound, beside Keras and scikit-learn, in one run.

    python benchmarks/bench_fit.py [--json FILE] [digits] [mnist] [bounds]

Each part is one table. `keras.Model.fit` trains the textbook VAE (Dense and Dropout layers,
reparameterised Gaussian latent, Adam) with the same layers, likelihood, batch size, learning
rate and number of epochs; `MLPRegressor` trains an auto-encoder of the same layer sizes. Both
sides of every time have been warmed up: the first fit, with import-time and tracing costs, is
its own column. Bounds are one-draw ELBOs of the same held-out rows. Only skvae stops early
where a row says so.

MNIST comes from the folder named by SKVAE_DATA, else from OpenML.
"""

import argparse
import gzip
import json
import os
import time
import warnings
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from keras import ops
from machine import machine
from sklearn.datasets import fetch_openml, load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import KFold, cross_val_score, train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skvae import VAETransformer

# The textbook VAE -----------------------------------------------------------------------


class Sampling(keras.layers.Layer):
    """z = mean + scale * noise, with the KL term as a loss."""

    def __init__(self):
        super().__init__()
        self.seed = keras.random.SeedGenerator(0)

    def call(self, raw):
        mean, log_variance = ops.split(raw, 2, axis=-1)
        kl = 0.5 * ops.sum(ops.square(mean) + ops.exp(log_variance) - 1 - log_variance, axis=-1)
        self.add_loss(ops.mean(kl))
        noise = keras.random.normal(ops.shape(mean), seed=self.seed)
        return mean + ops.exp(0.5 * log_variance) * noise


def bernoulli_loss(x, logits):
    return ops.sum(ops.softplus(logits) - x * logits, axis=-1)


class GaussianLoss(keras.layers.Layer):
    """Adds the negative log-likelihood of a normal with a learned scale per feature as a loss."""

    def build(self, shape):
        self.log_scale = self.add_weight(shape=(shape[0][-1],), initializer="zeros")

    def call(self, inputs):
        x, mean = inputs
        residual = (x - mean) * ops.exp(-self.log_scale)
        nll = 0.5 * ops.square(residual) + self.log_scale + 0.5 * np.log(2 * np.pi)
        self.add_loss(ops.mean(ops.sum(nll, axis=-1)))
        return mean


def textbook_vae(n_features, hidden, latent_dim, dropout, likelihood, learning_rate):
    x = h = keras.Input((n_features,))
    for units in hidden:
        h = keras.layers.Dense(units, "relu")(h)
        h = keras.layers.Dropout(dropout)(h) if dropout else h
    h = Sampling()(keras.layers.Dense(2 * latent_dim)(h))
    for units in reversed(hidden):
        h = keras.layers.Dense(units, "relu")(h)
        h = keras.layers.Dropout(dropout)(h) if dropout else h
    out = keras.layers.Dense(n_features)(h)
    if likelihood == "gaussian":
        out = GaussianLoss()([x, out])
    model = keras.Model(x, out)
    model.compile(
        keras.optimizers.Adam(learning_rate), bernoulli_loss if likelihood == "bernoulli" else None
    )
    return model


# What is measured -----------------------------------------------------------------------


def timed(function):
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def negative_elbo(vae, X):
    """One-draw negative ELBO per row, in nats, with beta = 1."""
    return -vae.score_samples(X, n_draws=1).mean()  # with one draw the bound is the ELBO


EARLY = {"skvae, early stopping": {}}


def compare_fits(
    name, X, X_test, own, *, latent_dim, hidden, dropout, likelihood, batch_size, epochs
):
    """One table row for each way to train the same architecture for the same epochs.

    `own` are settings of skvae alone, by the names of their rows.
    """
    n_steps = epochs * -(-len(X) // batch_size)
    settings = {
        "hidden_layer_sizes": hidden,
        "dropout": dropout,
        "likelihood": likelihood,
        "batch_size": batch_size,
        "max_iter": epochs,
        "learning_rate": 1e-3,
    }

    def fit_skvae(seed):
        return VAETransformer(latent_dim, **settings, early_stopping=False, random_state=seed).fit(
            X
        )

    def fit_keras(seed):
        keras.utils.set_random_seed(seed)
        model = textbook_vae(X.shape[1], hidden, latent_dim, dropout, likelihood, 1e-3)
        model.fit(
            X,
            X if likelihood == "bernoulli" else None,
            batch_size=batch_size,
            epochs=epochs,
            verbose=0,
        )
        return model

    def fit_mlp(seed):
        layers = (*hidden, latent_dim, *reversed(hidden))
        mlp = MLPRegressor(hidden_layer_sizes=layers, batch_size=batch_size, max_iter=epochs, tol=0,
                           n_iter_no_change=epochs, random_state=seed)  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return mlp.fit(X, X)

    rows = {}
    for label, fit in {
        "skvae": fit_skvae,
        "keras.Model.fit": fit_keras,
        "MLPRegressor": fit_mlp,
    }.items():
        first, _ = timed(lambda fit=fit: fit(0))
        second, model = timed(lambda fit=fit: fit(1))
        loss = None
        if label == "skvae":
            loss = negative_elbo(model, X_test)
        elif label == "keras.Model.fit":
            loss = float(
                model.evaluate(X_test, X_test if likelihood == "bernoulli" else None, verbose=0)
            )
        rows[label] = {
            "first fit s": first,
            "second fit s": second,
            "ms per step": 1e3 * second / n_steps,
            "held-out loss": loss,
        }
    for label, others in own.items():
        vae = VAETransformer(latent_dim, random_state=1).set_params(**(settings | others))
        first, _ = timed(lambda vae=vae: vae.fit(X))
        second, _ = timed(lambda vae=vae: vae.fit(X))
        rows[label] = {
            "first fit s": first,
            "second fit s": second,
            "ms per step": None,
            "held-out loss": negative_elbo(vae, X_test),
        }
    show(
        f"{name}: {X.shape[0]} x {X.shape[1]}, hidden {hidden}, latent {latent_dim}, "
        f"dropout {dropout}, {likelihood}, batch {batch_size}, {epochs} epochs",
        rows,
    )
    return rows


def digits():
    X, y = load_digits(return_X_y=True)
    X, X_test = train_test_split(X, random_state=0)
    scaler = StandardScaler().fit(X)
    Z, Z_test = scaler.transform(X), scaler.transform(X_test)
    rows = compare_fits(
        "digits, standardised",
        Z,
        Z_test,
        EARLY
        | {
            "skvae, early_stopping=False, likelihood='auto'": {
                "early_stopping": False,
                "likelihood": "auto",
            }
        },
        latent_dim=8,
        hidden=(256, 128),
        dropout=0.0,
        likelihood="gaussian",
        batch_size=64,
        epochs=100,
    )
    X, y = load_digits(return_X_y=True)
    cv = KFold(5, shuffle=True, random_state=0)
    accuracy = {
        label: {
            "accuracy": cross_val_score(
                make_pipeline(StandardScaler(), reduce, KNeighborsClassifier(5)), X, y, cv=cv
            ).mean()
        }
        for label, reduce in {
            "skvae, defaults": VAETransformer(8, random_state=0),
            "PCA": PCA(8),
        }.items()
    }
    show("digits: 5 nearest neighbours on 8 dimensions, mean of 5 folds", accuracy)
    return {"fits": rows, "accuracy": accuracy}


def mnist():
    X, X_test = load_mnist()
    return compare_fits(
        "MNIST",
        X,
        X_test,
        EARLY,
        latent_dim=2,
        hidden=(256,),
        dropout=0.2,
        likelihood="bernoulli",
        batch_size=100,
        epochs=10,
    )


def bounds():
    """The held-out bounds that the first 50 epochs on MNIST reach."""
    X, X_test = load_mnist()
    rows = {}
    for label, parameters in {
        "256, dropout 0.2, batch 100": {
            "hidden_layer_sizes": 256,
            "dropout": 0.2,
            "batch_size": 100,
        },
        "defaults": {},
    }.items():
        vae = VAETransformer(2, likelihood="bernoulli", max_iter=50, random_state=0, **parameters)
        seconds, _ = timed(lambda vae=vae: vae.fit(X))
        rows[label] = {
            "fit s": seconds,
            "epochs": vae.n_iter_,
            "held-out loss": negative_elbo(vae, X_test),
        }
    show(
        "MNIST: skvae with early stopping, at most 50 epochs, latent 2, Bernoulli on grey values",
        rows,
    )
    return rows


# Data and tables ------------------------------------------------------------------------


def load_mnist():
    folder = os.environ.get("SKVAE_DATA")
    if folder:
        files = (
            Path(folder, "mnist", f"{part}-images-idx3-ubyte.gz") for part in ("train", "t10k")
        )
        bytes_ = (gzip.decompress(file.read_bytes()) for file in files)
        X, X_test = (
            np.frombuffer(images, np.uint8, offset=16).reshape(-1, 784) for images in bytes_
        )
    else:
        images = fetch_openml("mnist_784", as_frame=False).data
        X, X_test = images[:60_000], images[60_000:]
    return (X / 255).astype(np.float32), (X_test / 255).astype(np.float32)


def show(title, rows):
    columns = list(next(iter(rows.values())))
    print(f"\n{title}\n\n| | {' | '.join(columns)} |\n|{' --- |' * (len(columns) + 1)}")
    for label, row in rows.items():
        cells = ["-" if row[column] is None else f"{row[column]:.4g}" for column in columns]
        print(f"| {label} | {' | '.join(cells)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", default=["digits", "mnist", "bounds"])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    print(f"{machine()}, Keras {keras.__version__}")
    known = {"digits": digits, "mnist": mnist, "bounds": bounds}
    results = {part: known[part]() for part in arguments.parts}
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
