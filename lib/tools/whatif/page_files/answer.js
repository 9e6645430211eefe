// From a state (what the reader chose) to everything that is shown of it: lib.outlook, lib.analysis.what_if.

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

/** The days on which a level of the flow changed or a goal for it was announced, and today: those of which more is shipped. */
const releaseDays = (flow, currency) => flow.knows[currency].map((one) => one.day);

/** Log growth on the year before, NaN after a gap; `years` is a Map from year to level. */
function logGrowth(record) {
  return [...record].map(([year, { value }]) =>
    record.has(year - 1) ? Math.log(value) - Math.log(record.get(year - 1).value) : NaN);
}

const upToYear = (record, last) => new Map([...record].filter(([year]) => year <= last));

/** A level in US dollars; the average rate of a year is known once the year is over. */
function inDollars(mn, year, currency, day) {
  if (currency === "USD") return mn * 1e6;
  const rate = year < Number(day.slice(0, 4)) ? DATA.per_usd[currency]?.[year] : undefined;
  if (!rate) throw new Problem(`currency: found ${currency} for ${year}, expected a year whose average exchange rate is known`);
  return mn / rate * 1e6;
}

/** What was known beside the levels of a reader's own figures: nothing, but for flows of their size. */
function ownGap(state, record) {
  const [from, { value }] = [...record].pop(), rates = logGrowth(record), prior = priorFor(inDollars(value, from, state.currency, DATA.day), from);
  const model = posterior(rates, prior);
  return { from, model, source: prior.source, warning: prior.warning, shares: sharesOf(model, prior), months: [], later: null, chains: [], mirror: null };
}

/** What a day knew beside the levels: of the last day that was shipped, for the last level up to the deadline. */
function gapOf(state, record, day, deadline) {
  if (state.reporter === OWN) return ownGap(state, upToYear(record, deadline));
  const then = flowOf(state).knows[state.currency].filter((one) => one.day <= day).pop();
  const start = [...record.keys()].filter((year) => year <= deadline).pop(), gap = then.gaps.map((place) => DATA.gaps[place]).find(([from]) => from === start);
  if (!gap) return null;  // a goal that begins before hidden years and ends long after them: the notebooks have it
  const [from, expected, months, later, chains] = gap;
  if (typeof expected === "string") throw new Problem(expected);
  const { posterior, source, warning, shares } = DATA.expected[expected];
  const [mean, weight, variance, df, autocorrelation, echo, classVariance, classDf] = posterior;
  return {
    from, months, later, warning, shares, source: DATA.classes[source], mirror: then.mirror, since: then.day,
    chains: chains.map((place) => DATA.chains[place]), model: { mean, weight, variance, df, autocorrelation, echo, classVariance, classDf },
  };
}

/** The record and the day of a state; a reader's own figures are seen with all that is known today. */
function known(state) {
  if (state.reporter === OWN) return { record: readFigures(state.own), day: DATA.day };
  return { record: recordOn(flowOf(state), state.currency, state.as_of), day: state.as_of };
}

/** The law of the unknown years to the deadline, and the evidence in it by kind (lib.outlook.of). */
function learn(goal, record, gap, state) {
  const { baseYear, deadline } = goal, within = (year) => year > baseYear && year <= deadline, evidence = {};
  const chain = gap.chains.find((one) => one.whole[0] <= baseYear && baseYear <= one.whole[1] && one.years.some(within));
  const later = chain ? [...record.keys()].filter((year) => year > deadline && year <= chain.whole[1]) : gap.later && !record.has(deadline) ? [gap.later[0]] : [];
  if (chain) evidence["larger flows"] = `${chain.top} ${yearSpans(chain.years.filter(within))}`;
  if (later.length) evidence["later level"] = `${state.reporter} ${yearSpans(later)}`;
  let law = chain ? afterChain(chain, goal, record, gap) : fromOwn(goal, record, gap);
  const unknown = law.years.filter((year) => !record.has(year)), theirs = unknown.filter((year) => year in (gap.mirror?.levels ?? {}));
  if (theirs.length) {
    law = prune(given(law, mirrored(law, theirs, gap.mirror), studentNodes(gap.mirror.df)));
    evidence.mirror = `${state.partner}'s figures of ${yearSpans(theirs)}`;
  }
  const running = gap.months.filter(([year]) => unknown.includes(year)), [, , , , , correlation] = running.at(-1) ?? [];
  if (running.length) {
    const seen = [...running].sort((a, b) => a[3] - b[3]).map(([year, , value, variance]) => [rowOf(law, year), value, variance]);
    law = prune(given(law, seen, studentNodes(Math.min(...running.map((one) => one[4]))), correlation));
    evidence.months = running.map(([year, month]) => `${state.reporter}, ${year} to month ${month}`).join(", ");
  }
  return { law: prune(marginal(law, (year) => !record.has(year))), evidence };
}

