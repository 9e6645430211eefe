"""The commands `tradegoals reference` and `tradegoals backtest`: on the panels, and on one of one's own."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from lib import package
from lib.reference import prior_for, read_kept
from lib.research import pipeline
from lib.research.classes import PRIOR_COLUMNS
from lib.tools.cli import main
from lib.tools.run import freshness

COMMANDS = ("reference", "backtest")


def panel(flows: int = 40, years: int = 12, spread: float = 0.2) -> pd.DataFrame:
    """Flows that walk at random from 100 mn dollars in 2000."""
    steps = np.random.default_rng(1).normal(0.05, spread, (flows, years))
    value = 1e8 * np.exp(np.cumsum(steps, axis=1))
    names = np.repeat([f"country {k}" for k in range(flows)], years)
    year = np.tile(np.arange(2000, 2000 + years), flows)
    return pd.DataFrame(
        {"reporter": names, "partner": "x", "flow": "export", "year": year, "value_usd": value.ravel()}
    )


GOOD = panel()


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def refused(*arguments: object) -> str:
    """The message of a command that must end as a user's mistake."""
    result = invoke(*arguments)
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    return result.output


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    GOOD.to_parquet(tmp_path / "mine.parquet")
    return tmp_path / "mine.parquet"


# --- a panel of one's own ---


