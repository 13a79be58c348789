// Keeps the overview live: loads the part that changes every few seconds, without a reload. What is open stays
// open, what is chosen stays chosen, the focus stays where it is, and what was known stays when the service does
// not answer.
(() => {
  "use strict";

  const INTERVAL_MS = 4000; // a change is shown within five seconds
  const TIMEOUT_MS = 8000;

  const region = document.getElementById("live");
  const note = document.getElementById("unreachable");
  const announcer = document.getElementById("announcer");
  let lastHtml = "";
  let lastAnswer = new Date();
  let isLoading = false;

  function isBusy() {
    const focused = document.activeElement;
    return region.contains(focused) && ["SELECT", "INPUT", "TEXTAREA"].includes(focused.tagName);
  }

  function render(html) {
    const open = [...region.querySelectorAll("details[open][id]")].map((element) => element.id);
    const scrolled = [...region.querySelectorAll(".wide")].map((element) => element.scrollLeft);
    const focused = region.contains(document.activeElement) ? document.activeElement.id : "";
    const before = region.querySelector("h1").textContent;
    const chosen = [...region.querySelectorAll("select[id]")].map((element) => [element.id, element.value]);
    region.innerHTML = html;
    for (const id of open) {
      const element = document.getElementById(id);
      if (element) element.open = true;
    }
    for (const [id, value] of chosen) {
      const options = document.getElementById(id)?.options || [];
      const option = [...options].find((other) => other.value === value);
      if (option) option.selected = true;
    }
    region.querySelectorAll(".wide").forEach((element, number) => { element.scrollLeft = scrolled[number] || 0; });
    if (focused) (document.getElementById(focused) || document.getElementById("main")).focus({ preventScroll: true });
    const headline = region.querySelector("h1").textContent;
    if (headline !== before) {
      announcer.textContent = headline;
      document.title = `${headline} · Operators`;
    }
  }

  function noteAnswer(isThere) {
    if (isThere) lastAnswer = new Date();
    if (!isThere && note.hidden) {
      const time = note.querySelector("time");
      time.dateTime = lastAnswer.toISOString();
      time.textContent = lastAnswer.toLocaleTimeString("en-GB", { timeStyle: "short" });
      announcer.textContent = note.textContent;
    }
    note.hidden = isThere;
  }

  async function load() {
    if (document.hidden || isLoading) return;
    isLoading = true;
    try {
      const controller = new AbortController();
      setTimeout(() => controller.abort(), TIMEOUT_MS);
      const response = await fetch(region.dataset.live, {
        cache: "no-store", credentials: "same-origin", redirect: "error", signal: controller.signal,
      });
      if (response.status === 401 || response.status === 404) {
        location.reload();
        return;
      }
      if (response.ok) {
        const html = await response.text();
        if (html !== lastHtml && !isBusy()) {
          render(html);
          lastHtml = html;
        }
      }
      noteAnswer(response.ok);
    } catch {
      noteAnswer(false);
    }
    isLoading = false;
  }

  setInterval(load, INTERVAL_MS);
  document.addEventListener("visibilitychange", load);
})();
