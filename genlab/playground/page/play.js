// The play page: a text, and its place under each ranker while it is typed.
"use strict";

const SHOWN = 12; // texts at the top of a long list, and
const AROUND = 4; // before and after ours; the rest is counted

let here = null; // the collection that is chosen: name, n_queries, first, rankers, buttons, models
let query = null; // what the server shows of the query: number, query, passages, text
let instead = null; // number of the passage in whose place the text stands; null: beside them all
let before = null; // places of the text that stood here before, by ranker
let last = null; // the answer that is shown
let wanted = false; // the text has changed since the request that is on its way
let asking = false;
const draws = {}; // how often a button was pressed for this query

const about = (body) => ({ collection: here?.name, ...body });
const asked = async (path, body) => (await post(path, about(body))).json();

// Run what a person asked for; say what went wrong.
async function attempt(work) {
  try {
    await work();
    tell("");
  } catch (error) {
    tell(error.message);
  }
}

// ---- the query

let finding = 0;

async function find() {
  const mine = ++finding;
  const found = await asked("find", { words: at("words").value });
  if (mine !== finding) return; // an older answer that came late
  at("found").textContent = found.n > found.found.length ? `${found.n}, the first ${found.found.length} listed` : `${found.n}`;
  at("query").replaceChildren(...found.found.map(([number, text]) => new Option(text, number)));
  if (query) showChosen();
}

function showChosen() {
  const known = [...at("query").options].find((option) => Number(option.value) === query.number);
  if (!known) at("query").prepend(new Option(query.query, query.number));
  at("query").value = query.number;
}

async function choose(which) {
  await open(await asked("query", which));
}

async function open(found) {
  query = found;
  showChosen();
  at("asked").textContent = query.query;
  at("begun").textContent = query.text ? `At first there stands ${here.texts_are}.` : "";
  Object.keys(draws).forEach((name) => delete draws[name]);
  stand(null);
  before = last = null;
  undone.length = 0; // texts for the former query
  at("undo").disabled = true;
  at("text").value = query.text;
  await place();
}

async function enter(collection) {
  const first = await asked("query", { collection: collection.name, query: collection.first });
  here = collection;
  at("about").textContent = `${here.n_queries} queries of the run, ${here.rankers.join(", ")}`;
  addButtons();
  query = first; // find shows the query that is chosen
  await find();
  await open(first);
}

// ---- the place

// One request at a time; what was typed meanwhile is asked when its answer is there.
async function place() {
  wanted = true;
  if (asking) return;
  asking = true;
  at("rankers").classList.add("stale");
  try {
    while (wanted) {
      wanted = false;
      const start = performance.now();
      const of = query;
      const answer = await asked("place", { query: of.number, text: at("text").value, instead });
      if (of !== query) continue;
      last = answer;
      show(answer, performance.now() - start);
    }
  } finally {
    asking = false;
    at("rankers").classList.remove("stale");
  }
}

const rounded = (place) => (Number.isInteger(place) ? `${place}` : place.toFixed(1));

function changed(ranker) {
  const old = before?.rankers.find((each) => each.name === ranker.name)?.place;
  return old === undefined || old === ranker.place ? "" : ` (was ${rounded(old)})`;
}

function show(answer, milliseconds) {
  at("places").textContent = answer.rankers
    .map((each) => `${each.name} ${rounded(each.place)}${changed(each)}`).join(" · ");
  at("speed").textContent = `answered in ${Math.round(milliseconds)} ms`;
  at("rankers").replaceChildren(...answer.rankers.map(rankerList));
}

function rankerList(ranker) {
  const box = made("section", "ranker");
  box.setAttribute("aria-label", ranker.name);
  const told = made("p", "told");
  told.append(made("b", "", rounded(ranker.place)), ` of ${ranker.n_texts}${changed(ranker)}`);
  if (ranker.n_tied) told.append(`; tied with ${ranker.n_tied}`);
  if (ranker.unread) told.append(`; its last ${ranker.unread} tokens are not read`);
  const ours = ranker.list.findIndex(([number]) => number === null);
  const list = made("ol");
  let skipped = 0;
  ranker.list.forEach((item, i) => {
    if (i >= SHOWN && Math.abs(i - ours) > AROUND) skipped += 1;
    else {
      if (skipped) list.append(made("li", "gap", `… ${skipped} more …`));
      skipped = 0;
      list.append(row(item, i));
    }
  });
  if (skipped) list.append(made("li", "gap", `… ${skipped} more …`));
  box.append(made("h3", "", ranker.name), told, list);
  return box;
}