def test_priors_of_ones_own_panel_can_be_used(mine: Path, tmp_path: Path) -> None:
    result = invoke("reference", "--panel", mine, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "wrote" in result.output and "priors_mine.csv" in result.output
    table = pd.read_csv(tmp_path / "out" / "priors_mine.csv")
    assert table["origin"].unique().tolist() == list(range(2004, 2012))
    assert table[list(PRIOR_COLUMNS)].notna().all(axis=None)
    prior = prior_for(1.5e8, 2011, table=table)
    assert prior.drift == pytest.approx(0.05, abs=0.03)
    assert prior.variance == pytest.approx(0.04, rel=0.3)


def test_the_backtest_on_ones_own_panel_leaves_scores_of_all_models(mine: Path, tmp_path: Path) -> None:
    result = invoke("backtest", "--panel", mine, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    folder = tmp_path / "out" / "scores_mine"
    assert {path.name for path in folder.iterdir()} == {
        "events.parquet",
        "intervals.parquet",
        "past_errors.csv",
    }
    events = pd.read_parquet(folder / "events.parquet")
    assert {"eb", "eb_past_errors", "base_rate", "log_walk", "drift"} == set(events["model"])
    assert events[["p", "rate", "brier"]].notna().all(axis=None)
    assert events["p"].between(0, 1).all() and (events["origin"] + events["horizon"] <= 2011).all()
    # A random walk is what the model assumes: intervals cover about what they promise.
    rows = pd.read_parquet(folder / "intervals.parquet").query("model == 'eb' and horizon == 1")
    assert np.average(rows["cover80"], weights=rows["n"]) == pytest.approx(0.8, abs=0.1)


@pytest.mark.parametrize("years", [7, 8, 9])
def test_a_short_panel_is_scored_at_the_horizons_that_it_has(tmp_path: Path, years: int) -> None:
    path = tmp_path / "short.parquet"
    panel(years=years).to_parquet(path)
    assert invoke("backtest", "--panel", path, "--out", tmp_path).exit_code == 0
    events = pd.read_parquet(tmp_path / "scores_short" / "events.parquet")
    assert sorted(events["horizon"].unique()) == list(range(1, years - 5))


def first(column: str, value: object, dtype: str | None = None) -> pd.DataFrame:
    """The good panel with one field replaced."""
    rows = GOOD.astype({column: dtype}) if dtype else GOOD.copy()
    rows.loc[0, column] = value
    return rows


BAD = {
    "no rows": (GOOD.head(0), "found no rows"),
    "no flow": (GOOD.drop(columns="flow"), "expected also flow"),
    "year as text": (GOOD.astype({"year": "str"}), "year: found str, expected numbers"),
    "value as text": (GOOD.astype({"value_usd": "str"}), "value_usd: found str, expected numbers"),
    "truth values": (GOOD.assign(value_usd=True), "value_usd: found bool, expected numbers"),
    "zero": (first("value_usd", 0.0), "not positive in 1 rows (first: reporter country 0"),
    "negative": (first("value_usd", -1.0), "not positive in 1 rows"),
    "infinite": (first("value_usd", np.inf), "not positive in 1 rows"),
    "missing": (first("value_usd", np.nan), "not positive in 1 rows"),
    "missing, nullable": (first("value_usd", pd.NA, "Float64"), "not positive in 1 rows"),
    "no name": (first("reporter", None), "a missing name in 1 rows"),
    "half a year": (first("year", 2000.5, "float64"), "a year that is not whole"),
    "missing year": (first("year", pd.NA, "Int64"), "a year that is not whole"),
    "a day as year": (GOOD.assign(year=GOOD["year"] * 10_000 + 101), "a year that is not whole"),
    "twice": (pd.concat([GOOD, GOOD.head(1)]), "several rows for one flow and year in 2 rows"),
    "gap": (GOOD[GOOD["year"] != 2005], "no row at all for 2005"),
    "currencies": (
        GOOD.assign(currency=["EUR"] + ["USD"] * (len(GOOD) - 1)),
        "a currency other than USD in 1",
    ),
    "constant": (GOOD.assign(value_usd=1e8), "fewer than 30 series with 4 growth rates that vary"),
    "all alike": (GOOD.assign(value_usd=1e8 * 1.1 ** (GOOD["year"] - 2000)), "growth rates that vary"),
    "few": (panel(flows=5), "fewer than 30 series"),
    "years": (panel(years=4), "found 4 years"),
}


@pytest.mark.parametrize("fault", BAD)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_bad_panel_is_refused_with_the_reason(command: str, fault: str, tmp_path: Path) -> None:
    rows, words = BAD[fault]
    rows.to_parquet(tmp_path / "mine.parquet")
    message = refused(command, "--panel", tmp_path / "mine.parquet", "--out", tmp_path / "out")
    assert words in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_no_panel_is_refused(command: str, mine: Path, tmp_path: Path) -> None:
    GOOD.to_csv(tmp_path / "mine.csv")
    (tmp_path / "folder").mkdir()
    assert "none.parquet: cannot be read as parquet: there is no" in refused(
        command, "--panel", tmp_path / "none.parquet"
    )
    assert "mine.csv: cannot be read as parquet" in refused(command, "--panel", tmp_path / "mine.csv")
    assert "folder: " in refused(command, "--panel", tmp_path / "folder")
    assert "mine.csv" in refused(command, "--panel", mine, "--out", tmp_path / "mine.csv")


def test_flows_that_share_all_their_growth_have_no_nan(tmp_path: Path) -> None:
    """The same random years for all flows: nothing differs between them, and every number is still defined."""
    steps = np.random.default_rng(2).normal(0.05, 0.2, 12)
    GOOD.assign(value_usd=1e8 * np.tile(np.exp(np.cumsum(steps)), 40)).to_parquet(tmp_path / "same.parquet")
    assert invoke("reference", "--panel", tmp_path / "same.parquet", "--out", tmp_path).exit_code == 0
    assert pd.read_csv(tmp_path / "priors_same.csv")[list(PRIOR_COLUMNS)].notna().all(axis=None)


# --- the panels of the collection ---


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["nowhere", "a_file"])
def test_a_folder_without_the_panels_names_what_is_missing(command: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "a_file").write_text("")
    message = refused(command, "--panels", tmp_path / name)
    assert "baci_pairs_2000_2020.parquet: not found in" in message


@pytest.fixture
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the data, whose reference class the commands may write."""
    shutil.copytree(package.data_dir(), tmp_path / "data")
    monkeypatch.setenv(package.DATA_ENV, str(tmp_path / "data"))
    read_kept.cache_clear()
    yield tmp_path / "data"
    read_kept.cache_clear()


def step(name: str, file: str, calls: list[str], data: tuple[str, ...] = ()) -> pipeline.Step:
    def run(folder: Path, progress: pipeline.Progress) -> pipeline.Tables:
        calls.append(name)
        return {file: pd.read_csv(package.data_dir() / "reference" / file).head(5)}

    return pipeline.Step(name, (file,), ("mine.parquet",), ("panels",), run, data)


@pytest.fixture
def calls(own_data: Path, mine: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two small steps in the place of the long ones; the names of those that ran."""
    ran: list[str] = []
    steps = (step("base_rates", "base_rates.csv", ran), step("register", "priors.csv", ran, ("targets.csv",)))
    monkeypatch.setattr(pipeline, "STEPS", steps)
    monkeypatch.setattr(pipeline, "REFERENCE", ("base_rates",))
    monkeypatch.setattr(pipeline, "SCORES", ("register",))
    return ran


def test_steps_that_are_up_to_date_are_skipped(calls: list[str], tmp_path: Path) -> None:
    assert "computed: base_rates" in invoke("reference", "--panels", tmp_path).output
    assert "everything is up to date" in invoke("reference", "--panels", tmp_path).output
    assert "computed: register" in invoke("backtest", "--panels", tmp_path).output
    assert "everything is up to date" in invoke("backtest", "--panels", tmp_path).output
    assert calls == ["base_rates", "register"]
    assert "computed: register" in invoke("backtest", "--panels", tmp_path, "--fresh").output
    panel(flows=41).to_parquet(tmp_path / "mine.parquet")
    assert "computed: base_rates" in invoke("reference", "--panels", tmp_path).output


def test_a_changed_register_or_a_lost_file_is_computed_again(calls: list[str], own_data: Path) -> None:
    folder = own_data.parent
    invoke("reference", "--panels", folder)
    invoke("backtest", "--panels", folder)
    with (own_data / "targets.csv").open("a") as file:
        file.write("\n")
    assert "up to date" in invoke("reference", "--panels", folder).output
    assert "computed: register" in invoke("backtest", "--panels", folder).output
    (own_data / "reference" / "priors.csv").rename(folder / "priors.csv")
    one = pipeline.STEPS[1]
    assert not pipeline._is_built(one, own_data / "reference", pipeline._key(one, folder))


def test_building_renews_its_checksums_and_no_others(calls: list[str], own_data: Path) -> None:
    with (own_data / "events.csv").open("a") as file:
        file.write("\n")
    invoke("reference", "--panels", own_data.parent)
    assert [Path(fault.file).name for fault in package.check_checksums()] == ["events.csv"]


def test_a_damaged_note_of_what_was_built_is_a_mistake(calls: list[str], own_data: Path) -> None:
    (own_data / "reference" / pipeline.MANIFEST).write_text("{")
    assert "built.json: found no valid JSON" in refused("reference", "--panels", own_data.parent)


# --- what the steps depend on ---

PLUMBING = {"checks", "errors", "faults", "files", "goals", "package", "tables", "words", "growth"}
"""Modules that read, write and refuse; no result follows from them (growth: one division, tested)."""
MODULE = {
    "priors": "lib.reference",
    "distributions": "lib.research.base_rates",
    "base_rates": "lib.research.base_rates",
    "parents": "lib.outlook",
    "fuel": "lib.research.studies",
    "policies": "lib.research.studies",
    "placebos": "lib.research.studies",
    "trade": "lib.research.trade_scores",
    "competitors": "lib.research.rival_scores",
    "verdicts": "lib.research.trade_scores",
    "nowcasts": "lib.research.nowcasts",
}


@pytest.mark.parametrize("one", pipeline.STEPS, ids=lambda one: one.name)
def test_a_step_is_computed_again_when_any_module_that_it_uses_changes(one: pipeline.Step) -> None:
    used = freshness.imported_modules(
        f"import lib.research.panels, {MODULE.get(one.name, f'lib.backtests.{one.name}')}"
    )
    used -= PLUMBING | {name for name in used if name.endswith("__init__")}
    if one.name == "priors":
        used -= {"forecast", "lognormal"}  # the kind of its result alone
    assert used <= set(one.modules)


def test_every_file_that_is_kept_is_a_step_s() -> None:
    files = [file for one in pipeline.STEPS for file in one.files]
    assert len(files) == len(set(files))
    described = {r["path"] for r in package.read_package()["resources"] if r["path"].startswith("reference/")}
    assert {f"reference/{file}" for file in files} == described


def test_the_committed_results_were_computed_by_the_committed_code() -> None:
    """Without the panels their part of the fingerprint cannot be told; that every step is noted can."""
    assert pipeline._manifest(package.data_dir() / "reference").keys() == {one.name for one in pipeline.STEPS}
