"""China's customs: index pages and releases, every trap of theirs, and the way from a page to a judged goal."""

from pathlib import Path

import fault_server as server_of
import pandas as pd
import pytest
from fault_server import Server, World
from sources_kit import Time, quick_client

from lib.errors import UserError
from lib.tools.sources import gacc
from lib.tools.sources.record import Fetched, _fetch, pair_question, read_import
from lib.tools.sources.snapshots import Desk

RUSSIA = [153.54, 428.04, 64.98, 193.28, 88.56, 234.76]
ROWS = [
    ("Total", [900.0] * 6),
    ("ASEAN", [1.0] * 6),
    ("of which: Viet Nam", [2.0] * 6),
    ("Russian Federation", RUSSIA),
]


def release(**changes: object) -> pd.DataFrame:
    settings = {"rows": ROWS, "year": 2024, "month": 3, "currency": "CNY"} | changes
    rows = settings.pop("rows")
    page = server_of.gacc_page(
        rows, settings.pop("year"), settings.pop("month"), settings.pop("currency"), **settings
    )  # type: ignore[arg-type]
    return gacc.read(page, "here")[0]


def ask(partner: str, freq: str, years: range, desk: Desk) -> Fetched:
    return _fetch(pair_question("gacc", "China", partner, freq, years), desk)


# --- a release ---


def test_month_and_year_to_date_are_read_with_growth_and_day() -> None:
    rows = release()
    russia = rows[rows["partner"] == "Russia"].set_index(["flow", "period"])
    assert russia["value"].to_dict() == {
        ("total", "2024-03"): 15350.0,
        ("total", "2024-01..2024-03"): 42800.0,
        ("export", "2024-03"): 6500.0,
        ("export", "2024-01..2024-03"): 19330.0,
        ("import", "2024-03"): 8860.0,
        ("import", "2024-01..2024-03"): 23480.0,
    }  # printed with one decimal, in CNY 100 million
    assert russia.loc[("total", "2024-01..2024-03"), "yoy_pct"] == "1.5"
    assert russia.loc[("export", "2024-01..2024-03"), "yoy_pct"] == ""  # "-": none was printed
    assert set(russia.loc[(slice(None), "2024-03"), "yoy_pct"]) == {""}
    assert set(rows["published"]) == {"2024-04-09"} and set(rows["unit"]) == {"CNY mn"}


def test_groups_are_left_out_and_names_are_those_of_this_project() -> None:
    labels = {
        "R. O. Korea": "South Korea",
        "United States (US)": "United States",
        "Hong Kong, China": "Hong Kong",
        "Taiwan, China": "Taiwan",
        "of which: Germany": "Germany",
        "Total": "World",
        "Russian Federation": "Russia",
        "Vietnam": "Viet Nam",
    }
    groups = [
        "ASEAN",
        "European Union",
        "Africa",
        "Latin America",
        "Regional Comprehensive Economic Partnership",
    ]
    rows = release(rows=[(name, [1.0] * 6) for name in [*labels, *groups]])
    assert set(rows["partner"]) == set(labels.values())


def test_january_and_february_are_one_release_without_a_month() -> None:
    rows = release(month=2)
    assert set(rows["period"]) == {"2024-01..2024-02"} and set(rows["freq"]) == {"M"}


def test_december_gives_the_year() -> None:
    rows = release(month=12)
    assert set(rows["period"]) == {"2024-12", "2024"}
    year = rows[rows["freq"] == "A"].set_index(["partner", "flow"])["value"]
    assert year["Russia", "total"] == 42800.0
    assert set(rows["published"]) == {"2025-01-14"}


