"""The rule that says how many workers there are, over days of a generated clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from cli.scaling import CRASH_SHADOW_S, Bounds, Mood, Sight, Step, decide

THREADS = 4


@dataclass
class World:
    """A machine whose workers start, die and drain as the clock goes on."""

    bounds: Bounds
    now: float = 0.0
    taking: int = 0
    starting: int = 0
    draining: int = 0
    died_at: float | None = None
    mood: Mood = field(default_factory=Mood)
    steps: list[tuple[float, Step]] = field(default_factory=list)

    def see(self, age_s: float | None, running: int, *, has_memory: bool = True) -> Step:
        sight = Sight(self.now, age_s, running, self.taking, self.starting, self.draining, self.died_at, has_memory)
        self.mood, step = decide(self.mood, sight, self.bounds)
        self.starting += step is Step.OUT
        self.taking -= step is Step.IN
        self.draining += step is Step.IN
        if step is not Step.STAY:
            self.steps.append((self.now, step))
        return step

    def all_come_up(self) -> None:
        self.taking, self.starting = self.taking + self.starting, 0

    def one_dies(self) -> None:
        if self.taking:
            self.taking, self.starting, self.died_at = self.taking - 1, self.starting + 1, self.now

    @property
    def living(self) -> int:
        return self.taking + self.starting + self.draining


def world(least: int = 1, most: int = 4, out_after_s: float = 2.0, in_after_s: float = 60.0) -> World:
    return World(Bounds(least, most, THREADS, out_after_s, in_after_s), taking=least)


MOMENTS = st.lists(
    st.tuples(
        st.sampled_from((0.5, 1.0, 1.0, 5.0, 30.0)),
        st.one_of(st.none(), st.sampled_from((0.0, 0.0, 0.0, 0.5, 1.5, 2.0, 100.0))),
        st.integers(0, 4 * THREADS),
        st.sampled_from(("nothing", "nothing", "they come up", "they come up", "one dies", "drained", "no memory")),
    ),
    max_size=200,
)


@given(MOMENTS, st.integers(1, 3), st.integers(0, 3))
def test_whatever_happens_the_bounds_hold_and_each_step_has_its_reason(
    moments: list[tuple[float, float | None, int, str]], least: int, more: int
) -> None:
    one = world(least, least + more)
    calm_since: float | None = None
    full_since: float | None = None
    for passed, age_s, running, event in moments:
        one.now += passed
        if event == "they come up":
            one.all_come_up()
        elif event == "one dies":
            one.one_dies()
        elif event == "drained":
            one.draining = 0
        calm = age_s is not None and age_s < 1.0 and running <= THREADS * (one.taking - 1) / 2
        full = age_s is not None and one.taking > 0 and running >= THREADS * one.taking * 3 / 4
        started, drained = one.starting, one.draining
        calm_since = (calm_since if calm_since is not None else one.now) if calm else None
        full_since = (full_since if full_since is not None else one.now) if full else None

        step = one.see(age_s, running, has_memory=event != "no memory")

        assert least <= one.taking + one.starting <= one.living <= least + more
        if step is Step.OUT:
            assert age_s is not None
            assert age_s >= 2.0 or (full_since is not None and one.now - full_since >= 2.0)
            calm_since = full_since = None
            assert not started
            assert event != "no memory"
            assert one.died_at is None or one.now - one.died_at >= CRASH_SHADOW_S
        if step is Step.IN:
            assert calm_since is not None
            assert one.now - calm_since >= 60.0
            assert not started
            assert not drained
            calm_since, full_since = one.now, None


def test_a_flood_brings_one_after_another_and_quiet_takes_them_away_slowly() -> None:
    one = world()
    for _ in range(8):
        one.now += 1
        one.see(10.0, 16)
        one.all_come_up()
    for _ in range(200):
        one.now += 1
        one.see(0.0, 0)
        one.draining = 0

    grown = [now for now, step in one.steps if step is Step.OUT]
    shrunk = [now for now, step in one.steps if step is Step.IN]
    assert grown == [1, 2, 3]
    assert [b - a for a, b in pairwise(shrunk)] == [60, 60]
    assert shrunk[0] == 8 + 1 + 60
    assert (one.taking, one.living) == (1, 1)


def test_a_worker_that_crashes_again_and_again_is_not_answered_with_more() -> None:
    one = world(most=100)
    for _ in range(600):
        one.one_dies() if int(one.now) % 50 == 0 else one.all_come_up()
        one.see(300.0, 0)
        one.now += 1

    assert one.steps == []


def test_a_batch_that_makes_nobody_wait_gets_all_workers_and_gives_them_back() -> None:
    one = world()
    for _ in range(60):
        one.now += 1
        one.all_come_up()
        # As it does: three quarters of the threads that there are, and one case in the lane, which is taken at once.
        one.see(0.0, THREADS * one.taking * 3 // 4)
    assert one.taking == 4
    assert {step for _, step in one.steps} == {Step.OUT}

    for _ in range(200):
        one.now += 1
        one.draining = 0
        one.see(0.0, 0)
    assert one.taking == 1


def test_between_quiet_and_too_long_nothing_changes() -> None:
    one = world()
    one.taking = 3
    for _ in range(500):
        one.now += 1
        one.see(1.5, 0)

    assert one.steps == []


def test_long_tasks_that_fill_the_workers_keep_them() -> None:
    one = world()
    one.taking = 2
    for _ in range(500):
        one.now += 1
        one.see(0.0, THREADS + 1)

    assert one.steps == []


def test_who_does_not_know_how_long_tasks_wait_changes_nothing() -> None:
    one = world()
    one.taking = 3
    for _ in range(500):
        one.now += 1
        one.see(None, 0)

    assert one.steps == []
