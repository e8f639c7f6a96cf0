// The page of a simulator. What comes from it is only ever put in as text, never as markup.
"use strict";

const at = (id) => document.getElementById(id);
let forms = [];
let timer = 0;

function make(tag, options = {}, ...inner) {
  const { class: name, ...rest } = options;
  const made = Object.assign(document.createElement(tag), rest);
  if (name) made.className = name;
  made.append(...inner.filter((each) => each !== null && each !== undefined));
  return made;
}

function say(text, bad = false) {
  const box = at("said");
  box.textContent = text;
  box.className = bad ? "bad" : "";
  box.hidden = false;
  clearTimeout(timer);
  timer = setTimeout(() => { box.hidden = true; }, bad ? 8000 : 3000);
}

async function ask(path, method = "GET", body = undefined) {
  const answer = await fetch("/_sim" + path, {
    method,
    body: body === undefined ? undefined : JSON.stringify(body),
    headers: body === undefined ? {} : { "content-type": "application/json" },
  });
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error || `${answer.status}`);
  return found;
}

const act = (work, done) => async (event) => {
  if (event) event.preventDefault();
  try {
    await work(event);
    if (done) say(done);
    await refresh();
  } catch (error) {
    say(String(error.message || error), true);
  }
};

function table(heads, rows, empty) {
  if (!rows.length) return make("p", { class: "quiet", textContent: empty });
  const cell = (each) => each instanceof Node ? each : make("td", { textContent: each ?? "" });
  return make("table", {},
    make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { textContent: head })))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map(cell)))));
}

const mono = (text) => make("td", { class: "mono", textContent: text ?? "" });
const COLOURS = { failed: "bad", delivered: "good" };
const mark = (text, colour) => make("td", { class: colour ?? "", textContent: text ?? "" });

// What can be made to happen

function input(field) {
  const { name, value, choices } = field;
  if (choices) {
    return make("select", { name }, ...choices.map((each) =>
      make("option", { value: each, textContent: each, selected: each === value })));
  }
  if (typeof value === "boolean") return make("input", { name, type: "checkbox", checked: value });
  if (typeof value === "number") return make("input", { name, type: "number", step: "any", value });
  if (value !== null && typeof value === "object") {
    return make("textarea", { name, value: JSON.stringify(value, null, 1) });
  }
  return make("input", { name, value: value ?? "", placeholder: field.hint || "left out" });
}

function showForm() {
  const form = forms[at("form").value];
  if (!form) return;
  const rows = form.fields.map((field) => {
    const made = input(field);
    if (made.type === "checkbox") return make("label", { class: "check" }, made, field.name);
    const full = made.tagName === "TEXTAREA" || field.wide;
    return make("label", { class: full ? "full" : "" }, field.name, made);
  });
  at("fields").replaceChildren(...rows,
    make("div", { class: "row" }, make("button", { class: "primary", textContent: form.verb })));
}

function filled(form) {
  const body = {};
  for (const field of form.fields) {
    const made = at("fields").elements[field.name];
    if (typeof field.value === "boolean") body[field.name] = made.checked;
    else if (made.value.trim() === "") continue;
    else if (typeof field.value === "number") body[field.name] = Number(made.value);
    else if (field.value !== null && typeof field.value === "object") {
      try {
        body[field.name] = JSON.parse(made.value);
      } catch (error) {
        throw new Error(`${field.name}: ${error.message}`);
      }
    } else body[field.name] = made.value;
  }
  return body;
}

// What is there

function showState(state) {
  const open = new Set([...at("state").querySelectorAll("details[open]")].map((d) => d.dataset.name));
  at("state").replaceChildren(...Object.entries(state).map(([name, value]) => {
    const many = Array.isArray(value) ? value.length
      : value !== null && typeof value === "object" ? Object.keys(value).length : null;
    const made = make("details", { open: open.has(name) },
      make("summary", { textContent: many === null ? `${name}: ${JSON.stringify(value)}` : `${name} (${many})` }));
    made.dataset.name = name;
    const fill = () => {
      if (made.open && made.children.length === 1) {
        made.append(make("pre", { textContent: JSON.stringify(value, null, 2) }));
      }
    };
    made.addEventListener("toggle", fill);
    fill();
    return made;
  }));
}

