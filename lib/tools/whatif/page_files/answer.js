// From a state (what the reader chose) to everything that is said of it: lib.outlook, lib.analysis.what_if.

const OWN = "own", FLOW = ["reporter", "partner", "flow"];

const sameFlow = (one, other) => FLOW.every((name) => one[name] === other[name]);
const flowOf = (state) => DATA.flows.find((flow) => sameFlow(flow, state));

/** The days of which more is shipped than levels: a level changed, a goal was announced, or it is today. */
const releaseDays = (state) =>
  state.reporter === OWN ? [DATA.day] : flowOf(state).knows[state.currency].map(({ day }) => day);

/** The levels of a state's flow known on its day, by year: Map from year to { value, grade, id }. */
function recordOf(state) {
  if (state.reporter === OWN) return readFigures(state.own);
  const then = flowOf(state).levels[state.currency].filter(([day]) => day <= state.as_of);
  const record = new Map(then.flatMap(([, changed]) => changed)
    .map(([year, value, grade, id]) => [year, { value, grade, id }]));  // without a value: no longer used
  return new Map([...record].filter(([, { value }]) => value !== undefined).sort(([a], [b]) => a - b));
}

/** A level in US dollars; the average rate of a year is known once the year is over. */
function inDollars(mn, year, { currency, as_of: day }) {
  const rate = currency === "USD" ? 1 : year < Number(day.slice(0, 4)) && DATA.per_usd[currency]?.[year];
  return rate ? mn / rate * 1e6
    : refuse("currency", `${currency} for ${year}`, "a year whose average exchange rate is known");
}

/** What the last day that was shipped knew beside the levels, for the last level up to the deadline. */
function gapOf(state, record) {
  const before = new Map([...record].filter(([year]) => year <= state.deadline));
  const from = [...before.keys()].at(-1);
  if (state.reporter === OWN) {
    const usd = inDollars(before.get(from).value, from, state);
    return { from, ...ownExpectation(before, usd), pieces: [], chains: [] };
  }
  const then = flowOf(state).knows[state.currency].findLast(({ day }) => day <= state.as_of);
  const gap = then.gaps.map((place) => DATA.gaps[place]).find(([start]) => start === from);
  if (!gap) return null;  // begins before hidden years and ends long after them: the notebooks have it
  const [, expected, pieces, later, chains] = gap, known = DATA.expected[expected];
  if (typeof expected === "string") throw new Problem(expected);
  return { ...known, source: DATA.classes[known.source], from, later, since: then.day, pieces, chains };
}

/** The law to the deadline, its unknown years, and the evidence in it by kind (lib.outlook.of). */
function learn({ baseYear, deadline }, record, gap, { reporter }) {
  const within = (year) => year > baseYear && year <= deadline;
  const chain = gap.chains.map((place) => DATA.chains[place]).find(({ whole: [first, last], years }) =>
    first <= baseYear && baseYear <= last && years.some(within));
  let end = chain?.whole[1] ?? baseYear;
  while (!chain && record.has(end + 1)) end++;
  const [after, doubt] = (!chain && !record.has(deadline) && gap.later) || [deadline, [[1, 0]]];
  const ground = unpacked(chain ?? { years: [], parts: [[1]] }, within);
  let law = followedBy(ground, gap, end, after, record.get(end)?.value);
  const unknown = law.years.filter((year) => year <= deadline && !record.has(year));
  const known = law.years.filter((year) => record.has(year)), evidence = {};
  const levels = known.map((year, k) =>
    [known.map((_, i) => Number(i === k)), Math.log(record.get(year).value), Number(year > deadline)]);
  law = given(law, known, levels, doubt, 0);
  const later = [...record.keys()].filter((year) => year > deadline && year <= (chain ? end : after));
  if (chain) evidence["larger flows"] = `${chain.top} ${yearSpans(chain.years.filter(within))}`;
  if (later.length) evidence["later level"] = `${reporter} ${yearSpans(later)}`;
  gap.pieces.forEach((places, k) => {
    const stretches = places.map((place) => DATA.pieces[place]);
    const [years = [], sums, told] = stretches.find(([[first]]) => first > baseYear) ?? [];
    const count = years.filter(within).length;
    if (!count) return;
    const [what, df, correlation] = told[count - 1];
    const rows = sums.slice(0, count).sort((a, b) => a[2] - b[2]);
    law = prune(given(law, years, rows, varianceNodes(df, 10), correlation));
    evidence[["mirror", "months"][k]] = what;
  });
  return { law: prune(law), unknown, evidence };
}

/** What is said of a state by its law, whatever the rate; null where the page has no law. */
function lawOf(state, goal, record) {
  const gap = gapOf(state, record);
  if (!gap) return null;
  const { law, unknown, evidence } = learn(goal, record, gap, state);
  const years = unknown.map((year) => {
    const levels = column(law, year), fan = quantiles(levels, MODEL.fan).map(Math.exp);
    const start = law.years.includes(year - 1) ? 0 : Math.log(record.get(year - 1).value);
    return { year, levels, fan, start, grown: column(law, year, year - 1) };
  });
  return { gap, evidence, years, prepared: preparedFor(law, goal, record) };
}

let last = {};  // the law of the state asked for last: it stays while rate and reading move

/** Everything that is said of a state (lib.outlook.of). */
function answer(state) {
  const record = recordOf(state), goal = makeGoal(state, record), { deadline, rate } = goal;
  const day = state.as_of, { verdicts, needed } = judge(goal, record, day), year = Number(day.slice(0, 4));
  const kind = year > deadline ? "inferred" : year === deadline ? "nowcast" : "forecast";
  const open = READINGS.filter((name) => !["met", "missed"].includes(verdicts[name].outcome));
  const found = { goal, record, day, verdicts, needed, kind, open, base: baseRate(goal, state) };
  const key = JSON.stringify({ ...state, goal: "", reading: "" });
  if (open.length && last.key !== key) last = { key, learnt: lawOf(state, goal, record) };
  if (!open.length || !last.learnt) return { ...found, chances: {}, ahead: [], evidence: {} };
  const { gap, evidence, years, prepared } = last.learnt, { surest, certain } = MODEL;
  const surely = (p) => clip(p, surest, 1 - surest);
  const ahead = years.map(({ year: one, levels, fan, start, grown }) => {
    const path = pathAt(goal, one), onPath = surely(reaching(levels, Math.log(path)));
    return { year: one, path, fan, onPath, alone: surely(reaching(grown, start + Math.log1p(rate))) };
  });
  const end = years.find((one) => one.year === deadline);
  const average = end ? reaching(end.levels, Math.log(goal.target))
    : Number(verdicts.average.outcome === "met");
  const all = { average, ...otherReadings(prepared, rate, average) };
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
