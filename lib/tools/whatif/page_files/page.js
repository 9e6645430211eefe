// What stands on the page: fields in its sentences, rows of its tables, controls, the address, and the start.
// Text from data or the address enters as text only, never as markup.

const at = (id) => document.getElementById(id);

const FIELD = /\{([\w.]+)(?::(\w+))?\}/g;

/** How the sentences of the page show a value: {goal.base:money} as "US$153 million", {read} as it is. */
const FORMS = {
  money: (mn) => money(mn, state.currency),
  pct: percent,
  rate: (fraction) => rateText(fraction),
  growth: (log) => rateText(Math.expm1(log)),
  root: (number) => Math.sqrt(number).toFixed(2),
  level: levelText,
  day: dayText,
  years: (count) => count === 1 ? "1 year" : `${count} years`,
};

/** The value that a path such as "goal.base" leads to; what says nothing is undefined. */
function valueAt(values, path) {
  const found = path.split(".").reduce((inside, name) => inside?.[name], values);
  return [null, false, ""].includes(found) || Number.isNaN(found) ? undefined : found;
}

/** The texts of a part of the page that have fields, before any is filled, and what depends on a value. */
function fieldsOf(root) {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT), texts = [];
  while (walker.nextNode()) texts.push([walker.currentNode, walker.currentNode.data]);
  const parts = [...root.querySelectorAll("[data-if], [data-link], data")];
  return { parts, texts: texts.filter(([, template]) => template.match(FIELD)) };
}

/** Fill every field of a part of the page, and hide what asks for a value that there is not. */
function fill({ texts, parts }, values) {
  for (const part of parts) {
    const { if: wanted, link, value, what } = part.dataset, address = link && valueAt(values, link);
    if (wanted) part.hidden = valueAt(values, wanted) === undefined;
    if (link) part.href = /^https?:/.test(address) ? address : "#";
    if (value) part.value = valueAt(values, value) ?? "";
    if (what && values.key) part.dataset.what = `${what} ${values.key}`;
  }
  for (const [node, template] of texts) {
    const text = template.replace(FIELD, (_, path, form) => {
      const value = valueAt(values, path);
      return value === undefined || !form ? value ?? "" : FORMS[form](value);
    });
    if (node.data !== text) node.data = text;
  }
}

/** Give a table a row for each item, after the pattern that stands behind it. */
function fillRows(id, items) {
  const { content } = at(id).nextElementSibling;
  at(id).tBodies[0].replaceChildren(...items.map((item) => {
    const row = content.cloneNode(true);
    fill(fieldsOf(row), item);
    return row;
  }));
}

let state = null, shown = null, asked = 0, resting = 0, written = null;

const fields = fieldsOf(document.querySelector(".columns"));

/** Show the state before the next repaint, once for however many changes. */
function askToShow() {
  asked ||= requestAnimationFrame(() => { asked = 0; show(); });
}

function show(problems = []) {
  const found = attempt(() => answer(state), (line) => problems.push(line));
  at("results").classList.toggle("stale", !found);
  tell(problems);
  if (!found) return;
  at("results").hidden = false;
  const room = at("chart").clientWidth;  // asked after something is written, the browser would lay out twice
  const { goal, record, needed, chances, verdicts, ahead, gap } = found;
  shown = found;
  showControls(found);
  fill(fields, said(found));
  drawChart(at("chart").firstElementChild, room, found);
  fillRows("reading-table", READINGS.map((key) => ({
    key, read: DATA.readings[key], verdict: verdicts[key], chance: chances[key],
    needed: needed[key], nothing: !needed.left,
  })));
  fillRows("year-table", upTo(goal.years + 1).map((k) => goal.baseYear + k).map((key) =>
    ({ key, known: record.get(key), path: pathAt(goal, key), ...ahead.find(({ year }) => year === key) })));
  fillRows("share-table", gap?.shares ?? []);
  fillRows("record-table", [...record].reverse().map(([key, level]) =>
    ({ key, ...level, grade: DATA.grades[level.grade], source: DATA.sources[level.id] })));
  rest();
}

function tell(problems) {
  const lines = problems.map((line) => Object.assign(document.createElement("p"), { textContent: line }));
  at("problems").hidden = !lines.length;
  at("problems").replaceChildren(...lines);
}

