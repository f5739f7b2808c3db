"""Not all threads of a worker wait for receivers, and not for one of them alone."""

from __future__ import annotations

import pytest

from actors.engines.http.doors import Doors
from tasks.errors import NotNow


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_two_are_out_at_one_host_and_the_third_comes_later() -> None:
    doors = Doors(10, 15)
    with doors.through("a:443"), doors.through("a:443"), doors.through("b:443"):
        with pytest.raises(NotNow) as later, doors.through("a:443"):
            pass
        assert 0.25 <= later.value.after_s <= 0.75

    with doors.through("a:443"):
        pass


@pytest.mark.parametrize(("before", "shortest", "longest"), [(1, 0.5, 1.5), (11, 512, 1_536), (1_000, 512, 1_536)])
def test_who_was_put_off_before_is_put_off_for_longer(before: int, shortest: float, longest: float) -> None:
    doors = Doors(1, 15)
    with doors.through("a:443"):
        with pytest.raises(NotNow) as later, doors.through("a:443", before):
            pass
        assert shortest <= later.value.after_s <= longest


def test_so_many_are_out_in_all() -> None:
    doors = Doors(2, 15)
    with doors.through("a:443"), doors.through("b:443"):
        with pytest.raises(NotNow), doors.through("c:443"):
            pass
        with pytest.raises(NotNow), doors.through("d:443"):
            pass


def test_who_was_interrupted_on_the_way_back_is_forgotten() -> None:
    clock = Clock()
    doors = Doors(1, 15, clock)
    left_behind = doors.through("a:443")
    left_behind.__enter__()
    with pytest.raises(NotNow), doors.through("a:443"):
        pass

    clock.now = 31
    with doors.through("a:443"):
        pass


def test_who_fails_has_come_back() -> None:
    doors = Doors(1, 15)
    with pytest.raises(ValueError), doors.through("a:443"):
        raise ValueError
    with doors.through("a:443"):
        pass
