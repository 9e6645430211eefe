"""Rules that catch the usual slips of published trade figures: units, decimals, currencies, dates, sums.

A rule sees numbers alone, never the status that somebody gave a row, and says which row it doubts, what would be
expected, and which rows speak against it. A flag is a question for a reader, not a verdict: nothing is changed.
"""

import math
from bisect import bisect_left, bisect_right
from calendar import monthrange
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import product
from statistics import median
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lib.errors import some
from lib.growth import implied_base

COLUMNS = ["rule", "figure_id", "found", "expected", "against"]

Row = Any
"""A figure as `prepare` gives it, its columns as attributes."""


def prepare(figures: pd.DataFrame, rates: pd.Series) -> list[Row]:
    """What the rules compare: each figure with its columns as attributes; goals and amounts without a beginning are left out.

    Added are of (reporter, partner and flow), period (its first and last day, as numbers), rate (yuan per dollar), log (of the
    level in millions of US dollars; NaN without one), pace (log of the same a day), middle (of the period, in days), half
    (half a unit of the last printed digit, as a fraction of the value) and half_yoy (the same of the growth, points).
    """
    rows = figures[(figures["status"] != "goal") & figures["period_start"].notna()].reset_index(drop=True)
    year = rows["period_end"].dt.year
    span = range(int(year.min()), int(year.max()) + 1) if len(rows) else range(0)
    rate = year.map(rates.reindex(rates.index.union(span)).ffill().bfill())
    usd = rows["value_mn"] / np.where(rows["currency"] == "CNY", rate, 1.0)
    log = np.log(usd.where(usd > 0))
    first, last = ((rows[name] - pd.Timestamp(0)).dt.days for name in ("period_start", "period_end"))
    added = {"rate": rate, "log": log, "pace": log - np.log(last - first + 1), "middle": (first + last) / 2}
    rows = rows.assign(**added, period=list(zip(first, last, strict=True)), slip="")
    names, columns = list(rows), (rows[name].tolist() for name in rows)  # `to_dict` takes three times as long
    found = [SimpleNamespace(**dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)]
    for row in found:
        row.of = row.reporter, row.partner, row.flow
        row.half = _half_unit(row.value) / row.value if row.value > 0 else math.nan
        row.half_yoy = _half_unit(row.yoy_pct)
    return found


def _half_unit(value: float) -> float:
    """Half a unit of the last printed digit: 21.3 may be 21.25 to 21.35; 200 counts as rounded to a whole."""
    text = np.format_float_positional(value, trim="-") if math.isfinite(value) else "0"
    return 0.5 * 10.0 ** -len(text.partition(".")[2])


def _ours(row: Row) -> Any:
    return row.of, row.period


def _levels(rows: list[Row]) -> list[Row]:
    return [row for row in rows if not math.isnan(row.log)]


def _beside(
    rows: list[Row], key: Callable[[Row], Any], theirs: Callable[[Row], Any] | None = None
) -> Iterator[tuple[Row, list[Row]]]:
    """Each level with the others whose key (`theirs`, where it is another) is its own, where there is one."""
    known, levels = defaultdict(list), _levels(rows)
    for row in levels:
        known[(theirs or key)(row)].append(row)
    for row in levels:
        if others := [one for one in known.get(key(row), ()) if one is not row]:
            yield row, others


def _amount(row: Row) -> str:
    """A level as it was printed."""
    return f"{row.value:,.10g} {row.unit}"


def _millions(value: float, row: Row) -> str:
    """Millions in the currency of a row, to four digits."""
    rounded = float(np.format_float_positional(value, 4, fractional=False, trim="-"))
    return f"{rounded:,.10g} {row.currency} mn"


def _percent(value: float) -> str:
    """Growth in per cent with its sign."""
    return f"{value:+,.1f} %".replace("-", "−")


class _Doubt(NamedTuple):
    """A row that a rule doubts, those that speak against it, and texts: the levels of the two where they are blank."""

    row: Row
    against: list[Row]
    expected: str = ""
    found: str = ""


# Log distances.
SAME_NUMBER = 0.05  # within it two prints are the same number; a year's rates spread a conversion by so much
SAME_SIZE = 0.35  # within it a level fits the years around: yearly trade of a pair seldom changes more
CONFLICT = 0.02  # prints of a level in one currency differ by rounding to two or three digits at most
JUMP = float(np.log(3))  # beyond three times the pace of the years around, growth is rarer than a slip
APART = float(np.log(2))  # beyond it the paces of neighbours contradict one another
MIRROR = float(np.log(1.25))  # freight and insurance explain 6 to 10 % (IMF, DOTS), re-exports some more

