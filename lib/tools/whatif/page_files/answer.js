// From a state (what the reader chose) to everything that is shown of it: lib.outlook, lib.analysis.what_if.

const OWN = "own", FLOW = ["reporter", "partner", "flow"];

const sameFlow = (one, other) => FLOW.every((name) => one[name] === other[name]);
const flowOf = (state) => DATA.flows.find((flow) => sameFlow(flow, state));

/** The days of which more is shipped than levels: a level changed, a goal was announced, or it is today. */
const releaseDays = (state) =>
  state.reporter === OWN ? [DATA.day] : flowOf(state).knows[state.currency].map(({ day }) => day);

/** The levels of a state's flow known on its day, by year: Map from year to { value, grade, id }. */
function recordOf(state) {
  if (state.reporter === OWN) return readFigures(state.own);
  const then = flowOf(state).levels[state.currency].filter(([day]) => day <= state.as_of), known = new Map();
  for (const [year, value, grade, id] of then.flatMap(([, changes]) => changes)) {
    if (value === undefined) known.delete(year); else known.set(year, { value, grade, id });
  }
  return new Map([...known].sort(([a], [b]) => a - b));
}

/** A level in US dollars; the average rate of a year is known once the year is over. */
function inDollars(mn, year, { currency, as_of: day }) {
  const rate = currency === "USD" ? 1 : year < Number(day.slice(0, 4)) && DATA.per_usd[currency]?.[year];
  if (rate) return mn / rate * 1e6;
  return refuse("currency", "", "a year whose average exchange rate is known", `${currency} for ${year}`);
}

/** What the last day that was shipped knew beside the levels, for the last level up to the deadline. */
function gapOf(state, record) {
  const before = new Map([...record].filter(([year]) => year <= state.deadline));
  const from = Math.max(...before.keys());
  if (state.reporter === OWN) {
    const usd = inDollars(before.get(from).value, from, state);
    return { from, ...ownExpectation(before, usd), months: [], chains: [] };
  }
  const then = flowOf(state).knows[state.currency].findLast(({ day }) => day <= state.as_of);
  const gap = then.gaps.map((place) => DATA.gaps[place]).find(([start]) => start === from);
  if (!gap) return null;  // begins before hidden years and ends long after them: the notebooks have it
  const [, expected, months, later, chains] = gap;
  if (typeof expected === "string") throw new Problem(expected);
  const known = DATA.expected[expected], told = { from, months, later, mirror: then.mirror, since: then.day };
  const larger = chains.map((place) => DATA.chains[place]);
  return { ...known, ...told, source: DATA.classes[known.source], chains: larger };
}

/** The law of the unknown years to the deadline, and the evidence in it by kind (lib.outlook.of). */
function learn({ baseYear, deadline }, record, gap, { reporter, partner }) {
  const within = (year) => year > baseYear && year <= deadline, level = (year) => record.get(year)?.value;
  const { mirror, months } = gap, evidence = {};
  const chain = gap.chains.find(({ whole: [first, last], years }) =>
    first <= baseYear && baseYear <= last && years.some(within));
  const nothing = { years: [], parts: [{ log: 0, w: 0, mean: [], cov: [] }] };
  const ground = chain ? marginal(unpacked(chain), within) : nothing;
  let end = chain?.whole[1] ?? baseYear;
  while (!chain && record.has(end + 1)) end++;
  const [after, errors = []] = chain || record.has(deadline) ? [] : gap.later ?? [];
  let law = followedBy(ground, gap, end, after ?? deadline, level(end));
  const known = law.years.filter((year) => year <= deadline && record.has(year));
  const unknown = law.years.filter((year) => year <= deadline && !record.has(year));
  const seenIn = (year, value = Math.log(level(year)), variance = 0) => [{ [year]: 1 }, value, variance];
  law = given(law, known.map((year) => seenIn(year)));
  const nodes = errors.map(([sd, weight]) => [weight, sd * sd]);
  if (after) law = given(law, [seenIn(after, Math.log(level(after)), 1)], nodes);
  const later = [...record.keys()].filter((year) => chain ? year > deadline && year <= end : year === after);
  if (chain) evidence["larger flows"] = `${chain.top} ${yearSpans(chain.years.filter(within))}`;
  if (later.length) evidence["later level"] = `${reporter} ${yearSpans(later)}`;
  const theirs = unknown.filter((year) => mirror && year in mirror.levels);
  if (theirs.length) {
    law = prune(given(law, mirrored(theirs, mirror), varianceNodes(mirror.df, 10)));
    evidence.mirror = `${partner}'s figures of ${yearSpans(theirs)}`;
  }
  const running = months.filter(([year]) => unknown.includes(year));
  if (running.length) {
    const seen = [...running].sort((a, b) => a[3] - b[3]).map(([year, , ...told]) => seenIn(year, ...told));
    const df = Math.min(...running.map((one) => one[4]));
    law = prune(given(law, seen, varianceNodes(df, 10), running.at(-1)[5]));
    evidence.months = running.map(([year, month]) => `${reporter}, ${year} to month ${month}`).join(", ");
  }
  return { law: prune(marginal(law, (year) => unknown.includes(year))), evidence };
}

