"""What is noted of the end of a run besides the end itself, for the reports."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Noted:
    """`tally` names a counter that a good end adds to, such as `triaged/saude.high`; `slow` says that the run is
    among the slowest of its type that its worker knows of."""

    tally: str = ""
    slow: bool = False

    @property
    def slow_flag(self) -> str:
        return "1" if self.slow else ""


NOTHING = Noted()
