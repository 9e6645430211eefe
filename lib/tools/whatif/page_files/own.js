// A reader's own figures, as lib.analysis.question.read_figures takes them, and what to expect of them
// (lib.law.posterior). Rates are fractions, growth is log growth.

const MODEL = DATA.model, LINES = MODEL.lines.map((pattern) => RegExp(`^(?:${pattern})$`));

/** What cannot be answered, as one line: where, what was found, what was expected. */
class Problem extends Error {}

function refuse(where, found, expected) {
  throw new Problem(`${where}: found ${found}, expected ${expected}`);
}

/** The record that the text holds: Map from year to { value, grade, id }. */
function readFigures(text) {
  const { own_most: most, own_first: earliest, own_last: latest, figure } = MODEL;
  const written = text.replace(/[\u00a0\u2009\u202f]/g, " ").split(/\r?\n|\|/).map((one) => one.trim());
  let lines = written.map((one, k) => [`own figures, line ${k + 1}`, one]).filter(([, one]) => one);
  if (lines.length > 1 && !/^"?[0-9]/.test(lines[0][1])) lines = lines.slice(1);
  const inRange = lines.length >= 1 && lines.length <= most;
  if (!inRange) refuse("own figures", `${lines.length} lines`, `1 to ${most}: ${figure}`);
  // With a decimal point, and with a comma: thousands stand apart by the other sign.
  const [point, comma] = LINES.map((pattern) => lines.map(([, one]) => pattern.exec(one)));
  const [read, decimal] = point.every(Boolean) ? [point, "."] : [comma, ","];
  const [where, wrong] = lines[Math.max(point.indexOf(null), comma.indexOf(null))] ?? [];
  if (!read.every(Boolean)) refuse(where, quoted(wrong), figure);
  const doubtful = read.map(([, , level]) => level).find((level) => level.includes("."));
  if (doubtful && point.every(Boolean) && comma.every(Boolean)) {
    const meant = `did you mean ${doubtful.replace(".", "")} or ${doubtful}0?`;
    refuse("own figures", quoted(doubtful), `a number that can be read in one way: ${meant}`);
  }
  const levels = new Map(), implied = new Map();
  read.forEach(([line, first, level, growth], k) => {
    const [place] = lines[k], year = Number(first);
    const value = Number(level.replace(RegExp(`[^0-9${decimal}]`, "g"), "").replace(",", "."));
    const rate = Number(growth?.replace("−", "-").replace(",", ".")) / 100;
    if (year < earliest || year > latest) refuse(place, year, `a year from ${earliest} to ${latest}`);
    if (levels.has(year)) refuse(place, `${year} twice`, "each year once");
    if (value <= 0 || rate <= -1) refuse(place, quoted(line), "a level above 0 that can grow");
    levels.set(year, { value, grade: 0, id: "" });
    if (growth) implied.set(year - 1, { value: value / (1 + rate), grade: 1, id: "" });
  });
  return new Map([...implied, ...levels].sort(([a], [b]) => a - b));
}

const sizeClass = (usd) => MODEL.sizes.filter((edge) => edge <= usd).length;

/** What is to be expected after own figures; recent rates weigh more, and the latest one echoes. */
function ownExpectation(record, usd) {
  const years = [...record.keys()], last = years.at(-1), size = sizeClass(usd), prior = DATA.own[last][size];
  const [drift, driftSd, classVariance, classDf, autocorrelation, driftError, source, warning] = prior;
  const rates = years.filter((year) => record.has(year - 1)).map((year) => ({
    rate: Math.log(record.get(year).value / record.get(year - 1).value),
    weight: 0.5 ** (years.filter((later) => later > year).length / MODEL.half_life),
  }));
  const weighed = (of) => sum(rates.map((one) => one.weight * of(one)));
  const total = weighed(() => 1), safe = total || 1, own = weighed(({ rate }) => rate) / safe;
  const df = classDf + Math.max(total - weighed(({ weight }) => weight) / safe, 0);
  const variance = (classDf * classVariance + weighed(({ rate }) => (rate - own) ** 2)) / df;
  const kept = variance / driftSd ** 2, share = total / (total + kept), mean = drift + share * (own - drift);
  const most = MODEL.largest_surprise * Math.sqrt(variance);
  const worth = 1 / (1 / (total + kept) + driftError ** 2 / variance);
  const echo = autocorrelation * (record.has(last - 1) ? clip(rates.at(-1).rate - mean, -most, most) : 0);
  const posterior = [mean, worth, variance, df, autocorrelation, echo, classVariance, classDf];
  const shares = [["own figures", share, share ? own : drift], ["reference class", 1 - share, drift]];
  return { posterior, source, warning, shares, size };
}
