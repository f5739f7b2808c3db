"""The bridge from Redis pub/sub to the watchers of this process: one connection, however many watch.

A channel is subscribed while somebody watches it. An event is decoded once and encoded once per form, then handed
to every watcher's own bounded queue, so that a slow one never slows another. What could have been missed, because
the connection was cut, is told to the watchers as a gap; they read what they missed from the log.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final, TypeVar

import redis

from gateway.sse import case_event_name, encode
from tasks.api_keys import Identities, Identity
from tasks.clock import now_ms
from tasks.connection import connect_async_listener
from tasks.errors import Unavailable
from tasks.keys import Keys
from tasks.known_keys import KnownKeys
from tasks.lifecycle import State
from tasks.record import Event, Task, parse_message
from tasks.settings import Settings

W = TypeVar("W", bound="Watcher")
LookUp = Callable[[str], Awaitable[Task | None]]
"""Reads the record of a task."""
log = logging.getLogger(__name__)
SUBSCRIBE, UNSUBSCRIBE = "subscribe", "unsubscribe"
BEHIND_AT_MOST = 1_000
RECONNECT_S = 0.2
ACKNOWLEDGED_WITHIN_S = 2.0
LONGEST_STREAM_S = 7 * 86_400


class _Signal:
    """Something a watcher must know that is no event."""


GAP: Final = _Signal()
"""Events may have been missed: read the log from the last number on."""
CLOSED: Final = _Signal()
"""There will be no more: the process stops, the watcher fell too far behind, or its token holds no more."""


class Frame:
    """An event on its way to many watchers; each form is encoded when the first of them needs it.

    One that was `heard` brings no result: it is looked up once, when the first watcher who may see it asks."""

    def __init__(self, event: Event, *, heard: bool = False) -> None:
        self.event = event
        self._lacks_result = heard and event.event == State.SUCCEEDED
        self._looking_up: asyncio.Future[Any] | None = None

    async def complete(self, look_up: LookUp) -> None:
        """Let the event have its result."""
        if not self._lacks_result:
            return
        if self._looking_up is None:
            self._looking_up = asyncio.ensure_future(look_up(self.event.task_id))
        # Finished also where this watcher goes: others wait for the same answer.
        task = await asyncio.shield(self._looking_up)
        if self._lacks_result and task is not None:
            self.event = replace(self.event, result=task.result)
        self._lacks_result = False

    @cached_property
    def for_task(self) -> bytes:
        return encode(self.event, self.event.event)

    @cached_property
    def for_case(self) -> bytes:
        return encode(self.event, case_event_name(self.event))

    @cached_property
    def for_task_without_payload(self) -> bytes:
        return encode(self.event, self.event.event, with_payload=False)

    @cached_property
    def for_case_without_payload(self) -> bytes:
        return encode(self.event, case_event_name(self.event), with_payload=False)


NEWS: Final = _Signal()
"""Something happened; what it was, the watcher looks up by itself."""

Item = Frame | _Signal


@dataclass(eq=False)
class Watcher:
    """One stream's own queue of what it has yet to tell, and the key on whose behalf it watches."""

    channel: str
    key_id: str = ""
    queue: asyncio.Queue[Item] = field(default_factory=lambda: asyncio.Queue(BEHIND_AT_MOST + 1))
    is_cut: bool = False

    def offer(self, item: Item) -> None:
        """Queue an item; a watcher that is too far behind is told that it is cut."""
        if self.is_cut:
            return
        if self.queue.qsize() >= BEHIND_AT_MOST:
            self.cut()
            return
        self.queue.put_nowait(item)

    def cut(self) -> None:
        """End it, without a word of what it has yet to tell."""
        self.is_cut = True
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(CLOSED)


@dataclass(eq=False)
class Nudged(Watcher):
    """For a stream that looks up what is new by itself: however much happens before it looks, it is told once, so it
    may be as slow as it likes."""

    closed: bool = False

    def offer(self, item: Item) -> None:
        self.closed = self.closed or item is CLOSED
        if self.queue.empty():
            self.queue.put_nowait(NEWS)

    def cut(self) -> None:
        self.is_cut = True
        self.offer(CLOSED)


