// From a state (what the reader chose) to everything that is shown of it: lib/whatif/answer.py and own.py.

const OWN = "own";

const flowOf = (state) => DATA.flows.find((flow) =>
  flow.reporter === state.reporter && flow.partner === state.partner && flow.flow === state.flow);

/** The levels of a flow known on a day, in order of the years: Map from year to { value, grade, id }. */
function recordOn(flow, currency, day) {
  const known = new Map();
  for (const [changedOn, changes] of flow?.levels[currency] ?? []) {
    if (changedOn > day) break;
    for (const [year, value, grade, id] of changes) {
      if (value === undefined) known.delete(year); else known.set(year, { value, grade, id });
    }
  }
  return new Map([...known].sort(([a], [b]) => a - b));
}

/** Larger flows with the same partner and kind, from the nearest to the farthest. */
const largerFlows = (flow) => flow.parents
  .map((name) => DATA.flows.find((other) => other.reporter === name && other.partner === flow.partner && other.flow === flow.flow))
  .filter(Boolean);

/** The days on which something changed for the flow or a larger one, from the flow's first level on. */
function releaseDays(flow, currency) {
  const first = flow.levels[currency]?.[0]?.[0] ?? DATA.day;
  const all = [flow, ...largerFlows(flow)].flatMap((one) => (one.levels[currency] ?? []).map(([day]) => day));
  return [...new Set([...all, DATA.day])].filter((day) => day >= first && day <= DATA.day).sort();
}

/** Log growth on the year before, NaN after a gap; `years` is a Map from year to level. */
function logGrowth(record) {
  return [...record].map(([year, { value }]) =>
    record.has(year - 1) ? Math.log(value) - Math.log(record.get(year - 1).value) : NaN);
}

const upToYear = (record, last) => new Map([...record].filter(([year]) => year <= last));

/** A level in US dollars; the average rate of a year is known once the year is over. */
function inDollars(mn, year, currency, day) {
  if (currency === "USD") return mn * 1e6;
  const rate = year < Number(day.slice(0, 4)) ? DATA.cny_per_usd[year] : undefined;
  if (!rate) throw new Problem(`currency: found CNY for ${year}, expected a year whose average exchange rate is known`);
  return mn / rate * 1e6;
}

function classOfFlow(record, state, day, world) {
  const [year, { value }] = [...record].pop();
  return priorFor(inDollars(value, year, state.currency, day), year, world);
}

/** The growth model at the last level of the record (lib.outlook.expect, lib.analysis.what_if.expect_own). */
function expect(state, record, day) {
  const [origin, { value }] = [...record].pop(), rates = logGrowth(record), own = state.reporter === OWN;
  const world = !own && state.partner === "World";
  const larger = own ? [] : largerFlows(flowOf(state)).map((flow) => {
    const theirs = upToYear(recordOn(flow, state.currency, day), origin);
    return theirs.size < 2 ? null
      : { name: flow.reporter, growth: logGrowth(theirs), prior: classOfFlow(theirs, state, day, world) };
  }).filter(Boolean);
  const { prior, shares } = priorWithParents(classOfFlow(record, state, day, world), larger, rates);
  return { origin, level: value, usd: inDollars(value, origin, state.currency, day), world, prior, shares, model: fit(rates, prior) };
}

/** The record and the day of a state; a reader's own figures are seen with all that is known today. */
function known(state) {
  if (state.reporter === OWN) return { record: readFigures(state.own), day: DATA.day };
  return { record: recordOn(flowOf(state), state.currency, state.as_of), day: state.as_of };
}

/** Everything that is said of a state. */
function answer(state) {
  const { record, day } = known(state);
  const goal = makeGoal(state.goal, state.base_year, state.deadline, record, state.currency);
  const expected = expect(state, upToYear(record, goal.deadline), day);
  const needed = neededRates(goal, record);
  return {
    goal, record, day, expected, needed,
    verdicts: judge(goal, record, day),
    chances: chances(goal, needed, expected),
    ahead: yearsAhead(goal, expected),
    base: knownShare(goal, inDollars(goal.base, goal.baseYear, state.currency, day), Number(day.slice(0, 4)) - 1),
    trackers: trackersSay(goal, record),
    coverage: coverageOf(expected, goal.deadline - expected.origin),
  };
}

