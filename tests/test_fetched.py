"""Fetched figures: vintages that are never overwritten, the file of a reporter, and what reads them."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from lib import fetched, outlook
from lib import figures as fig
from lib.cases import FlowCase, GoalCase
from lib.errors import UserError
from lib.package import DATA_ENV, KEPT_ONLY_ENV, data_dir
from lib.series import annual_series
from lib.tools import curation
from lib.tools.sources import record

SNAPSHOT = "5f" * 32


@pytest.fixture(autouse=True)
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the data, in which nothing was fetched yet, read with what is."""
    shutil.copytree(
        data_dir(), tmp_path / "data", ignore=shutil.ignore_patterns("fetched", "snapshots", "scores")
    )
    monkeypatch.setenv(DATA_ENV, str(tmp_path / "data"))
    monkeypatch.delenv(KEPT_ONLY_ENV)
    return tmp_path / "data"


def appended(table: pd.DataFrame) -> tuple[int, ...]:
    (written,) = record.append(table)
    return written.added


def rows(values: dict[int, float], day: str = "2026-11-24", **other: str) -> pd.DataFrame:
    """Rows of one flow as a source gives them."""
    same = {"reporter": "India", "partner": "Russia", "flow": "total", "unit": "USD mn", "published": day}
    same |= {"publisher": "IMF", "authority": "statistics", "url": "https://api.imf.org/x", "status": "ok"}
    same |= {"source": "imf", "snapshot": SNAPSHOT}
    spans = {"period_start": "{}-01-01", "period_end": "{}-12-31"}
    return fetched.typed(
        pd.DataFrame(
            [
                {
                    **same,
                    "figure_id": "",
                    "value": str(value),
                    **{name: text.format(year) for name, text in spans.items()},
                    **other,
                }
                for year, value in values.items()
            ]
        )
    )


def test_a_changed_value_is_a_new_row_and_the_old_one_stays():
    assert appended(rows({2023: 57.0, 2024: 66.0})) == (2, 0, 0)
    assert appended(rows({2023: 57.0, 2024: 66.0}, "2026-12-01")) == (0, 0, 2)
    assert appended(rows({2023: 57.0, 2024: 68.7, 2025: 70.1}, "2027-01-15")) == (1, 1, 1)
    found = fetched.read("India").set_index("figure_id")[["value", "published", "status"]]
    assert found.to_numpy().tolist() == [
        [57.0, "2026-11-24", "ok"],
        [66.0, "2026-11-24", "preliminary"],
        [68.7, "2027-01-15", "ok"],
        [70.1, "2027-01-15", "ok"],
    ]
    assert found.index.tolist() == [
        *("IN-RU-total-2023-imf-a", "IN-RU-total-2024-imf-a"),
        *("IN-RU-total-2024-imf-b", "IN-RU-total-2025-imf-a"),
    ]


def test_a_value_is_known_from_the_day_of_its_retrieval():
    record.append(rows({2023: 57.0, 2024: 66.0}))
    record.append(rows({2024: 68.7}, "2027-01-15"))
    case = FlowCase(reporter="India", as_of="2026-12-31")
    assert annual_series(case.vintage(), "USD")["value_mn"].to_dict() == {2023: 57.0, 2024: 66.0}
    later = FlowCase(reporter="India", as_of="2027-01-15")
    assert annual_series(later.vintage(), "USD")["value_mn"].to_dict() == {2023: 57.0, 2024: 68.7}
    with pytest.raises(UserError, match="as_of: found 2014-04-15, expected 2026-11-24 or later"):
        GoalCase.check({"reporter": "India", "base_year": 2010, "deadline": 2015})


def test_sources_of_one_flow_have_vintages_of_their_own():
    record.append(rows({2024: 66.0}))
    assert appended(rows({2024: 65.2}, source="comtrade", publisher="UN")) == (1, 0, 0)
    assert set(fetched.read("India")["status"]) == {"ok"}
    assert set(fetched.read("India")["figure_id"]) == {
        "IN-RU-total-2024-imf-a",
        "IN-RU-total-2024-comtrade-a",
    }


