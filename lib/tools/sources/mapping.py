"""How to read a table that somebody downloaded: a YAML file, `data/README.md` shows examples.

Whatever the table says of an observation (reporter, partner, flow, period, unit) is the same for the whole table (`is`),
stands in a `column`, or in a `row` of names above the values.
"""

import re
from datetime import date
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AliasChoices, BaseModel, Field, ValidationError, model_validator

from lib.economies import CURRENCIES, read_unit
from lib.errors import UserError, quote
from lib.tools.sources.observations import FIRST_YEAR, LAST_YEAR
from lib.tools.sources.publishers import PUBLISHERS
from lib.tools.strict import parse_yaml

Text = Annotated[str, Field(min_length=1, max_length=500)]
Texts = Annotated[list[Text], Field(min_length=1, max_length=500)]
RowNumber = Annotated[int, Field(ge=1, le=100_000)]
RowNumbers = Annotated[list[RowNumber], Field(min_length=1, max_length=4)]
UNITS = "a currency (ISO 4217) and a power of ten in words, such as USD mn, CNY 亿, INR crore, EUR thousand, RUB млрд"


class Strict(BaseModel, extra="forbid", frozen=True, coerce_numbers_to_str=True):
    """Refuses fields that it does not know."""


def listed(said: Any) -> list[Any]:
    """What may be said once, or as a list: columns or rows, of which a period may need two."""
    return said if isinstance(said, list) else [] if said is None else [said]


class Axis(Strict):
    """What says one thing of an observation: the whole table (`is`), a column, or a row of names above the values."""

    always: Text | None = Field(default=None, alias="is")
    column: Text | Annotated[list[Text], Field(min_length=1, max_length=4)] | None = None
    row: RowNumber | RowNumbers | None = None
    names: dict[str, Text] = {}
    others: Literal["refuse", "skip"] = "refuse"

    @model_validator(mode="after")
    def one_of_three(self) -> "Axis":
        """One of the three places."""
        months_above_years = isinstance(self, Period) and not self.always and self.column and self.row
        if [self.always, self.column, self.row].count(None) != 2 and not months_above_years:
            raise ValueError("either `is` or `column` (or `row`, of names above the values)")
        return self


class Period(Axis):
    """Where the period stands; `format` in the codes of `strftime`, without it in words as people write them.

    Fiscal years begin in the month `fiscal`; FY2022 and other single years name the one in which they start or end.
    """

    # With `%q`, a quarter, it is read in words.
    format: Annotated[Text | None, AfterValidator(lambda text: None if "%q" in (text or "") else text)] = None
    year: Annotated[int, Field(ge=FIRST_YEAR, le=LAST_YEAR)] | None = None
    fiscal: Annotated[int, Field(ge=1, le=12)] | None = None
    fiscal_label: Literal["start", "end"] | None = None

    @model_validator(mode="after")
    def a_year_somewhere(self) -> "Period":
        """A month without a year would be one of 1900."""
        if self.format and self.year is None and not re.search("%[YyGcxFD]", self.format):
            raise ValueError("a format without a year; `year:` beside it says which")
        return self


class ValueColumn(Strict):
    """Values of one flow: a column, or without one all columns for which the rows of names say enough."""

    column: Text | None = None
    flow: Literal["total", "export", "import"] | None = None
    unit: Annotated[Text, AfterValidator(lambda text: to_unit(text) and text)] | None = None
    valuation: Literal["", "FOB", "CIF", "FOB + CIF"] = ""


def _known_encoding(name: str) -> str:
    """Refuse what is no text encoding that Python has."""
    try:
        "".encode(name)
    except (LookupError, ValueError):
        raise ValueError("no encoding of that name; utf-8, gb18030 and cp1251 are some") from None
    return name


