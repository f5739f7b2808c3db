"""References to legislation and to case law, found by rule.

The rules know the forms that lawyers agree on ('art. 5º, XXXV, da Constituição', 'Súmula 7 do STJ'). Where one
reference ends and the next begins in running text is left to `tagger`, which takes these spans as evidence.
Every repeat is possessive or bounded, so that no text takes more than linear time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from actors.engines.text.folding import fold
from actors.engines.text.word_lists import words
from tasks.payloads import EntityType

Span = tuple[int, int, EntityType]

_GAP = r"[ \n]{0,2}"
_NO = r"(?:n(?:umeros?|os|[.º]?[.ºo]?s?)?[.:]?)"
_YEAR = r"(?: ?/ ?\d{2,4})"
_NUMBER = r"\d{1,3}(?:[. ]?\d{3})*+(?:-[a-z0-9]{1,2}\b)?"

CODES = frozenset(
    words(
        "cppm cpm cpc ncpc cpp cp cc ccb clt cdc ctn ctb cf crfb adct eca lep lindb ristf ristj ritst risttst"
        " ritse loman lodf lrf cpc73 cpc15 ritcu"
        " lc ritse riste rictj ricnj"
    )
)
_CODE = rf"(?:{'|'.join(sorted(CODES - {'lc'}, key=len, reverse=True))})\b(?:[/-]\d{{2,4}})?"
_NAMED = (
    r"(?:codigo (?:de )?(?:processo|defesa|tributario|eleitoral|penal|civil|transito|propriedade|comercial"
    r"|brasileiro)(?:"
    r"(?: de| do)? (?:civil|penal|militar|consumidor|nacional|brasileiro|transito|industrial))*+"
    r"|constituicao(?: (?:federal|da republica(?: federativa do brasil)?|do estado(?: d[aoe] [a-z]+)?"
    r"|estadual|brasileira))?(?: de (?:19|20)\d\d|/\d{2,4})?"
    r"|carta (?:magna|da republica|politica|constitucional|federal|de 1988)|lei maior|lei fundamental"
    r"|texto constitucional|consolidacao das leis (?:do trabalho|trabalhistas)(?: - clt)?"
    r"|regimento interno(?: (?:d[ao]|dest[ae]) (?:superior tribunal (?:de justica|militar)"
    r"|supremo tribunal federal|tribunal superior (?:do trabalho|eleitoral)|tribunal de contas da uniao|tcu"
    r"|stf|stj|tst|tse|stm|corte|tribunal))|ri/?(?:tcu|stf|stj|stm)"
    r"|estatuto d[ao]s? (?:ferroviarios(?: d[aeo]s? [a-z]+(?: de [a-z]+)*)?|servidores publicos"
    r"|crianca e do adolescente|idoso|desarmamento|oab|advocacia|cidade|pessoa com deficiencia|torcedor)"
    r"|lei (?:maria da penha|de execu(?:cao|coes) pena(?:l|is)|de execucao fiscal|das eleicoes"
    r"|organica(?: do [a-z]+(?: [a-z]+)?)?|de drogas|do inquilinato|de locacoes|de falencias"
    r"|de licitacoes|geral de protecao de dados|de introducao as normas do direito brasileiro|da ficha limpa"
    r"|rouanet|seca|de responsabilidade fiscal|de diretrizes orcamentarias(?: de (?:19|20)\d\d)?"
    r"|orcamentaria anual|dos partidos politicos"
    r"|do servico militar|de acesso a informacao|de improbidade administrativa|da anistia|de imprensa"
    r"|dos crimes hediondos|de lavagem de dinheiro|do bem de familia|de alimentos|do divorcio"
    r"|dos registros publicos|dos juizados especiais|dos planos de saude|do superendividamento)"
    r"|marco civil da internet)"
)
_ACT = (
    r"(?:leis?|decretos?(?:[ -]leis?)?|medidas? provisorias?|emendas? (?:constituciona(?:l|is)|regimental)"
    r"|resolu(?:cao|coes)|portarias?|instru(?:cao|coes) normativas?"
    r"|m\.?p\.?r?|e\.?c\.?|l\.?c\.?|res|ren|in|provimento|dl|projetos? de lei(?: complementar)?)\b\.?(?:(?: "
    r"|-|/| - )(?:complementar(?:es)?|federa(?:l|is)|estadua(?:l|is)|municipa(?:l|is)|distrita(?:l|is)"
    r"|delegada"
    r"|ordinaria|normativas?|d[aeo]|tse|tre|cnj|cjf|stf|stj|stm|tst|tcu|contran|inss|pres|rfb|cfm|cff|ans"
    r"|aneel|anac|anatel|anvisa|anp|antt|bacen|bcb|cmn|cvm|mps|mte|mpog|slti|mec|gm|gab|pgfn|srf|cgsn"
    r"|conjunta|administrativa|interministerial)\b){0,4}+"
)
_ACT_NUMBER = rf"{_ACT}{_GAP}(?:{_NO}{_GAP})?{_NUMBER}{_YEAR}?(?!\d)"
_SOURCE = rf"(?:{_ACT_NUMBER}|{_NAMED}\b|{_CODE})"

_QUOTED = r"[\"']?"
_ARTICLE_NUMBER = r"\d{1,2}(?:\.?\d{3})?\d?(?: ?[ºo]\b\.?|º)?(?:-[a-z]\b)?"
_MARK = (
    rf"(?:art(?:s|igos?)?\b\.?{_GAP}{_ARTICLE_NUMBER}|§{{1,2}} ?\d{{1,2}}[ºo]?(?:-[a-z]\b)?"
    rf"|paragrafos? (?:unico|primeiro|segundo|terceiro|quarto|quinto|\d{{1,2}}[ºo]?)"
    rf"|inc(?:isos?)?\b\.? [ivxlc]+\b(?:-[a-z]\b)?|al(?:ineas?)?\b\.? {_QUOTED}[a-z]\b{_QUOTED})"
)
_ITEM = (
    rf"(?:{_MARK}|[ivxlc]+\b(?:-[a-z]\b)?|{_QUOTED}caput{_QUOTED}|{_QUOTED}\b[a-z]\b{_QUOTED}"
    rf"|{_ARTICLE_NUMBER}(?![/.]\d)|(?:primeira|segunda|parte) (?:parte|final))"
)
_SEPARATOR = r"(?:,? (?:e|a|c/c|ou|d[ao]s?|combinado com(?: [oa]s?)?|ambos|todos)\b|,|;|/| -)"
_ARTICLES = rf"{_MARK}(?:{_SEPARATOR}{{1,2}}{_GAP}{_ITEM}){{0,25}}+"
_BARE_ARTICLES = (
    rf"{_ARTICLE_NUMBER}(?:{_SEPARATOR}{{1,2}}{_GAP}{_ITEM}){{0,8}}+,?{_GAP}d[ao]s? (?:{_NAMED}\b|{_CODE})"
)
_LAW = re.compile(
    rf"(?<![\w/])(?:(?:{_ARTICLES},?{_GAP}(?:(?:ambos |todos )?d[aoe]s? |d[ao] (?:referid"
    rf"|citad)[ao] )?)?{_SOURCE}|(?<![\d.] )(?<![.,/-]){_BARE_ARTICLES})"
    rf"(?:,? {_ARTICLES}(?= ?[);]))?"
)
_SOURCES = re.compile(rf"(?<![\w/]){_SOURCE}")
_NEXT_IN_LIST = re.compile(r" ?(?:[,;]|\b(?:e|ou|c/c|bem como)\b| )+(?:(?:n?[oa]s?|d[ao]s?|com|a|o|as|os)\b ?)?")
_LIST_OF_NUMBERS = re.compile(rf"(?<=\d)(?:, ?| e | ou |,? e )(?:{_NO}{_GAP})?(?=\d)")

RULINGS = frozenset(
    words(
        "hc rhc resp aresp re are ai adi adin adc adpf ms rms rcl respe rr airr earr ag agr agrg agint edcl ed"
        " eds eresp earesp inq rp cc ap rp rop ro aime aije se sl ss sta ac apc arr edc"
        " err eed agrespe ext pet mi stp aco ao inst raese recurso-r arresp agreg rese rec revcrim pad pa ro-el"
        " edr edd cp hd hc-mc agrresp apn apelrex apo apc rma rhd rms-el ra prc tc"
        " ado rse iujrr iuj airo roar rxof agai agrai agrre eag eai erec ext ifc pp rvc"
    )
)
COURTS = frozenset(
    words(
        "stf stj tst tse tcu stm cnj tnu trf trf1 trf2 trf3 trf4 trf5 trf6 trt tre sbdi sdi sbdi-1 sdi-1 tjac"
        " tjal tjam tjap tjba tjce tjdf tjdft tjes tjgo tjma tjmg tjms tjmt tjpa tjpb tjpe tjpi"
        " tjpr tjrj tjrn tjro tjrr tjrs tjsc tjse tjsp tjto"
    )
)
_COURT = (
    rf"(?:{'|'.join(sorted(COURTS, key=len, reverse=True))}|supremo tribunal federal"
    rf"|superior tribunal de justica|tribunal superior (?:do trabalho|eleitoral)|tribunal de contas da uniao"
    rf"|superior tribunal militar|sbdi-[12]|sdi-[12])"
)
_OF_COURT = rf"(?: ?[/-] ?| - |, |,? (?:d[ao]|deste) (?:e\. |c\. |col\. |egregi[oa] |colend[oa] )?){_COURT}\b"
_PRECEDENT = re.compile(
    rf"(?<!\w)(?:item \S{{1,4}} d[ao] )?(?:s\.|sumulas?(?: vinculantes?)?|verbetes? sumular(?:es)?"
    rf"|enunciados?(?: administrativos?)?|orienta(?:cao|coes) jurisprudencia(?:l|is)|ojs?"
    rf"|precedentes? normativos?|temas?) (?:{_NO}{_GAP})?\d{{1,4}}(?:-\w)?(?![\d.,]\d)(?:(?:, ?"
    rf"| e ){_NO}? ?\d{{1,3}}(?![\d./]))*+"
    rf"(?:{_OF_COURT})?"
)
_LONG = (
    r"habeas corpus(?: criminal| preventivo)?|habeas data|recursos? (?:especia(?:l|is)(?: com agravo)?"
    r"|extraordinarios?(?: com agravo)?|ordinarios?|inominados?|em sentido estrito|em habeas corpus"
    r"|em mandado de seguranca|de revista(?: com agravo)?"
    r"|eleitora(?:l|is)|contra expedicao de diploma|administrativo|crime|criminal|civel)|apela(?:cao"
    r"|coes)(?:[ /]+(?:civel|civeis|crimina(?:l|is)|reexame necessario|remessa necessaria))*"
    r"|agravos?(?: (?:de instrumento|regimental|interno|em recurso (?:especial|extraordinario|de revista"
    r"|ordinario)|em execucao(?: penal)?|de peticao))*|mandados? de seguranca(?: coletivo)?"
    r"|reclamacao(?: trabalhista)?"
    r"|embargos(?: (?:de declaracao|infringentes(?: e de nulidade)?|de divergencia|a execucao|de terceiro))?"
    r"|acao (?:direta de inconstitucionalidade(?: por omissao)?|declaratoria de constitucionalidade"
    r"|penal(?: militar)?"
    r"|rescisoria|civel originaria|originaria|civil publica|cautelar|de investigacao judicial eleitoral"
    r"|de impugnacao de mandato eletivo)|arguicao de descumprimento de preceito fundamental"
    r"|arguicao de inconstitucionalidade|conflito(?: negativo| positivo)? de (?:competencia|jurisdicao)"
    r"|incidente de uniformizacao(?: de jurisprudencia)?|suspensao de (?:seguranca|liminar)|peticao"
    r"|correicao parcial"
    r"|desaforamento|inquerito(?: policial militar)?|representacao|prestacao de contas|consulta"
    r"|revisao criminal|extradicao|mandado de injuncao|instrucao|repercussao geral|medida cautelar"
    r"|questao de ordem"
    r"|reexame necessario|remessa necessaria|autos|acordaos?|decisao|conselho de justificacao"
    r"|excecao de suspeicao"
)
_SHORT = rf"(?:{'|'.join(sorted(RULINGS - {'tema', 'se'}, key=len, reverse=True))})"
_TERM = rf"(?:{_LONG}|(?:tst|stm|tse)(?= ?-)|[eag](?=-)|{_SHORT})"
_JOIN = r"(?: n[oa]s? | em | ao? | d[oa]s? | e | - |-| )"
STATE = r"(?:ac|al|am|ap|ba|ce|df|es|go|ma|mg|ms|mt|pa|pb|pe|pi|pr|rj|rn|ro|rr|rs|sc|se|sp|to)"
_NUMERAL = r"\d(?:[\d.]|[/-](?=\d)|(?<=[-.]) (?=\d))*+(?:[a-z]{2,4}\b)?"
_CASE = re.compile(
    rf"(?<!\w)(?:{_TERM}{_JOIN}){{0,7}}(?:{_LONG}|{_SHORT})\b\.?(?: |-"
    rf"|, ){{0,2}}(?:{_NO}{_GAP}:? ?)?{_NUMERAL}(?:[ -](?:agr|a gr|a g r|mc|qo|ed|edv|rg|ref)\b){{0,3}}"
    rf"(?:(?: ?[-/] ?|, ?| ?\(|-){STATE}\b)?"
)
_NUMBER_OF_COURT = re.compile(
    r"(?<![\w./-])(?:\d{14}[a-z]{3}\b|\d{1,7}-\d{2}\.\d{4}\.\d\.\d{2}\.\d{4}(?:/\d{4,5}|/[a-z]{2}\b)?"
    r"|\d{4}/\d{7}-\d\b|\d\.\d{4}\.\d{2}\.\d{6}-\d/\d{3}\b)"
)


_FIRST_WORD = re.compile(r"[^\W\d_]+")
_SMALL_TOO = frozenset({"art", "lei", "inc", "clt", "cdc", "cpc", "cpp", "eca", "ctb", "ctn"})


def find_citations(text: str) -> list[Span]:
    """Spans of LEGISLACAO and JURISPRUDENCIA as offsets into `text`, in no particular order."""
    folded = fold(text)
    spans = [(folded.start(start), folded.end(end), kind) for start, end, kind in _spans(folded.text)]
    return [span for span in spans if _plausible(text[span[0] : span[1]])]


def split_lists(text: str, span: Span) -> Iterator[Span]:
    """The references of a span that runs over several: each law ends with its source, and each number of a
    ruling stands for itself ('art. 5º da CF e 9º da CLT' is two)."""
    folded = fold(text[span[0] : span[1]])
    cuts = _cuts_of_law(folded.text) if span[2] == "LEGISLACAO" else _cuts_of_rulings(folded.text)
    begin = 0
    for end, resume in [*cuts, (len(folded.text), 0)]:
        if end > begin:
            yield span[0] + folded.start(begin), span[0] + folded.end(end), span[2]
        begin = resume


def _cuts_of_law(folded: str) -> list[tuple[int, int]]:
    sources = list(_SOURCES.finditer(folded))
    cuts = []
    for source in sources[:-1]:
        following = _NEXT_IN_LIST.match(folded, source.end())
        if following and following.group().strip():
            cuts.append((source.end(), following.end()))
    return cuts + _cuts_of_numbers(folded, sources[-1].start() if sources else len(folded))


def _cuts_of_numbers(folded: str, start: int) -> list[tuple[int, int]]:
    """'Leis nº 27/97, 30/97 e 31/97' are three, by their years."""
    return [
        (between.start(), between.end())
        for between in _LIST_OF_NUMBERS.finditer(folded, start)
        if re.search(r"/\d{2,4}$", folded[: between.start()]) and re.match(r"[\d.]+ ?/", folded[between.end() :])
    ]


def _cuts_of_rulings(folded: str) -> list[tuple[int, int]]:
    """Long numbers in a row are rulings of their own; '219 e 329' of a court's precedents stay together."""
    cuts = []
    for between in _LIST_OF_NUMBERS.finditer(folded):
        before, after = (
            re.search(r"[\d./-]+$", folded[: between.start()]),
            re.match(r"[\d./-]+", folded[between.end() :]),
        )
        if before and after and min(len(before[0]), len(after[0])) > 4:
            cuts.append((between.start(), between.end()))
    return cuts


def _plausible(words: str) -> bool:
    """Short abbreviations count in capitals only: 're 10' and 'cp 2' are other things in small letters."""
    first = _FIRST_WORD.match(words)
    return not first or len(first[0]) > 3 or any(c.isupper() for c in first[0]) or first[0] in _SMALL_TOO


def _spans(folded: str) -> Iterator[Span]:
    for match in _LAW.finditer(folded):
        yield match.start(), match.end(), "LEGISLACAO"
    for pattern in (_PRECEDENT, _CASE, _NUMBER_OF_COURT):
        for match in pattern.finditer(folded):
            yield match.start(), match.end(), "JURISPRUDENCIA"