/** The partner's figures as independent sums: of all, of each and those before it (lib.evidence.mirror). */
function mirrored(years, { levels, df, variance }) {
  const own = variance / (1 + 1 / (df + 1)), m = years.length;
  return years.map((_, j) => {
    const by = years.map((__, i) => j === 0 || i < j ? 1 : i === j ? -j : 0);
    const error = j ? own * j * (j + 1) : own * m * (1 + m / (df + 1));
    const value = sum(years.map((year, i) => by[i] * levels[year]));
    return [Object.fromEntries(years.map((year, i) => [year, by[i]])), value, error];
  });
}

let last = {};

/** What is said of a state by its law, whatever the rate; the last one is kept. */
function lawOf(state, goal, record) {
  const key = JSON.stringify({ ...state, goal: "", reading: "" });
  if (last.key === key) return last;
  const gap = gapOf(state, record);
  if (!gap) return null;
  const { law: { years, parts }, evidence } = learn(goal, record, gap, state);
  const columns = years.map((_, at) => column(parts, at));
  const fans = columns.map((one) => MODEL.fan.map((p) => Math.exp(quantile(one, p))));
  const growth = growthOf({ years, parts }, goal, record);
  const grown = years.map((year) => column(growth, year - goal.baseYear - 1));
  last = { key, gap, years, evidence, columns, grown, fans, prepared: preparedFor(growth) };
  return last;
}

/** Everything that is said of a state (lib.outlook.of). */
function answer(state) {
  const record = recordOf(state), goal = makeGoal(state, record), { deadline, rate } = goal;
  const day = state.as_of, { verdicts, needed } = judge(goal, record, day), year = Number(day.slice(0, 4));
  const kind = year > deadline ? "inferred" : year === deadline ? "nowcast" : "forecast";
  const open = READINGS.filter((name) => !["met", "missed"].includes(verdicts[name].outcome));
  const base = baseRate(goal, state), nothing = { chances: {}, ahead: [], evidence: {} };
  const found = { goal, record, day, verdicts, base, needed, kind, open, ...nothing };
  const learnt = open.length ? lawOf(state, goal, record) : null;
  if (!learnt) return found;
  const { gap, evidence, years, columns, grown, fans } = learnt, { surest, certain } = MODEL;
  const surely = (p) => clip(p, surest, 1 - surest);
  const ahead = years.map((one, k) => {
    const path = pathAt(goal, one), onPath = surely(reaching(columns[k], Math.log(path)));
    return { year: one, path, fan: fans[k], onPath, alone: surely(reaching(grown[k], Math.log1p(rate))) };
  });
  const target = Math.log(goal.base) + goal.years * Math.log1p(rate), end = columns[years.indexOf(deadline)];
  const reached = () => Math.log(record.get(deadline).value) >= target - SLACK;
  const average = end ? reaching(end, target) : Number(reached());
  const all = { average, ...otherReadings(learnt.prepared, rate, average) };
  const chances = Object.fromEntries(open.map((name) => [name, surely(all[name])]));
  const chance = chances[state.reading] ?? 0.5;
  const absurd = [MODEL.absurd[0], "", MODEL.absurd[1]][(chance >= certain) + (chance > 1 - certain)];
  return { ...found, gap: { ...gap, warning: `${absurd} ${gap.warning}`.trim() }, evidence, ahead, chances };
}

/** The share of flows as large as the base that grew so fast; null without a panel so long. */
function baseRate({ base, baseYear, years, rate }, state) {
  const [year, month] = state.as_of.split("-").map(Number), origin = year - (month >= 3 ? 2 : 3);
  const index = sizeClass(inDollars(base, baseYear, state)), span = Math.min(years, MODEL.longest_base_rate);
  const [, places] = DATA.base_rates[origin]?.find(([longest]) => longest >= span) ?? [];
  const about = { span, origin, size: MODEL.size_labels[index], share: null }, p = MODEL.probabilities;
  if (!places) return about;
  const rows = DATA.growth[places[index]];
  const at = p.map((_, k) => interp(span, MODEL.horizons.slice(0, rows.length), rows.map((row) => row[k])));
  return { ...about, share: 1 - interp(Math.log1p(rate), at, p, p[0] / 2, (1 + p.at(-1)) / 2) };
}
