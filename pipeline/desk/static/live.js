// Puts fresh parts in place while the page is looked at, seconds after they change; stops while it is hidden, waits longer
// while the desk is away. An unchanged line costs one small answer (304).
"use strict";
(() => {
  const EVERY_MS = 5000, AWAY_MS = 120000;
  const part = document.querySelector("[data-live]");
  if (!part) return;
  let timer = 0, seen = "";
  async function refresh() {
    let wait = EVERY_MS;
    try {
      const answer = await fetch(part.dataset.live, { cache: "no-store", headers: seen ? { "If-None-Match": seen } : {} });
      if (answer.status === 304) { schedule(wait); return; }
      if (!answer.ok) throw new Error(String(answer.status));
      seen = answer.headers.get("ETag") || "";
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      const focused = document.activeElement && part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
      for (const old of part.querySelectorAll("[data-part]")) replace(old, fresh.querySelector(`[data-part=${old.dataset.part}]`));
      if (focused) part.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
      document.dispatchEvent(new Event("fresh"));
    } catch (error) {
      wait = AWAY_MS;
    }
    schedule(wait);
  }
  // What did not change stays, so that a screen reader is told of an alert and of nothing else.
  function replace(old, fresh) {
    if (fresh && fresh.innerHTML !== old.innerHTML) old.replaceChildren(...fresh.childNodes);
  }
  function schedule(wait) {
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(refresh, wait);
  }
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : refresh()));
  schedule(EVERY_MS);
})();
