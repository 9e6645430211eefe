// The three readings of a law of growth from the points of lib/mixtures.py, whose words are used here.

const NEAR = 3e-3, MOST_STEPS = 30, points = {};

/** Columns of a root of a shape: one along the sum of the years, if that varies, then by pivoted Cholesky. */
function rootOf(shape, n) {
  const left = shape.slice(), columns = [], least = 1e-12 * sum(numbers(n, (i) => shape[i * n + i]));
  const take = (reach, variance) => {
    const column = reach.map((one) => one / Math.sqrt(variance));
    columns.push(column);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n && Math.abs(column[i]) > TINY; j++) left[i * n + j] -= column[i] * column[j];
    }
  };
  const along = numbers(n, (i) => sum(shape.slice(i * n, (i + 1) * n))), whole = sum(along);
  if (whole > least) take(along, whole);
  while (columns.length < n) {
    let most = 0, pivot = 0;
    for (let i = 0; i < n; i++) most = Math.max(most, left[i * n + i]);
    if (!(most > least)) break;
    while (left[pivot * n + pivot] < most - 1e-7 * most) pivot++;  // of equals the first
    take(left.slice(pivot * n, pivot * n + n), most);
  }
  return columns;
}

/** Normal quantiles of the j-th coordinate of a lattice (lib.mixtures._points), made once. */
function latticeRow([n, generator, shift], j) {
  const step = new Array(j).fill(generator).reduce((power, by) => power * by % n, 1);
  return points[`${n} ${j}`] ??= numbers(n, (i) => ndtri(((i * step % n + 0.5) / n + shift * j) % 1));
}

/** What the readings need, whatever the rate: of each part its points, and there the growth of each year. */
function preparedFor({ years, parts }, { baseYear, years: h }, record) {
  const asked = numbers(h + 1, (k) => baseYear + k), place = asked.map((year) => years.indexOf(year));
  const known = asked.map((year) => Math.log(record.get(year)?.value));
  const level = (mean, k) => place[k] < 0 ? known[k] : mean[place[k]];
  const shared = (cov, i, j) => place[i] < 0 || place[j] < 0 ? 0 : cov[place[i] * years.length + place[j]];
  const grown = (cov, i, j) =>
    shared(cov, i + 1, j + 1) - shared(cov, i, j + 1) - shared(cov, i + 1, j) + shared(cov, i, j);
  const traced = parts.map((part) => [part, sum(numbers(h, (k) => grown(part.cov, k, k)))]);
  const lattice = h <= 5 ? [8191, 1163, 0] : [16381, 2847, 0.618034], [n] = lattice, pieces = [];
  const normal = numbers(h - 1, (j) => latticeRow(lattice, j + 1)), stray = new Float64Array(n * h);
  let start = 0, weight = 0;
  for (const [{ w, mean, cov }] of traced.sort(([, a], [, b]) => a - b)) {
    weight += w;
    const end = Math.min(n, Math.floor(weight * n + 0.5));
    if (end === start) continue;
    const middle = numbers(h, (k) => level(mean, k + 1) - level(mean, k));
    const [along = middle.map(() => 0), ...across] = rootOf(square(h, (i, j) => grown(cov, i, j)), h);
    pieces.push({ start, end, along });
    for (let point = start, k = start * h; point < end; point++) {
      for (let j = 0; j < h; j++, k++) {
        let growth = middle[j];
        for (let i = 0; i < across.length; i++) growth += normal[i][point] * across[i][j];
        stray[k] = growth;
      }
    }
    start = end;
  }
  return { h, n, pieces, stray };
}

/** Chances of growing by a rate in every year and in the mean of the years, given that on average. */
function otherReadings({ h, n, pieces, stray }, rate, average) {
  const floor = Math.log1p(rate), needed = new Float64Array(h);
  let every = 0, middle = 0, mean = 0;
  for (const { start, end, along } of pieces) {
    const slope = sum(along), falls = along.some((one) => one < -SLACK), against = along.map((one) => -one);
    for (let point = start, k = start * h; point < end; point++) {
      // Every year: an interval of ζ ~ N(0, 1). On average: from a value on. The mean: all but an interval.
      let low = -Infinity, high = Infinity, short = 0;
      for (let j = 0; j < h; j++, k++) {
        const need = floor - stray[k], by = along[j];
        needed[j] = need;
        short += need;
        if (by > SLACK) low = Math.max(low, need / by);
        else if (by < -SLACK) high = Math.min(high, need / by);
        else if (need > SLACK) low = Infinity;
      }
      const from = slope > SLACK ? clip(short / slope, -END, END) : short > SLACK ? END : -END;
      if (low < high) every += ndtr(-low) - ndtr(-high);
      const chance = ndtr(-from), other = falls ? beyondRoot(needed, against, END) : 0;
      middle += chance;
      mean += Math.min(beyondRoot(needed, along, from) + other, 1) - chance;
    }
  }
  const inAll = clip((every - middle) / n + average, 0, average);
  return { every_year: inAll, mean_of_rates: clip(average + mean / n, average, 1) };
}

/** P(ζ ≥ root), the largest ζ where the mean of exp(slope_j·ζ − needed_j) is 1 (lib.mixtures._p_beyond). */
function beyondRoot(needed, slopes, start) {
  for (let x = start, step = 0; ; step++) {
    let total = 0, slope = 0, bend = 0;
    for (let j = 0; j < needed.length; j++) {
      const share = Math.exp(slopes[j] * x - needed[j]), pull = share * slopes[j];
      total += share;
      slope += pull;
      bend += pull * slopes[j];
    }
    const excess = Math.log(total / needed.length);
    if (step === 0 && x >= END && excess < 0) return 0;
    slope /= total;
    const move = excess / slope, bent = move * (bend / total - slope * slope) / slope / 2;
    const next = slope > 0 ? clip(x - move / (1 - (bent < 0.25 ? Math.max(bent, 0) : 0)), -END, END) : -END;
    if (Math.abs(next - x) < NEAR || step === MOST_STEPS) return ndtr(-next);  // the next: as its cube
    x = next;
  }
}
