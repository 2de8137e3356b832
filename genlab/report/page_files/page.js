"use strict";

// Everything the page shows is made here from the payload, with textContent and never as markup:
// the texts come from outside. The state of the browser over queries is in the address after "#",
// so that a link opens one query.

const PAYLOAD = /<script type="application\/json" id="payload">([\s\S]*?)<\/script>/;
const byId = (id) => document.getElementById(id);

const base = JSON.parse(byId("payload").textContent);
const beside = JSON.parse(byId("other").textContent);
let other = null; // the second report: {name, payload, byQuery}
const fields = ["text", "group", "place", "answerable", "change", "order"];
const state = { q: "", ranker: base.rankers[0], text: "", group: "", place: "", answerable: "", change: "", order: "" };
let found = []; // the queries that pass the filter, in order

// ---- elements

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

function drawn(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

const number = (value, decimals = 3) => (Number.isFinite(value) ? value.toFixed(decimals) : "");
const placeText = (place) => String(Math.round(place * 100) / 100);

// ---- the headline

function summaryOf(payload) {
  const t = payload.texts;
  const parts = [
    `${payload.n_evaluated} queries` +
      (payload.queries.length < payload.n_evaluated ? ` (the first ${payload.queries.length} are below)` : ""),
  ];
  if ("mean_new_tokens" in t) parts.push(`${number(t.mean_new_tokens, 1)} new tokens a text`);
  if ("finished_rate" in t) parts.push(`${number(100 * t.finished_rate, 1)}\u00a0% ended by themselves`);
  if ("query_echo_rate" in t) parts.push(`${number(100 * t.query_echo_rate, 1)}\u00a0% repeat their whole query`);
  return parts.join(" \u00b7 ");
}

function showHeadline() {
  const names = other ? [beside.names[0], other.name] : [null];
  const shown = other ? [base, other.payload] : [base];
  byId("summary").replaceChildren(...shown.map((payload, i) => element("div", {}, (other ? names[i] + ": " : "") + summaryOf(payload))));
  const legend = ["Left end: a random passage of another query (floor). Dashed: chance."];
  const counts = byId("compared") ? "Which differences count stands under What differs." : "Whether a difference counts, python -m genlab compare says.";
  if (other) legend.push(`Blue: ${names[0]}; orange: ${names[1]}. ${counts}`);
  byId("legend").textContent = legend.join(" ");
  const heads = ["", ...names.flatMap((name) => [name ?? "value", "95 % interval"]), "worse \u2192 better", "chance", "floor"];
  const table = byId("results");
  table.replaceChildren(
    element("thead", {}, element("tr", {}, ...heads.map((head) => (head ? element("th", { scope: "col" }, head) : element("td"))))),
  );
  for (const metric of base.headline) {
    const body = element("tbody");
    const better = metric.lower_is_better ? "lower is better" : "higher is better";
    body.append(element("tr", {}, element("th", { scope: "rowgroup", colspan: heads.length }, metric.label + " ", element("small", {}, `${metric.name}, ${better}`))));
    const second = other?.payload.headline.find((each) => each.name === metric.name);
    const scale = scaleOf(metric, second);
    for (const [ranker, numbers] of Object.entries(metric.under)) {
      const all = other ? [numbers, second?.under[ranker]] : [numbers];
      const cells = all.flatMap((each) => [number(each?.value), each ? `${number(each.low)} to ${number(each.high)}` : ""]);
      const references = ["chance", "floor"].map((name) => number(numbers[name]));
      body.append(
        element(
          "tr",
          { "data-metric": metric.name, "data-ranker": ranker },
          element("th", { scope: "row" }, ranker),
          ...cells.map((cell) => element("td", {}, cell)),
          element("td", {}, picture(all, scale)),
          ...references.map((cell) => element("td", {}, cell)),
        ),
      );
    }
    table.append(body);
  }
}

/** Map a metric's values to 4...268 with the better end on the right, one scale for all rankers. */
function scaleOf(metric, second) {
  const values = [metric, second].flatMap((each) => Object.values(each?.under ?? {}).flatMap(Object.values));
  const low = Math.min(...values), high = Math.max(...values);
  const share = (value) => (high > low ? (value - low) / (high - low) : 0.5);
  return (value) => 4 + 264 * (metric.lower_is_better ? 1 - share(value) : share(value));
}

function picture(all, scale) {
  const svg = drawn("svg", { class: "dots", viewBox: "0 0 272 24", "aria-hidden": "true" });
  const upright = (value, name) => {
    if (Number.isFinite(value)) svg.append(drawn("line", { class: name, x1: scale(value), x2: scale(value), y1: 5, y2: 19 }));
  };
  const first = all[0];
  svg.append(drawn("line", { class: "track", x1: scale(first.floor ?? first.low), x2: scale(first.high), y1: 12, y2: 12 }));
  upright(first.floor, "end");
  upright(first.chance, "chance");
  all.forEach((numbers, i) => {
    if (!numbers) return;
    const name = i ? "second" : "first";
    const y = all.length === 1 ? 12 : 8 + 8 * i;
    svg.append(drawn("line", { class: `${name} interval`, x1: scale(numbers.low), x2: scale(numbers.high), y1: y, y2: y }));
    svg.append(drawn("circle", { class: name, cx: scale(numbers.value), cy: y, r: 4 }));
  });
  return svg;
}

// ---- one query

// The comparison form of text in genlab/text/normal_form.py: an apostrophe joins, other punctuation separates.
const WORD = /[\p{L}\p{M}\p{N}\p{S}#%'’ʼ]+/gu;
const comparable = (word) => word.normalize("NFKC").toLowerCase().replace(/['’ʼ]/g, "");

// Words of more than a tenth of the queries (the, of, what) are marked faintly.
const queriesWith = new Map();
for (const query of base.queries) for (const word of query.words) queriesWith.set(word, (queriesWith.get(word) ?? 0) + 1);
const isCommon = (word) => queriesWith.get(word) > Math.max(3, base.queries.length / 10);

/** Return an element with `text` in it and the query's words marked. */
function marked(text, query) {
  const wanted = new Set(query.words);
  const made = element("div", { class: "text", dir: "auto" });
  let from = 0;
  for (const match of text.matchAll(WORD)) {
    const word = comparable(match[0]);
    if (!wanted.has(word)) continue;
    made.append(text.slice(from, match.index), element("mark", { class: isCommon(word) ? "common" : null }, match[0]));
    from = match.index + match[0].length;
  }
  made.append(text.slice(from));
  if (!text) made.append(element("small", {}, "(empty text)"));
  return made;
}

const under = (query) => query?.under[state.ranker];
const placeOf = (query) => under(query)?.[0];
const theirs = (query) => other?.byQuery.get(query.id);

/** Return how many places the other report's text stands further down; NaN if not in both. */
function change(query) {
  const place = placeOf(theirs(query) ?? null);
  return place === undefined ? NaN : place - placeOf(query);
}

function sameList(query, their) {
  const ours = under(query)[2], others = under(their)?.[2];
  return others?.length === ours.length && ours.every((score, i) => score === others[i]) &&
    query.passages.every((passage, i) => passage[0] === their.passages[i]?.[0]);
}

function showQuery() {
  const article = byId("query");
  const query = found.find((each) => each.id === state.q);
  if (!query) return article.replaceChildren(element("p", { class: "note" }, "No query passes the filter."));
  const [place, score, scores] = under(query);
  const their = theirs(query);
  const facts = [query.id, `${base.group_name}: ${query.group}`, query.answerable ? "answerable" : "no selected passage"];
  article.replaceChildren(element("h3", { dir: "auto" }, query.query), element("p", { class: "note" }, facts.join(" \u00b7 ")));

  const items = query.passages.map(([text, selected], i) => ({ text, selected, score: scores[i], kind: "passage" }));
  const inList = items.length;
  items.push({ text: query.text, score, kind: "generated", place });
  if (other) article.append(pair(query, their));
  const oneList = their && sameList(query, their);
  if (oneList) items.push({ text: their.text, score: under(their)[1], kind: "other", place: placeOf(their) });
  items.sort((a, b) => b.score - a.score);

  const list = element("ol");
  for (const item of items) {
    // Places are among the passages and this report's text; the other's text is a guest.
    const rivals = items.filter((each) => each !== item && each.kind !== (item.kind === "other" ? "generated" : "other"));
    const tied = rivals.filter((each) => Math.abs(each.score - item.score) <= base.tie).length;
    const above = rivals.filter((each) => each.score - item.score > base.tie).length;
    const at = item.place ?? 1 + above + tied / 2;
    const head = element("div", { class: "small" });
    if (item.kind === "generated") head.append(element("span", { class: "badge" }, other ? `generated, ${beside.names[0]}` : "generated"));
    if (item.kind === "other") head.append(element("span", { class: "badge" }, `generated, ${other.name}`));
    if (item.selected) head.append(element("span", { class: "badge" }, "\u2713 selected"));
    head.append(`score ${number(item.score, 4)}`);
    if (tied) head.append(` \u00b7 tied with ${tied} other${tied > 1 ? "s" : ""}`);
    list.append(element("li", { class: item.kind, "data-kind": item.kind }, element("div", { class: "rank" }, placeText(at)), element("div", {}, head, marked(item.text, query))));
  }
  if (other && their && !oneList) {
    article.append(element("p", { class: "note" }, `${other.name} has other passages or scores for this query: the list is ${beside.names[0]}'s.`));
  }
  article.append(list, element("p", { class: "note" }, `${inList} real passages under ${state.ranker}, best first.`));
}

function pair(query, their) {
  const box = element("div", { class: "pair" });
  for (const [name, each] of [[beside.names[0], query], [other.name, their]]) {
    const place = placeOf(each ?? null);
    const head = place === undefined ? "not in this report" : `place ${placeText(place)} \u00b7 score ${number(under(each)[1], 4)}`;
    box.append(element("div", {}, element("strong", {}, name), element("div", { class: "small" }, head), each ? marked(each.text, query) : null));
  }
  return box;
}

// ---- the list and its filter

const haystacks = new Map();
function haystack(query) {
  if (!haystacks.has(query.id)) {
    haystacks.set(query.id, [query.id, query.query, query.text, ...query.passages.map((passage) => passage[0])].join("\n").toLowerCase());
  }
  return haystacks.get(query.id);
}

function passes(query) {
  const place = placeOf(query);
  return (
    place !== undefined &&
    (!state.text || haystack(query).includes(state.text.toLowerCase()) || (theirs(query)?.text.toLowerCase() ?? "").includes(state.text.toLowerCase())) &&
    (!state.group || query.group === state.group) &&
    (!state.answerable || query.answerable === (state.answerable === "yes")) &&
    (!state.place || state.place === (place < 2 ? "1" : place < 4 ? "2-3" : "4-")) &&
    (!other || state.change === "" || Math.abs(change(query)) > Number(state.change))
  );
}

function showList() {
  found = base.queries.filter(passes);
  if (other && state.order) {
    const direction = state.order === "rise" ? 1 : -1; // risen: a smaller place
    const key = (query) => (Number.isNaN(change(query)) ? Infinity : direction * change(query));
    found = found.map((query) => [key(query), query]).sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0)).map(([, query]) => query);
  }
  if (!found.some((query) => query.id === state.q)) state.q = found[0]?.id ?? "";
  let count = `${found.length} of ${base.queries.length} queries`;
  if (other) {
    const unpaired = base.queries.filter((query) => !theirs(query)).length;
    const extra = other.payload.queries.length - (base.queries.length - unpaired);
    if (unpaired || extra) count += `; ${unpaired} only in ${beside.names[0]}, ${extra} only in ${other.name}`;
  }
  byId("count").textContent = count;
  byId("list").replaceChildren(
    ...found.map((query) => {
      const places = [query, theirs(query)].map((each) => placeOf(each ?? null)).filter((place) => place !== undefined);
      const at = element("span", { class: "at", title: "place of the generated text" }, places.map(placeText).join(" \u2192 "));
      const button = element("button", { type: "button", "data-q": query.id }, at, element("span", { class: "asked", dir: "auto" }, query.query));
      button.addEventListener("click", () => open(query.id));
      return button;
    }),
  );
}

function showCurrent() {
  const at = found.findIndex((query) => query.id === state.q);
  byId("previous").disabled = at <= 0;
  byId("next").disabled = at < 0 || at === found.length - 1;
  byId("list").querySelector("[aria-current]")?.removeAttribute("aria-current");
  const button = byId("list").children[at];
  if (button) {
    button.setAttribute("aria-current", "true");
    const list = byId("list"); // not scrollIntoView: the page itself must stay where it is
    const top = button.offsetTop - list.offsetTop;
    if (top < list.scrollTop || top + button.offsetHeight > list.scrollTop + list.clientHeight) list.scrollTop = top - list.clientHeight / 3;
  }
  showQuery();
  const kept = Object.entries(state).filter(([name, value]) => value && !(name === "ranker" && value === base.rankers[0]));
  history.replaceState(null, "", "#" + new URLSearchParams(kept));
}

function showBrowser() {
  for (const button of byId("rankers").children) button.setAttribute("aria-pressed", button.textContent === state.ranker);
  for (const name of fields) if (byId(name).value !== state[name]) byId(name).value = state[name];
  for (const label of document.querySelectorAll(".two")) label.hidden = !other;
  showList();
  showCurrent();
}

function open(id) {
  state.q = id;
  showCurrent();
}

function step(by) {
  const next = found[found.findIndex((query) => query.id === state.q) + by];
  if (next) open(next.id);
}

function readAddress() {
  const asked = new URLSearchParams(location.hash.slice(1));
  for (const name of ["q", ...fields]) state[name] = asked.get(name) ?? "";
  state.ranker = base.rankers.includes(asked.get("ranker")) ? asked.get("ranker") : base.rankers[0];
  for (const name of fields) {
    byId(name).value = state[name];
    state[name] = byId(name).value; // a choice that is not there becomes none
  }
  const missing = state.q && !base.queries.some((query) => query.id === state.q);
  say(missing ? `This report has no query ${state.q}.` : "");
}

// ---- a second report

const say = (text) => (byId("message").textContent = text);

function compareWith(payload, name) {
  other = { name, payload, byQuery: new Map(payload.queries.map((query) => [query.id, query])) };
  byId("alone").hidden = false;
  showHeadline();
  showBrowser();
}

function readReport(content, name) {
  const match = PAYLOAD.exec(content);
  if (!match) throw new Error(`${name} is no report: it has no payload.`);
  let payload;
  try {
    payload = JSON.parse(match[1]);
  } catch {
    throw new Error(`${name} is no report: its payload cannot be read.`);
  }
  if (payload?.format !== base.format || !Array.isArray(payload.queries)) throw new Error(`${name} is a report of another version; make it again.`);
  return payload;
}

byId("file").addEventListener("change", async (event) => {
  const file = event.target.files[0];
  if (!file) return;
  try {
    compareWith(readReport(await file.text(), file.name), file.name);
    say(`Beside it: ${file.name}.`);
  } catch (error) {
    showAlone();
    say(error.message);
  }
});

function showAlone() {
  other = null;
  byId("file").value = "";
  byId("alone").hidden = true;
  state.change = state.order = "";
  say("");
  showHeadline();
  showBrowser();
}

byId("alone").addEventListener("click", showAlone);

// ---- start

byId("rankers").append(...base.rankers.map((name) => element("button", { type: "button" }, name)));
byId("rankers").addEventListener("click", (event) => {
  if (!base.rankers.includes(event.target.textContent) || event.target.tagName !== "BUTTON") return;
  state.ranker = event.target.textContent;
  showBrowser();
});
byId("group-name").textContent = base.group_name[0].toUpperCase() + base.group_name.slice(1);
const counts = new Map();
for (const query of base.queries) counts.set(query.group, (counts.get(query.group) ?? 0) + 1);
byId("group").append(
  element("option", { value: "" }, "any"),
  ...[...counts].sort().map(([name, n]) => element("option", { value: name }, `${name} (${n})`)),
);
for (const name of fields) {
  byId(name).addEventListener("input", (event) => {
    state[name] = event.target.value;
    showBrowser();
  });
}
byId("previous").addEventListener("click", () => step(-1));
byId("next").addEventListener("click", () => step(1));
byId("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address holds the state
  byId("browser").focus();
});
for (const part of document.querySelectorAll("main > section")) {
  const link = element("a", { href: `#${part.id}` }, part.querySelector("h2").textContent);
  link.addEventListener("click", (event) => {
    event.preventDefault();
    part.tabIndex = -1; // the keyboard goes on from there
    part.focus({ preventScroll: true });
    part.scrollIntoView();
  });
  byId("parts").append(link);
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("input, select, textarea")) return;
  const by = { j: 1, ArrowRight: 1, k: -1, ArrowLeft: -1 }[event.key];
  if (by) step(by);
});
window.addEventListener("hashchange", () => {
  readAddress();
  showBrowser();
});

readAddress();
if (beside.payload) compareWith(beside.payload, beside.names[1]);
else {
  showHeadline();
  showBrowser();
}