/** What intervals have held for flows of a size so many years ahead, as under the notebooks’ figures. */
function measured(years, size) {
  const held = DATA.coverage[size][Math.min(years, DATA.coverage[size].length) - 1];
  return `Measured: of what came ${years} year${years > 1 ? "s" : ""} later, the ${held}`;
}

/** What the sentences of the page speak of: the answer, and how it stands. */
function said(found) {
  const { record, chances, verdicts, kind, needed, gap, evidence, day, open, base, ahead } = found;
  const own = state.reporter === OWN, stated = DATA.goals[statedPlace(state)], end = ahead.at(-1);
  const { [state.reading]: verdict } = verdicts, { [state.reading]: chance } = chances;
  const decided = !open.includes(state.reading);
  const how = decided ? verdict.outcome : chance ? kind : "unknown";
  return {
    ...found, own, recorded: !own, decided, [how]: true, verdict, chance, end, stated, unstated: !stated,
    read: DATA.readings[state.reading], flow: own ? "Your figures" : flowOf(state).name, asked: goalIn(state),
    learnt: gap && !own, alone: gap && own, unlearnt: !gap && open.length > 0, shared: base.share !== null,
    unshared: base.share === null, used: Object.values(evidence).join("; ") || "the flow’s own yearly levels",
    since: gap?.since < day && gap.since, over: !end, last: record.get(needed.from), command: callOf(state),
    coverage: end && kind === "forecast" && measured(end.year - needed.from, gap.size),
    currency: state.currency,
  };
}

/** The goal as it was said, with all its digits: "+25 % a year", "US$14 billion", "3 times the base". */
function goalIn({ goal }) {
  const { kind, number, currency } = parseGoal(goal);
  if (kind === "multiple") return goal;
  return kind === "rate" ? `${rateText(number, 9)} a year` : money(number, currency, 9);
}

/** The command that gives the same case in the notebooks; letters that a shell would read are quoted. */
function callOf(given) {
  const changed = FIELDS.filter((field) => field !== "own" && given[field] !== DATA.default[field]);
  const words = changed.map((field) => `${field}=${given[field]}`);
  const safe = words.map((word) => /^[\w.=-]+$/.test(word) ? word : `"${word}"`);
  return ["uv run tradegoals run --notebook 00_did_the_goal_hold", ...safe].join(" -p ");
}

/** Place of an announced goal among those of the data, −1 for another. */
const statedPlace = (given) => DATA.goals.findIndex((goal) =>
  FIELDS.every((field) => ["own", "as_of"].includes(field) || goal[field] === given[field]));

/** Give a list its options, where they are others than it has. */
function fillOptions(select, values, text = String) {
  if (select.dataset.values === String(values)) return;
  select.dataset.values = String(values);
  select.replaceChildren(...values.map((value) => new Option(text(value), value)));
}

/** The days that can be chosen, with the state's own among them. */
const daysWith = (day) => [...new Set([...releaseDays(state), day])].sort();

/** Bring every control in line with the state; what the reader is typing, or was refused, stays. */
function showControls({ goal, record }) {
  const { deadline, base_year: base, as_of: day, currency } = state, days = daysWith(day);
  fillOptions(at("currency"), currenciesOf(state));
  fillOptions(at("as-of"), days, dayText);
  fillOptions(at("base"), [...record.keys()]);
  at("as-of-slider").max = days.length - 1;
  at("as-of-slider").setAttribute("aria-valuetext", dayText(day));
  Object.assign(at("deadline"), { min: base + 1, max: base + MODEL.longest_goal });
  Object.assign(at("deadline-slider"), { min: base + 1, max: Math.max(base + 15, deadline) });
  at(`reading-${state.reading}`).checked = true;
  const percents = goal.rate * 100, stated = statedPlace(state), values = {
    which: state.reporter === OWN ? OWN : DATA.flows.indexOf(flowOf(state)), stated: stated < 0 ? "" : stated,
    own: state.own.replaceAll("|", "\n"), currency, "as-of": day, "as-of-slider": days.indexOf(day),
    "rate-slider": percents, rate: Number(percents.toFixed(2)), level: Number(goal.target.toPrecision(6)),
    base, "deadline-slider": deadline, deadline,
  };
  for (const [id, value] of Object.entries(values)) {
    const typing = at(id) === document.activeElement && !["range", "select-one"].includes(at(id).type);
    if (!typing && at(id).getAttribute("aria-invalid") !== "true") at(id).value = value;
  }
}

