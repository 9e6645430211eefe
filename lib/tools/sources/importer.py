"""A table that somebody downloaded by hand, as the answer of a publisher: read, and kept as it came beside its mapping."""

from dataclasses import dataclass
from pathlib import Path

from lib.errors import UserError, shown_path
from lib.research.files import write_atomically
from lib.tools.sources import gacc, observations
from lib.tools.sources.client import Answer, Client, Request
from lib.tools.sources.fetch import Fetched, days_known
from lib.tools.sources.mapping import Mapping, to_yaml
from lib.tools.sources.publishers import Publisher, publisher
from lib.tools.sources.reader import Observed, read_table
from lib.tools.sources.snapshots import Store, first_of, place_of, record_of, save
from lib.tools.sources.tables import read_file


@dataclass(frozen=True)
class Imported:
    """A file that was read: nothing of it is kept yet.

    Parameters
    ----------
    fetched : observations as `fetch.fetch` gives them, in the units of the table, with the snapshot that will be kept.
    request, answer, facts : the file as a question that was answered.
    mapping : how it was read; None for a page of China's customs.
    """

    fetched: Fetched
    request: Request
    answer: Answer
    facts: Publisher
    mapping: Mapping | None


def read_import(
    table: Path, mapping: Mapping | None, client: Client, store: Store, observed: Observed | None = None
) -> Imported:
    """Read a downloaded table, or without a mapping a saved page of China's customs.

    Parameters
    ----------
    table : the file, of any kind that `tables` reads.
    client, store : the clock, and what was kept before: a file that came before is known from then on.
    observed : what the mapping makes of the table, where somebody has read it already.

    Raises
    ------
    UserError
        As `read_table`; also for a publication in the future.
    """
    body, where = read_file(table), shown_path(table)
    if mapping is None:
        facts, source = publisher("gacc"), "gacc"
        rows, notes = gacc.read(body, gacc.HTML[0], where)
        rows = observations.check(rows.assign(source=source, snapshot="0" * 64).reset_index(drop=True), where)
    else:
        facts = Publisher(mapping.title, mapping.url, mapping.licence, authority=mapping.authority)
        source = mapping.source
        rows, notes = observed or read_table(body, mapping, where)
    request = Request(source, facts.base, "", (("file", table.name),))
    answer = Answer(facts.base, 200, (), body, client.now())
    snapshot = first_of(store, request, record_of(request, answer, facts))
    stated = mapping.published.isoformat() if mapping and mapping.published else ""
    if stated > client.now().date().isoformat():
        raise UserError(f"published: found {stated}, expected a day that has come")
    rows, early = observations.finished_only(rows, min(stated or snapshot.day, snapshot.day), where)
    rows = rows.assign(snapshot=snapshot.sha256, published=days_known(rows, snapshot.day))
    fetched = Fetched(rows.sort_values(observations.KEY, ignore_index=True), [snapshot], notes + early)
    return Imported(fetched, request, answer, facts, mapping)


def keep(imported: Imported, store: Store) -> Path | None:
    """Keep a file that was read, and beside its record the mapping; return where that lies."""
    snapshot = save(store, imported.request, imported.answer, facts=imported.facts)
    if imported.mapping is None:
        return None
    path = place_of(store, snapshot).with_suffix(".yml")
    write_atomically(path, to_yaml(imported.mapping))
    return path
