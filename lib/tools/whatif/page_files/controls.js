// The controls: each changes the state, and every state puts all of them in line.

let state = null;

const flowName = (one) => `${one.reporter}–${one.partner}, ${one.flow === "total" ? "total trade" : `${one.flow}s`}`;
const nameOf = (given) => given.reporter === OWN ? "Your figures" : flowName(given);

/** The goal as it was said, with all its digits: "+25 % a year", "US$14 billion", "3 times the base". */
function goalText({ goal }) {
  const { kind, number, currency } = parseGoal(goal);
  return kind === "rate" ? `${rateText(number, 9)} a year` : kind === "level" ? money(number, currency, 9) : goal;
}

/** Place of an announced goal among those of the data, −1 for another. */
const statedPlace = (given) => DATA.goals.findIndex((goal) =>
  FIELDS.every((field) => ["own", "as_of"].includes(field) || goal[field] === given[field]));

/** Give a list its options, where they are others than it has. */
function fillOptions(select, values, text = String) {
  if (select.dataset.values === String(values)) return;
  select.dataset.values = String(values);
  select.replaceChildren(...values.map((value) => make("option", text(value), { value })));
}

function fillOnce() {
  fillOptions(at("which"), [...DATA.flows.keys(), OWN], (k) => k === OWN ? "My own figures …" : flowName(DATA.flows[k]));
  fillOptions(at("stated"), ["", ...DATA.goals.keys()], (k) => {
    const goal = DATA.goals[k];
    return goal ? `${goal.reporter}–${goal.partner}: ${goalText(goal)} ${goal.base_year}–${goal.deadline}` : "A goal of your own";
  });
  at("readings").replaceChildren(...READINGS.map((reading) => make("label", [
    make("input", "", { type: "radio", name: "reading", value: reading, id: `reading-${reading}` }),
    ` ${DATA.readings[reading]} `, make("span", MEANINGS[reading], { class: "help" })], { class: "radio" })));
}

const MEANINGS = {
  average: "the level of the deadline is reached",
  every_year: "no year grows more slowly",
  mean_of_rates: "the yearly rates average to it",
};

/** The days that can be chosen, with the state's own among them. */
const daysWith = (day) => [...new Set([...releaseDays(state), day])].sort();

/** Bring every control in line with the state; what the reader is typing, or was refused, stays. */
function showControls({ goal, record }) {
  const own = state.reporter === OWN, days = daysWith(state.as_of), least = state.base_year + 1;
  at("own-figures").hidden = !own;
  at("day").hidden = own;
  fillOptions(at("currency"), currenciesOf(state));
  fillOptions(at("as-of"), days, dayText);
  fillOptions(at("base"), [...record.keys()]);
  at("level-unit").textContent = state.currency;
  at("as-of-slider").max = days.length - 1;
  at("as-of-slider").setAttribute("aria-valuetext", dayText(state.as_of));
  for (const [id, most] of [["deadline", least - 1 + MODEL.longest_goal], ["deadline-slider", Math.max(least + 14, state.deadline)]]) {
    Object.assign(at(id), { min: least, max: most });
  }
  at(`reading-${state.reading}`).checked = true;
  const values = {
    which: own ? OWN : DATA.flows.indexOf(flowOf(state)), stated: statedPlace(state) < 0 ? "" : statedPlace(state),
    own: state.own.replaceAll("|", "\n"), currency: state.currency, "as-of": state.as_of, "as-of-slider": days.indexOf(state.as_of),
    "rate-slider": goal.rate * 100, rate: Number((goal.rate * 100).toFixed(2)), level: Number(goal.target.toPrecision(6)),
    base: state.base_year, "deadline-slider": state.deadline, deadline: state.deadline,
  };
  const typing = (field) => field === document.activeElement && !["range", "select-one"].includes(field.type);
  for (const [id, value] of Object.entries(values)) {
    if (!typing(at(id)) && at(id).getAttribute("aria-invalid") !== "true") at(id).value = value;
  }
}

/** What each control asks for. */
const CHANGES = {
  stated: (text) => DATA.goals[text] ?? {},
  which: (text) => ({ own: state.own || EXAMPLE, reading: state.reading, ...DATA.flows[text] ?? { reporter: OWN } }),
  own: (text) => ({ own: text.trim() }),
  currency: (text) => ({ currency: text, goal: parseGoal(state.goal).kind === "level" ? percentOf(shown.goal.rate * 100) : state.goal }),
  "as-of": (text) => ({ as_of: text }),
  "as-of-slider": (text) => ({ as_of: daysWith(state.as_of)[text] }),
  rate: (text) => ({ goal: text && percentOf(Number(text)) }),
  "rate-slider": (text) => CHANGES.rate(text),
  level: (text) => ({ goal: `${Number(Number(text).toFixed(6))} ${state.currency} mn` }),
  base: (text) => ({ base_year: text, deadline: Number(text) + state.deadline - state.base_year }),
  deadline: (text) => ({ deadline: text }),
  "deadline-slider": (text) => ({ deadline: text }),
  reading: (text) => ({ reading: text }),
};

const EXAMPLE = "2019 310\n2021 420\n2022 505 +20.2 %";

/** Per cent as a goal; as a rate it survives a change of the currency. */
const percentOf = (number) => `${Number(number.toFixed(6))} %`;

function onInput({ target, inputType }) {
  const name = target.name === "reading" ? "reading" : target.id, asked = CHANGES[name]?.(target.value), problems = [];
  if (!asked) return;
  const changed = settle(asked, (line) => { problems.push(line); }, asked.reporter ? null : state);
  if (asked.own !== undefined) at("own").setAttribute("aria-invalid", String(problems.length > 0));
  if (!problems.length) {
    state = changed;
    askToShow();
  } else if (inputType === "insertFromPaste") pointAt(problems[0]);
  tell(problems);
}

/** Select the line of the reader's figures that a problem names. */
function pointAt(problem) {
  const place = Number(/^own figures, line (\d+)/.exec(problem)?.[1] ?? 0), lines = at("own").value.split(/\n|\|/);
  const start = lines.slice(0, place - 1).join("\n").length + (place > 1);
  if (place) at("own").setSelectionRange(start, start + lines[place - 1].length);
}
