"""The commands `tradegoals reference` and `tradegoals backtest`: on the panels, and on one of one's own."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from sampling import exhaustive, some

from lib import package
from lib.figures import load_targets
from lib.reference import prior_for, read_kept
from lib.research import files, meaning, pipeline
from lib.research.classes import PRIOR_COLUMNS
from lib.research.panels import BACI, KNOWN, OEC, WDI, Progress, Tables, check, read_panel
from lib.tools.cli import main
from lib.tools.commands.author import PANELS_ENV

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
    assert prior.source.startswith("mine, years to 2011")


def test_the_backtest_on_ones_own_panel_leaves_scores_of_all_models(mine: Path, tmp_path: Path) -> None:
    result = invoke("backtest", "--panel", mine, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    folder = tmp_path / "out" / "scores_mine"
    assert {path.name for path in folder.iterdir()} == {
        "events.parquet",
        "intervals.parquet",
    }
    events = pd.read_parquet(folder / "events.parquet")
    assert {"law", "base_rate", "log_walk", "drift", "half"} == set(events["model"])
    assert events[["p", "rate", "brier"]].notna().all(axis=None)
    assert events["p"].between(0, 1).all() and (events["origin"] + events["horizon"] <= 2011).all()
    # A random walk is what the model assumes: intervals cover about what they promise.
    rows = pd.read_parquet(folder / "intervals.parquet").query("model == 'law' and horizon == 1")
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
    assert "none.parquet: not found in" in refused(command, "--panel", tmp_path / "none.parquet")
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


@pytest.mark.parametrize("name", ["nowhere", "a_file"])
def test_a_folder_without_the_panels_names_what_is_missing(name: str, tmp_path: Path) -> None:
    (tmp_path / "a_file").write_text("")
    message = refused("reference", "--panels", tmp_path / name, "--fresh")
    assert "baci_pairs_2000_2020.parquet: not found in" in message


def test_the_folder_of_the_panels_is_an_option_or_a_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(PANELS_ENV, raising=False)
    assert "found no folder, expected --panels FOLDER or the variable TRADEGOALS_PANELS" in refused(
        "reference"
    )
    monkeypatch.setenv(PANELS_ENV, str(tmp_path))
    assert f"baci_pairs_2000_2020.parquet: not found in {tmp_path}" in refused("reference", "--check")


def test_a_backtest_needs_a_panel_and_a_step_a_name(tmp_path: Path) -> None:
    assert "expected --panel FILE" in refused("backtest")
    assert "step: found tarde, expected some of priors" in refused("reference", "tarde", "--panels", tmp_path)


def test_the_panels_are_those_that_were_used(panel_folder: Path) -> None:
    assert check(panel_folder) == []


def test_panels_that_are_not_those_that_were_used_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel().to_parquet(tmp_path / BACI.file)
    GOOD.drop(columns="flow").to_parquet(tmp_path / WDI.file)
    total = round(GOOD["value_usd"].sum() / 1e9, 1)
    monkeypatch.setitem(KNOWN, BACI.file, (480, 40, (2000, 2012), total))
    faults = "\n".join(check(tmp_path))
    assert f"{BACI.file}: years: found (2000, 2011), expected (2000, 2012)" in faults
    assert f"{BACI.file}: usd_bn" not in faults and f"{BACI.file}: rows" not in faults
    assert "expected also flow" in faults and f"{OEC.file}: not found in" in faults


@pytest.fixture
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the data, whose reference class the commands may write, as if nothing had been computed."""
    shutil.copytree(package.data_dir(), tmp_path / "data")
    (tmp_path / "data" / "reference" / pipeline.BUILT).unlink()
    monkeypatch.setenv(package.DATA_ENV, str(tmp_path / "data"))
    monkeypatch.setenv(PANELS_ENV, str(tmp_path))
    return tmp_path / "data"


