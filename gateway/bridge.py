"""The bridge from Redis pub/sub to the watchers of this process: one connection, however many watch.

A channel is subscribed while somebody watches it. An event is decoded once and encoded once per form, then handed
to every watcher's own bounded queue, so that a slow one never slows another. A watcher takes all that has come at
once. What could have been missed, because the connection was cut, is told to the watchers as a gap; they read what
they missed from the log.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, Final, TypeVar

import redis

from gateway.shared_reads import SharedReads, look_at_error
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

W = TypeVar("W", bound="Listener")
LookUp = Callable[[str], Awaitable[Task | None]]
"""Reads the record of a task."""
log = logging.getLogger(__name__)
SUBSCRIBE, UNSUBSCRIBE = "subscribe", "unsubscribe"
BEHIND_AT_MOST = 1_000
TAKEN_WITHIN_S = 0.5
"""How long a client may take what it was sent before it is behind by its own fault: the process may be busy with the
log or with others, or the machine."""
RECONNECT_S = 0.2
ACKNOWLEDGED_WITHIN_S = 10.0
"""Long, for whoever comes with thousands of others: their streams are open by then."""
NAMES_AT_ONCE = 500
HEARD_AT_ONCE = 100
"""Messages after which the watchers get their turn, however many more have come: a burst cuts nobody who reads."""
LONGEST_SILENCE_S = 60.0
ENDS_WITHIN_S = 1.0
"""How long a client may take what it was sent when the process stops or its token holds no more."""
CHECKS_AT_ONCE = 4
"""Keys that are looked at for new streams at a time; those of the same key share one look."""
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

    __slots__ = (
        "_for_case",
        "_for_case_without_payload",
        "_for_task",
        "_for_task_without_payload",
        "_looking_up",
        "event",
        "final",
        "lacks_result",
        "seq",
    )

    def __init__(self, event: Event, *, heard: bool = False) -> None:
        self.event = event
        self.seq = event.seq
        self.final = event.final
        self.lacks_result = heard and event.event == State.SUCCEEDED
        self._looking_up: asyncio.Task[None] | None = None
        self._for_task = b""
        self._for_case = b""
        self._for_task_without_payload = b""
        self._for_case_without_payload = b""

    async def complete(self, look_up: LookUp) -> None:
        """Let the event have its result. Raises `Unavailable`; whoever asks after that has it looked up again."""
        if not self.lacks_result:
            return
        if self._looking_up is None:
            self._looking_up = asyncio.create_task(self._take_result(look_up))
            self._looking_up.add_done_callback(look_at_error)
        # Finished also where this watcher goes: others wait for the same answer.
        await asyncio.shield(self._looking_up)

    async def _take_result(self, look_up: LookUp) -> None:
        try:
            task = await look_up(self.event.task_id)
        finally:
            self._looking_up = None
        if task is not None:
            self.event = replace(self.event, result=task.result)
        self.lacks_result = False

    @property
    def for_task(self) -> bytes:
        self._for_task = self._for_task or encode(self.event, self.event.event)
        return self._for_task

    @property
    def for_case(self) -> bytes:
        self._for_case = self._for_case or encode(self.event, case_event_name(self.event))
        return self._for_case

    @property
    def for_task_without_payload(self) -> bytes:
        if not self._for_task_without_payload:
            self._for_task_without_payload = encode(self.event, self.event.event, with_payload=False)
        return self._for_task_without_payload

    @property
    def for_case_without_payload(self) -> bytes:
        if not self._for_case_without_payload:
            self._for_case_without_payload = encode(self.event, case_event_name(self.event), with_payload=False)
        return self._for_case_without_payload


NEWS: Final = _Signal()
"""Something happened; what it was, the watcher looks up by itself."""

Item = Frame | _Signal


@dataclass(eq=False)
class Listener(ABC):
    """Somebody who is told what happens on a channel, and the key on whose behalf. `abort` cuts its connection at
    once, also that of a client that takes nothing any more; it does nothing where the server knows no such thing."""

    channel: str
    abort: Callable[[], None] = field(default=lambda: None, kw_only=True)
    key_id: str = field(default="", kw_only=True)
    closed: bool = field(default=False, kw_only=True)
    is_cut: bool = field(default=False, kw_only=True)

    @abstractmethod
    def offer(self, item: Item) -> None:
        """Take what happened; nobody waits for whoever is told."""

    @abstractmethod
    def cut(self) -> None:
        """End it, without a word of what it has yet to tell."""


class Watcher(Listener):
    """One stream's own queue of what it has yet to tell."""

    def __init__(self, channel: str, *, abort: Callable[[], None] = lambda: None) -> None:
        super().__init__(channel, abort=abort)
        self._items: list[Item] = []
        self._waiting: asyncio.Future[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._took_at = 0.0
        self._sends_since: float | None = None

    def offer(self, item: Item) -> None:
        """Queue an item. Of a watcher that is too far behind what it has is forgotten: where its client doesn't take
        what it is sent it is cut, otherwise it reads the log."""
        if self.is_cut:
            return
        self.closed = self.closed or item is CLOSED
        if len(self._items) >= BEHIND_AT_MOST:
            if self._client_is_slow:
                self.cut()
                self.abort()
                return
            self._items = [GAP]
        self._items.append(item)
        self._wake()

    @property
    def _client_is_slow(self) -> bool:
        since = self._sends_since
        return since is not None and asyncio.get_running_loop().time() - since >= TAKEN_WITHIN_S

    @contextmanager
    def sending(self) -> Iterator[None]:
        """While the client is sent what was taken."""
        self._sends_since = asyncio.get_running_loop().time()
        try:
            yield
        finally:
            self._sends_since = None

    def cut(self) -> None:
        self.is_cut = self.closed = True
        self._items = [CLOSED]
        self._wake()

    async def take(self, within_s: float) -> Sequence[Item]:
        """All that has come, as soon as there is something; nothing, where that takes so long."""
        if not self._items:
            await self._until_something(within_s)
        items, self._items = self._items, []
        return items

    async def next(self) -> Item:
        """One thing at a time, however long it takes."""
        while True:
            if items := await self.take(LONGEST_SILENCE_S):
                self.put_back(items[1:])
                return items[0]

    def put_back(self, items: Iterable[Item]) -> None:
        """What was taken and can't be told yet comes first again."""
        self._items[:0] = items

    def leave(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()

    async def _until_something(self, within_s: float) -> None:
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        self._took_at = loop.time()
        if self._alarm is None:
            self._set_alarm(loop, within_s, within_s)
        try:
            await self._waiting
        finally:
            self._waiting = None

    def _set_alarm(self, loop: asyncio.AbstractEventLoop, after_s: float, within_s: float) -> None:
        """One alarm that finds out whether the silence was long enough: one for each wait would cost as much as an
        event does."""
        self._alarm = loop.call_later(after_s, self._look_at_silence, loop, within_s)

    def _look_at_silence(self, loop: asyncio.AbstractEventLoop, within_s: float) -> None:
        left_s = self._took_at + within_s - loop.time()
        self._alarm = None
        if self._waiting is None:
            return
        if left_s > 0:
            self._set_alarm(loop, left_s, within_s)
        else:
            self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


@dataclass(eq=False)
class Nudged(Listener):
    """For a stream that looks up what is new by itself: however much happens before it looks, it is told once, so it
    may be as slow as it likes."""

    queue: asyncio.Queue[Item]

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

    watchers: set[Listener] = field(default_factory=set)
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    def hand_out(self, item: Item) -> None:
        for watcher in self.watchers:
            watcher.offer(item)


class Bridge:
    """Watch a channel with `async with bridge.watch(channel) as watcher`."""

    def __init__(
        self,
        settings: Settings,
        identities: Identities,
        on_erasure: Callable[[str, str], None] | None = None,
    ) -> None:
        self.keys = Keys(settings.namespace)
        self._settings = settings
        self._identities = identities
        self._known_keys: KnownKeys[Any] = identities.known
        self._on_erasure = on_erasure
        self._checks = SharedReads(CHECKS_AT_ONCE)
        self._key_changes = self.keys.of("key_changes")
        self._case_erasures = self.keys.of("case_erasures")
        self._channels: dict[str, _Channel] = {}
        # Unsubscriptions on their way: until they are answered, the answer to a subscription may be an older one's.
        self._leaving: Counter[str] = Counter()
        self._orders: list[tuple[str, str]] = []
        self._sending = asyncio.Lock()
        self._sender: asyncio.Task[None] | None = None
        self._last: tuple[bytes, Frame] | None = None
        self._closed = False
        self._pubsub: Any = None
        self._task: asyncio.Task[None] | None = None

    @property
    def watching(self) -> int:
        """How many watch, in this process."""
        return sum(len(channel.watchers) for channel in self._channels.values())

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="bridge")

    def stop_watching(self) -> None:
        """Let every stream end; called when the process is told to stop, so that none holds it up."""
        self._closed = True
        for channel in self._channels.values():
            channel.hand_out(CLOSED)
            # Whoever waits for a server that is away needn't any more.
            channel.heard.set()
        asyncio.get_running_loop().call_later(ENDS_WITHIN_S, self._abort_all)

    def _abort_all(self) -> None:
        """Of clients that take nothing any more."""
        for watcher in self._watchers():
            watcher.abort()

    async def close(self) -> None:
        self.stop_watching()
        for task in (self._task, self._sender):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    @asynccontextmanager
    async def watch(
        self, name: str, identity: Identity | None = None, abort: Callable[[], None] = lambda: None
    ) -> AsyncIterator[Watcher]:
        """A watcher that gets every event from now on: the server has acknowledged the subscription. With an
        identity it is cut as soon as that holds no more.

        Raises `Unavailable` where the server doesn't acknowledge in time.
        """
        watcher = Watcher(name, abort=abort)
        try:
            async with self.watch_with(watcher, identity):
                yield watcher
        finally:
            watcher.leave()

    @asynccontextmanager
    async def watch_with(self, watcher: W, identity: Identity | None = None) -> AsyncIterator[W]:
        """The same with a watcher of one's own, made for the channel. Raises `Unavailable`."""
        watcher.key_id = identity.key_id if identity else ""
        alarm = self._alarm(watcher, identity)
        try:
            await self._until_heard(self._join(watcher))
            if identity is not None:
                # Revoked before it joined, it would not be told; from now on it is.
                await self._cut_if_without_key(watcher)
            if self._closed:
                watcher.offer(CLOSED)
            yield watcher
        finally:
            if alarm is not None:
                alarm.cancel()
            self._leave(watcher)

    async def _cut_if_without_key(self, watcher: Listener) -> None:
        key_ids = {watcher.key_id}
        if await self._checks.get(watcher.key_id, lambda: self._identities.unusable(key_ids)):
            self._cut(watcher)

    async def _cut_without_key(self, watchers: Collection[Listener]) -> None:
        unusable = await self._identities.unusable({watcher.key_id for watcher in watchers if watcher.key_id})
        for watcher in watchers:
            if watcher.key_id in unusable:
                self._cut(watcher)

    def _cut(self, watcher: Listener) -> None:
        """Its token holds no more: it ends, also where its client takes nothing that would let it."""
        watcher.cut()
        asyncio.get_running_loop().call_later(ENDS_WITHIN_S, self._abort_if_here, watcher)

    def _abort_if_here(self, watcher: Listener) -> None:
        """Who has left may have its connection used for another request."""
        channel = self._channels.get(watcher.channel)
        if channel is not None and watcher in channel.watchers:
            watcher.abort()

    def _alarm(self, watcher: Listener, identity: Identity | None) -> asyncio.TimerHandle | None:
        """Cuts a watcher when its token expires."""
        if identity is None or identity.expires_ms is None:
            return None
        left_s = max(0.0, (identity.expires_ms - now_ms()) / 1_000)
        return asyncio.get_running_loop().call_later(min(left_s, LONGEST_STREAM_S), self._cut, watcher)

    def _watchers(self) -> list[Listener]:
        return [watcher for channel in self._channels.values() for watcher in channel.watchers]

    def _join(self, watcher: Listener) -> _Channel:
        channel = self._channels.get(watcher.channel)
        if channel is not None:
            channel.watchers.add(watcher)
            return channel
        channel = self._channels[watcher.channel] = _Channel({watcher})
        self._order(SUBSCRIBE, watcher.channel)
        return channel

    def _leave(self, watcher: Listener) -> None:
        channel = self._channels.get(watcher.channel)
        if channel is None:
            return
        channel.watchers.discard(watcher)
        if not channel.watchers:
            del self._channels[watcher.channel]
            self._order(UNSUBSCRIBE, watcher.channel)

    async def _until_heard(self, channel: _Channel) -> None:
        try:
            async with asyncio.timeout(ACKNOWLEDGED_WITHIN_S):
                await channel.heard.wait()
        except TimeoutError:
            raise Unavailable("the subscription was not acknowledged") from None

    async def is_heard_again(self, watcher: Listener, within_s: float) -> bool:
        """Wait until a channel that had a gap is heard again; false where that takes longer."""
        try:
            async with asyncio.timeout(within_s):
                await self._channels[watcher.channel].heard.wait()
        except TimeoutError:
            return False
        return True

    def _order(self, verb: str, name: str) -> None:
        """Have the server asked, together with what others want meanwhile. Nobody waits for it: who gives up must not
        take the others' orders along."""
        self._orders.append((verb, name))
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send_orders(), name="bridge orders")

    async def _send_orders(self) -> None:
        """A connection that is down asks for everything that is watched when it comes back."""
        while self._orders:
            async with self._sending:
                orders, self._orders = self._orders, []
                with suppress(redis.RedisError, OSError):
                    await self._say_all(self._pubsub, orders)

    async def _say_all(self, pubsub: Any, orders: Sequence[tuple[str, str]]) -> None:
        if pubsub is None:
            return
        for verb, names in _together(orders):
            if verb == UNSUBSCRIBE:
                self._leaving.update(names)
            await _say(pubsub, verb, names)

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
                heard = 0
                async for message in pubsub.listen():
                    await self._hear(message)
                    heard += 1
                    if heard % HEARD_AT_ONCE == 0:
                        await asyncio.sleep(0)
        finally:
            self._pubsub = None
            self._known_keys.go_deaf()
            await client.aclose()

    async def _subscribe_to_all(self, pubsub: Any) -> None:
        async with self._sending:
            self._leaving.clear()
            self._orders.clear()
            # It also keeps the connection subscribed when no one watches.
            await pubsub.subscribe(self._key_changes, self._case_erasures)
            self._pubsub = pubsub
            await self._say_all(pubsub, [(SUBSCRIBE, name) for name in self._channels])

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
            channel.hand_out(self._frame(message["data"]) if message["data"] else NEWS)

    def _frame(self, data: bytes) -> Frame:
        """The same event comes on several channels, one right after the other."""
        if self._last is None or self._last[0] != data:
            self._last = (data, Frame(parse_message(data), heard=True))
        return self._last[1]

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
                    self._cut(watcher)

    def _hear_of_erasure(self, kind: str, data: Any) -> None:
        if kind == "message" and self._on_erasure is not None:
            tenant, case_id = data.decode().split("\n")
            self._on_erasure(tenant, case_id)

    def _tell_gap(self) -> None:
        """Whoever is told of a gap waits for the new subscription before it reads the log."""
        if self._closed:
            return
        for channel in self._channels.values():
            channel.heard.clear()
            channel.hand_out(GAP)


def _together(orders: Iterable[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    """The same orders, in their order, in as few calls as possible: names with a star apart from those without."""
    for (verb, _), group in groupby(orders, key=lambda order: (order[0], order[1].endswith("*"))):
        names = [name for _, name in group]
        for at in range(0, len(names), NAMES_AT_ONCE):
            yield verb, names[at : at + NAMES_AT_ONCE]


async def _say(pubsub: Any, verb: str, names: Sequence[str]) -> None:
    """Subscribe to channels, or, where their names end in a star, to all whose names begin like them."""
    await getattr(pubsub, f"p{verb}" if names[0].endswith("*") else verb)(*names)
