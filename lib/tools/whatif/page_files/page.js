// What stands on the page: fields in its sentences, rows of its tables, controls, the address, and the start.
// Text from data or the address enters as text only, never as markup.

const at = (id) => document.getElementById(id);

/** How the page shows a value: {goal.base:money} as "US$153 million", {read} as it is. */
const FORMS = {
  pct: percent, level: levelText, rate: (fraction) => rateText(fraction),
  money: (mn) => money(mn, state.currency),
  growth: (log) => rateText(Math.expm1(log)),
  root: (number) => Math.sqrt(number).toFixed(2),
  day: (day) => DAY.format(new Date(day)),
  years: (count) => count === 1 ? "1 year" : `${count} years`,
  web: (address) => /^https?:/.test(address) ? address : "#",
  shell: (word) => /^[\w.=-]+$/.test(word) ? word : `"${word}"`,
};

/** The value that a path such as "goal.base" leads to; what says nothing is undefined. */
function valueAt(values, path) {
  const found = path.split(".").reduce((inside, name) => inside?.[name], values);
  return found || found === 0 ? found : undefined;
}

/** A text with its fields filled. */
const filled = (template, values) => template.replace(/\{([\w.]+)(?::(\w+))?\}/g, (_, path, form = "") => {
  const value = valueAt(values, path);
  return value === undefined ? "" : FORMS[form]?.(value) ?? value;
});

/** A part of the page: its lists with their patterns, texts and attributes with fields, what data- marks. */
function prepare(root) {
  const lists = [...root.querySelectorAll("[data-each]")].map((list) => {
    const first = list.removeChild(list.firstElementChild);
    return { list, pattern: first.content?.firstElementChild ?? first, rows: [] };
  });
  const fields = ".//text()[contains(., '{')] | .//@*[contains(., '{')]";
  const found = root.ownerDocument.evaluate(fields, root, null, XPathResult.ORDERED_NODE_SNAPSHOT_TYPE);
  const nodes = numbers(found.snapshotLength, (k) => found.snapshotItem(k));
  const parts = [...root.querySelectorAll("[data-if], [data-shows]")];
  return { root, lists, fields: nodes.map((node) => [node, node.nodeValue]), parts };
}

/** Fill every field, make a row of a list for each of its items, hide what has no value, set the controls. */
function fill({ lists, fields, parts }, values) {
  for (const [node, template] of fields) {
    const text = filled(template, values);
    if (node.nodeValue !== text) node.nodeValue = text;
  }
  for (const { list, pattern, rows } of lists) {
    const items = valueAt(values, list.dataset.each) ?? [];
    for (const { root } of rows.splice(items.length)) root.remove();
    items.forEach((item, k) => {
      rows[k] ??= prepare(pattern.cloneNode(true));
      fill(rows[k], typeof item === "object" ? item : { key: item });
      if (!rows[k].root.parentNode) list.append(rows[k].root);
    });
  }
  for (const part of parts) {
    const { if: wanted = "", shows } = part.dataset, without = wanted.startsWith("!");
    if (wanted) part.hidden = (valueAt(values, wanted.replace("!", "")) === undefined) !== without;
    // What the reader is typing, or was refused, stays.
    const typing = part === document.activeElement && !["range", "select-one"].includes(part.type);
    if (shows && !typing && part.ariaInvalid !== "true") part.value = valueAt(values, shows) ?? "";
  }
}

const page = prepare(document.querySelector(".columns"));
let state = null, shown = null, asked = 0, resting = 0;

/** Show the state before the next repaint, once for however many changes. */
const askToShow = () => { asked ||= requestAnimationFrame(() => { asked = 0; show(); }); };

function show(problems = []) {
  const found = attempt(() => answer(state), problems);
  at("controls").hidden = false;
  at("results").classList.toggle("stale", !found);
  tell(problems);
  if (!found) return;
  at("results").hidden = false;
  shown = said(found);
  fill(page, shown);
  at("controls").elements.reading.value = state.reading;
  rest();
}

const tell = (problems) => { at("problems").textContent = problems.join("\n"); };

