"use strict";
// The sample browser. All foreign text enters the page as text nodes; what is chosen is in the URL's hash.
(() => {
  const $ = (id) => document.getElementById(id);
  const make = (tag, className = "", text = "") => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== "") element.textContent = text;
    return element;
  };
  const ROW = 46;
  const LONG = 1600;
  const STATES = { right: "right", wrong: "wrong", between: "partly", scored: "scored", error: "error" };
  const data = JSON.parse($("data").textContent);
  const samples = data.samples;
  const chosen = { q: "", state: "", column: "", subset: "", flag: "", sample: "" };
  let shown = [];
  let at = -1;

  // ---- what the samples are

  const inWords = (value) => (typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value));
  const asText = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 1));
  const promptOf = (sample) =>
    typeof sample.in === "string" ? sample.in : sample.in.map((m) => `${m.role ?? ""}\n${inWords(m.content)}`).join("\n");
  const columnName = (index) => {
    const column = data.columns[index];
    return `${column.dataset} · ${column.backend}${data.manyModels ? ` · ${column.model}` : ""}`;
  };
  const scoreText = (sample) => {
    if (sample.sc === undefined || sample.st === "right" || sample.st === "wrong") return "";
    const percent = data.columns[sample.c].percent;
    return percent ? `${(100 * sample.sc).toFixed(1)} %` : String(+sample.sc.toFixed(3));
  };
  const nameOf = (sample) =>
    `${sample.sub ? `${sample.sub} / ` : ""}${sample.id}${sample.rep ? `, repeat ${sample.rep}` : ""}`;
  const key = (sample) => JSON.stringify([data.columns[sample.c].dataset, sample.sub ?? "", sample.id, sample.rep ?? 0]);
  const twins = new Map();
  samples.forEach((sample, index) => {
    sample.n = index;
    const list = twins.get(key(sample));
    if (list) list.push(sample);
    else twins.set(key(sample), [sample]);
  });
  const twinsOf = (sample) => twins.get(key(sample)).filter((other) => other !== sample);
  const extracts = data.columns.map((_, c) => samples.some((sample) => sample.c === c && sample.x !== undefined));
  const FLAGS = {
    cut: ["cut off at the token limit", (s) => s.f === "length"],
    unread: ["nothing extracted", (s) => s.x === undefined && s.r !== undefined && !s.e && extracts[s.c]],
    differ: ["judged differently elsewhere", (s) => twinsOf(s).some((other) => other.st !== s.st)],
  };

  // ---- choosing

  const haystacks = new Map();
  const haystack = (sample) => {
    let text = haystacks.get(sample.n);
    if (text === undefined) {
      text = [nameOf(sample), promptOf(sample), inWords(sample.r), inWords(sample.t), inWords(sample.x), sample.e ?? ""]
        .join("\n").toLowerCase();
      haystacks.set(sample.n, text);
    }
    return text;
  };
  const within = (sample) =>
    (chosen.column === "" || sample.c === Number(chosen.column)) &&
    (chosen.subset === "" || sample.sub === chosen.subset) &&
    (chosen.flag === "" || FLAGS[chosen.flag][1](sample)) &&
    (chosen.q === "" || haystack(sample).includes(chosen.q.toLowerCase()));

  const choose = () => {
    const found = samples.filter(within);
    shown = chosen.state === "" ? found : found.filter((sample) => sample.st === chosen.state);
    drawStates(found);
    const where = chosen.q === "" ? "" : "; searched in id, prompt, answer, extracted, target and error";
    $("count").textContent =
      `${shown.length.toLocaleString("en")} of ${samples.length.toLocaleString("en")} samples${where}. Keys: j k / Esc`;
    $("spacer").style.height = `${shown.length * ROW}px`;
    at = shown.findIndex((sample) => String(sample.n) === chosen.sample);
    if (at < 0) { at = shown.length ? 0 : -1; $("list").scrollTop = 0; }
    else reveal();
    drawList();
    drawDetail();
  };

  const drawStates = (found) => {
    const counts = {};
    for (const sample of found) counts[sample.st] = (counts[sample.st] ?? 0) + 1;
    const there = Object.keys(STATES).filter((state) => samples.some((s) => s.st === state));
    $("states").replaceChildren(...["", ...there].map((state) => {
      const button = make("button", "", `${state === "" ? "all" : STATES[state]} `);
      button.type = "button";
      button.dataset.state = state || "all";
      button.setAttribute("aria-pressed", String(chosen.state === state));
      button.append(make("span", "", (state === "" ? found.length : counts[state] ?? 0).toLocaleString("en")));
      button.onclick = () => set({ state });
      return button;
    }));
  };

  // ---- the list: only the rows in view exist

  const drawList = () => {
    const list = $("list");
    const first = Math.max(0, Math.floor(list.scrollTop / ROW) - 4);
    const last = Math.min(shown.length, first + Math.ceil(list.clientHeight / ROW) + 10);
    $("rows").style.top = `${first * ROW}px`;
    $("rows").replaceChildren(...shown.slice(first, last).map((sample, index) => rowOf(sample, first + index)));
    if (!shown.length) $("rows").replaceChildren(make("div", "empty", "No sample matches."));
    if (at >= 0) list.setAttribute("aria-activedescendant", `row-${at}`);
    else list.removeAttribute("aria-activedescendant");
  };

  const rowOf = (sample, index) => {
    const row = make("div", "row");
    row.id = `row-${index}`;
    row.setAttribute("role", "option");
    row.setAttribute("aria-selected", String(index === at));
    const top = make("div");
    const name = make("span", "name");
    write(name, chosen.column === "" ? `${columnName(sample.c)} · ${nameOf(sample)}` : nameOf(sample));
    top.append(make("span", `dot ${sample.st}`), name, make("span", "got", scoreText(sample)));
    const gist = make("div", "gist");
    const line = make("span");
    write(line, gistOf(sample));
    gist.append(line);
    row.append(top, gist);
    row.onclick = () => select(index);
    return row;
  };

  const gistOf = (sample) => {
    if (sample.e) return sample.e.slice(0, 120);
    const got = sample.x !== undefined ? inWords(sample.x) : inWords(sample.r);
    const target = inWords(sample.t);
    return `${got.slice(0, 80)}${target ? `  (target ${target.slice(0, 60)})` : ""}`;
  };

  const reveal = () => {
    const list = $("list");
    if (at * ROW < list.scrollTop) list.scrollTop = at * ROW;
    if ((at + 1) * ROW > list.scrollTop + list.clientHeight) list.scrollTop = (at + 1) * ROW - list.clientHeight;
  };

  const select = (index) => {
    if (index < 0 || index >= shown.length) return;
    at = index;
    chosen.sample = String(shown[at].n);
    remember();
    reveal();
    drawList();
    drawDetail();
  };

  // ---- one sample

  // Control characters, text direction and the like are shown by their code; the search term is marked.
  const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/;
  const UNSEEN_ALL = new RegExp(UNSEEN.source, "g");
  const write = (element, text) => {
    let from = 0;
    if (UNSEEN.test(text)) {
      for (const match of text.matchAll(UNSEEN_ALL)) {
        writeMarked(element, text.slice(from, match.index));
        element.append(make("span", "code", `U+${match[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`));
        from = match.index + 1;
      }
    }
    writeMarked(element, text.slice(from));
  };
  const writeMarked = (element, text) => {
    const term = chosen.q.toLowerCase();
    const low = text.toLowerCase();
    let from = 0;
    for (let found; term && low.length === text.length && (found = low.indexOf(term, from)) >= 0; from = found + term.length) {
      element.append(text.slice(from, found), make("mark", "", text.slice(found, found + term.length)));
    }
    element.append(text.slice(from));
  };

  const block = (title, value, { from = "start", className = "" } = {}) => {
    const nothing = value === undefined || value === "";
    const text = nothing ? (value === "" ? "(empty)" : "(nothing)") : asText(value);
    const head = make("h4", "", title);
    const pre = make("pre", nothing ? `nothing ${className}` : className);
    pre.dir = "auto";
    const short = () => (from === "end" ? `… ${text.slice(-LONG)}` : `${text.slice(0, LONG)} …`);
    const draw = (full) => { pre.replaceChildren(); write(pre, full ? text : short()); };
    if (text.length <= LONG + 200) draw(true);
    else {
      const button = make("button");
      const label = (full) => (full ? "show less" : `show all ${text.length.toLocaleString("en")} characters`);
      let full = chosen.q !== "" && !short().toLowerCase().includes(chosen.q.toLowerCase()) &&
        text.toLowerCase().includes(chosen.q.toLowerCase());
      button.type = "button";
      button.textContent = label(full);
      button.onclick = () => { full = !full; button.textContent = label(full); draw(full); };
      head.append(button);
      draw(full);
    }
    const part = make("div");
    part.append(head, pre);
    return part;
  };

  const prompts = (sample) =>
    typeof sample.in === "string"
      ? [block("Prompt", sample.in, { from: "end" })]
      : sample.in.map((message, index) => block(`Prompt ${index + 1}, ${inWords(message.role)}`, message.content, { from: "end" }));

  const drawDetail = () => {
    const detail = $("detail");
    detail.replaceChildren();
    detail.scrollTop = 0;
    if (at < 0) return;
    const sample = shown[at];
    const title = make("p", "title");
    const name = make("span");
    write(name, `${columnName(sample.c)} · ${nameOf(sample)}`);
    title.append(make("span", `word ${sample.st}`, `${STATES[sample.st]} ${scoreText(sample)}`), name);
    const pair = make("div", "pair");
    pair.append(block("Extracted", sample.x), block("Target", sample.t));
    detail.append(title);
    if (sample.e) detail.append(block("Error", sample.e, { className: "fault" }));
    detail.append(pair, block("Answer", sample.r), ...prompts(sample));
    if (sample.all) detail.append(block("Scores", sample.all));
    if (sample.m) detail.append(block("Further data", sample.m));
    detail.append(elsewhere(sample), make("p", "meta", metaOf(sample)));
  };

  const elsewhere = (sample) => {
    const part = make("div");
    const others = twinsOf(sample);
    if (!others.length) return part;
    const list = make("ul", "elsewhere");
    for (const other of others) {
      const item = make("li");
      const button = make("button", "", `${columnName(other.c)}: ${STATES[other.st]} ${scoreText(other)}`);
      button.type = "button";
      button.onclick = () => set({ column: String(other.c), subset: "", state: "", flag: "", q: "", sample: String(other.n) });
      item.append(button);
      if (sample.h && other.h && sample.h !== other.h) item.append(make("span", "soft", " (another prompt)"));
      list.append(item);
    }
    part.append(make("h4", "", "The same id elsewhere"), list);
    return part;
  };

  const metaOf = (sample) => [
    sample.l === undefined ? "" : `${sample.l.toFixed(2)} s`,
    sample.u ? `${sample.u.prompt_tokens ?? "?"} + ${sample.u.completion_tokens ?? "?"} tokens` : "",
    sample.f ? `finish reason: ${sample.f}` : "",
    sample.h ? `prompt sha256 ${sample.h.slice(0, 12)}` : "",
  ].filter(Boolean).join(" · ");

  // ---- state in the URL

  const remember = () => {
    const hash = new URLSearchParams(Object.entries(chosen).filter(([, value]) => value !== "")).toString();
    history.replaceState(null, "", hash ? `#${hash}` : "#samples");
  };
  const recall = () => {
    const hash = location.hash.slice(1);
    if (!hash.includes("=")) return false;
    const given = new URLSearchParams(hash);
    for (const name of Object.keys(chosen)) chosen[name] = given.get(name) ?? "";
    if (!Object.hasOwn(FLAGS, chosen.flag)) chosen.flag = "";
    if (!Object.hasOwn(STATES, chosen.state)) chosen.state = "";
    if (!data.columns[Number(chosen.column)]) chosen.column = "";
    return true;
  };
  const set = (changes) => {
    Object.assign(chosen, changes);
    if ("column" in changes && !("subset" in changes)) chosen.subset = "";
    drawFilters();
    choose();
    if (at >= 0) chosen.sample = String(shown[at].n);
    remember();
  };

  // ---- controls

  const option = (value, text) => {
    const element = make("option", "", text);
    element.value = value;
    return element;
  };
  const drawFilters = () => {
    $("column").replaceChildren(option("", "all datasets"), ...data.columns.map((_, c) => option(String(c), columnName(c))));
    const subsets = new Set(samples
      .filter((s) => (chosen.column === "" || s.c === Number(chosen.column)) && s.sub !== undefined).map((s) => s.sub));
    $("subset").replaceChildren(option("", "all subsets"), ...[...subsets].map((name) => option(name, name)));
    $("subset").hidden = subsets.size === 0;
    const flags = Object.entries(FLAGS).filter(([name, [, test]]) => name === chosen.flag || samples.some(test));
    $("flag").replaceChildren(option("", "any answer"), ...flags.map(([name, [text]]) => option(name, text)));
    $("flag").hidden = flags.length === 0;
    $("column").value = chosen.column;
    $("subset").value = chosen.subset;
    $("flag").value = chosen.flag;
    if ($("q").value !== chosen.q) $("q").value = chosen.q;
  };

  const onKey = (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === "Escape" && typing) { event.target.blur(); return; }
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { j: 1, k: -1 }[event.key] ?? (event.target === $("list") ? { ArrowDown: 1, ArrowUp: -1 }[event.key] : undefined);
    if (step !== undefined) { event.preventDefault(); select(at + step); }
    if (event.key === "/") { event.preventDefault(); $("q").focus(); }
  };

  const startBrowser = () => {
    if (!$("browser")) return;
    $("browser").hidden = false;
    const linked = recall();
    drawFilters();
    choose();
    if (linked) $("samples").scrollIntoView();
    let waiting = 0;
    $("q").oninput = () => { clearTimeout(waiting); waiting = setTimeout(() => set({ q: $("q").value }), 120); };
    for (const name of ["column", "subset", "flag"]) $(name).onchange = () => set({ [name]: $(name).value });
    $("list").onscroll = () => requestAnimationFrame(drawList);
    window.onresize = drawList;
    window.onhashchange = () => { if (recall()) { drawFilters(); choose(); } };
    document.onkeydown = onKey;
  };

  const startTheme = () => {
    const button = $("theme");
    const themes = ["auto", "light", "dark"];
    let theme = 0;
    button.hidden = false;
    button.onclick = () => {
      theme = (theme + 1) % themes.length;
      document.documentElement.dataset.theme = themes[theme];
      button.textContent = `theme: ${themes[theme]}`;
    };
  };

  const startSorting = () => {
    for (const table of document.querySelectorAll("table.sortable")) {
      const heads = [...table.tHead.rows[0].cells];
      heads.forEach((head, index) => { head.onclick = () => sortBy(table, heads, head, index); });
    }
  };
  const sortBy = (table, heads, head, index) => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...table.tBodies[0].rows];
    const valueOf = (row) => row.cells[index]?.dataset.v ?? row.cells[index]?.textContent ?? "";
    const order = (a, b) => (a !== "" && b !== "" && Number(a) - Number(b)) || a.localeCompare(b, "en");
    rows.sort((a, b) => order(valueOf(a), valueOf(b)) * (down ? -1 : 1));
    table.tBodies[0].append(...rows);
  };

  startTheme();
  startSorting();
  startBrowser();
})();
