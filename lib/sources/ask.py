"""One question, answered from the store where it holds a fresh enough answer, else by the source."""

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from lib.errors import UserError
from lib.sources.client import get
from lib.sources.exchange import Client, Request
from lib.sources.snapshots import Snapshot, Store, latest, read_body, save

Read = Callable[[bytes, str, str], "Content"]
"""Reads a body, given its type and its address."""
Content = TypeVar("Content")


def ask(
    client: Client,
    store: Store,
    request: Request,
    read: Callable[[bytes, str, str], Content],
    *,
    offline: bool = False,
    max_age: timedelta | None = None,
) -> tuple[Snapshot, Content]:
    """Return the answer to a question, with its record.

    Parameters
    ----------
    client, store : where to ask and where to keep.
    request : the question.
    read : reads the body, given its type and address; what it refuses is kept, marked, and never used.
    offline : use the last snapshot, of whatever age, and ask nobody.
    max_age : use a snapshot that is younger than this; None asks anew.

    Raises
    ------
    UserError
        Where the source cannot be asked or its answer not be read, or offline without a snapshot.
    """
    kept = latest(store, request, client.now(), None if offline else max_age)
    if kept and (offline or max_age is not None):
        return kept, read(read_body(store, kept), kept.media, kept.url)
    if offline:
        raise UserError(f"offline: no snapshot of {request.url}; run once without --offline")
    try:
        answer = get(client, request)
    except UserError as error:
        raise type(error)(f"{error}{hint(kept)}") from None
    try:
        content = read(answer.body, answer.media, answer.url)
    except UserError as error:
        save(store, request, answer, fault=str(error))
        raise UserError(f"{error}{hint(kept)}") from None
    return save(store, request, answer), content


def hint(kept: Snapshot | None) -> str:
    """Say that an older answer can be used, where there is one."""
    return f" (--offline uses the snapshot of {kept.day})" if kept else ""
