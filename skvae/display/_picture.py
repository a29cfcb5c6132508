"""What pictures leave, and what those of rows share: images, or a panel for each column."""

from abc import ABC
from typing import Any

import numpy as np

from skvae.display._draw import panels
from skvae.display._images import images_of


class Picture(ABC):
    """What is left of a picture: its panels, the first of them, and the figure."""

    axes_: np.ndarray

    @property
    def ax_(self) -> Any:
        """The first panel.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from skvae.display import OutlierDisplay
        >>> display = OutlierDisplay(["age = 3"], [7.5], -4.0, 12).plot()
        >>> display.ax_.get_xlabel()
        'nats above what is usual'
        >>> plt.close(display.figure_)
        """
        return self.axes_.flat[0]

    @property
    def figure_(self) -> Any:
        """The figure.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from skvae.display import OutlierDisplay
        >>> display = OutlierDisplay(["age = 3"], [7.5], -4.0, 12).plot()
        >>> display.figure_.set_facecolor("white")
        >>> plt.close(display.figure_)
        """
        return self.ax_.figure


class RowsDisplay(Picture):
    """Rows as images where they have a shape, else with panels for columns.

    A display has `_draw_images` and `_draw_columns`, which give back the panels that they drew.
    """

    shape: Any  # of an image; None of other rows

    def _image_panel(self, ax: Any, grid: tuple, width: float, more: tuple) -> Any:
        """A panel in which a grid of images fits, of so many inches and some more around."""
        tall = self.shape[0] * grid[0] / (self.shape[1] * grid[1])
        return panels(ax, (1, 1), (width + more[0], width * tall + more[1]))[0, 0]

    def _images(self, tables: list) -> np.ndarray:
        """Images of several tables, (tables, rows, *shape)."""
        return np.stack([images_of(rows, self.shape) for rows in tables])
