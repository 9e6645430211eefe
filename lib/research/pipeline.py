"""Everything in ``data/reference``, computed from the panels by one function.

Each step writes its files atomically and notes what it was computed from; a step whose panels and source code
have not changed is skipped, so a stopped run goes on where it was.

The reference class and the backtest on a panel of the user's own.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lib import package, reference
from lib.errors import UserError
from lib.files import make_folder, working_file, write_atomically
from lib.reference import BACI, OEC, WDI
from lib.research import base_rates, classes, panels, parts
from lib.research.panels import IMF, UK

LIB = Path(__file__).resolve().parents[1]

HS2 = "russia_partner_hs2_2000_2020.parquet"

MANIFEST = "built.json"

OLD_DISTRIBUTIONS = range(1970, 2001, 5)

Progress = Callable[[Iterable], Iterable]

Tables = dict[str, pd.DataFrame]


class Step(NamedTuple):
    """A step: the files it writes, the panels it reads, the modules whose source it depends on.

    `data` are files of the data folder that it reads.
    """

    name: str
    files: tuple[str, ...]
    panels: tuple[str, ...]
    modules: tuple[str, ...]
    run: Callable[[Path, Progress], Tables]
    data: tuple[str, ...] = ()


def build(
    folder: str | Path,
    out: str | Path | None = None,
    only: Iterable[str] | None = None,
    fresh: bool = False,
    progress: bool = True,
) -> list[str]:
    """Compute what is kept about the reference class, the backtest and the register.

    Parameters
    ----------
    folder : where the panels are.
    out : where the results go; ``data/reference`` by default.
    only : names of `STEPS` to run; all by default.
    fresh : whether to run steps again whose panels and code have not changed.
    progress : whether to show progress bars.

    Returns
    -------
    Names of the steps that were run.
    """
    folder, out = Path(folder), Path(out) if out is not None else reference.reference_folder()
    chosen = set(only) if only is not None else {step.name for step in STEPS}
    if unknown := chosen - {step.name for step in STEPS}:
        known = ", ".join(step.name for step in STEPS)
        raise UserError(f"step: found {', '.join(sorted(unknown))}, expected some of {known}")
    make_folder(out / "scores")
    ran = []
    for step in STEPS:
        key = _key(step, folder)
        if step.name not in chosen or (not fresh and _is_built(step, out, key)):
            continue
        for name, table in step.run(folder, bar(step.name) if progress else iter).items():
            write(table, out / name)
        _note(out, step.name, key)
        reference.read_kept.cache_clear()
        if out == reference.reference_folder():
            package.refresh_checksums("reference/")
        ran.append(step.name)
    return ran


def write(table: pd.DataFrame, path: Path) -> None:
    """Write a CSV with four significant digits, or a parquet: the same numbers give the same file."""
    if path.suffix == ".csv":
        text = _plain(table).to_csv(index=False, float_format=_four_digits, lineterminator="\n")
        write_atomically(path, text)
        return
    try:
        with working_file(path) as draft:
            table.to_parquet(draft, compression="zstd", index=False)
            draft.replace(path)
    except OSError as error:
        raise UserError(f"{path.name}: cannot be written in {path.parent}: {error.strerror}") from None


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    """Blank where there is no limit, true and false in small letters: what `lib.tables` reads."""
    flags = {name: table[name].map({True: "true", False: "false"}) for name in table.select_dtypes("bool")}
    return table.assign(**flags).replace([np.inf, -np.inf], np.nan)


def _four_digits(value: float) -> str:
    return np.format_float_positional(float(f"{value:.4g}") + 0.0, trim="-")  # + 0.0: no "-0"


def bar(name: str) -> Progress:
    """A progress bar where there is one to be had."""
    try:
        from tqdm import tqdm
    except ImportError:  # a plain installation has no progress bar
        return iter
    return lambda items: tqdm(items, desc=name, unit="part")


def _key(step: Step, folder: Path) -> str:
    """Fingerprint of what a step is computed from."""
    digest = hashlib.sha256()
    for name in step.panels:
        path = folder / name
        if not path.exists():
            raise UserError(f"{name}: not found in {folder}; expected the panel there")
        digest.update(path.read_bytes())
    for name in step.data:
        digest.update((package.data_dir() / name).read_bytes())
    for module in sorted(step.modules):
        digest.update((LIB / f"{module}.py").read_bytes())
    return digest.hexdigest()[:16]


def _is_built(step: Step, out: Path, key: str) -> bool:
    return _manifest(out).get(step.name) == key and all((out / name).exists() for name in step.files)


def _manifest(out: Path) -> dict[str, str]:
    path = out / MANIFEST
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except ValueError:
        raise UserError(
            f"{path.name}: found no valid JSON, expected what `lib.research.pipeline` wrote; delete it to compute all again"
        ) from None


def _note(out: Path, name: str, key: str) -> None:
    noted = _manifest(out) | {name: key}
    write_atomically(out / MANIFEST, json.dumps(noted, indent=1, sort_keys=True) + "\n")


def _priors(folder: Path, progress: Progress) -> Tables:
    spans = [(BACI, 2004, 2020), (OEC, 1966, 2003), (WDI, 1981, 2024)]
    tables = [
        classes.estimate_all(panel, panels.load(panel, folder), first, last)
        for panel, first, last in progress(spans)
    ]
    return {"priors.csv": pd.concat(tables)}


def _distributions(folder: Path, progress: Progress) -> Tables:
    baci, oec = panels.load(BACI, folder), panels.load(OEC, folder)
    jobs = [(BACI.name, baci, o, True) for o in range(2002, 2021)]
    jobs += [(OEC.name, oec, o, False) for o in OLD_DISTRIBUTIONS]
    tables = [
        base_rates.distributions(levels, origin, zero).assign(panel=name, origin=origin)
        for name, levels, origin, zero in progress(jobs)
    ]
    table = pd.concat(tables)
    table = table[table["size_class"] > 0]  # below 1 mn USD growth is mostly reporting, and few set goals
    first = ["panel", "origin"]
    return {"growth_distributions.csv": table[first + [c for c in table if c not in first]]}


def _base_rates(folder: Path, progress: Progress) -> Tables:
    directed = panels.read_panel(folder / BACI.file)
    flows = {
        "BACI directed": panels.to_levels(directed),
        "BACI two-way total": panels.to_levels(base_rates.two_way(directed)),
    }
    sizes = list(zip(reference.SIZES[2:-1], reference.SIZES[3:], strict=True))
    eras = {"BACI directed": [(2001, 2020)], "BACI two-way total": [(2001, 2020), (2001, 2008), (2010, 2020)]}
    rows = []
    for label, low, high, years, jump in progress(
        [
            (name, *size, era, jump)
            for name in flows
            for size in [*sizes, (1e8, float("inf"))]
            for era in eras[name]
            for jump in (None, 0.5)
        ]
    ):
        shares = base_rates.outcome_shares(flows[label], low, high, "t-1", years, jump, absent_is_zero=True)
        rows.append(
            shares.assign(
                panel=label,
                years=f"{years[0]}-{years[1]}",
                size_from_usd=low,
                size_to_usd=high,
                condition="all" if jump is None else "grew >= 50 % in year t",
            )
        )
    table = pd.concat(rows)
    first = ["panel", "years", "size_from_usd", "size_to_usd", "condition"]
    return {"base_rates.csv": table[first + [c for c in table if c not in first]]}


def _parents(folder: Path, progress: Progress) -> Tables:
    tables = []
    for analogue, file, by in progress(
        [
            ("country pair in reporter's total", BACI.file, ["reporter", "flow"]),
            ("HS chapter in Russia's trade with a partner", HS2, ["partner", "flow"]),
        ]
    ):
        sub, total, parent_of = _parts_and_wholes(panels.read_panel(folder / file), by)
        found = parts.estimate_weight(sub, total, parent_of, range(2005, 2019))
        tables.append(found.assign(analogue=analogue))
    table = pd.concat(tables)
    return {"parent_weights.csv": table[["analogue", *[c for c in table if c != "analogue"]]]}


def _part_spreads(folder: Path, progress: Progress) -> Tables:
    from lib.evidence import ANALOGUES
    from lib.research.parts import estimate_spread

    jobs = [(BACI.file, ["reporter", "flow"]), (BACI.file, ["partner", "flow"]), (HS2, ["partner", "flow"])]
    tables = []
    for analogue, (file, by) in progress(list(zip(ANALOGUES, jobs, strict=True))):
        sub, whole, whole_of = _parts_and_wholes(panels.read_panel(folder / file), by)
        found = estimate_spread(sub, whole, whole_of, range(2008, 2021))
        tables.append(found.assign(analogue=analogue))
    table = pd.concat(tables)
    return {"part_spreads.csv": table[["analogue", *[c for c in table if c != "analogue"]]]}


def _parts_and_wholes(
    panel: pd.DataFrame, by: list[str]
) -> tuple[panels.Levels, panels.Levels, NDArray[np.intp]]:
    """Sub-flows, their totals by some names, and the row of each sub-flow's total."""
    sub, total = panels.to_levels(panel), panels.to_levels(_totals(panel, by))
    row_of = pd.Series(range(len(total.keys)), index=pd.MultiIndex.from_frame(total.keys[by]))
    return sub, total, row_of[pd.MultiIndex.from_frame(sub.keys[by])].to_numpy()


