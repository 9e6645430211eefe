// The page: controls ↔ state ↔ what is shown. Text from data or the address enters as text only.

const at = (id) => document.getElementById(id);
let state = null;

/** An element with a text or children. */
function make(name, content = "", attributes = {}) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...(Array.isArray(content) ? content : [content]));
  return node;
}

/** A number as it is shown, with its full precision for machines. */
const exact = (value, text, what) => make("data", text, { value: String(value), ...(what ? { "data-what": what } : {}) });

/** A link to a published source; anything but a web address stays text. */
const link = (text, url) => /^https?:\/\//.test(url) ? make("a", text, { href: url, rel: "noreferrer" }) : text;

function fillTable(table, head, rows, caption) {
  const cells = (row) => row.map((cell, k) => k ? make("td", cell ?? "") : make("th", cell ?? "", { scope: "row" }));
  table.replaceChildren(make("caption", caption),
    make("thead", [make("tr", head.map((text) => make("th", text, { scope: "col" })))]),
    make("tbody", rows.map((row) => make("tr", cells(row)))));
}

// --- the controls ---

const flowName = (one) => `${one.reporter}–${one.partner}, ${one.flow === "total" ? "total trade" : `${one.flow}s`}`;
const nameOf = (given) => given.reporter === OWN ? "Your figures" : flowName(given);
const goalText = (given) => {
  const asked = parseGoal(given.goal);
  return asked.kind === "level" ? given.goal : `${rateExact(asked.number)} a year`;
};
const rateExact = (rate) => `${rate < 0 ? "−" : "+"}${Number(Math.abs(rate * 100).toFixed(9))} %`;

function fillOnce() {
  const flows = DATA.flows.map((flow, k) => make("option", flowName(flow), { value: String(k) }));
  at("which").replaceChildren(...flows, make("option", "My own figures …", { value: OWN }));
  const stated = DATA.goals.map((goal, k) =>
    make("option", `${goal.reporter}–${goal.partner}: ${goalText(goal)} ${goal.base_year}–${goal.deadline}`, { value: String(k) }));
  at("stated").replaceChildren(make("option", "A goal of your own", { value: "" }), ...stated);
  at("readings").replaceChildren(...READINGS.map((reading) => {
    const input = make("input", "", { type: "radio", name: "reading", value: reading, id: `reading-${reading}` });
    return make("label", [input, ` ${DATA.readings[reading]} `, make("span", MEANINGS[reading], { class: "help" })], { class: "radio" });
  }));
}

const MEANINGS = {
  average: "the level of the deadline is reached",
  every_year: "no year grows more slowly",
  mean_of_rates: "the yearly rates average to it",
};

const sameGoal = (given) => DATA.goals.findIndex((goal) =>
  FIELDS.every((field) => ["own", "as_of"].includes(field) || goal[field] === given[field]));

function options(select, values, chosen, text = String) {
  const key = JSON.stringify(values);
  if (select.dataset.values !== key) {
    select.replaceChildren(...values.map((value) => make("option", text(value), { value: String(value) })));
    select.dataset.values = key;
  }
  select.value = String(chosen);
}

/** Put a value into a field, unless the reader is typing in it. */
function put(field, value) {
  if (document.activeElement !== field) field.value = String(value);
}

/** Bring every control in line with the state. */
function showControls(found) {
  const own = state.reporter === OWN, days = own ? [DATA.day] : daysWith(state.as_of);
  at("which").value = own ? OWN : String(DATA.flows.indexOf(flowOf(state)));
  at("own-figures").hidden = !own;
  at("day").hidden = own;
  if (own) put(at("own"), state.own.replaceAll("|", "\n"));
  at("stated").value = sameGoal(state) < 0 ? "" : String(sameGoal(state));
  options(at("currency"), currenciesOf(state), state.currency);
  options(at("as-of"), days, state.as_of, dayText);
  Object.assign(at("as-of-slider"), { max: String(days.length - 1), value: String(days.indexOf(state.as_of)) });
  at("as-of-slider").setAttribute("aria-valuetext", dayText(state.as_of));
  put(at("rate-slider"), found.goal.rate * 100);
  put(at("rate"), Number((found.goal.rate * 100).toFixed(2)));
  put(at("level"), Number(found.goal.target.toPrecision(6)));
  at("level-unit").textContent = state.currency;
  options(at("base"), [...found.record.keys()], state.base_year);
  const least = state.base_year + 1, most = state.base_year + MODEL.longest_goal;
  Object.assign(at("deadline-slider"), { min: String(least), max: String(Math.max(state.base_year + 15, state.deadline)) });
  Object.assign(at("deadline"), { min: String(least), max: String(most) });
  at("deadline-slider").value = String(state.deadline);
  put(at("deadline"), state.deadline);
  at(`reading-${state.reading}`).checked = true;
}

