"""Rules that catch the usual slips of published trade figures: units, decimals, currencies, dates, sums.

A rule sees numbers alone, never the status that somebody gave a row, and says which row it doubts, what would be
expected, and which rows speak against it. A flag is a question for a reader, not a verdict: nothing is changed.
"""

from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lib.errors import some
from lib.growth import implied_base

FLOW = ["reporter", "partner", "flow"]
PERIOD = ["period_start", "period_end"]
COLUMNS = ["rule", "figure_id", "found", "expected", "against"]
NUMBERS = ["value_mn", "yoy_pct", "log", "pace", "middle", "half", "half_yoy"]


def prepare(figures: pd.DataFrame, rates: pd.Series) -> pd.DataFrame:
    """What the rules compare, under a plain index; goals and amounts without a beginning are left out.

    Added are log (of the level in millions of US dollars), pace (log of the same a day), middle (of the period), rate (yuan
    per dollar), half (half a unit of the last printed digit, as a fraction of the value), half_yoy (the same of the growth,
    points), and the numbers of their flow and period.
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
    """Each row beside the other rows with the same keys: their places (row, row_o), `NUMBERS` and `PERIOD`.

    What is the other's has the suffix _o.
    """
    right = left if right is None else right
    one, other = _matches(left, right, keys)
    apart = left.index[one] != right.index[other]
    columns = [*NUMBERS, *PERIOD]
    return pd.DataFrame(_taken(left, one[apart], columns) | _taken(right, other[apart], columns, "_o"))


def _matches(left: pd.DataFrame, right: pd.DataFrame, keys: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Positions of each row of one table, and of each of the other with the same keys: `merge` takes ten times as long."""
    known: dict[tuple[Any, ...], list[int]] = {}
    for place, key in enumerate(zip(*(right[name].to_list() for name in keys), strict=True)):
        known.setdefault(key, []).append(place)
    found = [known.get(key, []) for key in zip(*(left[name].to_list() for name in keys), strict=True)]
    return np.repeat(np.arange(len(found)), [*map(len, found)]), np.array(
        [*chain.from_iterable(found)], dtype=int
    )


def _taken(rows: pd.DataFrame, places: np.ndarray, columns: list[str], suffix: str = "") -> dict[str, Any]:
    """Columns of the rows at these positions, and the row of each."""
    taken = {f"{name}{suffix}": rows[name].to_numpy()[places] for name in columns}
    return taken | {f"row{suffix}": rows.index.to_numpy()[places]}


def _triples(rows: pd.DataFrame) -> pd.DataFrame:
    """Each total beside the exports (_x) and imports (_m) of its period in its currency."""
    keys = ["reporter", "partner", "period_number", "currency"]
    total, exports, imports = (rows[rows["flow"] == name] for name in ("total", "export", "import"))
    one, out = _matches(total, exports, keys)
    both, back = _matches(total.iloc[one], imports, keys)
    taken = _taken(total, one[both], NUMBERS) | _taken(exports, out[both], NUMBERS, "_x")
    return pd.DataFrame(taken | _taken(imports, back, NUMBERS, "_m"))


def _names(ids: pd.Series) -> str:
    """Figures by id, the first three by name."""
    return some(sorted({one for one in ids.tolist() if isinstance(one, str)} - {""}), 3)


def _amount(rows: pd.DataFrame, places: pd.Series) -> pd.Series:
    """Levels as they were printed, for the rows at these places."""
    printed = places.map(rows["value"]).map("{:,.10g}".format).astype("str")
    return printed + " " + places.map(rows["unit"]).astype("str")


def _millions(values: pd.Series, rows: pd.DataFrame, places: pd.Series) -> pd.Series:
    """Millions in the currency of the rows at these places, to four digits."""
    rounded = [np.format_float_positional(value, 4, fractional=False, trim="-") for value in values]
    texts = pd.Series([f"{float(text):,.10g}" for text in rounded], index=values.index, dtype="str")
    return texts + " " + places.map(rows["currency"]).astype("str") + " mn"


def _percent(values: pd.Series) -> pd.Series:
    """Growth in per cent with its sign."""
    return values.map("{:+,.1f} %".format).astype("str").str.replace("-", "−")


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