function row([number, score], i) {
  const [text, selected] = number === null ? [at("text").value, false] : query.passages[number];
  const line = made("li", number === null ? "ours" : "");
  const words = made("span", "words");
  const mark = number === null ? "your text" : selected ? "answer" : "";
  if (mark) words.append(made("span", "mark", mark));
  words.append(text.trim() || "(empty)");
  line.append(made("span", "number", `${i + 1}`), words, made("span", "score", score.toFixed(3)));
  if (number !== null && query.passages.length > 1) {
    const taken = button("take", "take", () => take(number));
    taken.setAttribute("aria-label", `take passage ${i + 1} to alter it in its place`);
    line.append(taken);
  }
  return line;
}

// ---- a passage's own place

function stand(number) {
  if (number !== instead) before = last = null; // places in another list
  instead = number;
  at("slot").hidden = number === null;
  if (number === null) return;
  const kind = query.passages[number][1] ? "the answer" : "the passage, which does not answer,";
  at("instead").textContent = `It stands in the place of ${kind} that it was made of.`;
}

// Anything altered of a real passage beside that passage itself could only tie with it, or lose.
async function take(number) {
  if (at("text").readOnly) return;
  keep();
  at("text").value = query.passages[number][0];
  stand(number);
  at("text").focus();
  await place();
}

async function putBack() {
  stand(null);
  await place();
}

// ---- what is done to the text

function replace(text) {
  before = last;
  at("text").value = text;
}

async function alter(button, n) {
  const draw = draws[button] ?? 0;
  const of = query;
  const { text } = await asked("alter", { query: of.number, text: at("text").value, button, n, draw });
  if (of !== query) return; // another was chosen meanwhile
  draws[button] = draw + 1;
  keep();
  replace(text);
  await place();
}

const undone = [];

function keep() {
  undone.push({ text: at("text").value, instead });
  at("undo").disabled = false;
}

async function undo() {
  if (!undone.length) return;
  const old = undone.pop();
  replace(old.text);
  stand(old.instead);
  at("undo").disabled = !undone.length;
  await place();
}

function hold(is) {
  document.querySelectorAll("#buttons button, #writers button, #pick select, #pick button, #slot button").forEach((each) => (each.disabled = is));
  at("undo").disabled = is || !undone.length;
  at("text").readOnly = is;
}

async function write(model) {
  const draw = draws[model] ?? 0;
  const from = document.activeElement;
  let done = false;
  keep();
  before = last;
  hold(true);
  try {
    const response = await post("write", about({ query: query.number, model, draw }));
    await readLines(response, (line) => {
      if (line.error) throw new Error(line.error);
      at("text").value = line.text;
      done = line.done === true;
      place().catch((error) => tell(error.message));
    });
    if (!done) throw new Error("the text broke off");
    draws[model] = draw + 1;
  } finally {
    hold(false);
    giveBack(from);
  }
  await place();
}

// ---- the beginning

function button(name, words, work) {
  const element = made("button", "", words);
  element.type = "button";
  element.name = name;
  element.addEventListener("click", () => attempt(work));
  return element;
}

function addButtons() {
  const n = made("input");
  const value = at("n")?.value ?? 20;
  Object.assign(n, { id: "n", type: "number", min: 1, max: 20000, value });
  n.setAttribute("aria-label", "words or tokens that are left");
  const cut = made("span", "cut");
  const count = () => Math.max(1, Math.floor(Number(n.value)) || 1);
  at("buttons").replaceChildren();
  at("writers").replaceChildren();
  for (const [name, words] of here.buttons) {
    const element = button(name, words, () => alter(name, count()));
    if (name.startsWith("cut_")) cut.append(element);
    else at("buttons").append(element);
  }
  cut.prepend(n);
  const back = button("undo", "undo", undo);
  Object.assign(back, { id: "undo", disabled: true });
  at("buttons").append(cut, back);
  for (const [name, words] of here.models) {
    at("writers").append(button(name, `let ${words} write`, () => write(name)));
  }
}

async function begin() {
  const collections = await asked("about", {}).catch((error) => {
    at("random").disabled = at("words").disabled = at("text").disabled = true;
    throw /token/.test(error.message) ? new Error("This address is old: open the one that the program prints.") : error;
  });
  at("of").hidden = collections.length < 2;
  at("collection").replaceChildren(...collections.map(({ name }) => new Option(name)));
  const chosen = () => collections[at("collection").selectedIndex];
  at("collection").addEventListener("change", () => attempt(() => enter(chosen())));
  await enter(collections[0]);
}

at("words").addEventListener("input", () => attempt(find));
at("query").addEventListener("change", () => attempt(() => choose({ query: Number(at("query").value) })));
at("random").addEventListener("click", () => attempt(() => choose({ random: true })));
at("beside").addEventListener("click", () => attempt(putBack));
at("text").addEventListener("input", () => {
  before = null;
  attempt(place);
});
at("long").addEventListener("change", () => at("rankers").classList.toggle("whole", at("long").checked));
attempt(begin);
