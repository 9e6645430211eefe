// From a state (what the reader chose) to everything that is shown of it: lib.outlook, lib.analysis.what_if.

const OWN = "own";

const sameFlow = (one, other) => ["reporter", "partner", "flow"].every((name) => one[name] === other[name]);
const flowOf = (state) => DATA.flows.find((flow) => sameFlow(flow, state));

/** The days on which a level of the flow changed or a goal for it was announced, and today: those of which more is shipped. */
const releaseDays = (state) =>
  state.reporter === OWN ? [DATA.day] : flowOf(state).knows[state.currency].map(({ day }) => day);

/** The levels of a state's flow known on its day, in order of the years: Map from year to { value, grade, id }. */
function recordOf(state) {
  if (state.reporter === OWN) return readFigures(state.own);
  const known = new Map();
  for (const [day, changes] of flowOf(state).levels[state.currency]) {
    if (day > state.as_of) break;
    for (const [year, value, grade, id] of changes) {
      if (value === undefined) known.delete(year); else known.set(year, { value, grade, id });
    }
  }
  return new Map([...known].sort(([a], [b]) => a - b));
}

const upToYear = (record, last) => new Map([...record].filter(([year]) => year <= last));

/** A level in US dollars; the average rate of a year is known once the year is over. */
function inDollars(mn, year, { currency, as_of: day }) {
  const rate = currency === "USD" ? 1 : year < Number(day.slice(0, 4)) && DATA.per_usd[currency]?.[year];
  if (!rate) throw new Problem(`currency: found ${currency} for ${year}, expected a year whose average exchange rate is known`);
  return mn / rate * 1e6;
}

/** What a day knew beside the levels: of the last day that was shipped, for the last level up to the deadline. */
function gapOf(state, record) {
  const before = upToYear(record, state.deadline), start = [...before.keys()].at(-1);
  if (state.reporter === OWN) {
    const usd = inDollars(before.get(start).value, start, state);
    return { from: start, ...ownExpectation(before, usd), months: [], later: null, chains: [], mirror: null };
  }
  const then = flowOf(state).knows[state.currency].findLast(({ day }) => day <= state.as_of);
  const gap = then.gaps.map((place) => DATA.gaps[place]).find(([from]) => from === start);
  if (!gap) return null;  // a goal that begins before hidden years and ends long after them: the notebooks have it
  const [from, expected, months, later, chains] = gap;
  if (typeof expected === "string") throw new Problem(expected);
  const { source, ...known } = DATA.expected[expected];
  const larger = chains.map((place) => DATA.chains[place]);
  return { from, months, later, ...known, source: DATA.classes[source], mirror: then.mirror, since: then.day, chains: larger };
}

/** The law of the unknown years to the deadline, and the evidence in it by kind (lib.outlook.of). */
function learn(goal, record, gap, state) {
  const { baseYear, deadline } = goal, within = (year) => year > baseYear && year <= deadline, evidence = {};
  const chain = gap.chains.find(({ whole: [first, last], years }) => first <= baseYear && baseYear <= last && years.some(within));
  const after = [...record.keys()].filter((year) => year > deadline && year <= chain?.whole[1]);
  const later = chain ? after : gap.later && !record.has(deadline) ? [gap.later[0]] : [];
  if (chain) evidence["larger flows"] = `${chain.top} ${yearSpans(chain.years.filter(within))}`;
  if (later.length) evidence["later level"] = `${state.reporter} ${yearSpans(later)}`;
  let law = chain ? afterChain(chain, goal, record, gap) : fromOwn(goal, record, gap);
  const unknown = law.years.filter((year) => !record.has(year));
  const theirs = unknown.filter((year) => year in (gap.mirror?.levels ?? {}));
  if (theirs.length) {
    law = prune(given(law, mirrored(law, theirs, gap.mirror), errorNodes(gap.mirror.df)));
    evidence.mirror = `${state.partner}'s figures of ${yearSpans(theirs)}`;
  }
  const running = gap.months.filter(([year]) => unknown.includes(year));
  if (running.length) {
    const seen = [...running].sort((a, b) => a[3] - b[3]).map(([year, , value, variance]) => [rowOf(law, year), value, variance]);
    const df = Math.min(...running.map(([, , , , one]) => one)), correlation = running.at(-1)[5];
    law = prune(given(law, seen, errorNodes(df), correlation));
    evidence.months = running.map(([year, month]) => `${state.reporter}, ${year} to month ${month}`).join(", ");
  }
  return { law: prune(marginal(law, (year) => !record.has(year))), evidence };
}

/** The law from the own yearly levels; the first after the deadline is taken in, in doubt of its scope (lib.outlook.own_law). */
function fromOwn(goal, record, gap) {
  const first = upTo(goal.years).map((k) => goal.baseYear + 1 + k).find((year) => !record.has(year)), start = first - 1;
  const [after, errors] = record.has(goal.deadline) ? [] : gap.later ?? [];
  const plain = lawFrom(gap, start, record.get(start).value, (after ?? goal.deadline) - start);
  let law = exactly(plain, upToYear(record, goal.deadline));
  if (after) {
    const nodes = errors.map(([sd, weight]) => [weight, sd * sd]);
    law = given(law, [[rowOf(law, after), Math.log(record.get(after).value), 1]], nodes);
  }
  return marginal(law, (year) => year <= goal.deadline);
}

