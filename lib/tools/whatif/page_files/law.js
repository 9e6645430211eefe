// One law of the path (lib/law.py, lib/mixtures.py): a mixture of Gaussians over the log levels of named years. A law is
// { years, parts }, each part { w, mean, cov }: its weight, means and covariances. Quantiles and readings are those of
// lib, from the same points.

const TINY = 1e-12, FAR = 40;

/** Nodes of df / χ²(df) and their weights: the double-exponential rule of lib.mixtures.variance_nodes. */
function varianceNodes(df) {
  const half = Math.min(df, 1e6) / 2;
  // The t with t − e⁻ᵗ/10 = ln x, by Newton.
  const place = (x) => { let t = Math.max(Math.log(x), -2); for (let k = 0; k < 60; k++) t -= (t - 0.1 * Math.exp(-t) - Math.log(x)) / (1 + 0.1 * Math.exp(-t)); return t; };
  const start = place(gammaQuantile(half, 10 ** -4.5, 0) / half), end = place(gammaQuantile(half, 10 ** -3.5, 1) / half);
  const nodes = upTo(12).map((k) => {
    const t = start + (end - start) * k / 11, u = t - 0.1 * Math.exp(-t);
    return { u, log: half * (u - Math.exp(u)) + Math.log1p(0.1 * Math.exp(-t)) };
  });
  const top = Math.max(...nodes.map((one) => one.log)), weights = nodes.map((one) => Math.exp(one.log - top));
  return { weights: weights.map((one) => one / sum(weights)), scales: nodes.map((one) => Math.exp(-one.u)) };
}

const rulesOf = new Map();

function ruleOf(df) {
  if (!rulesOf.has(df)) rulesOf.set(df, varianceNodes(df));
  return rulesOf.get(df);
}

/** Shares and standard deviations of the Gaussians that σ² is integrated by (lib.law._variance_parts). */
function variancePart(model) {
  const own = ruleOf(model.df), redrawn = ruleOf(model.classDf), share = MODEL.class_share;
  return {
    shares: [...own.weights.map((w) => (1 - share) * w), ...redrawn.weights.map((w) => share * w)],
    sigmas: [...own.scales.map((u) => Math.sqrt(model.variance * u)), ...redrawn.scales.map((u) => Math.sqrt(model.classVariance * u))],
  };
}

/** The law of the `horizon` years after one with a known level (lib.law.from_posterior). */
function lawFrom(model, lastYear, level, horizon) {
  const r = model.autocorrelation, { shares, sigmas } = variancePart(model), shape = upTo(horizon).map(() => new Array(horizon).fill(0));
  const growth = (i, j) => 1 / model.weight + (i === j ? 1 : 0) + (Math.abs(i - j) === 1 ? r : 0) - (i + j === 0 ? r * r : 0);
  for (let i = 0; i < horizon; i++) {
    for (let j = 0; j < horizon; j++) {
      shape[i][j] = growth(i, j) + (i ? shape[i - 1][j] : 0) + (j ? shape[i][j - 1] : 0) - (i && j ? shape[i - 1][j - 1] : 0);
    }
  }
  const mean = upTo(horizon).map((k) => Math.log(level) + (k + 1) * model.mean + model.echo);
  return {
    years: upTo(horizon).map((k) => lastYear + 1 + k),
    parts: shares.map((w, k) => ({ w, mean, cov: shape.map((line) => line.map((one) => one * sigmas[k] ** 2)) })),
  };
}

/** A part after row · x + noise = value, with the logarithm of its weight (lib.law._condition). */
function conditioned({ log, mean, cov }, row, value, error, correlation) {
  const reach = cov.map((line) => dot(line, row)), size = sum(row.map((one, i) => one * one * cov[i][i]));
  const raw = dot(reach, row), own = raw > 1e-12 * size ? raw : 0, safe = own || 1;
  const shared = -correlation * Math.sqrt(own * error), total = own + 2 * shared + error, surprise = value - dot(mean, row);
  const pull = own > 0 ? clip((own + shared) / (total > 0 ? total : 1), 0, 1) : 0;
  const left = (1 - pull) ** 2 * own + pull ** 2 * error - 2 * pull * (1 - pull) * shared, by = (own - left) / safe ** 2;
  const cut = (after, before) => Math.abs(after) <= 1e-13 * Math.abs(before) ? 0 : after;
  return {
    log: log - 0.5 * (surprise ** 2 / Math.max(total, TINY) + Math.log(Math.max(total, TINY))),
    mean: mean.map((one, i) => one + pull / safe * reach[i] * surprise),
    cov: cov.map((line, i) => line.map((one, j) => cut(one - by * reach[i] * reach[j], one))),
  };
}

