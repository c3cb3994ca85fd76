"use strict";
// Keys, the theme, and tables that can be sorted. What is shown comes from the server; nothing here makes HTML of text.
(() => {
  const $ = (id) => document.getElementById(id);
  const rows = () => [...document.querySelectorAll("a.open")];
  const TYPING = /^(INPUT|SELECT|TEXTAREA)$/;

  const move = (step) => {
    const all = rows();
    if (!all.length) return follow(step > 0 ? "next" : "prev");
    const at = all.indexOf(document.activeElement);
    const to = all[Math.min(all.length - 1, Math.max(0, at + step))];
    to.focus();
    to.scrollIntoView({ block: "center" });
  };
  const follow = (rel) => document.querySelector(`a[rel="${rel}"]`)?.click();
  const keys = {
    j: () => move(1),
    k: () => move(-1),
    u: () => document.querySelector("a.up")?.click(),
    "/": () => $("q")?.focus(),
    "?": () => $("keys").showModal(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (TYPING.test(event.target.tagName) && event.target.type !== "checkbox") {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if ($("keys").open || !(event.key in keys)) return;
    event.preventDefault();
    keys[event.key]();
  });

  const THEMES = ["auto", "light", "dark"];
  const startTheme = () => {
    const button = $("theme");
    const show = () => { button.textContent = button.dataset[document.documentElement.dataset.theme ?? "auto"]; };
    button.hidden = false;
    button.onclick = () => {
      const now = THEMES.indexOf(document.documentElement.dataset.theme ?? "auto");
      const next = THEMES[(now + 1) % THEMES.length];
      if (next === "auto") delete document.documentElement.dataset.theme;
      else document.documentElement.dataset.theme = next;
      try { localStorage.setItem("bridge-theme", next); } catch { /* it holds for this page */ }
      show();
    };
    show();
  };

  const startSorting = () => {
    for (const table of document.querySelectorAll("table.sortable")) {
      [...table.tHead.rows[0].cells].forEach((head, index) => { head.onclick = () => sortBy(table, head, index); });
    }
  };
  const sortBy = (table, head, index) => {
    const down = head.getAttribute("aria-sort") === "descending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "ascending" : "descending");
    const valueOf = (row) => row.cells[index]?.dataset.v ?? row.cells[index]?.textContent.trim() ?? "";
    const asNumber = (text) => parseFloat(text.replace(/[,%\s]/g, ""));
    const order = (a, b) => (asNumber(a) - asNumber(b)) || a.localeCompare(b, "en");
    const sorted = [...table.tBodies[0].rows].sort((a, b) => order(valueOf(a), valueOf(b)) * (down ? 1 : -1));
    table.tBodies[0].append(...sorted);
  };

  const help = $("help");
  help.hidden = false;
  help.onclick = () => $("keys").showModal();
  startTheme();
  startSorting();
})();
