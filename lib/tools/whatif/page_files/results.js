// The results: what is shown of an answer, each part by one function.

const at = (id) => document.getElementById(id);

let shown = null, asked = 0;

/** Show the state before the next repaint, once for however many changes. */
function askToShow() {
  asked ||= requestAnimationFrame(() => { asked = 0; show(); });
}

function show(problems = []) {
  const found = attempt(() => answer(state), (line) => { problems.push(line); });
  at("results").classList.toggle("stale", !found);
  tell(problems);
  if (!found) return;
  const room = at("chart").clientWidth;  // before anything is written: asked later, it would make the browser lay out twice
  shown = found;
  for (const part of [showControls, showVerdict, showFigure, showYears, showBase, showRests, showRecord, showAgain]) part(found, room);
  rest();
}

function tell(problems) {
  at("problems").hidden = !problems.length;
  at("problems").replaceChildren(...problems.map((line) => make("p", line)));
}

function showVerdict(found) {
  const { goal, chances, needed, verdicts } = found, [word, sentence] = headline(found, state.reading);
  const odds = typeof word === "number", size = (mn) => money(mn, goal.currency);
  const day = state.reporter === OWN ? "from your figures" : `as known on ${dayText(found.day)}`, stated = DATA.goals[statedPlace(state)];
  at("title").textContent = `${nameOf(state)}: ${goalText(state)} ${goal.baseYear}–${goal.deadline}, ${day}`;
  at("announced").replaceChildren(stated ? link(stated.said, stated.url) : "No government stated this goal in the data of this collection: it is your own.");
  at("big").replaceChildren(odds ? exact(word, percent(word), "chance") : word);
  at("big-caption").textContent = ` ${sentence}`;
  at("sentence").textContent = `From ${size(goal.base)} in ${goal.baseYear} the level must reach ${size(goal.target)} in ${goal.deadline}, ${rateText(goal.rate)} a year on average.`;
  at("knows").textContent = knowsText(found);
  at("brief").textContent = `${at("big").textContent} ${sentence}`;
  const rows = READINGS.map((reading) => {
    const { outcome, reason } = verdicts[reading], chance = chances[reading], rate = needed[reading];
    const still = Number.isNaN(rate) ? (needed.left ? "" : "nothing") : exact(rate, rateText(rate), `needed ${reading}`);
    return [DATA.readings[reading], outcome, reason, chance === undefined ? "" : exact(chance, percent(chance), `chance ${reading}`), still];
  });
  fillTable("reading-table", "The three readings of the goal", ["read", "verdict", "because", "probability", "still needed a year"], rows);
}

/** Which evidence is in the probabilities, the fan and the table of years, and what weakens them. */
function knowsText({ gap, evidence, day, open }) {
  if (!gap) return open.length ? "Years without a figure lie far before the deadline: what they may have been, the notebook named below works out." : "";
  const used = Object.values(evidence).join("; ") || "the flow’s own yearly levels";
  const rests = state.reporter === OWN ? "From your figures and flows of their size." : `With all that the day knew: ${used}.`;
  const stood = gap.since < day ? ` Beside the levels it is that of ${dayText(gap.since)}: months released since then are in the notebooks alone.` : "";
  return `${rests}${stood} ${gap.warning}`;
}

function showFigure(found, room) {
  const { ahead, goal, record, needed } = found, end = ahead.at(-1), [low95, low, , middle, , high, high95] = (end?.fan ?? []).map((one) => money(one, goal.currency));
  const asks = `the goal asks for ${money(goal.target, goal.currency)}.`;
  const text = end
    ? `For ${goal.deadline} the middle is ${middle}; four outcomes in five lie between ${low} and ${high}, nineteen in twenty between ${low95} and ${high95}; ${asks}`
    : `The last level to the deadline: ${money(record.get(needed.from).value, goal.currency)} in ${needed.from}; ${asks}`;
  drawChart(at("chart"), room, found, text);
  at("chart-caption").textContent = `${text} Dots: published; hollow: implied by a later growth rate; squares: converted here; dashes: the goal’s path. Sources: the record, below.`;
  at("coverage").textContent = end && found.kind === "forecast" ? TABLES.coverage[end.year - needed.from] : "";
}