def _expectations(rows: pd.DataFrame) -> pd.DataFrame:
    """What the other rows of a flow say of each level, by the same index.

    others and around (log of millions of US dollars: median of the other prints of the period, and the median pace of
    neighbouring periods; NaN where there are none), off (log distance from `others`, or else from `around`), fits (the
    distance below which `off` is no surprise), lonely (most neighbouring periods contradict the level: a sound one beside a
    wrong one is not), doubted (lonely; or, where there are other prints, the years around do not side with it against them)
    and compared (of those the figures that they were compared with).
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
    compared = named["row_o"].map(rows["figure_id"]).groupby(named["row"]).agg(_names)
    off, said = rows["log"] - others.where(twin, around), compared.reindex(rows.index).fillna("")
    found = pd.DataFrame({"others": others, "around": around, "off": off, "lonely": lonely})
    fits = np.where(twin, SAME_NUMBER, SAME_SIZE)
    return found.assign(fits=fits, doubted=doubted, compared=said)


def _slips(rows: pd.DataFrame) -> pd.Series:
    """What each doubted level may be by its distance from what is expected: "currency", "ten" (a power of it), or ""."""
    sign, off = rows["currency"].map({"USD": 1.0, "CNY": -1.0}), rows["off"].abs()
    currency = (rows["off"] * sign - np.log(rows["rate"])).abs()
    power = (off / np.log(10)).round()
    ten = power.isin(list(SLIPS)) & ((off - power * np.log(10)).abs() <= rows["fits"])
    exchanged = (currency <= rows["fits"]) & (currency <= (off - np.log(10)).abs())
    found = pd.Series(np.where(exchanged, "currency", np.where(ten, "ten", "")), rows.index, dtype="str")
    return found.where(rows["doubted"], "")


def _off(found: pd.DataFrame, why: pd.Series | str = "", by: str = "off") -> pd.DataFrame:
    """Doubted levels, what was expected ("off" from it, or "around") in their own currency, and what says so."""
    if found.empty:
        return found
    logs, places = found["log"] - found["off"] if by == "off" else found["around"], found.index.to_series()
    expected = np.exp(logs) * np.where(found["currency"] == "CNY", found["rate"], 1.0)
    about = "about " + _millions(expected, found, places) + why
    return pd.DataFrame({"row": places, "expected": about, "against": found["compared"]})


def _power_of_ten(rows: pd.DataFrame) -> pd.DataFrame:
    found = rows[rows["slip"] == "ten"]
    slip = (found["off"].abs() / np.log(10)).round().map(SLIPS).astype("str")
    return _off(found, " (" + slip + ")")


def _jump(rows: pd.DataFrame) -> pd.DataFrame:
    """Far off the pace of the periods around, and no other print of the period supports it."""
    alone = ~((rows["log"] - rows["others"]).abs() <= SAME_SIZE)
    far = (rows["log"] - rows["around"]).abs() > JUMP
    return _off(rows[far & alone & rows["lonely"] & (rows["slip"] == "")], by="around")


def _conflict(rows: pd.DataFrame) -> pd.DataFrame:
    pairs = pair(rows[rows["log"].notna()], ["flow_number", "period_number", "currency"])
    differs = (pairs["log"] - pairs["log_o"]).abs() > np.maximum(CONFLICT, pairs["half"] + pairs["half_o"])
    # In doubt is the print that stands against most of the others; of two, both.
    return pairs[differs & (differs.groupby(pairs["row"]).transform("mean") > 0.5)]


def _year_below_part(rows: pd.DataFrame) -> pd.DataFrame:
    """A period whose level is below that of a part of it, such as a year below its first ten months."""
    levels = rows[rows["log"].notna()].assign(year=lambda known: known["period_start"].dt.year)
    pairs = pair(levels, ["flow_number", "currency", "year"])
    first, last = (pairs[name] - pairs[f"{name}_o"] for name in PERIOD)
    none = pd.Timedelta(0)
    longer = (first <= none) & (last >= none) & (first != last)
    return pairs[longer & (pairs["log"] < pairs["log_o"] - pairs["half"] - pairs["half_o"])]


def _part_above_whole(rows: pd.DataFrame) -> pd.DataFrame:
    """A city or province above the larger one that contains it, in the same period."""
    levels = rows[rows["log"].notna()]
    wholes = levels.assign(whole=levels["reporter"].astype("str"))
    pairs = pair(levels, ["whole", "partner", "flow", "period_number"], wholes)
    return pairs[pairs["log"] > pairs["log_o"] + SAME_NUMBER + pairs["half"] + pairs["half_o"]]


def _mirror_gap(rows: pd.DataFrame) -> pd.DataFrame:
    """The partner's own figures for the same goods all differ by more than freight and re-exports explain."""
    pairs = mirror_pairs(rows)
    return pairs[(pairs["log"] - pairs["log_o"]).abs().groupby(pairs["row"]).transform("min") > MIRROR]


