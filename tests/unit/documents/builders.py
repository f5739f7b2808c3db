"""Small files of every kind, made by hand: just enough of each format to be opened by a real reader."""

from __future__ import annotations

import io
import itertools
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from email.message import EmailMessage

_WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_OPEN = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"'
    ' xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
    ' xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0"'
)


# ---------------------------------------------------------------------------------------------------- PDF


def pdf_of(objects: list[bytes], trailer: bytes = b"") -> bytes:
    """A PDF of these objects, numbered from 1; the first is the catalog."""
    out, offsets = io.BytesIO(), []
    out.write(b"%PDF-1.7\n")
    for number, body in enumerate(objects, 1):
        offsets.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    out.writelines(b"%010d 00000 n \n" % offset for offset in offsets)
    out.write(b"trailer\n<< /Size %d /Root 1 0 R %s >>\n" % (len(objects) + 1, trailer))
    out.write(b"startxref\n%d\n%%%%EOF\n" % start)
    return out.getvalue()


def stream(data: bytes, entries: bytes = b"") -> bytes:
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(data), entries, data)


def pdf(*pages: str, trailer: bytes = b"") -> bytes:
    """One page for each text, in Helvetica."""
    return _pdf_of_contents([_lines(page) for page in pages], b"", trailer)


def _lines(text: str, size: int = 12) -> bytes:
    shown = (line.translate({40: r"\(", 41: r"\)", 92: r"\\"}).encode("cp1252") for line in text.split("\n"))
    return b"BT /F1 %d Tf 60 780 Td 18 TL " % size + b" ".join(b"(%s) Tj T*" % line for line in shown) + b" ET"


def _pdf_of_contents(contents: list[bytes], resources: bytes, trailer: bytes, extra: Iterable[bytes] = ()) -> bytes:
    extra = list(extra)
    first = 4 + len(extra)
    kids = b" ".join(b"%d 0 R" % (first + 2 * i) for i in range(len(contents)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(contents), kids),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        *extra,
    ]
    for number, content in enumerate(contents):
        box = b"/MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> %s >>" % resources
        objects.append(b"<< /Type /Page /Parent 2 0 R %s /Contents %d 0 R >>" % (box, first + 2 * number + 1))
        objects.append(stream(content))
    return pdf_of(objects, trailer)


def scanned_pdf(*pages: str, typed: str = "") -> bytes:
    """A PDF whose pages are pictures of text; before them one page of real text, if `typed` is given."""
    return pdf_of_pictures(*(grey_pixels(page) for page in pages), typed=typed)


def pdf_of_pictures(*pages: tuple[int, int, bytes], typed: str = "") -> bytes:
    images = [_image(*page) for page in pages]
    shown = [b"q 595 0 0 842 0 0 cm /Im%d Do Q" % number for number in range(len(images))]
    names = b" ".join(b"/Im%d %d 0 R" % (number, 4 + number) for number in range(len(images)))
    contents = [_lines(typed), *shown] if typed else shown
    return _pdf_of_contents(contents, b"/XObject << %s >>" % names, b"", images)


def _image(width: int, height: int, pixels: bytes) -> bytes:
    entries = b"/Type /XObject /Subtype /Image /Width %d /Height %d /BitsPerComponent 8" % (width, height)
    return stream(zlib.compress(pixels, 1), entries + b" /ColorSpace /DeviceGray /Filter /FlateDecode")


def form_pdf(typed: str) -> bytes:
    """One page with a form field in which `typed` was entered."""
    field = b"/Type /Annot /Subtype /Widget /FT /Tx /T (nome) /V (%s) /Rect [60 600 400 620] /F 4 /AP << /N 7 0 R >>"
    shown = b"/Type /XObject /Subtype /Form /BBox [0 0 340 20] /Resources << /Font << /F1 3 0 R >> >>"
    return pdf_of(
        [
            b"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [6 0 R] /DR << /Font << /F1 3 0 R >> >> >> >>",
            b"<< /Type /Pages /Count 1 /Kids [4 0 R] >>",
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Annots [6 0 R] /Contents 5 0 R"
            b" /Resources << /Font << /F1 3 0 R >> >> >>",
            stream(_lines("Requerimento de beneficio, preenchido pelo segurado:")),
            b"<< %s >>" % (field % typed.encode("cp1252")),
            stream(b"/Tx BMC BT /F1 12 Tf 2 5 Td (%s) Tj ET EMC" % typed.encode("cp1252"), shown),
        ]
    )


def encrypted_pdf() -> bytes:
    """Encrypted by the standard handler with a user password that nobody told."""
    secret = b"/Encrypt << /Filter /Standard /V 2 /R 3 /Length 128 /P -4 /O <%s> /U <%s> >>" % (
        b"ab" * 32,
        b"cd" * 32,
    )
    return pdf("segredo de justiça", trailer=secret + b" /ID [<0011> <0011>]")


