// What pages share: asking the program, telling of trouble, and showing text as text.
"use strict";

const token = location.hash.slice(1);
const at = (id) => document.getElementById(id);

// The address of a program that was started anew differs in what follows the #, which loads nothing.
addEventListener("hashchange", () => location.reload());

// Ask the program; an answer that is none becomes an error with its words.
async function post(path, body) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Token": token },
    body: JSON.stringify(body),
  }).catch(() => {
    throw new Error("the program does not answer; start it again");
  });
  if (response.ok) return response;
  throw new Error((await response.json().catch(() => ({}))).error ?? `error ${response.status}`);
}

// Call onLine with every line of JSON of an answer, as they come in.
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

// Focus again what had the focus until it was disabled, unless a person went elsewhere meanwhile.
function giveBack(from) {
  if (document.activeElement === document.body) from?.focus({ preventScroll: true });
}

function tell(problem) {
  at("trouble").textContent = problem;
  at("trouble").hidden = !problem;
}

// Text only, never HTML: what people and models write is shown as it is.
function made(tag, name, text = "") {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.textContent = text;
  return element;
}
