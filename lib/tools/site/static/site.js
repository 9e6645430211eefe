// What pages do beyond being read: light and dark, sorting and filtering of tables.
"use strict";

const root = document.documentElement;
document.querySelector("button.theme").addEventListener("click", () => {
  root.dataset.theme = getComputedStyle(root).colorScheme === "dark" ? "light" : "dark";
  try { localStorage.setItem("theme", root.dataset.theme); } catch { /* lasts as long as the page */ }
});

// A cell's number, as people write them: "+14.1 %", "−28.6", "1,234 USD mn"; "below 1 %" sorts as 1.
const numberIn = (text) => parseFloat(text.replaceAll(",", "").replaceAll("−", "-").match(/[-+]?\d.*/)?.[0]);
const { compare } = new Intl.Collator("en", { numeric: true });

const sortBy = (header) => {
  const down = header.ariaSort === "ascending", numeric = header.classList.contains("n");
  const body = header.closest("table").tBodies[0];
  const keyed = [...body.rows].map((row) => {
    const cell = row.cells[header.cellIndex], text = cell.dataset.sort ?? cell.textContent.trim();
    return [row, numeric ? numberIn(text) : text];
  });
  const isEmpty = (key) => key === "" || Number.isNaN(key), order = numeric ? (a, b) => a - b : compare;
  keyed.sort(([, a], [, b]) => isEmpty(a) - isEmpty(b) || (down ? order(b, a) : order(a, b)));
  for (const other of header.parentNode.cells) other.removeAttribute("aria-sort");
  header.ariaSort = down ? "descending" : "ascending";
  body.append(...keyed.map(([row]) => row));
};

for (const header of document.querySelectorAll("table.sorts thead th")) {
  const ariaLabel = `Sort by ${header.textContent}`;
  header.append(Object.assign(document.createElement("button"), { type: "button", ariaLabel }));
  header.addEventListener("click", () => sortBy(header));
}

// A filter keeps rows that hold every word typed and every choice made; choices are kept on the rows as data.
const choiceOf = (row, name) => row.getAttribute(`data-${name.toLowerCase().replaceAll(" ", "-")}`);

for (const form of document.querySelectorAll("form.filters")) {
  const table = document.querySelector(`table[data-filter="${form.dataset.for}"]`);
  const rows = [...table.tBodies[0].rows].map((row) => [row, row.textContent.toLowerCase()]);
  const apply = () => {
    const words = form.elements.text.value.toLowerCase().split(/\s+/);
    const choices = [...form.querySelectorAll("select")].filter(({ value }) => value);
    for (const [row, text] of rows) {
      const chosen = choices.every(({ name, value }) => choiceOf(row, name) === value);
      row.hidden = !chosen || !words.every((word) => text.includes(word));
    }
    const shown = rows.filter(([row]) => !row.hidden).length;
    const part = shown < rows.length ? ` of ${rows.length}` : "";
    form.querySelector("output").value = `${shown}${part} rows`;
  };
  form.addEventListener("input", apply);
  // Thousands of rows are too long for a phone: one page of them there, and the one that an address asks for.
  const choice = matchMedia("(max-width: 40rem)").matches && form.elements[form.dataset.page];
  const turn = () => {
    const row = choice ? document.getElementById(decodeURIComponent(location.hash.slice(1))) : null;
    if (table.contains(row)) choice.value = choiceOf(row, choice.name);
    apply();
    row?.scrollIntoView();
  };
  if (choice) choice.selectedIndex = 1;
  addEventListener("hashchange", turn);
  turn();
}