/** The days that can be chosen, with the state's own among them. */
const daysWith = (day) => [...new Set([...releaseDays(flowOf(state), state.currency), day])].sort();

/** What each control changes in the state. */
const CHANGES = {
  stated: (text) => text === "" ? {} : { ...Object.fromEntries(FIELDS.filter((f) => f !== "own").map((f) => [f, DATA.goals[Number(text)][f]])) },
  which: (text) => text === OWN
    ? opening({ reporter: OWN, partner: "", flow: "total", own: state.own || EXAMPLE })
    : { ...opening(DATA.flows[Number(text)]), reading: state.reading },
  own: (text) => ({ own: text.trim() }),
  currency: (text) => ({ currency: text, goal: rateGoal() }),
  "as-of": (text) => ({ as_of: text }),
  "as-of-slider": (text) => ({ as_of: daysWith(state.as_of)[Number(text)] }),
  rate: (text) => ({ goal: CHECKS.goal(`${Number(text || "x").toFixed(6).replace(/\.?0+$/, "")} %`) }),
  "rate-slider": (text) => CHANGES.rate(text),
  level: (text) => ({ goal: CHECKS.goal(`${Number(Number(text).toFixed(6))} ${state.currency} mn`) }),
  base: (text) => ({ base_year: Number(text), deadline: Number(text) + Math.max(1, state.deadline - state.base_year) }),
  deadline: (text) => ({ deadline: deadlineOf(text) }),
  "deadline-slider": (text) => CHANGES.deadline(text),
  reading: (text) => ({ reading: text }),
};

const EXAMPLE = "2019 310\n2021 420\n2022 505 +20.2 %";

/** A level goal as the rate that it is, so that it survives a change of the currency. */
const rateGoal = () => parseGoal(state.goal).kind === "rate" ? state.goal : `${Number((shown.goal.rate * 100).toFixed(6))} %`;

function deadlineOf(text) {
  const year = readYear("deadline", text), length = year - state.base_year;
  if (length < 1 || length > MODEL.longest_goal) throw new Problem(`deadline: found ${year}, expected 1 to ${MODEL.longest_goal} years after base_year ${state.base_year}`);
  return year;
}

function onInput(event) {
  const name = event.target.name === "reading" ? "reading" : event.target.id, text = event.target.value;
  if (!CHANGES[name]) return;
  const problems = [], refuse = (text_) => { problems.push(text_); };
  const changed = attempt(() => settle({ ...state, ...CHANGES[name](text) }), refuse);
  if (changed) { state = changed; askToShow(); }
  tell(problems);
}

// --- the results ---

let shown = null, asked = 0;

/** Show the state before the next repaint, once for however many changes. */
function askToShow() {
  if (!asked) asked = requestAnimationFrame(() => { asked = 0; show(); });
}

function show(problems = []) {
  const found = attempt(() => answer(state), (line) => { problems.push(line); });
  at("results").classList.toggle("stale", !found);
  tell(problems);
  if (!found) return;
  shown = found;
  showControls(found);
  showVerdict(found);
  showFigure(found);
  showYears(found);
  showOthers(found);
  showRests(found);
  showRecord(found);
  showAgain();
  remember();
}

function tell(problems) {
  at("problems").hidden = !problems.length;
  at("problems").replaceChildren(...problems.map((line) => make("p", line)));
}

const dayPhrase = (found) => state.reporter === OWN ? "from your figures" : `as known on ${dayText(found.day)}`;

function showVerdict(found) {
  const { goal } = found, verdict = found.verdicts[state.reading], chance = found.chances[state.reading];
  const decided = ["met", "missed"].includes(verdict.outcome), [word, sentence] = headline(state.reading, verdict, chance);
  at("title").textContent = `${nameOf(state)}: ${goalText(state)} ${goal.baseYear}–${goal.deadline}, ${dayPhrase(found)}`;
  announce();
  at("big").replaceChildren(decided || chance === undefined ? word : exact(chance, percent(chance), "chance"));
  at("big-caption").textContent = decided || chance === undefined ? "" : ` chance that it holds, read ${DATA.readings[state.reading]}`;
  const asks = `From ${money(goal.base, goal.currency)} in ${goal.baseYear} the level must reach ${money(goal.target, goal.currency)} in ${goal.deadline}, ${rateText(goal.rate)} a year on average.`;
  at("sentence").textContent = `${decided || chance === undefined ? "" : `${word} `}${sentence} ${asks}`;
  const rows = READINGS.map((reading) => readingRow(found, reading));
  fillTable(at("reading-table"), ["read", "verdict", "because", "probability", "still needed a year"], rows, "The three readings of the goal");
  speak(`${at("big").textContent}${at("big-caption").textContent}. ${at("title").textContent}`);
}

