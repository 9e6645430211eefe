// One law of the path (lib/law.py, lib/mixtures.py): a mixture of Gaussians over the log levels of named years. A law is
// { years, parts }, each part { w, mean, cov }: its weight, means and covariances, row by row. Quantiles and readings
// are those of lib, from the same points.

const TINY = 1e-12, FAR = 9;

/** Nodes of df / χ²(df) and their weights: the double-exponential rule of lib.mixtures.variance_nodes. */
function varianceNodes(df, count) {
  const half = Math.min(df, 1e6) / 2;
  // The t with t − e⁻ᵗ/10 = ln x, by Newton.
  const place = (x) => { let t = Math.max(Math.log(x), -2); for (let k = 0; k < 60; k++) t -= (t - 0.1 * Math.exp(-t) - Math.log(x)) / (1 + 0.1 * Math.exp(-t)); return t; };
  const start = place(gammaQuantile(half, 10 ** -4.5, 0) / half), end = place(gammaQuantile(half, 10 ** -3.5, 1) / half);
  const nodes = upTo(count).map((k) => {
    const t = start + (end - start) * k / (count - 1), u = t - 0.1 * Math.exp(-t);
    return { u, log: half * (u - Math.exp(u)) + Math.log1p(0.1 * Math.exp(-t)) };
  });
  const top = Math.max(...nodes.map((one) => one.log)), weights = nodes.map((one) => Math.exp(one.log - top));
  return { weights: weights.map((one) => one / sum(weights)), scales: nodes.map((one) => Math.exp(-one.u)) };
}

const rulesOf = new Map();

/** The rule of a law's years, or with 10 nodes of the error of an observation; each is made once. */
function ruleOf(df, count = 12) {
  const key = `${df} ${count}`;
  if (!rulesOf.has(key)) rulesOf.set(key, varianceNodes(df, count));
  return rulesOf.get(key);
}

/** An n × n matrix, row by row. */
function square(n, value) {
  const matrix = new Float64Array(n * n);
  for (let i = 0, k = 0; i < n; i++) for (let j = 0; j < n; j++) matrix[k++] = value(i, j);
  return matrix;
}

/** The law of the `horizon` years after one with a known level (lib.law.from_posterior). */
function lawFrom(model, lastYear, level, horizon) {
  const r = model.autocorrelation, own = ruleOf(model.df), redrawn = ruleOf(model.classDf), share = MODEL.class_share;
  // Summed twice over the growth of years i and j: its drift, the years themselves, and neighbours; the latest rate is known.
  const shape = square(horizon, (i, j) => (i + 1) * (j + 1) / model.weight + Math.min(i, j) + 1 + r * (2 * Math.min(i, j) + (i === j ? 0 : 1)) - r * r);
  const mean = Float64Array.from({ length: horizon }, (_, k) => Math.log(level) + (k + 1) * model.mean + model.echo);
  const part = (w, variance) => ({ w, mean, cov: shape.map((one) => one * variance) });
  return {
    years: upTo(horizon).map((k) => lastYear + 1 + k),
    parts: [...own.weights.map((w, k) => part((1 - share) * w, model.variance * own.scales[k])),
      ...redrawn.weights.map((w, k) => part(share * w, model.classVariance * redrawn.scales[k]))],
  };
}

/** A part after row · x + noise = value, with the logarithm of its weight (lib.law._condition). */
function conditioned({ log, mean, cov }, row, value, error, correlation) {
  const n = mean.length, reach = new Float64Array(n);
  let raw = 0, size = 0, surprise = value;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) reach[i] += cov[i * n + j] * row[j];
    raw += reach[i] * row[i]; size += row[i] ** 2 * cov[i * n + i]; surprise -= mean[i] * row[i];
  }
  const own = raw > 1e-12 * size ? raw : 0, safe = own || 1, shared = -correlation * Math.sqrt(own * error), total = own + 2 * shared + error;
  const pull = own > 0 ? clip((own + shared) / (total > 0 ? total : 1), 0, 1) : 0;
  const left = (1 - pull) ** 2 * own + pull ** 2 * error - 2 * pull * (1 - pull) * shared, by = (own - left) / safe ** 2;
  const after = { log: log - 0.5 * (surprise ** 2 / Math.max(total, TINY) + Math.log(Math.max(total, TINY))), mean: mean.slice(), cov: cov.slice() };
  for (let i = 0, k = 0; i < n; i++) {
    after.mean[i] += pull / safe * reach[i] * surprise;
    for (let j = 0; j < n; j++, k++) {
      after.cov[k] -= by * reach[i] * reach[j];
      if (Math.abs(after.cov[k]) <= 1e-13 * Math.abs(cov[k])) after.cov[k] = 0;
    }
  }
  return after;
}