def test_a_flow_that_was_not_fetched_is_told_with_the_command_for_it():
    with pytest.raises(
        UserError, match=r'found "India", expected to fetch it: tradegoals data fetch India Russia; or'
    ):
        FlowCase.check({"reporter": "India"})
    with pytest.raises(UserError, match=r"data fetch 'South Korea' 'Viet Nam'; or one of"):
        FlowCase.check({"reporter": "South Korea", "partner": "Viet Nam"})
    with pytest.raises(UserError) as error:
        FlowCase.check({"reporter": "Chengdu"})
    assert "fetch" not in str(error.value)


def test_customs_figures_of_the_record_come_before_fetched_ones():
    record.append(rows({2023: 1.0, 1993: 7000.0}, reporter="China", authority="statistics"))
    levels = FlowCase(reporter="China").vintage().pipe(annual_series, "USD")
    assert (
        levels.loc[2023, "figure_id"].startswith("CN-RU-total-2023-")
        and levels.loc[2023, "value_mn"] > 200_000
    )
    assert levels.loc[1993, "figure_id"] == "CN-RU-total-1993-imf-a"  # the record has none


def test_a_country_pair_leans_on_the_trade_of_the_country_with_all():
    record.append(rows({year: 50.0 + year - 2000 for year in range(2000, 2026)}))
    assert outlook.lineage(FlowCase(reporter="India")) == []
    record.append(rows({year: 900.0 * 1.1 ** (year - 2000) for year in range(2000, 2026)}, partner="World"))
    assert [(m.reporter, m.partner) for m in outlook.lineage(FlowCase(reporter="India"))] == [
        ("India", "World")
    ]
    assert outlook.lineage(FlowCase(reporter="India", as_of="2026-11-23")) == []  # not known yet
    assert outlook.lineage(FlowCase(reporter="India", partner="World")) == []
    case = GoalCase(reporter="India", as_of="2026-11-24", base_year=2024, deadline=2030)
    shares = outlook.expect(case, case.series()["value_mn"]).shares
    assert shares["source"].tolist() == ["own figures", "India–World", "reference class"]


def test_a_city_leans_on_its_country_with_all_only_after_those_with_the_partner():
    record.append(rows({2012: 3e6, 2013: 4e6}, reporter="China", partner="World"))
    names = [member.label_beside(FlowCase()) for member in outlook.lineage(FlowCase())]
    assert names == ["Heilongjiang", "China", "China–World"]


def test_what_is_committed_is_read_without_what_was_fetched(monkeypatch):
    record.append(rows({2024: 66.0}))
    assert len(fetched.read("India")) == 1
    monkeypatch.setenv(KEPT_ONLY_ENV, "1")
    assert fetched.read("India").empty and fetched.state("India") == ()


def test_a_reporter_has_one_file_by_its_plain_name(own_data):
    names = {"Côte d'Ivoire": "cote-d-ivoire", "South Korea": "south-korea", "Viet Nam": "viet-nam"}
    for name, plain in names.items():
        assert fetched.path_of(name) == own_data / "fetched" / f"{plain}.parquet"


def test_every_country_has_a_code_and_a_file_of_its_own():
    known = curation.codes()
    assert known["India"] == "IN" and known["Harbin"] == "HRB" and known["World"] == "W"
    assert len(set(known.values())) == len(known)
    assert len({fetched.path_of(name) for name in known}) == len(known)


def test_nothing_is_written_where_nothing_is_new(own_data):
    record.append(rows({2024: 66.0}))
    path = fetched.path_of("India")
    before = path.stat().st_mtime_ns, path.read_bytes()
    record.append(rows({2024: 66.0}, "2026-12-01"))
    assert (path.stat().st_mtime_ns, path.read_bytes()) == before
    assert [item.name for item in (own_data / "fetched").iterdir()] == ["india.parquet"]