def test_the_heading_and_the_unit_say_the_currency() -> None:
    assert set(release(currency="USD")["unit"]) == {"USD mn"}
    assert release(currency="USD")["value"].max() == 900.0
    page = server_of.gacc_page(ROWS, 2025, 6, "CNY", unit="USD1 Million")
    rows, notes = gacc.read(page, "here")
    assert rows.empty
    assert notes == ['here: its heading says CNY, its unit "USD1 Million": nothing of it is taken']
    page = server_of.gacc_page(ROWS, 2025, 6, "CNY", unit="USD\x1b[2J")
    assert gacc.read(page, "here")[1][0].isprintable(), "a note is shown in a terminal"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("by Country/Region, Mar", "by Major Country (Region), Mar", "expected a release of China's total export"),
        (" (in CNY)</div>", "</div>", "expected a release of China's total export"),
        ("1- to-3", "1- to-4", "expected flows for month 3 and January to it"),
        ("Export Destination", "Destination", "the columns"),
        ("42,800.0", "42.800,0", "found"),
        (">428.0", ">about 428", "found \"about 428"),
        ("atcl-ttl", "title", "no heading"),
        ("2024/04/09", "9 April", "the day \"9 April\", expected YYYY/MM/DD"),
    ],
)  # fmt: skip
def test_a_page_of_another_shape_is_refused(old: str, new: str, message: str) -> None:
    page = server_of.gacc_page(ROWS, 2024, 3, "CNY").decode()
    if old == "42,800.0":
        page = page.replace("428.0", old)
    assert old in page
    with pytest.raises(UserError, match=message):
        gacc.read(page.replace(old, new).encode(), "here")


@pytest.mark.parametrize("body", [b"", b"<html></html>", server_of.PORTAL, b"{}"])
def test_another_page_is_no_index(body: bytes) -> None:
    with pytest.raises(UserError, match="no list of releases, expected an index page"):
        gacc._read_index(body, "http://x/statics/report/preliminary2024.html")


def test_an_index_lists_the_table_by_country_alone_and_stays_on_the_host() -> None:
    world = World({("CHN", "RUS", "export"): {"2026-02": 1.0, "2026-03": 1.0}}, {})
    page = server_of.gacc_index(world, 2026)
    year, links = gacc._read_index(page, "http://x/statics/report/preliminary.html")
    assert year == 2026  # of the list of years: this address has none
    assert links == [
        (2, "/Statics/4-CNY-2026-02.html"),
        (3, "/Statics/4-CNY-2026-03.html"),
        (2, "/Statics/4-USD-2026-02.html"),
        (3, "/Statics/4-USD-2026-03.html"),
    ]
    with pytest.raises(UserError, match=r"a link to .*elsewhere.*, expected one within the site"):
        elsewhere = page.replace(b"english.customs.gov.cn", b"elsewhere.example")
        gacc._read_index(elsewhere, "http://x/statics/report/preliminary.html")


# --- from the index to observations ---


def test_years_come_from_the_releases_of_december(server: Server, desk: Desk) -> None:
    found = ask("Kazakhstan", "A", range(2022, 2026), desk)
    pages = [path for path, _ in server.seen if "/Statics/" in path]
    assert len(pages) == 8 and all(path.endswith("-12.html") for path in pages)
    rows = found.observations.query("partner == 'Kazakhstan' and flow == 'export' and unit == 'USD mn'")
    known = server.world.trade["CHN", "KAZ", "export"]
    sums = [sum(known[f"{year}-{month:02}"] for month in range(1, 13)) / 1e6 for year in range(2022, 2026)]
    assert rows["value"].tolist() == [round(value, 1) for value in sums]
    assert rows["published"].tolist() == [f"{year}-01-14" for year in range(2023, 2027)]
    assert set(found.observations["unit"]) == {"CNY mn", "USD mn"} and found.notes == []


def test_months_come_release_by_release(server: Server, desk: Desk) -> None:
    found = ask("Russia", "M", range(2025, 2026), desk)
    rows = found.observations.query("partner == 'Russia' and flow == 'total' and unit == 'CNY mn'")
    assert rows["period"].tolist() == [
        "2025",
        *(period for month in range(2, 12) for period in sorted([f"2025-01..2025-{month:02}"])),
        *(f"2025-{month:02}" for month in range(3, 13)),
    ]
    days = rows.set_index("period")["published"]
    assert days["2025-03"] == days["2025-01..2025-03"] == "2025-04-09" and days["2025"] == "2026-01-14"


