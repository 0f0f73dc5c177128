// Labelling by keyboard. Answers are sent while the next article is already shown; one that fails comes back and says so.
"use strict";
(() => {
  const root = document.getElementById("labeller");
  const source = document.getElementById("items");
  if (!root || !source || !root.dataset.may) return;
  const KEYS = { 1: "negative", n: "negative", 2: "neutral", 0: "neutral", 3: "positive", p: "positive" };
  const AHEAD = 15; // fetch more when fewer wait: a fetch takes less time than so many keys
  const card = root.querySelector(".card");
  if (!card) return;
  const form = card.querySelector("form"), status = root.querySelector(".session");
  const eachCompany = card.querySelector("[data-act=companies]"), undo = card.querySelector("[data-act=undo]");
  let items = JSON.parse(source.textContent), done = [], place = 0, labelled = 0, fetching = false, dry = false;
  let sending = Promise.resolve(), unsent = 0;
  const started = performance.now();
  const field = (name) => card.querySelector(`[data-field=${name}]`);
  const targets = (item) => [null, ...(eachCompany.checked ? item.companies : [])];

  function show() {
    const item = items[0];
    if (!item) {
      card.hidden = true;
      status.textContent = fetching ? "Fetching more…" : `Nothing waits any more. ${labelled} labelled.`;
      return;
    }
    card.hidden = false;
    const target = targets(item)[place];
    field("source").textContent = item.source;
    field("reason").textContent = item.reason;
    field("title").textContent = item.title;
    field("target").textContent = target ? target.name : "those concerned";
    // the title stands above already
    mark(field("text"), item.text, target, item.text.startsWith(item.title + "\n") ? [...item.title].length + 1 : 0);
    form.action = `${Desk.base}/label/${item.article_id}`;
    root.dataset.article = item.article_id;
    card.focus({ preventScroll: true });
  }

  function mark(element, text, company, from) {
    const characters = [...text]; // as spans count them: an emoji is one, and two of a string's places
    const cut = (start, end) => characters.slice(start, end).join("");
    element.replaceChildren();
    let at = from;
    for (const [start, end] of (company ? company.spans : []) || []) {
      if (start < at || end > characters.length) continue;
      const marked = document.createElement("mark");
      marked.textContent = cut(start, end);
      element.append(cut(at, start), marked);
      at = end;
    }
    element.append(cut(at));
  }

  function say(words = "") {
    const minutes = (performance.now() - started) / 60000;
    const pace = labelled > 4 ? `, ${Math.round(labelled / minutes)} a minute` : "";
    status.textContent = `${labelled} labelled${pace}. ${words}`;
    undo.disabled = !done.length;
  }

  // one after the other: an undo never overtakes the label it takes back
  function inTurn(job) {
    unsent += 1;
    sending = sending.then(job).finally(() => { unsent -= 1; });
  }

  function send(path, fields, entry) {
    inTurn(() => Desk.post(path, fields).then((answer) => { entry.answer = answer; })
      .catch((error) => { say(`Not stored: ${error.message}`); back(entry); }));
  }

  function back(entry) {
    done = done.filter((other) => other !== entry);
    if (entry.sentiment) labelled -= 1;
    if (items[0] !== entry.item) items.unshift(entry.item);
    place = entry.place;
    show();
  }

  function next() {
    items.shift();
    place = 0;
    if (items.length < AHEAD) fetchMore();
    show();
  }

  function label(sentiment) {
    const item = items[0];
    if (!item) return;
    const target = targets(item)[place];
    const entry = { item, place, sentiment };
    done.push(entry);
    labelled += 1;
    send(`/label/${item.article_id}`, target ? { sentiment, company_id: target.id } : { sentiment }, entry);
    if (place + 1 < targets(item).length) { place += 1; show(); } else next();
    say(`Last: ${sentiment}.`);
  }

  function pass(act) {
    const item = items[0];
    if (!item) return;
    const entry = { item, place, act };
    done.push(entry);
    send(`/label/${item.article_id}/${act}`, {}, entry);
    next();
    say(act === "skip" ? "Skipped." : "Others will be asked.");
  }

  function takeBack() {
    const entry = done.pop();
    if (!entry) return;
    // what was never stored has no answer, and nothing to take back
    inTurn(async () => entry.answer && Desk.post(
      entry.act ? `/label/${entry.item.article_id}/un${entry.act}` : `/labels/${entry.answer.label_id}/retract`)
      .catch((error) => say(`Not taken back: ${error.message}`)));
    done.push(entry);
    back(entry);
    say("Taken back.");
  }

  async function fetchMore() {
    if (fetching || dry) return;
    fetching = true;
    const query = new URLSearchParams(root.dataset.company ? { company: root.dataset.company } : {});
    for (const item of [...items, ...done.slice(-40).map((entry) => entry.item)]) query.append("shown", item.article_id);
    try {
      const more = await (await fetch(`${Desk.base}/label/next?${query}`)).json();
      const known = new Set(items.map((item) => item.article_id));
      const fresh = more.filter((item) => !known.has(item.article_id));
      dry = !fresh.length;
      const wasEmpty = !items.length;
      items.push(...fresh);
      if (wasEmpty) show();
    } catch (error) {
      say("The queue does not answer; what you labelled is stored.");
    } finally {
      fetching = false;
      if (!items.length) show();
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const act = event.submitter && event.submitter.dataset.act;
    if (act) pass(act); else if (event.submitter) label(event.submitter.value);
  });
  undo.addEventListener("click", takeBack);
  addEventListener("beforeunload", (event) => { if (unsent) event.preventDefault(); }); // what waits in turn would be lost
  eachCompany.addEventListener("change", () => { place = 0; show(); });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) && event.target.type !== "checkbox") return;
    const key = event.key.toLowerCase();
    if (KEYS[key]) label(KEYS[key]);
    else if (key === "s") pass("skip");
    else if (key === "d") pass("dispute");
    else if (key === "u") takeBack();
    else if (key === "c") { eachCompany.checked = !eachCompany.checked; place = 0; show(); }
    else if (key === "o" && items[0]) window.open(`${Desk.base}/stories/${items[0].story_id}`, "_blank", "noopener");
    else return;
    event.preventDefault();
  });
  show();
})();