const modelAt = (model, from, year) => year === from ? model : { ...model, echo: 0 };

/** The law from the own yearly levels; the first one after the deadline is taken in, in doubt of its scope (lib.outlook._own_law). */
function fromOwn(goal, record, { from, model, later }) {
  const first = upTo(goal.years).map((k) => goal.baseYear + 1 + k).find((year) => !record.has(year)), start = first - 1;
  const [after, errors] = record.has(goal.deadline) ? [] : later ?? [], level = start === goal.baseYear ? goal.base : record.get(start).value;
  let law = exactly(lawFrom(modelAt(model, from, start), start, level, (after ?? goal.deadline) - start), upToYear(record, goal.deadline));
  if (after) law = given(law, [[rowOf(law, after), Math.log(record.get(after).value), 1]], errors.map(([sd, weight]) => [weight, sd * sd]));
  return marginal(law, (year) => year <= goal.deadline);
}

/** The law that larger flows give; where they end it grows on as the flow's own law says (lib.outlook._after_chain). */
function afterChain(chain, goal, record, { from, model }) {
  const law = marginal(unpacked(chain), (year) => year > goal.baseYear && year <= goal.deadline), end = chain.whole[1];
  if (end >= goal.deadline) return law;
  const growth = lawFrom(modelAt(model, from, end), end, 1, goal.deadline - end);
  return exactly(followedBy(law, growth, end, law.years.includes(end) ? null : record.get(end).value), record);
}

/** The partner's figures as independent sums: their mean, and Helmert's contrasts (errors as in lib.evidence.mirror). */
function mirrored(law, years, { levels, df, variance }) {
  const own = variance / (1 + 1 / (df + 1)), m = years.length;
  return upTo(m).map((j) => {
    const by = years.map((_, i) => j === 0 ? 1 / Math.sqrt(m) : i < j ? 1 / Math.sqrt(j * (j + 1)) : i === j ? -j / Math.sqrt(j * (j + 1)) : 0);
    const row = law.years.map((year) => years.includes(year) ? by[years.indexOf(year)] : 0);
    return [row, sum(years.map((year, i) => by[i] * levels[year])), j === 0 ? own * (1 + m / (df + 1)) : own];
  });
}

const kindOf = (day, deadline) => day > `${deadline}-12-31` ? "inferred" : Number(day.slice(0, 4)) === deadline ? "nowcast" : "forecast";
const surely = (p) => clip(p, MODEL.surest, 1 - MODEL.surest);

let last = {};

/** The law of a state and what its readings need; the last one is kept, for a goal's rate does not change it. */
function lawOf(state, goal, record, day) {
  const key = JSON.stringify([state.reporter, state.partner, state.flow, state.own, state.currency, day, goal.baseYear, goal.deadline]);
  if (last.key !== key) {
    const gap = gapOf(state, record, day, goal.deadline);
    if (!gap) return null;
    const { law, evidence } = learn(goal, record, gap, state);
    const columns = law.years.map((_, at) => column(law.parts, at)), fans = columns.map((one) => MODEL.fan.map((p) => Math.exp(quantile(one, p, ndtri(p)))));
    last = { key, gap, law, evidence, columns, fans, prepared: preparedFor(growthOf(law, goal, record)) };
  }
  return last;
}

/** Everything that is said of a state (lib.outlook.of). */
function answer(state) {
  const { record, day } = known(state), goal = makeGoal(state.goal, state.base_year, state.deadline, record, state.currency), kind = kindOf(day, goal.deadline);
  const verdicts = judge(goal, record, day), open = READINGS.filter((name) => !["met", "missed"].includes(verdicts[name].outcome));
  const base = knownShare(goal, inDollars(goal.base, goal.baseYear, state.currency, day), lastReleased(day));
  const found = { goal, record, day, verdicts, base, needed: neededRates(goal, record, kind === "inferred"), kind, chances: {}, ahead: [], evidence: {} };
  const learnt = open.length ? lawOf(state, goal, record, day) : null;
  if (!learnt) return found;
  const all = chances(learnt, goal, record), { gap, evidence } = learnt;
  return { ...found, gap, evidence, ahead: yearsAhead(learnt, goal), chances: Object.fromEntries(open.map((name) => [name, surely(all[name])])) };
}