def mirror_pairs(rows: pd.DataFrame) -> pd.DataFrame:
    """Levels beside those that the partner reports for the same goods and period, as `pair`."""
    levels = rows[rows["log"].notna()]
    flow = levels["flow"].map({"export": "import", "import": "export", "total": "total"})
    seen = levels.assign(reporter=levels["partner"], partner=levels["reporter"], flow=flow)
    return pair(levels, ["reporter", "partner", "flow", "period_number"], seen)


def _duplicate(rows: pd.DataFrame) -> pd.DataFrame:
    """The same number for the same period by the same publisher, on the same day: one row too many."""
    keys = ["flow_number", "period_number", "value", "unit", "yoy_pct", "publisher", "published"]
    places = rows.index.to_series()
    first = places.groupby([rows[name] for name in keys], dropna=False).transform("min")
    again = pd.DataFrame({"row": places, "row_o": first, "expected": "one row for one number"})
    return again[places != first]


def _same_number(rows: pd.DataFrame) -> pd.DataFrame:
    """Level and growth, to three digits or more, are those of another period or reporter; perhaps a slip."""
    exact = rows[rows["yoy_pct"].notna() & (rows["half"] < 0.005)]  # NaN without a level
    pairs = pair(exact, ["partner", "flow", "value", "unit", "yoy_pct"])
    if pairs.empty:
        return pairs
    mine, other = (pairs[name].map(rows["reporter"]) for name in ("row", "row_o"))
    of = other + " to " + pairs["period_end_o"].dt.strftime("%Y-%m-%d")
    bad = (pairs["period_end"] > pairs["period_end_o"]) | (mine != other)
    return pairs.assign(expected="another number: this is that of " + of)[bad]


def _growth_against_levels(rows: pd.DataFrame) -> pd.DataFrame:
    """Printed growth that fits no level of the same months a year earlier; the side with fewer texts is doubted."""
    pairs = with_growth(rows)
    pairs = pairs[~pairs["fits"].groupby(pairs["row"]).transform("any").astype("bool")]
    if pairs.empty:
        return pairs
    period = pairs["row"].map(rows["flow_number"]), pairs["row"].map(rows["period_number"])
    later, earlier = (pairs[name].groupby(list(period)).transform("nunique") for name in ("row", "row_o"))
    growth, base = pairs[later <= earlier], pairs[later > earlier]
    growth = growth.assign(found=_percent(growth["yoy_pct"]), expected=_percent(growth["between"]))
    implied = implied_base(base["value_mn"], base["yoy_pct"] / 100)
    base = pd.DataFrame({"row": base["row_o"], "row_o": base["row"], "found": _amount(rows, base["row_o"])})
    base = base.assign(expected="about " + _millions(implied, rows, base["row"]))
    return pd.concat([growth, base[~base["row"].isin(growth["row"])]])


