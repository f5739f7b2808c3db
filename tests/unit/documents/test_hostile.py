"""Broken, locked and malicious files: a clear error or what could be read, soon, and nothing else harmed."""

from __future__ import annotations

import time
import zlib
from pathlib import Path

import pytest

from actors.engines import SourceDocument
from actors.engines.documents.limits import Limits
from actors.engines.documents.local import LocalDocuments
from tasks.payloads import DocumentOptions
from tests.unit.documents import builders, hostile
from tests.unit.documents.conftest import TODAY, Analyze

PAGE = "Uma página com texto bastante para não ser tomada por imagem."
HEAD = b"From: a@example.com\nTo: b@example.com\nSubject: x\nMIME-Version: 1.0\n"


def page_tree(*objects: bytes) -> bytes:
    return builders.pdf_of([b"<< /Type /Catalog /Pages 2 0 R >>", *objects])


def one_page(content: bytes, resources: bytes = b"", *more: bytes) -> bytes:
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << %s >> >>" % resources
    return page_tree(b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>", page, content, *more)


ENTITIES = "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
BILLION_LAUGHS = f'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">{ENTITIES}]><x>&i;</x>'
NESTED_PARTS = b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(2_000))


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", "empty"),
        (b" \r\n\0\0", "empty"),
        (bytes(range(256)) * 20, "unsupported"),
        (builders.package({"a.txt": "oi"}), "unsupported"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "unsupported"),
        (builders.encrypted_pdf(), "encrypted"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage\0".encode("utf-16-le"), "encrypted"),
        (hostile.locked_odt(), "encrypted"),
        (hostile.locked_zip(builders.docx(PAGE)), "encrypted"),
        (hostile.locked_mail(), "encrypted"),
        (hostile.locked_pgp(), "encrypted"),
        (builders.pdf(*[PAGE] * 30)[:3000], "damaged"),
        (b"%PDF-1.7\n" + bytes(range(256)) * 40, "damaged"),
        (builders.docx(PAGE)[:-40], "damaged"),
        (builders.xlsx((PAGE,))[:300], "damaged"),
        (builders.package({"word/document.xml": "<a><b></a>"}), "damaged"),
        (builders.package({"word/document.xml": BILLION_LAUGHS}), "damaged"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "damaged"),
        (HEAD + NESTED_PARTS, "damaged"),
        (page_tree(b"<< /Type /Pages /Count 4 /Kids [2 0 R 2 0 R] >>"), "damaged"),
        (builders.package({"word/document.xml": bytes(100_000_000)}), "too_large"),
        (builders.package({"xl/workbook.xml": b"<a/>", "xl/sharedStrings.xml": bytes(100_000_000)}), "too_large"),
        (builders.png(30_000, 30_000, b"\0" * 30_000), "too_large"),
        (builders.pdf(""), "no_text"),
        (builders.docx(body="<w:p>" * 50_000 + "</w:p>" * 50_000), "no_text"),
        (b"{\\rtf1 " + b"{" * 200_000, "no_text"),
        (b"<html>" + b"<div>" * 100_000, "no_text"),
        (b"<html>" + b'<a b="' * 200_000, "no_text"),
        (b"<html>" + b"<!--" * 200_000, "no_text"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{len(value)} bytes",
)
def test_a_file_that_gives_no_text_says_why(analyze: Analyze, data: bytes, error: str) -> None:
    document = analyze(data)

    assert (document.analysis.error or "").partition(": ")[0] == error
    assert document.text == ""


def test_a_file_that_is_gone_says_so(engine: LocalDocuments, tmp_path: Path) -> None:
    source = SourceDocument("doc-1", tmp_path / "nowhere", "x.pdf", "application/pdf")

    document = engine.analyze(source, DocumentOptions(), TODAY, lambda _percent, _sentence: None)

    assert document.analysis.error == "missing: the stored file can't be opened"


def test_a_thousand_pages_are_read_as_far_as_allowed(analyze: Analyze) -> None:
    document = analyze(builders.pdf(*[PAGE] * 1_000), max_pages=40)

    assert document.analysis.pages == 1_000
    assert document.text.count(PAGE) == 40
    assert document.analysis.error == "page_limit: 1000 pages, only the first 40 were read"


def test_more_text_than_allowed_is_cut_and_said(analyze: Analyze) -> None:
    small = LocalDocuments(Limits(characters=1_000), keep=0)

    document = analyze(b"palavra " * 1_000, by=small)

    assert len(document.text) == 1_000
    assert document.analysis.error == "text_limit: only the first 1000 characters were kept"


def test_messages_nested_beyond_the_limit_are_left_out(analyze: Analyze) -> None:
    message = b"Content-Type: text/plain\n\nno fundo"
    for _ in range(40):
        message = HEAD + b"Content-Type: message/rfc822\n\n" + message

    document = analyze(message)

    assert "no fundo" not in document.text
    assert (document.analysis.error or "").startswith("attachment_limit: ")


def test_memory_is_bounded(analyze: Analyze) -> None:
    bomb = builders.stream(zlib.compress(b"0 0 m 1 1 l S\n" * 3_000_000, 1), b"/Filter /FlateDecode")
    tight = LocalDocuments(Limits(memory_bytes=200 * 1024 * 1024), keep=0)

    document = analyze(one_page(bomb), by=tight)

    assert (document.analysis.error or "").startswith("memory_limit: ")
    assert document.analysis.media_type == "application/pdf"


def test_time_is_bounded(analyze: Analyze) -> None:
    endless = builders.stream(zlib.compress(b"0 0 m 500 800 l S\n" * 300_000, 1), b"/Filter /FlateDecode")
    hasty = LocalDocuments(Limits(seconds=0.5), keep=1)
    started = time.monotonic()

    document = analyze(one_page(endless), by=hasty)
    hasty.close()

    assert (document.analysis.error or "").startswith("time_limit: ")
    assert time.monotonic() - started < 10


def test_a_form_that_draws_itself_ends(analyze: Analyze) -> None:
    form = builders.stream(
        b"/X Do", b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X 5 0 R >> >>"
    )
    tight = LocalDocuments(Limits(memory_bytes=200 * 1024 * 1024), keep=0)

    document = analyze(one_page(builders.stream(b"/X Do"), b"/XObject << /X 5 0 R >>", form), by=tight)

    assert document.analysis.error is not None
