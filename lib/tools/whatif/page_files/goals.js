// A goal and its three readings: lib/goals.py. A record is a Map from year to { value, grade, id }.

const READINGS = Object.keys(DATA.readings);
const SLACK = 1e-9;

/** Read a goal: "25 %" or "25" is a rate a year, "14 USD bn" a level to reach, in the currency of any country. */
function parseGoal(text) {
  const cleaned = text.trim(), level = /^([0-9]{1,9}(?:\.[0-9]{1,9})?) *([A-Z]{3}) *(mn|bn)$/i.exec(cleaned);
  if (level) return { kind: "level", number: Number(level[1]) * (level[3].toLowerCase() === "bn" ? 1000 : 1), currency: level[2].toUpperCase() };
  const rate = /^([+−-]?[0-9]{1,9}(?:\.[0-9]{1,9})?) *%?(?: *a year)?$/.exec(cleaned);
  if (rate) return { kind: "rate", number: Number(rate[1].replace("−", "-")) / 100 };
  throw new Problem(`goal: found ${quoted(text)}, expected a rate such as "25 %" or a level such as "100 USD bn"`);
}

const cagr = (start, end, years) => (end / start) ** (1 / years) - 1;

/** The goal on the base level that the record holds. */
function makeGoal(text, baseYear, deadline, record, currency) {
  if (!record.has(baseYear)) {
    const known = [...record.keys()].join(", ") || "none";
    throw new Problem(`base_year: found ${baseYear}, expected a year with a known level: ${known}`);
  }
  const years = deadline - baseYear;
  if (!(years >= 1 && years <= MODEL.longest_goal)) {
    throw new Problem(`deadline: found ${deadline}, expected 1 to ${MODEL.longest_goal} years after base_year ${baseYear}`);
  }
  const base = record.get(baseYear).value, asked = parseGoal(text);
  if (asked.kind === "level" && asked.currency !== currency) {
    throw new Problem(`goal: found a level in ${asked.currency}, expected one in ${currency} (parameter "currency")`);
  }
  const rate = asked.kind === "level" ? cagr(base, asked.number, years) : asked.number;
  if (!(rate > -1)) throw new Problem(`goal: found ${quoted(text)}, expected a fall of less than 100 % a year`);
  return { rate, baseYear, deadline, years, base, target: base * (1 + rate) ** years, currency };
}

const pathAt = (goal, year) => goal.base * (1 + goal.rate) ** (year - goal.baseYear);

/** The known years from base to deadline with their levels; the base is the goal's own. */
function insideYears(goal, record) {
  const later = [...record.keys()].filter((year) => year > goal.baseYear && year <= goal.deadline);
  return [{ year: goal.baseYear, value: goal.base }, ...later.map((year) => ({ year, value: record.get(year).value }))];
}

/** Each known year with the known year before it and the compound rate a year between them. */
function spans(inside) {
  return inside.slice(1).map(({ year, value }, k) => {
    const before = inside[k];
    return { year, before: before.year, rate: cagr(before.value, value, year - before.year) };
  });
}

/** The first span that grew more slowly than the goal, in words: one of its years did, too; or null. */
function slowSpan(goal, inside) {
  const slow = spans(inside).find((span) => span.rate < goal.rate - SLACK);
  if (!slow) return null;
  const when = slow.year - slow.before === 1 ? `in ${slow.year}` : `a year in ${slow.before}–${slow.year}`;
  return `${rateText(slow.rate)} ${when}`;
}

/** Growth a year still needed from the last known year, by reading; NaN where there is none. */
function neededRates(goal, record, over) {
  const inside = insideYears(goal, record), last = inside[inside.length - 1];
  const left = over ? 0 : goal.deadline - last.year, complete = inside.length === last.year - goal.baseYear + 1;
  const past = spans(inside).map((span) => span.rate), open = left > 0 && complete;
  return {
    from: last.year,
    left,
    average: left ? cagr(last.value, goal.target, left) : NaN,
    every_year: open && slowSpan(goal, inside) === null ? goal.rate : NaN,
    mean_of_rates: open ? (goal.years * goal.rate - sum(past)) / left : NaN,
  };
}

/** Whether each reading was met, from the levels known on a day. */
function judge(goal, record, day) {
  const inside = insideYears(goal, record), last = inside.at(-1), slow = slowSpan(goal, inside);
  const waiting = day < `${goal.deadline + MODEL.publication_lag}-12-31` ? "open" : "unknown";
  const absent = upTo(goal.years).map((k) => goal.baseYear + 1 + k).filter((year) => !inside.some((at) => at.year === year));
  const verdict = (met, reason) => ({ outcome: met ? "met" : "missed", reason }), missing = (years) => ({ outcome: waiting, reason: `no figure for ${years}` });
  // The mean of the rates of a span is at least its compound rate, and no rate is below −1: the known years may suffice.
  const least = (sum(spans(inside).map((span) => (span.year - span.before) * span.rate)) - (goal.deadline - last.year)) / goal.years, mean = least >= goal.rate - SLACK;
  const whole = goal.years === 1 ? "in its only year" : `in each of ${goal.years} years`;
  return {
    average: last.year !== goal.deadline ? missing(goal.deadline)
      : verdict(last.value >= goal.target * (1 - SLACK), `${rateText(cagr(goal.base, last.value, goal.years))} a year ${goal.baseYear}–${goal.deadline}`),
    every_year: !slow && absent.length ? missing(absent.join(", ")) : verdict(!slow, slow ?? whole),
    mean_of_rates: absent.length && !mean ? missing(absent.join(", ")) : verdict(mean, `mean ${absent.length ? "at least " : ""}${rateText(least)}`),
  };
}

/** The answer for one reading: what stands large, and the sentence beside it. After the deadline nothing is a forecast. */
function headline(found, reading) {
  const label = DATA.readings[reading], verdict = found.verdicts[reading], chance = found.chances[reading], year = found.goal.deadline;
  if (verdict.outcome === "met") return ["Met.", `Read ${label}, the goal was met: ${verdict.reason}.`];
  if (verdict.outcome === "missed") return ["Missed.", `Read ${label}, the goal was missed: ${verdict.reason}.`];
  if (chance === undefined) return ["Not known.", `Read ${label}, the record cannot say: ${verdict.reason}.`];
  const said = {
    forecast: `that it will be met, read ${label}: a forecast.`,
    nowcast: `that it will be met, read ${label}: a nowcast, while ${year} is running.`,
    inferred: `that it was met, read ${label}: inferred, since no figure of ${year} had been published.`,
  };
  return [chance, said[found.kind]];
}
