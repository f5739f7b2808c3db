"""Check digits of Brazilian identifiers: says whether a number can be real, not whether it exists."""

from __future__ import annotations

CNPJ_BODY = 12


def cpf_is_valid(digits: str) -> bool:
    """Modulo 11 over eleven digits; repeated digits pass the sum but are never issued."""
    if len(digits) != 11 or not _is_decimal(digits) or len(set(digits)) == 1:
        return False
    first = _modulo_11([int(d) for d in digits[:9]], range(10, 1, -1))
    second = _modulo_11([int(d) for d in digits[:10]], range(11, 1, -1))
    return digits[9:] == f"{first}{second}"


def cnpj_is_valid(characters: str) -> bool:
    """Modulo 11 over twelve digits or capitals, each worth its ASCII code less 48, and two decimal check digits.

    Source: Instrução Normativa RFB nº 2.229/2024 (alphanumeric CNPJ, issued from July 2026); the old, all
    numeric CNPJ is the special case without letters.
    """
    body, check = characters[:CNPJ_BODY], characters[CNPJ_BODY:]
    if len(characters) != 14 or not _is_decimal(check) or len(set(characters)) == 1:
        return False
    if not (body.isascii() and body.isalnum() and body == body.upper()):
        return False
    values = [ord(c) - 48 for c in body]
    first = _modulo_11(values, _cnpj_weights(12))
    second = _modulo_11([*values, first], _cnpj_weights(13))
    return check == f"{first}{second}"


def cnj_is_valid(digits: str) -> bool:
    """Modulo 97 (ISO 7064) over NNNNNNN DD AAAA J TR OOOO. Source: Resolução CNJ nº 65/2008, annex VIII."""
    if len(digits) != 20 or not _is_decimal(digits):
        return False
    return int(digits[:7] + digits[9:] + digits[7:9]) % 97 == 1


def _is_decimal(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _modulo_11(values: list[int], weights: range | list[int]) -> int:
    remainder = sum(v * w for v, w in zip(values, weights, strict=True)) % 11
    return 0 if remainder < 2 else 11 - remainder


def _cnpj_weights(count: int) -> list[int]:
    return [2 + (count - 1 - i) % 8 for i in range(count)]