/** The law that larger flows give; where they end it grows on as the flow's own law says (lib.outlook._after_chain). */
function afterChain(chain, goal, record, gap) {
  const law = marginal(unpacked(chain), (year) => year > goal.baseYear && year <= goal.deadline), end = chain.whole[1];
  if (end >= goal.deadline) return law;
  const growth = lawFrom(gap, end, 1, goal.deadline - end), level = law.years.includes(end) ? null : record.get(end).value;
  return exactly(followedBy(law, growth, end, level), record);
}

/** The partner's figures as independent sums: their mean, and Helmert's contrasts (errors as in lib.evidence.mirror). */
function mirrored(law, years, { levels, df, variance }) {
  const own = variance / (1 + 1 / (df + 1)), m = years.length;
  return upTo(m).map((j) => {
    const contrast = (i) => i < j ? 1 / Math.sqrt(j * (j + 1)) : i === j ? -j / Math.sqrt(j * (j + 1)) : 0;
    const by = upTo(m).map((i) => j === 0 ? 1 / Math.sqrt(m) : contrast(i));
    const row = law.years.map((year) => by[years.indexOf(year)] ?? 0);
    return [row, sum(years.map((year, i) => by[i] * levels[year])), j === 0 ? own * (1 + m / (df + 1)) : own];
  });
}

const surely = (p) => clip(p, MODEL.surest, 1 - MODEL.surest);

let last = {};

/** The law of a state and what its readings need; the last one is kept, for a goal's rate does not change it. */
function lawOf(state, goal, record) {
  const key = JSON.stringify({ ...state, goal: "", reading: "" });
  if (last.key === key) return last;
  const gap = gapOf(state, record);
  if (!gap) return null;
  const { law, evidence } = learn(goal, record, gap, state), columns = law.years.map((_, at) => column(law.parts, at));
  const fans = columns.map((one) => MODEL.fan.map((p) => Math.exp(quantile(one, p))));
  const growth = growthOf(law, goal, record), grown = law.years.map((year) => column(growth, year - goal.baseYear - 1));
  last = { key, gap, law, evidence, columns, grown, fans, prepared: preparedFor(growth) };
  return last;
}

/** Everything that is said of a state (lib.outlook.of). */
function answer(state) {
  const record = recordOf(state), day = state.as_of, goal = makeGoal(state, record), verdicts = judge(goal, record, day);
  const year = Number(day.slice(0, 4)), { deadline } = goal;
  const kind = year > deadline ? "inferred" : year === deadline ? "nowcast" : "forecast";
  const open = READINGS.filter((name) => !["met", "missed"].includes(verdicts[name].outcome));
  const needed = neededRates(goal, record, kind === "inferred"), base = knownShare(goal, state);
  const found = { goal, record, day, verdicts, base, needed, kind, open, chances: {}, ahead: [], evidence: {} };
  const learnt = open.length ? lawOf(state, goal, record) : null;
  if (!learnt) return found;
  const all = chances(learnt, goal, record), { gap, evidence } = learnt, ahead = yearsAhead(learnt, goal);
  const odds = Object.fromEntries(open.map((name) => [name, surely(all[name])])), chance = odds[state.reading] ?? 0.5;
  const [unreachable, trivial] = MODEL.absurd;
  const absurd = chance < MODEL.certain ? unreachable : chance > 1 - MODEL.certain ? trivial : "";
  return { ...found, gap: { ...gap, warning: `${absurd} ${gap.warning}`.trim() }, evidence, ahead, chances: odds };
}

/** Probability by reading (lib.law.chances). */
function chances({ law, columns, prepared }, goal, record) {
  const at = law.years.indexOf(goal.deadline), target = Math.log(goal.base) + goal.years * Math.log1p(goal.rate);
  const reached = () => Math.log(record.get(goal.deadline).value) < target - SLACK ? 0 : 1;
  const average = at < 0 ? reached() : reaching(columns[at], target);
  return { average, ...otherReadings(prepared, goal.rate, average) };
}

/** The years that are not known, one by one: path, fan, P(on the path), P(that year alone grows so fast). */
function yearsAhead({ law, columns, grown, fans }, goal) {
  return law.years.map((year, at) => {
    const path = pathAt(goal, year), onPath = reaching(columns[at], Math.log(path));
    return { year, path, fan: fans[at], onPath: surely(onPath), alone: surely(reaching(grown[at], Math.log1p(goal.rate))) };
  });
}

/** What is known of flows of the size of the base: the share that grew so fast, null where no panel is long enough. */
function knownShare(goal, state) {
  const years = Math.min(goal.years, MODEL.longest_base_rate), origin = lastReleased(state.as_of);
  const usd = inDollars(goal.base, goal.baseYear, state);
  return { share: baseRate(usd, origin, years, goal.rate), years, origin, size: TABLES.size_labels[sizeClass(usd)] };
}
