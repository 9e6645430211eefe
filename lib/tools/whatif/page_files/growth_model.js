// The growth model of lib/forecast.py with the prior of lib/reference.py and lib/parents.py and the correction of
// lib/past_errors.py. Rates are fractions, growth is log growth, NaN is a year that is not known.

const TABLES = DATA.tables, MODEL = DATA.model;
const QUADRATURE = 24, MOST_DF = 300, LARGEST_SURPRISE = 2;
const hermite = hermiteRule(QUADRATURE);
const laguerreOf = new Map();

/** What cannot be answered, as one line: where, what was found, what was expected. */
class Problem extends Error {}

const sizeClass = (usd) => TABLES.sizes.filter((edge) => edge <= usd).length;

const whole = (table) => Object.keys(table).map(Number).sort((a, b) => a - b);

/** Key of the class nearest to one of the size; the class of all sizes (−1) only where there is no other. */
function nearestClass(table, index) {
  const classes = whole(table).filter((key) => key >= 0);
  if (!classes.length) return -1;
  return classes.reduce((best, key) => Math.abs(key - index) < Math.abs(best - index) ? key : best);
}

/** The reference class of flows of a size, from the years up to an origin alone (lib.reference.prior_for). */
function priorFor(usd, origin, world) {
  const panel = world ? "WDI" : origin < MODEL.first_baci_origin ? "OEC" : "BACI";
  const origins = whole(TABLES.priors[panel]), first = origins[0], last = origins[origins.length - 1];
  if (origin < first) throw new Problem(`origin: found ${origin}, expected ${first} or later: no panel reaches back further`);
  const used = Math.min(origin, last), classes = TABLES.priors[panel][used];
  const key = nearestClass(classes, sizeClass(usd));
  const [series, drift, driftSd, variance, df, autocorrelation] = classes[key];
  const late = origin > last ? ` (the last year of the panel, before ${origin})` : "";
  const who = key < 0 ? "all sizes" : TABLES.size_labels[key];
  return {
    drift, variance, df, autocorrelation,
    driftSd: Math.max(MODEL.drift_sd_floor, Math.sqrt(MODEL.lasting) * driftSd),
    source: `${TABLES.panels[panel]}, years to ${used}${late}: ${series} flows of ${who}`,
  };
}

/** Posterior of drift and variance after log growth rates in order of time (lib.forecast.fit). */
function fit(rates, prior) {
  const known = rates.filter((rate) => !Number.isNaN(rate)), n = known.length;
  const mean = n ? sum(known) / n : 0;
  const squares = sum(known.map((rate) => (rate - mean) ** 2));
  const df = prior.df + Math.max(n - 1, 0);
  const variance = (prior.df * prior.variance + squares) / df;
  const priorWeight = variance / prior.driftSd ** 2;
  const ownShare = n / (n + priorWeight);
  const drift = ownShare * mean + (1 - ownShare) * prior.drift;
  const latest = rates.length ? rates[rates.length - 1] - drift : 0;
  const limit = LARGEST_SURPRISE * Math.sqrt(variance);
  const echo = prior.autocorrelation * clip(Number.isNaN(latest) ? 0 : latest, -limit, limit);
  return { mean: drift, weight: n + priorWeight, variance, df, n, ownShare, autocorrelation: prior.autocorrelation, echo };
}

/** Prior moved by what is special about larger flows, and the shares of the drift (lib.outlook.prior_with_parents). */
function priorWithParents(reference, parents, rates) {
  const weight = TABLES.parent_weight, kept = 1 - fit(rates, reference).ownShare;
  const ownMean = (growth, prior) => {
    const known = growth.filter((rate) => !Number.isNaN(rate));
    return known.length ? sum(known) / known.length : prior.drift;
  };
  let left = kept, moved = 0;
  const rows = parents.map((parent) => {
    const own = fit(parent.growth, parent.prior).ownShare, share = left * weight * own;
    left *= weight * (1 - own);
    const drift = reference.drift + ownMean(parent.growth, parent.prior) - parent.prior.drift;
    moved += share * (drift - reference.drift) / kept;
    return { source: parent.name, share, drift };
  });
  const rest = kept - sum(rows.map((row) => row.share));
  const shares = [{ source: "own figures", share: 1 - kept, drift: ownMean(rates, reference) }, ...rows,
    { source: "reference class", share: rest, drift: reference.drift }];
  return { prior: { ...reference, drift: reference.drift + moved }, shares };
}

const independentYears = (model, h) => h + 2 * model.autocorrelation * Math.max(h - 1, 0) - model.autocorrelation ** 2;
const spreadOf = (model, h) => Math.sqrt(model.variance * (independentYears(model, h) + h * h / model.weight));
const location_ = (model, h) => h * model.mean + model.echo;

/** P(the level grows by at least `logGrowth` in all over h years): the reading *on average*. */
const pReach = (model, logGrowth, h) => stdtr(model.df, (location_(model, h) - logGrowth) / spreadOf(model, h));

/** P(the year `ahead` years on grows by at least a rate), whatever the others do (lib.analysis.what_if.p_year_ahead). */
function pYearAhead(model, rate, ahead) {
  if (ahead === 1) return pReach(model, Math.log1p(rate), 1);
  const scale = Math.sqrt(model.variance * (1 + 1 / model.weight));
  return stdtr(model.df, (model.mean - Math.log1p(rate)) / scale);
}

