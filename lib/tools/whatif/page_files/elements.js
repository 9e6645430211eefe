// Elements of the page. Text from data or the address enters as text only, never as markup.

const at = (id) => document.getElementById(id);

/** An element with a text or children. */
function make(name, content = "", attributes = {}) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...(Array.isArray(content) ? content : [content]));
  return node;
}

/** A number as it is shown, with its full precision for machines. */
const exact = (value, text, what) => make("data", text, { value: String(value), ...(what ? { "data-what": what } : {}) });

/** A link to a published source; anything but a web address stays text. */
const link = (text, url) => /^https?:\/\//.test(url) ? make("a", text, { href: url, rel: "noreferrer" }) : text;

function fillTable(table, head, rows, caption) {
  const cells = (row) => row.map((cell, k) => k ? make("td", cell ?? "") : make("th", cell ?? "", { scope: "row" }));
  table.replaceChildren(make("caption", caption),
    make("thead", [make("tr", head.map((text) => make("th", text, { scope: "col" })))]),
    make("tbody", rows.map((row) => make("tr", cells(row)))));
}
