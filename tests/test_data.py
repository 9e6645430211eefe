"""The tables in data/: complete, described, consistent with one another and with their sources."""

import csv
import re
import shutil
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pandas as pd
import pytest
from sampling import exhaustive, thorough

from lib import figures as fig
from lib import package
from lib.package import FETCHED, data_dir, read_package
from lib.research import files, panels

DATA = data_dir()
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
RESOURCES = {resource["name"]: resource for resource in read_package()["resources"]}
README = (DATA / "README.md").read_text(encoding="utf-8")
REFERENCE_README = (DATA / "reference" / "README.md").read_text(encoding="utf-8")
COLLECTED = [name for name, resource in RESOURCES.items() if "/" not in resource["path"]]
COMPUTED = [name for name in RESOURCES if name not in COLLECTED]
PARQUET = [name for name in COMPUTED if RESOURCES[name]["format"] == "parquet"]


def text_of(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype="str", keep_default_na=False)


def table(name: str) -> pd.DataFrame:
    return text_of(DATA / f"{name}.csv")


def vocabulary(name: str, column: str) -> list[str]:
    return next(f for f in RESOURCES[name]["schema"]["fields"] if f["name"] == column)["constraints"]["enum"]


def test_no_table_has_a_fault_and_every_checksum_fits():
    assert fig.check_tables() + files.check_checksums() == []


@exhaustive
def test_an_independent_reader_accepts_the_package():
    from frictionless import Package

    report = Package(str(DATA / "datapackage.json")).validate(limit_rows=None if thorough() else 300)
    assert report.valid, report.flatten(["name", "rowNumber", "fieldName", "note"])[:10]


def test_every_file_is_described_and_named_in_the_readme():
    parts = [
        path.relative_to(DATA).parts for path in DATA.rglob("*.*") if path.suffix in (".csv", ".parquet")
    ]
    described = {resource["path"] for resource in RESOURCES.values()}
    assert {"/".join(part) for part in parts if part[0] not in (FETCHED, "snapshots")} == described
    for resource in RESOURCES.values():
        assert resource["sources"]
        assert resource["licenses"]
        assert resource["title"] and resource["description"].endswith(".")
    for name in COLLECTED:
        assert f"`{RESOURCES[name]['path']}`" in README
        for field in RESOURCES[name]["schema"]["fields"]:
            assert f"`{field['name']}`" in README, (name, field["name"])
    for name in COMPUTED:
        assert f"`{RESOURCES[name]['path'].removeprefix('reference/')}`" in REFERENCE_README


@pytest.mark.parametrize("name", COMPUTED)
def test_what_is_computed_from_a_panel_names_its_licence(name):
    titles = " ".join(source["title"] for source in RESOURCES[name]["sources"])
    licences = {licence["name"] for licence in RESOURCES[name]["licenses"]}
    assert "CC-BY-4.0" in licences
    assert ("BACI" in titles) == ("etalab-2.0" in licences)
    assert ("Gaulier" in titles) == ("BACI" in titles)
    assert ("Economic Complexity" in titles) == ("other-open" in licences)


@pytest.mark.parametrize("name", PARQUET)
def test_parquet_files_hold_what_their_description_says(name):
    rows, schema = pd.read_parquet(DATA / RESOURCES[name]["path"]), RESOURCES[name]["schema"]
    assert rows.columns.tolist() == [field["name"] for field in schema["fields"]]
    assert "primaryKey" not in schema or not rows.duplicated(schema["primaryKey"]).any()
    kinds = {"string": "str", "number": "number", "year": "integer", "boolean": "bool"}
    for field in schema["fields"]:
        values, limits = rows[field["name"]], field["constraints"]
        assert rows[[field["name"]]].select_dtypes(kinds[field["type"]]).shape[1] == 1, field["name"]
        assert not limits.get("required") or values.notna().all(), field["name"]
        assert values.dropna().isin(limits.get("enum", values)).all(), field["name"]
        assert "minimum" not in limits or values.dropna().min() >= limits["minimum"], field["name"]
        if field.get("unit") == "fraction":
            assert values.dropna().max() <= 1, field["name"]


def test_a_changed_score_file_is_found_and_renewed_alone(tmp_path, monkeypatch):
    shutil.copytree(DATA, tmp_path / "data")
    monkeypatch.setenv(package.DATA_ENV, str(tmp_path / "data"))
    for path in ("reference/scores/verdicts.parquet", "events.csv"):
        with (tmp_path / "data" / path).open("ab") as file:
            file.write(b"\n")
    assert [Path(fault.file).name for fault in files.check_checksums()] == [
        "events.csv",
        "verdicts.parquet",
    ]
    assert files.refresh_checksums("reference/") == ["verdicts"]
    assert [Path(fault.file).name for fault in files.check_checksums()] == ["events.csv"]


