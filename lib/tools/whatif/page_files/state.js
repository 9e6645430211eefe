// The state of the page is its address: the part after "#" holds what differs from the opening view, under the names
// of the notebooks' parameters. Whatever an address says is checked here, and only ever shown as text.

const FIELDS = ["reporter", "partner", "flow", "own", "currency", "as_of", "goal", "base_year", "deadline", "reading"];
const LONGEST_ADDRESS = 2000, RATE_LIMITS = [-0.99, 10];

/** Place of an announced goal among those of the data, −1 for another. */
const sameGoal = (given) => DATA.goals.findIndex((goal) => FIELDS.every((field) => field === "own" || field === "as_of" || goal[field] === given[field]));

const isDay = (text) => {
  if (!/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(text)) return false;
  const day = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text);
};

/** The opening view of a flow: all that is known today, from the last level three years on. */
function opening(names) {
  const flow = flowOf(names), currency = flow && !flow.levels.USD ? Object.keys(flow.levels)[0] : "USD";
  const state = { ...names, own: names.own ?? "", currency, as_of: DATA.day, goal: "25 %", reading: "average" };
  return { ...state, ...lastBase(state) };
}

/** Base and deadline from the last level that the state's record holds. */
function lastBase(state) {
  const last = [...known(state).record.keys()].pop();
  return { base_year: last, deadline: last + 3 };
}

/** Read an address: the state it asks for as far as it is valid, and a line for each value that is not. */
function readAddress(text) {
  const problems = [], refuse = (line) => { problems.push(line); return undefined; };
  if (text.length > LONGEST_ADDRESS) return { state: { ...DATA.default, own: "" }, problems: [`address: found ${text.length} characters, expected at most ${LONGEST_ADDRESS}`] };
  const given = new URLSearchParams(text.replace(/^#/, ""));
  for (const key of new Set(given.keys())) {
    if (!FIELDS.includes(key)) refuse(`${quoted(key)}: found an unknown parameter, expected one of ${FIELDS.join(", ")}`);
  }
  const state = startOf(given, refuse);
  for (const field of ["currency", "as_of", "goal", "base_year", "deadline", "reading"]) {
    if (!given.has(field)) continue;
    const value = attempt(() => CHECKS[field](given.get(field), state), refuse);
    if (value !== undefined) state[field] = value;
  }
  return { state: settle(state, given, refuse), problems };
}

/** Run a check; its complaint becomes a line. */
function attempt(check, refuse) {
  try {
    return check();
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    return refuse(problem.message);
  }
}

/** The flow of an address with its opening view; the page's own opening view where it names none or a wrong one. */
function startOf(given, refuse) {
  const names = ["reporter", "partner", "flow"].filter((name) => given.has(name));
  if (given.get("reporter") === OWN) {
    const own = given.get("own") ?? "";
    const state = attempt(() => opening({ reporter: OWN, partner: "", flow: "total", own }), refuse);
    if (state) return state;
  } else if (names.length) {
    const asked = { ...DATA.default, ...Object.fromEntries(names.map((name) => [name, given.get(name)])) };
    const same = ["reporter", "partner", "flow"].every((name) => asked[name] === DATA.default[name]);
    if (!flowOf(asked)) refuse(`flow: found ${quoted(`${asked.reporter}, ${asked.partner}, ${asked.flow}`)}, expected a flow of the list`);
    else if (!same) return opening({ reporter: asked.reporter, partner: asked.partner, flow: asked.flow });
  }
  return { ...DATA.default, own: "" };
}

const CHECKS = {
  currency(text, state) {
    const offered = currenciesOf(state);
    if (!offered.includes(text)) throw new Problem(`currency: found ${quoted(text)}, expected ${offered.join(" or ")}`);
    return text;
  },
  as_of(text, state) {
    const first = state.reporter === OWN ? DATA.day : releaseDays(flowOf(state), state.currency)[0];
    if (!isDay(text) || text < first || text > DATA.day) throw new Problem(`as_of: found ${quoted(text)}, expected a date from ${first} to ${DATA.day}`);
    return text;
  },
  goal(text) {
    const asked = parseGoal(text);
    if (asked.kind === "rate" && !(asked.number >= RATE_LIMITS[0] && asked.number <= RATE_LIMITS[1])) {
      throw new Problem(`goal: found ${quoted(text)}, expected −99 to 1000 % a year`);
    }
    if (asked.kind === "level" && !(asked.number > 0)) throw new Problem(`goal: found ${quoted(text)}, expected a level above 0`);
    return text.trim();
  },
  base_year: (text) => readYear("base_year", text),
  deadline: (text) => readYear("deadline", text),
  reading(text) {
    if (!READINGS.includes(text)) throw new Problem(`reading: found ${quoted(text)}, expected ${READINGS.join(", ")}`);
    return text;
  },
};

function readYear(name, text) {
  if (!/^[0-9]{4}$/.test(text)) throw new Problem(`${name}: found ${quoted(text)}, expected a year`);
  return Number(text);
}

const currenciesOf = (state) => state.reporter === OWN ? ["USD", ...Object.keys(DATA.per_usd)] : Object.keys(flowOf(state).levels);

/** A state whose parts fit one another: a base that was known on the day, a deadline after it, a goal in the currency. */
function settle(state, given, refuse) {
  const { record } = known(state), years = [...record.keys()];
  if (!years.length) return { ...opening(state), reading: state.reading };
  if (!record.has(state.base_year)) {
    if (given?.has("base_year")) refuse(`base_year: found ${state.base_year}, expected a year with a level known on ${state.as_of}: ${years.join(", ")}`);
    const earlier = years.filter((year) => year <= state.base_year);
    state = { ...state, base_year: earlier.pop() ?? years[0] };
  }
  const length = state.deadline - state.base_year;
  if (!(length >= 1 && length <= MODEL.longest_goal)) {
    if (given?.has("deadline")) refuse(`deadline: found ${state.deadline}, expected 1 to ${MODEL.longest_goal} years after base_year ${state.base_year}`);
    state = { ...state, deadline: state.base_year + 3 };
  }
  const asked = parseGoal(state.goal);
  if (asked.kind === "level" && asked.currency !== state.currency) {
    if (given?.has("goal")) refuse(`goal: found a level in ${asked.currency}, expected one in ${state.currency}`);
    state = { ...state, goal: "25 %" };
  }
  return state;
}

/** The address of a state: what differs from the opening view of its flow. */
function addressOf(state) {
  const names = { reporter: state.reporter, partner: state.partner, flow: state.flow, own: state.own };
  const home = FIELDS.every((field) => ["partner", "flow", "reporter"].includes(field) ? state[field] === DATA.default[field] : true);
  const start = home ? { ...DATA.default, own: "" } : { ...opening(names), reporter: undefined };
  const kept = FIELDS.filter((field) => state[field] !== start[field] && state[field] !== "");
  const named = home ? kept : [...new Set([...(state.reporter === OWN ? ["reporter", "own"] : ["reporter", "partner", "flow"]), ...kept])]
    .filter((field) => state.reporter !== OWN || !["partner", "flow", "as_of"].includes(field));
  const parts = new URLSearchParams(named.map((field) => [field, field === "own" ? state.own.trim().replace(/\s*\n\s*/g, "|") : String(state[field])]));
  return `#${parts}`;
}
