"""How much of a type of task may run: a rate, so many at a time, so many at a time of one case. What is done about it
is said in `lua/limits.lua`."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict, Field, field_validator

PERIODS_S = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}
_RATE = re.compile(r"([1-9]\d{0,6})/(second|minute|hour|day)")


class TaskLimits(BaseModel):
    """The limits of one type, over all workers; `None` is none. A `rate` such as `600/minute` is spread evenly: of
    runs that begin, so a retry counts too. `concurrency` bounds the runs at a time, `per_case` those of one case."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    rate: str | None = None
    concurrency: int | None = Field(default=None, ge=1, le=10_000)
    per_case: int | None = Field(default=None, ge=1, le=100)

    @field_validator("rate")
    @classmethod
    def _is_a_rate(cls, rate: str | None) -> str | None:
        if rate is not None and _RATE.fullmatch(rate) is None:
            raise ValueError(f"{rate!r} is no rate such as 600/minute; its period is one of {', '.join(PERIODS_S)}")
        return rate

    @property
    def gap_ms(self) -> float | None:
        """The time between two runs of the rate."""
        if self.rate is None:
            return None
        count, _, period = self.rate.partition("/")
        return 1_000 * PERIODS_S[period] / int(count)


UNLIMITED = TaskLimits()