const EXAMPLE = "2019 310\n2021 420\n2022 505 +20.2 %";

/** Per cent as a goal; as a rate it survives a change of the currency. */
const percentOf = (number) => `${Number(number.toFixed(6))} %`;

/** What each control asks for. */
const CHANGES = {
  stated: (place) => DATA.goals[place] ?? {},
  which(place) {
    const flow = DATA.flows[place] ?? { reporter: OWN };
    return { own: state.own || EXAMPLE, reading: state.reading, ...flow };
  },
  own: (text) => ({ own: text.trim() }),
  currency(currency) {
    const level = parseGoal(state.goal).kind === "level";
    return { currency, goal: level ? percentOf(shown.goal.rate * 100) : state.goal };
  },
  "as-of": (day) => ({ as_of: day }),
  "as-of-slider": (place) => ({ as_of: daysWith(state.as_of)[place] }),
  rate: (text) => ({ goal: text && percentOf(Number(text)) }),
  "rate-slider": (text) => CHANGES.rate(text),
  level: (text) => ({ goal: `${Number(Number(text).toFixed(6))} ${state.currency} mn` }),
  base: (year) => ({ base_year: year, deadline: Number(year) + state.deadline - state.base_year }),
  deadline: (year) => ({ deadline: year }),
  "deadline-slider": (year) => ({ deadline: year }),
};

function onInput({ target, inputType }) {
  const asks = target.name === "reading" ? (reading) => ({ reading }) : CHANGES[target.id];
  const wanted = asks(target.value), problems = [];
  const changed = settle(wanted, (line) => problems.push(line), wanted.reporter ? null : state);
  if (wanted.own !== undefined) at("own").setAttribute("aria-invalid", String(problems.length > 0));
  if (!problems.length) {
    state = changed;
    askToShow();
  } else if (inputType === "insertFromPaste") pointAt(problems[0]);
  tell(problems);
}

/** Select the line of the reader's figures that a problem names. */
function pointAt(problem) {
  const [, place = 0] = /^own figures, line (\d+)/.exec(problem) ?? [];
  const lines = at("own").value.split(/\n|\|/);
  const start = lines.slice(0, place - 1).join("\n").length + (place > 1);
  if (place) at("own").setSelectionRange(start, start + lines[place - 1].length);
}

/** At rest: tell a screen reader, and write the address; browsers refuse many writes a second. */
function rest() {
  const before = location.hash;
  clearTimeout(resting);
  resting = setTimeout(() => {
    at("live").textContent = `${at("headline").innerText} ${at("title").innerText}`;
    if (location.hash !== before) return;  // another address came meanwhile and will be read
    written = addressOf(state).replace(/^#$/, "");
    history.replaceState(null, "", written || location.pathname + location.search);
  }, 250);
}

function fromAddress() {
  if (location.hash === written && shown) return;
  written = null;
  const read = readAddress(location.hash);
  state = read.state;
  show(read.problems);
}

async function copyLink() {
  history.replaceState(null, "", addressOf(state));
  try {
    await navigator.clipboard.writeText(location.href);
    at("copied").textContent = "Copied.";
  } catch {  // pages opened from a file, and older browsers, may not write to the clipboard
    at("copied").textContent = `The link stands in the address bar: ${location.href}`;
  }
}

window.tradegoals = { answer, readAddress, readFigures, state: () => state };  // for tests, and the curious
at("controls").addEventListener("input", onInput);
at("controls").addEventListener("submit", (event) => event.preventDefault());
at("controls").addEventListener("focusout", () => shown && showControls(shown));
at("copy").addEventListener("click", copyLink);
at("reset").addEventListener("click", () => { state = settle({}, tell); tell([]); askToShow(); });
window.addEventListener("hashchange", fromAddress);
window.addEventListener("resize", askToShow);
window.addEventListener("beforeprint", () => { at("years-part").open = true; });
fromAddress();