def test_computed_numbers_are_written_so_that_anyone_can_read_them(tmp_path):
    """No exponents, no infinity, small true and false; the values to four digits."""
    table = pd.DataFrame(
        {
            "n": [1, 2],
            "x": [1.23444e10, -1.5e-7],
            "zero": [0.0, -0.0],
            "to": [5e8, np.inf],
            "flag": [True, False],
        }
    )
    panels.save(table, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == (
        "n,x,zero,to,flag\n1,12340000000,0,500000000,true\n2,-0.00000015,0,,false\n"
    )


def test_the_vocabularies_are_the_same_everywhere():
    for name in ("figures", "investments"):
        assert vocabulary(name, "status") == list(fig.STATUS.index)
        assert vocabulary(name, "authority") == list(fig.AUTHORITIES)
    assert vocabulary("figures", "flow") == list(fig.FLOWS)
    for use in fig.STATUS.itertuples():
        cells = [f"`{use.Index}`", use.meaning]
        cells += [
            "yes" if use.level else "last resort" if use.last_resort else "no",
            "yes" if use.growth else "no",
        ]
        assert f"| {' | '.join(cells)} |" in README
    for word, meaning in fig.AUTHORITIES.items():
        assert f"| `{word}` | {meaning} |" in README


@pytest.mark.parametrize("name", [name for name in RESOURCES if name not in PARQUET])
def test_files_are_plain(name):
    content = (DATA / RESOURCES[name]["path"]).read_bytes()
    assert b"\r" not in content
    assert content.endswith(b"\n")
    rows = list(csv.reader(content.decode("utf-8").splitlines()))
    assert all(text == text.strip() for row in rows for text in row)


@pytest.mark.parametrize(("name", "flow"), [("figures", "flow"), ("investments", "measure")])
def test_figures_are_sorted_and_their_ids_say_what_they_are(name, flow):
    rows = table(name)
    order = ["reporter", "partner", flow, "period_start", "period_end", "unit", "published", "publisher"]
    keys = list(zip(*(rows[column] for column in order), strict=True))
    assert keys == sorted(keys)
    code = table("reporters").set_index("name")["code"]
    for row in rows.to_dict("records"):
        parts = code[row["reporter"]], code[row["partner"]], row[flow], period(row)
        assert re.fullmatch("-".join(map(re.escape, parts)) + "-[a-z]", row["figure_id"]), row["figure_id"]


def period(row: dict[str, str]) -> str:
    """Return a period as ids write it: 2013, 2023m03, 2023m01_m10, or full dates."""
    start, end = row["period_start"], row["period_end"]
    if not start:
        return f"to-{end}"
    last = pd.Timestamp(end)
    if start[8:] == "01" and last.is_month_end and start[:4] == end[:4]:
        if (start[5:7], end[5:7]) == ("01", "12"):
            return start[:4]
        return f"{start[:4]}m{start[5:7]}" + ("" if start[5:7] == end[5:7] else f"_m{end[5:7]}")
    return start if start == end else f"{start}_{end}"


def test_parents_are_real_and_flows_that_are_not_trade_of_the_city_have_none():
    rows = table("reporters").set_index("name")
    assert rows.loc["Harbin", "parent"] == "Heilongjiang"
    assert rows.loc["Heilongjiang", "parent"] == "China"
    assert (rows.loc[rows["kind"].isin(["logistics", "event", "firm"]), "parent"] == "").all()
    for name in rows.index:
        chain = [name]
        while parent := rows.loc[chain[-1], "parent"]:
            assert parent not in chain
            chain.append(parent)


def test_goals_repeat_the_register_word_for_word():
    targets = table("targets").set_index("target_id")
    for goal in table("goals").to_dict("records"):
        if not goal["target_id"]:
            continue
        target = targets.loc[goal["target_id"]]
        for mine, theirs in [
            ("reporter", "reporter"),
            ("partner", "partner"),
            ("base_year", "base_year"),
            ("deadline", "target_year"),
            ("announced", "announced"),
            ("announcer", "announcer"),
            ("url", "source_target_url"),
        ]:
            assert goal[mine] == target[theirs], (goal["goal_id"], mine)
        if goal["kind"] == "rate":
            assert (target["measure"], target["target_value"]) == ("growth_pct_per_year", goal["rate_pct"])
        else:
            assert (target["measure"], target["target_value"]) == ("level", goal["level"])
            assert target["target_unit"] == goal["unit"]
        if goal["measure"] in fig.FLOWS:
            assert goal["measure"] == target["flow"]


def test_goals_without_a_register_row_stand_among_the_investments():
    investments = table("investments")
    for goal in table("goals").query("target_id == ''").to_dict("records"):
        same = (investments[["url", "value", "status"]] == [goal["url"], goal["level"], "goal"]).all(axis=1)
        assert same.sum() == 1


def test_the_goal_under_study():
    goal = fig.load_goals_table().set_index("goal_id").loc["HRB-RU-2015-25pct-trade"]
    assert (goal["rate_pct"], goal["base_year"], goal["deadline"], goal["reading"]) == (
        25,
        2012,
        2015,
        "average",
    )


def test_every_goal_of_trade_has_figures_to_be_tested_with():
    figures = fig.load_figures()
    for goal in table("goals").query("measure in @fig.FLOWS").to_dict("records"):
        assert not fig.select(figures, goal["reporter"], goal["partner"], goal["measure"]).empty


def test_a_family_has_one_primary_goal_a_year():
    rows = fig.load_targets()
    assert (rows.loc[rows["primary"], "family"] != "").all()
    assert not rows[rows["primary"]].duplicated(["family", "target_year"]).any()


def test_an_exchange_rate_spans_every_year_of_the_figures_in_yuan():
    figures = fig.load_figures()
    years = set(fig.annual(figures[figures["currency"] == "CNY"])["year"])
    assert years <= set(fig.covariate("cny_per_usd").index)


# --- against the collected sources, where they are at hand ---

needs_sources = pytest.mark.skipif(not SHARED.is_dir(), reason="the collected sources are not at hand")
FLAG = re.compile(r"\[FLAG \w+\] ?")
LOST = re.compile(r"\(address not \w.*\)")
FAMILY = re.compile(r" ?\[family [A-Z-]+(; primary)?\] ?")


def records(frame: pd.DataFrame, columns: list[str]) -> list[tuple[str, ...]]:
    return sorted(zip(*(frame[column] for column in columns), strict=True))


@needs_sources
@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("figures", ["harbin_russia", "heilongjiang_russia", "china_russia", "figures_2"]),
        ("investments", ["investment_russia"]),
    ],
)
def test_every_collected_figure_is_here_as_published(name, files):
    source = pd.concat([text_of(SHARED / f"{file}.csv") for file in files])
    flagged = source[source["note"].str.contains(FLAG)]
    source["note"] = source["note"].str.replace(FLAG, "", regex=True)
    # The remark of the collectors on a lost address is worded anew; status unlinked says the same.
    source["publisher"] = source["publisher"].str.replace(
        r"\(address not \w.*\)", "(address not kept)", regex=True
    )
    columns = source.columns.tolist()
    rows = table(name)
    assert records(rows, columns) == records(source, columns)
    for row in flagged.to_dict("records"):
        flag = re.search(r"\[FLAG (\w+)\]", row["note"])[1]
        wanted = [row["url"], row["value"], FLAG.sub("", row["note"])]
        same = (rows[["url", "value", "note"]] == wanted).all(axis=1)
        assert set(rows.loc[same, "status"]) == {flag.replace("growth_labels_swapped", "growth_swapped")}


