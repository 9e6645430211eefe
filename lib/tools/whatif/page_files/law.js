// One law of the path (lib/law.py): a mixture of Gaussians over the log levels of named years. A law is
// { years, parts }, each part { w, mean, cov }: its weight, means and covariances, row by row.

const TINY = 1e-12;

const rules = new Map();

/** Nodes of df / χ²(df), each [weight, scale]: the rule of lib.mixtures.variance_nodes between the ends that lib gives. */
function varianceNodes(df, count = 12) {
  const key = `${df} ${count}`, half = df / 2;
  if (rules.has(key)) return rules.get(key);
  const x = 2 * Math.log(df) / Math.log(MODEL.most_df) - 1;
  const [start, end] = MODEL.ends.map((powers) => powers.reduceRight((total, one) => total * x + one, 0));
  const nodes = upTo(count).map((k) => {
    const t = start + (end - start) * k / (count - 1), u = t - 0.1 * Math.exp(-t);
    return [Math.exp(half * (u - Math.exp(u) + 1)) * (1 + 0.1 * Math.exp(-t)), Math.exp(-u)];
  });
  const total = sum(nodes.map(([weight]) => weight));
  rules.set(key, nodes.map(([weight, scale]) => [weight / total, scale]));
  return rules.get(key);
}

/** The nodes of the error of an observation. */
const errorNodes = (df) => varianceNodes(df, 10);

/** An n × n matrix, row by row. */
function square(n, value) {
  const matrix = new Float64Array(n * n);
  for (let i = 0, k = 0; i < n; i++) for (let j = 0; j < n; j++) matrix[k++] = value(i, j);
  return matrix;
}

/** The law of the years after one with a known level (lib.law.from_posterior); the echo is that of year `from`. */
function lawFrom({ from, posterior }, start, level, horizon) {
  const [drift, weight, variance, df, r, echo, classVariance, classDf] = posterior, share = MODEL.class_share;
  // Summed twice over the growth of years i and j: its drift, the years themselves, and neighbours.
  const shape = square(horizon, (i, j) => {
    const both = Math.min(i, j);
    return (i + 1) * (j + 1) / weight + both + 1 + r * (2 * both + (i === j ? 0 : 1)) - r * r;
  });
  const first = Math.log(level) + (start === from ? echo : 0);
  const mean = Float64Array.from(upTo(horizon), (k) => first + (k + 1) * drift);
  const partsOf = (whole, of, nodes) => nodes.map(([w, scale]) =>
    ({ w: whole * w, mean, cov: shape.map((one) => one * of * scale) }));
  return {
    years: upTo(horizon).map((k) => start + 1 + k),
    parts: [...partsOf(1 - share, variance, varianceNodes(df)), ...partsOf(share, classVariance, varianceNodes(classDf))],
  };
}

/** Change a part with the logarithm of its weight to what it is after row · x + noise = value (lib.law._condition). */
function condition(part, row, value, error, correlation) {
  const { mean, cov } = part, n = mean.length, reach = new Float64Array(n);
  let raw = 0, size = 0, surprise = value;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) reach[i] += cov[i * n + j] * row[j];
    raw += reach[i] * row[i];
    size += row[i] ** 2 * cov[i * n + i];
    surprise -= mean[i] * row[i];
  }
  const own = raw > 1e-12 * size ? raw : 0, safe = own || 1, shared = -correlation * Math.sqrt(own * error);
  const total = Math.max(own + 2 * shared + error, 0), spread = Math.max(total, TINY);
  const pull = own > 0 ? clip((own + shared) / (total || 1), 0, 1) : 0;
  const left = (1 - pull) ** 2 * own + pull ** 2 * error - 2 * pull * (1 - pull) * shared, by = (own - left) / safe ** 2;
  part.log -= 0.5 * (surprise ** 2 / spread + Math.log(spread));
  for (let i = 0, k = 0; i < n; i++) {
    mean[i] += pull / safe * reach[i] * surprise;
    for (let j = 0; j < n; j++, k++) {
      const after = cov[k] - by * reach[i] * reach[j];
      cov[k] = Math.abs(after) <= 1e-13 * Math.abs(cov[k]) ? 0 : after;
    }
  }
}

