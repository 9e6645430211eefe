// One law of the path (lib/law.py, lib/mixtures.py): the log levels of the years ahead are a mixture of Gaussians that
// share mean and shape and differ in scale. A law is { years, mean, shape, shares, sigmas }: component k has the
// covariance sigmas[k]² · shape. Quantiles and readings are those of lib, from the same points.

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
function variancePart(model, prior) {
  const own = ruleOf(model.df), redrawn = ruleOf(prior.df), share = MODEL.class_share;
  return {
    shares: [...own.weights.map((w) => (1 - share) * w), ...redrawn.weights.map((w) => share * w)],
    sigmas: [...own.scales.map((u) => Math.sqrt(model.variance * u)), ...redrawn.scales.map((u) => Math.sqrt(prior.variance * u))],
  };
}

/** The law of the `horizon` years after one with a known level (lib.law.from_posterior). */
function lawFrom(model, lastYear, level, horizon) {
  const r = model.autocorrelation;
  const growth = (i, j) => 1 / model.weight + (i === j ? 1 : 0) + (Math.abs(i - j) === 1 ? r : 0) - (i + j === 0 ? r * r : 0);
  const shape = upTo(horizon).map(() => new Array(horizon).fill(0));
  for (let i = 0; i < horizon; i++) {
    for (let j = 0; j < horizon; j++) {
      shape[i][j] = growth(i, j) + (i ? shape[i - 1][j] : 0) + (j ? shape[i][j - 1] : 0) - (i && j ? shape[i - 1][j - 1] : 0);
    }
  }
  const mean = upTo(horizon).map((k) => Math.log(level) + (k + 1) * model.mean + model.echo);
  return { years: upTo(horizon).map((k) => lastYear + 1 + k), mean, shape, shares: model.shares, sigmas: model.sigmas };
}

/** The law after an exact level of one of its years, which leaves it (lib.law.given): components reweighed. */
function givenLevel(law, year, level) {
  const at = law.years.indexOf(year), own = law.shape[at][at], surprise = Math.log(level) - law.mean[at];
  const kept = upTo(law.years.length).filter((i) => i !== at);
  const logs = law.shares.map((w, k) => Math.log(w) - 0.5 * (surprise ** 2 / (law.sigmas[k] ** 2 * own) + Math.log(law.sigmas[k] ** 2 * own)));
  const top = Math.max(...logs), weights = logs.map((log) => Math.exp(log - top));
  return {
    years: kept.map((i) => law.years[i]), sigmas: law.sigmas, shares: weights.map((w) => w / sum(weights)),
    mean: kept.map((i) => law.mean[i] + law.shape[i][at] / own * surprise),
    shape: kept.map((i) => kept.map((j) => law.shape[i][j] - law.shape[i][at] * law.shape[at][j] / own)),
  };
}

/** The law without its lightest components, which together weigh no more than is shown (lib.law.prune). */
function prune(law) {
  const order = upTo(law.shares.length).sort((i, j) => law.shares[i] - law.shares[j]);
  let gone = 0;
  const kept = order.filter((k) => (gone += law.shares[k]) > MODEL.negligible).sort((i, j) => i - j), total = sum(kept.map((k) => law.shares[k]));
  return { ...law, shares: kept.map((k) => law.shares[k] / total), sigmas: kept.map((k) => law.sigmas[k]) };
}

/** Distribution function at x of mean + scale · mixture; a known value is not below itself. */
function below(law, x, mean, variance) {
  let total = 0;
  for (let k = 0; k < law.shares.length; k++) {
    total += law.shares[k] * ndtr((x - SLACK - mean) / Math.max(law.sigmas[k] * Math.sqrt(variance), TINY));
  }
  return clip(total, 0, 1);
}

/** Quantile of the mixture without its mean, in units of √variance: bisection between those of its components. */
function standardQuantile(law, p) {
  const z = ndtri(p), ends = law.sigmas.map((sigma) => sigma * z);
  let low = Math.min(...ends), high = Math.max(...ends);
  for (let k = 0; k < 50 && high - low > 1e-11; k++) {
    const middle = (low + high) / 2;
    let total = 0;
    for (let i = 0; i < ends.length; i++) total += law.shares[i] * ndtr(middle / law.sigmas[i]);
    if (total < p) low = middle; else high = middle;
  }
  return (low + high) / 2;
}

/** Mean and shape of the log growth of each year of a goal; a known year has no variance, and its own level. */
function growthOf(law, goal, record) {
  const years = upTo(goal.years).map((k) => goal.baseYear + 1 + k), place = years.map((year) => law.years.indexOf(year));
  const mean = years.map((year, i) => place[i] < 0 ? Math.log(record.get(year).value) : law.mean[place[i]]);
  const cov = (i, j) => i < 0 || j < 0 || place[i] < 0 || place[j] < 0 ? 0 : law.shape[place[i]][place[j]];
  return {
    mean: mean.map((one, i) => one - (i ? mean[i - 1] : Math.log(goal.base))),
    shape: years.map((_, i) => years.map((__, j) => cov(i, j) - cov(i - 1, j) - cov(i, j - 1) + cov(i - 1, j - 1))),
  };
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

/** How far each year strays from its mean at each point, in units of σ, beside what moves with the sum: h numbers a point. */
function straysOf(across, normal, h, points) {
  const strays = new Float64Array(points * h);
  across.slice(0, h - 1).forEach((column, i) => column.forEach((by, j) => {
    if (by) for (let point = 0, k = j; point < points; point++, k += h) strays[k] += by * normal[i][point];
  }));
  return strays;
}

/** What the readings of a law need, whatever the rate: growth, direction of the sum, strays and scale at each point. */
function preparedFor(law, growth) {
  const h = growth.mean.length, { first, normal } = latticeOf(h), { along, across } = split(growth.shape);
  const order = upTo(law.sigmas.length).sort((i, j) => law.sigmas[i] - law.sigmas[j]), sigmas = new Float64Array(first.length);
  for (let point = 0, k = 0, reached = law.shares[order[0]]; point < first.length; point++) {
    while (reached < first[point] && k < order.length - 1) reached += law.shares[order[++k]];
    sigmas[point] = law.sigmas[order[k]];
  }
  return { growth, along, sigmas, strays: straysOf(across, normal, h, first.length) };
}

/** Chances of growing by a rate in every year and in the mean of the years, given that on average (lib.mixtures.readings). */
function otherReadings({ growth, along, sigmas, strays }, rate, average) {
  const h = along.length, n = sigmas.length, floor = Math.log1p(rate), negative = along.some((one) => one < 0);
  const needed = new Float64Array(h), slopes = new Float64Array(h);
  let every = 0, middle = 0, mean = 0;
  for (let point = 0; point < n; point++) {
    for (let j = 0; j < h; j++) {
      needed[j] = floor - growth.mean[j] - sigmas[point] * strays[point * h + j];
      slopes[j] = sigmas[point] * along[j];
    }
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
