// Special functions, each from its textbook definition; double precision throughout. The Python side uses scipy.special.

const SQRT_2PI = Math.sqrt(2 * Math.PI), LOG_SQRT_2PI = Math.log(SQRT_2PI);

const upTo = (n) => Array.from({ length: n }, (_, k) => k);
const clip = (x, low, high) => Math.min(Math.max(x, low), high);
const sum = (values) => values.reduce((total, value) => total + value, 0);
const dot = (a, b) => a.reduce((total, value, i) => total + value * b[i], 0);

/** Density of the standard normal. */
const density = (x) => Math.exp(-x * x / 2) / SQRT_2PI;

/** Mills ratio (1 − Φ(x)) / φ(x) for x ≥ 2.5: Laplace's continued fraction, from the back. */
function mills(x) {
  let rest = x;
  for (let k = 40; k >= 1; k--) rest = x + k / rest;
  return 1 / rest;
}

/** Φ(x): the power series of Φ − ½ (Abramowitz & Stegun 26.2.11) in the middle, Mills' ratio in the tails. */
function slowNdtr(x) {
  if (x > 2.5) return 1 - density(x) * mills(x);
  if (x < -2.5) return x < -38.5 ? 0 : density(x) * mills(-x);
  let term = x, total = x;
  for (let k = 3; Math.abs(term) > 1e-17 * Math.abs(total); k += 2) {
    term *= x * x / k;
    total += term;
  }
  return 0.5 + density(x) * total;
}

// Φ at steps of 1/64 with its first four derivatives: Taylor's remainder is below 1e-13, ten times as fast.
const STEPS = 64, EDGE = 9;
const normalTable = Float64Array.from({ length: 2 * EDGE * STEPS + 1 }, (_, k) => slowNdtr(k / STEPS - EDGE));

function ndtr(x) {
  if (x <= -EDGE || x >= EDGE) return x > 0 ? 1 : 0;  // beyond 9 standard deviations lies 1e-19
  const k = Math.round((x + EDGE) * STEPS), at = k / STEPS - EDGE, h = x - at, a2 = at * at;
  const slope = 1 - at * h / 2 + (a2 - 1) * h * h / 6 - at * (a2 - 3) * h ** 3 / 24 + (a2 * a2 - 6 * a2 + 3) * h ** 4 / 120;
  return normalTable[k] + density(at) * h * slope;
}

/** Φ⁻¹(p) for 0 < p < 1: Abramowitz & Stegun 26.2.23 for a start, then Newton on the logarithm of the tail. */
function ndtri(p) {
  if (p > 0.5) return -ndtri(1 - p);
  const t = Math.sqrt(-2 * Math.log(p));
  let x = (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t;
  for (let step = 1, k = 0; k < 20 && Math.abs(step) > 1e-13 * Math.max(1, Math.abs(x)); k++) {
    const ratio = x < -2.5 ? mills(-x) : slowNdtr(x) / density(x);  // 1 / slope of the logarithm of the tail
    step = (Math.log(ratio / p) - x * x / 2 - LOG_SQRT_2PI) * ratio;
    x -= step;
  }
  return x;
}

/** ln Γ(x), x > 0: Stirling's series beyond 12, reached by the recurrence. */
function logGamma(x) {
  let product = 1;
  while (x < 12) product *= x++;
  const y = 1 / (x * x);
  const series = (1 / 12 - y * (1 / 360 - y * (1 / 1260 - y * (1 / 1680 - y / 1188)))) / x;
  return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + series - Math.log(product);
}

/** P(a, x), the regularised incomplete gamma function, and 1 − P: series (6.5.29) below a + 1, else fraction (6.5.31). */
function gammaParts(a, x) {
  const front = Math.exp(a * Math.log(x) - x - logGamma(a));
  if (x < a + 1) {
    let term = 1 / a, total = term;
    for (let k = 1; term > 1e-17 * total; k++) total += term *= x / (a + k);
    return [front * total, 1 - front * total];
  }
  let b = x + 1 - a, c = 1e300, d = 1 / b, fraction = d;  // Lentz's method
  for (let k = 1, change = 0; k < 10000 && Math.abs(change - 1) > 1e-16; k++) {
    b += 2;
    const top = -k * (k - a);
    d = 1 / (top * d + b); c = b + top / c; change = d * c; fraction *= change;
  }
  return [1 - front * fraction, front * fraction];
}

/** The x at which part 0 (P) or 1 (1 − P) of the incomplete gamma function is p: bisection of ln x. */
function gammaQuantile(a, p, part) {
  let low = -60, high = Math.log(a + 60 * Math.sqrt(a) + 60);
  for (let k = 0; k < 64; k++) {
    const middle = (low + high) / 2, beyond = gammaParts(a, Math.exp(middle))[part] > p;
    if (beyond === (part === 0)) high = middle; else low = middle;
  }
  return Math.exp((low + high) / 2);
}

/** Piecewise linear through (at, value), `left` and `right` beyond the ends; `at` ascends. */
function interp(x, at, value, left = value[0], right = value[value.length - 1]) {
  const last = at.length - 1;
  if (x < at[0]) return left;
  if (x > at[last]) return right;
  if (x === at[last]) return value[last];
  let i = 0;
  while (at[i + 1] <= x) i++;
  return value[i] + (value[i + 1] - value[i]) * (x - at[i]) / (at[i + 1] - at[i]);
}