function showYears({ goal, record, ahead }) {
  const level = (value, what) => exact(value, levelText(value), what), odds = (value, what) => exact(value, percent(value), what);
  const rows = upTo(goal.years + 1).map((k) => {
    const year = goal.baseYear + k, known = record.get(year), next = ahead.find((one) => one.year === year), path = level(pathAt(goal, year));
    const start = [String(year), known ? level(known.value) : "", path];
    if (!next) return [...start, "", "", "", "", ""];
    const range = (from, to) => [level(next.fan[from]), " – ", level(next.fan[to])];
    return [...start, level(next.fan[3], `median ${year}`), range(1, 5), range(0, 6), odds(next.onPath, `path ${year}`), odds(next.alone, `alone ${year}`)];
  });
  const head = ["year", "level", "goal path", "median", "80 %", "95 %", "on the path", "that year alone"];
  fillTable("year-table", `Levels in ${goal.currency} millions, and probabilities`, head, rows);
}

function showBase({ base: { share, size, years, origin }, goal }) {
  const said = [`Of flows between two countries of the size of the base (${size}), `, exact(share, percent(share), "base rate"),
    ` grew by ${rateText(goal.rate)} a year or more over ${yearsText(years)}, as known at the end of ${origin}. A forecast must beat this number.`];
  at("base-rate").replaceChildren(...share === null ? [`No panel is long enough for ${yearsText(years)} known at the end of ${origin}.`] : said);
}

function showRests({ gap }) {
  at("rests-part").hidden = !gap;
  if (!gap) return;
  const [mean, , variance] = gap.posterior;
  at("rests").textContent = `Reference class: ${gap.source.split("; drift moved")[0]}. From its yearly levels the flow is expected to grow by ${rateText(Math.expm1(mean))} a year from ${gap.from} on, and strays by ${Math.sqrt(variance).toFixed(2)} (logarithms) in a typical year.`;
  const rows = gap.shares.map(([name, share, drift]) => [name, exact(share, percent(share)), rateText(Math.expm1(drift))]);
  fillTable("share-table", "Where the expected growth comes from", ["where from", "share of the expected growth", "growth a year it states"], rows);
}

function showRecord({ record }) {
  const own = state.reporter === OWN, asked_ = JSON.stringify([...record, state.currency]), head = ["year", `level, ${state.currency} mn`, "how it is known"];
  if (at("record-table").dataset.shown === asked_) return;
  at("record-table").dataset.shown = asked_;
  const rows = [...record].reverse().map(([year, { value, grade, id }]) => {
    const cells = [String(year), exact(value, levelText(value), `level ${year}`), DATA.grades[grade]];
    if (own) return cells;
    const [publisher, published, printed, url] = DATA.sources[id];
    return [...cells, printed, published, link(publisher, url), id];
  });
  const sources = own ? [] : ["as printed", "published", "publisher", "row of figures.csv"];
  fillTable("record-table", own ? "Your own figures" : "Levels known on that day", [...head, ...sources], rows);
}

/** The command that gives the same case in the notebooks; letters that a shell would read are quoted. */
function showAgain() {
  const own = state.reporter === OWN, safe = (text) => /^[\w.=-]+$/.test(text) ? text : `"${text}"`;
  const changed = FIELDS.filter((field) => field !== "own" && state[field] !== DATA.default[field]);
  const parts = changed.map((field) => ` -p ${safe(`${field}=${state[field]}`)}`).join("");
  at("again").textContent = own ? "Your figures are not in the record, so no notebook has them; data/README.md says how to add them." : "All that stands here, with the code that computed it and every figure of the flow:";
  at("command").textContent = `uv run tradegoals run --notebook 00_did_the_goal_hold${parts}`;
  at("command").parentElement.hidden = own;
}
