// Numbers in words, as lib/words.py writes them.

const GROUPS = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 20 });
const DAY = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeZone: "UTC" });

/** "US$230 million", "CNY 88.2 billion": three significant digits, or as many as are asked for. */
function money(mn, currency, least = 3) {
  const [amount, scale] = Math.abs(mn) >= 999.5 ? [mn / 1000, "billion"] : [mn, "million"];
  const digits = Math.max(least, String(Math.trunc(Math.abs(amount))).length);
  const written = GROUPS.format(Number(amount.toPrecision(digits)));
  return `${currency === "USD" ? "US$" : `${currency} `}${written} ${scale}`;
}

/** A probability or share that never claims certainty: "38 %", "below 1 %". */
const percent = (fraction) => fraction < 0.01 ? "below 1 %" : fraction > 0.99 ? "above 99 %"
  : `${(fraction * 100).toFixed(0)} %`;

/** A growth rate with at most as many decimals: "+25 %", "−28.6 %", "0 %". */
function rateText(fraction, decimals = 1) {
  const number = Number((fraction * 100).toFixed(decimals));
  return `${number > 0 ? "+" : number < 0 ? "−" : ""}${Math.abs(number)} %`;
}

/** A level with thousands separated and at most five significant digits; the last before the point stays. */
const levelText = (value) => GROUPS.format(value >= 10000 ? Math.round(value) : Number(value.toPrecision(5)));

/** A text from outside, cut for a message. */
const quoted = (text) => `"${text.length > 40 ? `${text.slice(0, 39)}…` : text}"`;

/** Years as ranges: "2012–2013, 2023"; other names one by one. */
function yearSpans(years) {
  const runs = [];
  for (const year of years) {
    if (runs.at(-1)?.[1] === year - 1) runs.at(-1)[1] = year; else runs.push([year, year]);
  }
  return runs.map(([from, to]) => from === to ? from : `${from}–${to}`).join(", ");
}
