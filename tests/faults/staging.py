"""The only place of the fault suite that knows what the systems say to Redis and keep there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum

import redis

from tasks.keys import Keys

LANE = "faults.normal"
STOCK_QUEUE = "default"
GARBLED = '{"queue_name": ['


class Moment(StrEnum):
    """When a connection breaks. A run of Despacho begins with its fetch, so there is no start of its own."""

    SUBMIT = "submit"
    FETCH = "fetch"
    END = "end"


DESPACHO_MOMENTS = {
    Moment.SUBMIT: re.compile(rb"_submit\r\n"),
    Moment.FETCH: re.compile(rb"_fetch\r\n"),
    Moment.END: re.compile(rb"_(succeed|fail|retry)\r\n"),
}
"""The functions of the library that a worker or a gateway calls then."""

STOCK_MOMENTS = {
    Moment.SUBMIT: re.compile(rb"\r\nenqueue\r\n"),
    Moment.FETCH: re.compile(rb"\r\nfetch\r\n\$\d+\r\n\d+\r\n\$7\r\ndefault\r\n"),
    Moment.END: re.compile(rb"\r\nn?ack\r\n"),
}
"""The commands of Dramatiq's one script."""


class DespachoStaging:
    """Hands of an operator, or of a bug, in Despacho's keys."""

    def __init__(self, client: redis.Redis, namespace: str = "despacho") -> None:
        self._client = client
        self._keys = Keys(namespace)

    def deliver_again(self, task_ids: Iterable[str]) -> None:
        """Push the ids into their lane once more, as two promoters or a repeated push would."""
        _double(self._client, self._keys.of("lane", lane=LANE), task_ids)

    def garble_ticket(self, task_id: str) -> None:
        self._client.hset(self._keys.of("messages", lane=LANE), task_id, GARBLED)

    def garble_payload(self, task_id: str) -> None:
        self._client.hset(self._keys.of("task", id=task_id), "payload", '{"number": ')


def _double(client: redis.Redis, queue: str, ids: Iterable[str]) -> None:
    """Right behind the first one where it still waits, so that both are fetched together; else at the end."""
    for each in ids:
        if client.linsert(queue, "AFTER", each, each) < 1:
            client.rpush(queue, each)


class StockStaging:
    """The same in the keys of Dramatiq's Redis broker."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def deliver_again(self, message_ids: Iterable[str]) -> None:
        _double(self._client, f"dramatiq:{STOCK_QUEUE}", message_ids)

    def garble_ticket(self, message_id: str) -> None:
        self._client.hset(f"dramatiq:{STOCK_QUEUE}.msgs", message_id, GARBLED)

    def waiting(self) -> dict[str, bytes]:
        """Messages by their ids: waiting, delayed, or in some worker's hands."""
        found: dict[bytes, bytes] = {}
        for name in (f"dramatiq:{STOCK_QUEUE}.msgs", f"dramatiq:{STOCK_QUEUE}.DQ.msgs"):
            found |= self._client.hgetall(name)  # type: ignore[arg-type]
        return {message_id.decode(): message for message_id, message in found.items()}

    def dead(self) -> set[str]:
        return {key.decode() for key in self._client.hkeys(f"dramatiq:{STOCK_QUEUE}.XQ.msgs")}  # type: ignore[union-attr]