/** The law after sums of log levels, each [row, value, variance]; nodes: [weight, scale of the variances] of the errors. */
function given(law, seen, nodes = [[1, 1]], correlation = 0) {
  const parts = nodes.flatMap(([weight, scale]) => law.parts.map((part) => seen.reduce(
    (kept, [row, value, variance]) => conditioned(kept, row, value, variance * scale, correlation), { ...part, log: Math.log(part.w) + Math.log(weight) })));
  const top = parts.reduce((most, one) => Math.max(most, one.log), -Infinity), total = sum(parts.map((one) => Math.exp(one.log - top)));
  return { years: law.years, parts: parts.map(({ log, mean, cov }) => ({ w: Math.exp(log - top) / total, mean, cov })) };
}

const studentNodes = (df) => ruleOf(df).weights.map((w, k) => [w, ruleOf(df).scales[k]]);
const rowOf = (law, year) => law.years.map((one) => one === year ? 1 : 0);

/** The law after those of its years that the record knows. */
function exactly(law, record) {
  const known = law.years.filter((year) => record.has(year));
  return known.length ? given(law, known.map((year) => [rowOf(law, year), Math.log(record.get(year).value), 0])) : law;
}

function marginal(law, wanted) {
  const kept = upTo(law.years.length).filter((i) => wanted(law.years[i]));
  if (kept.length === law.years.length) return law;
  return {
    years: kept.map((i) => law.years[i]),
    parts: law.parts.map(({ w, mean, cov }) => ({ w, mean: kept.map((i) => mean[i]), cov: kept.map((i) => kept.map((j) => cov[i][j])) })),
  };
}

/** The law with further years: the level of `start`, which is in the law or given, times the growth since (lib.law.followed_by). */
function followedBy(law, growth, start, level) {
  const n = law.years.length, at = level === null ? law.years.indexOf(start) : -1;
  const join = (one, next) => {
    const covariance = (i, j) => i < n && j < n ? one.cov[i][j] : i < n || j < n ? (at < 0 ? 0 : one.cov[Math.min(i, j)][at])
      : next.cov[i - n][j - n] + (at < 0 ? 0 : one.cov[at][at]);
    const all = upTo(n + growth.years.length), from = at < 0 ? Math.log(level) : one.mean[at];
    return { w: one.w * next.w, mean: [...one.mean, ...next.mean.map((by) => by + from)], cov: all.map((i) => all.map((j) => covariance(i, j))) };
  };
  return { years: [...law.years, ...growth.years], parts: law.parts.flatMap((one) => growth.parts.map((next) => join(one, next))) };
}

/** The law that larger flows give, as it was shipped: each part a weight, means, and the lower triangle of covariances. */
function unpacked({ years, parts }) {
  const n = years.length, place = (i, j) => 1 + n + Math.max(i, j) * (Math.max(i, j) + 1) / 2 + Math.min(i, j);
  return { years, parts: parts.map((row) => ({ w: row[0], mean: row.slice(1, 1 + n), cov: upTo(n).map((i) => upTo(n).map((j) => row[place(i, j)])) })) };
}

/** The law without its lightest parts, which together weigh no more than is shown (lib.law.prune). */
function prune(law) {
  const order = upTo(law.parts.length).sort((i, j) => law.parts[i].w - law.parts[j].w);
  let gone = 0;
  const kept = order.filter((k) => (gone += law.parts[k].w) > MODEL.negligible).sort((i, j) => i - j).map((k) => law.parts[k]), total = sum(kept.map((one) => one.w));
  return { years: law.years, parts: kept.map((one) => ({ ...one, w: one.w / total })) };
}

