"""From a publisher to the notebooks: fetch, snapshot, figures, matrix, for flows that the kept data do not have."""

import re
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pandas as pd
import pycountry
import pytest
import yaml
from click.testing import CliRunner, Result
from fault_server import Server, World, portal_page, serve, status
from sampling import exhaustive, in_full, some, thorough
from sources_kit import months, quick_client

from lib import fetched, outlook
from lib import figures as fig
from lib.cases import GoalCase
from lib.economies import CURRENCIES, find_economy
from lib.errors import UserError
from lib.package import DATA_ENV, KEPT_ONLY_ENV, data_dir, notebooks_dir
from lib.research import files
from lib.research.panels import read_panel
from lib.series import releases as months_known
from lib.tools import curation
from lib.tools.cli import main
from lib.tools.run import matrix
from lib.tools.site import pages
from lib.tools.sources import client, covariates, record, update
from lib.tools.sources.publishers import PUBLISHERS
from lib.tools.sources.snapshots import Desk, folder_of

WOBBLE = (0.12, -0.07, 0.2, -0.15, 0.04)
"""Points of growth beside the trend; invented, as all values here are."""


def grown(start: float, trend: float, last: int = 2025) -> dict[str, float]:
    """Dollars a year from 2000, with cents."""
    level, found = start, {}
    for year in range(2000, last + 1):
        found[str(year)] = round(level, 2)
        level *= 1 + trend + WOBBLE[year % 5]
    return found


def make_world() -> World:
    """India, Turkey and South Korea with their partners and the world (G001); Russia stops in 2021."""
    pairs = {
        ("IND", "RUS"): (0.9e9, 0.06, 0.6e9, 0.15, 2025),
        ("RUS", "IND"): (0.55e9, 0.15, 0.95e9, 0.06, 2021),
        ("IND", "G001"): (42e9, 0.09, 51e9, 0.1, 2025),
        ("TUR", "G001"): (27.8e9, 0.085, 54e9, 0.07, 2025),
        ("KOR", "VNM"): (1.7e9, 0.13, 0.32e9, 0.18, 2025),
        ("VNM", "KOR"): (0.35e9, 0.18, 1.75e9, 0.13, 2025),
        ("KOR", "G001"): (172e9, 0.055, 160e9, 0.055, 2025),
    }
    trade = {}
    for pair, (exports, up, imports, more, last) in pairs.items():
        trade[(*pair, "export")] = grown(exports, up, last)
        trade[(*pair, "import")] = grown(imports, more, last)
    return World(
        trade,
        {"IND": "699", "RUS": "643", "G001": "0", "TUR": "792", "KOR": "410", "VNM": "704", "CHN": "156"},
    )


