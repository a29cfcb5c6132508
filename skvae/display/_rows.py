"""What pictures of rows share: images, or a panel for each column."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from skvae.display._draw import panels
from skvae.display._images import images_of


class RowsDisplay(ABC):
    """Rows as images where they have a shape, else with panels for columns."""

    shape: tuple | None

    def plot(self, ax=None):
        """Draw the rows.

        Parameters
        ----------
        ax : Axes, default=None
            Whose place is divided into panels. None makes a figure.

        Returns
        -------
        display
            Itself.
        """
        drawn = self._draw_columns(ax) if self.shape is None else self._draw_images(ax)
        self.axes_ = np.array(drawn)
        self.ax_ = self.axes_.flat[0]
        self.figure_ = self.ax_.figure
        return self

    @abstractmethod
    def _draw_columns(self, ax: Any) -> Any:
        """Draw panels for columns, and give them back."""

    @abstractmethod
    def _draw_images(self, ax: Any) -> Any:
        """Draw one panel of images, and give it back in a list."""

    def _image_panel(self, ax: Any, grid: tuple, width: float, more: tuple) -> Any:
        """A panel in which a grid of images fits, of so many inches and some more around."""
        tall = self.shape[0] * grid[0] / (self.shape[1] * grid[1])
        return panels(ax, (1, 1), (width + more[0], width * tall + more[1]))[0, 0]

    def _images(self, tables: list) -> np.ndarray:
        """Images of several tables, (tables, rows, *shape)."""
        return np.stack([images_of(rows, self.shape) for rows in tables])
