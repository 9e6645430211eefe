// A goal and its three readings: lib/goals.py. A record is a Map from year to { value, grade, id }.

const READINGS = Object.keys(DATA.readings);
const SLACK = 1e-9;

/** Read a goal: "25 %" or "25" is a rate a year, "14 USD bn" a level to reach, "3 times the base" one, too. */
function parseGoal(text) {
  const level = /^([0-9]{1,9}(?:\.[0-9]{1,9})?) *([A-Z]{3}) *(mn|bn)$/i.exec(text);
  if (level) {
    const [, number, currency, scale] = level;
    return { kind: "level", number: number * (scale.toLowerCase() === "bn" ? 1000 : 1), currency: currency.toUpperCase() };
  }
  const multiple = /^([0-9]{1,9}(?:\.[0-9]{1,9})?) times the base$/.exec(text);
  if (multiple) return { kind: "multiple", number: Number(multiple[1]) };
  const rate = /^([+−-]?[0-9]{1,9}(?:\.[0-9]{1,9})?) *%?(?: *a year)?$/.exec(text);
  if (rate) return { kind: "rate", number: Number(rate[1].replace("−", "-")) / 100 };
  throw new Problem(`goal: found ${quoted(text)}, expected a rate such as "25 %" or a level such as "100 USD bn"`);
}

const cagr = (start, end, years) => (end / start) ** (1 / years) - 1;

/** The goal of a state on the base level that the record holds. */
function makeGoal({ goal: text, base_year: baseYear, deadline, currency }, record) {
  const { kind, number } = parseGoal(text), years = deadline - baseYear, base = record.get(baseYear).value;
  const rate = kind === "rate" ? number : cagr(kind === "level" ? base : 1, number, years);
  return { rate, baseYear, deadline, years, base, target: base * (1 + rate) ** years, currency };
}

const pathAt = (goal, year) => goal.base * (1 + goal.rate) ** (year - goal.baseYear);

/** Each known year to the deadline with the known year before it and the compound rate a year between them. */
function spansOf(goal, record) {
  const inside = [...record.keys()].filter((year) => year >= goal.baseYear && year <= goal.deadline);
  return inside.slice(1).map((year, k) => {
    const before = inside[k], years = year - before;
    return { year, before, years, rate: cagr(record.get(before).value, record.get(year).value, years) };
  });
}

/** The first span that grew more slowly than the goal: one of its years did, too. */
const slowSpan = (goal, spans) => spans.find((span) => span.rate < goal.rate - SLACK);

/** Growth a year still needed from the last known year, by reading; NaN where there is none. */
function neededRates(goal, record, over) {
  const spans = spansOf(goal, record), from = spans.at(-1)?.year ?? goal.baseYear, left = over ? 0 : goal.deadline - from;
  const open = left > 0 && spans.length === from - goal.baseYear;
  return {
    from,
    left,
    average: left ? cagr(record.get(from).value, goal.target, left) : NaN,
    every_year: open && !slowSpan(goal, spans) ? goal.rate : NaN,
    mean_of_rates: open ? (goal.years * goal.rate - sum(spans.map(({ rate }) => rate))) / left : NaN,
  };
}

/** Whether each reading was met, from the levels known on a day. */
function judge(goal, record, day) {
  const spans = spansOf(goal, record), slow = slowSpan(goal, spans), { baseYear, deadline, years } = goal;
  const absent = upTo(years).map((k) => baseYear + 1 + k).filter((year) => !record.has(year)), end = record.get(deadline);
  const waiting = day < `${deadline + MODEL.publication_lag}-12-31` ? "open" : "unknown";
  const verdict = (met, reason) => ({ outcome: met ? "met" : "missed", reason });
  const missing = (which) => ({ outcome: waiting, reason: `no figure for ${which}` });
  // The mean of the rates of a span is at least its compound rate, and no rate is below −1: the known years may suffice.
  const left = deadline - (spans.at(-1)?.year ?? baseYear), least = (sum(spans.map((one) => one.years * one.rate)) - left) / years;
  const suffices = least >= goal.rate - SLACK;
  const span = slow && (slow.years === 1 ? `in ${slow.year}` : `a year in ${slow.before}–${slow.year}`);
  const each = slow ? `${rateText(slow.rate)} ${span}` : years === 1 ? "in its only year" : `in each of ${years} years`;
  return {
    average: !end ? missing(deadline) : verdict(end.value >= goal.target * (1 - SLACK),
      `${rateText(cagr(goal.base, end.value, years))} a year ${baseYear}–${deadline}`),
    every_year: !slow && absent.length ? missing(absent.join(", ")) : verdict(!slow, each),
    mean_of_rates: absent.length && !suffices ? missing(absent.join(", "))
      : verdict(suffices, `mean ${absent.length ? "at least " : ""}${rateText(least)}`),
  };
}

/** The answer for one reading: what stands large, and the sentence beside it. After the deadline nothing is a forecast. */
function headline(found, reading) {
  const { outcome, reason } = found.verdicts[reading], chance = found.chances[reading], { deadline } = found.goal;
  const read = `Read ${DATA.readings[reading]},`;
  if (outcome === "met" || outcome === "missed") return [outcome === "met" ? "Met." : "Missed.", `${read} the goal was ${outcome}: ${reason}.`];
  if (chance === undefined) return ["Not known.", `${read} the record cannot say: ${reason}.`];
  const kinds = { forecast: "a forecast", nowcast: `a nowcast, while ${deadline} is running`,
    inferred: `inferred, since no figure of ${deadline} had been published` };
  const tense = found.kind === "inferred" ? "was" : "will be";
  return [chance, `that it ${tense} met, read ${DATA.readings[reading]}: ${kinds[found.kind]}.`];
}
