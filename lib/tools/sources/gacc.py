"""China's customs (GACC), English site: "(4) China's Total Export & Import Values by Country/Region", month by month.

The index pages `/statics/report/preliminary.html` (this year) and `preliminaryYYYY.html` list the releases: a row for each
table and currency, a link for each month that is out. A release has its day, a heading with month and currency, and a table
in CNY 100 million or USD 1 million for the month and for January to that month, with growth of the latter. Seen in pages
recorded in 2026 (table of March 2026, index of April 2026, fixtures of hoyla/meridian) and in notes of that project:

- January and February are one release, whose table has no column for a month;
- the pages of 2018 have another table, without a currency; 2019 is the first year read here;
- one page (June 2025) says CNY in its heading and USD in its unit: it is left out, its sibling has the month;
- rows of groups (ASEAN, European Union, Africa, …) stand between countries, and some 30 countries are listed, no more;
- the site answers over http; whether it does over https, nobody recorded.
"""

import re
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import pandas as pd

from lib.errors import UserError, quote
from lib.tools.sources import tables
from lib.tools.sources.cells import read_place
from lib.tools.sources.client import NothingThere, Request, refuse
from lib.tools.sources.observations import VALUATION, Question, check, empty
from lib.tools.sources.snapshots import Desk

INDEX = "/statics/report/preliminary{}.html"
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
ROW = re.compile(r"^\(4\).*by Country/Region\s*\(in (CNY|RMB|USD)\)$", re.IGNORECASE)
HEADING = re.compile(
    r"by Country/Region,\s*(?:Jan[a-z.]*\s*[-–—]\s*)?([A-Za-z]{3})[a-z]*\.?\s+(\d{4})\s*\(in (CNY|RMB|USD)\)$",
    re.IGNORECASE,
)
UNIT = re.compile(r"^(CNY|RMB|USD|US\$)\s*(1|100)?\s*(Million|Billion)$", re.IGNORECASE)
NUMBER = re.compile(r"-?(\d{1,3}(,\d{3})+|\d+)(\.\d+)?", re.ASCII)
FLOWS = {"Export & Import": "total", "Export": "export", "Import": "import"}
Columns = list[tuple[str, str]]  # flow and period of each
OTHER_NAMES = {"Total": "World", "R. O. Korea": "South Korea", "Korea Rep.": "South Korea"}


def plan(question: Question, desk: Desk) -> list[Request]:
    """Return the requests for the releases of the years: each month's, for annual values December's alone."""
    if question.reporters[0].name != "China":
        raise UserError(f"reporter: found {quote(question.reporters[0].name)} of gacc, expected China")
    paths: dict[str, None] = {}
    for place in ["", *reversed(question.years)]:
        try:
            (year, links), _ = desk.ask(desk.request("gacc", page=INDEX.format(place)), _read_index)
        except NothingThere:  # the year that runs has no page of its own
            continue
        for month, path in links if year in question.years else []:
            if question.freq == "M" or month == len(MONTHS):
                paths[path] = None
    # A release is never changed under its address: it is asked for once.
    return [desk.request("gacc", lasting=True, page=path) for path in paths]


def _read_index(body: bytes, where: str) -> tuple[int, list[tuple[int, str]]]:
    """Read an index page: its year, and month and path of each release of the table by country."""
    page, table = _parse(body, where, "nr-n-content-detail")
    years = "//*[@id='preliminarysel']//option"
    chosen = page.xpath(f"string(({years}[1] | {years}[@selected])[last()]/@value)")
    named = re.search(r"preliminary(\d{4})\.html", where)
    year = named[1] if named else chosen
    if table is None or not re.fullmatch(r"\d{4}", year):
        raise refuse(where, "no list of releases", "an index page of preliminary releases")
    links = []
    for cells in (row.findall("td") for row in table.iter("tr")):
        for link in cells[1].iterfind(".//a[@href]") if len(cells) > 1 and ROW.match(_text(cells[0])) else ():
            at, here = urlsplit(link.get("href")), urlsplit(where)
            if at.netloc not in ("", here.netloc, "english.customs.gov.cn") or not at.path.startswith("/"):
                raise refuse(where, f"a link to {quote(link.get('href'))}", "one within the site")
            if (month := _text(link)[:3].lower()) in MONTHS:
                links.append((MONTHS.index(month) + 1, at.path))
    return int(year), links


def _parse(body: bytes, where: str, name: str) -> tuple[Any, Any]:
    """Return a page, and the first table within elements of a class, or None; of a part of a page nothing is read."""
    text = tables.decode_text(body, where)
    tags = [tag.lower() for tag in re.findall(r"</?table\b", text, re.IGNORECASE)]
    if tags.count("<table") != tags.count("</table"):
        raise refuse(where, "a table without its end", "a complete page")
    page = tables.parse_html(text, where)
    return page, next((table for one in page.find_class(name) for table in one.iter("table")), None)


