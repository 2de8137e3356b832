// The chat page: sends a turn, and shows the reply while its lines of JSON come in.
"use strict";

const chat = crypto.randomUUID();
const [about, turns, form, said, send, reset] = ["about", "turns", "form", "said", "send", "reset"].map(at);
let historyTurns = 0;

function addTurn(who, text) {
  const turn = made("p", `turn ${who}`, text);
  turns.append(turn);
  turn.scrollIntoView({ block: "end" });
  return turn;
}

// What the model no longer sees is pale.
function showForgotten() {
  const all = [...turns.children];
  all.forEach((turn, i) => turn.classList.toggle("forgotten", i < all.length - historyTurns));
}

async function reply(text) {
  tell("");
  const mine = addTurn("mine", text);
  const turn = addTurn("theirs growing", "");
  send.disabled = reset.disabled = true;
  let done = false;
  try {
    const response = await post("/reply", { chat, said: text });
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
    tell(`Не получилось: ${error.message}. Попробуйте ещё раз.`);
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
  try {
    await post("/reset", { chat });
    turns.replaceChildren();
  } catch (error) {
    tell(error.message);
  }
  said.focus();
});

async function begin() {
  let known;
  try {
    known = await (await post("/about", {})).json();
  } catch (error) {
    const isOld = /token/.test(error.message);
    tell(isOld ? "Эта страница не знает пароля: откройте адрес, который напечатан в терминале." : `Не получилось: ${error.message}.`);
    send.disabled = reset.disabled = true;
    return;
  }
  historyTurns = known.history_turns;
  about.textContent = `${known.model}, помнит реплик: ${historyTurns}`;
}

begin();
