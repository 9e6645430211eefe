// The reader's choice of light or dark, before anything is drawn; the system's own where none was made.
try {
  document.documentElement.dataset.theme = localStorage.getItem("theme") ?? "";
} catch { /* a browser that keeps nothing for pages from disk */ }
