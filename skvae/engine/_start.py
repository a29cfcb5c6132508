"""The program that fits an encoder and a decoder to an embedding."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import tensorflow as tf

from skvae.engine._gradient import State, clipped
from skvae.engine._optimizer import adam
from skvae.engine._program import vectors
from skvae.engine._training import CLIP
from skvae.model import Architecture, Inference

START_ROWS, START_STEPS, START_BATCH = 2000, 2000, 128
START_SCALE = 0.1  # of q(z | x) around the embedding, whose dimensions have the scale 1


@lru_cache(maxsize=8)
def compiled_start(architecture: Architecture, xla: bool) -> Callable:
    """The program that fits an encoder and a decoder to an embedding: all steps in one call."""
    network, layout = architecture
    n_weights = layout.weights.size
    steps = adam(n_weights)

    def mean_loss(vector, constants, x, z, noise):
        w = layout.read(vector, constants)
        drawn, log_q = network.posterior.sample(
            w["posterior"], network.encode(w, x, Inference()), noise[None]
        )
        away = tf.reduce_sum(((drawn - z) / START_SCALE) ** 2, axis=-1)
        return tf.reduce_mean(log_q + 0.5 * away - network.log_likelihood(w, x, drawn, Inference()))

    d = network.latent_dim
    signature = [
        *vectors(architecture),
        tf.TensorSpec([START_ROWS, network.n_cells]),
        tf.TensorSpec([START_ROWS, d]),
        tf.TensorSpec([START_STEPS, START_BATCH], tf.int32),
        tf.TensorSpec([START_STEPS, START_BATCH, d]),
        tf.TensorSpec([START_STEPS]),
    ]

    @tf.function(autograph=False, jit_compile=xla, input_signature=signature)
    def run(weights, constants, x, z, order, noise, rates):
        def step(i, state):
            with tf.GradientTape() as tape:
                tape.watch(state.weights)
                loss = mean_loss(
                    state.weights,
                    constants,
                    tf.gather(x, order[i]),
                    tf.gather(z, order[i]),
                    noise[i],
                )
            (gradient,) = clipped([tape.gradient(loss, state.weights)], CLIP * network.n_cells**0.5)
            return i + 1, State(*steps.update(*state, gradient, rates[i]))

        start = (
            tf.constant(0),
            State(weights, steps.start(np.zeros(n_weights, np.float32))),
        )
        return tf.while_loop(lambda i, _: i < START_STEPS, step, start, parallel_iterations=1)[
            1
        ].weights

    return run
