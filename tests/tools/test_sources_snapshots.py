"""Snapshots: kept once, never overwritten, whole or absent, and found again."""

import gzip
import json
import multiprocessing
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sources_kit import NOW, Time, quick_client

from lib.errors import UserError
from lib.tools.sources import snapshots
from lib.tools.sources.client import Answer, Request, Snapshot, answer_to
from lib.tools.sources.publishers import PUBLISHERS
from lib.tools.sources.snapshots import Desk, folder_of

QUESTION = Request(
    "imf", "https://api.imf.org/external/sdmx/3.0", "/data/x", (("period", "2013"), ("a", "b"))
)


def answer(body: bytes = b"one", minutes: float = 0, request: Request = QUESTION) -> Answer:
    headers = {"content-type": "text/csv; charset=utf-8", "etag": "1"}
    return answer_to(request, PUBLISHERS["imf"], NOW + timedelta(minutes=minutes), body, 200, **headers)


def save(store: Path, one: Answer) -> Snapshot:
    return snapshots.save(store, *one)


def vintages(store: Path) -> list[Snapshot]:
    """The first record of each different answer: one that came again is no new vintage."""
    return [one for one in snapshots._records(store, QUESTION) if snapshots.first_of(store, one) == one]


def test_a_record_says_where_when_and_under_which_licence(store: Path) -> None:
    snapshot = save(store, answer())
    (path,) = store.glob("records/imf/*/*.json")
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["url"] == QUESTION.url
    assert record["params"] == [["period", "2013"], ["a", "b"]]
    assert record["retrieved"] == "2026-11-24T12:00:00+00:00"
    assert (record["status"], record["media"], record["bytes"]) == (200, "text/csv", 3)
    assert record["sha256"] == "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"  # of "one"
    assert "IMF Terms" in record["licence"] and record["title"].startswith("IMF")
    assert path.read_text(encoding="utf-8").count("\n") == 1
    assert snapshots._read_record(path) == snapshot
    assert snapshots._read_body(store, snapshot) == b"one"
    assert snapshot.day == "2026-11-24"


def test_an_identical_answer_is_kept_once_and_is_no_vintage(store: Path) -> None:
    for minutes in (0, 1, 2):
        save(store, answer(minutes=minutes))
    assert len(list(store.glob("bodies/*/*.gz"))) == 1
    assert len(snapshots._records(store, QUESTION)) == 3
    assert len(vintages(store)) == 1
    assert snapshots.first_of(store, snapshots._records(store, QUESTION)[-1]).retrieved == NOW


def test_a_changed_answer_is_a_new_vintage(store: Path) -> None:
    for minutes, body in enumerate([b"one", b"two", b"two", b"one"]):
        save(store, answer(body, minutes))
    found = vintages(store)
    assert [snapshots._read_body(store, one) for one in found] == [b"one", b"two", b"one"]
    assert [one.retrieved for one in found] == [NOW + timedelta(minutes=minutes) for minutes in (0, 1, 3)]
    assert len(list(store.glob("bodies/*/*.gz"))) == 2


def test_nothing_is_overwritten(store: Path) -> None:
    save(store, answer())
    before = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    save(store, answer(b"two", 1))
    save(store, answer())
    assert {path: path.read_bytes() for path in before} == before


