"use strict";
// What models wrote is shown as text and never as HTML: every node is made by createTextNode or textContent.
const at = (id) => document.getElementById(id);
let current = null;
let busy = false;

function text(parent, content) {
  // Characters that turn the direction of writing are written out; blocks between ``` are set in a fixed width.
  const safe = content.replace(/[\u202a-\u202e\u2066-\u2069]/g, (c) => `\\u${c.charCodeAt(0).toString(16)}`);
  safe.split(/^```[^\n]*$/m).forEach((part, index) => {
    const node = document.createElement(index % 2 ? "pre" : "div");
    node.className = index % 2 ? "code" : "text";
    node.textContent = index % 2 ? part.replace(/^\n|\n$/g, "") : part.replace(/^\n+|\n+$/g, "");
    if (node.textContent) parent.append(node);
  });
}

function label(parent, words) {
  const node = document.createElement("div");
  node.className = "turn";
  node.textContent = words;
  parent.append(node);
}

function fill(parent, texts, title) {
  parent.replaceChildren();
  texts.forEach((content, index) => {
    if (texts.length > 1 || title) label(parent, texts.length > 1 ? `${title || "Turn"} ${index + 1}` : title);
    text(parent, content);
  });
}

function percent(share) {
  return share === null ? "–" : `${Math.round(100 * share)} %`;
}

function show(state) {
  current = state.item;
  document.title = `Review · ${state.annotator}`;
  at("who").textContent = state.annotator;
  at("progress").textContent = `${state.progress.yours} of ${state.progress.total} seen, ${state.progress.votes} votes in all`;
  at("bar").max = Math.max(1, state.progress.total);
  at("bar").value = state.progress.yours;
  at("agreement").textContent = state.agreement
    .map((one) => `with ${one.with}: ${percent(one.same)} of ${one.n}` + (one.kappa === null ? "" : `, κ ${one.kappa.toFixed(2)}`))
    .join(" · ");
  at("undo").disabled = !state.can_undo;
  at("last").hidden = !state.revealed;
  if (state.revealed) at("last").textContent = `Kept. Left was ${state.revealed.left}, right was ${state.revealed.right}.`;
  document.querySelectorAll("[data-choice], #skip").forEach((button) => { button.disabled = !current; });
  at("note").value = "";
  at("note").disabled = !current;
  at("answers").hidden = at("question").hidden = !current;
  at("reference").hidden = !current || !current.references.length;
  if (!current) {
    complain("Nothing is left to compare. Thank you.");
    return;
  }
  complain("");
  fill(at("question"), current.turns, "Question");
  fill(at("reference").querySelector("div"), current.references, "");
  fill(at("left"), current.left, "");
  fill(at("right"), current.right, "");
  window.scrollTo(0, 0);
}

function complain(words) {
  at("message").textContent = words;
  at("message").hidden = !words;
}

async function ask(path, body) {
  // A key that is pressed before the next comparison is seen would be a vote on something unseen.
  if (busy) return;
  work(true);
  try {
    const options = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
    const answer = await fetch(path, options);
    if (answer.ok) show(await answer.json());
    else complain((await answer.text()).trim());
  } catch {
    complain("The server does not answer: was it stopped? Votes up to here are kept.");
  } finally {
    work(false);
  }
}

function work(is) {
  busy = is;
  document.body.setAttribute("aria-busy", String(is));
}

function vote(choice) {
  if (current) ask("/vote", { id: current.id, choice, note: at("note").value });
}

document.querySelectorAll("[data-choice]").forEach((button) => {
  button.addEventListener("click", () => vote(button.dataset.choice));
});
at("skip").addEventListener("click", () => current && ask("/skip", { id: current.id }));
at("undo").addEventListener("click", () => ask("/undo", {}));

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (document.activeElement === at("note")) {
    if (event.key === "Escape" || event.key === "Enter") at("note").blur();
    return;
  }
  const choice = { 1: "left", 2: "right", 0: "tie", x: "bad" }[event.key];
  if (choice) vote(choice);
  else if (event.key === "s" && current) ask("/skip", { id: current.id });
  else if (event.key === "u" && !at("undo").disabled) ask("/undo", {});
  else if (event.key === "n") { event.preventDefault(); at("note").focus(); }
});

ask("/next");