NEAR_DAYS = 800  # neighbours' middles lie within a little more than two years of one another
GROWTH_POINTS = 2.0  # between printed growth and that of the levels: revisions of the base explain up to two
PARTS_POINTS = 0.3  # between the growth of a total and that of its parts, beside their rounding
PARTS_SHARE = 0.01  # of the total: exports and imports may be rounded and revised apart

SLIPS = {
    1: "a decimal, or yi (亿, 0.1 bn) taken for bn",
    2: "two decimals, or wan (万, 0.01 mn) taken for mn",
    3: "mn taken for bn",
    4: "wan (万, 10,000) taken for one",
}
"""What a factor of ten, a hundred, … usually is."""


def _expect(rows: list[Row]) -> None:
    """Add to each level what the other rows of its flow say of it.

    others and around (log of millions of US dollars: median of the other prints of the period, and the median pace of
    neighbouring periods; NaN where there are none), off (log distance from `others`, or else from `around`), compared (the
    figures that it was compared with) and slip (`_slip`).
    """
    for row, twins, near in _neighbours(rows):
        row.others = median(one.log for one in twins) if twins else math.nan
        row.around = median(one.pace for one in near) + row.log - row.pace if near else math.nan
        row.off, row.compared = row.log - (row.others if twins else row.around), twins or near
        # A sound level beside a wrong one is not lonely: most neighbouring periods bear it out.
        lonely = 2 * sum(abs(one.pace - row.pace) > APART for one in near) > len(near)
        sided = abs(row.log - row.around) < abs(row.others - row.around)
        row.slip = _slip(row) if (not sided if twins else lonely) else ""
        supported = abs(row.log - row.others) <= SAME_SIZE
        if lonely and not supported and not row.slip and abs(row.log - row.around) > JUMP:
            row.slip = "jump"


def _neighbours(rows: list[Row]) -> Iterator[tuple[Row, list[Row], list[Row]]]:
    """Each level with the other prints of its period, and with those of periods near it, of its flow."""
    flows = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.middle):
        flows[row.of].append(row)
    for flow in flows.values():
        middles = [row.middle for row in flow]
        for row in flow:
            first = bisect_left(middles, row.middle - NEAR_DAYS)
            around = flow[first : bisect_right(middles, row.middle + NEAR_DAYS)]
            twins = [one for one in around if one.period == row.period and one is not row]
            yield row, twins, [one for one in around if one.period != row.period]


def _slip(row: Row) -> str:
    """What a level may be that its neighbours, or the years around with the other prints, speak against."""
    ten, off, fits = math.log(10), abs(row.off), SAME_SIZE if math.isnan(row.others) else SAME_NUMBER
    sign = {"USD": 1.0, "CNY": -1.0}.get(row.currency, math.nan)
    exchanged = abs(row.off * sign - math.log(row.rate))
    if exchanged <= fits and exchanged <= abs(off - ten):
        return "other_currency"
    power = round(off / ten)
    return "power_of_ten" if power in SLIPS and abs(off - power * ten) <= fits else ""


def _slips(kind: str, rows: list[Row]) -> Iterator[_Doubt]:
    """Levels with a slip of a kind, and what was expected in their own currency."""
    for row in rows:
        if row.slip == kind:
            expected = math.exp(row.around if kind == "jump" else row.log - row.off)
            expected *= row.rate if row.currency == "CNY" else 1.0
            why = f" ({SLIPS[round(abs(row.off) / math.log(10))]})" if kind == "power_of_ten" else ""
            yield _Doubt(row, row.compared, f"about {_millions(expected, row)}{why}")


def _conflict(rows: list[Row]) -> Iterator[_Doubt]:
    """In doubt is the print that stands against most of the others; of two, both."""
    for row, others in _beside(rows, lambda row: (_ours(row), row.currency)):
        against = [one for one in others if abs(row.log - one.log) > max(CONFLICT, row.half + one.half)]
        if 2 * len(against) > len(others):
            yield _Doubt(row, against)


def _year_below_part(rows: list[Row]) -> Iterator[_Doubt]:
    """A period whose level is below that of a part of it, such as a year below its first ten months."""
    for row, others in _beside(rows, lambda row: (row.of, row.currency, row.period_start.year)):
        start, end = row.period
        parts = [one for one in others if start <= one.period[0] and one.period[1] <= end]
        parts = [one for one in parts if one.period != row.period]
        if against := [one for one in parts if row.log < one.log - row.half - one.half]:
            yield _Doubt(row, against)


def _part_above_whole(rows: list[Row]) -> Iterator[_Doubt]:
    """A city or province above the larger one that contains it, in the same period."""
    for row, wholes in _beside(rows, lambda row: ((row.whole, *row.of[1:]), row.period), _ours):
        if against := [one for one in wholes if row.log > one.log + SAME_NUMBER + row.half + one.half]:
            yield _Doubt(row, against)


