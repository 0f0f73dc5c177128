// What every page shares: addresses, times, parts that load later, rows that are filtered.
"use strict";
const Desk = {
  base: document.body.dataset.base,
  formToken: document.body.dataset.formToken,

  // A change, as the forms make it; answers JSON or throws with what the server says.
  async post(path, fields = {}) {
    const body = new URLSearchParams({ ...fields, form_token: Desk.formToken });
    const answer = await fetch(Desk.base + path, { method: "POST", body, headers: { Accept: "application/json" } });
    const data = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(data.error || `the desk answers ${answer.status}`);
    return data;
  },

  color(name) {
    return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  },

  // 23 Nov 14:05, or 23 Nov where a point is a day.
  time(unix, day = false) {
    const at = new Date(unix * 1000);
    const date = `${at.getUTCDate()} ${"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ")[at.getUTCMonth()]}`;
    return day ? `${date} ${at.getUTCFullYear()}` : `${date} ${at.toISOString().slice(11, 16)}`;
  },

  signed(value) {
    if (value === null || value === undefined) return "–";
    const digits = Math.abs(value).toFixed(2);
    return (value < 0 && digits !== "0.00" ? "−" : "+") + digits;
  },

  async load(element) {
    try {
      const answer = await fetch(element.dataset.load);
      if (answer.ok) element.replaceChildren(...Desk.fragment(await answer.text()));
    } catch (error) { /* the link inside stays */ }
  },

  // HTML of our own server, which escapes what feeds wrote; parsed apart, so that no script in it would run.
  fragment(html) {
    const parsed = new DOMParser().parseFromString(html, "text/html");
    return [...parsed.body.childNodes];
  },
};

// A part that is costly to make: it comes when it is asked for, into the place after its links.
for (const link of document.querySelectorAll("a[data-ask]")) {
  link.addEventListener("click", async (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const place = link.closest("p").nextElementSibling;
    place.textContent = "The model reads it again …";
    try {
      const answer = await fetch(link.href);
      if (!answer.ok) throw new Error(`the desk answers ${answer.status}`);
      place.replaceChildren(...Desk.fragment(await answer.text()));
    } catch (error) { place.textContent = `It cannot be had now: ${error.message}.`; }
  });
}
for (const element of document.querySelectorAll("[data-load]")) Desk.load(element);
for (const element of document.querySelectorAll("time[data-unix]")) element.textContent = Desk.time(+element.dataset.unix);
for (const select of document.querySelectorAll("select[data-submit]")) select.addEventListener("change", () => select.form.submit());
for (const input of document.querySelectorAll("[data-filter-rows]")) {
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase();
    for (const row of document.querySelector(input.dataset.filterRows).querySelectorAll("tbody tr")) {
      row.hidden = !row.textContent.toLowerCase().includes(words);
    }
  });
}
// A panel that scrolls sideways on a phone can be scrolled by keyboard, too.
function letScroll() {
  for (const panel of document.querySelectorAll(".panel")) {
    const scrolls = panel.scrollWidth > panel.clientWidth + 1 && !panel.querySelector("a, button, input");
    if (scrolls) panel.tabIndex = 0;
    else panel.removeAttribute("tabindex");
  }
}
addEventListener("resize", letScroll);
letScroll();
document.addEventListener("keydown", (event) => {
  const field = document.querySelector(".seek input");
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
  if (event.key === "/" && !typing && field) { event.preventDefault(); field.focus(); }
});
