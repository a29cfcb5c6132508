from skvae import likelihoods
from skvae._component import known


def automatic(kind: str) -> "likelihoods.Likelihood":
    """The likelihood that "auto" gives a column: by the kind of its dtype, never by its values."""
    classes = known(likelihoods.Likelihood, likelihoods).values()
    return next(cls() for cls in classes if kind in cls.auto_for)
