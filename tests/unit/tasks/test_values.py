"""The plain values of `tasks/`: settings, the catalog, ids, times, percentiles, the codec of events."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.blobs import FolderBlobs
from tasks.catalog import CATALOG
from tasks.clock import rfc3339, to_ms
from tasks.context import REQUEST_ID, Origin
from tasks.errors import InvalidInput, SettingsError
from tasks.ids import child_id, is_task_id, new_id
from tasks.lifecycle import LANES, lane_name, split_lane
from tasks.record import RECORD_FIELDS, RunOptions, compact_json, parse_message, parse_task
from tasks.settings import Settings
from tasks.statistics import percentiles
from tasks.submission import Order, check


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DESPACHO_PORT", "99999"),
        ("DESPACHO_TIME_ZONE", "America/Lisbon"),
        ("DESPACHO_TIME_ZONE", "America"),
        ("DESPACHO_TIME_ZONE", "../../etc/passwd"),
        ("DESPACHO_BLOBS", "/mnt/blobs"),
        ("DESPACHO_BACKUP_TO", "s3://Wrong_Bucket"),
        ("DESPACHO_BACKUP_TO", "ftp://backups"),
        ("DESPACHO_THREADS", "many"),
        ("DESPACHO_REDIS_URL", "http://x"),
        ("DESPACHO_HEARTBEAT_TIMEOUT_S", "0"),
        ("DESPACHO_LIMITS", '{"triage.process": {"rate": "1/minute"}}'),
        ("DESPACHO_LIMITS", '{"triage.process_async": {"rate": "60 per minute"}}'),
        ("DESPACHO_LIMITS", '{"triage.process_async": {"concurrency": 0}}'),
    ],
)
def test_a_wrong_setting_is_named_with_its_remedy(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError) as refusal:
        Settings.load()

    assert str(refusal.value).startswith(f"{name} is wrong")
    assert "\n" not in str(refusal.value)


def test_an_override_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESPACHO_PORT", "9000")

    assert Settings.load(port=9001, host=None).port == 9001


def test_every_task_type_has_a_lane_for_each_priority() -> None:
    assert set(CATALOG.lanes) == {lane_name(spec.queue, lane) for spec in CATALOG.specs.values() for lane in LANES}
    assert all(split_lane(lane)[0] in CATALOG.queues for lane in CATALOG.lanes)


def test_arguments_may_be_given_by_position_or_by_name() -> None:
    spec = CATALOG.get("triage.process_async")

    by_position = spec.validate(["case-1", None, "olá"])
    by_name = spec.validate((), {"case_id": "case-1", "user_message": "olá"})

    assert by_position.model_dump() == by_name.model_dump()


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(st.lists(json_values, max_size=6), st.dictionaries(st.text(), json_values, max_size=4), json_values)
def test_whatever_is_sent_is_a_task_or_a_named_fault(args: list[Any], kwargs: dict[str, Any], extra: Any) -> None:
    for name in CATALOG.specs:
        fault_or_name = _field_or_name(Order(name, args, kwargs, metadata={"x": extra}, internal=True))
        assert fault_or_name


def _field_or_name(order: Order) -> str:
    try:
        return check(order, CATALOG).name
    except InvalidInput as invalid:
        return invalid.errors[0].field


@given(st.datetimes(dt.datetime(1971, 1, 1), dt.datetime(2200, 1, 1), timezones=st.just(dt.UTC)))
def test_times_keep_their_milliseconds(moment: dt.datetime) -> None:
    written = rfc3339(to_ms(moment))

    assert written is not None
    assert to_ms(dt.datetime.fromisoformat(written)) == to_ms(moment)


def test_ids_sort_by_time_and_children_are_always_the_same() -> None:
    parent = new_id()

    assert is_task_id(parent)
    assert parent[:8] <= new_id()[:8]
    assert child_id(parent, 3) == child_id(parent, 3) != child_id(parent, 4)
    assert is_task_id(child_id(parent, 3))


@given(st.lists(st.integers(0, 10_000_000), min_size=1, max_size=200))
def test_a_percentile_is_within_a_fifth_of_the_true_one(durations: list[int]) -> None:
    from math import ceil, floor, log2

    buckets = Counter(floor(4 * log2(ms + 1)) for ms in durations)

    read = percentiles(buckets)["p95"]

    true = sorted(durations)[ceil(len(durations) * 0.95) - 1]
    assert read is not None
    assert true * 0.999 <= read <= (true + 1) * 1.19


@given(st.text(), st.dictionaries(st.text(), st.integers(), max_size=3))
def test_an_event_survives_its_way_through_pub_sub(words: str, error: dict[str, int]) -> None:
    extra = compact_json({"progress_message": words, "attempt": 1})
    error |= {"at": 0}
    message = "\n".join(["77", "failed", "t1", "triage.process_async", "c1", extra]) + "\n" + compact_json(error)

    event = parse_message(message.encode(errors="surrogatepass"))

    assert event.as_json()["progress_message"] == words
    assert event.error == error


@given(st.from_regex(REQUEST_ID, fullmatch=True), st.integers(0, 100), st.floats(0, 1e9))
def test_where_a_task_comes_from_stands_behind_its_numbers(request_id: str, retries: int, seconds: float) -> None:
    seconds = float(f"{seconds:.15g}")
    options = RunOptions(retries, seconds, seconds, seconds, Origin(request_id, "00-1-2-01"))

    assert RunOptions.decode(options.encode().encode()) == options
    # As an older release wrote them.
    assert RunOptions.decode(b"3,60,3600,120") == RunOptions(3, 60, 3_600, 120)


def test_a_record_that_is_not_there_is_none() -> None:
    assert parse_task("t1", [None] * len(RECORD_FIELDS)) is None


@pytest.mark.parametrize("place", ["../x", "a/../b", "/etc/passwd", "a//b", ".hidden", "a\0b", ""])
def test_no_place_leads_out_of_the_blob_folder(place: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="safe segments"):
        FolderBlobs(tmp_path).path(place)


def test_a_blob_that_fails_half_way_is_not_there(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path)

    def breaks() -> Any:
        yield b"half"
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        blobs.write("a/b", breaks())

    assert not blobs.exists("a/b")
    assert list(tmp_path.rglob("*")) == [tmp_path / "a"]
