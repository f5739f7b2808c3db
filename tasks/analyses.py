"""What was read out of documents, kept so that the same bytes aren't read twice for the same question.

An analysis belongs to the document that it was read out of. It lies beside that document's text, sealed with the key
of its case, and there is one of each document, the latest: so it goes when its document is deleted, when its case is
erased (its key goes first: from then on nobody can open it) and when its case expires, by the very steps that take
the text. Nothing that is kept has a life of its own.

Another document of the same tenant with the same bytes may take it over while that lives: what it gets becomes its
own, under its own case's key, as if it had been read anew, and stays when the first one goes. That says nothing of
the first case, for whoever has the bytes can read them. For the same reason a result doesn't say where it came from:
that another case held this file is that case's business. A tenant never gets another tenant's.

To find it, Redis holds a pointer per content that was read lately: a keyed digest of the bytes, a keyed digest of the
question (engine with its version, options, day), and the id of a document. Without the master key neither tells
anything. It expires, and is dropped with any document of these bytes. Wherever it leads, what lies there is opened,
compared with the question, and checked against the text; what doesn't fit, or can't be read, is a miss. Two runs that
read the same at once both read it: nothing is waited for.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import cast

import redis
from pydantic import BaseModel, ConfigDict, ValidationError

from tasks.blobs import Blobs, analysis_place, text_place
from tasks.cases import CaseFile, Document, text_about
from tasks.clock import now_ms
from tasks.keys import Keys
from tasks.payloads import AnalyzedDocument
from tasks.redis_faults import redis_faults
from tasks.sealing import DataKey, SealBroken
from tasks.settings import Settings

log = logging.getLogger(__name__)
QUESTIONS_AT_MOST = 16
"""Pointers to one content: more than there are usual options and days."""


@dataclass(frozen=True, slots=True)
class ReadBefore:
    """An analysis as it was kept, the text that its offsets count in, when it was made, and whether it is this very
    document's: then its text is kept, too."""

    analysis: AnalyzedDocument
    text: str
    at_ms: int
    is_own: bool


class _Kept(BaseModel):
    """The file, as JSON. `text_sha256` is empty where the document has no text."""

    model_config = ConfigDict(hide_input_in_errors=True)

    question: str
    at_ms: int
    text_sha256: str
    analysis: AnalyzedDocument


class Analyses:
    """Finds and keeps analyses, for actors. With a `result_cache_s` of 0 it finds and keeps none."""

    def __init__(self, client: redis.Redis, settings: Settings, cases: CaseFile, blobs: Blobs) -> None:
        self._client = client
        self._keys = Keys(settings.namespace)
        self._cases = cases
        self._blobs = blobs
        self._kept_s = settings.result_cache_s

    @property
    def is_on(self) -> bool:
        return self._kept_s > 0

    def find(self, tenant: str, document: Document, asked: str) -> ReadBefore | None:
        """What these bytes came to when the same was asked of them; `None` where that isn't known. `asked` holds
        whatever an analysis depends on beside the bytes."""
        if not self.is_on:
            return None
        question = self._question(tenant, asked)
        owners = self._owners(tenant, document, question)
        for owner in owners:
            found = self._of(tenant, owner, question)
            if found is not None:
                return replace(found, is_own=owner.document_id == document.document_id)
        return None

    def keep(self, tenant: str, document: Document, asked: str, read: ReadBefore) -> None:
        """Keep what was just read, or taken over, after the document's text was."""
        key = self._cases.keys.of(tenant, document.case_id) if self.is_on else None
        if key is None:
            return
        question = self._question(tenant, asked)
        kept = _Kept(question=question, at_ms=read.at_ms, text_sha256=_digest(read.text), analysis=read.analysis)
        place = analysis_place(tenant, document.document_id)
        self._blobs.write(place, key.seal_file([kept.model_dump_json().encode()], *_about(tenant, document)))
        self._point_at(tenant, document, question)
        if self._cases.document(tenant, document.document_id) is None:
            # It was deleted meanwhile: whoever deletes it has looked for this already.
            self._blobs.delete(place)
            with redis_faults():
                self._client.delete(self._pointers(tenant, document))

    def _question(self, tenant: str, asked: str) -> str:
        return self._cases.keys.ring.vault.digest("question", tenant, asked.encode())[:32]

    def _pointers(self, tenant: str, document: Document) -> str:
        return self._keys.of("analysed", tenant=tenant, digest=document.digest)

    def _point_at(self, tenant: str, document: Document, question: str) -> None:
        name = self._pointers(tenant, document)
        pipe = self._client.pipeline(transaction=True)
        with redis_faults():
            if self._client.hlen(name) >= QUESTIONS_AT_MOST:
                pipe.delete(name)
            pipe.hset(name, question, document.document_id)
            pipe.expire(name, self._kept_s)
            pipe.execute()

    def _owners(self, tenant: str, document: Document, question: str) -> Iterator[Document]:
        """The document itself, then one with the same bytes that was asked the same."""
        yield document
        with redis_faults():
            told = cast(bytes | None, self._client.hget(self._pointers(tenant, document), question))
        if told is None or told.decode() == document.document_id:
            return
        other = self._cases.document(tenant, told.decode())
        if other is not None and other.sha256 == document.sha256:
            yield other

    def _of(self, tenant: str, owner: Document, question: str) -> ReadBefore | None:
        place = analysis_place(tenant, owner.document_id)
        if not self._blobs.exists(place):
            return None
        key = self._cases.keys.of(tenant, owner.case_id)
        if key is None:
            return None
        try:
            return self._opened(tenant, owner, question, key)
        except FileNotFoundError:
            return None
        except (SealBroken, ValidationError, UnicodeDecodeError):
            log.warning("what was read of document %s before can't be used; it is read anew", owner.document_id)
            self._blobs.delete(place)
            return None

    def _opened(self, tenant: str, owner: Document, question: str, key: DataKey) -> ReadBefore | None:
        sealed = self._blobs.chunks(analysis_place(tenant, owner.document_id))
        kept = _Kept.model_validate_json(b"".join(key.open_file(sealed, *_about(tenant, owner))))
        if kept.question != question or kept.at_ms + 1_000 * self._kept_s < now_ms():
            return None
        text = self._text(tenant, owner, key) if kept.text_sha256 else ""
        # Another run may have read the document in another way since, and have left its text.
        is_its_own = _digest(text) == kept.text_sha256
        return ReadBefore(kept.analysis, text, kept.at_ms, is_own=True) if is_its_own else None

    def _text(self, tenant: str, owner: Document, key: DataKey) -> str:
        sealed = self._blobs.chunks(text_place(tenant, owner.document_id))
        return b"".join(key.open_file(sealed, *text_about(tenant, owner))).decode()


def _about(tenant: str, document: Document) -> tuple[str, str, str, str]:
    return "analysis", tenant, document.case_id, document.document_id


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest() if text else ""
