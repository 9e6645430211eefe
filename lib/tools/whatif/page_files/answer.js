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

/** Larger flows that the day had on record, the nearest first, and at last the largest one's trade with the world. */
function largerFlows(flow, day) {
  const find = (reporter, partner) => DATA.flows.find((one) =>
    one.reporter === reporter && one.partner === partner && one.flow === flow.flow && one.since <= day);
  const larger = flow.parents.map((name) => find(name, flow.partner)).filter(Boolean);
  const all = flow.partner === "World" ? undefined : find(larger.at(-1)?.reporter ?? flow.reporter, "World");
  return all ? [...larger, all] : larger;
}

/** The days on which something changed for the flow or a larger one, from the flow's first level on. */
function releaseDays(flow, currency) {
  const first = flow.levels[currency]?.[0]?.[0] ?? DATA.day;
  const all = [flow, ...largerFlows(flow, DATA.day)].flatMap((one) => (one.levels[currency] ?? []).map(([day]) => day));
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

/** What was to be expected from the last level of a record on (lib.outlook.expect). */
function expect(state, record, day) {
  const classOf = (seen, partner) => {
    const [year, { value }] = [...seen].pop();
    return priorFor(inDollars(value, year, state.currency, day), year, day, partner === "World");
  };
  const [origin, { value }] = [...record].pop(), rates = logGrowth(record), own = state.reporter === OWN;
  const larger = own ? [] : largerFlows(flowOf(state), day).map((flow) => {
    const theirs = upToYear(recordOn(flow, state.currency, day), origin);
    const name = flow.partner === state.partner ? flow.reporter : `${flow.reporter}–${flow.partner}`;
    return theirs.size < 2 ? null : { name, growth: logGrowth(theirs), prior: classOf(theirs, flow.partner) };
  }).filter(Boolean);
  const { prior, shares } = priorWithParents(classOf(record, state.partner), larger, rates), model = posterior(rates, prior);
  return { origin, level: value, prior, shares, model: { ...model, ...variancePart(model, prior) } };
}

/** The record and the day of a state; a reader's own figures are seen with all that is known today. */
function known(state) {
  if (state.reporter === OWN) return { record: readFigures(state.own), day: DATA.day };
  return { record: recordOn(flowOf(state), state.currency, state.as_of), day: state.as_of };
}

/** The law of the years to the deadline from the own yearly levels up to it (lib.outlook.own_law). */
function ownLaw(goal, record, expected) {
  const first = upTo(goal.years).map((k) => goal.baseYear + 1 + k).find((year) => !record.has(year)), start = first - 1;
  const model = start === expected.origin ? expected.model : { ...expected.model, echo: 0 };
  const level = start === goal.baseYear ? goal.base : record.get(start).value;
  const later = [...record].filter(([year]) => year > first && year <= goal.deadline);
  return prune(later.reduce((law, [year, { value }]) => givenLevel(law, year, value), lawFrom(model, start, level, goal.deadline - start)));
}

const kindOf = (day, deadline) => day > `${deadline}-12-31` ? "inferred" : Number(day.slice(0, 4)) === deadline ? "nowcast" : "forecast";
const surely = (p) => clip(p, MODEL.surest, 1 - MODEL.surest);

let last = {};

/** The law of a state and what its readings need; the last one is kept, for a goal's rate does not change it. */
function lawOf(state, goal, record, day) {
  const key = JSON.stringify([state.reporter, state.partner, state.flow, state.own, state.currency, day, goal.baseYear, goal.deadline]);
  if (last.key !== key) {
    const expected = expect(state, upToYear(record, goal.deadline), day), law = ownLaw(goal, record, expected);
    last = { key, expected, law, prepared: preparedFor(law, growthOf(law, goal, record)) };
  }
  return last;
}

/** Everything that is said of a state from the flow's own yearly levels (lib.outlook.of without any evidence). */
function plain(state) {
  const { record, day } = known(state), goal = makeGoal(state.goal, state.base_year, state.deadline, record, state.currency);
  const verdicts = judge(goal, record, day), open = READINGS.filter((name) => !["met", "missed"].includes(verdicts[name].outcome));
  const base = knownShare(goal, inDollars(goal.base, goal.baseYear, state.currency, day), lastReleased(day, false));
  const found = { goal, record, day, verdicts, base, needed: neededRates(goal, record, kindOf(day, goal.deadline) === "inferred"), kind: kindOf(day, goal.deadline), chances: {}, ahead: [], evidence: {} };
  if (!open.length) return found;
  const { expected, law, prepared } = lawOf(state, goal, record, day), all = chances(law, prepared, goal, record);
  return { ...found, expected, ahead: yearsAhead(law, prepared.growth, goal), chances: Object.fromEntries(open.filter((name) => name in all).map((name) => [name, surely(all[name])])) };
}

/** The same with what else the day knew, where that is stored: an announced goal, on its day and today. */
function answer(state) {
  const found = plain(state), stored = DATA.goals[sameGoal(state, ["own", "as_of", "reading"])]?.answers[found.day];
  if (!stored) return { ...found, whole: state.reporter === OWN || !found.ahead.length || knewNoMore(state, found.day) };
  const ahead = stored.ahead.map(([year, path, ...rest]) => ({ year, path, fan: rest.slice(0, 7), onPath: rest[7], alone: rest[8] }));
  return { ...found, whole: true, kind: stored.kind, chances: stored.chances, evidence: stored.evidence, ahead };
}

/** Whether a stored answer tells that the day knew nothing beside the yearly levels: another rate changes no evidence. */
function knewNoMore(state, day) {
  const alike = DATA.goals[sameGoal(state, ["own", "as_of", "reading", "goal"])]?.answers[day];
  return alike !== undefined && alike.ahead.length > 0 && !Object.keys(alike.evidence).length;
}

/** Probability by reading (lib.law.chances). */
function chances(law, prepared, goal, record) {
  const at = law.years.indexOf(goal.deadline), target = Math.log(goal.base) + goal.years * Math.log1p(goal.rate);
  const average = at < 0 ? (Math.log(record.get(goal.deadline).value) < target - SLACK ? 0 : 1) : 1 - below(law, target, law.mean[at], law.shape[at][at]);
  return { average, ...otherReadings(prepared, goal.rate, average) };
}

/** The years that are not known, one by one: path, fan, P(on the path), P(that year alone grows so fast). */
function yearsAhead(law, growth, goal) {
  const standard = MODEL.fan.map((p) => standardQuantile(law, p));
  return law.years.map((year, at) => {
    const path = pathAt(goal, year), k = year - goal.baseYear - 1;
    return {
      year, path,
      fan: standard.map((one) => Math.exp(law.mean[at] + Math.sqrt(law.shape[at][at]) * one)),
      onPath: surely(1 - below(law, Math.log(path), law.mean[at], law.shape[at][at])),
      alone: surely(1 - below(law, Math.log1p(goal.rate), growth.mean[k], growth.shape[k][k])),
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
