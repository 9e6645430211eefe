// Search over the words that the build wrote; nothing leaves the page. A hit holds the start of every word
// asked for; places have other names, and a word that stands nowhere is taken for the nearest that does.
"use strict";

const plainWords = (text) => text.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
const [query, count, hits] = ["q", "count", "hits"].map((id) => document.getElementById(id));
const documents = [...self.SITE_WORDS, ...self.DATA_WORDS].map(([title, address, kind, text]) => (
  { title, address, kind, text, plain: plainWords(text), name: plainWords(title) }
));

// A word that begins like one in the title counts most, then one in the text, then a part of a word.
const scoreWord = (found, word) => {
  const start = new RegExp(`(^|[^\\p{L}\\p{N}])${word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}`, "u");
  if (start.test(found.name)) return 10;
  if (start.test(found.plain)) return 3;
  return found.name.includes(word) || found.plain.includes(word) ? 1 : 0;
};

const wordsOf = ({ plain, name }) => `${name} ${plain}`.match(/[\p{L}\p{N}]{4,}/gu) ?? [];
const vocabulary = new Set(documents.flatMap(wordsOf));

// Letters to put in, take out or change to make one word of the other (Levenshtein 1966).
const distance = (one, other) => [...one].reduce(
  (above, letter, row) => [...other].reduce(
    (line, at, k) => [...line, Math.min(line[k] + 1, above[k + 1] + 1, above[k] + (letter !== at))],
    [row + 1],
  ),
  [...other, 0].map((_, column) => column),
).at(-1);

const meant = (word) => {
  if (word.length < 4 || documents.some((found) => scoreWord(found, word))) return word;
  const most = word.length < 8 ? 1 : 2;
  const near = [...vocabulary].filter((known) => Math.abs(known.length - word.length) <= most)
    .map((known) => [distance(word, known), known]).filter(([far]) => far <= most).sort();
  return near.length ? near[0][1] : word;
};

// "黑龙江" and "russian federation" are words for Heilongjiang and Russia.
const withNames = (text) => {
  const words = ` ${text.trim().replace(/\s+/g, " ")} `;
  return self.SITE_NAMES.reduce((said, [other, name]) => said.replaceAll(` ${other} `, ` ${name} `), words);
};

const excerpt = (found, words) => {
  const places = words.map((word) => found.plain.indexOf(word)).filter((place) => place >= 0);
  const from = Math.max(0, Math.min(...places, found.text.length) - 60);
  const cut = found.text.slice(from, from + 220), rest = found.text.length > from + 220 ? "…" : "";
  return `${from ? "…" : ""}${cut}${rest}`;
};

const showHit = (found, words) => {
  const [item, link, kind, text] = ["li", "a", "span", "p"].map((name) => document.createElement(name));
  link.href = `../${found.address}`;
  link.textContent = found.title;
  kind.className = "small";
  kind.textContent = ` ${found.kind}`;
  text.textContent = excerpt(found, words);
  item.append(link, kind, text);
  return item;
};

const search = () => {
  const asked = withNames(plainWords(query.value)).split(" ").filter(Boolean);
  const words = asked.map(meant);
  const corrected = words.filter((word, place) => word !== asked[place]);
  const scored = documents
    .map((found) => [found, words.map((word) => scoreWord(found, word))])
    .filter(([, scores]) => scores.length && scores.every(Boolean))
    .map(([found, scores]) => [found, scores.reduce((sum, score) => sum + score, 0)])
    .sort((a, b) => b[1] - a[1]);
  hits.replaceChildren(...scored.slice(0, 50).map(([found]) => showHit(found, words)));
  const taken = corrected.length ? `Taken for ${corrected.join(", ")}: ` : "";
  const cut = scored.length > 50 ? ", the first 50 shown" : "";
  const said = `${taken}${scored.length || "No"} page${scored.length === 1 ? "" : "s"} and rows${cut}`;
  count.textContent = words.length ? said : "Type a word: a place, a publisher, a year.";
};

query.value = new URLSearchParams(location.search).get("q") ?? "";
query.addEventListener("input", search);
query.form.addEventListener("submit", (event) => {
  event.preventDefault();
  history.replaceState(null, "", `?q=${encodeURIComponent(query.value)}`);
  search();
});
search();
