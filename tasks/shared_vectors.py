"""Vectors of texts that the processes of an installation share, so that one tenant pays for the same text once.

A vector can give away what was said, so it is the client's words too. The vector of a text that came with a case lies
under that case's key, and goes with the case: erasing it drops the key and then the vector. The vector of a text that
belongs to no case lies under a key of its tenant, and lives no longer than the task does that it was made for. A
document's text is shared only by tasks of its own case. Texts are known by a keyed digest of model and text: without
the master key it tells nothing.

Another case of the tenant that tells the very same text gets the vector while it lives; what it makes of it is its
own. What can't be opened is a miss.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from tasks.keys import Keys
from tasks.ledger import Ledger
from tasks.redis_faults import redis_faults
from tasks.sealing import DataKey, SealBroken
from tasks.settings import Settings

log = logging.getLogger(__name__)
_NO_CASE = "shared vectors"


@dataclass(frozen=True, slots=True)
class _Row:
    text: str
    digest: str
    case_id: str
    sealed: bytes


def _case_and_vector(value: bytes) -> tuple[str, bytes]:
    case_id, _, sealed = value.partition(b"\n")
    return case_id.decode(errors="replace"), sealed


class SharedVectors:
    """Finds and keeps vectors, for actors. With an `embeddings_shared` or a `result_cache_s` of 0 it is off."""

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        self._ledger = ledger
        self._ring = ledger.ring
        self._keys = Keys(settings.namespace)
        self._most = settings.embeddings_shared
        self._case_ttl_s = settings.result_cache_s
        self._ttl_s = min(settings.result_cache_s, settings.retention_s)

    @property
    def is_on(self) -> bool:
        return self._most > 0 and self._case_ttl_s > 0

    def find(self, tenant: str, model: str, texts: Sequence[str]) -> dict[str, bytes]:
        """The vectors that are known of these texts, as they were kept. Raises `Unavailable`."""
        digests = [self._digest(tenant, model, text) for text in texts]
        names = [self._keys.of("shared_vector", tenant=tenant, digest=digest) for digest in digests]
        with redis_faults():
            kept = cast(list[bytes | None], self._ledger.client.mget(names))
        rows = [
            _Row(text, digest, *_case_and_vector(value))
            for text, digest, value in zip(texts, digests, kept, strict=True)
            if value is not None
        ]
        # Asked anew each time: a case that was erased a moment ago answers nothing.
        self._ledger.case_keys.ask(sorted({(tenant, row.case_id) for row in rows if row.case_id}))
        opened = {row.text: self._open(tenant, row) for row in rows}
        return {text: vector for text, vector in opened.items() if vector is not None}

    def keep(self, tenant: str, case_id: str, model: str, vectors: Mapping[str, bytes]) -> None:
        """Keep vectors of texts that came with a case, with none where `case_id` is ''. Raises `Unavailable`."""
        if case_id:
            self._ledger.case_keys.ask([(tenant, case_id)])
        key, known = self._key(tenant, case_id), self._ring.known((tenant, case_id))
        if key is None:
            return
        wrapped = b"" if known is None else known.wrapped
        parts: list[str | bytes] = []
        for text, vector in vectors.items():
            digest = self._digest(tenant, model, text)
            parts += (digest, key.seal(vector, *_about(tenant, case_id, digest)))
        ttl_s = self._case_ttl_s if case_id else self._ttl_s
        self._ledger.share_vectors(tenant, case_id, wrapped, self._most, ttl_s, parts)

    def _digest(self, tenant: str, model: str, text: str) -> str:
        content = f"{model}\n{text}".encode("utf-8", "surrogatepass")
        return self._ring.vault.digest("vector", tenant, content)[:40]

    def _key(self, tenant: str, case_id: str) -> DataKey | None:
        if not case_id:
            return self._ring.vault.task_key(tenant, _NO_CASE)
        known = self._ring.known((tenant, case_id))
        return None if known is None else known.data

    def _open(self, tenant: str, row: _Row) -> bytes | None:
        key = self._key(tenant, row.case_id)
        if key is None:
            return None
        try:
            return key.open(row.sealed, *_about(tenant, row.case_id, row.digest))
        except SealBroken:
            log.warning("a vector that is shared can't be opened; it is made anew")
            return None


def _about(tenant: str, case_id: str, digest: str) -> tuple[str, str, str, str]:
    return "shared vector", tenant, case_id, digest
