// The label desk's page. It moves on only when the desk has the answer on disk; until then the
// answer stays here, and in localStorage in case the window is closed, and is sent again.
"use strict";

const WORDS = {
  en: {
    count: (done, n) => `${done} of ${n} labelled`,
    left: (by) => `Left by ${by}: `,
    undo: "Take back",
    last: (words) => `last answer: ${words}`,
    done: "All texts have an answer. Thank you! You can close this window.",
    kept: (words, why) => `Not saved yet: “${words}”. ${why} The answer is kept here and sent again every second; leave this window open.`,
    undoing: (why) => `Not taken back yet. ${why} It is tried again every second.`,
    gone: "The desk does not answer: start it again.",
    elsewhere: (words) => `This text was given another answer in a second window, which stands: “${words}”.`,
    changed: "That text is no longer among those to be labelled; its answer was not kept.",
    refused: (why) => `The desk does not take this: ${why}`,
    stranger: "This address is not this desk's, or the desk was started anew: open the one that the program prints. An answer that was not saved is handed in there.",
    empty: "(This text is empty.)",
    other: "русский",
  },
  ru: {
    count: (done, n) => `размечено ${done} из ${n}`,
    left: (by) => `Осталось (${by}): `,
    undo: "Вернуть",
    last: (words) => `последний ответ: ${words}`,
    done: "У всех текстов есть ответ. Спасибо! Окно можно закрыть.",
    kept: (words, why) => `Ещё не сохранено: «${words}». ${why} Ответ хранится здесь и отправляется снова каждую секунду; не закрывайте окно.`,
    undoing: (why) => `Ответ ещё не возвращён. ${why} Попытка повторяется каждую секунду.`,
    gone: "Программа не отвечает: запустите её снова.",
    elsewhere: (words) => `Этому тексту уже дан другой ответ во втором окне, он и остаётся: «${words}».`,
    changed: "Этого текста больше нет среди размечаемых; ответ не сохранён.",
    refused: (why) => `Программа это не принимает: ${why}`,
    stranger: "Это не адрес этой программы, или она запущена заново: откройте тот, который она напечатала. Несохранённый ответ будет передан там.",
    empty: "(Этот текст пуст.)",
    other: "English",
  },
};
const RETRY = 1000; // milliseconds between attempts
const UNSEEN = 300; // milliseconds: nobody has read the text yet, so the key was pressed twice

const token = location.hash.slice(1);
// Each label file's desk has its own name: no answer is handed in as another rater's.
const pendingKey = () => `pending ${view.desk}`;
const at = (id) => document.getElementById(id);
let language = stored("language") ?? (navigator.language.startsWith("ru") ? "ru" : "en");
let view = null; // what the desk showed last
let pending = null; // {path, body} not yet known to be on disk
let problem = null; // (words) => what to tell the rater
let shownAt = 0;
let placed = ""; // of a text whose answers are put in order: what is placed so far, like "2>1"
let tied = false; // the next one is as good as the last

// A browser may forbid storage; the answer is then kept in this window alone.
function stored(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function store(key, value) {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // as above
  }
}

// ---- talking to the desk

async function post(path, body) {
  const reply = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Token": token },
    body: JSON.stringify(body),
  });
  return { status: reply.status, content: await reply.json() };
}

// Send what is pending until the desk has taken or refused it, then show what it replies.
async function send(path, body) {
  const from = document.activeElement; // a button, which loses the focus while it is disabled
  pending = { path, body };
  if (path === "/answer") store(pendingKey(), JSON.stringify(pending));
  render();
  for (;;) {
    let reply = null;
    try {
      reply = await post(path, body);
    } catch {
      problem = (words) => waiting(words, words.gone);
    }
    if (reply?.status === 200) {
      settle();
      show(reply.content);
      giveBack(from);
      return;
    }
    const reason = reply?.content.error;
    if (reply?.status === 403) {
      problem = (words) => words.stranger; // the answer waits: the right address may bring it in
    } else if (reply && reply.status < 500) {
      settle();
      problem = (words) => refusal(words, reply.status, reason);
      if (path === "/view") render();
      else await refresh();
      giveBack(from);
      return;
    } else if (reply) {
      problem = (words) => waiting(words, reason);
    }
    render();
    await new Promise((resume) => setTimeout(resume, RETRY));
  }
}

function giveBack(from) {
  if (document.activeElement === document.body) from?.focus({ preventScroll: true });
}

function settle() {
  if (pending.path === "/answer") store(pendingKey(), null);
  pending = null;
  problem = null;
}

function waiting(words, why) {
  if (pending?.path === "/answer") return words.kept(wordsOf(pending.body.answer), why);
  return pending?.path === "/undo" ? words.undoing(why) : why;
}

function refusal(words, status, reason) {
  if (status === 409) return words.elsewhere(wordsOf(reason));
  return status === 410 ? words.changed : words.refused(reason);
}

// Ask for the view again, with the text on the screen if it still has no answer.
async function refresh() {
  const said = problem;
  await send("/view", { id: view?.text?.id ?? null });
  problem = said;
  render();
}

// ---- what the rater sees

function show(next) {
  const isNew = next.text?.id !== view?.text?.id;
  view = next;
  if (isNew) {
    shownAt = performance.now();
    placed = "";
    tied = false;
  }
  render();
  if (isNew) scrollTo(0, 0);
}

function inLanguage(wording) {
  return wording[language] ?? wording[Object.keys(wording).find((key) => key !== "of")];
}

function wordsOf(answer) {
  const found = view?.choices.find(([name]) => name === answer);
  return found ? inLanguage(found[1]) : answer;
}

