"""TensorFlow, which starts here: no other file imports it."""

import os

from skvae._quiet import quiet

# Of a GPU's memory it takes what it needs, in place of all, unless the user asks for that.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
with quiet():
    import tensorflow as tf

__all__ = ["tf"]
