"""How much a forecast of a goal depends on its assumptions, and how the same method fared before."""

from dataclasses import replace

import numpy as np
import pandas as pd

from lib import growth
from lib import law as laws
from lib.law import MIN_GROWTH_RATES
from lib.outlook import Answer, Expectation, expect, lineage, own_law, prior_for


def shares(expected: Expectation) -> pd.DataFrame:
    """How much of the expected drift and of the variance comes from where.

    Returns
    -------
    Frame: source, drift_share and variance_share (fractions), rate (that the source says, a fraction a year).
    """
    own_df = 1 - expected.prior.df / float(expected.posterior.df)
    found = expected.shares
    variance = [own_df, *[0.0] * (len(found) - 2), 1 - own_df]
    rates = np.expm1(found["drift"])
    return pd.DataFrame(
        {"source": found["source"], "drift_share": found["share"], "rate": rates, "variance_share": variance}
    )


def sensitivity(answer: Answer, base: Expectation) -> pd.DataFrame:
    """Probability of each undecided reading from the own yearly levels alone, under other assumptions than `base`'s."""
    case, goal, levels = answer.case, answer.goal, answer.levels
    rates = growth.log_growth(levels.loc[: goal.deadline])
    own_class, prior = prior_for(case, base.level_mn, base.origin), base.prior
    posteriors = {
        "own yearly levels": base.posterior,
        "without the larger flows": laws.posterior(rates, own_class),
        "the reference class alone": laws.posterior(np.array([]), own_class),
        "drift free to differ twice as much": laws.posterior(
            rates, replace(prior, drift_sd=2 * prior.drift_sd)
        ),
        "no drift expected": laws.posterior(rates, replace(prior, drift=0.0)),
        "a third more erratic": laws.posterior(rates, replace(prior, variance=prior.variance * (4 / 3) ** 2)),
        "all years weighed alike": laws.posterior(rates, prior, half_life=np.inf),
    }
    if rates.notna().sum() >= MIN_GROWTH_RATES and rates.std() > 1e-12:
        posteriors["the flow's own record alone"] = laws.posterior(rates, None)
    rows = {}
    for name, posterior in posteriors.items():
        law = own_law(goal, levels, replace(base, posterior=posterior))
        rows[name] = laws.chances(law, goal, levels).reindex(answer.chances.index)
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("assumption")


def hindcasts(answer: Answer) -> pd.DataFrame:
    """Forecasts that the same method gave at earlier years, for the flow and the larger ones.

    Each asks for growth at the goal's rate over as many years as were left (at least one), from the years up
    to the origin alone, of levels as known on the case's day.

    Returns
    -------
    Frame indexed by origin: flow of (`FlowCase.label_beside`), probability and met (bool).
    """
    case, goal, rows = answer.case, answer.goal, []
    years = max(goal.deadline - answer.last, 1)
    needed = years * np.log1p(goal.rate)
    for member in [case, *lineage(case)]:
        levels = member.series()["value_mn"].dropna()
        for origin, level in levels.iloc[1:].items():
            if origin + years in levels.index and level > 0:
                of = expect(member, levels.loc[:origin]).posterior
                met = levels[origin + years] / level >= np.exp(needed - 1e-9)
                rows.append((member.label_beside(case), origin, float(laws.p_reach(of, needed, years)), met))
    return pd.DataFrame(rows, columns=["flow of", "origin", "probability", "met"]).set_index("origin")
