// A reader's own figures, as lib.analysis.what_if.read_figures takes them, and what is to be expected of them
// (lib.law.posterior). Rates are fractions, growth is log growth.

const MODEL = DATA.model, LINE = new RegExp(`^(?:${MODEL.line})$`);

/** What cannot be answered, as one line: where, what was found, what was expected. */
class Problem extends Error {}

/** Throw what is wrong; text from outside is quoted, a number or what this page says itself is not. */
function refuse(where, found, expected, said = typeof found === "number" ? found : quoted(found)) {
  throw new Problem(`${where}: found ${said}, expected ${expected}`);
}

/** The record that the text holds: Map from year to { value, grade, id }. */
function readFigures(text) {
  const written = text.replace(/[\u00a0\u2009\u202f]/g, " ").split(/\r?\n|\|/).map((one) => one.trim());
  let lines = written.map((one, k) => [`own figures, line ${k + 1}`, one]).filter(([, one]) => one);
  if (lines.length > 1 && !/^"?[0-9]/.test(lines[0][1])) lines = lines.slice(1);
  if (!(lines.length >= 1 && lines.length <= MODEL.own_most)) {
    refuse("own figures", "", `1 to ${MODEL.own_most}: ${MODEL.figure}`, `${lines.length} lines`);
  }
  const parts = lines.map(([where, one]) => LINE.exec(one) ?? refuse(where, one, MODEL.figure));
  const thousands = decimalSign(parts.map(([, , level]) => level)) === "." ? /[ ',]/g : /[ '.]/g;
  const levels = new Map(), implied = new Map();
  parts.forEach(([line, first, level, growth], k) => {
    const [where] = lines[k], year = Number(first);
    const value = Number(level.replace(thousands, "").replace(",", "."));
    const rate = Number(growth?.replace("−", "-").replace(",", ".")) / 100;
    const expected = `a year from ${MODEL.own_first} to ${MODEL.own_last}`;
    if (year < MODEL.own_first || year > MODEL.own_last) refuse(where, year, expected);
    if (levels.has(year)) refuse(where, year, "each year once", `${year} twice`);
    if (value <= 0 || rate <= -1) refuse(where, line, "a level above 0 that can grow");
    levels.set(year, { value, grade: 0, id: "" });
    if (!Number.isNaN(rate)) implied.set(year - 1, { value: value / (1 + rate), grade: 1, id: "" });
  });
  return new Map([...new Map([...implied, ...levels])].sort(([a], [b]) => a - b));
}

/** The decimal sign of the numbers of one table; a point always before three digits could be either. */
function decimalSign(written) {
  for (const text of written) {
    const signs = text.replace(/[0-9 ']/g, ""), [before, after] = text.split(signs[0]);
    if (new Set(signs).size === 2) return signs.at(-1);
    if (signs.length > 1) return signs[0] === "," ? "." : ",";
    if (signs && (after.length !== 3 || before.length > 3)) return signs;
  }
  const doubtful = written.find((text) => text.includes(".")), meant = doubtful?.replace(".", "");
  if (!doubtful) return ".";
  const either = `did you mean ${meant} or ${doubtful}0?`;
  return refuse("own figures", doubtful, `a number that can be read in one way: ${either}`);
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