def _mirror_gap(rows: list[Row]) -> Iterator[_Doubt]:
    """The partner's own figures for the same goods all differ by more than freight and re-exports explain."""
    for row, others in mirrored(rows):
        if min(abs(row.log - one.log) for one in others) > MIRROR:
            yield _Doubt(row, others)


def mirrored(rows: list[Row]) -> Iterator[tuple[Row, list[Row]]]:
    """Each level with those that the partner reports for the same goods and period, of rows as `prepare` gives them."""
    back = {"export": "import", "import": "export", "total": "total"}
    theirs = lambda row: ((row.partner, row.reporter, back.get(row.flow)), row.period)  # noqa: E731
    return _beside(rows, _ours, theirs)


def _duplicate(rows: list[Row]) -> Iterator[_Doubt]:
    """The same number for the same period by the same publisher, on the same day: one row too many."""
    first: dict[Any, Row] = {}
    for row in rows:
        number = f"{row.value} {row.unit} {row.yoy_pct}"  # as text, in which what is missing equals itself
        known = first.setdefault((row.of, row.period, number, row.publisher, row.published), row)
        if known is not row:
            yield _Doubt(row, [known], "one row for one number")


def _same_number(rows: list[Row]) -> Iterator[_Doubt]:
    """Level and growth, to three digits or more, are those of another period or reporter; perhaps a slip."""
    exact = [row for row in rows if row.half < 0.005 and not math.isnan(row.yoy_pct)]
    for row, others in _beside(exact, lambda row: (*row.of[1:], row.value, row.unit, row.yoy_pct)):
        for one in others:
            if row.period_end > one.period_end or row.reporter != one.reporter:
                of = f"{one.reporter} to {one.period_end:%Y-%m-%d}"
                yield _Doubt(row, [one], f"another number: this is that of {of}")


def _growth_against_levels(rows: list[Row]) -> Iterator[_Doubt]:
    """Printed growth that fits no level of the same months a year earlier; the side with fewer texts is doubted."""
    misfits = [(row, levels) for row, levels in with_growth(rows) if not any(one.fits for one in levels)]
    texts = Counter(_ours(row) for row, _ in misfits)
    earlier: dict[Any, set[str]] = defaultdict(set)
    for row, levels in misfits:
        earlier[_ours(row)] |= {one.level.figure_id for one in levels}
    doubted, based = set(), []
    for row, levels in misfits:
        against = [one.level for one in levels]
        if texts[_ours(row)] > len(earlier[_ours(row)]):
            based += [(row, one) for one in against]
        else:
            doubted.add(row.figure_id)
            yield _Doubt(row, against, _percent(levels[0].growth), _percent(row.yoy_pct))
    for row, level in based:
        if level.figure_id not in doubted:
            yield _Doubt(level, [row], f"about {_millions(base_of(row), row)}", _amount(level))


def base_of(row: Row) -> float:
    """The level of a year earlier that level and printed growth imply, millions."""
    return float(implied_base(row.value_mn, row.yoy_pct / 100))


class Earlier(NamedTuple):
    """A level of the same months a year before, the growth since it (per cent), and whether that is what is printed."""

    level: Row
    growth: float
    fits: bool


def with_growth(rows: list[Row]) -> Iterator[tuple[Row, list[Earlier]]]:
    """Each level that prints growth with those of the same months a year earlier, in one currency.

    They fit up to revisions and rounding. `rows` are as `prepare` gives them.
    """

    def months(row: Row, later: int = 0) -> Any:
        start, end = row.period_start, row.period_end
        last = monthrange(end.year + 1, 2)[1] if later and end.month == 2 else end.day
        first = (start.year + later, start.month, start.day)
        return row.of, row.currency, first, (end.year + later, end.month, last)

    for row, levels in _beside(rows, months, lambda row: months(row, 1)):
        if math.isnan(row.yoy_pct):
            continue
        found = []
        for one in levels:
            between = (row.value_mn / one.value_mn - 1) * 100
            allowed = GROWTH_POINTS + row.half_yoy + (row.half + one.half) * (100 + between)
            found.append(Earlier(one, between, abs(between - row.yoy_pct) <= allowed))
        yield row, found


def _misfits(rows: list[Row], excess: Callable[[Row, Row, Row], float]) -> Iterator[tuple[Row, Row, Row]]:
    """Totals, with those exports and imports of their period and currency that fit best, where even these do not fit."""
    parts, levels = defaultdict(list), _levels(rows)
    for row in levels:
        parts[row.flow, *row.of[:2], row.period, row.currency].append(row)
    for total in levels:
        both = (parts[flow, *total.of[:2], total.period, total.currency] for flow in ("export", "import"))
        found = [(excess(total, *pair), pair) for pair in product(*both) if total.flow == "total"]
        least, pair = min(found, key=lambda one: one[0], default=(0.0, ()))
        if least > 0:
            yield total, *pair