function readingRow(found, reading) {
  const verdict = found.verdicts[reading], chance = found.chances[reading], needed = found.needed[reading];
  const odds = chance === undefined ? "" : exact(chance, percent(chance), `chance ${reading}`);
  return [DATA.readings[reading], verdict.outcome, verdict.reason, odds, Number.isNaN(needed) ? "" : exact(needed, rateText(needed), `needed ${reading}`)];
}

function announce() {
  const goal = DATA.goals[sameGoal(state)];
  if (!goal) at("announced").textContent = "No government stated this goal in the data of this collection: it is your own.";
  else at("announced").replaceChildren(`Announced ${goal.announced} by ${goal.announcer} (`, link("source", goal.url), ").");
}

let speaking = 0;

/** Tell a screen reader the answer once the changes have come to rest. */
function speak(text) {
  clearTimeout(speaking);
  speaking = setTimeout(() => { at("live").textContent = text; }, 700);
}

function showFigure(found) {
  const { ahead, goal } = found, end = ahead[ahead.length - 1];
  const text = end
    ? `For ${goal.deadline} the forecast’s middle is ${money(end.fan[3], goal.currency)}; four outcomes in five should lie between ${money(end.fan[1], goal.currency)} and ${money(end.fan[5], goal.currency)}, nineteen in twenty between ${money(end.fan[0], goal.currency)} and ${money(end.fan[6], goal.currency)}. The goal asks for ${money(goal.target, goal.currency)}.`
    : `The record reaches the deadline: ${money(found.expected.level, goal.currency)} in ${found.expected.origin}; the goal asks for ${money(goal.target, goal.currency)}.`;
  drawChart(at("chart"), found, { title: `${nameOf(state)}: levels, goal path and forecast`, text });
  at("chart-caption").replaceChildren(text, " Dots: published; hollow: implied by a later growth rate; squares: converted here; dashes: the goal’s path. ", ...sourceNote(found));
  at("coverage").textContent = coverageText(found);
}

function coverageText(found) {
  const measured = found.coverage;
  if (!found.ahead.length) return "";
  if (!measured) return "How often such intervals hold was measured on trade between two countries; for a flow with all partners it was not, so take this fan with care.";
  return `Measured: of ${measured.n.toLocaleString("en-GB")} forecasts over ${yearsText(measured.horizon)} for flows between countries of this size (${measured.size}), the 80 % interval held ${(measured.cover80 * 100).toFixed(0)} % of the outcomes and the 95 % interval ${(measured.cover95 * 100).toFixed(0)} %.`;
}

/** The publishers behind the levels between base and deadline, each with its address. */
function sourceNote(found) {
  if (state.reporter === OWN) return ["Source: your own figures."];
  const ids = new Set([...found.record].filter(([year]) => year >= found.goal.baseYear && year <= found.goal.deadline).map(([, level]) => level.id));
  const names = [...ids].slice(0, 4).flatMap((id, k) => {
    const [publisher, published, , url] = DATA.sources[id];
    return [k ? "; " : "", link(`${publisher} (${published})`, url)];
  });
  return ["Sources: ", ...names, ids.size > 4 ? ` and ${ids.size - 4} more, below.` : "."];
}

function showYears(found) {
  const { goal, record } = found, ahead = new Map(found.ahead.map((year) => [year.year, year]));
  const range = (fan, low, high) => fan ? [exact(fan[low], levelText(fan[low])), " – ", exact(fan[high], levelText(fan[high]))] : "";
  const rows = upTo(goal.years + 1).map((k) => {
    const year = goal.baseYear + k, level = record.get(year), next = ahead.get(year);
    return [String(year), level ? exact(level.value, levelText(level.value)) : "", exact(pathAt(goal, year), levelText(pathAt(goal, year))),
      next ? exact(next.fan[3], levelText(next.fan[3]), `median ${year}`) : "", range(next?.fan, 1, 5), range(next?.fan, 0, 6),
      next ? exact(next.onPath, percent(next.onPath), `path ${year}`) : "", next ? exact(next.alone, percent(next.alone), `alone ${year}`) : ""];
  });
  fillTable(at("year-table"), ["year", "level", "goal path", "forecast, median", "80 %", "95 %", "on the path", "that year alone"], rows, `Levels in ${goal.currency} millions, and probabilities`);
}

