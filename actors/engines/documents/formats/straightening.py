"""Makes the lines of a scanned page level: at two or three degrees Tesseract loses lines, or the whole page.

It knows small angles only; pages on their side or upside down are Tesseract's own affair (its page mode 1).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_STRIPS = 48
_STEEPEST, _STEP = 5.0, 0.25
"""Degrees."""
_LEAST = 0.3
_SHARPER = 1.1
"""How much sharper the lines must be at an angle than as they are; pictures and blank pages have none."""
_INK = 160

Grey = NDArray[np.uint8]


def straightened(pixels: bytes, width: int, height: int) -> bytes | None:
    """The page (one byte a pixel) with its lines level; `None` where they are, or where there are none."""
    page = np.frombuffer(pixels, np.uint8).reshape(height, width)
    angle = slant(page)
    return None if abs(angle) < _LEAST else _sheared(page, angle).tobytes()


def slant(page: Grey) -> float:
    """How many degrees the lines of text fall from left to right, 0 if nothing says so.

    The rows of a page of level text alternate between ink and none; at the right angle this is sharpest."""
    ink = np.stack([(page[:, columns] < _INK).sum(axis=1) for columns in _strips(page.shape[1])]).astype(np.float64)
    angles = np.arange(-_STEEPEST, _STEEPEST + _STEP, _STEP)
    sharpness = [_sharpness(ink, _shifts(page.shape[1], angle)) for angle in angles]
    best = int(np.argmax(sharpness))
    level = _sharpness(ink, _shifts(page.shape[1], 0.0))
    return float(angles[best]) if sharpness[best] > _SHARPER * level else 0.0


def _strips(width: int) -> Iterator[slice]:
    edges = [width * number // _STRIPS for number in range(_STRIPS + 1)]
    return (slice(start, end) for start, end in itertools.pairwise(edges))


def _shifts(width: int, angle: float) -> list[int]:
    """How many pixels each strip lies too low."""
    middles = ((strip.start + strip.stop - width) / 2 for strip in _strips(width))
    return [round(middle * float(np.tan(np.radians(angle)))) for middle in middles]


def _sharpness(ink: NDArray[np.float64], shifts: list[int]) -> float:
    rows = np.zeros(ink.shape[1])
    for strip, shift in zip(ink, shifts, strict=True):
        rows += np.roll(strip, -shift)
    return float((np.diff(rows) ** 2).sum())


def _sheared(page: Grey, angle: float) -> Grey:
    """Each column moved up or down: for a small angle as good as a rotation, and without a blur."""
    height, width = page.shape
    level = np.full_like(page, 255)
    columns = np.arange(width)
    shifts = np.rint((columns - width / 2) * np.tan(np.radians(angle))).astype(int)
    for shift in np.unique(shifts):
        moved = columns[shifts == shift]
        source = slice(max(0, shift), height + min(0, shift))
        target = slice(max(0, -shift), height + min(0, -shift))
        level[target, moved[0] : moved[-1] + 1] = page[source, moved[0] : moved[-1] + 1]
    return level
