"""Vectors that this process has made lately, so that the same text asks no engine twice.

In memory, and gone with the process: a vector can give away what was said, so it lasts nowhere but where its owner
can forget it (its task's result, its case, and what is `Shared`, which goes with the case). For the same reason a
text is known by its digest only, and one tenant's texts answer no other's.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from time import monotonic
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from actors.engines import EmbeddingEngine, Report
from tasks import tracing

IDLE_S = 3_600.0

Key = tuple[str, str, bytes]
Vector = NDArray[np.float32]

Whose = Callable[[], str | None]
"""Says whose text the calling thread reads; `None` where nothing is to be remembered."""


def nobodys() -> None:
    """Outside of tasks: nobody's, and not remembered."""


class VectorCache:
    """The vectors used last, at most `most` of them, and of those that nobody uses for `IDLE_S` none, as soon as
    others come. `hits` and `misses` count the texts that were asked for."""

    def __init__(self, most: int, clock: Callable[[], float] = monotonic) -> None:
        self.most = most
        self.hits = 0
        self.misses = 0
        self._clock = clock
        self._kept: OrderedDict[Key, tuple[float, Vector]] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, keys: Sequence[Key]) -> dict[Key, Vector]:
        """Those of the keys that are known."""
        with self._lock:
            found = {key: self._kept.pop(key)[1] for key in dict.fromkeys(keys) if key in self._kept}
            used_at = self._clock()
            self._kept.update((key, (used_at, vector)) for key, vector in found.items())
            hits = sum(key in found for key in keys)
            self.hits += hits
            self.misses += len(keys) - hits
        return found

    def put(self, key: Key, vector: Vector) -> None:
        with self._lock:
            self._kept.pop(key, None)
            self._kept[key] = (self._clock(), vector)
            while len(self._kept) > self.most or self._is_first_idle():
                self._kept.popitem(last=False)

    def _is_first_idle(self) -> bool:
        used_at, _ = next(iter(self._kept.values()))
        return used_at < self._clock() - IDLE_S


class Shared(Protocol):
    """Where the vectors of one process help the others: for engines that cost more than the question."""

    def find(self, model: str, texts: Sequence[str]) -> Mapping[str, Vector]: ...

    def keep(self, model: str, vectors: Mapping[str, Vector]) -> None: ...


class Cached:
    """An engine that is asked only for what the cache doesn't know, and for each text of a call once."""

    def __init__(
        self, engine: EmbeddingEngine, cache: VectorCache, whose: Whose, shared: Shared | None = None
    ) -> None:
        self._engine = engine
        self._cache = cache
        self._whose = whose
        self._shared = shared

    @property
    def name(self) -> str:
        return self._engine.name

    @property
    def dimensions(self) -> int:
        return self._engine.dimensions

    @tracing.traced("engine embeddings")
    def embed(self, texts: Sequence[str], report: Report) -> Sequence[Sequence[float]]:
        """As the engine would answer."""
        tenant = self._whose()
        if tenant is None or not self._cache.most:
            return self._engine.embed(texts, report)
        keys = [self._key(tenant, text) for text in texts]
        vectors = self._cache.get(keys)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in vectors}
        if missing and self._shared is not None:
            vectors |= self._found(missing, self._shared)
            missing = {key: text for key, text in missing.items() if key not in vectors}
        if missing:
            known = 1 - len(missing) / len(texts)
            vectors |= self._made(
                missing, lambda percent, message: report(100 * known + percent * (1 - known), message)
            )
        return [vectors[key] for key in keys]  # type: ignore[misc]

    def _key(self, tenant: str, text: str) -> Key:
        return tenant, self._engine.name, hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()

    def _found(self, missing: dict[Key, str], shared: Shared) -> dict[Key, Vector]:
        """What other processes have made; one of another size is none of this engine's, which may not know its own
        before its first answer."""
        known = shared.find(self.name, list(missing.values()))
        size = self.dimensions or max(map(len, known.values()), default=0)
        found = {key: known[text] for key, text in missing.items() if text in known and len(known[text]) == size}
        for key, vector in found.items():
            self._cache.put(key, vector)
        return found

    def _made(self, missing: dict[Key, str], report: Report) -> dict[Key, Vector]:
        made: dict[Key, Any] = dict(zip(missing, self._engine.embed(list(missing.values()), report), strict=True))
        for key, vector in made.items():
            # A copy: what an engine answers may be a view of a whole batch.
            made[key] = np.array(vector, dtype=np.float32)
            self._cache.put(key, made[key])
        if self._shared is not None:
            self._shared.keep(self.name, {text: made[key] for key, text in missing.items()})
        return made