class Mapping(Strict):
    """The whole file."""

    source: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,30}$")]
    title: Text
    url: Annotated[str, Field(pattern=r"^(https?://[^\s/?#]+(/\S*)?)?$")] = ""
    licence: Text = "not stated"
    authority: Literal["customs", "statistics", "government", "press", "unstated"] = "unstated"
    published: date | None = None
    encoding: Annotated[Text, AfterValidator(_known_encoding)] | None = None
    separator: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    sheet: Text | None = None
    header_row: Annotated[int, Field(ge=0, le=1000)] | RowNumbers | None = None
    last_row: RowNumber | None = None
    fill: Texts = Field(default=[], min_length=0)
    rows: dict[str, Text | Texts] = {}
    decimal: Literal[".", ","] | None = None
    thousands: Literal["", ",", ".", " ", "'"] | None = None
    missing: list[str] = []
    flags: dict[str, Literal["preliminary", "estimate", "ok"]] = {}
    freq: Literal["A", "Q", "M"]
    period: Period
    reporter: Axis
    partner: Axis
    flow: Axis | None = None
    unit: Axis | None = None
    flows: Annotated[list[ValueColumn], Field(min_length=1, max_length=20)] = Field(
        validation_alias=AliasChoices("flows", "values")
    )

    @property
    def axes(self) -> dict[str, Axis]:
        """What is said of every value, where it stands."""
        roles = ("reporter", "partner", "flow", "unit", "period")
        return {role: axis for role in roles if (axis := getattr(self, role))}

    @property
    def columns(self) -> list[str]:
        """The columns that are named, each once."""
        axes = [name for axis in self.axes.values() for name in listed(axis.column)]
        values = [one.column for one in self.flows if one.column]
        return list(dict.fromkeys([*axes, *values, *self.rows, *self.fill]))

    @model_validator(mode="after")
    def agrees(self) -> "Mapping":
        """One mark cannot be both; every value needs a flow and a unit; a source of others keeps its name."""
        if self.decimal is not None and self.decimal == self.thousands:
            raise ValueError("`decimal` and `thousands` are the same mark")
        for role in ("flow", "unit"):
            if getattr(self, role) is None and any(getattr(one, role) is None for one in self.flows):
                raise ValueError(f"`{role}` is said neither of the column nor by `{role}:`")
        if self.source in PUBLISHERS:  # its figures may be at hand as a page saved from its site
            site = PUBLISHERS[self.source].base.partition(".")[2].partition("/")[0]
            if not re.fullmatch(rf"https?://([^/]+\.)?{re.escape(site)}(/.*)?", self.url):
                raise ValueError(f"`source` {self.source} is a live one, whose figures these are not")
        return self


@lru_cache(maxsize=1000)
def to_unit(text: str) -> tuple[str, int]:
    """Return the currency and the power of ten of a unit, which must say both."""
    currency, ten = (text, 0) if text in CURRENCIES else read_unit(text)
    if not currency or ten is None:
        raise ValueError(f"expected {UNITS}")
    return currency, ten


TENS = {0: "", 3: "th", 4: "万", 5: "lakh", 6: "mn", 7: "crore", 8: "亿", 9: "bn", 10: "百亿", 11: "千亿", 12: "trillion"}  # fmt: skip
"""Powers of ten in words that `to_unit` reads."""


def unit_in_words(currency: str, ten: int) -> str:
    """Return a unit as `to_unit` reads it."""
    return f"{currency} {TENS.get(ten, '1' + '0' * ten)}".strip()


def parse_mapping(content: bytes, where: str) -> Mapping:
    """Read the content of a mapping file; `where` names it in messages."""
    return checked(parse_yaml(content, where), f"{where}: ")


def checked(content: Any, where: str = "") -> Mapping:
    """Return what a mapping file says as a mapping; `where` begins each line about a field that is wrong."""
    try:
        return Mapping.model_validate(content)
    except ValidationError as error:
        lines = [
            f"{where}{'.'.join(map(str, one['loc'])) or 'file'}: found {quote(str(one['input']))}, {told}"
            for one in error.errors()
            if (told := one["msg"].removeprefix("Value error, "))
        ]
        raise UserError("\n".join(lines)) from None


def to_yaml(mapping: Mapping) -> str:
    """Return a mapping as a file that reads as the same: what is said, without what would hold anyway."""
    import yaml

    said = mapping.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return yaml.safe_dump(said, sort_keys=False, allow_unicode=True, width=110)


def schema() -> dict[str, Any]:
    """Return the JSON schema of a mapping file."""
    draft = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return Mapping.model_json_schema(by_alias=True) | draft
