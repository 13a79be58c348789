// Enhancements of the merchants' pages: live updates, search while typing, a copy button, local times, and
// texts for missing images. The pages work without this script too.
(() => {
  "use strict";

  const MOVING_INTERVAL_MS = 1000;
  const MAX_INTERVAL_MS = 10000;
  const IDLE_INTERVAL_MS = 1700; // an unexpected change is shown within two seconds
  const TYPING_PAUSE_MS = 150; // pause after the last key before the server searches
  const REQUEST_TIMEOUT_MS = 10000;
  const STALE_AFTER_FAILURES = 3;

  const announcer = document.getElementById("announcer");
  // The digits and the order of the server's dates.
  const locale = { en: "en-GB", ar: "ar-u-nu-latn" }[document.documentElement.lang] || document.documentElement.lang;

  function enhance(root) {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const date = new Date(time.dateTime);
      if (!Number.isNaN(date.getTime())) {
        time.textContent = date.toLocaleString(locale, { dateStyle: "long", timeStyle: "short" });
      }
    }
    for (const image of root.querySelectorAll("img[data-fallback]")) {
      image.addEventListener("error", () => replaceImage(image), { once: true });
      if (image.complete && image.naturalWidth === 0) replaceImage(image);
    }
    root.querySelectorAll("[data-copy]").forEach(copy);
  }

  function replaceImage(image) {
    if (!image.isConnected) return;
    const span = document.createElement("span");
    if (image.classList.contains("logo")) {
      span.className = image.className + " drawn";
      span.setAttribute("aria-hidden", "true");
      span.textContent = image.dataset.fallback;
    } else {
      span.className = image.className;
      span.textContent = image.alt || image.dataset.fallback;
    }
    image.replaceWith(span);
  }

  function announcements(region) {
    return new Map([...region.querySelectorAll("[data-say]")].map((element) => [element.id, element.dataset.say]));
  }

  function render(region, html) {
    const previous = announcements(region);
    const focused = region.contains(document.activeElement) ? document.activeElement.id : "";
    region.innerHTML = html;
    enhance(region);
    if (focused) {
      const element = document.getElementById(focused);
      (element || document.getElementById("main")).focus({ preventScroll: true });
    }
    const titled = region.querySelector("[data-title]");
    if (titled) document.title = titled.dataset.title;
    const changed = [...announcements(region)].filter(([id, text]) => previous.get(id) !== text);
    if (changed.length) announcer.textContent = changed.map(([, text]) => text).join(" ");
  }

  // Shows a note with the time of the last answer while the server does not answer.
  function staleNote() {
    const note = document.getElementById("stale");
    const time = note.querySelector("time");
    let lastAnswer = new Date();
    return (failures) => {
      if (failures === 0) lastAnswer = new Date();
      const isStale = failures >= STALE_AFTER_FAILURES;
      if (isStale && note.hidden) {
        time.dateTime = lastAnswer.toISOString();
        time.textContent = lastAnswer.toLocaleTimeString(locale, { timeStyle: "short" });
        announcer.textContent = note.textContent;
      } else if (!isStale && !note.hidden) {
        announcer.textContent = note.dataset.again;
      }
      note.hidden = !isStale;
    };
  }

  function abortAfter(milliseconds) {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), milliseconds);
    return controller.signal;
  }

  function follow(region) {
    let etag = region.dataset.etag;
    let failures = 0;
    let timer = 0;
    let isLoading = false;
    const updateNote = staleNote();

    async function load() {
      timer = 0;
      isLoading = true;
      try {
        const response = await fetch(region.dataset.live, {
          headers: { "If-None-Match": etag }, cache: "no-store", credentials: "same-origin", redirect: "error",
          signal: abortAfter(REQUEST_TIMEOUT_MS),
        });
        if (response.status === 200) {
          etag = response.headers.get("ETag") || "";
          render(region, await response.text());
        } else if (response.status === 404 || response.status === 410) {
          location.reload();
          return;
        }
        failures = response.ok || response.status === 304 ? 0 : failures + 1;
      } catch {
        failures += 1;
      }
      isLoading = false;
      updateNote(failures);
      schedule();
    }

    function interval() {
      if (failures) return MOVING_INTERVAL_MS * 2 ** Math.min(failures, 4);
      return region.querySelector("[data-moving]") ? MOVING_INTERVAL_MS : IDLE_INTERVAL_MS;
    }

    function schedule() {
      if (document.hidden || timer) return;
      timer = setTimeout(load, Math.min(MAX_INTERVAL_MS, interval()));
    }

    document.addEventListener("visibilitychange", () => {
      if (document.hidden) {
        clearTimeout(timer);
        timer = 0;
      } else if (!timer && !isLoading) {
        load();
      }
    });
    schedule();
  }

  // The server searches, so that typing and the button find the same.
  function search(input) {
    const results = document.getElementById("results");
    let latest = 0;
    let timer = 0;

    async function load() {
      const current = ++latest;
      const url = `${input.dataset.search}?q=${encodeURIComponent(input.value)}`;
      try {
        const response = await fetch(url, {
          cache: "no-store", credentials: "same-origin", redirect: "error", signal: abortAfter(REQUEST_TIMEOUT_MS),
        });
        if (response.ok && current === latest) {
          const html = await response.text();
          if (current === latest) render(results, html);
        }
      } catch {
        // The button still searches.
      }
    }

    input.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(load, TYPING_PAUSE_MS);
    });
  }

  function copy(button) {
    const field = document.getElementById(button.dataset.copy);
    if (!navigator.clipboard) return;
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(field.value);
        button.textContent = announcer.dataset.copied;
        announcer.textContent = announcer.dataset.linkCopied;
      } catch {
        field.select();
      }
    });
  }

  // Coming back to the answer to a form opens its address instead of sending the form again.
  history.replaceState(history.state, "", location.href);
  enhance(document);
  document.querySelectorAll("[data-live]").forEach(follow);
  document.querySelectorAll("[data-search]").forEach(search);
})();
