// Search over the words that the build wrote; nothing leaves the page. A hit holds the start of every word
// asked for; places have other names, and a word that stands nowhere is taken for the nearest that does.
"use strict";

// Letters and digits without accents, with one space for whatever else.
const plain = (text) =>
  text.normalize("NFKD").replace(/\p{M}/gu, "").replace(/[^\p{L}\p{N}]/gu, " ").toLowerCase();
const [query, count, hits, pattern] = ["q", "count", "hits", "hit"].map((id) => document.getElementById(id));
const documents = [...self.SITE_WORDS, ...self.DATA_WORDS].map(([title, address, kind, text]) =>
  ({ title, address, kind, text, name: ` ${plain(title)}`, words: ` ${plain(text)}` }));
const vocabulary = [...new Set(documents.flatMap(({ name, words }) => `${name}${words}`.split(" ")))].sort();

// A word that begins like one in the title counts most, then one in the text, then a part of a word.
const score = ({ name, words }, word) =>
  name.includes(` ${word}`) ? 10 : words.includes(` ${word}`) ? 3 : Number(`${name}${words}`.includes(word));

// Whether one word becomes the other by putting in, taking out or changing so many letters.
const isNear = (one, other, most) => {
  if (!one || !other) return one.length + other.length <= most;
  if (one[0] === other[0]) return isNear(one.slice(1), other.slice(1), most);
  const steps = most ? [[1, 0], [0, 1], [1, 1]] : [];
  return steps.some(([from, to]) => isNear(one.slice(from), other.slice(to), most - 1));
};

const meant = (word) => {
  if (word.length < 4 || documents.some((found) => score(found, word))) return word;
  const nearest = (most) => vocabulary.find((known) => known.length > 3 && isNear(word, known, most));
  return nearest(1) ?? (word.length < 8 ? word : nearest(2) ?? word);
};

// "黑龙江" and "russian federation" are words for Heilongjiang and Russia.
const withNames = (text) => self.SITE_NAMES.map((pair) => pair.map(plain))
  .reduce((said, [other, name]) => said.replaceAll(` ${other} `, ` ${name} `), ` ${text} `);

const show = ({ title, address, kind, text, words }, asked) => {
  const hit = pattern.content.cloneNode(true), [link, small, part] = hit.querySelectorAll("a, span, p");
  const places = asked.map((word) => words.indexOf(word) - 1).filter((place) => place >= 0);
  const from = Math.max(0, Math.min(...places, text.length) - 60);
  Object.assign(link, { href: `../${address}`, textContent: title });
  small.textContent = ` ${kind}`;
  part.textContent = `${from ? "…" : ""}${text.slice(from)}`;
  return hit;
};

const search = () => {
  const asked = withNames(plain(query.value).replace(/ +/g, " ").trim()).split(" ").filter(Boolean);
  const words = asked.map(meant), corrected = words.filter((word, place) => word !== asked[place]);
  const scored = documents.map((found) => [found, words.map((word) => score(found, word))])
    .filter(([, scores]) => scores.length && scores.every(Boolean))
    .map(([found, scores]) => [found, scores.reduce((sum, one) => sum + one)]).sort(([, a], [, b]) => b - a);
  hits.replaceChildren(...scored.slice(0, 50).map(([found]) => show(found, words)));
  const taken = corrected.length ? `Taken for ${corrected.join(", ")}: ` : "";
  const cut = scored.length > 50 ? ", the first 50 shown" : "";
  const said = `${taken}${scored.length || "No"} page${scored.length === 1 ? "" : "s"} and rows${cut}`;
  count.textContent = words.length ? said : "Type a word: a place, a publisher, a year.";
};

query.value = new URLSearchParams(location.search).get("q") ?? "";
query.addEventListener("input", search);
search();
