// Special functions in double precision. The Python side uses scipy.special.

const SQRT_2PI = Math.sqrt(2 * Math.PI);

const upTo = (n) => Array.from({ length: n }, (_, k) => k);
const clip = (x, low, high) => Math.min(Math.max(x, low), high);
const sum = (values) => values.reduce((total, value) => total + value, 0);

/** Density of the standard normal. */
const density = (x) => Math.exp(-x * x / 2) / SQRT_2PI;

/** Φ(x): Hart's rational approximation (1968), as West (2005) gives it; right to 1e-15. */
function ndtr(x) {
  const z = Math.abs(x);
  if (z > 37) return x > 0 ? 1 : 0;
  const top = (((((3.52624965998911e-2 * z + 0.700383064443688) * z + 6.37396220353165) * z + 33.912866078383) * z + 112.079291497871) * z + 221.213596169931) * z + 220.206867912376;
  const bottom = ((((((8.83883476483184e-2 * z + 1.75566716318264) * z + 16.064177579207) * z + 86.7807322029461) * z + 296.564248779674) * z + 637.333633378831) * z + 793.826512519948) * z + 440.413735824752;
  const ratio = z < 7.07 ? top / bottom : 1 / (z + 1 / (z + 2 / (z + 3 / (z + 4 / (z + 0.65))))) / SQRT_2PI;
  const tail = Math.exp(-z * z / 2) * ratio;
  return x > 0 ? 1 - tail : tail;
}

/** Φ⁻¹(p) for 0 < p < 1: Abramowitz & Stegun 26.2.23 for a start, then two of Halley's steps. */
function ndtri(p) {
  if (p > 0.5) return -ndtri(1 - p);
  const t = Math.sqrt(-2 * Math.log(p));
  let x = (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t;
  for (let k = 0; k < 2; k++) {
    const step = (ndtr(x) - p) / density(x);
    x -= step / (1 + x * step / 2);
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
  for (let k = 0; k < 40; k++) {
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
