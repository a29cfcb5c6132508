"""Arrays that a program changes where they are, for as long as it runs."""

from typing import Any

from skvae.engine._tensorflow import tf

raw = tf.raw_ops
# TensorFlow makes a name of its own of it, and frees the array after its last use
ANONYMOUS = "cd2c89b7-88b7-44c8-ad83-06c2a9158347"


class Variable:
    """An array that starts as another one."""

    def __init__(self, start: Any):
        self.dtype = start.dtype
        self.handle = raw.VarHandleOp(dtype=start.dtype, shape=start.shape, shared_name=ANONYMOUS)
        self.assign(start)

    def assign(self, value: Any) -> None:
        """Give it other numbers."""
        raw.AssignVariableOp(resource=self.handle, value=value)

    def add(self, value: Any) -> None:
        """Add numbers to it."""
        raw.AssignAddVariableOp(resource=self.handle, value=value)

    def read(self) -> Any:
        """Its numbers of now."""
        return raw.ReadVariableOp(resource=self.handle, dtype=self.dtype)


def apply_adam(
    variables: list[Variable], gradient: Any, rate: Any, betas: tuple, epsilon: float, t: Any
) -> None:
    """Step t of Adam, in one pass over weights and both running means."""
    w, m, v = (variable.handle for variable in variables)
    own = {f"beta{i}": beta for i, beta in enumerate(betas, 1)}
    powers = {f"{name}_power": beta**t for name, beta in own.items()}
    raw.ResourceApplyAdam(var=w, m=m, v=v, lr=rate, epsilon=epsilon, grad=gradient, **own, **powers)
