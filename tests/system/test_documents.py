"""Documents over HTTP, one service for all: every format is analysed, and no broken or hostile file harms another.

The hostile files are in `tests/unit/documents/hostile.py`. A case that has to read pictures is left out where
Tesseract's Portuguese data is not installed; what is said then is tested in `tests/unit/documents/test_ocr.py`.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from actors.engines.documents.formats import docx, mail, ocr, odt, other, xlsx
from actors.engines.documents.limits import MIB, Limits
from tests.conftest import wait_until
from tests.integration.conftest import Client
from tests.integration.test_events import Told, watching
from tests.system.service import RunningService
from tests.system.test_service import client_of, run
from tests.unit.documents import builders, hostile

NUMBER = "0001234-71.2024.8.26.0100"
PARAGRAPHS = (
    f"DESPACHO. Processo nº {NUMBER}.",
    "Intime-se a autora, CPF 529.982.247-25, para pagar R$ 1.500,00",
    "no prazo de 15 dias úteis. Após, conclusos. Campinas, 3 de fevereiro de 2025.",
)
TEXT = "\n".join(PARAGRAPHS)
GOOD = "PROCURAÇÃO. Outorgante: Rita Moura, CPF 529.982.247-25, nomeia seu procurador o Dr. Hélio.".encode()
SLOWEST_MS = 30_000
READERS_OWN = 350 * MIB
"""What the reading process holds before it reads: the interpreter, its libraries, and their shared pages."""

needs_ocr = pytest.mark.skipif(not ocr.available(), reason=f"no OCR here: {ocr.UNAVAILABLE}")


@dataclass
class Readers:
    """Watches the reading processes of one service, known by their folder, for the most memory one ever held."""

    folder: Path
    heaviest: int = 0
    _done: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        while not self._done.wait(0.03):
            self.heaviest = max([self.heaviest, *(peak for _, _, peak in self.alive())])

    def stop(self) -> None:
        self._done.set()

    def at_work(self) -> int:
        """How many read a document now: each does it in a child of its own."""
        alive = self.alive()
        known = {pid for pid, _, _ in alive}
        return sum(parent in known for _, parent, _ in alive)

    def alive(self) -> list[tuple[int, int, int]]:
        """Process id, parent and peak of resident memory in bytes, of each."""
        found = []
        for entry in Path("/proc").iterdir():
            with suppress(OSError, KeyError, ValueError):
                if entry.name.isdigit() and (entry / "cwd").readlink().is_relative_to(self.folder):
                    status = dict(line.split(":\t", 1) for line in (entry / "status").read_text().splitlines())
                    found.append((int(entry.name), int(status["PPid"]), int(status["VmHWM"].split()[0]) << 10))
        return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("readers").resolve()


@pytest.fixture(scope="module")
def readers(folder: Path) -> Iterator[Readers]:
    readers = Readers(folder)
    thread = threading.Thread(target=readers.watch)
    thread.start()
    yield readers
    readers.stop()
    thread.join()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[RunningService]:
    data = tmp_path_factory.mktemp("documents") / "data"
    with RunningService(data, processes=1, threads=2, TMPDIR=str(folder)) as service:
        yield service


@pytest.fixture(scope="module")
def api(service: RunningService, readers: Readers) -> Iterator[Client]:
    with client_of(service) as client:
        yield client


def upload(api: Client, filename: str, content: bytes) -> str:
    answer = api.post("/api/documents", files={"file": (filename, content)}, data={"case_id": "docs"})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["document_id"])


def analysed(api: Client, *ids: str, **options: object) -> list[dict[str, Any]]:
    record = run(api, "documents.analyze_async", args=["docs", list(ids)], kwargs={"options": options})
    assert record["run_ms"] < SLOWEST_MS
    documents: list[dict[str, Any]] = api.get(record["links"]["result"]).json()["documents"]
    assert [document["document_id"] for document in documents] == list(ids)
    return documents


# ---------------------------------------------------------------------------------------- every format


def picture() -> tuple[int, int, bytes]:
    return builders.grey_pixels(TEXT.replace("Intime-se", "\nIntime-se").replace(" Campinas", "\nCampinas"))


FORMATS = {
    "pdf": ("application/pdf", 1, lambda: builders.pdf(TEXT)),
    "docx": (docx.MEDIA_TYPE, None, lambda: builders.docx(*PARAGRAPHS[1:], header=PARAGRAPHS[0])),
    "odt": (odt.MEDIA_TYPE, None, lambda: builders.odt(*PARAGRAPHS[1:], header=PARAGRAPHS[0])),
    "rtf": (other.RTF, None, lambda: builders.rtf(TEXT.replace("\n", "\\par "))),
    "html": ("text/html", None, lambda: f"<html><body><p>{'</p><p>'.join(PARAGRAPHS)}</p></body></html>".encode()),
    "eml": (mail.MEDIA_TYPE, None, lambda: builders.eml(TEXT)),
    "xlsx": (xlsx.MEDIA_TYPE, None, lambda: builders.xlsx(*((line,) for line in PARAGRAPHS))),
    "txt-utf8": ("text/plain", None, TEXT.encode),
    "txt-cp1252": ("text/plain", None, lambda: TEXT.encode("cp1252")),
    "txt-utf16": ("text/plain", None, lambda: TEXT.encode("utf-16")),
    "scan": ("application/pdf", 1, lambda: builders.scanned_pdf(*[TEXT.replace(" Após", "\nApós")])),
    "png": ("image/png", 1, lambda: builders.png(*picture())),
    "jpeg": ("image/jpeg", 1, lambda: builders.jpeg(*picture())),
    "tiff": ("image/tiff", 1, lambda: builders.tiff(picture())),
}
PICTURES = ("scan", "png", "jpeg", "tiff")


@pytest.mark.parametrize("name", [pytest.param(n, marks=needs_ocr if n in PICTURES else ()) for n in FORMATS])
def test_a_document_of_each_format_is_analysed(api: Client, name: str) -> None:
    media_type, pages, build = FORMATS[name]

    (document,) = analysed(api, upload(api, f"despacho.{name.partition('-')[0]}", build()))

    assert document["error"] is None
    assert (document["media_type"], document["pages"]) == (media_type, pages)
    assert (document["document_type"], document["language"]) == ("despacho", "pt")
    assert document["summary"]
    found = {(entity["type"], entity["value"], entity["valid"]) for entity in document["entities"]}
    assert found >= {
        ("CNJ", NUMBER.replace("-", "").replace(".", ""), True),
        ("CPF", "52998224725", True),
        ("MONEY", "1500.00", None),
        ("TEMPO", "2025-02-03", None),
    }
    assert {(deadline["rule"], deadline["due"]) for deadline in document["deadlines"]} == {
        ("CPC art. 219", "2025-02-24")
    }
    assert_offsets_hold(api, document)


def assert_offsets_hold(api: Client, document: dict[str, Any]) -> None:
    text = api.get(document["text_url"]).text
    for found in (*document["entities"], *document["deadlines"]):
        assert text[found["start"] : found["end"]] == found["text"]
        assert found["page"] == (1 if document["pages"] else None)


def test_each_page_is_named_where_its_entities_stand(api: Client) -> None:
    pages = ("Folha de rosto dos autos, sem valor algum.", "Deve R$ 750,00 ao CPF 529.982.247-25, do autor.", TEXT)

    (document,) = analysed(api, upload(api, "autos.pdf", builders.pdf(*pages)))

    assert {(e["type"], e["page"]) for e in document["entities"] if e["type"] in ("MONEY", "CNJ")} == {
        ("MONEY", 2),
        ("MONEY", 3),
        ("CNJ", 3),
    }
    assert [deadline["page"] for deadline in document["deadlines"]] == [3]


@needs_ocr
def test_of_a_mixed_pdf_only_the_scanned_page_goes_to_ocr(api: Client) -> None:
    document_id = upload(api, "misto.pdf", builders.scanned_pdf("CERTIDAO\nCPF 529.982.247-25 confere", typed=TEXT))
    task_id = api.submit("documents.analyze_async", args=["docs", [document_id]], kwargs={})
    with watching(api, f"/api/tasks/{task_id}/events") as events:
        told = list(events)

    (document,) = told[-2].data["result"]["documents"]

    assert [e["page"] for e in document["entities"] if e["type"] == "CPF"] == [1, 2]
    assert not any("Reconhecendo o texto da página 1" in message for message in messages(told))


def test_headers_footers_and_attachments_are_part_of_the_text(api: Client) -> None:
    letter = builders.docx("Segue a defesa.", header=f"Autos {NUMBER}", footer="Dra. Ana Reis, OAB/SP 187.654")
    message = builders.eml("Veja o anexo, por favor.", attachments={"defesa.docx": letter})

    (document,) = analysed(api, upload(api, "mensagem.eml", message))

    assert {"CNJ", "OAB"} <= {entity["type"] for entity in document["entities"]}
    assert api.get(document["text_url"]).text.count("Segue a defesa.") == 1
    assert document["document_type"] == "carta_email"


# -------------------------------------------------------------------------------- broken and hostile files


@pytest.mark.parametrize(
    "file", [pytest.param(f, id=str(f), marks=needs_ocr if f.scanned else ()) for f in hostile.FILES]
)
def test_a_broken_or_hostile_file_costs_only_itself(api: Client, file: hostile.Hostile) -> None:
    bad, good = analysed(api, upload(api, file.filename, file.build()), upload(api, "procuracao.txt", GOOD))

    code, _, sentence = (bad["error"] or "").partition(": ")
    assert (code or None) in file.codes
    assert bool(sentence) == bool(bad["error"])
    assert bad["text_url"] or bad["error"]
    assert (good["document_type"], good["error"]) == ("procuracao", None)
    assert [entity["value"] for entity in good["entities"] if entity["type"] == "CPF"] == ["52998224725"]


def test_an_empty_file_is_refused_at_the_door(api: Client) -> None:
    answer = api.post("/api/documents", files={"file": ("vazio.pdf", b"")}, data={"case_id": "docs"})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "file"


def test_all_of_them_in_one_task_leave_the_good_one_whole(api: Client) -> None:
    files = [file for file in hostile.FILES if not file.scanned and "bomb" not in file.wrong][:40]
    ids = dict.fromkeys(upload(api, file.filename, file.build()) for file in files)

    *_, good = analysed(api, *ids, upload(api, "procuracao.txt", GOOD))

    assert (good["document_type"], good["error"]) == ("procuracao", None)


# -------------------------------------------------------------------------------- progress, cancel, bounds


@needs_ocr
def test_each_page_is_told_and_a_cancel_is_heard_in_the_middle_of_ocr(api: Client, readers: Readers) -> None:
    dense = "\n".join(f"{line} Certifico e dou fe que o autor compareceu em juizo." for line in range(40))
    document_id = upload(api, "autos.pdf", builders.scanned_pdf(*[f"Folha {n}\n{dense}" for n in range(8)]))
    task_id = api.submit("documents.analyze_async", args=["docs", [document_id]], kwargs={})

    with watching(api, f"/api/tasks/{task_id}/events") as events:
        told = until_said(events, "Reconhecendo o texto da página 3 de 8")
        asked = time.monotonic()
        assert api.delete(f"/api/tasks/{task_id}").status_code == 202
        assert "cancelled" in (event.event for event in events)
        took_s = time.monotonic() - asked

    assert took_s < 0.3
    assert [m for m in messages(told) if m.startswith("Reconhecendo")] == [
        f"Reconhecendo o texto da página {page} de 8" for page in (1, 2, 3)
    ]
    percents = [event.data["progress"] for event in told]
    assert percents == sorted(percents)
    assert api.record(task_id)["status"] == "cancelled"
    wait_until(lambda: readers.at_work() == 0, "nothing reads the document any more")
    (document,) = analysed(api, upload(api, "depois.txt", GOOD))
    assert document["document_type"] == "procuracao"


def until_said(events: Iterator[Told], message: str) -> list[Told]:
    told = []
    for event in events:
        told.append(event)
        if event.data["progress_message"] == message:
            return told
    pytest.fail(f"the stream ended before {message!r}: {messages(told)}")


def messages(told: list[Told]) -> list[str]:
    return [event.data["progress_message"] for event in told if event.event == "progress"]


@pytest.mark.skipif(sys.platform != "linux", reason="a process's memory is read from /proc")
def test_no_file_took_more_memory_than_is_allowed(api: Client, readers: Readers) -> None:
    """Stands last, so that it has seen what all others took."""
    analysed(api, upload(api, "ultimo.txt", GOOD))

    assert 0 < readers.heaviest < Limits().memory_bytes + READERS_OWN
