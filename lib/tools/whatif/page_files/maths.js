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
  const top = (((((3.52624965998911e-2 * z + 0.700383064443688) * z + 6.37396220353165) * z + 33.912866078383) * z
    + 112.079291497871) * z + 221.213596169931) * z + 220.206867912376;
  const bottom = ((((((8.83883476483184e-2 * z + 1.75566716318264) * z + 16.064177579207) * z + 86.7807322029461) * z
    + 296.564248779674) * z + 637.333633378831) * z + 793.826512519948) * z + 440.413735824752;
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

/** Piecewise linear through (at, value), `left` and `right` beyond the ends; `at` ascends. */
function interp(x, at, value, left = value[0], right = value.at(-1)) {
  if (x < at[0]) return left;
  if (x >= at.at(-1)) return x === at.at(-1) ? value.at(-1) : right;
  const i = at.findIndex((one) => one > x) - 1;
  return value[i] + (value[i + 1] - value[i]) * (x - at[i]) / (at[i + 1] - at[i]);
}
