"""Ciphers, and nothing else that knows of them: what clients tell is sealed with AES-256-GCM (NIST SP 800-38D).

A case has a data key of its own, which lies in Redis wrapped with the master key: dropped there, nothing of the case
can be read any more, wherever a copy of it lies. What belongs to no case is sealed with a key that is derived for its
task. Every sealed value says under which key it lies, and is bound to what it is and whose: put elsewhere, it is
refused. What an older release wrote in clear is known by its first byte, and read as it is.

Where keys are kept and how processes come by them is not this module's business: see `tasks/case_keys.py`.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SECRET_BYTES = 32
ID_BYTES = 8
NONCE_BYTES = 12
TAG_BYTES = 16
SEALED: Final = b"\x01"
"""The first byte of a sealed value. JSON, which older releases wrote, never begins with it."""
FILE_MAGIC: Final = b"\x01despacho\x01"
CHUNK_BYTES = 64 << 10
_HEAD = len(SEALED) + ID_BYTES


class SealBroken(ValueError):
    """What was sealed can't be opened: its key is gone, it was changed, or it was put where it doesn't belong."""


def is_sealed(value: bytes) -> bool:
    """Whether this is a sealed value, not JSON in clear."""
    return value[:1] == SEALED


def key_id_of(sealed: bytes) -> bytes:
    """The id of the key that a sealed value lies under."""
    return sealed[len(SEALED) : _HEAD]


def file_key_id(head: bytes) -> bytes | None:
    """The id of the key that a file lies under, from its first bytes; `None` for one in clear."""
    return head[len(FILE_MAGIC) : len(FILE_MAGIC) + ID_BYTES] if head.startswith(FILE_MAGIC) else None


def _bound_to(about: Sequence[str]) -> bytes:
    return "\n".join(about).encode()


@dataclass(frozen=True, slots=True)
class DataKey:
    """A key that seals. `about` says what a value is and whose, in an order that stays the same over releases."""

    key_id: bytes
    secret: bytes = field(repr=False)

    def seal(self, plain: bytes, *about: str) -> bytes:
        return self.sealer().seal(plain, *about)

    def open(self, sealed: bytes, *about: str) -> bytes:
        """Raises `SealBroken`."""
        return self.sealer().open(sealed, *about)

    def sealer(self) -> Sealer:
        """The same, for several values in a row."""
        return Sealer(self.key_id, AESGCM(self.secret))

    # ------------------------------------------------------------------------------------------- files

    def seal_file(self, chunks: Iterable[bytes], *about: str) -> Iterator[bytes]:
        """A sealed file, a piece at a time: pieces can't be swapped, dropped or cut off unnoticed (STREAM, Hoang et
        al. 2015), and each file has a key of its own."""
        salt = os.urandom(SECRET_BYTES)
        yield FILE_MAGIC + self.key_id + salt
        cipher, bound = self._file_cipher(salt), _bound_to(about)
        number, waiting = 0, b""
        for piece in _pieces(chunks):
            if number or waiting:
                yield cipher.encrypt(_nonce(number, last=False), waiting, bound)
                number += 1
            waiting = piece
        yield cipher.encrypt(_nonce(number, last=True), waiting, bound)

    def open_file(self, sealed: Iterable[bytes], *about: str) -> Iterator[bytes]:
        """The pieces of a file, also of one that an older release wrote in clear. Raises `SealBroken` at the first
        one that is wrong, or missing at the end."""
        source, first = iter(sealed), b""
        while len(first) < len(FILE_MAGIC) and (more := next(source, b"")):
            first += more
        if first.startswith(FILE_MAGIC):
            yield from self._open_sealed_file(_after(first, source), *about)
        else:
            yield from _after(first, source)

    def _open_sealed_file(self, sealed: Iterator[bytes], *about: str) -> Iterator[bytes]:
        head, pieces = _head_and_pieces(sealed)
        if file_key_id(head) != self.key_id:
            raise SealBroken("the file lies under another key")
        cipher, bound = self._file_cipher(head[-SECRET_BYTES:]), _bound_to(about)
        waiting = next(pieces, b"")
        for number, following in enumerate(_then_none(pieces)):
            try:
                yield cipher.decrypt(_nonce(number, last=following is None), waiting, bound)
            except (InvalidTag, ValueError):
                raise SealBroken("the file was changed") from None
            if following is not None:
                waiting = following

    def _file_cipher(self, salt: bytes) -> AESGCM:
        return AESGCM(hmac.digest(self.secret, b"file\n" + salt, "sha256"))


@dataclass(frozen=True, slots=True)
class Sealer:
    """A data key with its cipher made ready."""

    key_id: bytes
    _cipher: AESGCM = field(repr=False)

    def seal(self, plain: bytes, *about: str) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return SEALED + self.key_id + nonce + self._cipher.encrypt(nonce, plain, _bound_to(about))

    def open(self, sealed: bytes, *about: str) -> bytes:
        """Raises `SealBroken`."""
        if not is_sealed(sealed):
            return sealed
        if key_id_of(sealed) != self.key_id:
            raise SealBroken("the value lies under another key")
        nonce, body = sealed[_HEAD : _HEAD + NONCE_BYTES], sealed[_HEAD + NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, body, _bound_to(about))
        except (InvalidTag, ValueError):
            raise SealBroken("the value was changed, or is not what it is taken for") from None


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(NONCE_BYTES - 1, "big") + (b"\1" if last else b"\0")


def _cut(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in pieces of one size; the last may be smaller."""
    kept = bytearray()
    for chunk in chunks:
        kept += chunk
        while len(kept) >= size:
            yield bytes(kept[:size])
            del kept[:size]
    if kept:
        yield bytes(kept)


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    return _cut(chunks, CHUNK_BYTES)


