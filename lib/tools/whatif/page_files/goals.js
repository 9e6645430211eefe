// A goal and its three readings: lib/goals.py. A record is a Map from year to { value, grade, id }.

const READINGS = Object.keys(DATA.readings), NUMBER = "[0-9]{1,9}(?:\\.[0-9]{1,9})?";
const GOAL = RegExp(`^(?:(?<rate>[+−-]?${NUMBER}) *%?(?: *a year)?|(?<multiple>${NUMBER}) times the base`
  + `|(?<level>${NUMBER}) *(?<unit>[A-Za-z]{3}) *(?<scale>[MmBb])[Nn])$`);

/** Read a goal: "25 %" or "25" is a rate a year, "14 USD bn" or "3 times the base" a level to reach. */
function parseGoal(text) {
  const { rate, multiple, level, unit, scale } = GOAL.exec(text)?.groups
    ?? refuse("goal", quoted(text), 'a rate such as "25 %" or a level such as "100 USD bn"');
  if (rate) return { kind: "rate", number: Number(rate.replace("−", "-")) / 100 };
  if (multiple) return { kind: "multiple", number: Number(multiple) };
  return { kind: "level", number: level * (/b/i.test(scale) ? 1000 : 1), currency: unit.toUpperCase() };
}

const cagr = (start, end, years) => (end / start) ** (1 / years) - 1;

/** The goal of a state on the base level that the record holds. */
function makeGoal({ goal: text, base_year: baseYear, deadline }, record) {
  const { kind, number } = parseGoal(text), years = deadline - baseYear, base = record.get(baseYear).value;
  const rate = kind === "rate" ? number : cagr(kind === "level" ? base : 1, number, years);
  return { kind, rate, baseYear, deadline, years, base, target: base * (1 + rate) ** years };
}

const pathAt = (goal, year) => goal.base * (1 + goal.rate) ** (year - goal.baseYear);

/** Whether each reading was met by the levels of a day, and the growth a year that it still needs, or NaN. */
function judge({ baseYear, deadline, years, rate, base, target }, record, day) {
  const inside = [...record.keys()].filter((year) => year >= baseYear && year <= deadline);
  const absent = numbers(years, (k) => baseYear + 1 + k).filter((year) => !record.has(year)).join(", ");
  // Each known year with the one before it and the compound rate between them; the first that was too slow.
  const spans = inside.slice(1).map((year, k) => ({ year, before: inside[k], length: year - inside[k],
    pace: cagr(record.get(inside[k]).value, record.get(year).value, year - inside[k]) }));
  const slow = spans.find(({ pace }) => pace < rate - SLACK), from = inside.at(-1);
  const summed = sum(spans.map(({ length, pace }) => length * pace)), end = record.get(deadline)?.value;
  // The mean of a span's rates is at least its compound rate, no rate is below −1: known years may suffice.
  const least = (summed - (deadline - from)) / years, suffices = least >= rate - SLACK;
  const span = slow && (slow.length === 1 ? `in ${slow.year}` : `a year in ${slow.before}–${slow.year}`);
  const all = years === 1 ? "in its only year" : `in each of ${years} years`;
  const outcome = day < `${deadline + MODEL.publication_lag}-12-31` ? "open" : "unknown";
  const verdict = (isKnown, met, reason, which) => isKnown
    ? { outcome: met ? "met" : "missed", reason } : { outcome, reason: `no figure for ${which}` };
  const verdicts = {
    average: verdict(end, end >= target * (1 - SLACK),
      `${rateText(cagr(base, end, years))} a year ${baseYear}–${deadline}`, deadline),
    every_year: verdict(slow || !absent, !slow, slow ? `${rateText(slow.pace)} ${span}` : all, absent),
    mean_of_rates: verdict(suffices || !absent, suffices,
      `mean ${absent ? "at least " : ""}${rateText(least)}`, absent),
  };
  const left = Number(day.slice(0, 4)) > deadline ? 0 : deadline - from;
  const whole = left && inside.length > from - baseYear;
  return { verdicts, needed: {
    from, left, average: left ? cagr(record.get(from).value, target, left) : NaN,
    every_year: whole && !slow ? rate : NaN, mean_of_rates: whole ? (years * rate - summed) / left : NaN,
  } };
}