/** Weights, means and standard deviations of one year of some parts. */
const column = (parts, at) => parts.map(({ w, mean, cov }) => [w, mean[at], Math.max(Math.sqrt(Math.max(cov[at][at], 0)), TINY)]);

/** Distribution function of a column at x; a known value is not below itself. */
function below(parts, x) {
  let total = 0;
  for (const [w, mean, sd] of parts) total += w * ndtr((x - SLACK - mean) / sd);
  return clip(total, 0, 1);
}

const zOf = new Map();

/** Quantile of a column: Newton, kept between the quantiles of its parts. */
function quantile(parts, p) {
  if (!zOf.has(p)) zOf.set(p, ndtri(p));
  const z = zOf.get(p);
  let low = Infinity, high = -Infinity;
  for (const [, mean, sd] of parts) { low = Math.min(low, mean + sd * z); high = Math.max(high, mean + sd * z); }
  for (let x = (low + high) / 2, k = 0; k < 100; k++) {
    let total = 0, slope = 0;
    for (const [w, mean, sd] of parts) { const u = (x - mean) / sd; total += w * ndtr(u); slope += w / sd * density(u); }
    if (total < p) low = x; else high = x;
    const step = x - (total - p) / slope, next = step > low && step < high ? step : (low + high) / 2;
    if (Math.abs(next - x) < 1e-11) return next;
    x = next;
  }
  return (low + high) / 2;
}

/** The parts of the law of the log growth of each year of a goal; a known year has no variance, and its own level. */
function growthOf(law, goal, record) {
  const years = upTo(goal.years).map((k) => goal.baseYear + 1 + k), place = years.map((year) => law.years.indexOf(year));
  return law.parts.map(({ w, mean, cov }) => {
    const level = years.map((year, i) => place[i] < 0 ? Math.log(record.get(year).value) : mean[place[i]]);
    const shared = (i, j) => i < 0 || j < 0 || place[i] < 0 || place[j] < 0 ? 0 : cov[place[i]][place[j]];
    return {
      w, mean: level.map((one, i) => one - (i ? level[i - 1] : Math.log(goal.base))),
      cov: years.map((_, i) => years.map((__, j) => shared(i, j) - shared(i - 1, j) - shared(i, j - 1) + shared(i - 1, j - 1))),
    };
  });
}

/** Pivoted Cholesky root, by columns: always the year with most variance left, of equals the first; `least` is none. */
function rootOf(shape, least) {
  const n = shape.length, left = shape.map((row) => [...row]), columns = [];
  for (let step = 0; step < n; step++) {
    const most = Math.max(...upTo(n).map((i) => left[i][i]));
    const pivot = upTo(n).findIndex((i) => left[i][i] >= most - 1e-9 * Math.abs(most));
    const column = upTo(n).map((i) => most > least ? left[i][pivot] / Math.sqrt(most) : 0);
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) left[i][j] -= column[i] * column[j];
    columns.push(column);
  }
  return columns;
}

/** Direction b of the sum and the columns of R, with bbᵀ + RRᵀ the shape (lib.mixtures._split). */
function split(shape) {
  const summed = shape.map(sum), variance = sum(summed), least = 1e-12 * sum(shape.map((row, i) => row[i]));
  const along = variance > least ? summed.map((one) => one / Math.sqrt(variance)) : rootOf(shape, least)[0];
  return { along, across: rootOf(shape.map((row, i) => row.map((one, j) => one - along[i] * along[j])), least) };
}

const latticesOf = new Map();

/** The lattice of lib.mixtures._points: first coordinate, and normal quantiles of the rest, one array a dimension. */
function latticeOf(years) {
  if (!latticesOf.has(years)) {
    const [n, generator, shift] = years <= 5 ? [8191, 1163, 0] : [16381, 2847, 0.618034];
    let step = 1;
    const rows = upTo(years).map((j) => {
      const row = new Float64Array(n);
      for (let i = 0; i < n; i++) row[i] = ((i * step % n + 0.5) / n + shift * j) % 1;
      step = step * generator % n;
      return row;
    });
    latticesOf.set(years, { first: rows[0], normal: rows.slice(1).map((row) => row.map(ndtri)) });
  }
  return latticesOf.get(years);
}

