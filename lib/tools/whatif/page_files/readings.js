// The three readings of a law of growth from the points of lib/mixtures.py, whose words are used here.

const FAR = 9, NEAR = 3e-3, MOST_STEPS = 30, points = new Map();

/** The parts of the law of the log growth of each year of a goal; a known year has its level, no variance. */
function growthOf({ years, parts }, goal, record) {
  const h = goal.years, n = years.length, asked = upTo(h).map((k) => goal.baseYear + 1 + k);
  const place = asked.map((year) => years.indexOf(year));
  const known = asked.map((year) => record.has(year) ? Math.log(record.get(year).value) : NaN);
  return parts.map(({ w, mean, cov }) => {
    const level = (k) => k < 0 ? Math.log(goal.base) : place[k] < 0 ? known[k] : mean[place[k]];
    const grown = square(h, (i, j) => place[i] < 0 || place[j] < 0 ? 0 : cov[place[i] * n + place[j]]);
    for (let k = h * h - 1; k >= h; k--) grown[k] -= grown[k - h];
    for (let k = h * h - 1; k >= 0; k--) if (k % h) grown[k] -= grown[k - 1];
    return { w, mean: numbers(h, (k) => level(k) - level(k - 1)), cov: grown };
  });
}

function trace(shape, n) {
  let total = 0;
  for (let k = 0; k < n * n; k += n + 1) total += shape[k];
  return total;
}

/** Take from a shape what its years have in common through a column. */
function takeOff(left, column, n) {
  for (let i = 0; i < n; i++) {
    const by = column[i];
    for (let j = 0; j < n && Math.abs(by) > TINY; j++) left[i * n + j] -= by * column[j];
  }
}

/** Pivoted Cholesky root: the year with most variance left is next, of equals the first; `least` is none. */
function rootOf(shape, n, least) {
  const left = shape.slice(), root = numbers(n * n, () => 0);
  for (let step = 0; step < n; step++) {
    let most = -Infinity, pivot = 0;
    for (let k = 0; k < n * n; k += n + 1) most = Math.max(most, left[k]);
    if (!(most > least)) break;
    while (left[pivot * n + pivot] < most - 1e-7 * most) pivot++;
    const column = numbers(n, (i) => left[i * n + pivot] / Math.sqrt(most));
    for (let i = 0; i < n; i++) root[i * n + step] = column[i];
    takeOff(left, column, n);
  }
  return root;
}

/** Direction b of the sum and the columns of R, with bbᵀ + RRᵀ the shape (lib.mixtures._split). */
function split(shape, n) {
  const least = 1e-12 * trace(shape, n), rest = shape.slice();
  let along = numbers(n, (i) => sum(shape.slice(i * n, (i + 1) * n)));
  const variance = sum(along);
  if (variance > least) along = along.map((one) => one / Math.sqrt(variance));
  else along = rootOf(shape, n, least).filter((_, k) => k % n === 0);
  takeOff(rest, along, n);
  return { along, across: rootOf(rest, n, least) };
}

/** Normal quantiles of the j-th coordinate of a lattice (lib.mixtures._points), made once. */
function latticeRow([n, generator, shift], j) {
  const key = `${n} ${j}`, step = upTo(j).reduce((power) => power * generator % n, 1);
  if (!points.has(key)) points.set(key, numbers(n, (i) => ndtri(((i * step % n + 0.5) / n + shift * j) % 1)));
  return points.get(key);
}

/** What the readings need, whatever the rate: of each part its points, and there the growth of each year. */
function preparedFor(growth) {
  const h = growth[0].mean.length, lattice = h <= 5 ? [8191, 1163, 0] : [16381, 2847, 0.618034];
  const normal = upTo(h - 1).map((j) => latticeRow(lattice, j + 1));
  const [n] = lattice, stray = new Float64Array(n * h), pieces = [];
  const ordered = growth.map((part) => [part, trace(part.cov, h)]).sort(([, a], [, b]) => a - b);
  let start = 0, weight = 0;
  ordered.forEach(([{ w, mean, cov }], place) => {
    weight += w;
    const end = place === ordered.length - 1 ? n : Math.min(n, Math.floor(weight * n + 0.5));
    if (end === start) return;
    const { along, across } = split(cov, h);
    scatter(stray, mean, across, normal, start, end);
    pieces.push({ start, end, along });
    start = end;
  });
  return { h, n, pieces, stray };
}

/** Put the growth of each year at the points from `start` to `end`: its mean and what R brings. */
function scatter(stray, mean, across, normal, start, end) {
  const h = mean.length, at = new Array(h - 1);
  for (let point = start, k = start * h; point < end; point++) {
    for (let i = 0; i < h - 1; i++) at[i] = normal[i][point];
    for (let j = 0; j < h; j++) {
      let one = mean[j];
      for (let i = 0; i < h - 1; i++) one += across[j * h + i] * at[i];
      stray[k++] = one;
    }
  }
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
      const from = slope > SLACK ? clip(short / slope, -FAR, FAR) : short > SLACK ? FAR : -FAR;
      if (low < high) every += ndtr(-low) - ndtr(-high);
      const chance = ndtr(-from), other = falls ? beyondRoot(needed, against, FAR) : 0;
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
    if (step === 0 && x >= FAR && excess < 0) return 0;
    slope /= total;
    const move = excess / slope, bent = move * (bend / total - slope * slope) / slope / 2;
    const next = slope > 0 ? clip(x - move / (1 - (bent < 0.25 ? Math.max(bent, 0) : 0)), -FAR, FAR) : -FAR;
    if (Math.abs(next - x) < NEAR || step === MOST_STEPS) return ndtr(-next);  // the next: as its cube
    x = next;
  }
}
