// The state of the page is its address: the part after "#" holds what differs from the opening view of a flow, under the
// names of the notebooks' parameters. Whatever an address or a control says is checked here, and only ever shown as text.

const FLOW = ["reporter", "partner", "flow", "own"];
const FIELDS = [...FLOW, "currency", "as_of", "base_year", "deadline", "goal", "reading"];
const LONGEST_ADDRESS = 2000;

const isDay = (text) => {
  const day = new Date(text);
  return !Number.isNaN(day.getTime()) && day.toISOString().slice(0, 10) === text;
};

const currenciesOf = (state) => Object.keys(state.reporter === OWN ? { USD: 1, ...DATA.per_usd } : flowOf(state).levels);

function refuse(field, text, expected) {
  throw new Problem(`${field}: found ${typeof text === "number" ? text : quoted(text)}, expected ${expected}`);
}

function yearOf(field, text) {
  return /^[0-9]{4}$/.test(text) ? Number(text) : refuse(field, text, "a year");
}

/** What each field may say beside the fields before it. */
const CHECKS = {
  currency: (text, state) => currenciesOf(state).includes(text) ? text : refuse("currency", text, currenciesOf(state).join(" or ")),
  as_of(text, state) {
    const [first] = releaseDays(state);
    return isDay(text) && text >= first && text <= DATA.day ? text : refuse("as_of", text, `a date from ${first} to ${DATA.day}`);
  },
  base_year(text, state) {
    const year = yearOf("base_year", text), record = recordOf(state);
    if (record.has(year)) return year;
    return refuse("base_year", year, `a year with a level known on ${state.as_of}: ${[...record.keys()].join(", ")}`);
  },
  deadline(text, { base_year: base }) {
    const year = yearOf("deadline", text), length = year - base;
    if (length >= 1 && length <= MODEL.longest_goal) return year;
    return refuse("deadline", year, `1 to ${MODEL.longest_goal} years after base_year ${base}`);
  },
  goal(text, state) {
    const { kind, number, currency } = parseGoal(text.trim());
    if (kind === "level" && currency !== state.currency) refuse("goal", `a level in ${currency}`, `one in ${state.currency}`);
    if (kind === "rate" ? !(number >= -0.99 && number <= 10) : !(number > 0)) {
      refuse("goal", text, "−99 to 1000 % a year or a level above 0");
    }
    return text.trim();
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
function attempt(check, complain) {
  try {
    return check();
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    return complain(problem.message);
  }
}

/** A state whose fields fit one another: as asked, else as before, else as it opens; a line for what was asked in vain. */
function settle(asked, complain, before = null) {
  const names = Object.fromEntries(FLOW.map((name) => [name, asked[name] ?? (before ?? DATA.default)[name] ?? ""]));
  let state = { ...DATA.default, own: "" };
  if (names.reporter === OWN) {
    if (attempt(() => readFigures(names.own), complain)) state = { ...names, partner: "", flow: "total" };
  } else if (flowOf(names)) state = { ...names, own: "" };
  else complain(`flow: found ${quoted(`${names.reporter}, ${names.partner}, ${names.flow}`)}, expected a flow of the list`);
  const earlier = before ?? (sameFlow(state, DATA.default) ? DATA.default : {});
  for (const [field, check] of Object.entries(CHECKS)) {
    const tried = (from, told) => from[field] === undefined ? undefined : attempt(() => check(String(from[field]), state), told);
    state[field] = tried(asked, complain) ?? tried(earlier, () => undefined) ?? OPENING[field](state, earlier[field]);
  }
  return state;
}

/** Read an address: the state it asks for as far as it is valid, and a line for each value that is not. */
function readAddress(text) {
  const problems = [], complain = (line) => { problems.push(line); };
  const asked = Object.fromEntries(text.length > LONGEST_ADDRESS ? [] : new URLSearchParams(text.replace(/^#/, "")));
  if (text.length > LONGEST_ADDRESS) complain(`address: found ${text.length} characters, expected at most ${LONGEST_ADDRESS}`);
  for (const key of Object.keys(asked).filter((one) => !FIELDS.includes(one))) {
    complain(`${quoted(key)}: found an unknown parameter, expected one of ${FIELDS.join(", ")}`);
  }
  return { state: settle(asked, complain), problems };
}

/** The address of a state: its flow, unless it is that of the page, and what differs from the flow's opening view. */
function addressOf(state) {
  const home = sameFlow(state, DATA.default), names = state.reporter === OWN ? ["reporter", "own"] : FLOW.slice(0, 3);
  const start = settle(Object.fromEntries(names.map((name) => [name, state[name]])), () => undefined);
  const named = FIELDS.filter((field) => names.includes(field) ? !home : state[field] !== start[field]);
  return `#${new URLSearchParams(named.map((field) => [field, String(state[field]).replace(/\s*\n\s*/g, "|")]))}`;
}
