// The controls: each changes the state, and every state puts all of them in line.

let state = null;

const flowName = (one) => `${one.reporter}–${one.partner}, ${one.flow === "total" ? "total trade" : `${one.flow}s`}`;
const nameOf = (given) => given.reporter === OWN ? "Your figures" : flowName(given);
const goalText = (given) => {
  const asked = parseGoal(given.goal);
  return asked.kind === "level" ? money(asked.number, asked.currency, 9) : `${rateExact(asked.number)} a year`;
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
  if (own && at("own").getAttribute("aria-invalid") !== "true") put(at("own"), state.own.replaceAll("|", "\n"));
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
  if (["own", "which", "stated"].includes(name)) at("own").setAttribute("aria-invalid", String(!changed));
  if (changed) { state = changed; askToShow(); } else if (event.inputType === "insertFromPaste") pointAt(problems[0]);
  tell(problems);
}

/** Select the line of the reader's figures that a problem names; what was typed or pasted stays. */
function pointAt(problem) {
  const place = Number(/^own figures, line (\d+)/.exec(problem)?.[1] ?? 0), lines = at("own").value.split(/\n|\|/);
  const start = lines.slice(0, place - 1).join("\n").length + (place > 1);
  if (place) at("own").setSelectionRange(start, start + lines[place - 1].length);
}
