// A reader's own figures, one a line, also as a spreadsheet copies them (lib.analysis.what_if.read_figures).

const FIGURE = 'a year, its level in millions and perhaps its growth, such as "2013 230 +50 %"';
const NUMBER = "[0-9]{1,3}(?:[ .,'][0-9]{3})+(?:[.,][0-9]{1,9})?|[0-9]{1,12}(?:[.,][0-9]{1,9})?";
const GROWTH = '(?:[ \\t,;:]+"?([+−-]?[0-9]{1,4}(?:[.,][0-9]{1,9})?) *%"?)?';
const LINE = new RegExp(`^"?([0-9]{4})"?[ \\t,;:=]+"?(${NUMBER})"?${GROWTH}$`);

/** The record that the text holds: Map from year to { value, grade, id }. */
function readFigures(text) {
  let lines = text.replace(/[\u00a0\u2009\u202f]/g, " ").split(/\r?\n|\|/).map((one, k) => [`own figures, line ${k + 1}`, one.trim()]);
  lines = lines.filter(([, one]) => one);
  if (lines.length > 1 && !/^"?[0-9]/.test(lines[0][1])) lines = lines.slice(1);
  if (!(lines.length >= 1 && lines.length <= MODEL.own_most)) {
    throw new Problem(`own figures: found ${lines.length} lines, expected 1 to ${MODEL.own_most}: ${FIGURE}`);
  }
  const parts = lines.map(([where, one]) => {
    const found = LINE.exec(one);
    if (!found) throw new Problem(`${where}: found ${quoted(one)}, expected ${FIGURE}`);
    return found;
  });
  const decimal = decimalSign(parts.map(([, , level]) => level)), thousands = decimal === "." ? "," : ".";
  const levels = new Map(), implied = new Map();
  lines.forEach(([where, one], k) => {
    const year = Number(parts[k][1]), rate = parts[k][3] && Number(parts[k][3].replace("−", "-").replace(",", ".")) / 100;
    const level = Number(parts[k][2].replace(/[ ']/g, "").replaceAll(thousands, "").replace(",", "."));
    if (year < MODEL.own_first || year > MODEL.own_last) {
      throw new Problem(`${where}: found ${year}, expected a year from ${MODEL.own_first} to ${MODEL.own_last}`);
    }
    if (levels.has(year)) throw new Problem(`${where}: found ${year} twice, expected each year once`);
    if (level <= 0 || rate <= -1) throw new Problem(`${where}: found ${quoted(one)}, expected a level above 0 that can grow`);
    levels.set(year, { value: level, grade: 0, id: "" });
    if (rate !== undefined) implied.set(year - 1, { value: level / (1 + rate), grade: 1, id: "" });
  });
  return new Map([...implied, ...levels].sort(([a], [b]) => a - b).filter(([year, { grade }]) => !grade || !levels.has(year)));
}

/** The decimal sign of the numbers of one table; a point that always stands before three digits could be either. */
function decimalSign(written) {
  for (const text of written) {
    const signs = text.replace(/[0-9 ']/g, ""), [before, after] = text.split(signs[0]);
    if (new Set(signs).size === 2) return signs.at(-1);
    if (signs.length > 1) return signs[0] === "," ? "." : ",";
    if (signs && (after.length !== 3 || before.length > 3)) return signs;
  }
  const doubtful = written.find((text) => text.includes("."));
  if (!doubtful) return ".";
  const meant = `did you mean ${doubtful.replace(".", "")} or ${doubtful}0?`;
  throw new Problem(`own figures: found ${quoted(doubtful)}, expected a number that can be read in one way: ${meant}`);
}