function element(name, content, className = "") {
  const made = document.createElement(name);
  made.textContent = content;
  made.className = className;
  return made;
}

function render() {
  const words = WORDS[language];
  document.documentElement.lang = language;
  at("language").textContent = words.other;
  at("message").textContent = problem ? problem(words) : "";
  at("message").hidden = !problem;
  if (!view) return;

  const left = view.left.reduce((sum, [, n]) => sum + n, 0);
  const caption = view.sheet.show[view.sheet.by];
  const by = (caption ? inLanguage(caption) : view.sheet.by).toLowerCase();
  at("rater").textContent = view.rater;
  at("count").textContent = words.count(view.n - left, view.n);
  at("bar").max = view.n;
  at("bar").value = view.n - left;
  at("left").textContent =
    words.left(by) + view.left.map(([group, n]) => `${group}: ${n}`).join("  ·  ");

  at("text").hidden = at("ask").hidden = !view.text;
  at("done").hidden = Boolean(view.text);
  at("done").textContent = words.done;
  if (view.text) {
    at("words").textContent = view.text.text.trim() ? view.text.text : words.empty;
    at("beside").replaceChildren(...Object.entries(view.sheet.show).map(beside));
    at("question").textContent = inLanguage(view.sheet.question);
    at("hint").textContent = (view.order ? `${placed}${tied ? "=" : ""}  ` : "") + inLanguage(view.sheet.hint);
    renderChoices();
  }

  at("undo").disabled = Boolean(pending) || !view.last;
  at("undo-words").textContent = words.undo;
  at("last").textContent = view.last ? words.last(wordsOf(view.last.answer)) : "";
}

function beside([column, caption]) {
  const value = view.text.beside[column];
  const made = document.createElement("div");
  made.append(element("dt", inLanguage(caption)));
  if (caption.of) {
    const shown = element("dd", "");
    const full = Math.min(Math.max(0, value), caption.of); // whatever the table says, as 7 of 5
    const stars = element("span", "★".repeat(full) + "☆".repeat(caption.of - full), "stars");
    stars.ariaHidden = "true";
    shown.append(stars, ` ${value} / ${caption.of}`);
    made.append(shown);
  } else {
    made.append(element("dd", Array.isArray(value) ? value.join(", ") : String(value ?? "")));
  }
  return made;
}

// The buttons stay the same elements, so that one can have its focus back with the next text.
function renderChoices() {
  const list = at("choices");
  if (list.children.length !== view.choices.length) {
    list.replaceChildren(
      ...view.choices.map((_, i) => {
        const button = element("button", "");
        button.type = "button";
        button.append(element("kbd", String(i + 1)), element("span", ""));
        button.addEventListener("click", () => choose(i));
        const item = document.createElement("li");
        item.append(button);
        return item;
      }),
    );
  }
  view.choices.forEach(([name, wording], i) => {
    const button = list.children[i].firstChild;
    button.lastChild.textContent = inLanguage(wording);
    button.disabled = Boolean(pending);
    const isPlaced = view.order && placed.split(/[>=]/).includes(name);
    const chosen = isPlaced || (pending?.path === "/answer" && pending.body.answer === name);
    button.setAttribute("aria-pressed", String(chosen));
  });
}

// ---- what the rater does

function choose(i) {
  const shownFor = performance.now() - shownAt;
  if (pending || !view?.text || i >= view.choices.length || shownFor < UNSEEN) return;
  const answer = view.order ? place(view.choices[i][0]) : view.choices[i][0];
  if (!answer) return;
  problem = null;
  send("/answer", {
    id: view.text.id,
    answer,
    seconds: Math.round(shownFor / 100) / 10,
  });
}

// Place an answer behind those placed before it; return the order when all are placed, else null.
function place(name) {
  const done = placed ? placed.split(/[>=]/) : [];
  if (done.includes(name)) return null;
  placed += (placed && (tied ? "=" : ">")) + name;
  tied = false;
  render();
  return done.length + 1 === view.choices.length ? placed : null;
}

function takeBack() {
  if (view?.order && placed && !pending) {
    placed = placed.replace(/[>=]?\d+$/, "");
    tied = false;
    render();
    return;
  }
  if (pending || !view?.last) return;
  problem = null;
  send("/undo", { id: view.last.id });
}

function switchLanguage() {
  language = language === "ru" ? "en" : "ru";
  store("language", language);
  render();
}

addEventListener("keydown", (event) => {
  // A key held down, or one meant for the browser (Ctrl+1: another tab), is no answer.
  if (event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
  if (/^[1-9]$/.test(event.key)) choose(Number(event.key) - 1);
  else if (event.key === "=" && view?.order && placed && !pending) {
    tied = !tied;
    render();
  } else if (event.key === "Backspace") {
    event.preventDefault();
    takeBack();
  }
});
at("undo").addEventListener("click", takeBack);
at("language").addEventListener("click", switchLanguage);
addEventListener("beforeunload", (event) => {
  if (pending && pending.path !== "/view") event.preventDefault();
});
// Another window may have gone on meanwhile.
addEventListener("focus", () => {
  if (view && !pending) refresh();
});

// The address of a desk that was started anew differs in what follows the #, which loads nothing.
addEventListener("hashchange", () => {
  if (pending?.path === "/answer" && stored(pendingKey())) pending = null; // it is kept
  location.reload();
});

// An answer that a closed window could not hand in goes before a new one.
async function start() {
  await send("/view", { id: null });
  const left = stored(pendingKey());
  if (!left) return;
  const { path, body } = JSON.parse(left);
  await send(path, body);
}

render();
start();
