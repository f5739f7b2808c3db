"""Scans that lie aslant: how far they do is measured, their lines are made level, and their text is read."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest

from actors.engines.documents.formats import ocr
from actors.engines.documents.formats.pictures import grey_pixels
from actors.engines.documents.formats.straightening import Grey, slant, straightened
from tests.unit.documents import builders
from tests.unit.documents.conftest import Analyze

LINE = "Certifico e dou fe que o autor compareceu em juizo no dia marcado."
TEXT = "\n".join(f"{number}. {LINE}" for number in range(1, 9))

needs_ocr = pytest.mark.skipif(not ocr.available(), reason=f"no OCR here: {ocr.UNAVAILABLE}")


def page(degrees: float, dpi: int = 150) -> Grey:
    """TEXT as a page that was turned by so much, clockwise, about its middle."""
    width, height, pixels = builders.grey_pixels(TEXT, dpi)
    level = np.frombuffer(pixels, np.uint8).reshape(height, width)
    turn = np.radians(degrees)
    y, x = np.mgrid[:height, :width]
    x, y = x - width / 2, y - height / 2
    column = np.rint(np.cos(turn) * x + np.sin(turn) * y + width / 2).astype(int)
    row = np.rint(np.cos(turn) * y - np.sin(turn) * x + height / 2).astype(int)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    turned = level[row.clip(0, height - 1), column.clip(0, width - 1)]
    return np.where(inside, turned, 255).astype(np.uint8)


BUILDERS: dict[str, Callable[[tuple[int, int, bytes]], bytes]] = {
    "pdf": builders.pdf_of_pictures,
    "png": lambda scan: builders.png(*scan),
    "jpeg": lambda scan: builders.jpeg(*scan),
}


def sized(turned: Grey) -> tuple[int, int, bytes]:
    return turned.shape[1], turned.shape[0], turned.tobytes()


@pytest.mark.parametrize("degrees", [-4.0, -1.5, -0.5, 0.0, 0.5, 2.0, 4.5])
def test_how_far_a_page_lies_aslant_is_measured(degrees: float) -> None:
    assert slant(page(degrees)) == pytest.approx(degrees, abs=0.26)


def test_a_level_page_is_left_as_it_is() -> None:
    width, height, pixels = sized(page(0))

    assert straightened(pixels, width, height) is None


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (300, 300)])
def test_a_picture_without_lines_is_left_as_it_is(size: tuple[int, int]) -> None:
    width, height = size

    assert straightened(b"\xff" * width * height, width, height) is None


def test_a_straightened_page_is_level() -> None:
    width, height, pixels = sized(page(3))

    level = straightened(pixels, width, height)

    assert level is not None
    assert slant(np.frombuffer(level, np.uint8).reshape(height, width)) == 0
    assert len(level) == len(pixels)


@needs_ocr
@pytest.mark.parametrize("degrees", [-3.0, 2.0])
@pytest.mark.parametrize("kind", BUILDERS)
def test_a_page_scanned_aslant_is_read(analyze: Analyze, kind: str, degrees: float) -> None:
    turned = sized(page(degrees, dpi=200))
    data = BUILDERS[kind](turned)

    words = analyze(data).text.split()

    wanted = TEXT.split()
    assert sum(min(words.count(word), wanted.count(word)) for word in set(wanted)) / len(wanted) >= 0.95


def png(colour: int, depth: int, rows: Grey, interlaced: int = 0) -> bytes:
    height, width = rows.shape[0], rows.shape[1] * 8 // depth // {0: 1, 2: 3, 3: 1, 6: 4}[colour]
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    palette = [(b"PLTE", bytes(level for grey in range(256) for level in (grey, grey, grey)))] if colour == 3 else []
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    chunks = (b"IHDR", header), *palette, (b"IDAT", data), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(builders.chunk(*named) for named in chunks)


GREY = np.arange(64 * 48, dtype=np.uint32).reshape(48, 64).astype(np.uint8)


@pytest.mark.parametrize(
    ("data", "off_by"),
    [
        (png(0, 8, GREY), 0),
        (png(2, 8, np.repeat(GREY, 3, axis=1)), 1),
        (png(3, 8, GREY), 1),
        (png(0, 16, np.repeat(GREY, 2, axis=1)), 1),
    ],
    ids=["grey", "colour", "palette", "16 bits"],
)
def test_the_pixels_of_a_png_are_had(data: bytes, off_by: int) -> None:
    drawn = grey_pixels(data, "image/png")

    assert drawn is not None
    pixels, width, height = drawn
    assert (width, height) == (64, 48)
    assert np.abs(np.frombuffer(pixels, np.uint8).reshape(48, 64).astype(int) - GREY).max() <= off_by


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (png(6, 8, np.repeat(GREY, 4, axis=1)), "image/png"),
        (png(0, 8, GREY, interlaced=1), "image/png"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (builders.png(30_000, 30_000, bytes(30_000)), "image/png"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "image/jpeg"),
        (builders.tiff((8, 8, bytes(64))), "image/tiff"),
    ],
    ids=["transparent", "interlaced", "cut off", "huge", "no frame", "tiff"],
)
def test_pixels_that_can_not_be_had_are_left_to_tesseract(data: bytes, media_type: str) -> None:
    assert grey_pixels(data, media_type) is None