def _parts_against_total(rows: list[Row]) -> Iterator[_Doubt]:
    """A total that no exports and imports of its period add up to."""

    def excess(total: Row, out: Row, back: Row) -> float:
        parts = out.value_mn + back.value_mn
        rounding = total.half + (out.half * out.value_mn + back.half * back.value_mn) / parts
        return abs(math.log(total.value_mn / parts)) - rounding - PARTS_SHARE

    for total, out, back in _misfits(rows, excess):
        yield _Doubt(total, [out, back], _millions(out.value_mn + back.value_mn, total))


def _growth_of_parts(rows: list[Row]) -> Iterator[_Doubt]:
    """Printed growth of exports, imports and total that cannot all be true; each of the three is flagged."""

    def implied(out: Row, back: Row) -> float:
        base = sum(one.value_mn / (1 + one.yoy_pct / 100) for one in (out, back))
        return float((out.value_mn + back.value_mn) / base - 1) * 100

    def excess(total: Row, out: Row, back: Row) -> float:
        # Growth is printed to a tenth or a whole; how the parts weigh is uncertain by their rounding.
        weighing = (out.half + back.half) * abs(out.yoy_pct - back.yoy_pct)
        allowed = PARTS_POINTS + weighing + total.half_yoy + max(out.half_yoy, back.half_yoy)
        return abs(implied(out, back) - total.yoy_pct) - allowed

    found = list(_misfits([row for row in rows if row.yoy_pct > -100], excess))
    for total, *parts in found:
        yield _Doubt(total, parts, _percent(implied(*parts)), _percent(total.yoy_pct))
    for place in (1, 2):
        for triple in found:
            expected = f"growth that makes the total {_percent(triple[0].yoy_pct)}"
            yield _Doubt(triple[place], [triple[0]], expected, _percent(triple[place].yoy_pct))


UNDOUBTED = ("ok", "preliminary", "estimate", "rounded", "secondary", "relabelled", "date_trap")
"""Statuses that leave level and growth usable: a flag on such a row is a question that nobody has answered yet."""


class _Rule(NamedTuple):
    """What a rule says of the rows that it flags, how it finds them, and words before the level that it expects."""

    meaning: str
    find: Callable[[list[Row]], Iterator[_Doubt]]
    words: str = ""


RULES: dict[str, _Rule] = {
    "other_currency": _Rule("yuan and dollars exchanged", partial(_slips, "other_currency")),
    "power_of_ten": _Rule(
        "a misplaced decimal, or a unit taken for another", partial(_slips, "power_of_ten")
    ),
    "jump": _Rule("far off the pace of the periods around", partial(_slips, "jump")),
    "conflict": _Rule("other prints of the period differ by more than rounding", _conflict),
    "year_below_part": _Rule("below a part of its own period", _year_below_part, "at least "),
    "part_above_whole": _Rule("above the larger reporter that contains it", _part_above_whole, "at most "),
    "mirror_gap": _Rule("far from the partner's own figure", _mirror_gap),
    "duplicate": _Rule("the same row twice", _duplicate),
    "same_number": _Rule("level and growth of another period or reporter", _same_number),
    "growth_against_levels": _Rule("printed growth and printed levels disagree", _growth_against_levels),
    "parts_against_total": _Rule("exports and imports do not add up to the total", _parts_against_total),
    "growth_of_parts": _Rule("growth of the parts contradicts that of the total", _growth_of_parts),
}


def find_flags(
    figures: pd.DataFrame, rates: pd.Series, parents: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Every flag of every rule.

    Parameters
    ----------
    figures : figures of any flows, as `lib.figures.load_figures` gives them; goals are left out.
    rates : annual average yuan per US dollar by year; a year without one takes that of the nearest.
    parents : the larger reporter that contains each reporter, where there is one.

    Returns
    -------
    DataFrame with a row for each doubted figure and rule: rule (a name of `RULES`), figure_id, found, expected
    (text) and against (figure_ids that speak against it), in the order of the rules.
    """
    rows, above = prepare(figures, rates), parents or {}
    for row in rows:
        row.whole = above.get(row.reporter)
    _expect(_levels(rows))
    found: dict[tuple[str, str], tuple[str, str, set[str]]] = {}
    for name, rule in RULES.items():
        for row, against, expected, said in rule.find(rows):
            words = said or _amount(row), expected or rule.words + _amount(against[0])
            told = found.setdefault((name, row.figure_id), (*words, set()))
            told[2].update(one.figure_id for one in against)
    table = [(*key, *words, some(sorted(against), 3)) for key, (*words, against) in found.items()]
    return pd.DataFrame(table, columns=COLUMNS, dtype="str")
