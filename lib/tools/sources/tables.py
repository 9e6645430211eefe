"""From bytes to JSON, trees of markup, columns of text and numbers: what is not plainly that is refused."""

import csv
import math
import re
from collections.abc import Iterable
from typing import Any

import pandas as pd

from lib.errors import nearest, quote
from lib.tools.sources.client import refuse

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)

MISSING = ("", "NaN", "nan", "null", "NA", "..")
"""How sources write that there is no number; a period with one of these counts as missing."""


def decode_text(body: bytes, where: str, encoding: str = "utf-8", expected: str = "") -> str:
    """Return the text of a body, without a byte order mark; one of markup is refused where something else is expected."""
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    try:
        text = body.decode(encoding).removeprefix("\ufeff")
    except (UnicodeDecodeError, LookupError) as error:
        raise refuse(where, f"bytes that are not {encoding} ({error})", f"text in {encoding}") from None
    if expected and text.lstrip().startswith("<"):
        is_page = re.search(r"<(!doctype html|html|head|body)\b", text[:2000], re.IGNORECASE)
        kind = "a web page" if is_page else "XML"
        raise refuse(where, f"{kind} that begins {quote(text.strip())}", expected)
    return text


def read_json(body: bytes, where: str) -> Any:
    """Return the content of a JSON body, as `parse_json`."""
    return parse_json(decode_text(body, where, expected="JSON"), where)


def parse_json(text: str, where: str) -> Any:
    """Return the content of a JSON; NaN and Infinity, which JSON does not have, and endless nesting are refused."""
    from pydantic_core import from_json  # in half the time of the standard library's

    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise refuse(where, f"no valid JSON ({error})", "complete JSON") from None


def parse_html(text: str, where: str) -> Any:
    """Return a web page as a tree of lxml; an empty text is an empty page."""
    import lxml.html

    parser = lxml.html.HTMLParser(encoding="utf-8")
    try:
        return lxml.html.document_fromstring(text.encode("utf-8", "replace").strip() or b"<p>", parser=parser)
    except Exception as error:  # lxml raises several kinds for what is no page
        found = f"a web page that cannot be read ({str(error)[:200]})"
        raise refuse(where, found, "a page with a table") from None


def parse_xml(content: bytes, where: str, expected: str) -> Any:
    """Return XML as a tree of lxml: nothing is fetched, and entities of its own are refused."""
    from lxml import etree

    safe = {"resolve_entities": False, "no_network": True, "huge_tree": False}
    parser = etree.XMLParser(remove_comments=True, remove_pis=True, **safe)
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise refuse(where, f"XML that cannot be read ({str(error)[:200]})", expected) from None
    dtd = root.getroottree().docinfo.internalDTD
    if dtd is not None and dtd.entities():
        raise refuse(where, "XML that cannot be read (it defines entities)", expected)
    return root


def to_number(value: Any, where: str) -> float:
    """Return a finite number, given as one or as plain decimal text; NaN where the source says that there is none."""
    text = value.strip(" ") if isinstance(value, str) else repr(value)
    if value is None or text in MISSING:
        return math.nan
    if not NUMBER.fullmatch(text):
        raise refuse(where, quote(text), "a number with a decimal point")
    if not math.isfinite(number := float(text)):
        raise refuse(where, quote(text), "a finite number")
    return number


def read_columns(
    body: bytes, where: str, needed: tuple[str, ...], optional: Iterable[str] = ()
) -> pd.DataFrame:
    """Read named columns of a CSV in UTF-8 as text, wherever they stand; every row must have all fields."""
    import pyarrow as pa
    import pyarrow.csv

    text = decode_text(body, where, expected="CSV")
    if not text.endswith("\n"):
        # A last value that was cut in half would be another number.
        raise refuse(where, "a last row without its end", "a complete CSV, the last line ended")
    header = next(csv.reader([text[:100_000].split("\n", 1)[0].rstrip("\r")]))
    for name in needed:
        if (times := header.count(name)) != 1:
            found = f"the column {name} {times} times" if times else f"no column {name}"
            raise refuse(where, found, "it once" if times else nearest(name, header))
    del text  # a large answer is not held twice
    wanted = [*needed, *(name for name in optional if header.count(name) == 1)]
    as_text = dict.fromkeys(wanted, pa.string())  # blank ones too
    options = pyarrow.csv.ConvertOptions(include_columns=wanted, column_types=as_text)
    lines = pyarrow.csv.ParseOptions(newlines_in_values=True)
    try:
        table = pyarrow.csv.read_csv(pa.BufferReader(body), parse_options=lines, convert_options=options)
    except pa.ArrowException as error:
        raise refuse(where, f"rows that cannot be read ({error})", "a complete CSV") from None
    return table.to_pandas()