def with_growth(rows: pd.DataFrame) -> pd.DataFrame:
    """Figures that print growth beside levels of the same months a year earlier, in one currency (`pair`).

    `between` is the growth between the two levels, per cent, and `fits` whether that is what is printed, up to revisions
    and rounding.
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


def _parts_against_total(rows: pd.DataFrame) -> pd.DataFrame:
    """A total that no exports and imports of its period add up to."""
    found = _triples(rows[rows["log"].notna()])
    if found.empty:
        return found
    parts = found["value_mn_x"] + found["value_mn_m"]
    of_parts = found["half_x"] * found["value_mn_x"] + found["half_m"] * found["value_mn_m"]
    rounding = found["half"] + of_parts / parts
    excess = np.log(found["value_mn"] / parts).abs() - rounding - PARTS_SHARE
    bad = _closest(found.assign(parts=parts, excess=excess))
    return _against_parts(bad.assign(expected=_millions(bad["parts"], rows, bad["row"])))


def _growth_of_parts(rows: pd.DataFrame) -> pd.DataFrame:
    """Printed growth of exports, imports and total that cannot all be true; each of the three is flagged."""
    found = _triples(rows[rows["log"].notna() & (rows["yoy_pct"] > -100)])
    if found.empty:
        return found
    parts = found["value_mn_x"] + found["value_mn_m"]
    base = sum(implied_base(found[f"value_mn{part}"], found[f"yoy_pct{part}"] / 100) for part in ("_x", "_m"))
    # Growth is printed to a tenth or a whole; how the parts weigh is uncertain by their rounding.
    spread = (found["yoy_pct_x"] - found["yoy_pct_m"]).abs()
    allowed = PARTS_POINTS + (found["half_x"] + found["half_m"]) * spread
    allowed += found["half_yoy"] + found[["half_yoy_x", "half_yoy_m"]].max(axis=1)
    found = found.assign(implied=(parts / base - 1) * 100)
    bad = _closest(found.assign(excess=(found["implied"] - found["yoy_pct"]).abs() - allowed))
    if bad.empty:
        return bad
    bad = bad.assign(found=_percent(bad["yoy_pct"]), expected=_percent(bad["implied"]))
    listed = [_against_parts(bad)]
    for part in ("_x", "_m"):
        own = pd.DataFrame({"row": bad[f"row{part}"], "row_o": bad["row"]})
        own["found"] = _percent(bad[f"yoy_pct{part}"])
        listed.append(own.assign(expected="growth that makes the total " + bad["found"]))
    return pd.concat(listed)


def _closest(found: pd.DataFrame) -> pd.DataFrame:
    """The exports and imports that fit each total best, where even these do not fit."""
    best = found.sort_values("excess", kind="stable").drop_duplicates("row").sort_values("row")
    return best[best["excess"] > 0]


def _against_parts(bad: pd.DataFrame) -> pd.DataFrame:
    """Doubted totals, against their exports and their imports."""
    return pd.concat([bad.assign(row_o=bad[part]) for part in ("row_x", "row_m")])


UNDOUBTED = ("ok", "preliminary", "estimate", "rounded", "secondary", "relabelled", "date_trap")
"""Statuses that leave level and growth usable: a flag on such a row is a question that nobody has answered yet."""


class Rule(NamedTuple):
    """What a rule says of the rows that it flags, how it finds them, and words before the level that it expects.

    It gives places of doubted rows (`row`) beside those that speak against them (`row_o`, or their ids, `against`), and
    perhaps the texts `found` and `expected`; the levels of the two, where it does not.
    """

    meaning: str
    find: Callable[[pd.DataFrame], pd.DataFrame]
    words: str = ""


RULES: dict[str, Rule] = {
    "other_currency": Rule("yuan and dollars exchanged", lambda rows: _off(rows[rows["slip"] == "currency"])),
    "power_of_ten": Rule("a misplaced decimal, or a unit taken for another", _power_of_ten),
    "jump": Rule("far off the pace of the periods around", _jump),
    "conflict": Rule("other prints of the period differ by more than rounding", _conflict),
    "year_below_part": Rule("below a part of its own period", _year_below_part, "at least "),
    "part_above_whole": Rule("above the larger reporter that contains it", _part_above_whole, "at most "),
    "mirror_gap": Rule("far from the partner's own figure", _mirror_gap),
    "duplicate": Rule("the same row twice", _duplicate),
    "same_number": Rule("level and growth of another period or reporter", _same_number),
    "growth_against_levels": Rule("printed growth and printed levels disagree", _growth_against_levels),
    "parts_against_total": Rule("exports and imports do not add up to the total", _parts_against_total),
    "growth_of_parts": Rule("growth of the parts contradicts that of the total", _growth_of_parts),
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
    rows, flags = prepare(figures, rates), [pd.DataFrame(columns=COLUMNS, dtype="str")]
    if rows.empty:
        return flags[0]
    rows = rows.join(_expectations(rows))
    rows = rows.assign(slip=_slips(rows), whole=rows["reporter"].map(dict(parents or {})).astype("str"))
    for name, rule in RULES.items():
        if (bad := rule.find(rows)).empty:
            continue
        told = {"rule": name, "figure_id": bad["row"].map(rows["figure_id"])}
        told["found"] = bad["found"] if "found" in bad else _amount(rows, bad["row"])
        told["expected"] = bad["expected"] if "expected" in bad else rule.words + _amount(rows, bad["row_o"])
        told["against"] = bad["against"] if "against" in bad else bad["row_o"].map(rows["figure_id"])
        flags.append(pd.DataFrame(told, dtype="str"))
    if len(flags) == 1:
        return flags[0]
    each = pd.concat(flags).groupby(["rule", "figure_id"], sort=False)
    return each.agg({"found": "first", "expected": "first", "against": _names}).reset_index()
