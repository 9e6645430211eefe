// Elements, the address in and out, and the start. Text from data or the address enters as text only, never as markup.

/** An element with a text or children. */
function make(name, content = "", attributes = {}) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...(Array.isArray(content) ? content : [content]));
  return node;
}

/** A number as it is shown, with its full precision for machines. */
const exact = (value, text, what = "") => make("data", text, { value, "data-what": what });

/** A link to a published source; anything but a web address stays text. */
const link = (text, url) => /^https?:\/\//.test(url) ? make("a", text, { href: url, rel: "noreferrer" }) : text;

function fillTable(id, caption, head, rows) {
  const cells = (row) => row.map((cell, k) => k ? make("td", cell) : make("th", cell, { scope: "row" }));
  at(id).replaceChildren(make("caption", caption),
    make("thead", [make("tr", head.map((text) => make("th", text, { scope: "col" })))]),
    make("tbody", rows.map((row) => make("tr", cells(row)))));
}

let resting = 0, written = null;

/** Once the changes have come to rest: tell a screen reader, and write the address; browsers refuse many writes a second. */
function rest() {
  const before = location.hash;
  clearTimeout(resting);
  resting = setTimeout(() => {
    at("live").textContent = `${at("brief").textContent} ${at("title").textContent}`;
    if (location.hash !== before) return;  // another address came meanwhile and will be read
    written = addressOf(state).replace(/^#$/, "");
    history.replaceState(null, "", written || location.pathname + location.search);
  }, 250);
}

function fromAddress() {
  if (location.hash === written && shown) return;
  const read = readAddress(location.hash);
  state = read.state;
  show(read.problems);
}

async function copyLink() {
  history.replaceState(null, "", addressOf(state));
  try {
    await navigator.clipboard.writeText(location.href);
    at("copied").textContent = "Copied.";
  } catch {  // pages opened from a file, and older browsers, may not write to the clipboard
    at("copied").textContent = `The link stands in the address bar: ${location.href}`;
  }
}

window.tradegoals = { answer, readAddress, readFigures, state: () => state };  // for tests, and for the curious
fillOnce();
at("controls").addEventListener("input", onInput);
at("controls").addEventListener("submit", (event) => event.preventDefault());
at("controls").addEventListener("focusout", () => { if (shown) showControls(shown); });
at("copy").addEventListener("click", copyLink);
at("reset").addEventListener("click", () => { state = settle({}, tell); tell([]); askToShow(); });
window.addEventListener("hashchange", fromAddress);
window.addEventListener("resize", askToShow);
window.addEventListener("beforeprint", () => { at("years-part").open = true; });
fromAddress();