/** The law after sums of log levels, each [row, value, variance]; nodes: [weight, scale of the variances] of the errors. */
function given(law, seen, nodes = [[1, 1]], correlation = 0) {
  const parts = nodes.flatMap(([weight, scale]) => law.parts.map((part) => seen.reduce(
    (kept, [row, value, variance]) => conditioned(kept, row, value, variance * scale, correlation), { ...part, log: Math.log(part.w) + Math.log(weight) })));
  const top = parts.reduce((most, one) => Math.max(most, one.log), -Infinity), total = sum(parts.map((one) => Math.exp(one.log - top)));
  return { years: law.years, parts: parts.map(({ log, mean, cov }) => ({ w: Math.exp(log - top) / total, mean, cov })) };
}

const studentNodes = (df) => ruleOf(df, 10).weights.map((w, k) => [w, ruleOf(df, 10).scales[k]]);
const rowOf = (law, year) => law.years.map((one) => one === year ? 1 : 0);

/** The law after those of its years that the record knows. */
function exactly(law, record) {
  const known = law.years.filter((year) => record.has(year));
  return known.length ? given(law, known.map((year) => [rowOf(law, year), Math.log(record.get(year).value), 0])) : law;
}

/** The law of those of its years that are wanted. */
function marginal(law, wanted) {
  const n = law.years.length, kept = upTo(n).filter((i) => wanted(law.years[i]));
  if (kept.length === n) return law;
  const parts = law.parts.map(({ w, mean, cov }) => ({ w, mean: mean.filter((_, i) => wanted(law.years[i])), cov: square(kept.length, (i, j) => cov[kept[i] * n + kept[j]]) }));
  return { years: kept.map((i) => law.years[i]), parts };
}

/** The law with further years: the level of `start`, which is in the law or given, times the growth since (lib.law.followed_by). */
function followedBy(law, growth, start, level) {
  const n = law.years.length, m = growth.years.length, at = level === null ? law.years.indexOf(start) : -1;
  const join = (one, next) => {
    const old = (i, j) => i < 0 || j < 0 ? 0 : one.cov[i * n + j], place = (i) => i < n ? i : at, from = at < 0 ? Math.log(level) : one.mean[at];
    return {
      w: one.w * next.w, mean: Float64Array.from([...one.mean, ...next.mean.map((by) => by + from)]),
      cov: square(n + m, (i, j) => old(place(i), place(j)) + (i < n || j < n ? 0 : next.cov[(i - n) * m + j - n])),
    };
  };
  return { years: [...law.years, ...growth.years], parts: law.parts.flatMap((one) => growth.parts.map((next) => join(one, next))) };
}

/** The law that larger flows give, as it was shipped: each part a weight, means, and the lower triangle of covariances. */
function unpacked({ years, parts }) {
  const n = years.length, place = (i, j) => 1 + n + Math.max(i, j) * (Math.max(i, j) + 1) / 2 + Math.min(i, j);
  return { years, parts: parts.map((row) => ({ w: row[0], mean: Float64Array.from(row.slice(1, 1 + n)), cov: square(n, (i, j) => row[place(i, j)]) })) };
}

/** The law without its lightest parts, which together weigh no more than is shown (lib.law.prune). */
function prune(law) {
  const order = upTo(law.parts.length).sort((i, j) => law.parts[i].w - law.parts[j].w);
  let gone = 0;
  const kept = order.filter((k) => (gone += law.parts[k].w) > MODEL.negligible).sort((i, j) => i - j).map((k) => law.parts[k]), total = sum(kept.map((one) => one.w));
  return { years: law.years, parts: kept.map((one) => ({ ...one, w: one.w / total })) };
}

/** Weights, means and standard deviations of one year of some parts. */
const column = (parts, at) => parts.map(({ w, mean, cov }) => [w, mean[at], Math.max(Math.sqrt(Math.max(cov[at * mean.length + at], 0)), TINY)]);