/** What the page speaks of: the answer, how it stands, rows of tables, what the controls offer and show. */
function said(found) {
  const { goal, record, chances, verdicts, kind, needed, gap, evidence, day, open, ahead } = found;
  const own = state.reporter === OWN, flow = own ? { name: "Your figures" } : flowOf(state);
  const verdict = verdicts[state.reading], chance = chances[state.reading], end = ahead.at(-1);
  const decided = !open.includes(state.reading), how = decided ? verdict.outcome : chance ? kind : "unknown";
  const held = DATA.coverage[gap?.size], span = end?.year - needed.from;
  const stated = DATA.goals.find((one) =>
    FIELDS.every((field) => ["own", "as_of"].includes(field) || one[field] === state[field]));
  const days = [...new Set([...releaseDays(state), day])].sort();  // also of a day between releases
  return {
    ...found, state, own, flow, verdict, chance, end, decided, [how]: true, span, stated, days,
    held: end && kind === "forecast" && held[Math.min(span, held.length) - 1], last: record.get(needed.from),
    used: Object.values(evidence).join("; ") || "the flow’s own yearly levels", nothing: !needed.left,
    since: gap?.since < day && gap.since, read: DATA.readings[state.reading],
    asked: goal.kind === "level" ? money(goal.target, state.currency, 9)  // with all the digits that it has
      : goal.kind === "rate" ? `${rateText(goal.rate, 9)} a year` : state.goal,
    currencies: currenciesOf(state), bases: [...record.keys()], charts: [chartOf(found)],
    years: numbers(goal.years + 1, (k) => goal.baseYear + k).map((key) =>
      ({ key, known: record.get(key), path: pathAt(goal, key), ...ahead.find(({ year }) => year === key) })),
    levels: [...record].reverse().map(([key, level]) =>
      ({ key, ...level, grade: DATA.grades[level.grade], source: DATA.sources[level.id] })),
    changed: FIELDS.filter((field) => field !== "own" && state[field] !== DATA.default[field])
      .map((field) => `${field}=${state[field]}`),
    shows: {
      stated: DATA.goals.indexOf(stated), which: own ? OWN : DATA.flows.indexOf(flow), day: days.indexOf(day),
      own: state.own.replaceAll("|", "\n"), percents: Number((goal.rate * 100).toFixed(2)),
      level: Number(goal.target.toPrecision(6)), days: days.length - 1,
      near: Math.max(goal.baseYear + 15, goal.deadline), last: goal.baseYear + MODEL.longest_goal,
    },
  };
}

/** What a control asks for: fields and what they should say. */
function asksOf({ id, name, value, dataset: { unit } }) {
  if (id === "stated") return DATA.goals[value] ?? {};
  const { reading, goal } = state, own = at("own").defaultValue;
  if (id === "which") return { reading, ...DATA.flows[value] ?? { reporter: OWN, own } };
  if (id === "as-of-slider") return { as_of: shown.days[value] };
  if (unit) return { goal: `${value} ${filled(unit, shown)}` };
  // As a rate a level survives a change of the currency.
  const rate = id === "currency" && shown.goal.kind === "level";
  return { [name]: value.trim(), goal: rate ? `${Number((shown.goal.rate * 100).toFixed(6))} %` : goal };
}

function onInput({ target, inputType }) {
  const asks = asksOf(target), problems = [], changed = settle(asks, problems, asks.reporter ? null : state);
  if (asks.own !== undefined) at("own").ariaInvalid = String(problems.length > 0);
  if (!problems.length) {
    state = changed;
    askToShow();
  } else if (inputType === "insertFromPaste") pointAt(problems[0]);
  tell(problems);
}

/** Select the line of the reader's figures that a problem names. */
function pointAt(problem) {
  const [, place] = /^own figures, line (\d+)/.exec(problem) ?? [], lines = at("own").value.split(/\n|\|/);
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
    history.replaceState(null, "", addressOf(state));
  }, 250);
}

function fromAddress() {
  if (shown && at(location.hash.slice(1))) return;  // a link to a place on the page
  const { state: read, problems } = readAddress(location.hash);
  state = read;
  show(problems);
}

async function copyLink() {
  history.replaceState(null, "", addressOf(state));
  const copied = await navigator.clipboard?.writeText(location.href).then(() => true, () => false);
  at("copied").textContent = copied ? "Copied." : `The link stands in the address bar: ${location.href}`;
}

window.tradegoals = { answer, readAddress, readFigures, state: () => state };  // for tests, and the curious
at("controls").addEventListener("input", onInput);
at("controls").addEventListener("focusout", () => shown && fill(page, shown));
at("copy").addEventListener("click", copyLink);
at("reset").addEventListener("click", () => { state = settle({}, []); tell([]); askToShow(); });
addEventListener("hashchange", fromAddress);
fromAddress();
