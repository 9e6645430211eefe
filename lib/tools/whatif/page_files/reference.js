// What flows of its size say of the growth of a reader's own figures, and what remains after its rates: lib/reference.py
// and lib.law.posterior. Rates are fractions, growth is log growth, NaN is a year that is not known.

const TABLES = DATA.tables, MODEL = DATA.model;

/** What cannot be answered, as one line: where, what was found, what was expected. */
class Problem extends Error {}

const sizeClass = (usd) => TABLES.sizes.filter((edge) => edge <= usd).length;
const whole = (table) => Object.keys(table).map(Number).sort((a, b) => a - b);

/** Key of the class nearest to one of the size; the class of all sizes (−1) only where there is no other. */
function nearestClass(table, index) {
  const [first = -1, ...others] = whole(table).filter((key) => key >= 0);
  return others.reduce((best, key) => Math.abs(key - index) < Math.abs(best - index) ? key : best, first);
}

/** Last year of the panels of country pairs that was out on a day (lib.reference.last_released). */
function lastReleased(day) {
  const [year, month] = day.split("-").map(Number);
  return year - (month >= 3 ? 2 : 3);
}

/** What lib ships of a flow on a day, for own figures: lib.law.posterior, recent rates weighed more, and its sources. */
function ownExpectation(record, usd) {
  const growth = [...record].map(([year, { value }]) =>
    record.has(year - 1) ? Math.log(value / record.get(year - 1).value) : NaN);
  const [drift, driftSd, classVariance, classDf, autocorrelation, driftError, source, warning] =
    TABLES.own[[...record.keys()].at(-1)][sizeClass(usd)];
  const seen = growth.map((rate, i) => ({ rate, weight: 0.5 ** ((growth.length - 1 - i) / MODEL.half_life) }))
    .filter(({ rate }) => !Number.isNaN(rate));
  const total = sum(seen.map(({ weight }) => weight)), safe = total || 1;
  const own = sum(seen.map(({ rate, weight }) => weight * rate)) / safe;
  const squares = sum(seen.map(({ rate, weight }) => weight * (rate - own) ** 2));
  const df = classDf + Math.max(total - sum(seen.map(({ weight }) => weight ** 2)) / safe, 0);
  const variance = (classDf * classVariance + squares) / df, kept = variance / driftSd ** 2, share = total / (total + kept);
  const mean = share * own + (1 - share) * drift, most = MODEL.largest_surprise * Math.sqrt(variance);
  const echo = autocorrelation * clip(Number.isNaN(growth.at(-1)) ? 0 : growth.at(-1) - mean, -most, most);
  const worth = 1 / (1 / (total + kept) + driftError ** 2 / variance);
  return {
    posterior: [mean, worth, variance, df, autocorrelation, echo, classVariance, classDf],
    source,
    warning,
    shares: [["own figures", share, share ? own : drift], ["reference class", 1 - share, drift]],
  };
}

/** Share of flows of a size that grew by a rate a year or more, as known at an origin (lib.analysis.base_rates.base_rate). */
function baseRate(usd, origin, horizon, rate) {
  for (const panel of ["BACI", "OEC"]) {
    const byOrigin = TABLES.distributions[panel], known = whole(byOrigin).filter((year) => year <= origin);
    const classes = byOrigin[known.at(-1)];
    if (!classes || Math.max(...Object.values(classes).flatMap(whole)) < horizon) continue;
    const rows = classes[nearestClass(classes, sizeClass(usd))], horizons = whole(rows), p = TABLES.probabilities;
    const at = p.map((_, k) => interp(horizon, horizons, horizons.map((h) => rows[h][k] / h)));
    return 1 - interp(Math.log1p(rate), at, p, p[0] / 2, (1 + p.at(-1)) / 2);
  }
  return null;
}
