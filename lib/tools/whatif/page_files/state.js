// The state of the page is its address: what follows "#", under the names of the notebooks' parameters. What
// an address or a control says is checked here, and only ever shown as text.

const FIELDS = [...FLOW, "own", "currency", "as_of", "base_year", "deadline", "goal", "reading"];
const currenciesOf = (state) => Object.keys(flowOf(state)?.levels ?? { USD: 1, ...DATA.per_usd });

/** The choice that a text names; without a text the usual one. */
function oneOf(choices, field, text, usual = choices[0]) {
  if (text === undefined) return usual;
  return choices.find((one) => String(one) === text) ?? refuse(field, quoted(text), yearSpans(choices));
}

/** What a field says, where it fits those before it; without a text: today, the last level, three years. */
const RULES = {
  currency: (text, state) => oneOf(currenciesOf(state), "currency", text),
  as_of: (text = DATA.day, state) => {
    const [first] = releaseDays(state), isDay = new Date(text).toJSON()?.slice(0, 10) === text;
    if (isDay && text >= first && text <= DATA.day) return text;
    return refuse("as_of", quoted(text), `a date from ${first} to ${DATA.day}`);
  },
  base_year: (text, state, earlier = Infinity) => {
    const years = [...recordOf(state).keys()];
    return oneOf(years, "base_year", text, years.findLast((year) => year <= earlier));
  },
  deadline: (text, { base_year: base }) =>
    oneOf(numbers(MODEL.longest_goal, (k) => base + 1 + k), "deadline", text, base + 3),
  goal: (text = DATA.default.goal, state) => {
    const { kind, number, currency = state.currency } = parseGoal(text.trim());
    if (currency !== state.currency) refuse("goal", `a level in ${currency}`, `one in ${state.currency}`);
    if (kind === "rate" ? number >= -0.99 && number <= 10 : number > 0) return text.trim();
    return refuse("goal", quoted(text), "−99 to 1000 % a year or a level above 0");
  },
  reading: (text) => oneOf(READINGS, "reading", text, DATA.default.reading),
};

/** Run a check; its complaint becomes a line. */
function attempt(run, problems = []) {
  try {
    return run();
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    return void problems.push(problem.message);
  }
}

/** A state whose fields fit one another: as asked, else as before, else as it opens; problems as lines. */
function settle(asked, problems, before = null) {
  const usual = before ?? DATA.default;
  const names = Object.fromEntries([...FLOW, "own"].map((name) => [name, asked[name] ?? usual[name] ?? ""]));
  const state = attempt(() => {
    if (names.reporter === OWN && readFigures(names.own)) return { ...names, partner: "", flow: "total" };
    if (flowOf(names)) return { ...names, own: "" };
    return refuse("flow", quoted(FLOW.map((name) => names[name]).join(", ")), "one of the list");
  }, problems) ?? { ...DATA.default, own: "" };
  const earlier = before ?? (sameFlow(state, DATA.default) ? DATA.default : {});
  for (const [field, rule] of Object.entries(RULES)) {
    const tried = (from, told) =>
      field in from ? attempt(() => rule(String(from[field]), state), told) : undefined;
    state[field] = tried(asked, problems) ?? tried(earlier) ?? rule(undefined, state, earlier[field]);
  }
  return state;
}

/** Read an address: the state it asks for as far as it is valid, and a line for each value that is not. */
function readAddress(text) {
  const problems = [], asked = Object.fromEntries(new URLSearchParams(text.replace(/^#/, "")));
  for (const key of Object.keys(asked).filter((one) => !FIELDS.includes(one))) {
    problems.push(`${quoted(key)}: found an unknown parameter, expected one of ${FIELDS.join(", ")}`);
  }
  return { state: settle(asked, problems), problems };
}

/** The address of a state: what differs from the view that the page opens with, of another flow all. */
function addressOf(state) {
  const home = sameFlow(state, DATA.default) ? DATA.default : { partner: "", own: "" };
  const named = FIELDS.filter((field) => state[field] !== (home[field] ?? ""));
  const said = named.map((field) => [field, String(state[field]).replace(/\s*\n\s*/g, "|")]);
  return named.length ? `#${new URLSearchParams(said)}` : location.pathname + location.search;
}