/** Distribution function of a column at x; a known value is not below itself. */
const below = (parts, x) => clip(sum(parts.map(([w, mean, sd]) => w * ndtr((x - SLACK - mean) / sd))), 0, 1);

/** Quantiles of a column, p and its z: Newton on the probit scale, kept between those of the parts (lib.mixtures.quantiles). */
function quantile(parts, p, z) {
  let low = Infinity, high = -Infinity, middle = 0, spread = 0;
  for (const [w, mean, sd] of parts) {
    low = Math.min(low, mean + sd * z); high = Math.max(high, mean + sd * z);
    middle += w * mean; spread += w * Math.log(sd);
  }
  let x = clip(middle + z * Math.exp(spread), low, high);
  for (let k = 0; k < 100; k++) {
    let total = 0, slope = 0;
    for (const [w, mean, sd] of parts) { const u = (x - mean) / sd; total += w * ndtr(u); slope += w / sd * density(u); }
    if (total < p) low = x; else high = x;
    const reached = ndtri(clip(total, 1e-300, 1 - 1e-16)), step = x + (z - reached) * density(reached) / slope;
    const next = step > low && step < high ? step : (low + high) / 2;
    if (Math.abs(next - x) < 1e-6) return next;  // the next step would be its square
    x = next;
  }
  return x;
}

/** The parts of the law of the log growth of each year of a goal; a known year has no variance, and its own level. */
function growthOf(law, goal, record) {
  const h = goal.years, n = law.years.length, years = upTo(h).map((k) => goal.baseYear + 1 + k), place = years.map((year) => law.years.indexOf(year));
  const level = years.map((year) => record.has(year) ? Math.log(record.get(year).value) : NaN), start = Math.log(goal.base);
  return law.parts.map(({ w, mean, cov }) => {
    const path = place.map((at, k) => at < 0 ? level[k] : mean[at]), shared = square(h, (i, j) => place[i] < 0 || place[j] < 0 ? 0 : cov[place[i] * n + place[j]]);
    for (let k = h * h - 1; k >= h; k--) shared[k] -= shared[k - h];
    for (let k = h * h - 1; k >= 0; k--) if (k % h) shared[k] -= shared[k - 1];
    return { w, mean: path.map((one, i) => one - (i ? path[i - 1] : start)), cov: shared };
  });
}

const diagonal = (shape, n) => upTo(n).map((i) => shape[i * n + i]);

/** Pivoted Cholesky root: always the year with most variance left is next, of equals the first; `least` is none. */
function rootOf(shape, n, least) {
  const left = shape.slice(), root = new Float64Array(n * n);
  for (let step = 0; step < n; step++) {
    const variance = diagonal(left, n), most = Math.max(...variance), pivot = variance.findIndex((one) => one >= most - 1e-7 * Math.abs(most));
    if (!(most > least)) break;
    for (let i = 0; i < n; i++) root[i * n + step] = left[i * n + pivot] / Math.sqrt(most);
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) left[i * n + j] -= root[i * n + step] * root[j * n + step];
  }
  return root;
}

/** Direction b of the sum and the columns of R, with bbᵀ + RRᵀ the shape (lib.mixtures._split). */
function split(shape, n) {
  const summed = upTo(n).map((i) => sum(shape.subarray(i * n, (i + 1) * n))), variance = sum(summed), least = 1e-12 * sum(diagonal(shape, n));
  const along = variance > least ? summed.map((one) => one / Math.sqrt(variance)) : upTo(n).map((i) => rootOf(shape, n, least)[i * n]);
  return { along, across: rootOf(square(n, (i, j) => shape[i * n + j] - along[i] * along[j]), n, least) };
}

const rowsOf = new Map();

/** The j-th coordinate of a lattice of lib.mixtures._points, of the first as it is, of the others their normal quantiles. */
function latticeRow(n, generator, shift, j) {
  const key = `${n} ${j}`;
  if (!rowsOf.has(key)) {
    const row = new Float64Array(n);
    let step = 1;
    for (let k = 0; k < j; k++) step = step * generator % n;
    for (let i = 0; i < n; i++) { const one = ((i * step % n + 0.5) / n + shift * j) % 1; row[i] = j ? ndtri(one) : one; }
    rowsOf.set(key, row);
  }
  return rowsOf.get(key);
}

