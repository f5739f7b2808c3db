"""Pictures of text: read where Tesseract's Portuguese data is installed, said to be unreadable where it is not.

Each test says what holds on both kinds of machine; none is left out on either.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from actors.engines import ReadDocument, SourceDocument
from actors.engines.documents.formats import ocr
from actors.engines.documents.limits import Limits
from actors.engines.documents.local import LocalDocuments
from tasks.payloads import DocumentOptions
from tests.unit.documents import builders
from tests.unit.documents.conftest import Analyze

SCANNED = "CERTIDAO DE CASAMENTO\nO referido e verdade e dou fe"
TYPED = "Esta pagina foi digitada e tem texto mais do que bastante."


def assert_read_or_said(document: ReadDocument, words: str) -> None:
    if ocr.available():
        assert document.analysis.error is None
        assert words in document.text
    else:
        assert (document.analysis.error or "").startswith("ocr_unavailable: ")


def test_a_picture_is_read(analyze: Analyze) -> None:
    document = analyze(builders.png(*builders.grey_pixels(SCANNED)))

    assert document.analysis.media_type == "image/png"
    assert_read_or_said(document, "O referido")


def test_a_scanned_pdf_is_read(analyze: Analyze) -> None:
    document = analyze(builders.scanned_pdf(SCANNED))

    assert document.analysis.pages == 1
    assert_read_or_said(document, "O referido")


def test_each_frame_of_a_tiff_is_a_page(analyze: Analyze) -> None:
    document = analyze(builders.tiff(builders.grey_pixels("FOLHA DE ROSTO"), builders.grey_pixels(SCANNED)))

    assert (document.analysis.media_type, document.analysis.pages) == ("image/tiff", 2)
    assert_read_or_said(document, "O referido")


def test_scans_pasted_into_an_empty_docx_are_read(analyze: Analyze) -> None:
    picture = builders.png(*builders.grey_pixels(SCANNED))

    assert_read_or_said(analyze(builders.docx(pictures={"image1.png": picture})), "O referido")


def test_no_more_pages_go_to_ocr_than_allowed(analyze: Analyze) -> None:
    sparing = LocalDocuments(Limits(ocr_pages=0), keep=0)

    document = analyze(builders.scanned_pdf(SCANNED, typed=TYPED), by=sparing)

    bound = "ocr_page_limit: page 2: only the first 0 scanned pages were read"
    assert document.text.strip() == TYPED
    assert document.analysis.error in (bound, f"ocr_unavailable: page 2: {ocr.UNAVAILABLE}")


def test_of_a_mixed_pdf_the_typed_page_is_read_in_any_case(analyze: Analyze) -> None:
    document = analyze(builders.scanned_pdf(SCANNED, typed=TYPED))

    assert document.text.count(TYPED) == 1
    assert_read_or_said(document, "O referido")


def test_without_ocr_a_picture_has_no_text(analyze: Analyze) -> None:
    document = analyze(builders.png(*builders.grey_pixels(SCANNED)), ocr=False)

    assert document.analysis.error == "no_text: the file is an image and OCR is switched off"


def test_a_blank_page_needs_no_ocr(analyze: Analyze) -> None:
    document = analyze(builders.pdf(TYPED, "2"))

    assert document.analysis.error is None
    assert document.text == f"{TYPED}\n\n2"


def test_where_the_language_data_is_missing_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TESSDATA_PREFIX", str(tmp_path))
    picture = tmp_path / "blob"
    picture.write_bytes(builders.scanned_pdf(SCANNED, typed=TYPED))
    engine = LocalDocuments(keep=0)

    document = engine.analyze(
        SourceDocument("doc-1", picture, "x.pdf", ""), DocumentOptions(), dt.date(2025, 3, 10), lambda *_told: None
    )

    assert document.text.strip() == TYPED
    assert document.analysis.error == f"ocr_unavailable: page 2: {ocr.UNAVAILABLE}"


@pytest.mark.parametrize(
    ("read", "meant"),
    [
        ("art. 171,8 2º-A, do Código Penal", "art. 171, § 2º-A, do Código Penal"),
        ("multa de RS 1.000,00", "multa de R$ 1.000,00"),
        ("art. 487, |, do CPC", "art. 487, I, do CPC"),
        ("da 2º Vara", "da 2ª Vara"),
        ("coluna a | coluna b e RS como estado", "coluna a I coluna b e RS como estado"),
    ],
)
def test_usual_misreadings_are_mended(read: str, meant: str) -> None:
    assert ocr.mend(read) == meant


@pytest.mark.parametrize(
    ("data", "media_type", "size"),
    [
        (builders.png(7, 9, b"\0" * 63), "image/png", (7, 9)),
        (builders.tiff((5, 3, b"\0" * 15)), "image/tiff", (5, 3)),
        (b"GIF89a\x04\x00\x06\x00", "image/gif", (4, 6)),
        (b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x11\x08\x00\x0a\x00\x14", "image/jpeg", (20, 10)),
    ],
)
def test_the_size_of_a_picture_is_read_from_its_header(data: bytes, media_type: str, size: tuple[int, int]) -> None:
    assert ocr.image_size(data, media_type) == size


def test_a_tiff_of_more_than_a_thousand_frames_is_counted_in_full(analyze: Analyze) -> None:
    document = analyze(builders.tiff(*[(1, 1, b"\xff")] * 1_200), max_pages=1)

    assert document.analysis.pages == 1_200
    assert "page_limit: 1200 pages, only the first 1 were read" in (document.analysis.error or "")
