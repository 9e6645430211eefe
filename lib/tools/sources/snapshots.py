"""Answers as received: each body once, under its checksum, and a small record for every time it was received.

    bodies/3f/3f9a….gz        the body, compressed; named by the SHA-256 of what it unpacks to
    records/imf/5e1c…/20261124T134501123456Z-3f9a….json     its record; the folder is named by source, path and parameters
    refused/3f9a….gz          an answer that could not be read, for whoever wants to see why

Nothing is ever overwritten: an answer that has changed is another body and another record, that is, a new vintage. Two
processes may write at once, and a stop at any moment leaves a file whole or absent.
"""

import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any, TypeVar

from lib.errors import UserError, shown_path
from lib.package import data_dir
from lib.research.files import make_folder, write_atomically
from lib.tools.sources.client import Client, Request, Snapshot, get
from lib.tools.sources.publishers import PUBLISHERS, base_of, key_of

Content = TypeVar("Content")
UNREADABLE = ".unreadable"


def folder_of() -> Path:
    """Return the folder of the snapshots: that of `TRADEGOALS_SNAPSHOTS`, else data/snapshots."""
    return Path(os.environ.get("TRADEGOALS_SNAPSHOTS") or data_dir() / "snapshots")


def save(store: Path, snapshot: Snapshot, body: bytes) -> Snapshot:
    """Keep an answer: its body where it is new, and its record; return the first record of its vintage."""
    try:
        _read_body(store, snapshot)
    except UserError:  # not there yet, or damaged
        _write(_body_path(store, snapshot), body)
    if not (path := place_of(store, snapshot)).exists():
        record = asdict(snapshot) | {"retrieved": snapshot.retrieved.isoformat()}
        record |= {"checksum": _checksum(record)}
        _write(path, (json.dumps(record, ensure_ascii=False, sort_keys=True) + "\n").encode())
    return first_of(store, snapshot)


def place_of(store: Path, snapshot: Snapshot) -> Path:
    """Return where the record of a snapshot lies."""
    stamp = snapshot.retrieved.strftime("%Y%m%dT%H%M%S%fZ")
    return _folder(store, snapshot) / f"{stamp}-{snapshot.sha256[:16]}.json"


def _folder(store: Path, question: Request | Snapshot) -> Path:
    """Return the folder of a question's records: its name is the beginning of a checksum."""
    text = json.dumps([question.source, question.path, sorted(question.params)])
    return store / "records" / question.source / hashlib.sha256(text.encode()).hexdigest()[:24]


def _body_path(store: Path, snapshot: Snapshot) -> Path:
    return store / "bodies" / snapshot.sha256[:2] / f"{snapshot.sha256}.gz"


def _write(path: Path, content: bytes) -> None:
    make_folder(path.parent)
    write_atomically(path, gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def _checksum(record: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _read_record(path: Path) -> Snapshot:
    """Read one record; one that was altered is none any more."""
    try:
        record: dict[str, Any] = json.loads(path.read_bytes())
        if record.pop("checksum", "") not in ("", _checksum(record)):  # older versions wrote none
            raise ValueError("its checksum is another")
        return Snapshot(**record)
    except (ValueError, TypeError, AttributeError, RecursionError, OSError) as error:
        found = f"no record of a snapshot ({str(error).partition(chr(10))[0]})"
        raise UserError(f"{shown_path(path)}: found {found}, expected one; fetching mends it") from None


def _read_body(store: Path, snapshot: Snapshot) -> bytes:
    """Return a snapshot's body, checked against its checksum."""
    path = _body_path(store, snapshot)
    try:
        body = gzip.decompress(path.read_bytes())
        if hashlib.sha256(body).hexdigest() != snapshot.sha256:
            raise OSError("its checksum is another")
        return body
    except (OSError, EOFError, zlib.error) as error:
        found = f"no body that can be read ({error})"
        raise UserError(f"{shown_path(path)}: found {found}, expected a gzip; fetching mends it") from None


def _records(store: Path, question: Request | Snapshot, mend: bool = False) -> list[Snapshot]:
    """Return all answers to a question, oldest first; to `mend` is to set aside records that cannot be read."""
    found = []
    for path in sorted(_folder(store, question).glob("*.json")):
        try:
            found.append(_read_record(path))
        except UserError:
            if not mend:
                raise
            path.replace(path.with_name(path.name + UNREADABLE))
    return found


def first_of(store: Path, snapshot: Snapshot) -> Snapshot:
    """Return the first record of a snapshot's vintage; an answer that was replaced and comes again begins another one."""
    before = [one for one in _records(store, snapshot) if one.retrieved <= snapshot.retrieved]
    same = [*takewhile(lambda one: one.sha256 == snapshot.sha256, reversed(before))]
    return same[-1] if same else snapshot


def check_store(store: Path) -> list[str]:
    """Say which records and bodies cannot be read or do not fit their checksums."""
    faults = []
    for path in sorted(store.glob("records/*/*/*.json*")):
        try:
            _read_body(store, _read_record(path))
        except UserError as error:
            aside = "; it was set aside, and may be removed" * (path.suffix == UNREADABLE)
            faults.append(f"{error}{aside}")
    return faults


@dataclass(frozen=True)
class Desk:
    """Where questions are asked: the store answers what is younger than `max_age`, offline everything, else the source."""

    client: Client
    store: Path
    offline: bool = False
    max_age: timedelta = timedelta(0)

    @property
    def today(self) -> str:
        """The day (UTC), as YYYY-MM-DD."""
        return self.client.now().date().isoformat()

    def request(self, source: str, lasting: bool = False, **asked: object) -> Request:
        """Return a question to a source by its recipe in publishers.toml, at its address, with its key."""
        facts, base = PUBLISHERS[source], base_of(source, self.client.allow_http)
        texts = {name: text.format(**asked) for name, text in facts.params.items()}
        params = tuple((name, text) for name, text in texts.items() if text)
        return Request(source, base, facts.path.format(**asked), params, lasting, key_of(source))

    def ask(self, request: Request, read: Callable[[bytes, str], Content]) -> tuple[Content, Snapshot]:
        """Return what `read` makes of an answer (body, address), and the first record of its vintage; a refused one is put aside."""
        kept = next(reversed(_records(self.store, request, mend=not self.offline)), None)
        age = self.client.now() - kept.retrieved if kept else timedelta(0)
        if kept and (self.offline or request.lasting or age < self.max_age):
            try:
                return read(_read_body(self.store, kept), kept.url), first_of(self.store, kept)
            except UserError as error:
                if self.offline:
                    raise UserError(f"{error}; without --offline it is asked for anew") from None
        if self.offline:
            raise UserError(f"offline: no snapshot of {request.url}; run once without --offline")
        hint = f" (--offline uses the snapshot of {kept.day})" if kept else ""
        try:
            snapshot, body = get(self.client, request)
        except UserError as error:
            raise type(error)(f"{error}{hint}") from None
        try:
            content = read(body, snapshot.url)
        except UserError as error:
            _write(aside := self.store / "refused" / f"{snapshot.sha256}.gz", body)
            raise UserError(f"{error}; what came is in {shown_path(aside)}{hint}") from None
        return content, save(self.store, snapshot, body)