def _then_none(pieces: Iterable[bytes]) -> Iterator[bytes | None]:
    yield from pieces
    yield None


FILE_HEAD_BYTES = len(FILE_MAGIC) + ID_BYTES + SECRET_BYTES


def _head_and_pieces(sealed: Iterable[bytes]) -> tuple[bytes, Iterator[bytes]]:
    source, head = iter(sealed), b""
    while len(head) < FILE_HEAD_BYTES:
        more = next(source, b"")
        if not more:
            raise SealBroken("the file is cut off")
        head += more
    rest = head[FILE_HEAD_BYTES:]
    return head[:FILE_HEAD_BYTES], _cut(_after(rest, source), CHUNK_BYTES + TAG_BYTES)


def _after(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


# ------------------------------------------------------------------------------------------------ master


@dataclass(frozen=True, slots=True)
class CaseKey:
    """A case's data key, and the form in which Redis keeps it."""

    data: DataKey
    wrapped: bytes


class MasterKey:
    """What wraps the keys of cases, and what other secrets are derived from."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != SECRET_BYTES:
            raise ValueError(f"a master key has {SECRET_BYTES} bytes")
        self._secret = secret
        self.key_id = hashlib.sha256(b"despacho master key\n" + secret).digest()[:ID_BYTES]
        self.wrapper = AESGCM(self.derived("wrap"))

    def derived(self, *purpose: str) -> bytes:
        """A secret for one purpose, from which neither the master key nor another secret can be told."""
        return hmac.digest(self._secret, _bound_to(purpose), "sha256")


class Vault:
    """The master keys of an installation: the first one is used, the others still open what lies under them."""

    def __init__(self, masters: Sequence[MasterKey]) -> None:
        if not masters:
            raise ValueError("there is no master key")
        self.master = masters[0]
        self._by_id = {master.key_id: master for master in masters}

    # ------------------------------------------------------------------------------------- keys of cases

    def new_case_key(self, tenant: str, case_id: str) -> CaseKey:
        data = DataKey(os.urandom(ID_BYTES), os.urandom(SECRET_BYTES))
        return CaseKey(data, self._wrap(data, tenant, case_id))

    def _wrap(self, data: DataKey, tenant: str, case_id: str) -> bytes:
        nonce, master = os.urandom(NONCE_BYTES), self.master
        bound = data.key_id + _bound_to(("case key", tenant, case_id))
        head = SEALED + master.key_id + data.key_id + nonce
        return head + master.wrapper.encrypt(nonce, data.secret, bound)

    def unwrap(self, wrapped: bytes, tenant: str, case_id: str) -> CaseKey:
        """Raises `SealBroken`."""
        ids, body = wrapped[len(SEALED) : _HEAD + ID_BYTES], wrapped[_HEAD + ID_BYTES :]
        master, key_id = self._by_id.get(ids[:ID_BYTES]), ids[ID_BYTES:]
        if not is_sealed(wrapped) or master is None:
            raise SealBroken("the key of a case lies under another master key")
        bound = key_id + _bound_to(("case key", tenant, case_id))
        try:
            secret = master.wrapper.decrypt(body[:NONCE_BYTES], body[NONCE_BYTES:], bound)
        except (InvalidTag, ValueError):
            raise SealBroken("the key of a case was changed") from None
        return CaseKey(DataKey(key_id, secret), wrapped)

    def rewrapped(self, wrapped: bytes, tenant: str, case_id: str) -> bytes | None:
        """The same key under the present master key; `None` where it lies under that already."""
        if wrapped[len(SEALED) : _HEAD] == self.master.key_id:
            return None
        return self._wrap(self.unwrap(wrapped, tenant, case_id).data, tenant, case_id)

    # ------------------------------------------------------------------------------------ derived secrets

    def is_master(self, key_id: bytes) -> bool:
        """Whether what lies under this key lies under one that is derived, not a case's own."""
        return key_id in self._by_id

    def task_key(self, tenant: str, task_id: str, master_id: bytes | None = None) -> DataKey:
        """The key of a task that belongs to no case. Raises `SealBroken` for a master key that isn't there."""
        master = self.master if master_id is None else self._by_id.get(master_id)
        if master is None:
            raise SealBroken("the value lies under another master key")
        return DataKey(master.key_id, master.derived("task", tenant, task_id))

    def file_key(self, tenant: str, sha256: str) -> DataKey:
        """The key of a document's bytes: the same for the same bytes of one tenant, and found only by who knows
        their digest, which lies sealed with the case."""
        return DataKey(self.master.key_id, self.master.derived("document", tenant, sha256))

    def digest(self, purpose: str, tenant: str, content: bytes) -> str:
        """Tells whether two contents of one tenant are the same, and nothing to who has no master key."""
        keyed = hmac.new(self.master.derived("digest", purpose, tenant), content, "sha256")
        return keyed.hexdigest()

    # ---------------------------------------------------------------------------------------- signatures

    def sign(self, content: bytes) -> tuple[str, str]:
        """The Ed25519 signature of some bytes and the public key that checks it, in hex."""
        key = _signing_key(self.master)
        return key.sign(content).hex(), key.public_key().public_bytes_raw().hex()

    def has_signed(self, content: bytes, signature: str) -> bool:
        """Whether one of these master keys made this signature."""
        return any(
            _is_signed(_signing_key(master).public_key(), content, signature) for master in self._by_id.values()
        )


def _signing_key(master: MasterKey) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(master.derived("sign receipts"))


def _is_signed(key: Ed25519PublicKey, content: bytes, signature: str) -> bool:
    try:
        key.verify(bytes.fromhex(signature), content)
    except (InvalidSignature, ValueError):
        return False
    return True