# -------------------------------------------------------------------------------------------------- images


def grey_pixels(text: str, dpi: int = 150) -> tuple[int, int, bytes]:
    """A4 page with `text`, drawn: width, height and one byte a pixel."""
    import pypdfium2

    document = pypdfium2.PdfDocument(_pdf_of_contents([_lines(text, 16)], b"", b""))
    page = document[0]
    bitmap = page.render(scale=dpi / 72, grayscale=True)
    raw = bytes(bitmap.buffer)
    pixels = b"".join(raw[y * bitmap.stride :][: bitmap.width] for y in range(bitmap.height))
    size = (bitmap.width, bitmap.height)
    for opened in (bitmap, page, document):
        opened.close()
    return *size, pixels


def png(width: int, height: int, pixels: bytes) -> bytes:
    """8-bit grey PNG. `pixels` may be too few: the header then lies, as a bomb's does."""
    rows = b"".join(b"\0" + pixels[y : y + width] for y in range(0, len(pixels), width))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*named) for named in chunks)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


_ZIGZAG = sorted(
    itertools.product(range(8), repeat=2),
    key=lambda at: (sum(at), at[0] if sum(at) % 2 else at[1]),
)
_QUANTUM = 12


def jpeg(width: int, height: int, pixels: bytes) -> bytes:
    """Baseline grey JPEG (ITU T.81) with the plainest tables: codes of 4 bits for DC and 8 for AC."""
    segments = (
        (0xDB, bytes([0, *[_QUANTUM] * 64])),
        (0xC0, struct.pack(">BHHBBBB", 8, height, width, 1, 1, 0x11, 0)),
        (0xC4, bytes([0x00, 0, 0, 0, 12, *[0] * 12, *range(12)])),
        (0xC4, bytes([0x10, *[0] * 7, len(_AC), *[0] * 8, *_AC])),
        (0xDA, bytes([1, 1, 0, 0, 63, 0])),
    )
    head = b"".join(struct.pack(">BBH", 0xFF, kind, len(data) + 2) + data for kind, data in segments)
    return b"\xff\xd8" + head + _scan(width, height, pixels) + b"\xff\xd9"


_AC = [run << 4 | size for run in range(16) for size in range(1, 11)] + [0x00, 0xF0]


def _scan(width: int, height: int, pixels: bytes) -> bytes:
    """The entropy-coded blocks, from left to right and from top to bottom."""
    coded: list[str] = []
    before = 0
    for first, *others in _coefficients(width, height, pixels):
        coded += f"{(first - before).bit_length():04b}", _magnitude(first - before), *_coded(others)
        before = first
    bits = "".join(coded)
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")


