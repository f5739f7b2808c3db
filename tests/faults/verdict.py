"""Holds what was executed against what was submitted. Pure: no process, no Redis."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from tests.faults.recording import Line


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which tasks, by their numbers.

    `lost`: never ended well, and the store knows nothing of it any more, or says that it is over.
    `repeated`: ended well more than once, though no process was killed before its end could be written; or its record
    tells of another run than the last one.
    `stranded`: still waiting or running in the store, though the time to recover is over and a worker idles.
    `run_again`: executed again because its execution was broken off: at-least-once, as promised.
    `broken`: what else a case looks at and found otherwise, in words.
    """

    lost: tuple[int, ...] = ()
    repeated: tuple[int, ...] = ()
    stranded: tuple[int, ...] = ()
    run_again: tuple[int, ...] = ()
    broken: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        return not (self.lost or self.repeated or self.stranded or self.broken)


def judge(
    expected: Iterable[int],
    lines: Sequence[Line],
    left: Collection[int],
    killed: Collection[int] = (),
    untrue: Collection[int] = (),
    broken: Iterable[str] = (),
    broken_off: Collection[tuple[int, int]] = (),
) -> Verdict:
    """`left` are those that the store still has waiting or running, `killed` the groups that were killed, `untrue`
    those whose record tells it otherwise; `broken_off` the executions (number, group) that were taken from a process
    which was not heard of, and came to their end all the same."""
    wanted = set(expected)
    begun, ended, planned = (
        Counter(line.number for line in lines if line.event == event) for event in ("begin", "end", "fail")
    )
    excused = _excused(lines, killed) + Counter(
        line.number for line in lines if line.event == "end" and (line.number, line.group) in broken_off
    )
    extra = {n: max(0, ended[n] - 1 - excused[n]) for n in ended}
    repeated = {n for n in extra if extra[n]} | set(untrue)
    run_again = {n for n in begun if begun[n] - 1 - planned[n] - extra.get(n, 0) > 0}
    return Verdict(
        lost=tuple(sorted(n for n in wanted - set(left) if not ended[n])),
        repeated=tuple(sorted(repeated)),
        stranded=tuple(sorted(wanted & set(left))),
        run_again=tuple(sorted(run_again)),
        broken=tuple(broken),
    )


def _excused(lines: Sequence[Line], killed: Collection[int]) -> Counter[int]:
    """Ends that a kill may have kept from being written: of each thread of a killed process the very last one, for a
    thread takes its next task only when the end of the one before is written. An end that is the only one of its
    task needs no excuse."""
    last: dict[tuple[int, int], Line] = {}
    for line in lines:
        if line.group in killed:
            last[line.group, line.thread] = line
    final: dict[int, Line] = {line.number: line for line in lines if line.event == "end"}
    by_number: defaultdict[int, int] = defaultdict(int)
    for line in last.values():
        if line.event == "end" and final[line.number] is not line:
            by_number[line.number] += 1
    return Counter(by_number)