/** What the readings of a law need, whatever the rate: at each point the growth of each year, and how it moves with the sum. */
function preparedFor(growth) {
  const h = growth[0].mean.length, lattice = h <= 5 ? [8191, 1163, 0] : [16381, 2847, 0.618034], [first, ...normal] = upTo(h).map((j) => latticeRow(...lattice, j));
  const trace = growth.map(({ cov }) => sum(diagonal(cov, h))), order = upTo(growth.length).sort((i, j) => trace[i] - trace[j]);
  const n = first.length, strays = new Float64Array(n * h), along = new Float64Array(n * h), z = new Float64Array(h), splits = [];
  for (let point = 0, k = 0, reached = growth[order[0]].w; point < n; point++) {
    while (reached < first[point] && k < order.length - 1) reached += growth[order[++k]].w;
    const { mean, cov } = growth[order[k]], { along: slope, across } = splits[k] ??= split(cov, h);
    for (let i = 0; i < h - 1; i++) z[i] = normal[i][point];
    for (let j = 0, at = point * h; j < h; j++, at++) {
      let stray = mean[j];
      for (let i = 0; i < h; i++) stray += across[j * h + i] * z[i];
      along[at] = slope[j]; strays[at] = stray;
    }
  }
  return { h, n, growth, along, strays };
}

/** Chances of growing by a rate in every year and in the mean of the years, given that on average (lib.mixtures.readings). */
function otherReadings({ h, n, along, strays }, rate, average) {
  const floor = Math.log1p(rate), needed = new Float64Array(h), slopes = new Float64Array(h);
  let every = 0, middle = 0, mean = 0;
  for (let point = 0; point < n; point++) {
    for (let j = 0, k = point * h; j < h; j++, k++) { needed[j] = floor - strays[k]; slopes[j] = along[k]; }
    // In every year: an interval of ζ ~ N(0, 1). On average: from a value of it on. In the mean: all but an interval.
    let low = -Infinity, high = Infinity, short = 0, slope = 0, falls = false;
    for (let j = 0; j < h; j++) {
      short += needed[j]; slope += slopes[j];
      if (slopes[j] > SLACK) low = Math.max(low, needed[j] / slopes[j]);
      else if (slopes[j] < -SLACK) { high = Math.min(high, needed[j] / slopes[j]); falls = true; }
      else if (needed[j] > SLACK) low = Infinity;
    }
    const start = clip(slope > SLACK ? short / slope : short > SLACK ? Infinity : -Infinity, -FAR, FAR), chance = ndtr(-start);
    if (low < high) every += ndtr(-low) - ndtr(-high);
    middle += chance;
    let suffices = beyondRoot(needed, slopes, start);
    if (falls) suffices = Math.min(suffices + beyondRoot(needed, slopes.map((one) => -one), FAR), 1);
    mean += suffices - chance;
  }
  return { every_year: Math.min(clip((every - middle) / n + average, 0, 1), average), mean_of_rates: clip(average + mean / n, average, 1) };
}

/** P(ζ ≥ root), the largest ζ at which the mean of exp(slope_j · ζ − needed_j) is 1 (lib.mixtures._p_beyond). */
function beyondRoot(needed, slopes, start) {
  const n = needed.length;
  for (let x = start, step = 0; ; step++) {
    let top = -Infinity, total = 0, slope = 0, bend = 0;
    for (let j = 0; j < n; j++) top = Math.max(top, slopes[j] * x - needed[j]);
    for (let j = 0; j < n; j++) {
      const share = Math.exp(slopes[j] * x - needed[j] - top), pull = share * slopes[j];
      total += share; slope += pull; bend += pull * slopes[j];
    }
    const excess = top + Math.log(total / n);
    if (step === 0 && x >= FAR && excess < 0) return 0;
    slope /= total;
    const move = excess / slope, bent = move * (bend / total - slope * slope) / slope / 2;
    const next = clip(slope > 0 ? x - move / (1 - (bent < 0.25 ? Math.max(bent, 0) : 0)) : -FAR, -FAR, FAR);
    if (Math.abs(next - x) < 3e-3 || step === 30) return ndtr(-next);  // the next step would be of the order of its cube
    x = next;
  }
}
