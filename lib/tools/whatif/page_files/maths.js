// Special functions and quadrature, each from its textbook definition; double precision throughout.
// The Python side uses scipy.special; tests/test_whatif_browser.py holds both to 1e-6, most agree to 1e-12.

const SQRT_2PI = Math.sqrt(2 * Math.PI), LOG_SQRT_2PI = Math.log(SQRT_2PI);

/** Density of the standard normal. */
const density = (x) => Math.exp(-x * x / 2) / SQRT_2PI;

/** Mills ratio (1 − Φ(x)) / φ(x) for x ≥ 2.5: Laplace's continued fraction, from the back. */
function mills(x) {
  let rest = x;
  for (let k = 40; k >= 1; k--) rest = x + k / rest;
  return 1 / rest;
}

/** Φ(x): the power series of Φ − ½ (Abramowitz & Stegun 26.2.11) in the middle, Mills' ratio in the tails. */
function ndtr(x) {
  if (x > 2.5) return 1 - density(x) * mills(x);
  if (x < -2.5) return x < -38.5 ? 0 : density(x) * mills(-x);
  let term = x, sum = x;
  for (let k = 3; Math.abs(term) > 1e-17 * Math.abs(sum); k += 2) {
    term *= x * x / k;
    sum += term;
  }
  return 0.5 + density(x) * sum;
}