def test_the_last_answer_counts_and_grows_old(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(store, answer())
    save(store, answer(b"two", 10))
    monkeypatch.setattr(snapshots, "get", lambda client, request: answer(b"three", 8 * 24 * 60))
    for days, body in ((9, b"two"), (7, b"three"), (7, b"three")):
        with quick_client({}, Time(8 * 86_400.0)) as client:
            desk = Desk(client, store, max_age=timedelta(days=days))
            assert desk.ask(QUESTION, lambda body, _: body)[0] == body
    assert len(snapshots._records(store, QUESTION)) == 3


def test_a_question_is_the_same_from_a_mirror_and_in_another_order(store: Path) -> None:
    save(store, answer())
    mirror = replace(QUESTION, base="https://mirror.example", params=QUESTION.params[::-1])
    assert len(snapshots._records(store, mirror)) == 1
    for other in (
        replace(QUESTION, path="/data/y"),
        replace(QUESTION, source="comtrade"),
        replace(QUESTION, params=()),
    ):
        assert snapshots._records(store, other) == []


def test_a_stop_while_writing_leaves_nothing(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(snapshots.os, "fsync", stop)
    with pytest.raises(KeyboardInterrupt):
        save(store, answer())
    assert [path for path in store.rglob("*") if path.is_file()] == []


def test_a_body_without_its_record_is_completed_later(store: Path) -> None:
    save(store, answer())
    for path in store.glob("records/imf/*/*.json"):
        path.unlink()
    assert snapshots._records(store, QUESTION) == []
    save(store, answer(minutes=1))
    assert snapshots.check_store(store) == []


@pytest.mark.parametrize(
    "change", [lambda body: body[:-5], lambda body: b"", lambda body: gzip.compress(b"other")]
)
def test_a_damaged_body_is_told(store: Path, change) -> None:  # type: ignore[no-untyped-def]
    snapshot = save(store, answer())
    path = snapshots._body_path(store, snapshot)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(UserError, match=r"\.gz: found no body that can be read"):
        snapshots._read_body(store, snapshot)
    assert len(snapshots.check_store(store)) == 1


def test_a_flipped_byte_is_told_or_changes_nothing(store: Path) -> None:
    """Every byte of a record counts (each seventh is tried); of a body all but those of gzip's header that say nothing of its content."""
    snapshot = save(store, answer(b"one,two\n" * 20))
    (record,), body = store.glob("records/imf/*/*.json"), snapshots._body_path(store, snapshot)
    for path, every, harmless in ((record, 7, 0), (body, 1, 6)):
        sound, unseen = path.read_bytes(), 0
        for place in range(0, len(sound.rstrip()), every):
            path.write_bytes(sound[:place] + bytes([sound[place] ^ 0x15]) + sound[place + 1 :])
            unseen += not (found := snapshots.check_store(store))
            assert all(len(str(fault).splitlines()) == 1 for fault in found)
        assert unseen <= harmless
        path.write_bytes(sound)
    assert snapshots.check_store(store) == []


def test_a_missing_body_is_told(store: Path) -> None:
    snapshot = save(store, answer())
    snapshots._body_path(store, snapshot).unlink()
    with pytest.raises(UserError, match="no body that can be read"):
        snapshots._read_body(store, snapshot)


@pytest.mark.parametrize("content", ["", "{}", "[]", "null", "{", '{"source": 1}', "[" * 100_000])
def test_a_damaged_record_is_told(store: Path, content: str) -> None:
    save(store, answer())
    (path,) = store.glob("records/imf/*/*.json")
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match="found no record of a snapshot"):
        snapshots._records(store, QUESTION)
    assert len(snapshots.check_store(store)) == 1


@pytest.mark.parametrize("damage", ["an old record", "a flipped body", "no body"])
@pytest.mark.parametrize("lasting", [True, False])
def test_a_store_that_cannot_be_read_is_told_offline_and_mended_by_asking(
    store: Path, monkeypatch: pytest.MonkeyPatch, damage: str, lasting: bool
) -> None:
    """Also an answer that is never asked for again, such as a release of China's customs."""
    request = replace(QUESTION, lasting=lasting)
    kept = save(store, answer(request=request))
    (record,), body = store.glob("records/imf/*/*.json"), snapshots._body_path(store, kept)
    if damage == "an old record":
        record.write_text(record.read_text(encoding="utf-8").replace('"title"', '"name"'), encoding="utf-8")
    elif damage == "a flipped body":
        body.write_bytes(body.read_bytes()[:-6] + b"XXXXXX")
    else:
        body.unlink()
    asked = []
    monkeypatch.setattr(snapshots, "get", lambda client, request: asked.append(request) or answer())

    def ask(**asking: object) -> bytes:
        with quick_client({}) as client:
            desk = Desk(client, store, max_age=timedelta(days=9), **asking)  # type: ignore[arg-type]
            return desk.ask(request, lambda body, _: body)[0]

    with pytest.raises(UserError, match=r"found no (record|body).*; fetching mends it"):
        ask(offline=True)
    assert asked == []
    assert ask() == b"one" and len(asked) == 1
    assert ask() == ask(offline=True) == b"one" and len(asked) == 1, "mended"
    left = snapshots.check_store(store)
    assert len(left) == (damage == "an old record")
    assert all("it was set aside, and may be removed" in fault for fault in left)


def test_the_folder_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEGOALS_SNAPSHOTS", str(tmp_path / "elsewhere"))
    assert folder_of() == tmp_path / "elsewhere"
    monkeypatch.delenv("TRADEGOALS_SNAPSHOTS")
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("TRADEGOALS_DATA", str(tmp_path / "data"))
    assert folder_of() == tmp_path / "data" / "snapshots"


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        save(tmp_path / "file" / "below", answer())


def write_many(folder: Path, worker: int) -> None:
    for number in range(20):
        save(folder, answer(f"{number}".encode(), number + worker / 1000))


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_two_processes_write_at_once(store: Path) -> None:
    how = "fork" if sys.platform == "linux" else "spawn"  # a fork has everything imported
    context = multiprocessing.get_context(how)
    workers = [context.Process(target=write_many, args=(store, number)) for number in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert len(snapshots._records(store, QUESTION)) == 40
    assert len(list(store.glob("bodies/*/*"))) == 20
    assert snapshots.check_store(store) == []


@given(st.lists(st.binary(max_size=8), max_size=8))
def test_vintages_are_the_answers_without_repetitions(
    tmp_path_factory: pytest.TempPathFactory, bodies: list[bytes]
) -> None:
    store = tmp_path_factory.mktemp("kept")
    for minutes, body in enumerate(bodies):
        save(store, answer(body, minutes))
    changed = [body for before, body in zip([None, *bodies], bodies, strict=False) if body != before]
    assert [snapshots._read_body(store, one) for one in vintages(store)] == changed
