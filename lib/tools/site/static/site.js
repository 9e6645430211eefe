// What pages do beyond being read: light and dark, sorting and filtering of tables.
"use strict";

const isDark = () => {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
};

const themeButton = document.querySelector("button.theme");
const nameTheme = () => { themeButton.textContent = isDark() ? "Light" : "Dark"; };
themeButton.hidden = false;
themeButton.addEventListener("click", () => {
  const next = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  try { localStorage.setItem("theme", next); } catch { /* lasts as long as the page */ }
  nameTheme();
});
nameTheme();

// A cell's number, as people write them: "+14.1 %", "−28.6", "1,234 USD mn"; "below 1 %" sorts as 1.
const numberIn = (text) => {
  const found = text.replaceAll(",", "").replaceAll("−", "-").match(/[-+]?\d+(\.\d+)?/);
  return found ? Number(found[0]) : NaN;
};
const textOf = (row, column) => row.cells[column].dataset.sort ?? row.cells[column].textContent.trim();

const sortBy = (table, column, header) => {
  const down = header.getAttribute("aria-sort") === "ascending";
  const sign = down ? -1 : 1;
  const numeric = header.classList.contains("n");
  const rows = [...table.tBodies[0].rows].map((row) => [row, textOf(row, column)]);
  const key = numeric ? numberIn : (text) => text;
  const compare = (a, b) => (numeric ? a - b : a.localeCompare(b, "en", { numeric: true }));
  const isEmpty = (value) => (numeric ? Number.isNaN(value) : value === "");
  const keyed = rows.map(([row, text]) => [row, key(text)]);
  keyed.sort(([, a], [, b]) => isEmpty(a) - isEmpty(b) || (isEmpty(a) ? 0 : sign * compare(a, b)));
  table.querySelectorAll("th[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
  header.setAttribute("aria-sort", down ? "descending" : "ascending");
  table.tBodies[0].append(...keyed.map(([row]) => row));
};

document.querySelectorAll("table.sorts").forEach((table) => {
  [...table.tHead.rows[0].cells].forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.ariaLabel = `Sort by ${header.textContent}`;
    header.append(button);
    header.addEventListener("click", () => sortBy(table, column, header));
  });
});

// A filter keeps rows that hold every word typed and every choice made. Choices are kept on the rows as data.
const rowChoice = (row, name) => {
  const key = name.toLowerCase().replace(/ (\w)/g, (_, letter) => letter.toUpperCase());
  if (key in row.dataset) return row.dataset[key];
  const headers = [...row.closest("table").tHead.rows[0].cells].map((cell) => cell.textContent.trim());
  return textOf(row, headers.indexOf(name));
};

document.querySelectorAll("form.filters").forEach((form) => {
  const table = document.querySelector(`table[data-filter="${form.dataset.for}"]`);
  const rows = [...table.tBodies[0].rows].map((row) => [row, row.textContent.toLowerCase()]);
  const apply = () => {
    const words = form.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const choices = [...form.querySelectorAll("select")].filter((choice) => choice.value);
    let shown = 0;
    rows.forEach(([row, text]) => {
      const fits = words.every((word) => text.includes(word))
        && choices.every((choice) => rowChoice(row, choice.name) === choice.value);
      row.hidden = !fits;
      shown += fits;
    });
    const part = shown < rows.length ? ` of ${rows.length}` : "";
    form.querySelector("output").value = `${shown}${part} rows`;
  };
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  // Thousands of rows are too long for a phone: one page of them there, and the one that an address asks for.
  const turn = () => {
    const choice = form.elements[form.dataset.page];
    const row = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (row && table.contains(row) && row.hidden) choice.value = rowChoice(row, choice.name);
    apply();
    row?.scrollIntoView();
  };
  if (form.dataset.page && matchMedia("(max-width: 40rem)").matches) {
    const choice = form.elements[form.dataset.page];
    choice.value = choice.options[1]?.value ?? "";
    addEventListener("hashchange", turn);
    apply();
    turn();
  } else apply();
});
