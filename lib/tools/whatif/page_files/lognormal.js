// The distribution of a sum of lognormals, which has no closed form: the quadrature of lib/lognormal.py, with rows
// of its table made when they are first asked for.

const LOG_SIGMAS = upTo(48).map((k) => Math.log(0.005) + k * (Math.log(8) - Math.log(0.005)) / 47);
const WIDTHS = upTo(193).map((k) => -12 + k / 8);
const rowsOfYears = new Map();

/** Probit of P(mean of `years` lognormals(0, sigma) ≥ exp(logMean)), bilinear in the table. */
function probitOfMean(logMean, sigma, years) {
  const row = interp(Math.log(sigma), LOG_SIGMAS, upTo(48));
  const column = (clip(logMean / sigma, -12, 12) + 12) * 8;
  const i = Math.min(Math.floor(row), 46), j = Math.min(Math.floor(column), 191);
  const a = row - i, b = column - j, low = tableRow(years, i), high = tableRow(years, i + 1);
  return (low[j] * (1 - b) + low[j + 1] * b) * (1 - a) + (high[j] * (1 - b) + high[j + 1] * b) * a;
}

/** Probit of P(S ≥ years · exp(width · sigma)) for the widths, S the sum of `years` lognormals(0, sigma). */
function tableRow(years, i) {
  const key = years * 64 + i;
  if (!rowsOfYears.has(key)) {
    const made = years === 1 ? WIDTHS.map((width) => -width) : convolveOnce(years, Math.exp(LOG_SIGMAS[i]), tableRow(years - 1, i));
    rowsOfYears.set(key, made);
  }
  return rowsOfYears.get(key);
}

const legendre64 = legendreRule(64);

/** With F the probability for one year fewer: P(S ≥ y) = P(e ≥ y) + ∫ φ(z) F(y − exp(sigma z)) dz, z < log(y) / sigma. */
function convolveOnce(years, sigma, fewer) {
  return WIDTHS.map((target) => {
    const level = years * Math.exp(target * sigma), upper = Math.log(level) / sigma;
    const lower = Math.min(upper, 0) - 9, half = (Math.min(upper, 9) - lower) / 2;
    let below = 0;
    for (let k = 0; k < 64; k++) {
      const z = lower + half * (legendre64.nodes[k] + 1);
      const rest = Math.max(level - Math.exp(sigma * z), 1e-300);
      const place = clip((Math.log(rest / (years - 1)) / sigma + 12) * 8, 0, 192);
      const at = Math.min(Math.floor(place), 191);
      const missing = fastNdtr(-(fewer[at] + (fewer[at + 1] - fewer[at]) * (place - at)));
      below += 2 * legendre64.weights[k] * Math.exp(-z * z / 2) / SQRT_2PI * missing;
    }
    return -ndtri(clip(half * below, 1e-300, 1 - 1e-16));
  });
}

// Φ at steps of 1/64 with its first four derivatives: Taylor's remainder is below 1e-13, ten times as fast as `ndtr`.
const STEPS = 64, EDGE = 9;
const normalTable = Float64Array.from({ length: 2 * EDGE * STEPS + 1 }, (_, k) => ndtr(k / STEPS - EDGE));

function fastNdtr(x) {
  if (x <= -EDGE || x >= EDGE) return x > 0 ? 1 : 0;  // beyond 9 standard deviations lies 1e-19
  const k = Math.round((x + EDGE) * STEPS), at = k / STEPS - EDGE, h = x - at, a2 = at * at;
  const slope = 1 - at * h / 2 + (a2 - 1) * h * h / 6 - at * (a2 - 3) * h ** 3 / 24 + (a2 * a2 - 6 * a2 + 3) * h ** 4 / 120;
  return normalTable[k] + density(at) * h * slope;
}

/** Make the rows of the next horizons while nothing else happens, so that a slider need not wait for them. */
function prepareRows(longest) {
  const usual = (i) => LOG_SIGMAS[i] > Math.log(0.03);  // few flows are as steady as those below
  const waiting = upTo(longest * 48).map((k) => [Math.floor(k / 48) + 1, k % 48]).filter(([, i]) => usual(i));
  const later = window.requestIdleCallback ?? ((work) => setTimeout(() => work({ timeRemaining: () => 5 }), 50));
  const work = (deadline) => {
    while (waiting.length && deadline.timeRemaining() > 2) tableRow(...waiting.shift());
    if (waiting.length) later(work);
  };
  later(work);
}