/** Probability by reading; decided readings are absent (lib.outlook.chances). */
function chances(goal, needed, expected) {
  const raw = {
    average: (rate, years) => pReach(expected.model, years * Math.log1p(rate), years),
    every_year: (rate, years) => pEveryYear(expected.model, rate, years),
    mean_of_rates: (rate, years) => pMeanRate(expected.model, years * rate, years),
  };
  const open = READINGS.filter((reading) => !Number.isNaN(needed[reading]));
  return Object.fromEntries(open.map((reading) =>
    [reading, corrected(expected, raw[reading](needed[reading], needed.left), reading, needed.left)]));
}

/** The forecast year by year: path, fan, P(on the path), P(that year alone grows so fast). */
function yearsAhead(goal, expected) {
  return upTo(Math.max(goal.deadline - expected.origin, 0)).map((k) => {
    const h = k + 1, year = expected.origin + h, path = pathAt(goal, year);
    return {
      year, path,
      fan: fanAt(expected, h),
      onPath: corrected(expected, pReach(expected.model, Math.log(path / expected.level), h), "average", h),
      alone: corrected(expected, pYearAhead(expected.model, goal.rate, h), "average", 1),
    };
  });
}

function knownShare(goal, usd, origin) {
  const years = Math.min(goal.years, MODEL.longest_base_rate), size = TABLES.size_labels[sizeClass(usd)];
  try {
    return { share: baseRate(usd, origin, years, goal.rate), years, origin, size };
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    return { share: null, years, origin, size, reason: problem.message };
  }
}

/** Measured coverage of the intervals for flows of the size, at the nearest horizon that was scored; or null. */
function coverageOf(expected, years) {
  const size = sizeClass(expected.usd), scored = TABLES.coverage[size];
  if (expected.world || !scored || years < 1) return null;
  // Of two horizons as near as each other the longer: its intervals hold less often.
  const horizon = whole(scored).reduce((best, h) => Math.abs(h - years) <= Math.abs(best - years) ? h : best);
  const [cover80, cover95, n] = scored[horizon];
  return { cover80, cover95, n, horizon, size: TABLES.size_labels[size] };
}

/** A reader's own figures, one a line: "2013 230" or "2013 230 +50 %" (lib.analysis.what_if.read_figures). */
function readFigures(text) {
  const lines = text.split(/[\n|]/).map((one) => one.trim()).filter(Boolean), expected = 'a year, its level in millions and perhaps its growth, such as "2013 230 +50 %"';
  if (!(lines.length >= 1 && lines.length <= MODEL.own_most)) {
    throw new Problem(`own figures: found ${lines.length} lines, expected 1 to ${MODEL.own_most}: ${expected}`);
  }
  const levels = new Map(), implied = new Map();
  lines.forEach((one, k) => readLine(one, `own figures, line ${k + 1}`, expected, levels, implied));
  const all = new Map([...implied, ...levels]);
  return new Map([...all].sort(([a], [b]) => a - b).map(([year, value]) => [year, { value, grade: levels.has(year) ? 0 : 1, id: "" }]));
}

function readLine(text, where, expected, levels, implied) {
  const found = /^([0-9]{4})[ \t,;:=]+([0-9]{1,12}(?:\.[0-9]{1,9})?)(?:[ \t,;:]+([+−-]?[0-9]{1,12}(?:\.[0-9]{1,9})?) *%)?$/.exec(text);
  if (!found) throw new Problem(`${where}: found ${quoted(text)}, expected ${expected}`);
  const year = Number(found[1]), level = Number(found[2]);
  const rate = found[3] === undefined ? null : Number(found[3].replace("−", "-")) / 100;
  if (levels.has(year)) throw new Problem(`${where}: found ${year} twice, expected each year once`);
  if (year < MODEL.own_first || year > MODEL.own_last) {
    throw new Problem(`${where}: found ${year}, expected a year from ${MODEL.own_first} to ${MODEL.own_last}`);
  }
  if (level <= 0 || (rate !== null && rate <= -1)) throw new Problem(`${where}: found ${quoted(text)}, expected a level above 0 that can grow`);
  levels.set(year, level);
  if (rate !== null) implied.set(year - 1, level / (1 + rate));
}
