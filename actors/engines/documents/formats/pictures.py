"""The pixels of a PNG or JPEG in grey, decoded by PDFium, which takes both as the picture of a page.

Pictures with transparency, interlaced ones, and those in CMYK are left to Tesseract's own decoder.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

_MOST_PIXELS = 25_000_000
"""An A4 page at 500 dpi; more of them in memory would leave Tesseract too little."""
_COLOURS = {1: b"/DeviceGray", 3: b"/DeviceRGB"}
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1}
"""By colour type, PNG (W3C) section 11.2.2: grey, true colour, palette."""


def grey_pixels(image: bytes, media_type: str) -> tuple[bytes, int, int] | None:
    """One byte a pixel, width and height; `None` for a picture that is of another kind, or broken."""
    try:
        described = _png(image) if media_type == "image/png" else _jpeg(image) if media_type == "image/jpeg" else None
        return _drawn(*described) if described and 0 < described[2] * described[3] <= _MOST_PIXELS else None
    except (struct.error, IndexError, pypdfium2.PdfiumError):
        return None


def _png(image: bytes) -> tuple[bytes, bytes, int, int] | None:
    chunks = list(_png_chunks(image))
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[0][1][:13])
    if colour not in _PNG_CHANNELS or interlaced:
        return None
    palette = b"".join(data for kind, data in chunks if kind == b"PLTE")
    space = b"[/Indexed /DeviceRGB %d <%s>]" % (len(palette) // 3 - 1, palette.hex().encode())
    if colour != 3:
        space = _COLOURS[_PNG_CHANNELS[colour]]
    rows = b"/Predictor 15 /Colors %d /BitsPerComponent %d /Columns %d" % (_PNG_CHANNELS[colour], depth, width)
    entries = b"/BitsPerComponent %d /ColorSpace %s /Filter /FlateDecode /DecodeParms << %s >>" % (depth, space, rows)
    return b"".join(data for kind, data in chunks if kind == b"IDAT"), entries, width, height


def _png_chunks(image: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at + 8 <= len(image):
        (size,) = struct.unpack_from(">I", image, at)
        yield image[at + 4 : at + 8], image[at + 8 : at + 8 + size]
        at += 12 + size


def _jpeg(image: bytes) -> tuple[bytes, bytes, int, int] | None:
    at = 2
    while image[at] == 0xFF:
        marker = image[at + 1]
        (size,) = struct.unpack_from(">H", image, at + 2)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width, components = struct.unpack_from(">HHB", image, at + 5)
            if components not in _COLOURS:
                return None
            entries = b"/BitsPerComponent 8 /ColorSpace %s /Filter /DCTDecode" % _COLOURS[components]
            return image, entries, width, height
        at += 2 + size
    return None


def _drawn(data: bytes, entries: bytes, width: int, height: int) -> tuple[bytes, int, int]:
    document = pypdfium2.PdfDocument(_page_of(data, entries, width, height))
    try:
        page = document[0]
        bitmap: Any = pypdfium2.PdfBitmap.new_native(width, height, pdfium.FPDFBitmap_Gray)
        bitmap.fill_rect((255, 255, 255, 255), 0, 0, width, height)
        pdfium.FPDF_RenderPageBitmap(bitmap, page, 0, 0, width, height, 0, pdfium.FPDF_GRAYSCALE)
        raw, stride = bytes(bitmap.buffer), bitmap.stride
        bitmap.close()
        return b"".join(raw[y * stride : y * stride + width] for y in range(height)), width, height
    finally:
        document.close()


def _page_of(data: bytes, entries: bytes, width: int, height: int) -> bytes:
    """A PDF of one page that shows the picture, a point a pixel. PDFium rebuilds the missing table of offsets."""
    picture = b"/Type /XObject /Subtype /Image /Width %d /Height %d %s" % (width, height, entries)
    shown = b"q %d 0 0 %d 0 0 cm /I Do Q" % (width, height)
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] /Contents 4 0 R" % (width, height)
        + b" /Resources << /XObject << /I 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(shown), shown),
        b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(data), picture, data),
    )
    numbered = (b"%d 0 obj\n%s\nendobj\n" % (number, body) for number, body in enumerate(objects, 1))
    return b"%PDF-1.7\n" + b"".join(numbered) + b"trailer\n<< /Size 6 /Root 1 0 R >>\n%%EOF\n"
