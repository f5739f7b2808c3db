"""PDF, page by page, with PDFium. A page of text is read as text; only a page without any is drawn and read by OCR.

Deciding by page matters: one scanned annex must not send a hundred good pages to OCR, nor be skipped among them.
"""

from __future__ import annotations

import ctypes
import math
import time
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from actors.engines.documents.errors import UnreadableError
from actors.engines.documents.formats import ocr
from actors.engines.documents.formats.straightening import straightened
from actors.engines.documents.reading import Extract, Reading, join_pages
from actors.engines.documents.tidying import tidy, unwrap, visible_characters

MEDIA_TYPE = "application/pdf"
FEWEST_CHARACTERS = 25
"""Visible characters below which a page counts as a picture of text."""
_DPI = 200
_MOST_PIXELS = 25_000_000
_DRAWING_SECONDS = 15.0
_BLANK_SHARE = 0.9998
_HEADER_WITHIN = 1024  # PDF 1.7, annex H: readers look for the header in the first 1024 bytes
_PASSWORD = (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY)
_HYPHEN_AT_LINE_END = ("\ufffe\r\n", "\x02\r\n", "\ufffe", "\x02")


def read_pdf(data: bytes, reading: Reading) -> Extract:
    """Raises `UnreadableError`: `encrypted`, `damaged`, `no_text`."""
    document = _open(data)
    try:
        total = len(document)
        if not total:
            raise UnreadableError("damaged", "the PDF has no pages")
        return join_pages(MEDIA_TYPE, _read_pages(document, total, reading), total)
    finally:
        document.close()


def _open(data: bytes) -> Any:
    start = max(0, data.find(b"%PDF-", 0, _HEADER_WITHIN))
    try:
        document = pypdfium2.PdfDocument(data[start:])
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) in _PASSWORD:
            raise UnreadableError("encrypted", "the PDF is protected by a password") from None
        raise UnreadableError("damaged", "the PDF can't be opened") from None
    _show_forms(document)
    return document


def _show_forms(document: Any) -> None:
    if document.get_formtype() != pdfium.FORMTYPE_NONE:
        document.init_forms()


def _read_pages(document: Any, total: int, reading: Reading) -> list[str]:
    last = min(total, reading.options.max_pages)
    texts: list[str] = []
    characters = 0
    for number in range(1, last + 1):
        if _stops(reading, number, total, characters):
            return texts
        reading.tell(85 * (number - 1) / last, f"Lendo a página {number} de {total}")
        texts.append(_read_page(document, number, total, reading))
        characters += len(texts[-1])
    if last < total:
        reading.note("page_limit", f"{total} pages, only the first {last} were read")
    return texts


def _stops(reading: Reading, number: int, total: int, characters: int) -> bool:
    if reading.time_is_up:
        reading.note("time_limit", f"only the first {number - 1} of {total} pages could be read in time")
    elif characters > reading.limits.characters:
        reading.note("text_limit", f"only the first {number - 1} of {total} pages were read")
    else:
        return False
    return True


def _read_page(document: Any, number: int, total: int, reading: Reading) -> str:
    try:
        page = _open_page(document, number - 1)
    except pypdfium2.PdfiumError:
        reading.note("damaged", f"page {number} can't be read")
        return ""
    try:
        text = _layer(page)
        if visible_characters(text) >= FEWEST_CHARACTERS or not _has_picture(page):
            return text
        return _read_picture(page, number, total, reading) or text
    finally:
        page.close()


def _open_page(document: Any, index: int) -> Any:
    """The page with what was typed into its form fields made part of it, which shows once it is opened again."""
    page = document[index]
    if document.formenv is None:
        return page
    page.flatten()
    page.close()
    return document[index]


def _layer(page: Any) -> str:
    layer = page.get_textpage()
    try:
        text = str(layer.get_text_range())
    finally:
        layer.close()
    for hyphen in _HYPHEN_AT_LINE_END:
        text = text.replace(hyphen, "")
    return unwrap(tidy(text))


def _has_picture(page: Any) -> bool:
    """Whether the page shows anything but text: a blank page, or one with a mere number, needs no OCR."""
    return any(o.type != pdfium.FPDF_PAGEOBJ_TEXT for o in page.get_objects(max_depth=2))


def _read_picture(page: Any, number: int, total: int, reading: Reading) -> str:
    if not reading.options.ocr:
        return ""
    reading.tell(85 * (number - 1) / total, f"Reconhecendo o texto da página {number} de {total}")
    try:
        picture = _draw(page)
        return ocr.recognize(picture, "image/x-portable-graymap", reading) if picture else ""
    except UnreadableError as error:
        reading.note(error.code, f"page {number}: {error.sentence}")
        return ""


def _draw(page: Any) -> bytes | None:
    """The page in grey as PGM (the netpbm format: a header and the bare pixels), `None` for a blank one.

    Raises `UnreadableError` for a page that takes too long to draw."""
    width, height = page.get_size()
    scale = min(_DPI / 72, math.sqrt(_MOST_PIXELS / max(1.0, width * height)))
    size = math.ceil(width * scale), math.ceil(height * scale)
    bitmap = pypdfium2.PdfBitmap.new_native(*size, pdfium.FPDFBitmap_Gray)
    try:
        bitmap.fill_rect((255, 255, 255, 255), 0, 0, *size)
        _paint(page, bitmap)
        pixels = ctypes.string_at(bitmap.buffer, bitmap.stride * bitmap.height)
        rows = (pixels[y * bitmap.stride : y * bitmap.stride + bitmap.width] for y in range(bitmap.height))
        return _pgm(b"".join(rows), bitmap.width, bitmap.height)
    finally:
        bitmap.close()


def _paint(page: Any, bitmap: Any) -> None:
    """Draw with pauses, so that one page of a million lines can't use up the time of all."""
    until = time.monotonic() + _DRAWING_SECONDS
    expired = pdfium.IFSDK_PAUSE(version=1)
    expired.NeedToPauseNow = type(expired.NeedToPauseNow)(lambda _pause: time.monotonic() > until)
    place = (0, 0, bitmap.width, bitmap.height, 0, pdfium.FPDF_ANNOT | pdfium.FPDF_GRAYSCALE)
    try:
        if pdfium.FPDF_RenderPageBitmap_Start(bitmap, page, *place, expired) != pdfium.FPDF_RENDER_DONE:
            raise UnreadableError("ocr_failed", "drawing it takes too long")
    finally:
        pdfium.FPDF_RenderPage_Close(page)


def _pgm(pixels: bytes, width: int, height: int) -> bytes | None:
    if pixels.count(255) >= _BLANK_SHARE * len(pixels):
        return None
    return b"P5\n%d %d\n255\n" % (width, height) + (straightened(pixels, width, height) or pixels)
