"""Rules that catch the usual slips of published trade figures: units, decimals, currencies, dates, sums.

Levels are held against other prints of the same period and the pace of the years around; growth against levels, exports
and imports against their total.

A rule sees numbers alone, never the status that somebody gave a row, and says which row it doubts, what would be
expected, and which rows speak against it. A flag is a question for a reader, not a verdict: nothing is changed.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lib.errors import some
from lib.growth import implied_base

FLOW = ["reporter", "partner", "flow"]
PERIOD = ["period_start", "period_end"]
COLUMNS = ["rule", "figure_id", "found", "expected", "against"]
NONE = pd.DataFrame(columns=COLUMNS[1:], dtype="str")
"""No flags."""
NUMBERS = ["value_mn", "yoy_pct", "log", "pace", "middle", "half", "half_yoy"]


def prepare(figures: pd.DataFrame, rates: pd.Series) -> pd.DataFrame:
    """What the rules compare, under a plain index; goals and amounts without a beginning are left out.

    Returns
    -------
    The figures with log (of the level in millions of US dollars), pace (log of the same a day), middle (of the
    period), rate (yuan per dollar), half (half a unit of the last printed digit, as a fraction of the value),
    half_yoy (the same of the growth, points), and the numbers of their flow and period.
    """
    rows = figures[(figures["status"] != "goal") & figures["period_start"].notna()].reset_index(drop=True)
    year = rows["period_end"].dt.year
    span = range(int(year.min()), int(year.max()) + 1) if len(rows) else range(0)
    rate = year.map(rates.reindex(rates.index.union(span)).ffill().bfill())
    usd = rows["value_mn"] / np.where(rows["currency"] == "CNY", rate, 1.0)
    log = np.log(usd.where(usd > 0))
    length = rows["period_end"] - rows["period_start"]
    return rows.assign(
        rate=rate,
        log=log,
        pace=log - np.log(length.dt.days + 1),
        middle=rows["period_start"] + length / 2,
        half=rows["value"].map(half_unit) / rows["value"].where(rows["value"] > 0),
        half_yoy=rows["yoy_pct"].map(half_unit),
        flow_number=rows.groupby(FLOW).ngroup(),
        period_number=rows.groupby(PERIOD).ngroup(),
    )


def half_unit(value: float) -> float:
    """Half a unit of the last printed digit: 21.3 may be 21.25 to 21.35; 200 counts as rounded to a whole."""
    text = np.format_float_positional(value, trim="-") if np.isfinite(value) else "0"
    return 0.5 * 10.0 ** -len(text.partition(".")[2])


def pair(left: pd.DataFrame, keys: list[str], right: pd.DataFrame | None = None) -> pd.DataFrame:
    """Each row beside the other rows with the same keys.

    Returns
    -------
    row and row_o, the places of the two in the index, and for both (the other's with the suffix _o) the
    columns of `NUMBERS` and `PERIOD`.
    """
    right = left if right is None else right
    columns = [*NUMBERS, *PERIOD]
    one = left[columns].assign(row=left.index, **{f"key{n}": left[name] for n, name in enumerate(keys)})
    other = right[columns].add_suffix("_o")
    other = other.assign(row_o=right.index, **{f"key{n}": right[name] for n, name in enumerate(keys)})
    pairs = one.merge(other, on=[f"key{n}" for n in range(len(keys))])
    return pairs[pairs["row"] != pairs["row_o"]].reset_index(drop=True)


def _triples(rows: pd.DataFrame) -> pd.DataFrame:
    """Each total beside the exports (_x) and imports (_m) of its period in its currency."""
    keys = ["reporter", "partner", "period_number", "currency"]
    part = {name: rows.loc[rows["flow"] == name, [*keys, *NUMBERS]] for name in ("total", "export", "import")}
    found = part["total"].assign(row=part["total"].index)
    for name, suffix in (("export", "_x"), ("import", "_m")):
        other = part[name][NUMBERS].add_suffix(suffix).assign(**{key: part[name][key] for key in keys})
        found = found.merge(other.assign(**{f"row{suffix}": other.index}), on=keys)
    return found


def flags(
    rows: pd.DataFrame, doubted: pd.Series, found: pd.Series, expected: pd.Series | str, against: pd.Series
) -> pd.DataFrame:
    """One flag for each doubted row, with the figures that speak against it.

    Parameters
    ----------
    rows : as `prepare` gives them.
    doubted, against : places of rows, in parallel with the texts `found` and `expected`; a row doubted for
        several reasons keeps the first pair of texts.
    """
    ids, texts = rows["figure_id"], {"found": found, "expected": expected}
    if doubted.empty:
        return NONE
    columns: dict[str, Any] = {"figure_id": doubted.map(ids), **texts, "against": against.map(ids)}
    together = pd.DataFrame(columns, index=doubted.index, dtype="str").groupby("figure_id", sort=False)
    return together.agg({"found": "first", "expected": "first", "against": names}).reset_index()


def _levels(rows: pd.DataFrame, bad: pd.DataFrame, words: str = "") -> pd.DataFrame:
    """Flags of the levels of pairs (as `pair` gives them), each against its other, which was expected."""
    if bad.empty:
        return NONE
    return flags(rows, bad["row"], amount(rows, bad["row"]), words + amount(rows, bad["row_o"]), bad["row_o"])


def names(ids: pd.Series) -> str:
    """Figures by id, the first three by name."""
    return some(sorted({one for one in ids.tolist() if isinstance(one, str)} - {""}), 3)


def amount(rows: pd.DataFrame, places: pd.Series) -> pd.Series:
    """Levels as they were printed, for the rows at these places."""
    printed = places.map(rows["value"]).map("{:,.10g}".format).astype("str")
    return printed + " " + places.map(rows["unit"]).astype("str")


def millions(values: pd.Series, rows: pd.DataFrame, places: pd.Series) -> pd.Series:
    """Millions in the currency of the rows at these places, to four digits."""
    rounded = [np.format_float_positional(value, 4, fractional=False, trim="-") for value in values]
    texts = pd.Series([f"{float(text):,.10g}" for text in rounded], index=values.index, dtype="str")
    return texts + " " + places.map(rows["currency"]).astype("str") + " mn"


def percent(values: pd.Series) -> pd.Series:
    """Growth in per cent with its sign."""
    return values.map("{:+,.1f} %".format).astype("str").str.replace("-", "−")


SAME_NUMBER = 0.05
"""Log distance within which two prints are the same number; a year's rates spread a conversion by so much."""

SAME_SIZE = 0.35
"""Log distance within which a level fits the years around it: yearly trade of a country pair seldom changes more."""

CONFLICT = 0.02
"""Two prints of a level in one currency differ by rounding to two or three digits at most: 2 per cent."""

JUMP = float(np.log(3))
"""Beyond three times the pace of the years around, growth is rarer than a slip."""

NEAR_DAYS = 800
"""Two periods are neighbours when their middles lie within a little more than two years of one another."""

APART = float(np.log(2))
"""Neighbours contradict one another when their paces differ by more than a factor of two."""

MIRROR = float(np.log(1.25))
"""Freight and insurance explain 6 to 10 per cent (IMF, Direction of Trade Statistics), re-exports some more."""

SLIPS = {
    1: "a decimal, or yi (亿, 0.1 bn) taken for bn",
    2: "two decimals, or wan (万, 0.01 mn) taken for mn",
    3: "mn taken for bn",
    4: "wan (万, 10,000) taken for one",
}
"""What a factor of ten, a hundred, … usually is."""


def expectations(rows: pd.DataFrame) -> pd.DataFrame:
    """What the other rows of a flow say of each level, by the same index.

    Returns
    -------
    others and around (log of millions of US dollars: median of the other prints of the period, and the median
    pace of neighbouring periods; NaN where there are none), off (log distance from `others`, or else from
    `around`), fits (the distance below which `off` is no surprise), lonely (most neighbouring periods contradict
    the level: a sound one beside a wrong one is not), doubted (lonely; or, where there are other prints, the years
    around do not side with it against them) and compared (of those the figures that they were compared with).
    """
    pairs = pair(rows[rows["log"].notna()], ["flow_number"])
    same = (pairs["period_start"] == pairs["period_start_o"]) & (pairs["period_end"] == pairs["period_end_o"])
    close = (pairs["middle"] - pairs["middle_o"]).abs() <= pd.Timedelta(days=NEAR_DAYS)
    twins, near = pairs[same], pairs[close & ~same]
    others = twins.groupby("row")["log_o"].median().reindex(rows.index)
    around = near.groupby("row")["pace_o"].median().reindex(rows.index) + rows["log"] - rows["pace"]
    twin = others.notna()
    apart = (near["pace"] - near["pace_o"]).abs() > APART
    lonely = (apart.groupby(near["row"]).mean() > 0.5).reindex(rows.index, fill_value=False)
    sided = (rows["log"] - around).abs() < (others - around).abs()
    doubted = (twin & ~sided) | (~twin & lonely)
    named = pd.concat([twins, near[~near["row"].isin(rows.index[twin])]])
    named = named[named["row"].isin(rows.index[doubted | lonely])]  # no rule doubts another
    compared = named["row_o"].map(rows["figure_id"]).groupby(named["row"]).agg(names)
    found = pd.DataFrame(
        {"others": others, "around": around, "off": rows["log"] - others.where(twin, around)}
    )
    said = compared.reindex(rows.index).fillna("")
    fits = np.where(twin, SAME_NUMBER, SAME_SIZE)
    return found.assign(fits=fits, lonely=lonely, doubted=doubted, compared=said)


def slips(rows: pd.DataFrame) -> pd.Series:
    """What each doubted level may be by its distance from what is expected: "currency", "ten" (a power of it), or ""."""
    sign, off = rows["currency"].map({"USD": 1.0, "CNY": -1.0}), rows["off"].abs()
    currency = (rows["off"] * sign - np.log(rows["rate"])).abs()
    power = (off / np.log(10)).round()
    ten = power.isin(list(SLIPS)) & ((off - power * np.log(10)).abs() <= rows["fits"])
    exchanged = (currency <= rows["fits"]) & (currency <= (off - np.log(10)).abs())
    found = pd.Series(np.where(exchanged, "currency", np.where(ten, "ten", "")), rows.index, dtype="str")
    return found.where(rows["doubted"], "")


def power_of_ten(rows: pd.DataFrame) -> pd.DataFrame:
    """A misplaced decimal or a unit taken for another: the level is off by 10, 100, 1,000 or 10,000."""
    found = rows[rows["slip"] == "ten"]
    slip = (found["off"].abs() / np.log(10)).round().map(SLIPS).astype("str")
    return _off(found, "off", " (" + slip + ")")


def jump(rows: pd.DataFrame) -> pd.DataFrame:
    """Far off the pace of the periods around, and no other print of the period supports it."""
    alone = ~((rows["log"] - rows["others"]).abs() <= SAME_SIZE)
    far = (rows["log"] - rows["around"]).abs() > JUMP
    return _off(rows[far & alone & rows["lonely"] & (rows["slip"] == "")], "around")


def _off(found: pd.DataFrame, by: str, why: pd.Series | str = "") -> pd.DataFrame:
    """Flags of levels, with what was expected ("off" from it, or "around") in their own currency."""
    if found.empty:
        return NONE
    logs = found["log"] - found["off"] if by == "off" else found["around"]
    expected = np.exp(logs) * np.where(found["currency"] == "CNY", found["rate"], 1.0)
    places, flagged = found.index.to_series(), found[["figure_id"]].assign(against=found["compared"])
    about = "about " + millions(expected, found, places) + why
    return flagged.assign(found=amount(found, places), expected=about).reset_index(drop=True)


def conflict(rows: pd.DataFrame) -> pd.DataFrame:
    """Another print of the same period in the same currency differs by more than rounding."""
    pairs = pair(rows[rows["log"].notna()], ["flow_number", "period_number", "currency"])
    allowed = np.maximum(CONFLICT, pairs["half"] + pairs["half_o"])
    differs = (pairs["log"] - pairs["log_o"]).abs() > allowed
    # In doubt is the print that stands against most of the others; of two, both.
    bad = pairs[differs & (differs.groupby(pairs["row"]).transform("mean") > 0.5)]
    return _levels(rows, bad)


def year_below_part(rows: pd.DataFrame) -> pd.DataFrame:
    """A period whose level is below that of a part of it, such as a year below its first ten months."""
    levels = rows[rows["log"].notna()].assign(year=lambda known: known["period_start"].dt.year)
    pairs = pair(levels, ["flow_number", "currency", "year"])
    first, last = pairs["period_start"], pairs["period_end"]
    longer = (first <= pairs["period_start_o"]) & (last >= pairs["period_end_o"])
    same = (first == pairs["period_start_o"]) & (last == pairs["period_end_o"])
    below = pairs["log"] < pairs["log_o"] - pairs["half"] - pairs["half_o"]
    bad = pairs[longer & ~same & below]
    return _levels(rows, bad, "at least ")


def part_above_whole(rows: pd.DataFrame) -> pd.DataFrame:
    """A city or province above the larger one that contains it, in the same period."""
    levels = rows[rows["log"].notna()]
    wholes = levels.assign(whole=levels["reporter"].astype("str"))
    pairs = pair(levels, ["whole", "partner", "flow", "period_number"], wholes)
    bad = pairs[pairs["log"] > pairs["log_o"] + SAME_NUMBER + pairs["half"] + pairs["half_o"]]
    return _levels(rows, bad, "at most ")


def mirror_gap(rows: pd.DataFrame) -> pd.DataFrame:
    """The partner's own figures for the same goods all differ by more than freight and re-exports explain."""
    bad = mirror_pairs(rows)
    bad = bad[bad["gap"].abs().groupby(bad["row"]).transform("min") > MIRROR]
    return _levels(rows, bad)


def mirror_pairs(rows: pd.DataFrame) -> pd.DataFrame:
    """Levels beside those that the partner reports for the same goods and period; gap is the log of their ratio."""
    levels = rows[rows["log"].notna()]
    seen = levels.assign(
        reporter=levels["partner"],
        partner=levels["reporter"],
        flow=levels["flow"].map({"export": "import", "import": "export", "total": "total"}),
    )
    pairs = pair(levels, ["reporter", "partner", "flow", "period_number"], seen)
    return pairs.assign(gap=pairs["log"] - pairs["log_o"])


def duplicate(rows: pd.DataFrame) -> pd.DataFrame:
    """The same number for the same period by the same publisher, on the same day: one row too many."""
    keys = ["flow_number", "period_number", "value", "unit", "yoy_pct", "publisher", "published"]
    places = rows.index.to_series()
    first = places.groupby([rows[name] for name in keys], dropna=False).transform("min")
    again = places[places != first]
    return flags(rows, again, amount(rows, again), "one row for one number", first[again.index])


def same_number(rows: pd.DataFrame) -> pd.DataFrame:
    """Level and growth, to three digits or more, are those of another period or reporter; perhaps a slip."""
    exact = rows[rows["yoy_pct"].notna() & (rows["half"] < 0.005)]  # NaN without a level
    pairs = pair(exact, ["partner", "flow", "value", "unit", "yoy_pct"])
    whose = [pairs[name].map(rows["reporter"]) for name in ("row", "row_o")]
    bad = pairs[(pairs["period_end"] > pairs["period_end_o"]) | (whose[0] != whose[1])]
    if bad.empty:
        return NONE
    of = bad["row_o"].map(rows["reporter"]) + " to " + bad["period_end_o"].dt.strftime("%Y-%m-%d")
    expected = "another number: this is that of " + of
    return flags(rows, bad["row"], amount(rows, bad["row"]), expected, bad["row_o"])


GROWTH_POINTS = 2.0
"""Points between printed growth and growth of the levels: revisions of the base explain up to two."""

PARTS_POINTS = 0.3
"""Points between the growth of a total and that of its parts, beside the rounding of what is printed."""

PARTS_SHARE = 0.01
"""Of the total: exports and imports may be rounded and revised apart."""


def growth_against_levels(rows: pd.DataFrame) -> pd.DataFrame:
    """Printed growth that fits no level of the same months a year earlier; the side with fewer texts is doubted."""
    pairs = with_growth(rows)
    pairs = pairs[~pairs["fits"].groupby(pairs["row"]).transform("any")]
    if pairs.empty:
        return NONE
    period = pairs["row"].map(rows["flow_number"]), pairs["row"].map(rows["period_number"])
    later, earlier = (pairs[name].groupby(list(period)).transform("nunique") for name in ("row", "row_o"))
    growth, base = pairs[later <= earlier], pairs[later > earlier]
    implied = implied_base(base["value_mn"], base["yoy_pct"] / 100)
    about = "about " + millions(implied, rows, base["row_o"])
    printed, between = percent(growth["yoy_pct"]), percent(growth["between"])
    of_growth = flags(rows, growth["row"], printed, between, growth["row_o"])
    of_base = flags(rows, base["row_o"], amount(rows, base["row_o"]), about, base["row"])
    return pd.concat([of_growth, of_base], ignore_index=True)


def with_growth(rows: pd.DataFrame) -> pd.DataFrame:
    """Figures that print growth beside levels of the same months a year earlier, in one currency.

    Returns
    -------
    As `pair`, with between (growth between the two levels, per cent) and fits (whether that is what is printed,
    up to revisions and rounding).
    """
    levels = rows[rows["log"].notna()]
    later = levels[levels["yoy_pct"].notna()]
    before = levels.assign(**{name: levels[name] + pd.DateOffset(years=1) for name in PERIOD})
    february = before["period_end"].dt.month == 2
    before.loc[february, "period_end"] += pd.offsets.MonthEnd(0)
    pairs = pair(later, ["flow_number", *PERIOD, "currency"], before)
    between = (pairs["value_mn"] / pairs["value_mn_o"] - 1) * 100
    allowed = GROWTH_POINTS + pairs["half_yoy"] + (pairs["half"] + pairs["half_o"]) * (100 + between)
    return pairs.assign(between=between, fits=(between - pairs["yoy_pct"]).abs() <= allowed)


def parts_against_total(rows: pd.DataFrame) -> pd.DataFrame:
    """A total that no exports and imports of its period add up to."""
    found = _triples(rows[rows["log"].notna()])
    parts = found["value_mn_x"] + found["value_mn_m"]
    of_parts = found["half_x"] * found["value_mn_x"] + found["half_m"] * found["value_mn_m"]
    rounding = found["half"] + of_parts / parts
    excess = np.log(found["value_mn"] / parts).abs() - rounding - PARTS_SHARE
    bad = _closest(found.assign(parts=parts, excess=excess))
    if bad.empty:
        return NONE
    return _against_parts(rows, bad, amount(rows, bad["row"]), millions(bad["parts"], rows, bad["row"]))


def growth_of_parts(rows: pd.DataFrame) -> pd.DataFrame:
    """Printed growth of exports, imports and total that cannot all be true; each of the three is flagged."""
    found = _triples(rows[rows["log"].notna() & (rows["yoy_pct"] > -100)])
    parts = found["value_mn_x"] + found["value_mn_m"]
    base = sum(implied_base(found[f"value_mn{part}"], found[f"yoy_pct{part}"] / 100) for part in ("_x", "_m"))
    implied = (parts / base - 1) * 100
    # Growth is printed to a tenth or a whole; how the parts weigh is uncertain by their rounding.
    spread = (found["yoy_pct_x"] - found["yoy_pct_m"]).abs()
    allowed = PARTS_POINTS + (found["half_x"] + found["half_m"]) * spread
    allowed += found["half_yoy"] + found[["half_yoy_x", "half_yoy_m"]].max(axis=1)
    bad = _closest(found.assign(implied=implied, excess=(implied - found["yoy_pct"]).abs() - allowed))
    if bad.empty:
        return NONE
    printed = percent(bad["yoy_pct"])
    listed = [_against_parts(rows, bad, printed, percent(bad["implied"]))]
    for part in ("_x", "_m"):
        own, fits = percent(bad[f"yoy_pct{part}"]), "growth that makes the total " + printed
        listed.append(flags(rows, bad[f"row{part}"], own, fits, bad["row"]))
    return pd.concat(listed, ignore_index=True)


def _closest(found: pd.DataFrame) -> pd.DataFrame:
    """The exports and imports that fit each total best, where even these do not fit."""
    best = found.sort_values("excess", kind="stable").drop_duplicates("row").sort_values("row")
    return best[best["excess"] > 0]


def _against_parts(
    rows: pd.DataFrame, bad: pd.DataFrame, found: pd.Series, expected: pd.Series
) -> pd.DataFrame:
    """Flags of totals, against their exports and their imports."""
    twice = pd.DataFrame({"row": bad["row"], "found": found, "expected": expected})
    both = [twice.assign(against=bad[part]) for part in ("row_x", "row_m")]
    table = pd.concat(both, ignore_index=True)
    return flags(rows, *(table[name] for name in table))


UNDOUBTED = ("ok", "preliminary", "estimate", "rounded", "secondary", "relabelled", "date_trap")
"""Statuses that leave level and growth usable: a flag on such a row is a question that nobody has answered yet."""


class Rule(NamedTuple):
    """What a rule says of the rows that it flags, and how it finds them."""

    meaning: str
    find: Callable[[pd.DataFrame], pd.DataFrame]


RULES: dict[str, Rule] = {
    "other_currency": Rule(
        "yuan and dollars exchanged", lambda rows: _off(rows[rows["slip"] == "currency"], "off")
    ),
    "power_of_ten": Rule("a misplaced decimal, or a unit taken for another", power_of_ten),
    "jump": Rule("far off the pace of the periods around", jump),
    "conflict": Rule("other prints of the period differ by more than rounding", conflict),
    "year_below_part": Rule("below a part of its own period", year_below_part),
    "part_above_whole": Rule("above the larger reporter that contains it", part_above_whole),
    "mirror_gap": Rule("far from the partner's own figure", mirror_gap),
    "duplicate": Rule("the same row twice", duplicate),
    "same_number": Rule("level and growth of another period or reporter", same_number),
    "growth_against_levels": Rule("printed growth and printed levels disagree", growth_against_levels),
    "parts_against_total": Rule("exports and imports do not add up to the total", parts_against_total),
    "growth_of_parts": Rule("growth of the parts contradicts that of the total", growth_of_parts),
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
    rows = prepare(figures, rates)
    if rows.empty:
        return pd.DataFrame(columns=COLUMNS, dtype="str")
    rows = rows.join(expectations(rows))
    rows = rows.assign(slip=slips(rows), whole=rows["reporter"].map(dict(parents or {})).astype("str"))
    found = [rule.find(rows).assign(rule=name)[COLUMNS] for name, rule in RULES.items()]
    return pd.concat(found, ignore_index=True).drop_duplicates(["rule", "figure_id"], ignore_index=True)
