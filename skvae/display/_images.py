"""Rows as images, and many of them in one."""

from typing import Any

import numpy as np

GAP = 1  # pixels between images, below and on the right of each


def images_of(rows: Any, shape: tuple) -> np.ndarray:
    """The rows of a frame as images, (rows, *shape)."""
    n_columns = rows.shape[1]
    if len(shape) not in (2, 3) or np.prod(shape) != n_columns:
        raise ValueError(
            f"shape={shape!r}, but a row has {n_columns} columns; give the height and width of an "
            f"image of {n_columns} numbers, and where there are colours how many."
        )
    return rows.to_numpy(float).reshape(-1, *shape)


def mosaic(images: np.ndarray) -> np.ndarray:
    """Images in rows and columns as one, with gaps, from (rows, columns, height, width, ...)."""
    gaps = [(0, 0)] * 2 + [(0, GAP)] * 2 + [(0, 0)] * (images.ndim - 4)
    images = np.pad(images, gaps, constant_values=np.nan if images.ndim == 4 else 0.5)
    rows, columns, height, width, *rest = images.shape
    return images.swapaxes(1, 2).reshape(rows * height, columns * width, *rest)


def show(ax: Any, images: np.ndarray) -> None:
    """Images in rows and columns, from (rows, columns, height, width, ...)."""
    ax.imshow(mosaic(_visible(images)), cmap="gray", interpolation="nearest")
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)


def _visible(images: np.ndarray) -> np.ndarray:
    """Images whose colours, if there are some, are shares; they may go to 255 before."""
    if images.ndim == 4:
        return images
    bright = np.nanquantile(images, 0.99, method="lower")  # restored pixels may overshoot
    return np.clip(images / (255 if bright > 1.5 else 1), 0, 1)


def centres(n: int, size: int) -> np.ndarray:
    """Where the middles of n images of so many pixels are."""
    return np.arange(n) * (size + GAP) + (size - 1) / 2


def few(n: int, most: int = 5) -> np.ndarray:
    """Some of n places, evenly spread, the first and the last among them."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int))
