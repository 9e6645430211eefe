// One law of the path (lib/law.py): a mixture of Gaussians over the log levels of named years. A law is
// { years, parts }, each part { log, mean, cov }: the log of its weight, means, covariances by row.

/** Nodes of df / χ²(df), [weight, scale]: lib.mixtures.variance_nodes, between the ends that lib gives. */
function varianceNodes(df, count) {
  const half = df / 2, x = 2 * Math.log(df) / Math.log(MODEL.most_df) - 1;
  const [start, end] = MODEL.ends.map((powers) => powers.reduceRight((total, one) => total * x + one, 0));
  const nodes = numbers(count, (k) => {
    const t = start + (end - start) * k / (count - 1), u = t - 0.1 * Math.exp(-t);
    return [Math.exp(half * (u - Math.exp(u) + 1)) * (1 + 0.1 * Math.exp(-t)), Math.exp(-u)];
  });
  const total = sum(nodes.map(([weight]) => weight));
  return nodes.map(([weight, scale]) => [weight / total, scale]);
}

/** The law of larger flows, as shipped, for some years: a part is weight, means, triangle of covariances. */
function unpacked({ years, parts }, wanted) {
  const n = years.length, at = numbers(n, (k) => k).filter((k) => wanted(years[k])), m = at.length;
  const place = (i, j) => i < j ? place(j, i) : n + i * (i + 1) / 2 + j;
  const unpack = ([weight, ...row]) => ({
    log: Math.log(weight), mean: at.map((i) => row[i]), cov: square(m, (i, j) => row[place(at[i], at[j])]),
  });
  return { years: years.filter(wanted), parts: parts.map(unpack) };
}

/** The law with the years after `end`, grown as expected; the level of `end` is known or in the law. */
function followedBy({ years, parts }, { posterior, from }, end, until, level) {
  const [drift, worth, variance, df, r, echo, classVariance, classDf] = posterior, share = MODEL.class_share;
  if (end >= until) return { years, parts };
  const n = years.length, m = n + until - end, at = years.includes(end) ? years.indexOf(end) : NaN;
  const nodes = [[1 - share, variance, df], [share, classVariance, classDf]].flatMap(([whole, size, free]) =>
    varianceNodes(free, 12).map(([weight, scale]) => [Math.log(whole * weight), size * scale]));
  // Summed twice over the growth of years i and j: its drift, the years themselves, and neighbours.
  const shape = square(m, (i, j) => {
    const both = Math.min(i, j) - n, neighbours = 2 * both + (i === j ? 0 : 1);
    return both < 0 ? 0 : (i - n + 1) * (j - n + 1) / worth + both + 1 + r * neighbours - r * r;
  });
  const place = (i) => i < n ? i : at, first = end === from ? drift + echo : drift;
  const join = ({ log, mean, cov }) => {
    const old = square(m, (i, j) => cov[place(i) * n + place(j)] ?? 0), start = mean[at] ?? Math.log(level);
    const means = numbers(m, (i) => i < n ? mean[i] : start + first + (i - n) * drift);
    return nodes.map(([weight, size]) =>
      ({ log: log + weight, mean: means, cov: old.map((one, k) => one + size * shape[k]) }));
  };
  return { years: [...years, ...numbers(m - n, (k) => end + 1 + k)], parts: parts.flatMap(join) };
}

/** Have a part learn that row · x + noise = value, the noise of variance `error` (lib.law._condition). */
function observe(part, row, value, error, correlation) {
  const { mean, cov } = part, n = mean.length, reach = row.map(() => 0);
  let raw = 0, size = 0, surprise = value;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) reach[i] += cov[i * n + j] * row[j];
    raw += reach[i] * row[i];
    size += row[i] * row[i] * cov[i * n + i];
    surprise -= mean[i] * row[i];
  }
  const own = raw > 1e-12 * size ? raw : 0, safe = own || 1, shared = -correlation * Math.sqrt(own * error);
  const total = Math.max(own + 2 * shared + error, 0), spread = Math.max(total, TINY);
  const pull = own > 0 ? clip((own + shared) / (total || 1), 0, 1) : 0, rest = 1 - pull;
  const by = (own - rest ** 2 * own - pull ** 2 * error + 2 * pull * rest * shared) / safe ** 2;
  for (let i = 0, k = 0; i < n; i++) {
    mean[i] += pull / safe * surprise * reach[i];
    for (let j = 0; j < n; j++, k++) {
      const left = cov[k] - by * reach[i] * reach[j];
      cov[k] = Math.abs(left) > 1e-13 * Math.abs(cov[k]) ? left : 0;
    }
  }
  part.log -= (surprise ** 2 / spread + Math.log(spread)) / 2;
}