/** The law after sums of log levels, each [row, value, variance]; nodes of the errors: [weight, scale of the variances]. */
function given(law, seen, nodes = [[1, 1]], correlation = 0) {
  const parts = nodes.flatMap(([weight, scale]) => law.parts.map(({ w, mean, cov }) => {
    const part = { log: Math.log(w * weight), mean: mean.slice(), cov: cov.slice() };
    for (const [row, value, variance] of seen) condition(part, row, value, variance * scale, correlation);
    return part;
  }));
  const top = parts.reduce((most, { log }) => Math.max(most, log), -Infinity);
  const total = sum(parts.map(({ log }) => Math.exp(log - top)));
  return { years: law.years, parts: parts.map(({ log, mean, cov }) => ({ w: Math.exp(log - top) / total, mean, cov })) };
}

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
  const parts = law.parts.map(({ w, mean, cov }) => ({
    w, mean: Float64Array.from(kept, (i) => mean[i]), cov: square(kept.length, (i, j) => cov[kept[i] * n + kept[j]]),
  }));
  return { years: kept.map((i) => law.years[i]), parts };
}

/** The law with further years: the level of `start`, in the law or given, times the growth since (lib.law.followed_by). */
function followedBy(law, growth, start, level) {
  const n = law.years.length, m = growth.years.length, at = level === null ? law.years.indexOf(start) : -1;
  const join = (one, next) => {
    const from = at < 0 ? Math.log(level) : one.mean[at], place = (i) => i < n ? i : at;
    const old = (i, j) => i < 0 || j < 0 ? 0 : one.cov[i * n + j];
    return {
      w: one.w * next.w, mean: Float64Array.from([...one.mean, ...next.mean.map((by) => by + from)]),
      cov: square(n + m, (i, j) => old(place(i), place(j)) + (i < n || j < n ? 0 : next.cov[(i - n) * m + j - n])),
    };
  };
  const parts = law.parts.flatMap((one) => growth.parts.map((next) => join(one, next)));
  return { years: [...law.years, ...growth.years], parts };
}

/** The law that larger flows give, as it was shipped: each part a weight, means, and the lower triangle of covariances. */
function unpacked({ years, parts }) {
  const n = years.length, place = (i, j) => 1 + n + i * (i + 1) / 2 + j;
  return { years, parts: parts.map((row) => ({
    w: row[0], mean: Float64Array.from(row.slice(1, 1 + n)),
    cov: square(n, (i, j) => row[place(Math.max(i, j), Math.min(i, j))]),
  })) };
}

/** The law without its lightest parts, which together weigh no more than is shown (lib.law.prune). */
function prune({ years, parts }) {
  let gone = 0;
  const light = new Set([...parts].sort((a, b) => a.w - b.w).filter(({ w }) => (gone += w) <= MODEL.negligible));
  const kept = parts.filter((part) => !light.has(part)), total = sum(kept.map(({ w }) => w));
  return { years, parts: kept.map((part) => ({ ...part, w: part.w / total })) };
}

/** Weights, means and standard deviations of one year of some parts. */
const column = (parts, at) => parts.map(({ w, mean, cov }) =>
  [w, mean[at], Math.max(Math.sqrt(Math.max(cov[at * mean.length + at], 0)), TINY)]);

/** Share of a column that is at x or above; a known value is not below itself. */
function reaching(parts, x) {
  let total = 0;
  for (const [w, mean, sd] of parts) total += w * ndtr((x - SLACK - mean) / sd);
  return clip(1 - total, 0, 1);
}

/** Quantile of a column: Newton on the probit scale, kept between those of the parts (lib.mixtures.quantiles). */
function quantile(parts, p) {
  const z = ndtri(p), ends = parts.map(([, mean, sd]) => mean + sd * z);
  let low = Math.min(...ends), high = Math.max(...ends);
  let x = clip(sum(parts.map(([w, mean]) => w * mean)) + z * Math.exp(sum(parts.map(([w, , sd]) => w * Math.log(sd)))), low, high);
  for (let k = 0; k < 100; k++) {
    let total = 0, slope = 0;
    for (const [w, mean, sd] of parts) {
      const u = (x - mean) / sd;
      total += w * ndtr(u);
      slope += w / sd * density(u);
    }
    if (total < p) low = x; else high = x;
    const reached = ndtri(clip(total, 1e-300, 1 - 1e-16)), step = x + (z - reached) * density(reached) / slope;
    const next = step > low && step < high ? step : (low + high) / 2;
    if (Math.abs(next - x) < 1e-6) return next;  // the next step would be its square
    x = next;
  }
  return x;
}
