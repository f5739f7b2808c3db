"""Broken and hostile files of every format: cut off, locked, bombs, endless, huge, misnamed, empty.

Each is built when it is wanted, as some are large; what becomes of it is told by the code its `error` opens with,
and by None where it is read all the same.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from tests.unit.documents import builders

LINE = "CERTIDAO. Certifico que Rui Castro, CPF 529.982.247-25, pagou R$ 1.500,00 em 03/03/2025. Dou fe."
SCAN = "CERTIDAO\nCertifico e dou fe que o autor\nCPF 529.982.247-25 esteve aqui."
HEAD = b"From: a@example.com\nTo: b@example.com\nSubject: Documentos\nMIME-Version: 1.0\n"
_OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZEROS = bytes(60_000_000)


@dataclass(frozen=True, slots=True)
class Hostile:
    """One file: its format, what is wrong with it, its name, how it is built, and the codes its error may have."""

    format: str
    wrong: str
    filename: str
    build: Callable[[], bytes]
    codes: tuple[str | None, ...]
    scanned: bool = False

    def __str__(self) -> str:
        return f"{self.format}-{self.wrong}"


def _laughs() -> str:
    """Ten to the ninth letters in a kilobyte of entities."""
    entities = "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    return f'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">{entities}]><x>&i;</x>'


def _paint(width: int, height: int, depth: int, colours: int) -> bytes:
    """A PNG whose pixels, all of them there and all zero, take a thousandth of their room."""
    header = struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, 0)
    channels = {0: 1, 2: 3, 6: 4}[colours]
    row = bytes(1 + width * channels * depth // 8)
    packer = zlib.compressobj(1)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    chunks = (b"IHDR", header), (b"IDAT", data), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(builders.chunk(*named) for named in chunks)


def locked_zip(package: bytes) -> bytes:
    """The flag that says 'encrypted' set for each member, in its own header and in the directory (APPNOTE 4.4.4)."""
    data = bytearray(package)
    for mark, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        place = data.find(mark)
        while place >= 0:
            data[place + at] |= 1
            place = data.find(mark, place + 4)
    return bytes(data)


def locked_odt() -> bytes:
    """As LibreOffice writes it: a plain package whose manifest says that the members are encrypted."""
    manifest = (
        '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml" manifest:size="999">'
        '<manifest:encryption-data manifest:checksum-type="SHA256/1K" manifest:checksum="aaaa"/>'
        "</manifest:file-entry></manifest:manifest>"
    )
    noise = bytes(zlib.crc32(bytes([n % 256, n // 256])) & 0xFF for n in range(999))
    return builders.package(
        {
            "mimetype": "application/vnd.oasis.opendocument.text",
            "META-INF/manifest.xml": manifest,
            "content.xml": noise,
            "styles.xml": noise[::-1],
        }
    )


def locked_office() -> bytes:
    return _OLE2 + bytes(504) + "EncryptionInfo\0EncryptedPackage\0".encode("utf-16-le") + bytes(512)


def locked_mail() -> bytes:
    kind = b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\n"
    return HEAD + kind + b"Content-Transfer-Encoding: base64\n\n" + b"MIAGCSqGSIb3DQEHA6CAMIACAQAx\n" * 20


def locked_pgp() -> bytes:
    return HEAD + (
        b'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary=x\n\n'
        b"--x\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n\n"
        b"--x\nContent-Type: application/octet-stream\n\n-----BEGIN PGP MESSAGE-----\n\nhQEMA\n"
        b"-----END PGP MESSAGE-----\n\n--x--\n"
    )


def _nested_mail(deep: int) -> bytes:
    message = b"Content-Type: text/plain\n\nno fundo"
    for _ in range(deep):
        message = HEAD + b"Content-Type: message/rfc822\n\n" + message
    return message


def _many_attachments() -> bytes:
    attached = {f"{n}.txt": f"anexo de numero {n}".encode() for n in range(400)}
    return builders.eml(LINE, attachments=attached)


def _mail_with_bomb() -> bytes:
    return builders.eml(LINE, attachments={"bomba.docx": builders.package({"word/document.xml": _ZEROS})})


def _nested_parts() -> bytes:
    parts = (b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(2_000))
    return HEAD + b"".join(parts)


def _pdf_bomb() -> bytes:
    """A hundred million drawing commands, and a stream that unpacks to two hundred megabytes."""
    bomb = builders.stream(zlib.compress(b"0 0 m 1 1 l S\n" * 15_000_000, 1), b"/Filter /FlateDecode")
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R >>"
    pages = b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>"
    return builders.pdf_of([b"<< /Type /Catalog /Pages 2 0 R >>", pages, page, bomb])


def _huge_page_pdf() -> bytes:
    """A page of 30,000 x 30,000 points with a picture of as many pixels, of which hardly one is there."""
    entries = b"/Type /XObject /Subtype /Image /Width 30000 /Height 30000 /BitsPerComponent 8 /ColorSpace /DeviceGray"
    image = builders.stream(zlib.compress(bytes(30_000)), entries + b" /Filter /FlateDecode")
    page = (
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 30000 30000] /Contents 4 0 R"
        b" /Resources << /XObject << /Im0 5 0 R >> >> >>"
    )
    pages = b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>"
    shown = builders.stream(b"q 30000 0 0 30000 0 0 cm /Im0 Do Q")
    return builders.pdf_of([b"<< /Type /Catalog /Pages 2 0 R >>", pages, page, shown, image])


def _jpeg_that_claims(width: int, height: int) -> bytes:
    small = builders.jpeg(16, 16, bytes(256))
    at = small.index(b"\xff\xc0") + 5
    return small[:at] + struct.pack(">HH", height, width) + small[at + 4 :]


def _tiff_that_claims(width: int, height: int) -> bytes:
    small = builders.tiff((8, 8, bytes(64)))
    for tag, value in ((256, width), (257, height)):
        small = small.replace(struct.pack("<HHII", tag, 4, 1, 8), struct.pack("<HHII", tag, 4, 1, value))
    return small


def _tiff_loop() -> bytes:
    """Its only directory says that the next one is itself."""
    good = bytearray(builders.tiff(_scan()))
    (directory,) = struct.unpack_from("<I", good, 4)
    (count,) = struct.unpack_from("<H", good, directory)
    struct.pack_into("<I", good, directory + 2 + 12 * count, directory)
    return bytes(good)


def _scan() -> tuple[int, int, bytes]:
    return builders.grey_pixels(SCAN, 100)


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _html(text: str) -> bytes:
    return f"<!doctype html><html><body><p>{text}</p></body></html>".encode()


_SPREADSHEET_BOMB = {"xl/workbook.xml": b"<workbook/>", "xl/sharedStrings.xml": _ZEROS}
_RTF_DEEP = b"{\\rtf1 " + b"{" * 300_000 + b"fundo" + b"}" * 300_001
_SHORT_PAGES = [f"Folha {n} dos autos, com texto bastante para ser lida." for n in range(1_000)]

FILES: tuple[Hostile, ...] = (
    Hostile("pdf", "truncated", "a.pdf", lambda: builders.pdf(*[LINE] * 30)[:3_000], ("damaged",)),
    Hostile("pdf", "noise", "a.pdf", lambda: b"%PDF-1.7\n" + bytes(range(256)) * 40, ("damaged",)),
    Hostile("pdf", "password", "a.pdf", builders.encrypted_pdf, ("encrypted",)),
    Hostile("pdf", "bomb", "a.pdf", _pdf_bomb, ("memory_limit", "no_text", "ocr_failed", "time_limit")),
    Hostile("pdf", "1000-pages", "a.pdf", lambda: builders.pdf(*_SHORT_PAGES), ("page_limit",)),
    Hostile("pdf", "huge-page", "a.pdf", _huge_page_pdf, ("no_text", "memory_limit", "ocr_failed"), scanned=True),
    Hostile("pdf", "wrong-name", "contrato.docx", lambda: builders.pdf(LINE), (None,)),
    Hostile("pdf", "nothing-in-it", "a.pdf", lambda: builders.pdf(""), ("no_text",)),
    Hostile("docx", "truncated", "a.docx", lambda: _half(builders.docx(LINE)), ("damaged",)),
    Hostile("docx", "password", "a.docx", locked_office, ("encrypted",)),
    Hostile("docx", "locked-zip", "a.docx", lambda: locked_zip(builders.docx(LINE)), ("encrypted",)),
    Hostile("docx", "bomb", "a.docx", lambda: builders.package({"word/document.xml": _ZEROS}), ("too_large",)),
    Hostile("docx", "laughs", "a.docx", lambda: builders.package({"word/document.xml": _laughs()}), ("damaged",)),
    Hostile(
        "docx", "deep", "a.docx", lambda: builders.docx(body="<w:p>" * 200_000 + "</w:p>" * 200_000), ("no_text",)
    ),
    Hostile("docx", "wrong-name", "foto.png", lambda: builders.docx(LINE), (None,)),
    Hostile("docx", "nothing-in-it", "a.docx", builders.docx, ("no_text",)),
    Hostile("odt", "truncated", "a.odt", lambda: _half(builders.odt(LINE)), ("damaged",)),
    Hostile("odt", "password", "a.odt", locked_odt, ("encrypted",)),
    Hostile("odt", "bomb", "a.odt", lambda: builders.odt("a" * 60_000_000), ("too_large",)),
    Hostile("odt", "laughs", "a.odt", lambda: _odt_of(_laughs()), ("damaged",)),
    Hostile("odt", "wrong-name", "planilha.xlsx", lambda: builders.odt(LINE), (None,)),
    Hostile("odt", "nothing-in-it", "a.odt", builders.odt, ("no_text",)),
    Hostile("rtf", "truncated", "a.rtf", lambda: builders.rtf(LINE * 3)[:-60], (None,)),
    Hostile("rtf", "deep", "a.rtf", lambda: _RTF_DEEP, (None, "no_text", "damaged", "crashed")),
    Hostile("rtf", "bin-lies", "a.rtf", lambda: rb"{\rtf1\bin2147483647 " + LINE.encode() + b"}", (None, "no_text")),
    Hostile("rtf", "wrong-name", "a.doc", lambda: builders.rtf(LINE), (None,)),
    Hostile("rtf", "nothing-in-it", "a.rtf", lambda: builders.rtf(""), ("no_text",)),
    Hostile("html", "truncated", "a.html", lambda: _html(LINE)[:-25], (None,)),
    Hostile("html", "unclosed", "a.html", lambda: b"<html>" + b"<!--" * 200_000, ("no_text",)),
    Hostile("html", "deep", "a.html", lambda: b"<html>" + b"<div>" * 300_000 + LINE.encode(), (None,)),
    Hostile("html", "wrong-name", "a.pdf", lambda: _html(LINE), (None,)),
    Hostile("html", "nothing-in-it", "a.html", lambda: _html(""), ("no_text",)),
    Hostile(
        "eml",
        "truncated",
        "a.eml",
        lambda: _half(builders.eml(LINE, attachments={"a.pdf": builders.pdf(LINE)})),
        (None, "damaged"),
    ),
    Hostile("eml", "smime", "a.eml", locked_mail, ("encrypted",)),
    Hostile("eml", "pgp", "a.eml", locked_pgp, ("encrypted",)),
    Hostile("eml", "nested", "a.eml", lambda: _nested_mail(40), ("attachment_limit",)),
    Hostile("eml", "nested-deep", "a.eml", lambda: _nested_mail(3_000), ("attachment_limit", "damaged")),
    Hostile("eml", "nested-parts", "a.eml", _nested_parts, ("damaged", "too_large")),
    Hostile("eml", "400-attachments", "a.eml", _many_attachments, ("attachment_limit",)),
    Hostile("eml", "bomb", "a.eml", _mail_with_bomb, ("too_large",)),
    Hostile("eml", "wrong-name", "a.txt", lambda: builders.eml(LINE), (None,)),
    Hostile("eml", "nothing-in-it", "a.eml", lambda: builders.eml(""), ("no_text",)),
    Hostile("xlsx", "truncated", "a.xlsx", lambda: _half(builders.xlsx((LINE,))), ("damaged",)),
    Hostile("xlsx", "password", "a.xlsx", locked_office, ("encrypted",)),
    Hostile("xlsx", "bomb", "a.xlsx", lambda: builders.package(_SPREADSHEET_BOMB), ("too_large",)),
    Hostile("xlsx", "laughs", "a.xlsx", lambda: builders.package({"xl/workbook.xml": _laughs()}), ("damaged",)),
    Hostile("xlsx", "wrong-name", "a.docx", lambda: builders.xlsx((LINE,)), (None,)),
    Hostile("xlsx", "nothing-in-it", "a.xlsx", builders.xlsx, ("no_text",)),
    Hostile("txt", "truncated", "a.txt", lambda: ("Ação de cobrança. " + LINE + " Ação").encode()[:-2], (None,)),
    Hostile("txt", "noise", "a.txt", lambda: bytes(range(256)) * 40, ("unsupported",)),
    Hostile("txt", "endless", "a.txt", lambda: (LINE.encode() + b"\n") * 22_000, ("text_limit",)),
    Hostile("txt", "wrong-name", "a.jpg", LINE.encode, (None,)),
    Hostile("txt", "nothing-in-it", "a.txt", lambda: b" \r\n\t\0\n" * 40, ("empty",)),
    Hostile("png", "truncated", "a.png", lambda: _half(builders.png(*_scan())), ("ocr_failed",), scanned=True),
    Hostile("png", "no-header", "a.png", lambda: builders.png(8, 8, bytes(64))[:12], ("damaged",)),
    Hostile("png", "30000x30000", "a.png", lambda: builders.png(30_000, 30_000, bytes(30_000)), ("too_large",)),
    Hostile(
        "png",
        "bomb",
        "a.png",
        lambda: _paint(7_500, 7_900, 8, 6),
        ("ocr_failed", "memory_limit", "no_text"),
        scanned=True,
    ),
    Hostile("png", "wrong-name", "a.pdf", lambda: builders.png(*_scan()), (None,), scanned=True),
    Hostile(
        "png", "nothing-in-it", "a.png", lambda: builders.png(300, 300, b"\xff" * 90_000), ("no_text",), scanned=True
    ),
    Hostile("jpeg", "truncated", "a.jpg", lambda: _half(builders.jpeg(*_scan())), ("ocr_failed", None), scanned=True),
    Hostile("jpeg", "no-header", "a.jpg", lambda: b"\xff\xd8\xff\xe0\x00\x10JFIF", ("damaged",)),
    Hostile("jpeg", "30000x30000", "a.jpg", lambda: _jpeg_that_claims(30_000, 30_000), ("too_large",)),
    Hostile("jpeg", "wrong-name", "a.txt", lambda: builders.jpeg(*_scan()), (None,), scanned=True),
    Hostile(
        "jpeg",
        "nothing-in-it",
        "a.jpg",
        lambda: builders.jpeg(304, 304, b"\xff" * 304 * 304),
        ("no_text",),
        scanned=True,
    ),
    Hostile("tiff", "truncated", "a.tif", lambda: _half(builders.tiff(_scan())), ("damaged",)),
    Hostile("tiff", "loop", "a.tif", _tiff_loop, ("ocr_failed", None), scanned=True),
    Hostile(
        "tiff",
        "1000-pages",
        "a.tif",
        lambda: builders.tiff(*[(24, 24, b"\xff" * 576)] * 1_000),
        ("page_limit", "ocr_page_limit", "no_text"),
        scanned=True,
    ),
    Hostile("tiff", "30000x30000", "a.tif", lambda: _tiff_that_claims(30_000, 30_000), ("too_large",)),
    Hostile("tiff", "wrong-name", "a.png", lambda: builders.tiff(_scan()), (None,), scanned=True),
    Hostile(
        "tiff",
        "nothing-in-it",
        "a.tif",
        lambda: builders.tiff((300, 300, b"\xff" * 90_000)),
        ("no_text",),
        scanned=True,
    ),
)


def _odt_of(content: str) -> bytes:
    return builders.package({"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": content})
