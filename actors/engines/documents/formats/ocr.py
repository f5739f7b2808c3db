"""Text of pictures, by the Tesseract that kreuzberg brings, with the Portuguese language data of the machine.

Without that data Tesseract finds nothing and reports success, so its presence is looked up here first.
"""

from __future__ import annotations

import os
import re
import struct
from functools import lru_cache
from pathlib import Path
from typing import Any

from actors.engines.documents.errors import UnreadableError
from actors.engines.documents.formats import pictures
from actors.engines.documents.formats.straightening import straightened
from actors.engines.documents.reading import Extract, Reading, join_pages
from actors.engines.documents.tidying import tidy, unwrap

LANGUAGE = "por"
UNAVAILABLE = "the Portuguese language data of Tesseract (por.traineddata) is not installed"
_DATA_FOLDERS = (
    "/usr/share/tesseract-ocr/5/tessdata",
    "/usr/share/tesseract-ocr/4.00/tessdata",
    "/usr/share/tesseract-ocr/4/tessdata",
    "/usr/share/tesseract-ocr/tessdata",
    "/usr/share/tessdata",
    "/usr/local/share/tessdata",
    "/opt/homebrew/share/tessdata",
    "/opt/homebrew/opt/tesseract/share/tessdata",
    "/usr/local/opt/tesseract/share/tessdata",
)
_SECONDS_PER_PAGE = 120
_MOST_FRAMES = 10_000
# What Tesseract takes for something else, where the words around leave no doubt: the paragraph sign of a citation
# for an 8, S or $, the dollar sign of an amount for an S, a lone I for a bar,
# the feminine ordinal before 'Vara' for the masculine one, an en dash for an em dash.
_MISREAD = (
    (re.compile(r"(\barts?\. ?\d[\d.]{0,6}º?(?:-[A-Z])?,) ?[8S$§] ?(?=\d{1,2}[ºo°])"), r"\1 § "),
    (re.compile(r"\bR[S5] ?(?=\d{1,3}(?:\.\d{3})*,\d\d\b)"), "R$ "),
    (re.compile(r"(?<![^\s,(])\|(?=[\s,.;)–-]|$)"), "I"),
    (
        re.compile(
            r"(?<=\d)[º°](?= ?(?:vara|c[âa]mara|turma|se[çc][ãa]o|regi[ãa]o|zona|delegacia|promotoria)\b)", re.I
        ),
        "ª",
    ),
    (re.compile("—"), "–"),
)


def data_folder() -> Path | None:
    """Where Tesseract's language data lies, if Portuguese is among it."""
    named = os.environ.get("TESSDATA_PREFIX")
    folders = (named, str(Path(named) / "tessdata")) if named else _DATA_FOLDERS
    return next((Path(f) for f in folders if (Path(f) / f"{LANGUAGE}.traineddata").is_file()), None)


def available() -> bool:
    return data_folder() is not None


def recognize(image: bytes, media_type: str, reading: Reading) -> str:
    """The text of one picture. Raises `UnreadableError`: `ocr_unavailable`, `ocr_page_limit`, `ocr_failed`."""
    if not available():
        raise UnreadableError("ocr_unavailable", UNAVAILABLE)
    if reading.ocr_pages >= reading.limits.ocr_pages:
        raise UnreadableError("ocr_page_limit", f"only the first {reading.limits.ocr_pages} scanned pages were read")
    reading.ocr_pages += 1
    return unwrap(tidy(mend(_run(image, media_type))))


def mend(text: str) -> str:
    for misread, meant in _MISREAD:
        text = misread.sub(meant, text)
    return text


def _run(image: bytes, media_type: str) -> str:
    import kreuzberg

    try:
        return str(kreuzberg.extract_bytes_sync(image, media_type, _config()).content)
    except kreuzberg.KreuzbergError as error:
        raise UnreadableError("ocr_failed", f"the image can't be read ({type(error).__name__})") from None


@lru_cache(maxsize=1)
def _config() -> Any:
    """Nothing cached: kreuzberg would keep the recognised text in the home folder (its own `use_cache` and
    Tesseract's are two settings)."""
    from kreuzberg import ConcurrencyConfig, ExtractionConfig, OcrConfig, TesseractConfig

    folder = data_folder()
    os.environ["TESSDATA_PREFIX"] = str(folder)
    upright = folder is not None and (folder / "osd.traineddata").is_file()
    tesseract = TesseractConfig(language=LANGUAGE, psm=1 if upright else 3, use_cache=False)
    return ExtractionConfig(
        use_cache=False,
        ocr=OcrConfig(backend="tesseract", language=LANGUAGE, tesseract_config=tesseract),
        output_format="plain",
        concurrency=ConcurrencyConfig(max_threads=1),
        extraction_timeout_secs=_SECONDS_PER_PAGE,
    )


