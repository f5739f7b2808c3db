"""Brings a client's writing to one form: no case, no accents, no chat abbreviations, no stretched letters.

It is for comparing words, never for showing them: the folded text has other offsets than the original.
"""

from __future__ import annotations

import re
import unicodedata

ABBREVIATIONS = {
    "q": "que", "oq": "o que", "vc": "voce", "vcs": "voces", "vx": "voce", "ce": "voce", "cs": "voces",
    "pq": "porque", "pk": "porque", "pqe": "porque", "porq": "porque", "n": "nao", "nn": "nao", "naum": "nao",
    "hj": "hoje", "hje": "hoje", "oje": "hoje", "amnh": "amanha", "amn": "amanha",
    "manha": "manha", "ontm": "ontem", "td": "tudo", "tds": "todos", "tdo": "tudo", "mt": "muito",
    "mto": "muito", "mta": "muita", "mts": "muitos", "tb": "tambem", "tbm": "tambem", "tmb": "tambem",
    "eh": "e", "ta": "esta", "tah": "esta", "to": "estou", "tou": "estou", "tava": "estava", "tavam": "estavam",
    "tao": "estao", "tamos": "estamos", "pra": "para", "pro": "para o", "pras": "para as", "pros": "para os",
    "p": "para", "c": "com", "cmg": "comigo", "ctg": "contigo", "msm": "mesmo", "msg": "mensagem",
    "zap": "whatsapp", "zapzap": "whatsapp", "wpp": "whatsapp", "whats": "whatsapp", "wats": "whatsapp",
    "fds": "fim de semana", "qnd": "quando", "qdo": "quando", "qndo": "quando", "qto": "quanto",
    "qnt": "quanto", "dps": "depois", "dpois": "depois", "agr": "agora", "obg": "obrigado", "vlw": "valeu",
    "blz": "beleza", "aki": "aqui", "ngm": "ninguem", "alg": "alguem", "bjs": "beijos", "dr": "doutor",
    "dra": "doutora", "adv": "advogado", "apto": "apartamento", "ap": "apartamento", "ape": "apartamento",
    "facu": "faculdade", "trampo": "trabalho", "grana": "dinheiro", "din": "dinheiro", "cel": "celular",
    "insta": "instagram", "face": "facebook", "nois": "nos", "noiz": "nos", "oce": "voce", "ocê": "voce",
    "mae": "mae", "fio": "filho", "fia": "filha", "muie": "mulher", "mulé": "mulher", "muié": "mulher",
}  # fmt: skip
"""Spellings of Brazilian chats and the words they stand for, collected by hand."""

_STRETCHED = re.compile(r"([aeiouhkrsz])\1{2,}")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_LINK = re.compile(r"https?://\S{1,500}|www\.\S{1,500}")
_WORD = re.compile(r"[a-z0-9]+(?:-[a-z]+)*")


def fold(text: str) -> str:
    """Lower case without accents, chat abbreviations written out, 'naaaao' as 'nao'."""
    return " ".join(ABBREVIATIONS.get(word, word) for word in fold_lightly(text).split(" "))


def fold_lightly(text: str) -> str:
    """Lower case without accents; every run of other characters becomes one blank, punctuation stays apart."""
    plain = unicodedata.normalize("NFKD", text.lower())
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    return re.sub(r"\s+", " ", _STRETCHED.sub(r"\1", re.sub(r"([^\w\s/$%-])", r" \1 ", plain))).strip()


def words(text: str) -> list[str]:
    """The folded words of a text; a link is the word 'link', a number says only how many digits it has."""
    return _WORD.findall(fold(_NUMBER.sub(_digits, _LINK.sub(" link ", text))))


def _digits(number: re.Match[str]) -> str:
    return f" num{min(len(number.group()), 9)} "
