// What other flows say of the growth of a reader's own figures, and what remains after its rates: lib/reference.py and
// lib.law.posterior. Rates are fractions, growth is log growth, NaN is a year that is not known.

const TABLES = DATA.tables, MODEL = DATA.model;

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

/** Last year of the panels of country pairs that was out on a day (lib.reference.last_released). */
function lastReleased(day) {
  const [year, month] = day.split("-").map(Number);
  return year - (month >= 3 ? 2 : 3);
}

/** The reference class of flows of a size as today knows it up to a year, its drift drawn half-way to the long run. */
function priorFor(usd, year) {
  const origin = Math.min(year, lastReleased(DATA.day)), panel = origin < MODEL.first_baci_origin ? "OEC" : "BACI";
  const origins = whole(TABLES.priors[panel]), first = origins[0], last = origins[origins.length - 1];
  if (origin < first) throw new Problem(`origin: found ${origin}, expected ${first} or later: no panel reaches back further`);
  const used = Math.min(origin, last), classes = TABLES.priors[panel][used], key = nearestClass(classes, sizeClass(usd));
  const [series, drift, driftSd, variance, df, autocorrelation, driftError] = classes[key];
  const late = origin > last ? ` (the last year of the panel, before ${origin})` : "", who = key < 0 ? "all sizes" : TABLES.size_labels[key];
  return {
    variance, df, autocorrelation,
    drift: MODEL.long_run_drift + MODEL.pull * (drift - MODEL.long_run_drift),
    driftError: Math.hypot(MODEL.pull * driftError, MODEL.eras),
    driftSd: Math.max(MODEL.drift_sd_floor, Math.sqrt(MODEL.lasting) * driftSd),
    source: `${TABLES.panels[panel]}, years to ${used}${late}: ${series} flows of ${who}`,
    warning: year - used > MODEL.old ? MODEL.warning.replace("{last}", used).replace("{age}", year - used) : "",
  };
}

/** Drift and variance after log growth rates in order of time, recent ones weighed more (lib.law.posterior). */
function posterior(rates, prior) {
  const seen = rates.map((rate, i) => ({ rate, weight: 0.5 ** ((rates.length - 1 - i) / MODEL.half_life) })).filter((one) => !Number.isNaN(one.rate));
  const total = sum(seen.map((one) => one.weight)), safe = total || 1;
  const own = sum(seen.map((one) => one.weight * one.rate)) / safe;
  const squares = sum(seen.map((one) => one.weight * (one.rate - own) ** 2));
  const df = prior.df + Math.max(total - sum(seen.map((one) => one.weight ** 2)) / safe, 0);
  const variance = (prior.df * prior.variance + squares) / df, weight = total + variance / prior.driftSd ** 2;
  const mean = (total * own + (weight - total) * prior.drift) / weight;
  const latest = rates.length ? rates[rates.length - 1] - mean : 0, most = MODEL.largest_surprise * Math.sqrt(variance);
  const echo = prior.autocorrelation * clip(Number.isNaN(latest) ? 0 : latest, -most, most);
  const worth = 1 / (1 / weight + prior.driftError ** 2 / variance);
  return { mean, weight: worth, variance, df, autocorrelation: prior.autocorrelation, echo, classVariance: prior.variance, classDf: prior.df };
}

/** Shares of the drift of a reader's own figures (lib.outlook.prior_with_parents without larger flows). */
function sharesOf(found, prior) {
  const left = found.variance / found.weight - prior.driftError ** 2;  // of the variance of the drift
  const share = 1 - left / prior.driftSd ** 2, kept = share < 1e-9 ? 0 : share;
  return [["own figures", kept, kept ? prior.drift + (found.mean - prior.drift) / share : prior.drift], ["reference class", 1 - kept, prior.drift]];
}

/** Share of flows of a size that grew by a rate a year or more, as known at an origin (lib.reference.base_rate). */
function baseRate(usd, origin, horizon, rate) {
  for (const panel of ["BACI", "OEC"]) {
    const byOrigin = TABLES.distributions[panel];
    const classes = byOrigin[Math.max(...whole(byOrigin).filter((year) => year <= origin))];
    if (!classes || Math.max(...Object.values(classes).flatMap(whole)) < horizon) continue;
    const rows = classes[nearestClass(classes, sizeClass(usd))], horizons = whole(rows);
    const at = TABLES.probabilities.map((_, k) => interp(horizon, horizons, horizons.map((h) => rows[h][k] / h)));
    const p = TABLES.probabilities, last = p.length - 1;
    return 1 - interp(Math.log1p(rate), at, p, p[0] / 2, (1 + p[last]) / 2);
  }
  throw new Problem(`base rate: no panel is long enough for ${horizon} years known at ${origin}`);
}
