// Puts fresh parts in place while the page is looked at; stops while it is hidden, waits longer while the desk is away.
"use strict";
(() => {
  const EVERY_MS = 20000, AWAY_MS = 120000;
  const part = document.querySelector("[data-live]");
  if (!part) return;
  let timer = 0;
  async function refresh() {
    let wait = EVERY_MS;
    try {
      const answer = await fetch(part.dataset.live);
      if (!answer.ok) throw new Error(String(answer.status));
      const focused = document.activeElement && part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
      part.replaceChildren(...Desk.fragment(await answer.text()));
      if (focused) part.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
      document.dispatchEvent(new CustomEvent("desk:refreshed"));
    } catch (error) {
      wait = AWAY_MS;
    }
    schedule(wait);
  }
  function schedule(wait) {
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(refresh, wait);
  }
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : refresh()));
  schedule(EVERY_MS);
})();
