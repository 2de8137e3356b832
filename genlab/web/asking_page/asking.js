// One prompt, several models: a table for each prompt, filled as the answers come in.
"use strict";

let known = null; // what the program says of itself
let last = null; // {prompt, draw} that was asked last

function tableFor(prompt, draw) {
  const table = made("table", "growing");
  const head = made("tr");
  const columns = known.columns.map((name) => made("th", "cell", name));
  head.append(made("th", "", "model"), ...columns, made("th", "text", "answer"));
  const top = made("thead");
  top.append(head);
  table.append(made("caption", "", draw ? `${prompt}  (${draw + 1})` : prompt), top, made("tbody"));
  return table;
}

function addRow(table, { model, text, cells }) {
  const row = made("tr");
  const name = made("th", "", model);
  name.scope = "row";
  row.append(name);
  cells.forEach((cell, i) => {
    const box = made("td", "cell", cell);
    if (cell) box.dataset.name = known.columns[i];
    row.append(box);
  });
  row.append(text.trim() ? made("td", "text", text) : made("td", "text empty", "(empty)"));
  table.tBodies[0].append(row);
}

function hold(is) {
  document.querySelectorAll("button").forEach((each) => (each.disabled = is));
  at("again").disabled = is || !last;
}

async function ask(prompt, draw) {
  const from = document.activeElement;
  tell("");
  hold(true);
  const table = tableFor(prompt, draw);
  let done = false;
  try {
    const response = await post("answers", { prompt, draw });
    at("asked").prepend(table);
    await readLines(response, (line) => {
      if (line.error) throw new Error(line.error);
      if (line.done) done = true;
      else addRow(table, line);
    });
    if (!done) throw new Error("The answers broke off.");
    last = { prompt, draw };
  } catch (error) {
    if (!table.tBodies[0].rows.length) table.remove();
    tell(error.message);
  } finally {
    table.classList.remove("growing");
    hold(false);
    giveBack(from);
  }
}

async function begin() {
  try {
    known = await (await post("about", {})).json();
  } catch (error) {
    hold(true);
    tell(/token/.test(error.message) ? "This address is old: open the one that the program prints." : error.message);
    return;
  }
  document.title = at("title").textContent = known.title;
  at("note").textContent = known.note;
  at("label").textContent = known.prompt;
  at("again").hidden = !known.is_drawn;
  for (const example of known.examples) {
    const button = made("button", "", example);
    button.type = "button";
    button.addEventListener("click", () => {
      at("prompt").value = example;
      ask(example, 0);
    });
    at("examples").append(button);
  }
}

at("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const prompt = at("prompt").value.trim();
  if (prompt && !at("ask").disabled) ask(prompt, 0);
});
at("again").addEventListener("click", () => ask(last.prompt, last.draw + 1));
begin();
