"""Extractive summaries: the sentences that say most, verbatim and in their order. It writes nothing of its own.

Sentences are ranked by how central their words are to the text, by figures and facts they hold, and by a
weight of the caller's; greetings, thanks and court boilerplate are left out unless nothing else is there.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable

from actors.engines.text.folding import plain
from actors.engines.text.word_lists import words

MAX_SENTENCES_READ = 2_000
"""Bound on the ranking of huge texts: what a text is about stands at its beginning."""

_ABBREVIATIONS = frozenset(
    words(
        "art arts inc al par dr dra drs sr sra srs srta des desa min exmo exma ilmo ilma mm prof profa eng adv n"
        " no nº "
        "num núm proc fl fls p pp pg pág págs pag ap apto av r rod km cep tel cel ltda cia s.a s a etc ex v vs"
        " op cit "
        "cf rel rela c j dje dj jan fev mar abr mai jun jul ago set out nov dez hab rec vol ed inc obs ref v.g"
        " e.g i.e sto sta"
    )
)
_BREAK = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s|$)|\n+")
_WORD = re.compile(r"[a-z0-9]{2,}")
_STOPWORDS = frozenset(
    words("""
    a ao aos as ate com como da das de dela dele deles do dos e ela elas ele eles em entre era essa esse esta este
    eu foi for ha isso isto ja la lhe mais mas me mesmo meu minha muito na nao nas nem no nos nossa o os ou para
    pela pelo pelos por porque pra pro qual quando que quem se sem ser seu seus sua suas so tambem te tem tenho
    ter ta to um uma vai vc voce voces ainda agora ai bem tudo isso aqui sobre sao ser sido seja
    """)
)
_GREETING = re.compile(
    r"^\W*(?:(?:oi+e?|ola|opa|e ai|eai|alo|bom dia|boa tarde|boa noite|bd|tudo bem|tudo bom|td bem|como vai"
    r"|prezad[oa]s?"
    r"|car[oa]s?|dr|dra|doutora?|senhora?|srs?|sra|pessoal|gente|obrigad[oa]|obg|brigad[oa]"
    r"|muito obrigad[oa]|valeu|vlw"
    r"|por favor|pf|pfv|ok|blz|beleza|certo|sim|nao|entendi|atenciosamente|att|abracos?|abs|cordialmente"
    r"|fico no aguardo(?: do seu retorno)?|aguardo(?: retorno)?|desde ja agradeco|agradeco)\b\W*)+$"
)
_BOILERPLATE = re.compile(
    r"\b(?:excelentissimo senhor|documento assinado (?:eletronicamente|digitalmente)|assinado eletronicamente"
    r"|termos em que|nestes termos|pede deferimento|publique-se|registre-se|intimem?-se|cite-se|cumpra-se"
    r"|p\. ?r\. ?i"
    r"|e o relatorio|vistos(?:,? etc)?\b|pagina \d+ de \d+|autenticidade|conferido em|mp n\W{0,3}2\.200|oab/"
    r"|endereco:|cep \d"
    r"|o referido e verdade|dou fe|para (?:conferir|confirmar|acessar) |codigo verificador|chave de acesso"
    r"|www\.|https?:)"
)
_FACT = re.compile(
    r"\d|r\$|\bprazo\b|\baudiencia\b|\bcondeno?\b|\bjulg\w+|\bdefir\w+|\bindefir\w+|\bdetermin\w+|\brequer\b"
)


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Offsets of the sentences, blanks around them left out. A line break ends a sentence, an abbreviation
    or a point inside a number does not."""
    spans, start = [], 0
    for match in _BREAK.finditer(text):
        if "\n" in match[0] or not _goes_on(text, start, match):
            spans.append((start, match.end()))
            start = match.end()
    spans.append((start, len(text)))
    return [trimmed for span in spans if (trimmed := _trim(text, *span))]


def summarize(text: str, max_sentences: int = 3, weight: Callable[[str], float] | None = None) -> str:
    """The `max_sentences` sentences that say most, verbatim but for white space, in the order of the text.

    `weight` is given each sentence and multiplies its score: above 1 lifts it, 0 keeps it for last.
    """
    sentences = _worth_reading([_squeeze(text[s:e]) for s, e in split_sentences(text)[:MAX_SENTENCES_READ]])
    if len(sentences) <= max_sentences:
        return " ".join(sentences)
    scores = _rank(sentences, weight)
    chosen = _choose(sentences, scores, max_sentences)
    return " ".join(sentences[i] for i in sorted(chosen))


def _goes_on(text: str, start: int, stop: re.Match[str]) -> bool:
    """Whether the point belongs to an abbreviation, an initial or an ordinal and the sentence goes on."""
    if stop[0] != ".":
        return False
    word = re.search(r"[^\s(]{0,20}$", text[max(start, stop.start() - 20) : stop.start()])
    token = word[0].lower() if word else ""
    following = text[stop.end() : stop.end() + 40].lstrip()
    return token in _ABBREVIATIONS or following[:1].islower() or (len(token) == 1 and token.isalpha())


def _trim(text: str, start: int, end: int) -> tuple[int, int] | None:
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    end = start + len(piece.strip())
    return (start, end) if start < end else None


def _squeeze(text: str) -> str:
    return " ".join(text.split())


def _worth_reading(sentences: list[str]) -> list[str]:
    distinct = list(dict.fromkeys(sentences))
    telling = [s for s in distinct if not _GREETING.match(plain(s)) and any(c.isalpha() for c in s)]
    plainly = [s for s in telling if not _BOILERPLATE.search(plain(s))]
    return plainly or telling or distinct


def _terms(sentence: str) -> frozenset[str]:
    return frozenset(w[:6] for w in _WORD.findall(plain(sentence)) if w not in _STOPWORDS)


def _rank(sentences: list[str], weight: Callable[[str], float] | None) -> list[float]:
    terms = [_terms(s) for s in sentences]
    spread = Counter(term for bag in terms for term in bag)
    scores = [_centrality(bag, spread) * _facts(s) for s, bag in zip(sentences, terms, strict=True)]
    if weight is None:
        return scores
    return [score * max(0.0, weight(s)) for s, score in zip(sentences, scores, strict=True)]


def _centrality(bag: frozenset[str], spread: Counter[str]) -> float:
    if not bag:
        return 0.0
    return sum(math.log1p(spread[term]) for term in bag) / math.sqrt(len(bag) + 6)


def _facts(sentence: str) -> float:
    return 1.25 if _FACT.search(plain(sentence)) else 1.0


def _choose(sentences: list[str], scores: list[float], count: int) -> list[int]:
    """The best `count`, each next one paying for the words it shares with those already chosen."""
    terms = [_terms(s) for s in sentences]
    chosen: list[int] = []
    told: set[str] = set()
    candidates = sorted(range(len(sentences)), key=lambda i: -scores[i])[: 10 * count]
    while candidates and len(chosen) < count:
        best = max(candidates, key=lambda i: (scores[i] * _novelty(terms[i], told), -i))
        candidates.remove(best)
        chosen.append(best)
        told |= terms[best]
    return chosen


def _novelty(bag: frozenset[str], told: set[str]) -> float:
    return 1.0 - 0.7 * len(bag & told) / len(bag) if bag else 0.0
