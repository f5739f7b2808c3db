"""What is counted of a result besides that it is there: of a triage, its area and urgency, for the reports."""

from __future__ import annotations

from pydantic import BaseModel

from tasks.payloads import BatchCaseResult, TriageResult


def tally_of(result: BaseModel) -> str:
    """The counter that the end of the run adds to, such as `triaged/saude.high`; '' where there is none."""
    triage = result.triage if isinstance(result, BatchCaseResult) else result
    return f"triaged/{triage.area}.{triage.urgency}" if isinstance(triage, TriageResult) else ""