async function refresh() {
  const [overview, seen, faults, clock, sent, state] = await Promise.all([
    ask(""), ask("/requests?limit=60"), ask("/faults"), ask("/clock"), ask("/deliveries?limit=40"),
    ask("/state"),
  ]);
  document.title = `${overview.title} simulator`;
  at("title").textContent = `${overview.title} simulator`;
  at("address").textContent = `Base URL for a connection: ${overview.base_url}`;
  at("credentials").replaceChildren(...Object.entries(overview.credentials).flatMap(([name, value]) =>
    [make("dt", { textContent: name }), make("dd", { textContent: value })]));
  const refused = Object.values(seen.counts).reduce((sum, each) => sum + each.refused, 0);
  const tiles = [["requests", seen.total], ["in flight", seen.in_flight], ["refused", refused],
    ["faults on", faults.faults.length], ["webhooks", sent.total ?? sent.deliveries.length],
    ["clock", `× ${clock.factor}`]];
  at("tiles").replaceChildren(...tiles.map(([name, value]) =>
    make("div", { class: "tile" }, make("b", { textContent: value }), name)));
  at("operations").replaceChildren(...Object.keys(seen.counts).map((value) => make("option", { value })));
  at("faults").replaceChildren(table(["", "fault", "where", "left", ""], faults.faults.map((each) => [
    `${each.id}`, each.kind, each.match.operation || each.match.path || "any",
    each.times === null ? "always" : `${each.times - each.struck}`,
    make("td", {}, make("button", { class: "small", textContent: "Lift",
      onclick: act(() => ask(`/faults/${each.id}`, "DELETE"), "Lifted.") })),
  ]), "None is on."));
  if (document.activeElement !== at("clock").elements.factor) {
    at("clock").elements.factor.value = clock.factor;
  }
  at("requests").replaceChildren(table(["at", "request", "operation", "status", "fault", "body"],
    seen.requests.reverse().map((each) => [
      `${each.at.toFixed(1)} s`, mono(`${each.method} ${each.target}`), each.operation,
      mark(each.status ?? "none", (each.status ?? 599) >= 400 ? "bad" : "good"), each.fault, mono(each.body.slice(0, 160)),
    ]), "None yet."));
  at("deliveries").replaceChildren(table(["webhook", "to", "status", "attempts"],
    sent.deliveries.reverse().map((each) => [
      each.event ?? each.id, mono(each.url), mark(each.status, COLOURS[each.status]),
      each.attempts.length,
    ]), "None yet."));
  showState(state);
  at("live").textContent = `as of ${new Date().toLocaleTimeString()}`;
}

async function begin() {
  const known = await ask("/forms");
  forms = known.forms;
  at("form").replaceChildren(...forms.map((form, value) => make("option", { value, textContent: form.label })));
  at("form").addEventListener("change", showForm);
  showForm();
  at("fault").elements.kind.replaceChildren(...known.faults.map((value) =>
    make("option", { value, textContent: value })));
  at("fields").addEventListener("submit", act(async () => {
    const form = forms[at("form").value];
    await ask(form.path, "POST", filled(form));
  }, "Done."));
  at("fault").addEventListener("submit", act(async () => {
    const given = Object.fromEntries(new FormData(at("fault")));
    const body = { kind: given.kind, probability: Number(given.probability), status: Number(given.status),
      times: given.times ? Number(given.times) : null };
    if (given.seconds) body.seconds = Number(given.seconds);
    if (given.operation) body.match = { operation: given.operation };
    await ask("/faults", "POST", body);
  }, "It is on."));
  at("clock").addEventListener("submit", act(() =>
    ask("/clock", "POST", { factor: Number(at("clock").elements.factor.value) }), "Set."));
  at("reset").addEventListener("click", act(() => ask("/reset", "POST"), "As freshly started."));
  at("refresh").addEventListener("click", act(async () => {}));
  await refresh();
  setInterval(() => { if (!document.hidden) refresh().catch(() => { at("live").textContent = "no answer"; }); }, 3000);
}

begin().catch((error) => say(String(error.message || error), true));