/** Probability by reading (lib.law.chances). */
function chances({ law, columns, prepared }, goal, record) {
  const at = law.years.indexOf(goal.deadline), target = Math.log(goal.base) + goal.years * Math.log1p(goal.rate);
  const average = at < 0 ? (Math.log(record.get(goal.deadline).value) < target - SLACK ? 0 : 1) : 1 - below(columns[at], target);
  return { average, ...otherReadings(prepared, goal.rate, average) };
}

/** The years that are not known, one by one: path, fan, P(on the path), P(that year alone grows so fast). */
function yearsAhead({ law, columns, fans, prepared }, goal) {
  return law.years.map((year, at) => {
    const path = pathAt(goal, year);
    return {
      year, path, fan: fans[at], onPath: surely(1 - below(columns[at], Math.log(path))),
      alone: surely(1 - below(column(prepared.growth, year - goal.baseYear - 1), Math.log1p(goal.rate))),
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

/** A reader's own figures, one a line, also as a spreadsheet copies them (lib.analysis.what_if.read_figures). */
function readFigures(text) {
  const expected = 'a year, its level in millions and perhaps its growth, such as "2013 230 +50 %"';
  let lines = text.replace(/[\u00a0\u2009\u202f]/g, " ").split(/\r?\n|\|/).map((one, k) => [k + 1, one.trim()]).filter(([, one]) => one);
  if (lines.length > 1 && !/^"?[0-9]/.test(lines[0][1])) lines = lines.slice(1);
  if (!(lines.length >= 1 && lines.length <= MODEL.own_most)) {
    throw new Problem(`own figures: found ${lines.length} lines, expected 1 to ${MODEL.own_most}: ${expected}`);
  }
  const parts = lines.map(([place, one]) => {
    const found = OWN_LINE.exec(one);
    if (!found) throw new Problem(`own figures, line ${place}: found ${quoted(one)}, expected ${expected}`);
    return found;
  });
  const decimal = decimalSign(parts.map((found) => found[2])), levels = new Map(), implied = new Map();
  lines.forEach(([place, one], k) => readLine(one, `own figures, line ${place}`, parts[k], decimal, levels, implied));
  const all = new Map([...implied, ...levels]);
  return new Map([...all].sort(([a], [b]) => a - b).map(([year, value]) => [year, { value, grade: levels.has(year) ? 0 : 1, id: "" }]));
}

const OWN_NUMBER = "[0-9]{1,3}(?:[ .,'][0-9]{3})+(?:[.,][0-9]{1,9})?|[0-9]{1,12}(?:[.,][0-9]{1,9})?";
const OWN_LINE = new RegExp(`^"?([0-9]{4})"?[ \\t,;:=]+"?(${OWN_NUMBER})"?(?:[ \\t,;:]+"?([+−-]?[0-9]{1,4}(?:[.,][0-9]{1,9})?) *%"?)?$`);

/** The decimal sign of the numbers of one table; a point that always stands before three digits could be either. */
function decimalSign(written) {
  for (const text of written) {
    const signs = text.replace(/[0-9 ']/g, ""), [before, after] = text.split(signs[0]);
    if (new Set(signs).size === 2) return signs.at(-1);
    if (signs.length > 1) return signs[0] === "," ? "." : ",";
    if (signs && (after.length !== 3 || before.length > 3)) return signs;
  }
  const doubtful = written.find((text) => text.includes("."));
  if (doubtful) throw new Problem(`own figures: found ${quoted(doubtful)}, expected a number that can be read in one way: did you mean ${doubtful.replace(".", "")} or ${doubtful}0?`);
  return ".";
}

function readLine(text, where, found, decimal, levels, implied) {
  const plain = found[2].replace(/[ ']/g, ""), year = Number(found[1]);
  const level = Number(decimal === "," ? plain.replaceAll(".", "").replace(",", ".") : plain.replaceAll(",", ""));
  const rate = found[3] === undefined ? null : Number(found[3].replace("−", "-").replace(",", ".")) / 100;
  if (year < MODEL.own_first || year > MODEL.own_last) {
    throw new Problem(`${where}: found ${year}, expected a year from ${MODEL.own_first} to ${MODEL.own_last}`);
  }
  if (levels.has(year)) throw new Problem(`${where}: found ${year} twice, expected each year once`);
  if (level <= 0 || (rate !== null && rate <= -1)) throw new Problem(`${where}: found ${quoted(text)}, expected a level above 0 that can grow`);
  levels.set(year, level);
  if (rate !== null) implied.set(year - 1, level / (1 + rate));
}
