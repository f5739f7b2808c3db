"""Summaries made of the text's own sentences."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actors.engines.text.summary import split_sentences, summarize

CHAT = """Oi, boa tarde!
Tudo bem?
Trabalhei cinco anos numa padaria sem carteira assinada.
Na semana passada o dono me mandou embora e não pagou nada.
Tenho dois filhos e o aluguel vence dia 15.
O gerente é amigo do dono.
Obrigada!"""

RULING = (
    "PODER JUDICIÁRIO. Vistos etc. Trata-se de ação de cobrança movida pelo condomínio contra o morador. "
    "O réu, citado pelo Dr. Oficial de Justiça, não contestou (art. 344 do CPC). "
    "Ante o exposto, JULGO PROCEDENTE o pedido e condeno o réu a pagar R$ 7.812,40 ao condomínio. P.R.I."
)


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in split_sentences(text)]


def test_abbreviations_and_numbers_do_not_end_a_sentence() -> None:
    text = "O art. 5º vale. O Dr. J. Reis pagou R$ 1.500,00 à Sra. Ana. Fim"
    assert sentences(text) == ["O art. 5º vale.", "O Dr. J. Reis pagou R$ 1.500,00 à Sra. Ana.", "Fim"]


def test_a_line_break_ends_a_turn_of_a_chat() -> None:
    assert sentences("oi\nfui demitida\n\n  quero ajuda ") == ["oi", "fui demitida", "quero ajuda"]


def test_a_summary_of_a_chat_leaves_greetings_out_and_keeps_the_order() -> None:
    summary = summarize(CHAT)
    assert "Oi" not in summary
    assert "Obrigada" not in summary
    told = [line for line in CHAT.splitlines() if line in summary]
    assert len(told) == 3
    assert summary == " ".join(told)


def test_a_summary_of_a_ruling_tells_the_decision() -> None:
    summary = summarize(RULING, max_sentences=2)
    assert "JULGO PROCEDENTE" in summary
    assert "P.R.I" not in summary


def test_a_weight_lifts_a_sentence() -> None:
    summary = summarize(CHAT, max_sentences=1, weight=lambda s: 50.0 if "amigo" in s else 1.0)
    assert summary == "O gerente é amigo do dono."


def test_a_greeting_alone_is_its_own_summary() -> None:
    assert summarize("bom dia") == "bom dia"
    assert summarize(" \n ") == ""


@given(st.text(max_size=400), st.integers(1, 4))
def test_a_summary_is_made_of_the_text_alone(text: str, count: int) -> None:
    whole = {" ".join(sentence.split()) for sentence in sentences(text)}
    summary = summarize(text, count)
    assert len(summary) <= sum(map(len, whole)) + len(whole)
    assert summary == "" or any(summary.startswith(sentence) for sentence in whole)


@given(st.text(max_size=300))
def test_sentences_cover_all_that_is_not_blank(text: str) -> None:
    covered = "".join(sentences(text))
    assert "".join(covered.split()) == "".join(text.split())
