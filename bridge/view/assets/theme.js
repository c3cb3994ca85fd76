"use strict";
// Before the page is drawn, so that it does not flash in the other theme.
try {
  const theme = localStorage.getItem("bridge-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch { /* storage is off: the system's theme */ }
