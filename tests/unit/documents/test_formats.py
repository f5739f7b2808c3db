"""Each format gives its text, all of it and once, whatever the file is called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.engines.documents.formats import docx, mail, odt, other, xlsx
from tests.unit.documents import builders
from tests.unit.documents.conftest import Analyze

SENTENCE = "Condeno a ré Açaí Ltda., CNPJ 11.222.333/0001-81, a pagar R$ 1.500,00 à autora em 15 dias."
WORDS = SENTENCE.split()


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (builders.pdf(SENTENCE), "application/pdf"),
        (builders.docx(SENTENCE), docx.MEDIA_TYPE),
        (builders.odt(SENTENCE), odt.MEDIA_TYPE),
        (builders.rtf(SENTENCE), other.RTF),
        (builders.xlsx((SENTENCE,)), xlsx.MEDIA_TYPE),
        (builders.eml(SENTENCE), mail.MEDIA_TYPE),
        (f"<html><body><p>{SENTENCE}</p></body></html>".encode(), "text/html"),
        (SENTENCE.encode(), "text/plain"),
    ],
    ids=["pdf", "docx", "odt", "rtf", "xlsx", "eml", "html", "txt"],
)
def test_the_text_is_whole_and_the_type_is_sniffed(analyze: Analyze, data: bytes, media_type: str) -> None:
    document = analyze(data, filename="foto.png", media_type="image/png")

    assert document.analysis.error is None
    assert document.analysis.media_type == media_type
    assert [word for word in WORDS if document.text.split().count(word) != WORDS.count(word)] == []


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1", "cp850"]
)
def test_plain_text_is_read_in_any_encoding(analyze: Analyze, encoding: str) -> None:
    text = "Ação de cobrança – não há citação do réu; mãe e irmã, às 14h."
    text = text if encoding not in ("latin-1", "cp850") else text.replace("–", "-")

    assert analyze(text.encode(encoding)).text == text


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (rb"{\rtf1\mac A\'8d\'8bo}", "Ação"),
        (rb"{\rtf1\ansi\ansicpg10000 A\'8d\'8bo}", "Ação"),
        (rb"{\rtf1\pca A\'87\'c6o}", "Ação"),
        (rb"{\rtf1\ansi\ansicpg850 A\'87\'c6o}", "Ação"),
        (rb"{\rtf1\ansi\ansicpg1252 A\'e7\'e3o}", "Ação"),
        (rb"{\rtf1\mac a\\'8d}", "a\\'8d"),
    ],
)
def test_rtf_of_old_systems_keeps_its_accents(analyze: Analyze, data: bytes, text: str) -> None:
    assert analyze(data).text == text


def test_pages_of_a_pdf_are_counted_and_named_in_its_entities(analyze: Analyze) -> None:
    data = builders.pdf("Folha de rosto do contrato de mútuo.", "O valor devido é de R$ 750,00 por mês de atraso.")

    document = analyze(data)

    (money,) = [entity for entity in document.analysis.entities if entity.type == "MONEY"]
    assert document.analysis.pages == 2
    assert money.page == 2
    assert document.text[money.start : money.end] == "R$ 750,00"


def test_the_lines_of_a_paragraph_in_a_pdf_are_joined(analyze: Analyze) -> None:
    data = builders.pdf(
        "Aos doze dias do mês de maio compareceu o autor e declarou que recebeu\no valor ajustado, nada mais devendo."
    )

    assert "que recebeu o valor" in analyze(data).text


def test_what_was_typed_into_a_form_is_read(analyze: Analyze) -> None:
    text = analyze(builders.form_pdf("Joaquim Xavier")).text

    assert "preenchido pelo segurado" in text
    assert text.count("Joaquim Xavier") == 1


def test_headers_notes_and_footers_of_a_docx_are_read_once(analyze: Analyze) -> None:
    data = builders.docx("O corpo.", header="Processo em epígrafe", footer="Rodapé da banca")

    assert analyze(data).text == "Processo em epígrafe\n\nO corpo.\n\nRodapé da banca"


def test_what_word_does_not_print_is_not_read(analyze: Analyze) -> None:
    hidden = (
        "<w:p><w:del><w:r><w:delText>apagado</w:delText></w:r></w:del><w:r><w:t>fica</w:t></w:r></w:p>"
        "<w:moveFrom><w:p><w:r><w:t>mudado</w:t></w:r></w:p></w:moveFrom>"
        '<w:p><mc:AlternateContent xmlns:mc="m"><mc:Choice><w:r><w:t>caixa</w:t></w:r></mc:Choice>'
        "<mc:Fallback><w:r><w:t>caixa</w:t></w:r></mc:Fallback></mc:AlternateContent></w:p>"
    )

    assert analyze(builders.docx("começo", body=hidden)).text.split() == ["começo", "fica", "caixa"]


def test_a_table_in_word_keeps_a_row_on_a_line(analyze: Analyze) -> None:
    cells = "".join(f"<w:tc>{builders.word_paragraph(text)}</w:tc>" for text in ("Saldo", "R$ 10,00"))
    row = f"<w:tr>{cells}</w:tr>"

    lines = analyze(builders.docx(body=f"<w:tbl>{row}{row}</w:tbl>")).text.splitlines()

    assert [line.split() for line in lines] == [["Saldo", "R$", "10,00"]] * 2


def test_header_and_footer_of_an_odt_are_read(analyze: Analyze) -> None:
    text = analyze(builders.odt("Corpo do texto", header="Timbre", footer="Página única")).text

    assert text.split() == ["Timbre", "Corpo", "do", "texto", "Página", "única"]


def test_html_is_what_a_person_sees(analyze: Analyze) -> None:
    page = """<html><head><title>aba</title><style>p{}</style><script>var a = "<p>não</p>"</script></head><body>
        <!-- nota --><h1>PROCURAÇÃO</h1><p>neg<b>rito</b> &amp; R$&nbsp;10,00<br>linha 2</p>
        <p style="display:none">oculto</p><p style="overflow: hidden">visível</p>
        <table><tr><td>A1<td>B1</tr></table> a &lt; b < c</body></html>"""

    lines = [line for line in analyze(page.encode()).text.splitlines() if line]

    assert [line.split() for line in lines] == [
        ["PROCURAÇÃO"],
        ["negrito", "&", "R$", "10,00"],
        ["linha", "2"],
        ["visível"],
        ["A1", "B1"],
        ["a", "<", "b", "<", "c"],
    ]


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        ("1234.5", '"R$" #,##0.00', "R$ 1.234,50"),
        ("1234.5", "[$R$-416] #,##0.00", "R$ 1.234,50"),
        ("-10", "#,##0.00", "-10,00"),
        ("45721", "dd/mm/yyyy", "05/03/2025"),
        ("45721.604166666664", "dd/mm/yy hh:mm", "05/03/2025 14:30"),
        ("0.604166666666667", "hh:mm", "14:30"),
        ("0.125", "0.0%", "12,50%"),
        ("10000", "General", "10000"),
        ("0.30000000000000004", "", "0,3"),
        ("1E+300", "dd/mm/yyyy", "1E+300"),
        ("não é número", "0.00", "não é número"),
    ],
)
def test_a_number_is_shown_as_its_cell_shows_it(value: str, code: str, shown: str) -> None:
    assert xlsx.show_number(value, code) == shown


@given(st.text(max_size=12), st.text(alphabet='dmyhs0#.,%"[]$R\\', max_size=12))
def test_any_number_in_any_format_is_shown(value: str, code: str) -> None:
    assert isinstance(xlsx.show_number(value, code), str)


def test_an_email_tells_its_header_one_body_and_its_attachments(analyze: Analyze) -> None:
    contract = builders.docx("CONTRATO DE COMODATO")
    data = builders.eml(
        "Segue o contrato.", html="<p>Segue o contrato.</p>", attachments={"c.docx": contract, "copia.docx": contract}
    )

    text = analyze(data).text

    assert text.startswith("De: Lúcia Prado <lucia@example.com>\nPara: atendimento@example.com\nAssunto: Documentos")
    assert text.count("Segue o contrato.") == 1
    assert text.count("CONTRATO DE COMODATO") == 1
    assert "Anexo: c.docx" in text


def test_the_kind_of_an_email_is_that_of_its_body_and_not_of_its_header(analyze: Analyze) -> None:
    order = "DESPACHO. Manifeste-se a parte autora em 15 dias. Após, conclusos."

    assert analyze(builders.eml(order, subject="Prezado cliente, contrato")).analysis.document_type == "despacho"


def test_what_is_attached_does_not_make_a_letter_a_petition(analyze: Analyze) -> None:
    petition = (
        "EXMO. SR. JUIZ. Fulano vem propor AÇÃO DE COBRANÇA em face de Beltrano. Requer a citação."
        " Valor da causa: R$ 10,00."
    )
    letter = "Bom dia, doutora. Segue em anexo a petição. Abraços, Rute"

    document = analyze(builders.eml(letter, attachments={"p.txt": petition.encode()}))

    assert "Valor da causa" in document.text
    assert document.analysis.document_type == "carta_email"


def test_one_bad_attachment_does_not_cost_the_message(analyze: Analyze) -> None:
    data = builders.eml("Veja o anexo.", attachments={"a.pdf": b"%PDF-1.4 cortado", "b.txt": b"texto bom do anexo"})

    document = analyze(data)

    assert "Veja o anexo." in document.text
    assert "texto bom do anexo" in document.text
    assert document.analysis.error == "damaged: attachment a.pdf: the PDF can't be opened"


def test_a_document_is_understood(analyze: Analyze) -> None:
    text = (
        "DESPACHO\nProcesso nº 0001234-74.2024.8.26.0100\n"
        "Intime-se a parte autora para, no prazo de 15 (quinze) dias, juntar"
        " comprovante de residência. Após, voltem conclusos. São Paulo, 3 de março de 2025."
    )

    analysis = analyze(text.encode()).analysis

    assert (analysis.document_type, analysis.language, analysis.pages) == ("despacho", "pt", None)
    assert analysis.summary is not None
    assert set(analysis.summary.split()) <= set(text.split())
    assert any("15" in deadline.text for deadline in analysis.deadlines)
    assert all(text[entity.start : entity.end] == entity.text for entity in analysis.entities)


def test_each_page_is_reported_in_portuguese(analyze: Analyze) -> None:
    told: list[tuple[float, str]] = []
    page = "Uma página com texto bastante para não ser tomada por imagem."

    analyze(builders.pdf(page, page, page), report=lambda percent, sentence: told.append((percent, sentence)))

    assert "Lendo a página 3 de 3" in [sentence for _, sentence in told]
    assert [percent for percent, _ in told] == sorted(percent for percent, _ in told)
    assert all(0 <= percent <= 100 for percent, _ in told)
