// The three readings of a law of growth from the points of lib/mixtures.py, whose words are used here.

const FAR = 9, NEAR = 3e-3, MOST_STEPS = 30;

/** The parts of the law of the log growth of each year of a goal; a known year has no variance, and its own level. */
function growthOf(law, goal, record) {
  const h = goal.years, n = law.years.length, years = upTo(h).map((k) => goal.baseYear + 1 + k);
  const place = years.map((year) => law.years.indexOf(year)), start = Math.log(goal.base);
  const level = years.map((year) => record.has(year) ? Math.log(record.get(year).value) : NaN);
  return law.parts.map(({ w, mean, cov }) => {
    const path = place.map((at, k) => at < 0 ? level[k] : mean[at]), grown = new Float64Array(h * h);
    for (let i = 0, k = 0; i < h; i++) {
      for (let j = 0; j < h; j++, k++) if (place[i] >= 0 && place[j] >= 0) grown[k] = cov[place[i] * n + place[j]];
    }
    for (let k = h * h - 1; k >= h; k--) grown[k] -= grown[k - h];
    for (let k = h * h - 1; k >= 0; k--) if (k % h) grown[k] -= grown[k - 1];
    return { w, mean: path.map((one, i) => one - (i ? path[i - 1] : start)), cov: grown };
  });
}

function trace(shape, n) {
  let total = 0;
  for (let k = 0; k < n * n; k += n + 1) total += shape[k];
  return total;
}

/** Pivoted Cholesky root: always the year with most variance left is next, of equals the first; `least` is none. */
function rootOf(shape, n, least) {
  const left = shape.slice(), root = new Float64Array(n * n);
  for (let step = 0; step < n; step++) {
    let most = -Infinity, pivot = 0;
    for (let k = 0; k < n * n; k += n + 1) most = Math.max(most, left[k]);
    if (!(most > least)) break;
    while (left[pivot * n + pivot] < most - 1e-7 * most) pivot++;
    for (let i = 0; i < n; i++) root[i * n + step] = left[i * n + pivot] / Math.sqrt(most);
    for (let i = 0, k = 0; i < n; i++) for (let j = 0; j < n; j++) left[k++] -= root[i * n + step] * root[j * n + step];
  }
  return root;
}

/** Direction b of the sum and the columns of R, with bbᵀ + RRᵀ the shape (lib.mixtures._split). */
function split(shape, n) {
  const summed = upTo(n).map((i) => sum(shape.subarray(i * n, (i + 1) * n)));
  const variance = sum(summed), least = 1e-12 * trace(shape, n);
  const first = variance > least ? null : rootOf(shape, n, least);
  const along = first ? upTo(n).map((i) => first[i * n]) : summed.map((one) => one / Math.sqrt(variance));
  return { along, across: rootOf(square(n, (i, j) => shape[i * n + j] - along[i] * along[j]), n, least) };
}

const rows = new Map();

/** Normal quantiles of the j-th coordinate of a lattice (lib.mixtures._points), made once. */
function latticeRow([n, generator, shift], j) {
  const key = `${n} ${j}`;
  if (!rows.has(key)) {
    const step = upTo(j).reduce((power) => power * generator % n, 1);
    rows.set(key, Float64Array.from({ length: n }, (_, i) => ndtri(((i * step % n + 0.5) / n + shift * j) % 1)));
  }
  return rows.get(key);
}

/** What the readings of a law need, whatever the rate: for each part its points, and there the growth of each year. */
function preparedFor(growth) {
  const h = growth[0].mean.length, lattice = h <= 5 ? [8191, 1163, 0] : [16381, 2847, 0.618034], n = lattice[0];
  const normal = upTo(h - 1).map((j) => latticeRow(lattice, j + 1)), stray = new Float64Array(n * h);
  const ordered = growth.map((part) => [part, trace(part.cov, h)]).sort(([, a], [, b]) => a - b), pieces = [];
  let start = 0, weight = 0;
  ordered.forEach(([{ w, mean, cov }], place) => {
    weight += w;
    const end = place === ordered.length - 1 ? n : Math.min(n, Math.floor(weight * n + 0.5));
    if (end === start) return;
    const { along, across } = split(cov, h);
    for (let point = start, at = start * h; point < end; point++) {
      for (let j = 0; j < h; j++, at++) {
        let one = mean[j];
        for (let i = 0; i < h - 1; i++) one += across[j * h + i] * normal[i][point];
        stray[at] = one;
      }
    }
    pieces.push({ start, end, along: Float64Array.from(along) });
    start = end;
  });
  return { h, n, pieces, stray };
}

/** Chances of growing by a rate in every year and in the mean of the years, given that on average (lib.mixtures.readings). */
function otherReadings({ h, n, pieces, stray }, rate, average) {
  const floor = Math.log1p(rate), needed = new Float64Array(h);
  let every = 0, middle = 0, mean = 0;
  for (const { start, end, along } of pieces) {
    const slope = sum(along), falls = along.some((one) => one < -SLACK), against = along.map((one) => -one);
    for (let point = start; point < end; point++) {
      // In every year: an interval of ζ ~ N(0, 1). On average: from a value of it on. In the mean: all but an interval.
      let low = -Infinity, high = Infinity, short = 0;
      for (let j = 0, k = point * h; j < h; j++, k++) {
        const need = floor - stray[k], by = along[j];
        needed[j] = need;
        short += need;
        if (by > SLACK) low = Math.max(low, need / by);
        else if (by < -SLACK) high = Math.min(high, need / by);
        else if (need > SLACK) low = Infinity;
      }
      const from = slope > SLACK ? clip(short / slope, -FAR, FAR) : short > SLACK ? FAR : -FAR, chance = ndtr(-from);
      if (low < high) every += ndtr(-low) - ndtr(-high);
      let suffices = beyondRoot(needed, along, from);
      if (falls) suffices = Math.min(suffices + beyondRoot(needed, against, FAR), 1);
      middle += chance;
      mean += suffices - chance;
    }
  }
  const inAll = clip((every - middle) / n + average, 0, average);
  return { every_year: inAll, mean_of_rates: clip(average + mean / n, average, 1) };
}

/** P(ζ ≥ root), the largest ζ at which the mean of exp(slope_j · ζ − needed_j) is 1 (lib.mixtures._p_beyond). */
function beyondRoot(needed, slopes, start) {
  const n = needed.length;
  for (let x = start, step = 0; ; step++) {
    let top = -Infinity, total = 0, slope = 0, bend = 0;
    for (let j = 0; j < n; j++) top = Math.max(top, slopes[j] * x - needed[j]);
    if (step === 0 && x >= FAR && top < 0) return 0;  // no term reaches 1, nor does their mean
    for (let j = 0; j < n; j++) {
      const share = Math.exp(slopes[j] * x - needed[j] - top), pull = share * slopes[j];
      total += share;
      slope += pull;
      bend += pull * slopes[j];
    }
    const excess = top + Math.log(total / n);
    if (step === 0 && x >= FAR && excess < 0) return 0;
    slope /= total;
    const move = excess / slope, bent = move * (bend / total - slope * slope) / slope / 2;
    const next = slope > 0 ? clip(x - move / (1 - (bent < 0.25 ? Math.max(bent, 0) : 0)), -FAR, FAR) : -FAR;
    if (Math.abs(next - x) < NEAR || step === MOST_STEPS) return ndtr(-next);  // the next step: of the order of its cube
    x = next;
  }
}