/** What the readings of a law need, whatever the rate: at each point the growth of each year, and how it moves with the sum. */
function preparedFor(growth) {
  const h = growth[0].mean.length, { first, normal } = latticeOf(h), splits = [];
  const trace = growth.map(({ cov }) => sum(cov.map((line, i) => line[i]))), order = upTo(growth.length).sort((i, j) => trace[i] - trace[j]);
  const strays = new Float64Array(first.length * h), along = new Float64Array(first.length * h);
  for (let point = 0, k = 0, reached = growth[order[0]].w; point < first.length; point++) {
    while (reached < first[point] && k < order.length - 1) reached += growth[order[++k]].w;
    const { mean, cov } = growth[order[k]], { along: slope, across } = splits[k] ??= split(cov);
    for (let j = 0, at = point * h; j < h; j++, at++) {
      along[at] = slope[j];
      strays[at] = mean[j];
      for (let i = 0; i < h - 1; i++) strays[at] += across[i][j] * normal[i][point];
    }
  }
  return { h, n: first.length, growth, along, strays };
}

/** Chances of growing by a rate in every year and in the mean of the years, given that on average (lib.mixtures.readings). */
function otherReadings({ h, n, along, strays }, rate, average) {
  const floor = Math.log1p(rate), needed = new Float64Array(h), slopes = new Float64Array(h), negative = along.some((one) => one < -SLACK);
  let every = 0, middle = 0, mean = 0;
  for (let point = 0; point < n; point++) {
    for (let j = 0, k = point * h; j < h; j++, k++) { needed[j] = floor - strays[k]; slopes[j] = along[k]; }
    const [start, chance] = sumSuffices(needed, slopes);
    every += allSuffice(needed, slopes);
    middle += chance;
    let high = beyondRoot(needed, slopes, start);
    if (negative) high = Math.min(high + beyondRoot(needed, slopes.map((one) => -one), FAR), 1);
    mean += high - chance;
  }
  return { every_year: Math.min(clip((every - middle) / n + average, 0, 1), average), mean_of_rates: clip(average + mean / n, average, 1) };
}

/** P(slope_j · ζ ≥ needed_j for all j) over ζ ~ N(0, 1): an interval. */
function allSuffice(needed, slopes) {
  let low = -Infinity, high = Infinity;
  for (let j = 0; j < needed.length; j++) {
    if (slopes[j] > SLACK) low = Math.max(low, needed[j] / slopes[j]);
    else if (slopes[j] < -SLACK) high = Math.min(high, needed[j] / slopes[j]);
    else if (needed[j] > SLACK) return 0;
  }
  return Math.max(ndtr(-low) - ndtr(-high), 0);
}

/** The ζ from which the sum suffices, within ±40, and the chance of it. */
function sumSuffices(needed, slopes) {
  let short = 0, slope = 0;
  for (let j = 0; j < needed.length; j++) { short += needed[j]; slope += slopes[j]; }
  const start = slope > SLACK ? short / slope : short > SLACK ? Infinity : -Infinity;
  return [clip(start, -FAR, FAR), ndtr(-start)];
}

/** P(ζ ≥ root), the largest ζ at which the mean of exp(slope_j · ζ − needed_j) is 1: Newton from the right. */
function beyondRoot(needed, slopes, start) {
  let x = start;
  for (let step = 0; step < 30; step++) {
    let top = -Infinity, total = 0, slope = 0;
    for (let j = 0; j < needed.length; j++) top = Math.max(top, slopes[j] * x - needed[j]);
    for (let j = 0; j < needed.length; j++) {
      const share = Math.exp(slopes[j] * x - needed[j] - top);
      total += share;
      slope += share * slopes[j];
    }
    const excess = top + Math.log(total / needed.length);
    if (step === 0 && x >= FAR && excess < 0) return 0;
    const next = clip(slope > 0 ? x - excess * total / slope : -FAR, -FAR, FAR), settled = Math.abs(next - x) < 1e-4;  // the next step would be its square
    x = next;
    if (settled) break;
  }
  return ndtr(-x);
}
