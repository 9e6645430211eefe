// One law of the path (lib/law.py): a mixture of Gaussians over the log levels of named years. A law is
// { years, parts }, each part { log, w, mean, cov }: its weight and the log of it, means, covariances by row.

const SLACK = 1e-9, TINY = 1e-12, rules = new Map();

/** Nodes of df / χ²(df), [weight, scale]: lib.mixtures.variance_nodes, between the ends that lib gives. */
function varianceNodes(df, count) {
  const key = `${df} ${count}`, half = df / 2, x = 2 * Math.log(df) / Math.log(MODEL.most_df) - 1;
  if (rules.has(key)) return rules.get(key);
  const [start, end] = MODEL.ends.map((powers) => powers.reduceRight((total, one) => total * x + one, 0));
  const nodes = upTo(count).map((k) => {
    const t = start + (end - start) * k / (count - 1), u = t - 0.1 * Math.exp(-t);
    return [Math.exp(half * (u - Math.exp(u) + 1)) * (1 + 0.1 * Math.exp(-t)), Math.exp(-u)];
  });
  const total = sum(nodes.map(([weight]) => weight));
  rules.set(key, nodes.map(([weight, scale]) => [weight / total, scale]));
  return rules.get(key);
}

/** An n × n matrix, row by row. */
function square(n, value) {
  const made = new Array(n * n);
  for (let i = 0, k = 0; i < n; i++) for (let j = 0; j < n; j++) made[k++] = value(i, j);
  return made;
}

/** The law that larger flows give, as shipped: of each part weight, means, lower triangle of covariances. */
function unpacked({ years, parts }) {
  const n = years.length, place = (i, j) => i < j ? place(j, i) : 1 + n + i * (i + 1) / 2 + j;
  const unpack = (row) =>
    ({ log: Math.log(row[0]), w: 0, mean: row.slice(1, 1 + n), cov: square(n, (i, j) => row[place(i, j)]) });
  return { years, parts: parts.map(unpack) };
}

/** The law of those of its years that are wanted. */
function marginal({ years, parts }, wanted) {
  const n = years.length, kept = upTo(n).filter((i) => wanted(years[i])), m = kept.length;
  return { years: kept.map((i) => years[i]), parts: parts.map(({ log, w, mean, cov }) => ({
    log, w, mean: numbers(m, (i) => mean[kept[i]]), cov: square(m, (i, j) => cov[kept[i] * n + kept[j]]),
  })) };
}

/** The law with the years after `end`, grown as expected; the level of `end` is known or in the law. */
function followedBy({ years, parts }, { posterior, from }, end, until, level) {
  const [drift, worth, variance, df, r, echo, classVariance, classDf] = posterior, share = MODEL.class_share;
  const n = years.length, at = years.indexOf(end), m = n + Math.max(until - end, 0);
  if (m === n) return { years, parts };
  const nodes = [[1 - share, variance, df], [share, classVariance, classDf]].flatMap(([whole, size, free]) =>
    varianceNodes(free, 12).map(([weight, scale]) => [Math.log(whole * weight), size * scale]));
  // Summed twice over the growth of years i and j: its drift, the years themselves, and neighbours.
  const shape = square(m, (i, j) => {
    const both = Math.min(i, j) - n, neighbours = 2 * both + (i === j ? 0 : 1);
    return both < 0 ? 0 : (i - n + 1) * (j - n + 1) / worth + both + 1 + r * neighbours - r * r;
  });
  const start = (at < 0 ? Math.log(level) : 0) + (end === from ? echo : 0), place = (i) => i < n ? i : at;
  const join = ({ log, mean, cov }) => {
    const old = square(m, (i, j) => place(i) < 0 || place(j) < 0 ? 0 : cov[place(i) * n + place(j)]);
    const means = numbers(m, (i) => i < n ? mean[i] : (mean[at] ?? 0) + start + (i - n + 1) * drift);
    return nodes.map(([weight, size]) =>
      ({ log: log + weight, w: 0, mean: means, cov: numbers(m * m, (k) => old[k] + size * shape[k]) }));
  };
  return { years: [...years, ...upTo(m - n).map((k) => end + 1 + k)], parts: parts.flatMap(join) };
}

