"""Rules for sentences of notebooks: each is a pattern that no page may hold.

They are looked for in the committed notebooks, in what cells say for odd cases (`test_sentences`), and in the pages
of `notebooks/odd_cases.yml` (`odd_cases`).
"""

import re
from html import unescape
from typing import Any

RULES = {
    "a plural for one": r"(?<![\d.,–-])1 (?:years|figures|periods|rates|forecasts|trackers|times|pairs)\b",
    "a doubled name": r"\b([A-Z][a-z]+)–\1\b|\b([A-Z][a-z]+) \2\b",
    "a doubled word": r"\b(the|of|in|a|is|to|and|for|by) \1\b",
    "growth by a fall": r"\b(?:grew|rose|fell|shrank) by [−+-]",
    "a hole": r"(?<![\w-])(?:nan|NaN|NaT|None(?! [a-z])|<NA>|inf)(?![\w-])",
    "a field that was not filled": r"\{[a-z_]*(?::[^}\s]*)?\}",
    "two spaces": r"(?<=[a-z,]) {2,}(?=[a-z])",
    "a stop after a stop": r"[.,;:]\s*[.,;](?!\.)|\.\.(?!\.)",
    "a unit after its number": r"\b\d[\d.,]* (?:USD|CNY) (?:billion|million)\b",
    "a level without its unit": r"\d: [\d.,]+ \(row",
    "an exponent": r"\d[.\d]*e[+−-]\d",
    "a bold that is not": r" \*\* ",
    "a hyphen for a minus": r"(?<![\w.–/_-])-\d",
    "a count of all of itself": r"(?<![\d.,])(\d+)\*{0,2} of \*{0,2}\1\b(?![.,]\d)",
    "one of one": r"\bOf 1 [a-z]+",
    "a sign before nought": r"[+−]0(?:\.0+)?(?![.\d])",
    "a reading that is no adverb": r"\b[Rr]ead (?:every year|mean of)",
    "a month cut short": r"\b(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b",
    "a day as data have it": r"\bAnnounced \d",
    "the world without its article": r"\b(?:with|to|from|of) World\b(?! Bank)",
    "a year beside itself": r"\bin (\d{4}) and [^.;]{1,20} in \1\b",
    "a span that ends in words": r"\d{4}–\d{4}, a year",
    "a country called a city": r"\b(?:China|Russia)\b[^.]{0,40}\bthe city\b",
    "a flow as data have it": r"–[A-Z][a-z]+, (?:export|import|total)\b(?! trade)",
    "a title amid a sentence": r"\b(?:of|For|larger|which) [A-Z][^.:;]{1,40}, (?:total trade|exports|imports),? (?:changed|is|there|the|in|\d)\b",
    "a count of nought": r"(?<![\d.,])\b0 (?:events|figures|years|flows|releases|forecasts)\b",
    "a range between the same words": r"\b((?:below|above) \d+ %) to \1",
    "thousands that are not separated": r"(?<![\w.,–/−-])(?!(?:1[89]|20)\d\d\b)\d{4,}(?![\d-])",
    "more digits than anybody knows": r"\d\.\d{5,}",
    "certainty": r"probability (?:of|is|was) \**(?:0|100) %",
}


IN_CELLS = (
    "a hole",
    "a field that was not filled",
    "an exponent",
    "a hyphen for a minus",
    "a sign before nought",
    "a range between the same words",
    "thousands that are not separated",
    "more digits than anybody knows",
)
"""The rules that hold for the cells of tables, too, where notes and titles of publishers are not ours to mend."""

LEAST_WORDS = 3
"""Shorter texts, such as "None can.", may stand twice."""

LONGEST_CELL = 40
"""Longer text in a table is a note or a title, as somebody else wrote it."""


def check_sentences(text: str) -> list[str]:
    """The rules that a text breaks, each with the words around."""
    return [
        f"{name}: …{text[max(0, found.start() - 40) : found.end() + 40]!r}…"
        for name, pattern in RULES.items()
        for found in re.finditer(pattern, text)
    ]


def check_page(said: list[str]) -> list[str]:
    """The rules that a page breaks: those of its sentences, and no sentence twice."""
    twice = [text for text in dict.fromkeys(said) if said.count(text) > 1 and len(text.split()) > LEAST_WORDS]
    faults = [fault for text in said for fault in check_sentences(text)]
    return faults + [f"said twice: {text[:80]!r}" for text in twice]


def check_cells(notebook: dict[str, Any]) -> list[str]:
    """The rules that the tables of a notebook break; addresses and long text, which is quoted, left out."""
    shown = [o["data"] for cell in notebook["cells"] for o in cell.get("outputs", []) if "data" in o]
    html = "".join("".join(data.get("text/html", "")) for data in shown)
    cells = [
        unescape(re.sub(r"<[^>]+>", "", one)) for one in re.findall(r"<td>((?!<a ).*?)</td>", html, re.DOTALL)
    ]
    return [
        fault
        for text in dict.fromkeys(cells)
        if len(text) <= LONGEST_CELL
        for fault in check_sentences(text)
        if fault.partition(":")[0] in IN_CELLS
    ]


def sentences_of(notebook: dict[str, Any]) -> list[str]:
    """What a notebook says in Markdown: its own cells, and what its code shows; addresses and code left out."""
    found = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            found.append("".join(cell["source"]))
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            found += ["".join(data[kind]) for kind in ("text/markdown",) if kind in data]
            found += [meta["alt"] for meta in output.get("metadata", {}).values() if "alt" in meta]
    return [plain(text) for text in found]


def plain(markdown: str) -> str:
    markdown = re.sub(r"`[^`]*`", "code", markdown)
    text = re.sub(r"(?<=\])\([^)]*\)|^\|.*$", "", markdown, flags=re.MULTILINE)
    return unescape(re.sub(r"\\([\\`*_\[\]#|~$])", r"\1", text))