def _totals(panel: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    rows = panel.assign(**{c: panel[c].astype(str) for c in ("reporter", "partner", "flow")})
    totals = rows.groupby([*by, "year"], as_index=False)["value_usd"].sum()
    return totals.assign(**{c: "all" for c in ("reporter", "partner", "flow") if c not in by})


def _trade(folder: Path, progress: Progress) -> Tables:
    from lib.research import trade_scores as trade

    found = trade.score_trade(folder, progress)
    shapes = found.shapes[found.shapes["size_class"] > 0]
    tables = {
        "past_errors.csv": shapes.round({name: 3 for name in shapes if name.startswith("z")}),
        "scores/trade_examples.parquet": found.examples,
    }
    for name in ("events", "intervals"):
        scores = getattr(found, name)
        tables[f"scores/trade_{name}.parquet"] = trade.by_origin(scores)
        by_size = trade.by_size(scores[scores["horizon"].isin([1, 3, 5, 10])])
        tables[f"scores/trade_{name}_by_size.parquet"] = by_size[[c for c in by_size if c[:3] != "pit"]]
    return tables


def _contests(folder: Path, progress: Progress) -> Tables:
    from lib.research import contests

    pairs = [contests.score_contest(name) for name in progress(contests.NAMES)]
    events, intervals = (pd.concat(part) for part in zip(*pairs, strict=True))
    return {"scores/contest_events.parquet": events, "scores/contest_intervals.parquet": intervals}


def _competitors(folder: Path, progress: Progress) -> Tables:
    from lib.research.rival_scores import score_competitors

    return {"scores/competitors.parquet": _small(score_competitors(folder, progress=progress))}


def _verdicts(folder: Path, progress: Progress) -> Tables:
    from lib.research.trade_scores import score_verdicts

    return {"scores/verdicts.parquet": _small(score_verdicts(folder, progress))}


def _fuel(folder: Path, progress: Progress) -> Tables:
    from lib.research import studies

    return studies.fuel_study(folder)


def _policies(folder: Path, progress: Progress) -> Tables:
    from lib.research import studies

    return studies.policy_study(folder, progress)


def _placebos(folder: Path, progress: Progress) -> Tables:
    from lib.research import studies

    return studies.placebo_study(folder, progress)


def _small(scores: pd.DataFrame) -> pd.DataFrame:
    """Scores in single precision: seven digits are more than years of one shock each can support."""
    return scores.astype(
        dict.fromkeys(scores.columns.intersection(["rate", "p", "brier", "fallback"]), "float32")
    )


def _register(folder: Path, progress: Progress) -> Tables:
    from lib.analysis import register
    from lib.figures import load_targets

    scores = register.score_register(load_targets())
    return {"register_scores.csv": scores, "register_summary.csv": register.summarise(scores)}


def _nowcasts(folder: Path, progress: Progress) -> Tables:
    from lib.research import nowcasts, panels

    priors, errors, by_size = nowcasts.score_nowcasts(panels.load_monthly(folder), progress)
    return {
        "nowcast_priors.csv": priors,
        "nowcast_errors.csv": errors,
        "nowcast_errors_by_size.csv": by_size,
    }


def _register_model(folder: Path, progress: Progress) -> Tables:
    from lib.analysis import register, register_model
    from lib.figures import load_targets

    targets = load_targets()
    rows = register_model.features(register.score_register(targets), targets)
    return {
        "register_model.csv": register_model.score(rows),
        "register_effects.csv": register_model.effects(rows),
    }


_CORE: Any = ("research/panels", "reference", "research/classes", "forecast", "lognormal", "base_rates")

_BACKTEST: Any = (
    *_CORE,
    "research/backtest",
    "past_errors",
    "analysis/scores",
    "research/backtest",
    "research/trade_scores",
)

_VERDICTS: Any = (*_BACKTEST, "growth", "standards", "tracked", "research/trade_scores")

_CONTROLS: Any = ("research/panels", "research/studies")

_POLICY_FILES = ("policy_tests.csv", "policy_gaps.csv", "policy_weights.csv")

_TRADE_FILES = (
    "past_errors.csv",
    "scores/trade_examples.parquet",
    *(f"scores/trade_{name}{by}.parquet" for name in ("events", "intervals") for by in ("", "_by_size")),
)

_CONTEST_FILES = ("scores/contest_events.parquet", "scores/contest_intervals.parquet")

_NOWCAST_FILES = ("nowcast_priors.csv", "nowcast_errors.csv", "nowcast_errors_by_size.csv")

_NOWCAST: Any = tuple(f"nowcast/{name}" for name in ("monthly", "seasonal", "total", "backtest"))

STEPS = (
    Step(
        "priors",
        ("priors.csv",),
        (BACI.file, OEC.file, WDI.file),
        ("research/panels", "reference", "research/classes"),
        _priors,
    ),
    Step("distributions", ("growth_distributions.csv",), (BACI.file, OEC.file), _CORE, _distributions),
    Step("base_rates", ("base_rates.csv",), (BACI.file,), _CORE, _base_rates),
    Step(
        "parents",
        ("parent_weights.csv",),
        (BACI.file, HS2),
        (*_CORE, "research/backtest", "past_errors", "parents"),
        _parents,
    ),
    Step(
        "fuel",
        ("fuel_split.csv",),
        (HS2,),
        ("research/panels", "figures", "analysis/decompose", "research/studies"),
        _fuel,
        ("covariates.csv",),
    ),
    Step("policies", _POLICY_FILES, (BACI.file,), (*_CONTROLS, "research/studies"), _policies),
    Step("placebos", ("placebo_rates.csv",), (BACI.file,), (*_CONTROLS, "research/studies"), _placebos),
    Step(
        "part_spreads",
        ("part_spreads.csv",),
        (BACI.file, HS2),
        ("research/panels", "reference", "research/classes", "evidence"),
        _part_spreads,
    ),
    Step("trade", _TRADE_FILES, (BACI.file, OEC.file), _BACKTEST, _trade),
    Step("contests", _CONTEST_FILES, (), (*_BACKTEST, "research/contests"), _contests),
    Step(
        "competitors",
        ("scores/competitors.parquet",),
        (BACI.file, OEC.file),
        (
            *_BACKTEST,
            "research/contests",
            "research/rival_scores",
            "research/rivals",
            "research/rivals",
            "research/paths",
        ),
        _competitors,
    ),
    Step("verdicts", ("scores/verdicts.parquet",), (BACI.file,), _VERDICTS, _verdicts),
    Step(
        "register",
        ("register_scores.csv", "register_summary.csv"),
        (),
        (*_CORE, "past_errors", "analysis/register"),
        _register,
        ("targets.csv", "reference/priors.csv", "reference/past_errors.csv"),
    ),
    Step(
        "nowcasts",
        _NOWCAST_FILES,
        (UK.file, IMF.file),
        (*_CORE, "research/backtest", "past_errors", "analysis/scores", *_NOWCAST),
        _nowcasts,
    ),
    Step(
        "register_model",
        ("register_model.csv", "register_effects.csv"),
        (),
        (*_CORE, "past_errors", "analysis/register", "analysis/register_model"),
        _register_model,
        ("targets.csv", "reference/priors.csv", "reference/past_errors.csv"),
    ),
)
"""In order: the register is scored with the priors and past errors that earlier steps have written."""

REFERENCE = (
    "priors",
    "distributions",
    "base_rates",
    "parents",
    "part_spreads",
    "fuel",
    "policies",
    "placebos",
)
"""Steps that describe other flows and what moved this one; the others score forecasts."""

SCORES = tuple(step.name for step in STEPS if step.name not in REFERENCE)


def panel_priors(path: str | Path) -> pd.DataFrame:
    """Priors by origin and size class of a user's own panel, for ``prior_for(..., table=...)``."""
    levels = panels.to_levels(panels.read_panel(path))
    first, last = int(levels.years[0]) + classes.MIN_RATES, int(levels.years[-1])
    if last < first:
        raise UserError(
            f"{Path(path).name}: found {len(levels.years)} years, expected {classes.MIN_RATES + 1} or more"
        )
    own = reference.Panel(Path(path).stem, Path(path).name, Path(path).name)
    return classes.estimate_all(own, levels, first, last)


def write_priors(panel: str | Path, out: str | Path) -> Path:
    """Write the priors of a user's own panel as a CSV in the folder `out`; gives its path."""
    table, out = panel_priors(panel), Path(out)
    make_folder(out)
    path = out / f"priors_{Path(panel).stem}.csv"
    write(table, path)
    return path


def score_own(panel: str | Path, out: str | Path, progress: bool = True) -> list[str]:
    """Score the forecasts on a user's own panel; writes the tables to a folder and returns their names."""
    from lib.research.trade_scores import score_panel

    out = Path(out)
    found = score_panel(panel, progress=bar("own panel") if progress else iter)
    make_folder(out)
    tables = {
        "events.parquet": found.events,
        "intervals.parquet": found.intervals,
        "past_errors.csv": found.shapes,
    }
    for name, table in tables.items():
        write(table, out / name)
    return list(tables)