@needs_sources
def test_every_collected_target_is_here_in_order():
    source, rows = text_of(SHARED / "trade_targets.csv"), table("targets")
    later = text_of(SHARED / "targets_2.csv")  # families in columns of their own, in the notes of the first
    later["note"] = later["note"].str.rstrip("; ")
    tags = source["note"].str.extract(r"\[family ([A-Z-]+)(; primary)?\]").fillna("")
    assert rows["family"].tolist() == [*tags[0], *later["family"]]
    assert rows["primary"].tolist() == [*("true" if tag else "" for tag in tags[1]), *later["primary"]]
    source["note"] = source["note"].str.replace(FAMILY, "", regex=True)
    wanted = pd.concat([source, later[source.columns]], ignore_index=True)
    for column in ("source_target_url", "source_outcome_url"):  # in the characters of RFC 3986 alone
        wanted[column] = wanted[column].map(lambda url: quote(url, safe="%/:?#[]@!$&'()*+,;=~-._"))
    assert rows[source.columns].equals(wanted)


@needs_sources
def test_events_and_covariates_are_the_collected_ones():
    events, collected = table("events"), text_of(SHARED / "policy_events.csv")
    assert records(events[events["date"] != ""], [*collected]) == records(collected, [*collected])
    source, rows = text_of(SHARED / "covariates_annual.csv"), table("covariates")
    source = source[source["variable"].isin(set(rows["variable"]))]
    assert records(rows, rows.columns.tolist()) == records(source, rows.columns.tolist())
