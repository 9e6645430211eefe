// What pages do beyond being read: light and dark, sorting and filtering of tables.
"use strict";

const { dataset } = document.documentElement, themeButton = document.querySelector("button.theme");
const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
const isDark = () => (dataset.theme || system) === "dark";
const nameTheme = () => { themeButton.textContent = isDark() ? "Light" : "Dark"; };
themeButton.hidden = false;
themeButton.addEventListener("click", () => {
  dataset.theme = isDark() ? "light" : "dark";
  try { localStorage.setItem("theme", dataset.theme); } catch { /* lasts as long as the page */ }
  nameTheme();
});
nameTheme();

// A cell's number, as people write them: "+14.1 %", "−28.6", "1,234 USD mn"; "below 1 %" sorts as 1.
const numberIn = (text) => parseFloat(text.replaceAll(",", "").replaceAll("−", "-").match(/[-+]?\d.*/)?.[0]);
const { compare } = new Intl.Collator("en", { numeric: true });

const sortBy = (table, column, header) => {
  const down = header.ariaSort === "ascending", numeric = header.classList.contains("n");
  const keyed = [...table.tBodies[0].rows].map((row) => {
    const text = row.cells[column].dataset.sort ?? row.cells[column].textContent.trim();
    return [row, numeric ? numberIn(text) : text];
  });
  const isEmpty = (key) => key === "" || Number.isNaN(key), order = numeric ? (a, b) => a - b : compare;
  keyed.sort(([, a], [, b]) => isEmpty(a) - isEmpty(b) || (down ? order(b, a) : order(a, b)));
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  header.ariaSort = down ? "descending" : "ascending";
  table.tBodies[0].append(...keyed.map(([row]) => row));
};

document.querySelectorAll("table.sorts").forEach((table) => {
  [...table.tHead.rows[0].cells].forEach((header, column) => {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", ariaLabel: `Sort by ${header.textContent}` });
    header.append(button);
    header.addEventListener("click", () => sortBy(table, column, header));
  });
});

// A filter keeps rows that hold every word typed and every choice made; choices are kept on the rows as data.
const choiceOf = (row, name) => row.getAttribute(`data-${name.toLowerCase().replaceAll(" ", "-")}`);

document.querySelectorAll("form.filters").forEach((form) => {
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
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  apply();
  if (!form.dataset.page || !matchMedia("(max-width: 40rem)").matches) return;
  // Thousands of rows are too long for a phone: one page of them there, and the one that an address asks for.
  const choice = form.elements[form.dataset.page];
  const turn = () => {
    const row = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (row && table.contains(row)) choice.value = choiceOf(row, choice.name);
    apply();
    row?.scrollIntoView();
  };
  choice.value = choice.options[1]?.value ?? "";
  addEventListener("hashchange", turn);
  turn();
});