@pytest.fixture
def server(read_once: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The IMF on this machine, and a copy of the data of its own."""
    shutil.copytree(data_dir(), tmp_path / "data", ignore=shutil.ignore_patterns("fetched", "snapshots"))
    monkeypatch.setenv(DATA_ENV, str(tmp_path / "data"))
    monkeypatch.delenv(KEPT_ONLY_ENV)
    # The page to try a goal holds nothing that is fetched, and takes ten seconds for each copy of the data.
    monkeypatch.setattr(pages, "whatif_files", lambda: {})
    with serve(make_world()) as running:
        monkeypatch.setattr(client, "open_client", partial(quick_client, running.bases))
        yield running


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def get(*arguments: str) -> Result:
    return invoke("data", "fetch", *arguments)


def test_a_pair_is_fetched_with_its_larger_flow_and_its_mirror(server):
    result = get("India", "Russia", "--years", "2000-2025")
    assert result.exit_code == 0, result.output
    assert "note: Russia–India: no value for 2022–2025" in result.output
    assert result.output.splitlines()[-4:] == [
        "India–Russia, 2000 to 2025: 78 values new, 0 changed, 0 known already",
        "India–World, 2000 to 2025: 78 values new, 0 changed, 0 known already",
        "Russia–India, 2000 to 2021: 66 values new, 0 changed, 0 known already",
        "Now: tradegoals run --notebook 01_what_do_the_figures_say -p reporter=India -p partner=Russia "
        "-p as_of=2026-11-24",
    ]
    assert "Now:" in result.output and len(server.seen) == 1


def test_figures_are_those_of_the_answer_and_name_it(server, tmp_path):
    get("India", "Russia", "--years", "2000-2025")
    found = fetched.read("India").set_index("figure_id")
    row = found.loc["IN-RU-total-2024-imf-a"]
    parts = [server.world.trade["IND", "RUS", flow]["2024"] for flow in ("export", "import")]
    assert row["value_mn"] == pytest.approx(sum(parts) / 1e6, abs=1e-6)
    assert (row["published"], row["authority"], row["status"]) == ("2026-11-24", "statistics", "ok")
    assert row["url"].startswith(server.bases["imf"]) and row["note"].startswith(
        "FOB + CIF; computed as export"
    )
    digest = row["snapshot"]
    assert (tmp_path / "data" / "snapshots" / "bodies" / digest[:2] / f"{digest}.gz").exists()
    assert invoke("data", "check", "--snapshots").exit_code == 0  # tables, checksums, fetched files, answers
    assert "fetched: 222 values of 3 pairs, 2000–2025, last on 2026-11-24" in invoke("data", "sources").output


def test_offline_and_again_nothing_changes(server):
    get("India", "Russia", "--years", "2000-2025")
    before = {path.name: path.read_bytes() for path in fetched.files()}
    again = get("India", "Russia", "--years", "2000-2025")
    assert "0 values new, 0 changed, 78 known already" in again.output
    asked = len(server.seen)
    offline = get("India", "Russia", "--years", "2000-2025", "--offline")
    assert offline.exit_code == 0 and len(server.seen) == asked
    assert "0 values new, 0 changed, 78 known already" in offline.output
    assert {path.name: path.read_bytes() for path in fetched.files()} == before


def test_offline_without_a_snapshot_is_one_clear_line(server):
    result = get("India", "Russia", "--offline")
    assert result.exit_code == 2 and len(result.output.splitlines()) == 1
    assert result.output.startswith("Error: offline: no snapshot of http")
    assert result.output.endswith("run once without --offline\n")
    assert server.seen == [] and fetched.files() == []


def test_a_changed_answer_is_a_new_vintage_and_diff_shows_it(server):
    get("India", "Russia", "--years", "2020-2025")
    server.world.trade["IND", "RUS", "export"]["2024"] += 2e9
    result = get("India", "Russia", "--years", "2020-2025")
    assert "India–Russia, 2020 to 2025: 0 values new, 2 changed, 16 known already" in result.output
    rows = fetched.read("India").query(
        "partner == 'Russia' and flow == 'export' and period_end.dt.year == 2024"
    )
    assert rows["status"].tolist() == ["preliminary", "ok"]
    assert rows["value"].diff().iloc[-1] == pytest.approx(2000)
    lines = invoke("data", "diff", "2026-11-23", "now", "--reporter", "India").output.splitlines()
    assert lines[-1] == "38 added, 0 removed, 0 changed"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (status(503), "status 503"),
        (status(404, body=b'{"message":"no such dataflow"}'), "no such dataflow"),
        (portal_page, "Hotel WiFi"),
    ],
)
def test_a_source_out_of_order_writes_nothing(server, fault, words: str):
    server.always(fault)
    result = get("India", "Russia", "--years", "2000-2025")
    assert result.exit_code == 2 and words in result.output
    assert result.output.startswith("Error: ") and "Traceback" not in result.output
    assert fetched.files() == []


def test_what_fails_beside_the_pair_is_told_and_does_not_stop_it(server):
    del server.world.trade["IND", "G001", "export"], server.world.trade["IND", "G001", "import"]
    result = get("India", "Russia", "--years", "2000-2025")
    assert result.exit_code == 0 and "India–World: nothing" in result.output
    assert "India–Russia, 2000 to 2025: 78 values new" in result.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["India"], "expected REPORTER and PARTNER, such as India Russia, or --all-pairs"),
        (["India", "Russia", "--all-pairs"], "expected REPORTER and PARTNER"),
        (["India", "Russai"], 'found "Russai", expected a country, "Russia"'),
        (["India", "India"], "the reporter itself, expected another country"),
        (["India", "Russia", "--years", "2024-2000"], 'years: found "2024-2000", expected a year'),
        (["India", "Russia", "--source", "imff"], 'source: found "imff", expected "imf"'),
        (["India", "Turkey", "--years", "2024"], "found nothing, expected imf: India–Turkey"),
        (["Taiwan", "India"], "found Taiwan, which does not report to imf"),
        (["India", "Russia", "--source", "gacc"], 'reporter: found "India" of gacc, expected China'),
        (["India", "Russia", "--source", "ecb"], 'source: found "ecb", expected'),
        (
            ["China", "Russia", "--source", "gacc", "--years", "2017-2018"],
            "none from 2019, where gacc begins",
        ),
        (
            ["India", "Russia", "--source", "comtrade", "--years", "1980-1985"],
            "none from 1988, where comtrade begins",
        ),
    ],
)
def test_mistakes_are_refused_by_name(server, arguments: list[str], words: str):
    result = get(*arguments)
    assert result.exit_code == 2 and words in result.output and "Traceback" not in result.output


def test_all_pairs_go_on_where_they_were_stopped(server, monkeypatch):
    places = [find_economy(name) for name in ("World", "India", "Turkey", "South Korea")]
    monkeypatch.setattr(record, "economies", lambda: tuple(places))
    get("Turkey", "World", "--years", "2023-2025")
    asked = len(server.seen)
    refused = invoke("data", "fetch", "--all-pairs", "--years", "2023-2025")
    assert (
        refused.exit_code != 0
        and "needs the IMF's permission" in refused.output
        and len(server.seen) == asked
    )
    first = get("--all-pairs", "--years", "2023-2025", "--yes")
    assert first.exit_code == 0, first.output
    assert "3 South Korea" in first.output
    asked = len(server.seen)
    again = get("--all-pairs", "--years", "2023-2025", "--yes")
    assert len(server.seen) == asked  # all answers are younger than a week
    assert again.output.splitlines()[-1].startswith("0 values new, 0 changed, ")
    assert {path.stem for path in fetched.files()} == {"india", "turkey", "south-korea"}


def test_another_source_stands_beside_the_first_and_has_its_own_vintages(server):
    get("India", "Russia", "--years", "2023-2025")
    result = get("India", "Russia", "--years", "2023-2025", "--source", "comtrade")
    assert "India–Russia, 2023 to 2025: 9 values new, 0 changed, 0 known already" in result.output
    rows = fetched.read("India").query(
        "partner == 'Russia' and flow == 'total' and period_end.dt.year == 2024"
    )
    assert rows["figure_id"].tolist() == ["IN-RU-total-2024-comtrade-a", "IN-RU-total-2024-imf-a"]
    assert rows["status"].tolist() == ["ok", "ok"] and len(set(rows["value"])) == 1
    assert "comtrade: UN Comtrade" in (listed := invoke("data", "sources").output)
    assert listed.count("fetched: ") == 2
    asked = len(server.seen)
    get("India", "Russia", "--years", "2023-2025", "--source", "comtrade")
    assert len(server.seen) == asked, "without a key an answer is good for seven days"


def test_what_was_fetched_is_a_panel_for_the_backtest(server, tmp_path):
    path = tmp_path / "imf.parquet"
    refused = invoke("data", "panel", str(path))
    assert refused.exit_code == 2 and "found nothing fetched of imf" in refused.output
    get("India", "Russia", "--years", "2000-2025")
    server.world.trade["IND", "RUS", "export"]["2024"] = 5e9
    get("India", "Russia", "--years", "2000-2025")
    written = invoke("data", "panel", str(path))
    assert written.exception is None, written.exception
    assert written.output == f"wrote 222 values of 3 pairs to {path}\n"
    rows = read_panel(path).set_index(["reporter", "partner", "flow", "year"])["value_usd"]
    assert rows["India", "Russia", "export", 2024] == pytest.approx(5e9)
    assert rows["Russia", "India", "import", 2021] == server.world.trade["RUS", "IND", "import"]["2021"]


# --- the notebooks ---


MAPPING = """
source: gacc
title: General Administration of Customs of China, yearly table
url: http://www.customs.gov.cn/table
licence: free use with attribution
authority: customs
published: 2014-01-10
encoding: utf-8
header_row: 1
thousands: ","
missing: ["-"]
freq: A
period: {column: year, format: "%Y"}
reporter: {is: China}
partner: {column: partner, names: {India: India, Korea: South Korea}, others: skip}
flows:
  - {column: exports, flow: export, unit: USD mn, valuation: FOB}
"""


def test_a_table_downloaded_by_hand_gives_figures(server, tmp_path):
    table, mapping = tmp_path / "customs.csv", tmp_path / "customs.yml"
    table.write_text('year,partner,exports\n2012,India,"47,677"\n2013,India,48443\n2013,Korea,91176\n')
    mapping.write_text(MAPPING)
    result = invoke("data", "import", str(table), str(mapping))
    assert result.exit_code == 0, result.output
    assert "China–India, 2012 to 2013: 2 values new" in result.output
    assert "China–South Korea, 2013 to 2013: 1 values new" in result.output
    rows = fetched.read("China").query("partner == 'India'").set_index("period_end")["value"]
    assert rows.tolist() == [47677, 48443]
    assert "2 known already" in invoke("data", "import", str(table), str(mapping)).output
    table.write_text("year,partner,exports\n2013,India,a lot\n")
    refused = invoke("data", "import", str(table), str(mapping))
    assert refused.exit_code == 2 and refused.output.startswith("Error: ") and "a lot" in refused.output


def test_sources_that_are_listed_are_those_that_can_be_asked(server):
    """`data sources` names for each the command that asks it, and that command takes it, and no other one does."""
    lines = invoke("data", "sources").output.splitlines()
    listed = [line.split(": tradegoals ")[1].split() for line in lines if "asked by: tradegoals" in line]
    assert [name for *_, name in listed] == list(PUBLISHERS)
    asked = {
        command: {name for _, one, _, name in listed if one == command} for command in ("fetch", "refresh")
    }
    assert asked["fetch"] == {name for name, facts in PUBLISHERS.items() if facts.freqs}
    assert asked["refresh"] == {recipe.source for recipe in covariates.RECIPES.values()}
    for data, command, option, name in listed:
        pair = ("China", "Russia", "--years", "2024") if command == "fetch" else ()
        taken = invoke(data, command, *pair, option, name, "--offline")
        assert "source: found" not in taken.output, taken.output
        other = ({"fetch": "refresh", "refresh": "fetch"})[command]
        pair = ("China", "Russia", "--years", "2024") if other == "fetch" else ()
        assert f'source: found "{name}"' in invoke(data, other, *pair, option, name, "--offline").output


def known_covariates(world: World) -> None:
    """Let the publishers know what is kept, and of 2025 and oil something new."""
    kept = fig.load_covariates()
    for name, recipe in covariates.RECIPES.items():
        rows = kept[kept["variable"] == name]
        series = {str(year): value for year, value in zip(rows["year"], rows["value"], strict=True)}
        if recipe.source == "fred" and series:
            world.indicators["FRED", recipe.series] = {
                f"{year}-01-01": value for year, value in series.items()
            }
        elif recipe.source == "worldbank":
            iso3 = find_economy(recipe.place).iso3
            world.indicators.setdefault((iso3, recipe.series), {}).update(series)
    world.indicators["WLD", "TX.VAL.MRCH.CD.WT"] = {"2024": 24.4e12}
    del world.indicators["CHN", "NY.GDP.MKTP.KD"], world.indicators["RUS", "NY.GDP.MKTP.KD"]


def test_covariates_are_renewed_with_the_difference_shown_first(server, tmp_path):
    known_covariates(server.world)
    server.world.indicators["FRED", "MCOILBRENTEU"]["2024-01-01"] = 70.0
    path = tmp_path / "data" / "covariates.csv"
    before = path.read_bytes()
    looked = invoke("data", "refresh", "--source", "fred", "--source", "worldbank")
    assert looked.exit_code != 0 and path.read_bytes() == before  # nobody said yes
    assert "Write these 2 values to data/covariates.csv?" in looked.output, looked.output
    assert "~ brent_usd_per_bbl 2024: " in looked.output and " → 70 (" in looked.output
    assert "+ world_exports_current_usd 2024: 2.44e+13 USD" in looked.output
    written = invoke("data", "refresh", "--source", "fred", "--source", "worldbank", "--yes")
    assert written.output.endswith("wrote 2 values to data/covariates.csv\n")
    assert (
        fig.check_tables() + files.check_checksums() == []
        and fig.covariate("brent_usd_per_bbl")[2024] == 70.0
    )
    assert fig.covariate("world_exports_current_usd").to_dict() == {2024: 24.4e12}
    kept, now = before.decode().splitlines(), path.read_text("utf-8").splitlines()
    assert len(set(kept) - set(now)) == 1 and len(set(now) - set(kept)) == 2  # every other row to the letter
    again = invoke("data", "refresh", "--source", "fred", "--source", "worldbank", "--yes")
    assert again.output.endswith("Nothing differs from data/covariates.csv.\n")


def test_a_source_of_covariates_that_is_out_of_order_leaves_its_own_as_they_are(server):
    known_covariates(server.world)
    server.world.indicators["FRED", "MCOILBRENTEU"] = {}
    result = invoke("data", "refresh", "--source", "fred", "--source", "cbr", "--yes")
    assert result.exit_code == 0, result.output
    assert "Nothing differs" in result.output
    server.always(status(503))
    result = invoke("data", "refresh", "--source", "fred", "--source", "ecb", "--yes")
    assert "note: brent_usd_per_bbl: stays as it is: " in result.output
    assert "+ eur_per_usd 2024: 0.92" in result.output  # the ECB's rates come with a package
    assert fig.check_tables() + files.check_checksums() == [] and fig.covariate("eur_per_usd")[
        2024
    ] == pytest.approx(1 / 1.0824, rel=3e-4)
    refused = invoke("data", "refresh", "--source", "fred")
    assert refused.exit_code == 2 and refused.output.startswith("Error: ") and "status 503" in refused.output


def test_a_goal_may_be_in_any_currency_once_its_rates_are_there(server):
    """Harbin's level is printed in dollars; euros come with a package, dong from the World Bank."""
    values = {"currency": "eur", "goal": "0.3 EUR bn", "as_of": "2014-04-15"}
    with pytest.raises(UserError, match="data refresh --currency EUR"):
        GoalCase.check(values)
    assert "did you mean EUR?" in invoke("data", "refresh", "--currency", "EUX").output
    assert "expected another currency" in invoke("data", "refresh", "--currency", "USD").output
    euro = invoke("data", "refresh", "--currency", "EUR", "--yes")
    assert "+ eur_per_usd 2012: 0.778" in euro.output and "wrote 2" in euro.output, euro.output
    case = GoalCase.check(values)
    assert case.goal_name == "EUR 300 million" and "EUR 300 million" in case.title()
    rate = fig.covariate("eur_per_usd")
    own, dollars = case.series(), GoalCase().series()
    both = own.index.intersection(dollars.index)
    assert (own["value_mn"] / dollars["value_mn"])[both].to_dict() == pytest.approx(rate[both].to_dict())
    assert own["grade"].str.contains("converted").all()
    same = GoalCase(goal=f"{0.3 / rate[2012]:.6f} USD bn")  # but for how the rate moved in the years behind
    chances = [outlook.of(one).chances["average"] for one in (case, same)]
    assert 0 < chances[0] < 1 and chances[0] == pytest.approx(chances[1], abs=0.1)
    server.world.indicators["VNM", "PA.NUS.FCRF"] = {"2023": 23787.3, "2024": 24164.9}
    dong = invoke("data", "refresh", "--currency", "VND", "--yes")
    assert (
        "+ vnd_per_usd 2024: 24164.9 VND/USD" in dong.output
        and fig.check_tables() + files.check_checksums() == []
    )


def test_rates_of_every_currency_have_a_source():
    """Of ISO 4217 as pycountry has it, without funds, metals and units of account."""
    others = {
        "BOV",
        "CHE",
        "CHW",
        "CLF",
        "COU",
        "MXV",
        "USN",
        "UYI",
        "UYW",
        "XAD",
        "XSU",
        "XUA",
        "XXX",
        "XTS",
        "XDR",
    }
    others |= {"XAG", "XAU", "XBA", "XBB", "XBC", "XBD", "XPD", "XPT"}
    assert set(CURRENCIES) == {one.alpha_3 for one in pycountry.currencies} - others
    recipes = covariates._rates_of(set(CURRENCIES) - {"USD"})
    assert len(recipes) == len(CURRENCIES) - 1
    assert {recipe.source for recipe in recipes.values()} == {"ecb", "fred", "worldbank"}
    assert recipes["kzt_per_usd"].place == "Kazakhstan" and recipes["xof_per_usd"].place == "Senegal"


@exhaustive
def test_an_update_says_what_moves_and_what_is_decided_and_writes_no_target(server, tmp_path):
    targets = tmp_path / "data" / "targets.csv"
    head, *rows = targets.read_text("utf-8").splitlines(keepends=True)
    sooner = [
        row.replace(",2030,", ",2025,", 1) if row.startswith("KR-VN-2030-150bn,") else row for row in rows
    ]
    few = [row for row in sooner if row.startswith(("IN-RU-2030", "KR-VN-2030", "TR-IQ-"))]
    targets.write_text("".join([head, *(sooner if thorough() else few)]), "utf-8")
    files.refresh_checksums("targets.csv")
    before = targets.read_bytes()
    get("India", "Russia", "--years", "2000-2024")
    result = invoke("data", "update")
    assert result.exit_code == 0, result.output
    assert "South Korea–Viet Nam, 2000 to 2025: 78 values new" in result.output
    assert "note: Turkey–Iraq: nothing of 1980–2025 at imf\n" in result.output, "that stops nothing"
    assert "note: Turkey–Iraq: nothing of 2024–2025 at comtrade\n" in result.output
    moved = next(line for line in result.output.splitlines() if line.startswith("  IN-RU-2030-100bn: "))
    assert re.search(r"2025: [\d.]+ USD bn \(before 2024: [\d.]+\), probability \d+ % \(before \d+ %, [+-]\d+ points\)",
                     moved)  # fmt: skip
    pending = int((fig.load_targets()["met"] == "pending").sum())
    assert f"of {pending} pending targets are decided: " in result.output
    row = next(line for line in result.output.splitlines() if line.startswith("KR-VN-2030-150bn,"))
    total = sum(server.world.trade["KOR", "VNM", flow]["2025"] for flow in ("export", "import")) / 1e9
    assert f"{total:.4g},USD bn,2025,{'yes' if total >= 150 else 'no'}," in row and server.bases["imf"] in row
    assert targets.read_bytes() == before
    assert "No answer moves." in invoke("data", "update", "--offline").output


def test_an_update_gives_up_a_source_that_is_out_of_order(server, monkeypatch):
    pending = [row for row in curation.read_rows("targets") if row["met"] == "pending"]
    few = [row for row in pending if row["target_id"].startswith(("IN-", "KR-", "TR-"))]
    monkeypatch.setattr(curation, "read_rows", lambda name: {"targets": few}[name])
    server.always(status(500))
    result = invoke("data", "update")
    assert result.exit_code == 0 and "No answer moves." in result.output
    for source in update.CHEAPEST_FIRST:
        assert (
            f"note: {source} is out of order or out of quota: it is asked for no other pair" in result.output
        )
        assert sum(path.startswith(f"/{source}/") for path, _ in server.seen) == 3 * client.Client.attempts
    server.seen.clear()
    assert "offline: no snapshot" in invoke("data", "update", "--offline").output and server.seen == []


def test_an_update_reads_targets_in_their_own_currency_and_none_of_a_sector(server, monkeypatch):
    """GBP 1,000 bn of British exports fall due in 2025 here; Korea's farm goods are not its exports."""
    rows = {row["target_id"]: row for row in curation.read_rows("targets")}
    pound, farm = rows["UK-2030-1tn-exports"] | {"target_year": "2025"}, rows["KR-AGRI-2027-23bn"]
    register, read = [pound, farm | {"target_year": "2025"}], curation.read_rows
    monkeypatch.setattr(curation, "read_rows", lambda name: register if name == "targets" else read(name))
    for flow, start in (("export", 280e9), ("import", 350e9)):
        server.world.trade["GBR", "G001", flow] = grown(start, 0.03)

    def found() -> update.Updated:
        with quick_client(server.bases) as client:
            return update.update(range(2000, 2026), Desk(client, folder_of()))

    without = found()
    assert without.decided == [] and without.pending == 2
    assert any("data refresh --currency GBP" in note for note in without.notes)
    invoke("data", "refresh", "--currency", "GBP", "--yes")
    (row,) = found().decided
    level = server.world.trade["GBR", "G001", "export"]["2025"] / 1e9 * fig.covariate("gbp_per_usd")[2025]
    assert (row["target_id"], row["outcome_unit"]) == ("UK-2030-1tn-exports", "GBP bn")
    assert float(row["outcome_value"]) == pytest.approx(level, rel=1e-3) and row["met"] == "no"


@in_full
@pytest.mark.usefixtures("shared_server")
def test_pairs_of_the_imf_and_of_chinas_customs_from_the_publisher_to_the_site(server, tmp_path):
    """Turkey and Korea from the IMF; index, releases, figures by release of China; their goals, pages and one site."""
    for pair in (
        ("KAZ", "export"),
        ("KAZ", "import"),
        ("RUS", "export"),
        ("G001", "export"),
        ("G001", "import"),
    ):
        server.world.trade[("CHN", *pair)] = months(grown(9e9 if pair[0] == "KAZ" else 2e11, 0.08))
    result = get("China", "Kazakhstan", "--source", "gacc", "--freq", "M", "--years", "2022-2024")
    assert result.exit_code == 0, result.output
    assert "China–Kazakhstan, 2022 to 2024-12: " in result.output
    assert fetched.check() == []
    rows = fetched.read("China").query("partner == 'Kazakhstan' and flow == 'total' and unit == 'USD mn'")
    march = rows[rows["period_end"] == pd.Timestamp("2024-03-31")].set_index("figure_id")
    assert list(march.index) == [
        "CN-KZ-total-2024m01_m03-gacc-b",
        "CN-KZ-total-2024m03-gacc-b",
    ]  # a is in yuan
    assert set(march["published"]) == {"2024-04-09"} and set(march["authority"]) == {"customs"}
    assert march["yoy_pct"].tolist()[0] == 1.5
    assert "Now: tradegoals run" in result.output and "Kazakhstan–China" not in result.output
    out = ["--out", str(tmp_path / "out")]
    goal = {
        "reporter": "China",
        "partner": "Kazakhstan",
        "goal": "100 USD bn",
        "base_year": 2022,
        "deadline": 2030,
    }
    options = [part for name, value in goal.items() for part in ("-p", f"{name}={value}")]
    eve, day_of_release = (
        months_known(GoalCase.check(goal | {"as_of": day}).vintage(), "USD")
        for day in ("2024-04-08", "2024-04-09")
    )
    assert len(day_of_release) > len(eve), "release by release"
    day = ["-p", "as_of=2024-04-30"]
    run = invoke("run", "--notebook", "00_did_the_goal_hold", *options, *day, *out)
    assert run.exit_code == 0, run.output
    (page,) = (tmp_path / "out" / "runs" / "00_did_the_goal_hold").glob("*/page.html")
    assert "China–Kazakhstan" in page.read_text("utf-8")
    for pair in (("Turkey", "World"), ("South Korea", "Viet Nam")):
        assert get(*pair, "--years", "2000-2025").exit_code == 0
    checked = invoke("data", "check", "--snapshots")
    assert checked.exit_code == 0, checked.output
    cases = cases_of("turkey-exports-2023", "korea-viet-nam")
    run = invoke("run", "--notebook", "00", *cases, *out)
    assert run.exit_code == 0 and "failed" not in run.output, run.output
    built = invoke("site", *out)
    assert built.exit_code == 0, built.output
    pages = [
        page.read_text("utf-8") for page in (tmp_path / "out" / "site" / "runs").glob("00*/*/index.html")
    ]
    for pair in ("China–Kazakhstan", "Turkey–World", "South Korea–Viet Nam"):
        assert any(pair in page for page in pages), pair


def cases_of(*names: str) -> list[str]:
    return [part for name in names for part in ("--case", name)]


EXAMPLES = {
    "india-russia-2030": ["IN-RU-2030-100bn"],
    "turkey-exports-2023": ["TR-2023-500bn-exports"],
    "korea-viet-nam": ["KR-VN-2023-100bn", "KR-VN-2030-150bn"],
}


@pytest.mark.parametrize(("case", "targets"), EXAMPLES.items())
def test_the_examples_are_goals_of_the_register(case: str, targets: list[str]):
    document = yaml.safe_load((notebooks_dir() / "runs.yml").read_text(encoding="utf-8"))["cases"][case]
    register = fig.load_targets().set_index("target_id")
    stated = [document["parameters"] | values for values in document.get("include", [{}])]
    for name, values in zip(targets, stated, strict=True):
        row = register.loc[name]
        assert values["goal"] == f"{row['target_value']:g} {row['target_unit']}"
        assert (values["base_year"], values["deadline"]) == (row["base_year"], row["target_year"])
        assert (values["reporter"], values["partner"]) == (row["reporter"], row["partner"])
        assert values.get("flow", "total") == row["flow"]
        assert name in document["about"]


@pytest.mark.usefixtures("shared_server")
def test_the_examples_are_left_out_until_they_are_fetched(server):
    result = invoke("run", *cases_of("india-russia-2030"), "--dry-run")
    assert result.exit_code == 0 and result.output.splitlines()[-1] == "0 of 0 would run; 6 left out"
    result = invoke("run", *cases_of("india-russia-2030"))
    assert "expected to fetch it: tradegoals data fetch India Russia" in result.output
    assert result.output.splitlines()[-1] == "6 left out"


@exhaustive
@pytest.mark.usefixtures("shared_server", "what_if_payload")
def test_from_the_publisher_to_every_notebook_the_matrix_and_the_site(server, tmp_path):
    """India and Russia through notebooks 00 to 04 and 06; a revised value then repeats their runs alone."""
    get("India", "Russia", "--years", "2000-2025")
    notebooks = some(("00", "01", "02", "03", "04", "06"), 6)
    names = [*cases_of("india-russia-2030"), *(part for name in notebooks for part in ("--notebook", name))]
    out = ["--out", str(tmp_path / "out")]
    result = invoke("run", *names, *out)
    assert result.exit_code == 0, result.output
    assert len([*(tmp_path / "out" / "runs").glob("*/*/page.html")]) == len(notebooks)
    assert invoke("run", *names, *out, "--dry-run").output.endswith(f"0 of {len(notebooks)} would run\n")
    page = (tmp_path / "out" / "runs" / "00_did_the_goal_hold" / "india-russia-2030" / "page.html").read_text(
        "utf-8"
    )
    assert "Announced on 9 July 2024 by Narendra Modi and Vladimir Putin" in page and "India–World" in page
    table = pd.read_parquet(tmp_path / "out" / "results.parquet")
    assert {"India"} == set(table["reporter"]) and (table["output_type"] == "probability").any()
    built = invoke("site", *out)
    assert built.exit_code == 0, built.output
    site = tmp_path / "out" / "site"
    page = (site / "runs" / "00_did_the_goal_hold" / "india-russia-2030" / "index.html").read_text("utf-8")
    assert "India–Russia" in page and "Made from older data" not in page
    assert "India–Russia" in (site / "goals" / "index.html").read_text("utf-8")
    server.world.trade["IND", "RUS", "import"]["2025"] += 5e9
    get("India", "Russia", "--years", "2000-2025")
    due = invoke("run", *names, *out, "--dry-run").output
    assert (
        due.endswith(f"{len(notebooks)} of {len(notebooks)} would run\n")
        and "data changed: fetched/india.parquet" in due
    )


@pytest.mark.parametrize(
    ("pair", "cases", "count"),
    [
        (("Turkey", "World"), ("turkey-exports-2023",), 6),
        (("South Korea", "Viet Nam"), ("korea-viet-nam",), 11),
    ],
)
def test_the_other_examples_have_answers(server, pair: tuple[str, str], cases: tuple[str, ...], count: int):
    get(*pair, "--years", "2000-2025")
    listed = invoke("run", *cases_of(*cases), "--list").output
    assert len(listed.splitlines()) == count and f"reporter={pair[0]}" in listed
    for line in listed.splitlines():
        notebook = line.partition("/")[0]
        assert notebook in matrix.NOTEBOOKS