@pytest.fixture
def calls(own_data: Path, mine: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two small steps in the place of the long ones; the names of those that ran."""
    ran: list[str] = []

    def from_a_panel(folder: Path, progress: Progress) -> Tables:
        ran.append("panel")
        read_panel(folder / "mine.parquet")
        return {"base_rates.csv": read_kept("base_rates.csv").head(5)}

    def from_the_register(folder: Path, progress: Progress) -> Tables:
        ran.append("register")
        load_targets()
        return {"register_scores.csv": read_kept("priors.csv").head(5)}

    monkeypatch.setattr(pipeline, "STEPS", {"panel": from_a_panel, "register": from_the_register})
    return ran


def said(*arguments: object) -> str:
    result = invoke("reference", *arguments)
    assert result.exit_code == 0, result.output
    return result.output


UP_TO_DATE = "everything is up to date"


def test_a_step_runs_again_when_a_file_that_it_opened_has_changed(
    calls: list[str], own_data: Path, tmp_path: Path
) -> None:
    assert "computed panel (never run here)" in said("panel")
    assert "computed register (never run here)" in said()
    # It opened what it wrote: base_rates.csv is shorter now, and then stays.
    said(), calls.clear()
    assert UP_TO_DATE in said() and calls == []
    panel(flows=41).to_parquet(tmp_path / "mine.parquet")
    assert said() == "computed panel (panels/mine.parquet changed)\n"
    targets = own_data / "targets.csv"
    targets.write_bytes(b"".join(targets.read_bytes().splitlines(keepends=True)[:-1]))
    assert said() == "computed register (data/targets.csv changed)\n"
    with (own_data / "reference" / "priors.csv").open("a") as file:
        file.write("\n")
    assert said() == "computed register (data/reference/priors.csv changed)\n"
    with (own_data / "events.csv").open("a") as file:
        file.write("\n")
    assert UP_TO_DATE in said()
    assert "computed panel (asked for)" in said("panel", "--fresh")
    assert calls == ["panel", "register", "register", "panel"]


def test_a_lost_result_is_computed_again(calls: list[str], own_data: Path) -> None:
    said()
    (own_data / "reference" / "register_scores.csv").unlink()
    assert "computed register (register_scores.csv is missing)" in said("register")


def test_building_renews_its_checksums_and_no_others(calls: list[str], own_data: Path) -> None:
    with (own_data / "events.csv").open("a") as file:
        file.write("\n")
    said()
    assert [Path(fault.file).name for fault in files.check_checksums()] == ["events.csv"]


def test_a_damaged_note_of_what_was_built_is_a_mistake(calls: list[str], own_data: Path) -> None:
    (own_data / "reference" / pipeline.BUILT).write_text("{")
    assert "built.json: found no valid JSON" in refused("reference")


# --- the code that a step rests on ---


IMPORTS = """
import importlib, os, sys
import pandas, scipy.stats  # what takes long, and is none of ours: once for all
for name in sys.argv[1:]:
    if not (child := os.fork()):
        importlib.import_module(name)
        print(name, *(one for one in sys.modules if one.startswith("lib.")), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


STEPS = some(pipeline.STEPS, 5)


@pytest.fixture(scope="module")
def loaded() -> dict[str, set[str]]:
    """The modules of `lib` that Python loads for the module of each step, in an interpreter of its own."""
    modules = {pipeline.STEPS[name].__module__ for name in STEPS}
    command = [sys.executable, "-W", "ignore", "-c", IMPORTS, *modules]
    lines = subprocess.run(command, capture_output=True, text=True, check=True, timeout=900).stdout
    return {module: set(all_loaded) for module, *all_loaded in map(str.split, lines.splitlines())}


@exhaustive
@pytest.mark.parametrize("name", STEPS)
def test_what_a_step_imports_is_what_python_loads_for_it(name: str, loaded: dict[str, set[str]]) -> None:
    """In a fresh interpreter; a package's own file aside, and what a function imports when it is called."""
    module = pipeline.STEPS[name].__module__
    found = {f"lib.{one.replace('/', '.')}" for one in meaning.imported_modules(f"import {module}")}
    packages = {one.rpartition(".")[0] for one in found}  # their own files hold nothing but words
    assert loaded[module] <= found | packages | {one.removesuffix(".__init__") for one in found}
    assert not any(one.startswith("lib.tools") for one in found)


@pytest.fixture
def own_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of `lib` whose text may be changed."""
    shutil.copytree(meaning.LIB, tmp_path / "lib", ignore=shutil.ignore_patterns("__pycache__", "tools"))
    monkeypatch.setattr(meaning, "LIB", tmp_path / "lib")
    return tmp_path / "lib"


def edited(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def codes() -> dict[str, str]:
    return {name: pipeline._code_of(step) for name, step in pipeline.STEPS.items()}


@pytest.fixture(scope="module")
def before() -> dict[str, str]:
    """The codes of `lib` as it is."""
    return codes()


@pytest.mark.parametrize(
    ("module", "old", "new", "some", "others"),
    [
        ("research/panels", "KEY = (", "KEY = OTHER = (", set(pipeline.STEPS), set()),
        ("research/studies", "DRAWS = 1000", "DRAWS = 2000", {"placebos"}, {"priors", "trade", "register"}),
        (
            "research/rivals",
            "import numpy",
            "import math\nimport numpy",
            {"competitors"},
            {"trade", "priors"},
        ),
        (
            "analysis/register",
            "0.5) / (len(met)",
            "0.6) / (len(met)",
            {"register", "register_model"},
            {"trade"},
        ),
        (
            "evidence",
            "import numpy",
            "import math\nimport numpy",
            {"nowcasts"},
            {"trade", "register"},
        ),
    ],
)
def test_a_step_is_computed_again_when_a_module_that_it_uses_changes(
    own_code: Path, before: dict[str, str], module: str, old: str, new: str, some: set[str], others: set[str]
) -> None:
    edited(own_code / f"{module}.py", old, new)
    changed = {name for name, code in codes().items() if code != before[name]}
    assert some <= changed and not others & changed


def test_a_step_is_not_computed_again_for_a_docstring_a_comment_or_an_annotation(
    own_code: Path, before: dict[str, str]
) -> None:
    panels_file = own_code / "research" / "panels.py"
    edited(
        panels_file, '"""Read one of the yearly panels', '# A remark.\n    """Take one of the yearly panels'
    )
    edited(panels_file, "def load_monthly(folder: str | Path) -> Months:", "def load_monthly(folder):")
    assert codes() == before


@given(
    st.sampled_from(["x = 1", "def f(a: int = 2) -> str:\n    return a", "class A:\n    b: int = 0"]),
    st.text(),
)
def test_words_change_no_meaning(code: str, words: str) -> None:
    assert meaning.meaning(f"{words!r}\n{code}") == meaning.meaning(code)
    assert meaning.meaning(f"{code}\ny = {words!r}") != meaning.meaning(code)


def test_what_a_field_is_counts_and_what_a_variable_is_does_not() -> None:
    assert meaning.meaning("class A:\n    b: int = 0") != meaning.meaning("class A:\n    b: float = 0")
    one, other = "def f(a: int) -> str:\n    b: int = a\n    return b", "def f(a):\n    b = a\n    return b"
    assert meaning.meaning(one) == meaning.meaning(other)


def test_every_file_that_is_kept_is_a_step_s() -> None:
    built = pipeline._built(package.data_dir() / "reference")
    assert built.keys() == pipeline.STEPS.keys()
    files = [file for one in built.values() for file in one["made"]]
    assert len(files) == len(set(files))
    described = {r["path"] for r in package.read_package()["resources"] if r["path"].startswith("reference/")}
    assert {f"reference/{file}" for file in files} == described


def test_data_beside_a_module_decide_as_its_code_does(own_code: Path, before: dict[str, str]) -> None:
    edited(own_code / "phrases.toml", "letters", "letters_of")
    assert all(code != before[name] for name, code in codes().items() if name == "register")


def test_every_file_of_data_in_the_shared_rooms_is_known_to_decide() -> None:
    named = {name for names in meaning.DATA_BESIDE.values() for name in names}
    rooms = [path for path in meaning.LIB.rglob("*") if "tools" not in path.relative_to(meaning.LIB).parts]
    assert {
        path.name for path in rooms if path.is_file() and path.suffix not in (".py", ".pyc", ".md")
    } == named
