// The reader's choice of light or dark, before anything is drawn; the system's own where none was made.
"use strict";
try {
  const chosen = localStorage.getItem("theme");
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
} catch {
  // A browser that keeps nothing for pages from disk: the system's choice stands.
}
