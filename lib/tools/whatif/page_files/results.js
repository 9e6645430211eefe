// The results: what is shown of an answer, each part by one function.

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
  const room = at("chart").clientWidth;  // before anything is written: asked later, it would make the browser lay out twice
  shown = found;
  showControls(found);
  showVerdict(found);
  showFigure(found, room);
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
  const { goal } = found, [word, sentence] = headline(found, state.reading), odds = typeof word === "number";
  at("title").textContent = `${nameOf(state)}: ${goalText(state)} ${goal.baseYear}–${goal.deadline}, ${dayPhrase(found)}`;
  announce();
  at("big").replaceChildren(odds ? exact(word, percent(word), "chance") : word);
  at("big-caption").textContent = odds ? ` ${sentence}` : "";
  const asks = `From ${money(goal.base, goal.currency)} in ${goal.baseYear} the level must reach ${money(goal.target, goal.currency)} in ${goal.deadline}, ${rateText(goal.rate)} a year on average.`;
  at("sentence").textContent = `${odds ? "" : `${sentence} `}${asks}`;
  at("knows").textContent = knowsText(found);
  const rows = READINGS.map((reading) => readingRow(found, reading));
  fillTable(at("reading-table"), ["read", "verdict", "because", "probability", "still needed a year"], rows, "The three readings of the goal");
  at("brief").textContent = `${at("big").textContent}${at("big-caption").textContent}`;
  speak(`${at("brief").textContent.replace(/\.?$/, ".")} ${at("title").textContent}`);
}

/** Which evidence is in the probabilities, the fan and the table of years, and what weakens them. */
function knowsText(found) {
  const used = Object.values(found.evidence).join("; "), { since, warning } = found.gap ?? {};
  if (!found.gap) return READINGS.some((name) => ["open", "unknown"].includes(found.verdicts[name].outcome)) ? "Years without a figure lie far before the deadline: what they may have been, the notebook named below works out." : "";
  const rests = state.reporter === OWN ? "From your figures and flows of their size." : `With all that the day knew: ${used || "the flow’s own yearly levels"}.`;
  const stood = since && since < found.day ? ` Beside the levels it is that of ${dayText(since)}: months released since then are in the notebooks alone.` : "";
  return `${rests}${stood}${warning ? ` ${warning}` : ""}`;
}

function readingRow(found, reading) {
  const verdict = found.verdicts[reading], chance = found.chances[reading], needed = found.needed[reading];
  const odds = chance === undefined ? "" : exact(chance, percent(chance), `chance ${reading}`);
  return [DATA.readings[reading], verdict.outcome, verdict.reason, odds, Number.isNaN(needed) ? (found.needed.left ? "" : "nothing") : exact(needed, rateText(needed), `needed ${reading}`)];
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

/** The last known year up to the deadline. */
const lastKnown = (found) => found.needed.from;

function showFigure(found, room) {
  const { ahead, goal } = found, end = ahead[ahead.length - 1];
  const text = end
    ? `For ${goal.deadline} the middle is ${money(end.fan[3], goal.currency)}; four outcomes in five lie between ${money(end.fan[1], goal.currency)} and ${money(end.fan[5], goal.currency)}, nineteen in twenty between ${money(end.fan[0], goal.currency)} and ${money(end.fan[6], goal.currency)}. The goal asks for ${money(goal.target, goal.currency)}.`
    : `The last level to the deadline: ${money(found.record.get(lastKnown(found)).value, goal.currency)} in ${lastKnown(found)}; the goal asks for ${money(goal.target, goal.currency)}.`;
  drawChart(at("chart"), room, found, { title: `${nameOf(state)}: levels, goal path and fan`, text });
  at("chart-caption").replaceChildren(text, " Dots: published; hollow: implied by a later growth rate; squares: converted here; dashes: the goal’s path. ", ...sourceNote(found));
  at("coverage").textContent = end && found.kind === "forecast" ? TABLES.coverage[end.year - lastKnown(found)] : "";
}

/** The publishers behind the levels between base and deadline, each with its address. */
function sourceNote(found) {
  if (state.reporter === OWN) return ["Source: your own figures."];
  const inside = [...found.record].filter(([year]) => year >= found.goal.baseYear && year <= found.goal.deadline);
  const names = new Map(inside.map(([, level]) => {
    const [publisher, published, , url] = DATA.sources[level.id];
    return [`${publisher} (${published})`, url];
  }));
  const links = [...names].slice(0, 4).flatMap(([name, url], k) => [k ? "; " : "", link(name, url)]);
  return ["Sources: ", ...links, names.size > 4 ? ` and ${names.size - 4} more, below.` : "."];
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
  fillTable(at("year-table"), ["year", "level", "goal path", "median", "80 %", "95 %", "on the path", "that year alone"], rows, `Levels in ${goal.currency} millions, and probabilities`);
}

function showOthers(found) {
  const { base, goal } = found;
  at("base-rate").replaceChildren(...(base.share === null ? [base.reason] : [
    `Of flows between two countries of the size of the base (${base.size}), `, exact(base.share, percent(base.share), "base rate"),
    ` grew by ${rateText(goal.rate)} a year or more over ${yearsText(base.years)}, as known at the end of ${base.origin}. A forecast must beat this number.`]));
}

function showRests(found) {
  at("rests-part").hidden = !found.gap;
  if (!found.gap) return;
  const { model, source, from, shares } = found.gap;
  at("rests").textContent = `Reference class: ${source.split("; drift moved")[0]}. From its yearly levels the flow is expected to grow by ${rateText(Math.expm1(model.mean))} a year from ${from} on, and strays by ${Math.sqrt(model.variance).toFixed(2)} (logarithms) in a typical year.`;
  const rows = shares.map(([name, share, drift]) => [name, exact(share, percent(share), `share ${name}`), rateText(Math.expm1(drift))]);
  fillTable(at("share-table"), ["where from", "share of the expected growth", "growth a year it states"], rows, "Where the expected growth comes from");
}

function showRecord(found) {
  const asked = JSON.stringify([state.reporter, state.partner, state.flow, state.currency, found.day, state.own]);
  if (at("record-table").dataset.shown === asked) return;
  at("record-table").dataset.shown = asked;
  const own = state.reporter === OWN, head = ["year", `level, ${state.currency} mn`, "how it is known"];
  const rows = [...found.record].reverse().map(([year, level]) => {
    const cells = [String(year), exact(level.value, levelText(level.value), `level ${year}`), DATA.grades[level.grade]];
    if (own) return cells;
    const [publisher, published, printed, url] = DATA.sources[level.id];
    return [...cells, printed, published, link(publisher, url), level.id];
  });
  const sources = own ? [] : ["as printed", "published", "publisher", "row of figures.csv"];
  fillTable(at("record-table"), [...head, ...sources], rows, own ? "Your own figures" : "Levels known on that day");
}

/** The command that gives the same case in the notebooks; letters that a shell would read are quoted. */
function showAgain() {
  const own = state.reporter === OWN, safe = (text) => /^[\w.=-]+$/.test(text) ? text : `"${text}"`;
  const changed = FIELDS.filter((field) => field !== "own" && state[field] !== DATA.default[field]);
  const parts = changed.map((field) => `-p ${safe(`${field}=${state[field]}`)}`);
  at("again").textContent = own ? "Your figures are not in the record, so no notebook has them; data/README.md says how to add them." : "All that stands here, with the code that computed it and every figure of the flow:";
  at("command").textContent = own ? "" : ["uv run tradegoals run --notebook 00_did_the_goal_hold", ...parts].join(" ");
  at("command").parentElement.hidden = own;
}