def _text(element: Any) -> str:
    """Return what an element says, on one line, with single spaces."""
    return " ".join(element.text_content().split())


def _said(page: Any, name: str) -> str:
    """Return what the first element of a class says; blank without one."""
    return next(map(_text, page.find_class(name)), "")


def is_release(body: bytes) -> bool:
    """Whether a page is a release of the table by country."""
    page, table = _parse(body, "page", "atcl-cnt")
    return bool(HEADING.search(_said(page, "atcl-ttl"))) and table is not None


def read(body: bytes, where: str) -> tuple[pd.DataFrame, list[str]]:
    """Read a release: China with every country in the table, for the month and for January to it, in December the year."""
    page, table = _parse(body, where, "atcl-cnt")
    title, stated = _said(page, "atcl-ttl"), _said(page, "atcl-date")
    heading = HEADING.search(title)
    if heading is None or heading[1].lower() not in MONTHS or table is None:
        expected = "a release of China's total export & import values by country/region"
        raise refuse(where, quote(title) if title else "no heading", expected)
    lines = [[_text(cell) for cell in cells] for row in table.iter("tr") if (cells := row.findall("td"))]
    currency = heading[3].upper().replace("RMB", "CNY")
    units = [line[0].partition(":")[2].strip() for line in lines if line[0].startswith("Unit:")]
    unit = UNIT.match(said := "".join(units[:1]))
    if unit is None or unit[1].upper().replace("RMB", "CNY").replace("US$", "USD") != currency:
        note = f"{where}: its heading says {currency}, its unit {quote(said)}: nothing of it is taken"
        return empty(), [note]
    try:
        day = datetime.strptime(stated, "%Y/%m/%d").date().isoformat() if stated else ""
    except ValueError:
        raise refuse(where, f"the day {quote(stated)}", "YYYY/MM/DD") from None
    scale = float(unit[2] or 1) * (1000 if unit[3].lower() == "billion" else 1)
    columns = _columns_of(lines, int(heading[2]), MONTHS.index(heading[1].lower()) + 1, where)
    about = {"reporter": "China", "unit": f"{currency} mn", "published": day, "source": "gacc"}
    found = [about | one for line in lines for one in _values_of(line, columns, scale, where)]
    rows = pd.DataFrame(found).drop_duplicates() if found else empty()
    return check(rows, where)


def _columns_of(lines: list[list[str]], year: int, month: int, where: str) -> Columns:
    """Return flow and period of each column behind the name; the period of a column with growth is "yoy"."""
    place = next((place for place, line in enumerate(lines) if line[0] == "Export Destination"), 0)
    above, below = (lines[place - 1], lines[place]) if place else ([], [])
    own = f"{year}-{month:02}"
    to_date = {1: own, len(MONTHS): f"{year}"}.get(month, f"{year}-01..{own}")
    stated = {f"{month}": own, f"{month:02}": own, f"1-to-{month}": to_date, f"1-to-{month:02}": to_date}
    spans = zip(above[1:-1], below[1:], strict=False)
    columns = [(name, stated.get(span.replace(" ", ""))) for name, span in spans]
    columns += [(name, "yoy") for name in below[1 + len(columns) :]]
    found = [(FLOWS[name], period) for name, period in columns if name in FLOWS and period]
    if not found or len(found) < len(columns):
        expected = f"flows for month {month} and January to it"
        raise refuse(where, f"the columns {quote('; '.join(below))}", expected)
    return found


def _values_of(line: list[str], columns: Columns, scale: float, where: str) -> list[dict[str, Any]]:
    """Return the values of a partner in millions, that from January with its growth; none of groups such as ASEAN."""
    name = re.sub(r"^of which:\s*", "", line[0])
    partner = OTHER_NAMES.get(name) or read_place(name)
    if len(line) != len(columns) + 1 or not partner:
        return []
    cells = [(*at, cell) for at, cell in zip(columns, line[1:], strict=True) if cell not in ("", "-")]
    if wrong := [cell for *_, cell in cells if not NUMBER.fullmatch(cell)]:
        raise refuse(f"{where}: {partner}", quote(wrong[0]), "a number like 41,046.4")
    growth = {flow: cell for flow, period, cell in cells if period == "yoy"}
    return [
        {
            "partner": partner,
            "flow": flow,
            "period": period,
            "freq": "A" if len(period) == 4 else "M",
            "value": round(float(cell.replace(",", "")) * scale, 6),
            "valuation": VALUATION[flow],
            "yoy_pct": growth.get(flow, "") if len(period) != 7 else "",
        }
        for flow, period, cell in cells
        if period != "yoy"
    ]