def test_an_older_answer_is_read_anew_after_a_newer_one():
    """Its print gets a letter of its own, behind that of the newer one."""
    for snapshot, value in (("a", 1.0), ("b", 2.0), ("a", 1.5)):
        record.append(rows({2024: value}).assign(snapshot=snapshot * 64), reread=True)
    found = fetched.read("India").set_index("figure_id")["value"]
    assert found.to_dict() == {"IN-RU-total-2024-imf-b": 2.0, "IN-RU-total-2024-imf-c": 1.5}


def test_two_names_that_make_one_file_are_refused(monkeypatch):
    record.append(rows({2023: 57.0}))
    monkeypatch.setattr(record, "path_of", lambda reporter: fetched.path_of("India"))
    with pytest.raises(UserError, match=r'india\.parquet: found reporter "India" beside others'):
        record.append(rows({2023: 57.0}, reporter="China"))


def test_a_file_that_is_damaged_or_of_other_columns_is_a_fault():
    record.append(rows({2023: 57.0}))
    path = fetched.path_of("India")
    record.write_parquet(pd.read_parquet(path).drop(columns="snapshot"), path)
    assert "not the columns figure_id" in str(fetched.check()[0])
    path.write_bytes(path.read_bytes()[:200])
    assert "cannot be read as parquet" in str(fetched.check()[0])
    with pytest.raises(UserError, match="cannot be read as parquet"):
        FlowCase.check({"reporter": "India"})


def test_a_flipped_byte_anywhere_is_one_clear_line():
    """Pages carry checksums of their own, the file one of the whole: what stands between pages counts too."""
    record.append(rows({year: 50.0 + year for year in range(1990, 2026)}))
    path = fetched.path_of("India")
    sound = path.read_bytes()
    for place in [*range(0, len(sound), 331), *range(len(sound) - 200, len(sound), 3)]:
        path.write_bytes(sound[:place] + bytes([sound[place] ^ 0x55]) + sound[place + 1 :])
        (fault,) = fetched.check()
        assert len(str(fault).splitlines()) == 1 and "cannot be read as parquet" in str(fault)
    path.write_bytes(sound)
    assert fetched.check() == []


def test_sources_say_what_was_fetched_of_each():
    assert record.sources().empty
    record.append(rows({2023: 57.0, 2024: 66.0}))
    record.append(rows({2024: 1.0}, "2026-12-01", partner="World"))
    row = record.sources().loc["imf"]
    assert (row["pairs"], row["values"], row["updated"]) == (2, 3, "2026-12-01")
    assert (row["first"], row["last"]) == (pd.Timestamp("2023-01-01"), pd.Timestamp("2024-12-31"))


@pytest.mark.parametrize(
    ("start", "end", "code"),
    [
        ("2013-01-01", "2013-12-31", "2013"),
        ("2023-03-01", "2023-03-31", "2023m03"),
        ("2023-01-01", "2023-10-31", "2023m01_m10"),
        ("2024-02-01", "2024-02-29", "2024m02"),
        ("2013-11-26", "2017-06-30", "2013-11-26_2017-06-30"),
        ("2012-06-15", "2012-06-15", "2012-06-15"),
    ],
)
def test_periods_in_keys(start: str, end: str, code: str):
    assert curation.period_code(pd.Timestamp(start), pd.Timestamp(end)) == code


def test_every_key_of_the_record_is_what_the_rule_makes_of_its_row():
    figures = fig.load_figures()
    made = curation.with_ids(figures, pd.Series(dtype="str"), curation.codes())["figure_id"]
    stems, ruled = (keys.str.rpartition("-")[0].tolist() for keys in (figures["figure_id"], made))
    assert stems == ruled


def test_letters_go_on_after_z():
    letters = [curation._letter_of(place) for place in (0, 25, 26, 51, 52, 701, 702)]
    assert letters == ["a", "z", "aa", "az", "ba", "zz", "aaa"]
