// Arrays, and special functions right to 1e-9. The Python side uses numpy and scipy.special.

const SLACK = 1e-9, TINY = 1e-12;

const numbers = (n, value) => Array.from({ length: n }, (_, k) => value(k));

/** An n × n matrix, row by row. */
function square(n, value) {
  const found = new Array(n * n);
  for (let i = 0, k = 0; i < n; i++) for (let j = 0; j < n; j++) found[k++] = value(i, j);
  return found;
}

const clip = (x, low, high) => Math.min(Math.max(x, low), high);
const sum = (values) => values.reduce((total, value) => total + value, 0);

const density = (x) => Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);

// Φ from −9 to 9 and its rise a step, in steps of 1/64, each by Simpson's rule.
const END = 9, STEPS = 64, RISE = numbers(2 * END * STEPS + 2, (k) => density(k / STEPS - END) / STEPS);
let height = 0;
const HEIGHT = RISE.map((rise, k) =>
  height += k && (RISE[k - 1] + 4 * density((k - 0.5) / STEPS - END) / STEPS + rise) / 6);

/** Φ(x), by the cubic that has the heights and slopes of the two nearest steps. */
function ndtr(x) {
  const place = clip((x + END) * STEPS, 0, 2 * END * STEPS), k = place | 0, u = place - k;
  const start = RISE[k], end = RISE[k + 1], whole = HEIGHT[k + 1] - HEIGHT[k];
  return HEIGHT[k] + u * (start + u * (3 * whole - 2 * start - end + u * (start + end - 2 * whole)));
}

/** Φ⁻¹(p) for 0 < p < 1: Abramowitz & Stegun 26.2.23 for a start, then one of Halley's steps. */
function ndtri(p) {
  if (p > 0.5) return -ndtri(1 - p);
  const t = Math.sqrt(-2 * Math.log(p)), top = 2.515517 + t * (0.802853 + t * 0.010328);
  const x = top / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t;
  const step = (ndtr(x) - p) / density(x);
  return x - step / (1 + x * step / 2);
}

/** Piecewise linear through (at, value), `left` and `right` beyond the ends; `at` ascends. */
function interp(x, at, value, left = value[0], right = value.at(-1)) {
  const i = at.findIndex((one) => one >= x);
  if (i <= 0) return i < 0 ? right : x < at[0] ? left : value[0];
  return value[i] + (value[i - 1] - value[i]) * (x - at[i]) / (at[i - 1] - at[i]);
}