function showOthers(found) {
  const { base, goal, trackers } = found;
  at("base-rate").replaceChildren(...(base.share === null ? [base.reason] : [
    `Of flows between two countries of the size of the base (${base.size}), `, exact(base.share, percent(base.share), "base rate"),
    ` grew by ${rateText(goal.rate)} a year or more over ${yearsText(base.years)}, as known at the end of ${base.origin}. A forecast must beat this number.`]));
  const forecasting = trackers.filter((one) => one.onTrack !== null && one.standard !== "ESCAP current status");
  const hopeful = forecasting.filter((one) => one.onTrack).length;
  at("trackers-sentence").textContent = !trackers.length ? "They need a level after the base year; none was known."
    : found.needed.left === 0 ? "The deadline’s own level is known: what they say is the outcome, not a forecast."
      : `${hopeful} of ${forecasting.length} trackers that make a forecast would call the goal on track. They extend the past and do not say how sure they are.`;
  const value = (one) => one.value === null ? "" : exact(one.value, one.value.toFixed(2), one.standard);
  fillTable(at("tracker-table"), ["standard", "measure", "value", "class", "note"], trackers.map((one) => [one.standard, one.measure, value(one), one.label, one.note]), "Published tracking standards");
  at("tracker-table").hidden = !trackers.length;
}

function showRests(found) {
  const { expected } = found, { model, prior } = expected;
  at("rests").textContent = `Reference class: ${prior.source}. For this flow the model expects ${rateText(Math.expm1(model.mean))} a year from ${expected.origin} on, strays by ${Math.sqrt(model.variance).toFixed(2)} (logarithms) in a typical year, and has ${model.df.toFixed(1)} degrees of freedom. ${model.n} growth ${model.n === 1 ? "rate" : "rates"} of its own.`;
  const rows = expected.shares.map((one) => [one.source, exact(one.share, percent(one.share), `share ${one.source}`), rateText(Math.expm1(one.drift))]);
  fillTable(at("share-table"), ["where from", "share of the expected growth", "growth a year it states"], rows, "Where the expected growth comes from");
}

function showRecord(found) {
  const rows = [...found.record].reverse().map(([year, level]) => {
    const [publisher, published, printed, url] = DATA.sources[level.id] ?? ["your own figures", "", "", ""];
    return [String(year), exact(level.value, levelText(level.value), `level ${year}`), DATA.grades[level.grade], printed, published, link(publisher, url), level.id];
  });
  fillTable(at("record-table"), ["year", `level, ${state.currency} mn`, "how it is known", "as printed", "published", "publisher", "row of figures.csv"], rows, "Levels known on that day");
}

/** The command that gives the same case in the notebooks; letters that a shell would read are quoted. */
function showAgain() {
  const own = state.reporter === OWN, safe = (text) => /^[\w.-]+$/.test(text) ? text : `"${text}"`;
  const changed = FIELDS.filter((field) => field !== "own" && state[field] !== DATA.default[field]);
  const parts = changed.map((field) => `-p ${safe(`${field}=${state[field]}`)}`);
  at("again").textContent = own ? "Your figures are not in the record, so no notebook has them; data/README.md says how to add them." : "All that stands here, with the code that computed it and every figure of the flow:";
  at("command").textContent = own ? "" : ["uv run tradegoals run --notebook 03_could_one_have_known", ...parts].join(" ");
  at("command").parentElement.hidden = own;
}

// --- the address ---

let remembering = 0, written = "";

/** Put the state into the address once the changes have come to rest: browsers refuse many writes a second. */
function remember() {
  clearTimeout(remembering);
  remembering = setTimeout(() => {
    written = addressOf(state);
    history.replaceState(null, "", written === "#" ? location.pathname + location.search : written);
  }, 250);
}

function fromAddress() {
  if (location.hash === written && shown) return;
  const read = readAddress(location.hash);
  state = read.state;
  show(read.problems);
}

async function copyLink() {
  const address = `${location.href.split("#")[0]}${addressOf(state)}`;
  history.replaceState(null, "", addressOf(state));
  try {
    await navigator.clipboard.writeText(address);
    at("copied").textContent = "Copied.";
  } catch {  // pages opened from a file, and older browsers, may not write to the clipboard
    at("copied").textContent = `The link stands in the address bar: ${address}`;
  }
}

function start() {
  fillOnce();
  at("controls").addEventListener("input", onInput);
  at("controls").addEventListener("submit", (event) => event.preventDefault());
  at("controls").addEventListener("focusout", () => { if (shown) showControls(shown); });
  at("copy").addEventListener("click", copyLink);
  at("reset").addEventListener("click", () => { state = { ...DATA.default, own: "" }; tell([]); askToShow(); });
  window.addEventListener("hashchange", fromAddress);
  window.addEventListener("resize", askToShow);
  window.addEventListener("beforeprint", () => { at("years-part").open = true; });
  fromAddress();
  prepareRows(15);
}

window.tradegoals = { answer, readAddress, addressOf, state: () => state };  // for tests, and for the curious
start();
