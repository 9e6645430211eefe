// A goal and its three readings: lib/goals.py. A record is a Map from year to { value, grade, id }.

const READINGS = Object.keys(DATA.readings);
const AMOUNT = "([+−-]?)([0-9]{1,9}(?:\\.[0-9]{1,9})?)";
const GOAL = RegExp(`^${AMOUNT}(?: *%?(?: *a year)?|( times the base)| *([A-Za-z]{3}) *([MmBb][Nn]))$`);

/** Read a goal: "25 %" or "25" is a rate a year, "14 USD bn" or "3 times the base" a level to reach. */
function parseGoal(text) {
  const [, sign, digits, multiple, currency, scale] = GOAL.exec(text) ?? [], number = Number(digits);
  if (!digits || (sign && (multiple || currency))) {
    refuse("goal", text, 'a rate such as "25 %" or a level such as "100 USD bn"');
  }
  if (multiple) return { kind: "multiple", number };
  if (!currency) return { kind: "rate", number: (sign === "−" || sign === "-" ? -number : number) / 100 };
  return { kind: "level", number: number * (/bn/i.test(scale) ? 1000 : 1), currency: currency.toUpperCase() };
}

const cagr = (start, end, years) => (end / start) ** (1 / years) - 1;

/** The goal of a state on the base level that the record holds. */
function makeGoal({ goal: text, base_year: baseYear, deadline }, record) {
  const { kind, number } = parseGoal(text), years = deadline - baseYear, base = record.get(baseYear).value;
  const rate = kind === "rate" ? number : cagr(kind === "level" ? base : 1, number, years);
  return { rate, baseYear, deadline, years, base, target: base * (1 + rate) ** years };
}

const pathAt = (goal, year) => goal.base * (1 + goal.rate) ** (year - goal.baseYear);

/** Whether each reading was met by the levels of a day, and the growth a year that it still needs, or NaN. */
function judge(goal, record, day) {
  const { baseYear, deadline, years, rate } = goal, end = record.get(deadline)?.value;
  const inside = [...record.keys()].filter((one) => one >= baseYear && one <= deadline), from = inside.at(-1);
  // Each known year with the one before it and the compound rate between them; the first that was too slow.
  const spans = inside.slice(1).map((year, k) => ({ year, before: inside[k], length: year - inside[k],
    pace: cagr(record.get(inside[k]).value, record.get(year).value, year - inside[k]) }));
  const slow = spans.find(({ pace }) => pace < rate - SLACK);
  const summed = sum(spans.map(({ length, pace }) => length * pace));
  const absent = upTo(years).map((k) => baseYear + 1 + k).filter((year) => !record.has(year)).join(", ");
  const verdict = (met, reason) => ({ outcome: met ? "met" : "missed", reason });
  const outcome = day < `${deadline + MODEL.publication_lag}-12-31` ? "open" : "unknown";
  const missing = (which) => ({ outcome, reason: `no figure for ${which}` });
  // The mean of a span's rates is at least its compound rate, no rate is below −1: known years may suffice.
  const least = (summed - (deadline - from)) / years, suffices = least >= rate - SLACK;
  const span = slow && (slow.length === 1 ? `in ${slow.year}` : `a year in ${slow.before}–${slow.year}`);
  const all = years === 1 ? "in its only year" : `in each of ${years} years`;
  const each = slow ? `${rateText(slow.pace)} ${span}` : all;
  const reached = `${rateText(cagr(goal.base, end, years))} a year ${baseYear}–${deadline}`;
  const verdicts = {
    average: end ? verdict(end >= goal.target * (1 - SLACK), reached) : missing(deadline),
    every_year: !slow && absent ? missing(absent) : verdict(!slow, each),
    mean_of_rates: absent && !suffices ? missing(absent)
      : verdict(suffices, `mean ${absent ? "at least " : ""}${rateText(least)}`),
  };
  const left = Number(day.slice(0, 4)) > deadline ? 0 : deadline - from;
  const whole = left && inside.length > from - baseYear;
  const needed = {
    from, left, average: left ? cagr(record.get(from).value, goal.target, left) : NaN,
    every_year: whole && !slow ? rate : NaN, mean_of_rates: whole ? (years * rate - summed) / left : NaN,
  };
  return { verdicts, needed };
}