def test_releases_are_asked_for_once_and_the_index_again(server: Server, desk: Desk) -> None:
    ask("Russia", "A", range(2024, 2026), desk)
    server.seen.clear()
    ask("Russia", "A", range(2024, 2026), desk)
    assert [path for path, _ in server.seen] == [
        "/gacc/statics/report/preliminary.html",
        "/gacc/statics/report/preliminary2025.html",
        "/gacc/statics/report/preliminary2024.html",
    ]


def test_a_page_that_contradicts_itself_is_left_out_and_its_sibling_counts(
    server: Server, desk: Desk
) -> None:
    true = [lambda handler, reply: handler.send(reply)] * 2
    wrong = server_of.gacc_page(ROWS, 2025, 12, "CNY", unit="USD1 Million")
    server.next(*true, server_of.instead(wrong))
    found = ask("Russia", "A", range(2025, 2026), desk)
    assert set(found.observations["unit"]) == {"USD mn"}
    assert any("its heading says CNY" in note for note in found.notes)


def test_a_partner_that_the_table_does_not_list_is_told(desk: Desk) -> None:
    with pytest.raises(
        UserError, match=r"no row of Peru, expected one of the 2 .*--source imf has every country"
    ):
        ask("Peru", "A", range(2024, 2026), desk)


def test_a_partner_of_some_releases_has_these_and_the_others_are_kept_too(server: Server, desk: Desk) -> None:
    """Tables of later years list fewer countries: Kazakhstan stands in none of 2026."""
    true = [lambda handler, reply: handler.send(reply)] * 3
    without = [server_of.gacc_page(ROWS, 2025, 12, currency) for currency in ("CNY", "USD")]
    server.next(*true, *map(server_of.instead, without))
    found = ask("Kazakhstan", "A", range(2024, 2026), desk).observations
    assert set(found.loc[found["partner"] == "Kazakhstan", "period"]) == {"2024"}
    assert set(found.loc[found["partner"] == "World", "period"]) == {"2024", "2025"}
    assert not (desk.store / "refused").exists()


def test_a_page_that_breaks_off_is_not_read_in_part(server: Server, desk: Desk) -> None:
    true = [lambda handler, reply: handler.send(reply)] * 2
    server.next(*true, server_of.changed(lambda body: body[: body.index(b"Russian")]))
    with pytest.raises(UserError, match="found a table without its end, expected a complete page"):
        ask("Russia", "A", range(2025, 2026), desk)
    index = server_of.gacc_index(server.world, 2025)
    with pytest.raises(UserError, match="a table without its end"):
        gacc._read_index(index[:-60], "http://x/statics/report/preliminary2025.html")


def test_where_https_fails_the_way_without_it_is_named(store: Path) -> None:
    """Without any time nobody is asked, and no connection was made."""
    words = r"not complete.*may speak http alone: --allow-http lets it"
    with (
        quick_client({}, Time(), attempts=1, total_seconds=0.0) as client,
        pytest.raises(UserError, match=words),
    ):
        ask("Russia", "A", range(2025, 2026), Desk(client, store))


def test_a_saved_page_is_read(tmp_path: Path, desk: Desk) -> None:
    page = tmp_path / "march.html"
    page.write_bytes(server_of.gacc_page(ROWS, 2024, 3, "USD"))
    found, *_ = read_import(page, None, desk)
    assert set(found.observations["partner"]) == {"World", "Viet Nam", "Russia"}
    assert set(found.observations["published"]) == {"2024-04-09"}
    other = tmp_path / "table.csv"
    other.write_text("a\n")
    with pytest.raises(UserError, match="found no heading, expected a release"):
        read_import(other, None, desk)
    assert gacc.is_release(page.read_bytes()) and not gacc.is_release(b"<p>a</p>")