def read_image(data: bytes, media_type: str, reading: Reading) -> Extract:
    """A picture as a document of one page, a TIFF with one page for each of its frames.

    Raises `UnreadableError` for one too large or damaged."""
    if not reading.options.ocr:
        raise UnreadableError("no_text", "the file is an image and OCR is switched off")
    frames = _frames(data, media_type, reading)
    last = min(len(frames), reading.options.max_pages)
    if last < len(frames):
        reading.note("page_limit", f"{len(frames)} pages, only the first {last} were read")
    pages = ((_frame_first(data, at), number) for number, at in enumerate(frames[:last], 1))
    texts = [_read_frame(frame, media_type, number, len(frames), reading) for frame, number in pages]
    return join_pages(media_type, texts, len(frames))


def _frames(data: bytes, media_type: str, reading: Reading) -> list[int]:
    """Where each frame's directory lies in a TIFF; one zero for any other picture."""
    try:
        frames = _tiff_directories(data) if media_type == "image/tiff" else [0]
        for at in frames:
            _check_pixels(*(_tiff_size(data, at) if at else image_size(data, media_type)), reading)
    except (struct.error, IndexError, ValueError):
        raise UnreadableError("damaged", "the image has no readable header") from None
    return frames


def _read_frame(frame: bytes, media_type: str, number: int, total: int, reading: Reading) -> str:
    reading.tell(85 * (number - 1) / total, f"Reconhecendo o texto da página {number} de {total}")
    if number > 1 and reading.time_is_up:
        reading.note("time_limit", f"only the first {number - 1} of {total} pages could be read in time")
        return ""
    try:
        return recognize(*_level(frame, media_type), reading)
    except UnreadableError as error:
        reading.note(error.code, error.sentence)
        return ""


def _level(image: bytes, media_type: str) -> tuple[bytes, str]:
    """The picture with its lines level, if it was scanned aslant and its pixels can be had."""
    drawn = pictures.grey_pixels(image, media_type) if available() else None
    if drawn is None or (level := straightened(*drawn)) is None:
        return image, media_type
    _, width, height = drawn
    return b"P5\n%d %d\n255\n" % (width, height) + level, "image/x-portable-graymap"


def _check_pixels(width: int, height: int, reading: Reading) -> None:
    if width * height > reading.limits.pixels:
        raise UnreadableError("too_large", f"{width} x {height} pixels, the bound is {reading.limits.pixels}")


def image_size(data: bytes, media_type: str) -> tuple[int, int]:
    """Width and height that the header declares, (0, 0) for a format without an entry here.

    Raises `ValueError`, `IndexError` or `struct.error` for a header that is none.
    """
    measure = {"image/png": _png_size, "image/jpeg": _jpeg_size, "image/tiff": _tiff_size, "image/gif": _gif_size}
    return measure[media_type](data) if media_type in measure else (0, 0)


def _png_size(data: bytes) -> tuple[int, int]:
    if data[12:16] != b"IHDR":
        raise ValueError("no IHDR")
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def _gif_size(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack("<HH", data[6:10])
    return width, height


def _jpeg_size(data: bytes) -> tuple[int, int]:
    at = 2
    while data[at] == 0xFF:
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # a start-of-frame segment
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + int(struct.unpack(">H", data[at + 2 : at + 4])[0])
    raise ValueError("no frame")


def _tiff_directories(data: bytes) -> list[int]:
    """TIFF 6.0, section 2: the header holds the offset of the first directory, each ends in that of the next."""
    order = "<" if data[:2] == b"II" else ">"
    (directory,) = struct.unpack_from(order + "I", data, 4)
    seen: dict[int, None] = {}
    while directory and directory not in seen and len(seen) < _MOST_FRAMES:
        seen[directory] = None
        (count,) = struct.unpack_from(order + "H", data, directory)
        (directory,) = struct.unpack_from(order + "I", data, directory + 2 + 12 * count)
    return list(seen)


def _frame_first(data: bytes, directory: int) -> bytes:
    """The same TIFF with the frame at `directory` put first, as kreuzberg reads no other; anything else as it is."""
    if not directory:
        return data
    order = "<" if data[:2] == b"II" else ">"
    return data[:4] + struct.pack(order + "I", directory) + data[8:]


def _tiff_size(data: bytes, directory: int | None = None) -> tuple[int, int]:
    """Of the first frame or the one at `directory`; TIFF 6.0, section 8: tags 256 and 257 are width and height."""
    order = "<" if data[:2] == b"II" else ">"
    if directory is None:
        (directory,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, directory)
    size = {256: 0, 257: 0}
    for entry in range(directory + 2, directory + 2 + 12 * count, 12):
        tag, kind = struct.unpack_from(order + "HH", data, entry)
        if tag in size:
            (size[tag],) = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, entry + 8)
    return size[256], size[257]
