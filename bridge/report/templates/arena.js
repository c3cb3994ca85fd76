// The browser of battles. All foreign text enters the page as text nodes; what is chosen is in the URL's hash.
(() => {
  "use strict";
  const $ = (id) => document.getElementById(id);
  if (!$("arena-browser")) return;
  const data = JSON.parse($("arena-data").textContent);
  const items = data.items;
  const PAGE = 200;
  const LONG = 2400;
  const chosen = { q: "", category: "", model: "", rival: "", winner: "", flag: "", battle: "" };
  let shown = [];
  let at = -1;
  let limit = PAGE;

  const make = (tag, className = "", text = "") => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== "") element.textContent = text;
    return element;
  };
  // Control characters, text direction and the like are shown by their code.
  const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;
  const seen = (text) => String(text).replace(UNSEEN, (sign) => `⟨U+${sign.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);

  // ---- what the battles are

  const winnerOf = (item) => (item.w === "a" ? item.a : item.w === "b" ? item.b : item.w);
  const votesOf = (item, test) => item.v.some(test);
  const llm = (item) => item.v.filter((vote) => !vote.h && vote.v).map((vote) => vote.v);
  const people = (item) => item.v.filter((vote) => vote.h && vote.v).map((vote) => vote.v);
  const longer = (item) => (item.la === undefined || item.lb === undefined || item.la === item.lb ? "" : item.la > item.lb ? "a" : "b");
  const FLAGS = {
    inconsistent: ["orders disagree", (item) => item.k === false],
    unparsed: ["no verdict in the judge's words", (item) => votesOf(item, (vote) => vote.ek === "unparsed")],
    failed: ["judge not reached", (item) => votesOf(item, (vote) => vote.ek === "failed")],
    missing: ["an answer is missing", (item) => votesOf(item, (vote) => vote.ek === "no_answer")],
    ambiguous: ["several verdicts in one judgment", (item) => votesOf(item, (vote) => vote.m)],
    people: ["people say otherwise", (item) => people(item).length > 0 && llm(item).length > 0 && people(item).some((v) => v !== item.w)],
    longer: ["the longer answer lost", (item) => ["a", "b"].includes(item.w) && longer(item) !== "" && longer(item) !== item.w],
  };
  items.forEach((item, index) => { item.n = index; });

  const haystacks = new Map();
  const haystack = (item) => {
    let text = haystacks.get(item.n);
    if (text === undefined) {
      const question = data.questions[item.q] ?? { t: [], r: [] };
      const answers = [item.a, item.b].flatMap((model) => (model && data.answers[model]?.[item.q]) ?? []);
      const judgments = item.v.map((vote) => `${vote.x ?? ""} ${vote.e ?? ""}`);
      text = [item.q, ...question.t, ...answers, ...judgments].join("\n").toLowerCase();
      haystacks.set(item.n, text);
    }
    return text;
  };
  const has = (item, model) => item.a === model || item.b === model;
  const within = (item) =>
    (chosen.category === "" || item.c === chosen.category) &&
    (chosen.model === "" || has(item, chosen.model)) &&
    (chosen.rival === "" || has(item, chosen.rival)) &&
    (chosen.winner === "" || (chosen.winner === "=tie" ? item.w === "tie" : chosen.winner === "=undecided" ? item.w === "undecided" : winnerOf(item) === chosen.winner)) &&
    (chosen.flag === "" || FLAGS[chosen.flag][1](item)) &&
    (chosen.q === "" || haystack(item).includes(chosen.q.toLowerCase()));

  // ---- the list

  const nameOf = (item) => `${item.q}${item.t > 1 ? `, turn ${item.t}` : ""}`;
  const outcomeOf = (item) => {
    if (!item.b) return item.v.map((vote) => vote.sa).filter((score) => score !== undefined).join(", ") || "no score";
    if (item.w === "tie") return "tie";
    return item.w === "undecided" || item.w === undefined ? "undecided" : `${winnerOf(item)} won`;
  };
  const choose = () => {
    shown = items.filter(within);
    at = shown.findIndex((item) => String(item.n) === chosen.battle);
    if (at < 0) at = shown.length ? 0 : -1;
    limit = Math.max(PAGE, at + 1);
    $("arena-count").textContent = `${shown.length.toLocaleString("en")} of ${items.length.toLocaleString("en")} comparisons. Keys: n p`;
    drawList();
    drawDetail();
  };
  const drawList = () => {
    const rows = shown.slice(0, limit).map((item, index) => {
      const row = make("div", "row");
      row.setAttribute("role", "option");
      row.setAttribute("aria-selected", String(index === at));
      const top = make("div");
      top.append(make("span", `dot ${item.w === "undecided" ? "error" : item.k === false ? "between" : "right"}`), make("span", "name", seen(item.b ? `${item.a} · ${item.b}` : item.a)));
      const gist = make("div", "gist");
      gist.append(make("span", "", seen(`${nameOf(item)}: ${outcomeOf(item)}`)));
      row.append(top, gist);
      row.onclick = () => select(index);
      return row;
    });
    if (shown.length > limit) {
      const more = make("button", "more", `show ${Math.min(PAGE, shown.length - limit).toLocaleString("en")} more`);
      more.type = "button";
      more.onclick = () => { limit += PAGE; drawList(); };
      rows.push(more);
    }
    $("arena-list").replaceChildren(...(rows.length ? rows : [make("div", "empty", "No comparison matches.")]));
  };
  const select = (index) => {
    if (index < 0 || index >= shown.length) return;
    at = index;
    if (at >= limit) limit += PAGE;
    chosen.battle = String(shown[at].n);
    remember();
    drawList();
    drawDetail();
    $("arena-list").children[at]?.scrollIntoView({ block: "nearest" });
  };

  // ---- one comparison

  const block = (title, text, className = "") => {
    const box = make("div", "text");
    const head = make("h4", "", seen(title));
    const pre = make("pre", text === null || text === undefined ? `nothing ${className}` : className);
    pre.dir = "auto";
    const whole = text === null || text === undefined ? "(nothing)" : text === "" ? "(empty)" : seen(text);
    pre.textContent = whole.length > LONG + 400 ? `${whole.slice(0, LONG)} …` : whole;
    if (whole.length > LONG + 400) {
      const button = make("button", "", `show all ${whole.length.toLocaleString("en")} characters`);
      button.type = "button";
      button.onclick = () => { pre.textContent = whole; button.remove(); };
      head.append(button);
    }
    box.append(head, pre);
    return box;
  };
  const saidBy = (item, vote) => {
    const who = vote.n ? `${vote.j}: ${vote.n}` : vote.j;
    const order = vote.f ? `, ${vote.f === "a" ? item.a : item.b} shown first` : "";
    return `${who}${order}${vote.r ? `, repeat ${vote.r}` : ""}`;
  };
  const verdictOf = (item, vote) => {
    if (vote.e) return vote.e;
    const scores = vote.sa === undefined ? "" : ` (${vote.sa}${vote.sb === undefined ? "" : ` : ${vote.sb}`})`;
    if (!item.b) return `score${scores}`;
    return (vote.v === "tie" ? "tie" : vote.v ? `${vote.v === "a" ? item.a : item.b} is better` : "no verdict") + scores;
  };
  const drawDetail = () => {
    const detail = $("arena-detail");
    detail.replaceChildren();
    if (at < 0) return;
    const item = shown[at];
    const question = data.questions[item.q] ?? { t: [], r: [] };
    const title = make("div", "title");
    title.append(make("span", "", seen(nameOf(item))), make("span", "word", seen(outcomeOf(item))));
    if (item.y) title.append(make("span", "soft", seen(`by ${item.y}`)));
    if (item.c) title.append(make("span", "soft", seen(item.c)));
    detail.append(title);
    for (let turn = 0; turn < Math.max(item.t, 1); turn++) {
      const label = item.t > 1 ? ` ${turn + 1}` : "";
      detail.append(block(`question${label}`, question.t[turn], "plain"));
      if (question.r?.[turn]) detail.append(block(`reference${label}`, question.r[turn], "plain"));
      const pair = make("div", item.b ? "pair" : "");
      for (const model of [item.a, item.b].filter(Boolean)) {
        const length = turn + 1 === item.t ? (model === item.a ? item.la : item.lb) : undefined;
        pair.append(block(`${model}${length === undefined ? "" : `, ${length.toLocaleString("en")} characters`}`, data.answers[model]?.[item.q]?.[turn]));
      }
      detail.append(pair);
    }
    for (const vote of item.v) {
      detail.append(make("h4", "", seen(saidBy(item, vote))));
      detail.append(make("p", vote.e ? "said fault" : "said", seen(verdictOf(item, vote))));
      if (vote.x) detail.append(block("in its own words", vote.x));
    }
    detail.scrollTop = 0;
  };

  // ---- controls

  const option = (value, text) => {
    const element = make("option", "", seen(text));
    element.value = value;
    return element;
  };
  const fill = (id, options) => { $(id).replaceChildren(...options.map(([value, text]) => option(value, text))); };
  const drawFilters = () => {
    const categories = [...new Set(items.map((item) => item.c).filter((name) => name !== undefined))].sort();
    const models = data.models.map((name) => [name, name]);
    const single = items.every((item) => !item.b);
    fill("arena-category", [["", "all categories"], ...categories.map((name) => [name, name])]);
    fill("arena-model", [["", "all models"], ...models]);
    fill("arena-rival", [["", "against anybody"], ...models.map(([name]) => [name, `against ${name}`])]);
    fill("arena-winner", [["", "any outcome"], ["=tie", "ties"], ["=undecided", "undecided"], ...models.map(([name]) => [name, `${name} won`])]);
    const flags = Object.entries(FLAGS).filter(([, [, test]]) => items.some(test));
    fill("arena-flag", [["", "any verdicts"], ...flags.map(([name, [text]]) => [name, text])]);
    $("arena-category").hidden = categories.length < 2;
    $("arena-rival").hidden = $("arena-winner").hidden = single;
    $("arena-flag").hidden = flags.length === 0;
    for (const name of ["category", "model", "rival", "winner", "flag"]) $(`arena-${name}`).value = chosen[name];
    $("arena-q").value = chosen.q;
  };
  const remember = () => {
    const given = new URLSearchParams(Object.entries(chosen).filter(([, value]) => value !== ""));
    history.replaceState(null, "", `#arena-battles&${given}`);
  };
  const recall = () => {
    if (!location.hash.startsWith("#arena-battles&")) return false;
    const given = new URLSearchParams(location.hash.slice("#arena-battles&".length));
    for (const name of Object.keys(chosen)) chosen[name] = given.get(name) ?? "";
    if (!Object.hasOwn(FLAGS, chosen.flag)) chosen.flag = "";
    return true;
  };
  const set = (changes) => {
    Object.assign(chosen, changes, { battle: "" });
    drawFilters();
    choose();
    if (at >= 0) chosen.battle = String(shown[at].n);
    remember();
  };

  $("arena-browser").hidden = false;
  const linked = recall();
  drawFilters();
  choose();
  if (linked) $("arena-battles").scrollIntoView();
  let waiting = 0;
  $("arena-q").oninput = () => { clearTimeout(waiting); waiting = setTimeout(() => set({ q: $("arena-q").value }), 120); };
  for (const name of ["category", "model", "rival", "winner", "flag"]) {
    $(`arena-${name}`).onchange = () => set({ [name]: $(`arena-${name}`).value });
  }
  for (const cell of document.querySelectorAll("table.matrix td[data-a]")) {
    cell.onclick = () => { set({ model: cell.dataset.a, rival: cell.dataset.b }); $("arena-battles").scrollIntoView(); };
  }
  document.addEventListener("keydown", (event) => {
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { n: 1, p: -1 }[event.key] ?? (event.target === $("arena-list") ? { ArrowDown: 1, ArrowUp: -1 }[event.key] : undefined);
    if (step !== undefined) { event.preventDefault(); select(at + step); }
  });
})();