def _coded(values: list[int]) -> Iterator[str]:
    """Each value that is not zero after the count of zeros before it, and the mark that only zeros follow."""
    zeros = 0
    for value in values:
        if value == 0:
            zeros += 1
            continue
        yield from [_symbol(0xF0)] * (zeros // 16)
        yield _symbol(zeros % 16 << 4 | value.bit_length())
        yield _magnitude(value)
        zeros = 0
    if zeros:
        yield _symbol(0x00)


def _symbol(symbol: int) -> str:
    return f"{_AC.index(symbol):08b}"


def _magnitude(value: int) -> str:
    size = value.bit_length()
    return f"{value if value > 0 else value + (1 << size) - 1:0{size}b}" if value else ""


def _coefficients(width: int, height: int, pixels: bytes) -> list[list[int]]:
    """Of each block of 8 x 8 the quantised cosine transform, in the order of the zigzag."""
    import numpy as np

    image = np.frombuffer(pixels, np.uint8).reshape(height, width)
    image = np.pad(image, ((0, -height % 8), (0, -width % 8)), mode="edge").astype(float) - 128
    blocks = image.reshape(image.shape[0] // 8, 8, -1, 8).swapaxes(1, 2).reshape(-1, 8, 8)
    k, n = np.mgrid[:8, :8]
    cosines = np.where(k == 0, 8**-0.5, 0.5) * np.cos((2 * n + 1) * k * np.pi / 16)
    quantised = np.rint(cosines @ blocks @ cosines.T / _QUANTUM).astype(int)
    rows, columns = zip(*_ZIGZAG, strict=True)
    ordered: list[list[int]] = quantised[:, rows, columns].tolist()
    return ordered


def tiff(*pages: tuple[int, int, bytes]) -> bytes:
    """Uncompressed grey TIFF with one frame for each page."""
    out = io.BytesIO(b"II*\0\0\0\0\0")
    out.seek(0, io.SEEK_END)
    link = 4
    for width, height, pixels in pages:
        strip = out.tell()
        out.write(pixels + b"\0" * (len(pixels) % 2))
        directory = out.tell()
        out.seek(link)
        out.write(struct.pack("<I", directory))
        out.seek(directory)
        tags = ((256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, strip), (277, 1), (278, height))
        out.write(struct.pack("<H", len(tags) + 1))
        out.writelines(struct.pack("<HHII", tag, 4, 1, value) for tag, value in (*tags, (279, len(pixels))))
        link = out.tell()
        out.write(b"\0\0\0\0")
    return out.getvalue()


# ------------------------------------------------------------------------------------------------ packages


def package(members: dict[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def docx(
    *paragraphs: str, header: str = "", footer: str = "", body: str = "", pictures: dict[str, bytes] | None = None
) -> bytes:
    """`body` is WordprocessingML to put behind the paragraphs; `pictures` are the embedded ones by name."""
    shown = "".join(word_paragraph(text) for text in paragraphs)
    members: dict[str, str | bytes] = {
        "[Content_Types].xml": "<Types/>",
        "word/document.xml": f"<w:document {_WORD}><w:body>{shown}{body}</w:body></w:document>",
    }
    if header:
        members["word/header1.xml"] = f"<w:hdr {_WORD}>{word_paragraph(header)}</w:hdr>"
        members["word/header2.xml"] = members["word/header1.xml"]
    if footer:
        members["word/footer1.xml"] = f"<w:ftr {_WORD}>{word_paragraph(footer)}</w:ftr>"
    return package(members | {f"word/media/{name}": data for name, data in (pictures or {}).items()})


def word_paragraph(text: str) -> str:
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def odt(*paragraphs: str, header: str = "", footer: str = "") -> bytes:
    body = "".join(f"<text:p>{text}</text:p>" for text in paragraphs)
    margins = "".join(
        f"<style:{place}><text:p>{text}</text:p></style:{place}>"
        for place, text in (("header", header), ("footer", footer))
    )
    return package(
        {
            "mimetype": "application/vnd.oasis.opendocument.text",
            "content.xml": _open_part("content", f"<office:body><office:text>{body}</office:text></office:body>"),
            "styles.xml": _open_part("styles", f"<style:master-page>{margins}</style:master-page>"),
        }
    )


def _open_part(kind: str, content: str) -> str:
    return f"<office:document-{kind} {_OPEN}>{content}</office:document-{kind}>"


def xlsx(*rows: tuple[str, ...]) -> bytes:
    """One sheet of inline strings."""
    spreadsheet = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    packages = "http://schemas.openxmlformats.org/package/2006"
    kinds = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    rows_of_cells = "".join(
        f'<row r="{r}">' + "".join(_cell(r, c, text) for c, text in enumerate(row)) + "</row>"
        for r, row in enumerate(rows, 1)
    )
    relation = (
        '<Relationships xmlns="{}/relationships"><Relationship Id="rId1" Type="{}/{}" Target="{}"/></Relationships>'
    )
    return package(
        {
            "[Content_Types].xml": f'<Types xmlns="{packages}/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{kinds}.sheet.main+xml"/>'
            f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kinds}.worksheet+xml"/></Types>',
            "_rels/.rels": relation.format(packages, office, "officeDocument", "xl/workbook.xml"),
            "xl/workbook.xml": f'<workbook xmlns="{spreadsheet}" xmlns:r="{office}">'
            '<sheets><sheet name="Verbas" sheetId="1" r:id="rId1"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": relation.format(packages, office, "worksheet", "worksheets/sheet1.xml"),
            "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{spreadsheet}">'
            f"<sheetData>{rows_of_cells}</sheetData></worksheet>",
        }
    )


def _cell(row: int, column: int, text: str) -> str:
    return f'<c r="{"ABCDEFGH"[column]}{row}" t="inlineStr"><is><t>{text}</t></is></c>'


# ------------------------------------------------------------------------------------------------- others


def rtf(text: str) -> bytes:
    coded = "".join(c if ord(c) < 128 else f"\\'{c.encode('cp1252')[0]:02x}" for c in text)
    return f"{{\\rtf1\\ansi\\ansicpg1252 {coded}}}".encode("ascii")


def eml(body: str, html: str = "", attachments: dict[str, bytes] | None = None, subject: str = "Documentos") -> bytes:
    message = EmailMessage()
    message["From"] = "Lúcia Prado <lucia@example.com>"
    message["To"] = "atendimento@example.com"
    message["Subject"] = subject
    message.set_content(body)
    if html:
        message.add_alternative(html, subtype="html")
    for name, data in (attachments or {}).items():
        message.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    return message.as_bytes()
