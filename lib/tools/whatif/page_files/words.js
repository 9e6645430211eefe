// Numbers in words, as lib/words.py writes them.

/** Thousands separated; toLocaleString takes a hundred times as long. */
const grouped = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, ",");

/** "US$230 million", "CNY 88.2 billion": three significant digits, or as many as are asked for. */
function money(mn, currency, least = 3) {
  const [amount, scale] = Math.abs(mn) >= 999.5 ? [mn / 1000, "billion"] : [mn, "million"];
  const rounded = Number(amount.toPrecision(Math.max(least, String(Math.trunc(Math.abs(amount))).length)));
  const text = Number.isInteger(rounded) ? grouped(rounded) : String(rounded);
  return `${currency === "USD" ? "US$" : `${currency} `}${text} ${scale}`;
}

/** A probability or share that never claims certainty: "38 %", "below 1 %". */
function percent(fraction) {
  if (fraction < 0.01) return "below 1 %";
  if (fraction > 0.99) return "above 99 %";
  return `${(fraction * 100).toFixed(0)} %`;
}

/** A growth rate: "+25 %", "−28.6 %". */
function rateText(fraction) {
  const number = (fraction * 100).toFixed(1).replace(/\.0$/, "");
  if (number === "0" || number === "-0") return "0 %";
  return number.startsWith("-") ? `−${number.slice(1)} %` : `+${number} %`;
}

/** A level with thousands separated and at most five significant digits. */
function levelText(value) {
  return Math.abs(value) >= 10000 ? grouped(Math.round(value)) : String(Number(value.toPrecision(5)));
}

const yearsText = (count) => count === 1 ? "1 year" : `${count} years`;

const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
  "November", "December"];

/** "2014-04-15" → "15 April 2014". */
function dayText(day) {
  const [year, month, date] = day.split("-").map(Number);
  return `${date} ${MONTHS[month - 1]} ${year}`;
}

/** A text from outside, cut for a message. */
const quoted = (text) => `"${text.length > 40 ? `${text.slice(0, 39)}…` : text}"`;

/** Years as ranges: "2012–2013, 2023". */
function yearSpans(years) {
  const runs = [];
  for (const year of years) if (runs.at(-1)?.[1] === year - 1) runs.at(-1)[1] = year; else runs.push([year, year]);
  return runs.map(([from, to]) => from === to ? `${from}` : `${from}–${to}`).join(", ");
}