/** The law after sums, [factors of the `named` years, value, variance]; nodes of errors, [weight, scale]. */
function given({ years, parts }, named, sums, nodes, correlation) {
  const told = sums.map(([by, ...rest]) => [years.map((year) => by[named.indexOf(year)] ?? 0), ...rest]);
  const after = ({ log, mean, cov }, [weight, scale]) => {
    const part = { log: log + Math.log(weight), mean: mean.slice(), cov: cov.slice() };
    for (const [row, value, variance] of told) observe(part, row, value, variance * scale, correlation);
    return part;
  };
  return { years, parts: nodes.flatMap((node) => parts.map((part) => after(part, node))) };
}

/** The law, weighed, without its lightest parts, which together weigh less than is shown (lib.law.prune). */
function prune({ years, parts }) {
  const top = parts.reduce((most, { log }) => Math.max(most, log), -Infinity);
  const weights = parts.map(({ log }) => Math.exp(log - top));
  let left = MODEL.negligible * sum(weights), least = 0;
  for (const weight of weights.toSorted((a, b) => a - b)) if ((left -= weight) >= 0) least = weight;
  const heavy = parts.filter((_, k) => weights[k] > least), total = sum(weights.filter((one) => one > least));
  return { years, parts: heavy.map((part) => ({ ...part, w: Math.exp(part.log - top) / total })) };
}

/** Weights, means and standard deviations of the level of a year, or of its growth from another, by part. */
function column({ years, parts }, year, from) {
  const n = years.length, i = years.indexOf(year), j = years.indexOf(from), grows = j >= 0 ? 1 : 0;
  const variance = (cov) => cov[i * n + i] + (grows && cov[j * n + j] - 2 * cov[i * n + j]);
  const sds = parts.map(({ cov }) => Math.max(Math.sqrt(Math.max(variance(cov), 0)), TINY));
  return [parts.map(({ w }) => w), parts.map(({ mean }) => mean[i] - (grows && mean[j])), sds];
}

/** Share of a column below x. */
function below([weights, means, sds], x) {
  const share = weights.reduce((total, weight, k) => total + weight * ndtr((x - means[k]) / sds[k]), 0);
  return clip(share, 1e-8, 1 - 1e-8);
}

/** Share of a column that is at x or above; a known value is not below itself. */
const reaching = (levels, x) => 1 - below(levels, x - SLACK);

/** Quantiles of a column: secants on the probit scale, kept inside a bracket (lib.mixtures.quantiles). */
function quantiles(levels, probabilities) {
  const [weights, means, sds] = levels, mixed = (values) => sum(values.map((one, k) => weights[k] * one));
  const mean = mixed(means), sd = mixed(sds), far = END * Math.max(...sds);
  const least = Math.min(...means) - far, most = Math.max(...means) + far;
  return probabilities.map(ndtri).map((z) => {
    let low = least, high = most, x = mean + z * sd, slope = 1 / sd, before = NaN, last = NaN;
    for (let step = 0; ; step++) {
      const short = z - ndtri(below(levels, x));
      if (short > 0) low = x; else high = x;
      if (step) slope = (last - short) / (x - before);
      const next = x + short / slope, move = (next > low && next < high ? next : (low + high) / 2) - x;
      if (Math.abs(move) < 1e-7 || step === 100) return x + move;
      [before, last] = [x, short];
      x += move;
    }
  });
}
