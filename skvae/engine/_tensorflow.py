"""TensorFlow, which starts here: no other file imports it."""

from skvae._quiet import quiet

with quiet():
    import tensorflow as tf

__all__ = ["tf"]