/** Φ⁻¹(p) for 0 < p < 1: Abramowitz & Stegun 26.2.23 for a start, then Newton on the logarithm of the tail. */
function ndtri(p) {
  if (p > 0.5) return -ndtri(1 - p);
  const t = Math.sqrt(-2 * Math.log(p));
  let x = (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t;
  for (let step = 1, k = 0; k < 20 && Math.abs(step) > 1e-13 * Math.max(1, Math.abs(x)); k++) {
    const ratio = x < -2.5 ? mills(-x) : ndtr(x) / density(x);  // 1 / slope of the logarithm of the tail
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

/** Continued fraction of the incomplete beta function (Abramowitz & Stegun 26.5.8), by Lentz's method. */
function betaFraction(a, b, x) {
  const safe = (value) => Math.abs(value) < 1e-300 ? 1e-300 : value;
  let c = 1, d = 1 / safe(1 - (a + b) * x / (a + 1)), fraction = d;
  for (let m = 1, change = 0; m < 1000 && Math.abs(change - 1) > 1e-16; m++) {
    const even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    const odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / safe(1 + even * d); c = safe(1 + even / c); fraction *= d * c;
    d = 1 / safe(1 + odd * d); c = safe(1 + odd / c); change = d * c; fraction *= change;
  }
  return fraction;
}

/** P(T > t) of Student's t with df degrees of freedom, for t ≥ 0: half of I(df / (df + t²); df / 2, ½). */
function studentTail(df, t) {
  const a = df / 2, x = df / (df + t * t), y = t * t / (df + t * t);
  if (y === 0) return 0.5;
  const log = logGamma(a + 0.5) - logGamma(a) - logGamma(0.5) + a * Math.log(x) + 0.5 * Math.log(y);
  if (x < (a + 1) / (a + 2.5)) return 0.5 * Math.exp(log) * betaFraction(a, 0.5, x) / a;
  return 0.5 * (1 - Math.exp(log) * betaFraction(0.5, a, y) / 0.5);
}

/** P(T ≤ t). */
const stdtr = (df, t) => t > 0 ? 1 - studentTail(df, t) : studentTail(df, -t);

/** Quantile of Student's t: Newton on the logarithm of the tail, kept inside a bracket. */
function stdtrit(df, p) {
  if (p === 0.5) return 0;
  if (p > 0.5) return upperQuantile(df, 1 - p);
  return -upperQuantile(df, p);
}

function upperQuantile(df, tail) {
  let low = 0, high = 1;
  while (studentTail(df, high) > tail) { low = high; high *= 2; }
  const logConstant = logGamma((df + 1) / 2) - logGamma(df / 2) - 0.5 * Math.log(df * Math.PI);
  let t = (low + high) / 2;
  for (let k = 0; k < 100; k++) {
    const found = studentTail(df, t);
    if (found > tail) low = t; else high = t;
    const slope = -Math.exp(logConstant - (df + 1) / 2 * Math.log1p(t * t / df)) / found;
    const next = t - Math.log(found / tail) / slope;
    const kept = next > low && next < high ? next : (low + high) / 2;
    if (Math.abs(kept - t) <= 1e-15 * t) return kept;
    t = kept;
  }
  return t;
}

/**
 * Gauss rule of a weight function from the recurrence of its polynomials (Golub & Welsch 1969): the nodes are the
 * eigenvalues of the symmetric tridiagonal matrix, the weights, adding up to 1, the squared first components.
 */
function gaussRule(diagonal, beside) {
  const n = diagonal.length, d = Float64Array.from(diagonal), e = Float64Array.from([...beside, 0]);
  const first = new Float64Array(n);
  first[0] = 1;
  for (let l = 0; l < n; l++) {
    for (let round = 0; round < 60; round++) {
      let m = l;
      while (m < n - 1 && Math.abs(e[m]) > 1e-17 * (Math.abs(d[m]) + Math.abs(d[m + 1]))) m++;
      if (m === l) break;
      chase(d, e, first, l, m);
    }
  }
  const order = [...d.keys()].sort((i, j) => d[i] - d[j]);
  return { nodes: order.map((i) => d[i]), weights: order.map((i) => first[i] ** 2) };
}

/** One implicit QL step with Wilkinson's shift between rows l and m, applied to the first components as well. */
function chase(d, e, first, l, m) {
  const half = (d[l + 1] - d[l]) / (2 * e[l]);
  let g = d[m] - d[l] + e[l] / (half + Math.sign(half || 1) * Math.hypot(half, 1));
  let s = 1, c = 1, p = 0;
  for (let i = m - 1; i >= l; i--) {
    const f = s * e[i], b = c * e[i], r = Math.hypot(f, g);
    e[i + 1] = r;
    if (r === 0) { d[i + 1] -= p; e[m] = 0; return; }
    s = f / r; c = g / r; g = d[i + 1] - p;
    const q = (d[i] - g) * s + 2 * c * b;
    p = s * q; d[i + 1] = g + p; g = c * q - b;
    const before = first[i + 1];
    first[i + 1] = s * first[i] + c * before;
    first[i] = c * first[i] - s * before;
  }
  d[l] -= p; e[l] = g; e[m] = 0;
}

const upTo = (n) => Array.from({ length: n }, (_, k) => k);

const hermiteRule = (n) => gaussRule(upTo(n).map(() => 0), upTo(n - 1).map((k) => Math.sqrt(k + 1)));

const laguerreRule = (n, alpha) => gaussRule(
  upTo(n).map((k) => 2 * k + alpha + 1), upTo(n - 1).map((k) => Math.sqrt((k + 1) * (k + 1 + alpha))));

const legendreRule = (n) => gaussRule(
  upTo(n).map(() => 0), upTo(n - 1).map((k) => (k + 1) / Math.sqrt(4 * (k + 1) ** 2 - 1)));

/** Piecewise linear through (at, value), flat beyond the ends unless told otherwise; `at` ascends. */
function interp(x, at, value, left = value[0], right = value[value.length - 1]) {
  const last = at.length - 1;
  if (x < at[0]) return left;
  if (x > at[last]) return right;
  if (x === at[last]) return value[last];
  let i = 0;
  while (at[i + 1] <= x) i++;
  return value[i] + (value[i + 1] - value[i]) * (x - at[i]) / (at[i + 1] - at[i]);
}

const clip = (x, low, high) => Math.min(Math.max(x, low), high);

const sum = (values) => values.reduce((total, value) => total + value, 0);
