// The chat page: sends a turn, and shows the reply while its lines of JSON come in.
"use strict";

const token = location.hash.slice(1);
const chat = crypto.randomUUID();
const [about, turns, trouble, form, said, send, reset] = [
  "about", "turns", "trouble", "form", "said", "send", "reset",
].map((id) => document.getElementById(id));
let historyTurns = 0;

function ask(path, body) {
  return fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Token": token },
    body: JSON.stringify(body),
  });
}

function say(problem) {
  trouble.textContent = problem;
  trouble.hidden = !problem;
}

// Text only, never HTML: what people and models write is shown as it is.
function addTurn(who, text) {
  const turn = document.createElement("p");
  turn.className = `turn ${who}`;
  turn.textContent = text;
  turns.append(turn);
  turn.scrollIntoView({ block: "end" });
  return turn;
}

// What the model no longer sees is pale.
function showForgotten() {
  const all = [...turns.children];
  all.forEach((turn, i) => turn.classList.toggle("forgotten", i < all.length - historyTurns));
}

async function readLines(response, onLine) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    lines.forEach((line) => onLine(JSON.parse(line)));
  }
}

async function reply(text) {
  say("");
  const mine = addTurn("mine", text);
  const turn = addTurn("theirs growing", "");
  send.disabled = reset.disabled = true;
  let done = false;
  try {
    const response = await ask("/reply", { chat, said: text });
    if (!response.ok) throw new Error((await response.json()).error);
    await readLines(response, (line) => {
      if (line.error) throw new Error(line.error);
      turn.textContent = line.text;
      done = done || line.done === true;
      turn.scrollIntoView({ block: "end" });
    });
    if (!done) throw new Error("the reply broke off");
  } catch (error) {
    mine.remove();
    turn.remove();
    if (!said.value) said.value = text;
    say(`Не получилось: ${error.message}. Попробуйте ещё раз.`);
  } finally {
    turn.classList.remove("growing");
    send.disabled = reset.disabled = false;
    showForgotten();
    said.focus();
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = said.value.trim();
  if (!text || send.disabled) return;
  said.value = "";
  reply(text);
});

reset.addEventListener("click", async () => {
  const response = await ask("/reset", { chat });
  if (response.ok) turns.replaceChildren();
  else say((await response.json()).error);
  said.focus();
});

async function begin() {
  const response = await ask("/about", {});
  if (!response.ok) {
    say("Эта страница не знает пароля: откройте адрес, который напечатан в терминале.");
    send.disabled = reset.disabled = true;
    return;
  }
  const known = await response.json();
  historyTurns = known.history_turns;
  about.textContent = `${known.model}, помнит реплик: ${historyTurns}`;
}

begin();