/** E[f(mu, sigma)] over drift and variance: Gauss–Laguerre in the variance, Gauss–Hermite in the drift. */
function overParameters(model, years, f) {
  const df = Math.min(model.df, MOST_DF);
  if (!laguerreOf.has(df)) laguerreOf.set(df, laguerreRule(QUADRATURE, df / 2 - 1));
  const { nodes, weights } = laguerreOf.get(df), aYear = Math.sqrt(independentYears(model, years) / years);
  let total = 0;
  for (let i = 0; i < QUADRATURE; i++) {
    const sigma = Math.sqrt(model.variance * df / (2 * nodes[i]));
    for (let j = 0; j < QUADRATURE; j++) {
      const mu = model.mean + model.echo / years + sigma * hermite.nodes[j] / Math.sqrt(model.weight);
      total += weights[i] * hermite.weights[j] * f(mu, sigma * aYear);
    }
  }
  return total;
}

/** P(each of the next years grows by at least a rate): E[Φ(·)^years], never p^years. */
function pEveryYear(model, rate, years) {
  const threshold = Math.log1p(rate);
  return overParameters(model, years, (mu, sigma) => ndtr((mu - threshold) / sigma) ** years);
}

/** P(the simple rates of the next years add up to at least `totalRate`): the reading *mean of yearly rates*. */
function pMeanRate(model, totalRate, years) {
  const needed = totalRate + years;
  if (needed <= 0) return 1;
  const logMean = Math.log(needed) - Math.log(years);
  return Math.min(overParameters(model, years, (mu, sigma) => ndtr(probitOfMean(logMean - mu, sigma, years))), 1);
}

/** Quantile of the level h years after `level`. */
const levelQuantile = (model, level, h, p) => level * Math.exp(location_(model, h) + spreadOf(model, h) * stdtrit(model.df, p));

// --- recalibration by past errors ---

/** Shape of past errors known at an origin, or null (lib.past_errors.find). */
function shapeOfErrors(reading, horizon, origin, usd) {
  const byOrigin = TABLES.past_errors[horizon === 1 ? "average" : reading];
  const origins = whole(byOrigin), horizons = new Set(origins.flatMap((year) => whole(byOrigin[year])));
  const kept = Math.max(...[...horizons].filter((years) => years <= horizon));
  const used = Math.max(...origins.filter((year) => year <= origin));
  const classes = byOrigin[used]?.[kept];
  return classes ? classes[nearestClass(classes, sizeClass(usd))] : null;
}

/** Piecewise linear with the slope of the outer parts beyond the ends (lib.past_errors._line). */
function line(x, at, value) {
  const part = clip(at.filter((point) => point < x).length - 1, 0, at.length - 2);
  const slope = (value[part + 1] - value[part]) / (at[part + 1] - at[part]);
  return clip(value[part] + slope * (x - at[part]), -6, 6);
}

const PROBITS = TABLES.past_levels.map(ndtri);
const probitOf = (p) => ndtri(clip(1 - p, 1e-9, 1 - 1e-9));
const applyShape = (p, knots) => ndtr(-line(probitOf(p), knots, PROBITS));
const invertShape = (p, knots) => ndtr(-line(probitOf(p), PROBITS, knots));

/** A probability of the model, corrected by past errors; those are of trade between two countries. */
function corrected(expected, p, reading, years) {
  if (!expected.world) {
    const shape = shapeOfErrors(reading, years, expected.origin, expected.usd);
    p = shape ? applyShape(p, shape) : clip(p, 1e-9, 1 - 1e-9);
  }
  return clip(p, MODEL.surest, 1 - MODEL.surest);
}

/** Quantiles of the level after `years` years at the fan's probabilities, corrected alike; millions. */
function fanAt(expected, years) {
  const shape = expected.world ? null : shapeOfErrors("average", years, expected.origin, expected.usd);
  return MODEL.fan.map((p) => levelQuantile(
    expected.model, expected.level, years, shape ? 1 - invertShape(1 - p, shape) : p));
}

/** Share of flows of a size that grew by a rate a year or more, as known at an origin (lib.reference.base_rate). */
function baseRate(usd, origin, horizon, rate) {
  for (const panel of ["BACI", "OEC"]) {
    const byOrigin = TABLES.distributions[panel];
    const used = Math.max(...whole(byOrigin).filter((year) => year <= origin));
    const classes = byOrigin[used];
    if (!classes || Math.max(...Object.values(classes).flatMap(whole)) < horizon) continue;
    const rows = classes[nearestClass(classes, sizeClass(usd))], horizons = whole(rows);
    const at = TABLES.probabilities.map((_, k) => interp(horizon, horizons, horizons.map((h) => rows[h][k] / h)));
    const p = TABLES.probabilities, last = p.length - 1;
    return 1 - interp(Math.log1p(rate), at, p, p[0] / 2, (1 + p[last]) / 2);
  }
  throw new Problem(`base rate: no panel is long enough for ${horizon} years known at ${origin}`);
}
