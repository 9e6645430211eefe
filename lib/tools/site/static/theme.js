// The reader's choice of light or dark, before anything is drawn; the system's own where none was made.
try { document.documentElement.dataset.theme = localStorage.getItem("theme") ?? ""; } catch { /* not kept */ }