@dataclass(eq=False)
class _Channel:
    """Who watches a channel, and whether the server has acknowledged that it is heard."""

    watchers: set[Watcher] = field(default_factory=set)
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    def hand_out(self, item: Item) -> None:
        for watcher in self.watchers:
            watcher.offer(item)


class Bridge:
    """Watch a channel with `async with bridge.watch(channel) as watcher`."""

    def __init__(
        self, settings: Settings, identities: Identities, on_erasure: Callable[[str, str], None] | None = None
    ) -> None:
        self.keys = Keys(settings.namespace)
        self._settings = settings
        self._identities = identities
        self._known_keys: KnownKeys[Any] = identities.known
        self._on_erasure = on_erasure
        self._key_changes = self.keys.of("key_changes")
        self._case_erasures = self.keys.of("case_erasures")
        self._channels: dict[str, _Channel] = {}
        # Unsubscriptions on their way: until they are answered, the answer to a subscription may be an older one's.
        self._leaving: Counter[str] = Counter()
        self._sending = asyncio.Lock()
        self._closed = False
        self._pubsub: Any = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="bridge")

    def stop_watching(self) -> None:
        """Let every stream end; called when the process is told to stop, so that none holds it up."""
        self._closed = True
        for channel in self._channels.values():
            channel.hand_out(CLOSED)

    async def close(self) -> None:
        self.stop_watching()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    @asynccontextmanager
    async def watch(self, name: str, identity: Identity | None = None) -> AsyncIterator[Watcher]:
        """A watcher that gets every event from now on: the server has acknowledged the subscription. With an
        identity it is cut as soon as that holds no more.

        Raises `Unavailable` where the server doesn't acknowledge in time.
        """
        async with self.watch_with(Watcher(name), identity) as watcher:
            yield watcher

    @asynccontextmanager
    async def watch_with(self, watcher: W, identity: Identity | None = None) -> AsyncIterator[W]:
        """The same with a watcher of one's own, made for the channel. Raises `Unavailable`."""
        watcher.key_id = identity.key_id if identity else ""
        alarm = _alarm(watcher, identity)
        try:
            await self._until_heard(await self._join(watcher))
            if identity is not None:
                # Revoked before it joined, it would not be told; from now on it is.
                await self._cut_without_key([watcher])
            if self._closed:
                watcher.offer(CLOSED)
            yield watcher
        finally:
            if alarm is not None:
                alarm.cancel()
            await self._leave(watcher)

    async def _cut_without_key(self, watchers: Collection[Watcher]) -> None:
        unusable = await self._identities.unusable({watcher.key_id for watcher in watchers if watcher.key_id})
        for watcher in watchers:
            if watcher.key_id in unusable:
                watcher.cut()

    def _watchers(self) -> list[Watcher]:
        return [watcher for channel in self._channels.values() for watcher in channel.watchers]

    async def _join(self, watcher: Watcher) -> _Channel:
        channel = self._channels.get(watcher.channel)
        if channel is not None:
            channel.watchers.add(watcher)
            return channel
        channel = self._channels[watcher.channel] = _Channel({watcher})
        await self._send(SUBSCRIBE, watcher.channel)
        return channel

    async def _leave(self, watcher: Watcher) -> None:
        channel = self._channels.get(watcher.channel)
        if channel is None:
            return
        channel.watchers.discard(watcher)
        if not channel.watchers:
            del self._channels[watcher.channel]
            await self._send(UNSUBSCRIBE, watcher.channel)

    async def _until_heard(self, channel: _Channel) -> None:
        try:
            async with asyncio.timeout(ACKNOWLEDGED_WITHIN_S):
                await channel.heard.wait()
        except TimeoutError:
            raise Unavailable("the subscription was not acknowledged") from None

    async def is_heard_again(self, watcher: Watcher, within_s: float) -> bool:
        """Wait until a channel that had a gap is heard again; false where that takes longer."""
        try:
            async with asyncio.timeout(within_s):
                await self._channels[watcher.channel].heard.wait()
        except TimeoutError:
            return False
        return True

    async def _send(self, verb: str, name: str) -> None:
        """Ask the server; a connection that is down asks for everything that is watched when it comes back."""
        async with self._sending:
            if self._pubsub is None:
                return
            if verb == UNSUBSCRIBE:
                self._leaving[name] += 1
            with suppress(redis.RedisError, OSError):
                await _say(self._pubsub, verb, name)

    # ------------------------------------------------------------------------------------- the connection

    async def _run(self) -> None:
        while True:
            try:
                await self._hear_until_cut()
            except Exception as error:
                if not isinstance(error, (redis.RedisError, OSError, Unavailable)):
                    log.exception("the bridge failed")
                log.warning("the bridge lost its connection (%s) and tries again", type(error).__name__)
            self._tell_gap()
            await asyncio.sleep(RECONNECT_S)

    async def _hear_until_cut(self) -> None:
        client = connect_async_listener(self._settings)
        try:
            async with client.pubsub() as pubsub:
                await self._subscribe_to_all(pubsub)
                async for message in pubsub.listen():
                    await self._hear(message)
        finally:
            self._pubsub = None
            self._known_keys.go_deaf()
            await client.aclose()

    async def _subscribe_to_all(self, pubsub: Any) -> None:
        async with self._sending:
            self._leaving.clear()
            # It also keeps the connection subscribed when no one watches.
            await pubsub.subscribe(self._key_changes, self._case_erasures)
            for name in list(self._channels):
                await _say(pubsub, SUBSCRIBE, name)
            self._pubsub = pubsub

    async def _hear(self, message: dict[str, Any]) -> None:
        kind = message["type"].removeprefix("p")
        name = (message["pattern"] if message["type"] == "pmessage" else message["channel"]).decode()
        if name == self._key_changes:
            await self._hear_of_keys(kind, message["data"])
            return
        if name == self._case_erasures:
            self._hear_of_erasure(kind, message["data"])
            return
        channel = self._channels.get(name)
        if kind == UNSUBSCRIBE:
            self._leaving[name] -= 1
            if self._leaving[name] <= 0:
                del self._leaving[name]
        elif channel is None:
            return
        elif kind == SUBSCRIBE and self._leaving[name] <= 0:
            channel.heard.set()
        elif kind == "message":
            channel.hand_out(Frame(parse_message(message["data"]), heard=True) if message["data"] else NEWS)

    async def _hear_of_keys(self, kind: str, data: Any) -> None:
        if kind == SUBSCRIBE:
            self._known_keys.hear()
            # Nobody is told anything before this is done: the channels are acknowledged after this one.
            await self._cut_without_key(self._watchers())
        elif kind == "message":
            key_id = data.decode()
            self._known_keys.forget(key_id)
            for watcher in self._watchers():
                if watcher.key_id == key_id:
                    watcher.cut()

    def _hear_of_erasure(self, kind: str, data: Any) -> None:
        if kind == "message" and self._on_erasure is not None:
            tenant, case_id = data.decode().split("\n")
            self._on_erasure(tenant, case_id)

    def _tell_gap(self) -> None:
        """Whoever is told of a gap waits for the new subscription before it reads the log."""
        for channel in self._channels.values():
            channel.heard.clear()
            channel.hand_out(GAP)


def _alarm(watcher: Watcher, identity: Identity | None) -> asyncio.TimerHandle | None:
    """Cuts a watcher when its token expires."""
    if identity is None or identity.expires_ms is None:
        return None
    left_s = max(0.0, (identity.expires_ms - now_ms()) / 1_000)
    return asyncio.get_running_loop().call_later(min(left_s, LONGEST_STREAM_S), watcher.cut)


async def _say(pubsub: Any, verb: str, name: str) -> None:
    """Subscribe to a channel, or, where the name ends in a star, to all whose names begin like it."""
    await getattr(pubsub, f"p{verb}" if name.endswith("*") else verb)(name)
