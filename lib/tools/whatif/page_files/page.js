// The page: the address in and out, and the start.

let remembering = 0, written = null;

/** Put the state into the address once the changes have come to rest: browsers refuse many writes a second. */
function remember() {
  const before = location.hash;
  clearTimeout(remembering);
  remembering = setTimeout(() => {
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
  const address = `${location.href.split("#")[0]}${addressOf(state)}`;
  history.replaceState(null, "", addressOf(state));
  try {
    await navigator.clipboard.writeText(address);
    at("copied").textContent = "Copied.";
  } catch {  // pages opened from a file, and older browsers, may not write to the clipboard
    at("copied").textContent = `The link stands in the address bar: ${address}`;
  }
}

function start() {
  fillOnce();
  at("controls").addEventListener("input", onInput);
  at("controls").addEventListener("submit", (event) => event.preventDefault());
  at("controls").addEventListener("focusout", () => { if (shown) showControls(shown); });
  at("copy").addEventListener("click", copyLink);
  at("reset").addEventListener("click", () => { state = { ...DATA.default, own: "" }; tell([]); askToShow(); });
  window.addEventListener("hashchange", fromAddress);
  window.addEventListener("resize", askToShow);
  window.addEventListener("beforeprint", () => { at("years-part").open = true; });
  fromAddress();
}

window.tradegoals = { answer, readAddress, readFigures, addressOf, state: () => state };  // for tests, and for the curious
start();
