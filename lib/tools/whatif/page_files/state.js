// The state of the page is its address: what follows "#", under the names of the notebooks' parameters. What
// an address or a control says is checked here, and only ever shown as text.

const FIELDS = [...FLOW, "own", "currency", "as_of", "base_year", "deadline", "goal", "reading"];
const LONGEST_ADDRESS = 2000;

const isDay = (text) => {
  const day = new Date(text);
  return !Number.isNaN(day.getTime()) && day.toISOString().slice(0, 10) === text;
};

const currenciesOf = (state) =>
  Object.keys(state.reporter === OWN ? { USD: 1, ...DATA.per_usd } : flowOf(state).levels);

const yearOf = (field, text) => /^[0-9]{4}$/.test(text) ? Number(text) : refuse(field, text, "a year");

/** What each field may say beside the fields before it. */
const CHECKS = {
  currency(text, state) {
    const known = currenciesOf(state);
    return known.includes(text) ? text : refuse("currency", text, known.join(" or "));
  },
  as_of(text, state) {
    const [first] = releaseDays(state);
    if (isDay(text) && text >= first && text <= DATA.day) return text;
    return refuse("as_of", text, `a date from ${first} to ${DATA.day}`);
  },
  base_year(text, state) {
    const year = yearOf("base_year", text), known = [...recordOf(state).keys()];
    if (known.includes(year)) return year;
    return refuse("base_year", year, `a year with a level known on ${state.as_of}: ${known.join(", ")}`);
  },
  deadline(text, { base_year: base }) {
    const year = yearOf("deadline", text);
    if (year > base && year - base <= MODEL.longest_goal) return year;
    return refuse("deadline", year, `1 to ${MODEL.longest_goal} years after base_year ${base}`);
  },
  goal(text, state) {
    const { kind, number, currency = state.currency } = parseGoal(text.trim());
    if (currency !== state.currency) refuse("goal", `a level in ${currency}`, `one in ${state.currency}`);
    if (kind === "rate" ? number >= -0.99 && number <= 10 : number > 0) return text.trim();
    return refuse("goal", text, "−99 to 1000 % a year or a level above 0");
  },
  reading: (text) => READINGS.includes(text) ? text : refuse("reading", text, READINGS.join(", ")),
};

/** What a field is where nothing fits: all that is known today, from the last level three years on. */
const OPENING = {
  currency: (state) => currenciesOf(state)[0],
  as_of: () => DATA.day,
  base_year(state, wanted) {
    const years = [...recordOf(state).keys()];
    return years.findLast((year) => !(year > wanted)) ?? years[0];
  },
  deadline: (state) => state.base_year + 3,
  goal: () => "25 %",
  reading: () => "average",
};

/** Run a check; its complaint becomes a line. */
function attempt(check, complain = () => undefined) {
  try {
    return check();
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    complain(problem.message);
    return undefined;
  }
}

/** A state whose fields fit one another: as asked, else as before, else as it opens; problems as lines. */
function settle(asked, complain, before = null) {
  const names = {}, asks = (name) => asked[name] ?? (before ?? DATA.default)[name] ?? "";
  for (const name of [...FLOW, "own"]) names[name] = asks(name);
  let state = { ...DATA.default, own: "" };
  if (names.reporter === OWN) {
    if (attempt(() => readFigures(names.own), complain)) state = { ...names, partner: "", flow: "total" };
  } else if (flowOf(names)) state = { ...names, own: "" };
  else complain(`flow: found ${quoted(FLOW.map(asks).join(", "))}, expected a flow of the list`);
  const earlier = before ?? (sameFlow(state, DATA.default) ? DATA.default : {});
  for (const [field, check] of Object.entries(CHECKS)) {
    const tried = (from, told) => from[field] === undefined ? from[field]
      : attempt(() => check(String(from[field]), state), told);
    state[field] = tried(asked, complain) ?? tried(earlier) ?? OPENING[field](state, earlier[field]);
  }
  return state;
}

/** Read an address: the state it asks for as far as it is valid, and a line for each value that is not. */
function readAddress(text) {
  const long = text.length > LONGEST_ADDRESS, problems = [], complain = (line) => { problems.push(line); };
  const asked = Object.fromEntries(long ? [] : new URLSearchParams(text.replace(/^#/, "")));
  if (long) complain(`address: found ${text.length} characters, expected at most ${LONGEST_ADDRESS}`);
  for (const key of Object.keys(asked).filter((one) => !FIELDS.includes(one))) {
    complain(`${quoted(key)}: found an unknown parameter, expected one of ${FIELDS.join(", ")}`);
  }
  return { state: settle(asked, complain), problems };
}

/** The address of a state: what differs from the view that the page opens with, of another flow all. */
function addressOf(state) {
  const home = sameFlow(state, DATA.default) ? DATA.default : { partner: "", own: "" };
  const named = FIELDS.filter((field) => state[field] !== (home[field] ?? ""));
  const text = (field) => String(state[field]).replace(/\s*\n\s*/g, "|");
  return `#${new URLSearchParams(named.map((field) => [field, text(field)]))}`;
}
