"""Which language a text is written in: Portuguese, English, Spanish, or undecided.

A profile of everyday words and of spellings only one of the languages has; made for chat messages of two words
as well as for rulings. Other languages come out as 'und', as does anything that is not language at all.
"""

from __future__ import annotations

import re

from actors.engines.text.word_lists import words

SAMPLE = 20_000
"""Characters read: a longer text has shown its language long before."""
FAMILIAR = 0.3
"""Share of the words that must belong to a language: below it, the text is in another one or in none."""

_WORDS = re.compile(r"[^\W\d_]+(?:'[a-z]{1,2})?")

_PROFILES: dict[str, frozenset[str]] = {
    "pt": frozenset(
        words("""
        a o as os um uma uns umas de da do das dos em na no nas nos ao aos à às pela pelo pelas pelos com sem sob
        e ou mas porém que quem qual quando onde como porque pq se não nao sim já ja ainda também tambem tb mais
        menos muito muita muitos muitas bem só so até ate desde entre após apos contra para pra pro por eu tu ele
        ela nós nos eles elas você voce vc vcs vocês me te lhe meu minha meus minhas seu sua seus suas nosso nossa
        dele dela isso isto esse essa este esta aquele aquela é são sao era eram foi foram fui ser estar está esta
        estou tô to tá ta tão estão estava tem têm tenho tinha ter há ha vai vou vão ir fazer fez faz fiz pode
        posso podem quero queria preciso precisa gostaria sei sabe saber disse falou oi olá ola bom boa dia tarde
        noite obrigado obrigada obg tudo ajuda ajudar advogado advogada doutor doutora processo audiência
        audiencia direito direitos juiz justiça justica empresa trabalho banco conta dinheiro salário salario
        filho filha mãe mae pai marido esposa mulher homem casa aluguel contrato prazo hoje amanhã amanha ontem
        agora dias mês mes ano anos vez autos réu reu autor autora sentença sentenca art lei nº quanto custa vocês
        consulta urgente demitido demitida divórcio divorcio pensão pensao aposentadoria inss blz valeu kk kkk
        kkkk rs né manda mandar foto veio pagar pagou receber trabalho mora moro aluguei vizinho
        vizinha roubaram bateu preso prender delegacia remédio ne aí ai lá aqui ali nada algo alguém
        ninguém fica ficou deu dar recebi paguei comprei
        """)
    ),
    "en": frozenset(
        words("""
        the of and to in is was are were be been being it that this these those i you he she we they my your his
        her our their me him them for with on at from by about into not no yes do does did don't doesn't didn't
        have has had will would can could should may might must need want what when where who why how which hello
        hi hey please thanks thank lawyer help court law case divorce rent landlord tenant job boss fired money
        bank today tomorrow yesterday because but or if so as an a there here just any some all more very good
        morning afternoon evening i'm it's you're i've can't won't isn't real bot speak english work contract pay
        paid get got out up know your who's
        """)
    ),
    "es": frozenset(
        words("""
        el la los las un una unos unas de del en al con sin y o pero que quien cual cuando donde como porque si sí
        no ya aún también tambien más mas menos muy mucho mucha bien solo hasta desde entre para por yo tú él ella
        ella nosotros ellos ellas usted ustedes me te le les lo mi mis su sus tu tus nuestro es son era fue fueron
        soy ser estar está esta estoy están tengo tiene tienen tener hay hace hacer hizo puedo puede pueden quiero
        quisiera necesito necesita hola buenos buenas días dias tardes noches gracias ayuda abogado abogada señor
        señora juez juicio ley derecho derechos trabajo empresa banco cuenta dinero salario hijo hija madre padre
        marido esposa mujer hombre casa alquiler contrato plazo hoy mañana ayer ahora años año mes vez dijo cuánto
        cuanto cuesta consulta despido despidieron divorcio pensión eso esto ese este aquel muchas favor desalojo
        """)
    ),
}
_ONLY = {
    "pt": re.compile(r"ã|õ|ç|lh|nh|ê|ô|[ai]r[ao]m\b|^k{3,}$|^(?:rs)+$|ndo\b"),
    "en": re.compile(r"\bth|wh|ck\b|sh|ing\b|'s\b|'t\b"),
    "es": re.compile(r"ñ|ción\b|ll|ie[nr]t|ue[rst]|[ai]e?ron\b"),
}


def detect_language(text: str) -> str:
    """ISO 639-1 code of `text`, of 'pt', 'en' and 'es', or 'und' if it can't be told."""
    words = _WORDS.findall(text[:SAMPLE].lower())
    scores = {language: _score(language, words) for language in _PROFILES}
    best = max(scores, key=lambda language: scores[language])
    return best if scores[best] > 0 and _familiar(best, words) >= FAMILIAR * len(words) else "und"


def _familiar(language: str, words: list[str]) -> int:
    return sum(1 for word in words if word in _PROFILES[language] or _ONLY[language].search(word))


def _score(language: str, words: list[str]) -> float:
    profile, only = _PROFILES[language], _ONLY[language]
    shared = sum(_weight(language, word) for word in words if word in profile)
    return shared + sum(0.4 for word in words if only.search(word))


def _weight(language: str, word: str) -> float:
    """A word of one language alone tells more than one that several share; Portuguese wins a draw."""
    sharing = sum(word in profile for profile in _PROFILES.values())
    return 1.0 / sharing + (0.05 if language == "pt" else 0.0)