/** A part after row · x + noise = value, the noise of variance `error` (lib.law._condition). */
function condition({ log, mean, cov }, row, value, error, correlation) {
  const n = mean.length, reach = new Array(n).fill(0), left = new Array(n * n);
  let raw = 0, size = 0, surprise = value;
  for (let i = 0, k = 0; i < n; i++) {
    for (let j = 0; j < n; j++) reach[i] += cov[k++] * row[j];
    raw += reach[i] * row[i];
    size += row[i] * row[i] * cov[i * n + i];
    surprise -= mean[i] * row[i];
  }
  const own = raw > 1e-12 * size ? raw : 0, safe = own || 1, shared = -correlation * Math.sqrt(own * error);
  const total = Math.max(own + 2 * shared + error, 0), spread = Math.max(total, TINY);
  const pull = own > 0 ? clip((own + shared) / (total || 1), 0, 1) : 0, rest = 1 - pull;
  const by = (own - rest ** 2 * own - pull ** 2 * error + 2 * pull * rest * shared) / safe ** 2;
  for (let i = 0, k = 0; i < n; i++) {
    for (let j = 0; j < n; j++, k++) {
      left[k] = cov[k] - by * reach[i] * reach[j];
      if (Math.abs(left[k]) <= 1e-13 * Math.abs(cov[k])) left[k] = 0;
    }
  }
  const moved = numbers(n, (i) => mean[i] + pull / safe * surprise * reach[i]);
  return { log: log - (surprise ** 2 / spread + Math.log(spread)) / 2, w: 0, mean: moved, cov: left };
}

/** The law after sums of log levels, [factors by year, value, variance]; nodes of errors, [weight, scale]. */
function given({ years, parts }, seen, nodes = [[1, 1]], correlation = 0) {
  const told = seen.map(([by, ...rest]) => [numbers(years.length, (i) => by[years[i]] ?? 0), ...rest]);
  const after = (part, weight, scale) => told.reduce(
    (one, [row, value, variance]) => condition(one, row, value, variance * scale, correlation),
    { ...part, log: part.log + Math.log(weight) },
  );
  const all = nodes.flatMap(([weight, scale]) => parts.map((part) => after(part, weight, scale)));
  return { years, parts: all };
}

/** The law, weighed, without its lightest parts, which together weigh less than is shown (lib.law.prune). */
function prune({ years, parts }) {
  const top = parts.reduce((most, { log }) => Math.max(most, log), -Infinity);
  const weights = numbers(parts.length, (k) => Math.exp(parts[k].log - top));
  let left = MODEL.negligible * sum(weights), least = 0;
  for (const weight of weights.slice().sort((a, b) => a - b)) if ((left -= weight) >= 0) least = weight;
  const kept = parts.filter((_, k) => weights[k] > least), total = sum(weights.filter((one) => one > least));
  for (const part of kept) part.w = Math.exp(part.log - top) / total;
  return { years, parts: kept };
}

/** Weights, means and standard deviations of one year of some parts. */
function column(parts, at) {
  const sd = ({ mean, cov }) => Math.max(Math.sqrt(Math.max(cov[at * mean.length + at], 0)), TINY);
  const all = (of) => numbers(parts.length, (k) => of(parts[k]));
  return [all(({ w }) => w), all(({ mean }) => mean[at]), all(sd)];
}

/** Share of a column that is at x or above; a known value is not below itself. */
function reaching([weights, means, sds], x) {
  let total = 0;
  for (let k = 0; k < weights.length; k++) total += weights[k] * ndtr((x - SLACK - means[k]) / sds[k]);
  return clip(1 - total, 0, 1);
}

/** Quantile of a column: Newton on the probit scale, between those of the parts (lib.mixtures.quantiles). */
function quantile([weights, means, sds], p) {
  const z = ndtri(p);
  let low = Infinity, high = -Infinity, x = 0, move = 1;
  for (let k = 0; k < weights.length; k++) {
    const end = means[k] + sds[k] * z;
    low = Math.min(low, end);
    high = Math.max(high, end);
    x += weights[k] * end;
  }
  for (let step = 0; step < 100 && Math.abs(move) > 1e-5; step++) {  // the next step would be its square
    let total = 0, slope = 0;
    for (let k = 0; k < weights.length; k++) {
      const u = (x - means[k]) / sds[k];
      total += weights[k] * ndtr(u);
      slope += weights[k] / sds[k] * slopeAt(u);
    }
    if (total < p) low = x; else high = x;
    const reached = ndtri(clip(total, 1e-8, 1 - 1e-8)), next = x + (z - reached) * density(reached) / slope;
    move = (next > low && next < high ? next : (low + high) / 2) - x;
    x += move;
  }
  return x;
}
