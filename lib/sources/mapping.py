"""How a table that somebody downloaded by hand is to be read: a YAML file beside it, checked before anything is read.

source: gacc                           # short name, for the column `source`
title: General Administration of Customs of China, monthly tables
url: http://www.customs.gov.cn/…       # the page it was downloaded from
licence: free use with attribution
authority: customs                     # as in data/figures.csv
published: 2024-01-18                  # the day that the publisher states; without it, the day of the import
encoding: gb18030                      # CSV: utf-8 unless it says otherwise
separator: ","                         # CSV
sheet: Sheet1                          # XLSX: the first unless it says otherwise
header_row: 4                          # the line with the names of the columns, counted from 1
decimal: "."
thousands: ","
missing: ["-", "…"]                    # texts that say that there is no number; blank does always
freq: M
period: {column: 月份, format: "%Y.%m"}
reporter: {is: China}
partner: {column: 国别, names: {俄罗斯: Russia, 印度: India}, others: skip}
values:
  - {column: 出口, flow: export, unit: USD th, valuation: FOB}
  - {column: 进口, flow: import, unit: USD th, valuation: CIF}
"""

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lib.errors import UserError
from lib.faults import quote, read_bytes, shown_path

Text = Annotated[str, Field(min_length=1, max_length=500)]


class Strict(BaseModel):
    """Refuses fields that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Party(Strict):
    """Reporter or partner: one for the whole table (`is`), or a column with the names in it and what they mean here."""

    always: Text | None = Field(default=None, alias="is")
    column: Text | None = None
    names: dict[str, Text] = {}
    others: Literal["refuse", "skip"] = "refuse"

    @model_validator(mode="after")
    def one_of_both(self) -> "Party":
        """Either a name or a column, with its names."""
        if (self.always is None) == (self.column is None):
            raise ValueError("either `is` or `column`")
        return self


class PeriodColumn(Strict):
    """Column with the period, and its form in the codes of `strftime`."""

    column: Text
    format: Text


class ValueColumn(Strict):
    """Column with values of one flow."""

    column: Text
    flow: Literal["total", "export", "import"]
    unit: Annotated[str, Field(pattern=r"^[A-Z]{3}( (th|mn|bn))?$")]
    valuation: Literal["", "FOB", "CIF", "FOB + CIF"] = ""


class Mapping(Strict):
    """The whole file; the module shows an example."""

    source: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,30}$")]
    title: Text
    url: Annotated[str, Field(pattern=r"^https?://[^\s/?#]+(/\S*)?$")]
    licence: Text
    authority: Literal["customs", "statistics", "government", "press", "unstated"]
    published: date | None = None
    encoding: Text = "utf-8"
    separator: Annotated[str, Field(min_length=1, max_length=1)] = ","
    sheet: Text | None = None
    header_row: Annotated[int, Field(ge=1, le=1000)] = 1
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ",", ".", " "] = ""
    missing: list[str] = []
    freq: Literal["A", "Q", "M"]
    period: PeriodColumn
    reporter: Party
    partner: Party
    flows: Annotated[list[ValueColumn], Field(min_length=1, max_length=20)]

    @model_validator(mode="after")
    def marks_differ(self) -> "Mapping":
        """One mark cannot be both."""
        if self.decimal == self.thousands:
            raise ValueError("`decimal` and `thousands` are the same mark")
        return self


def read_mapping(path: Path) -> Mapping:
    """Read and check a mapping file.

    Raises
    ------
    UserError
        Naming every field that is wrong.
    """
    return parse_mapping(read_bytes(path), shown_path(path))


def parse_mapping(content: bytes, where: str) -> Mapping:
    """Read the content of a mapping file; `where` names it in messages."""
    import yaml

    try:
        loaded = yaml.safe_load(content)
        return Mapping.model_validate(loaded)
    except yaml.YAMLError as error:
        raise UserError(f"{where}: found no YAML that can be read ({' '.join(str(error).split())})") from None
    except ValidationError as error:
        lines = [
            f"{'.'.join(str(part) for part in one['loc']) or 'file'}: found {quote(str(one['input']))}, {one['msg']}"
            for one in error.errors()
        ]
        raise UserError("\n".join(f"{where}: {line}" for line in lines)) from None
    except (ValueError, RecursionError, TypeError) as error:  # such as a date that the calendar lacks
        raise UserError(f"{where}: found a value that is none ({error}), expected a mapping file") from None
