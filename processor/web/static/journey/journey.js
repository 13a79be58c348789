// What the pages do beyond HTML: show changes as they happen, search while typing, copy the link,
// times by the reader's clock, and words where a picture does not load. All of it works without, too.
(() => {
  "use strict";

  const SOON_MS = 1000;
  const LONGEST_MS = 10000;
  const CALM_MS = 1700; // while nothing moves; what changes all the same is shown within two seconds
  const TYPING_MS = 150; // after the last key before the server searches
  const PATIENCE_MS = 10000;
  const MANY_FAILURES = 3;

  const announcer = document.getElementById("announcer");

  function polish(root) {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const when = new Date(time.dateTime);
      if (!Number.isNaN(when.getTime())) {
        time.textContent = when.toLocaleString("en-GB", { dateStyle: "long", timeStyle: "short" });
      }
    }
    for (const image of root.querySelectorAll("img[data-fallback]")) {
      image.addEventListener("error", () => standIn(image), { once: true });
      if (image.complete && image.naturalWidth === 0) standIn(image);
    }
    root.querySelectorAll("[data-copy]").forEach(copy);
  }

  function standIn(image) {
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

  function said(region) {
    return new Map([...region.querySelectorAll("[data-say]")].map((one) => [one.id, one.dataset.say]));
  }

  function show(region, html) {
    const before = said(region);
    const focused = region.contains(document.activeElement) ? document.activeElement.id : "";
    region.innerHTML = html;
    polish(region);
    if (focused) {
      const again = document.getElementById(focused);
      (again || document.getElementById("main")).focus({ preventScroll: true });
    }
    const titled = region.querySelector("[data-title]");
    if (titled) document.title = titled.dataset.title;
    const news = [...said(region)].filter(([id, words]) => before.get(id) !== words);
    if (news.length) announcer.textContent = news.map(([, words]) => words).join(" ");
  }

  // What is shown grows old while nobody answers: say so, and since when.
  function watchAge() {
    const note = document.getElementById("stale");
    const time = note.querySelector("time");
    let seen = new Date();
    return (failures) => {
      if (failures === 0) seen = new Date();
      const isStale = failures >= MANY_FAILURES;
      if (isStale && note.hidden) {
        time.dateTime = seen.toISOString();
        time.textContent = seen.toLocaleTimeString("en-GB", { timeStyle: "short" });
        announcer.textContent = note.textContent;
      } else if (!isStale && !note.hidden) {
        announcer.textContent = note.dataset.again;
      }
      note.hidden = !isStale;
    };
  }

  function stopAfter(milliseconds) {
    const stop = new AbortController();
    setTimeout(() => stop.abort(), milliseconds);
    return stop.signal;
  }

  function follow(region) {
    let etag = region.dataset.etag;
    let failures = 0;
    let timer = 0;
    let looking = false;
    const aged = watchAge();

    async function look() {
      timer = 0;
      looking = true;
      try {
        const answer = await fetch(region.dataset.live, {
          headers: { "If-None-Match": etag }, cache: "no-store", credentials: "same-origin", redirect: "error",
          signal: stopAfter(PATIENCE_MS),
        });
        if (answer.status === 200) {
          etag = answer.headers.get("ETag") || "";
          show(region, await answer.text());
        } else if (answer.status === 404 || answer.status === 410) {
          location.reload();
          return;
        }
        failures = answer.ok || answer.status === 304 ? 0 : failures + 1;
      } catch {
        failures += 1;
      }
      looking = false;
      aged(failures);
      later();
    }

    function wait() {
      if (failures) return SOON_MS * 2 ** Math.min(failures, 4);
      return region.querySelector("[data-moving]") ? SOON_MS : CALM_MS;
    }

    function later() {
      if (document.hidden || timer) return;
      timer = setTimeout(look, Math.min(LONGEST_MS, wait()));
    }

    document.addEventListener("visibilitychange", () => {
      if (document.hidden) {
        clearTimeout(timer);
        timer = 0;
      } else if (!timer && !looking) {
        look();
      }
    });
    later();
  }

  // The server searches, so that what one finds while typing is what one finds by the button.
  function search(input) {
    const results = document.getElementById("results");
    let newest = 0;
    let timer = 0;

    async function look() {
      const mine = ++newest;
      const url = `${input.dataset.search}?q=${encodeURIComponent(input.value)}`;
      try {
        const answer = await fetch(url, {
          cache: "no-store", credentials: "same-origin", redirect: "error", signal: stopAfter(PATIENCE_MS),
        });
        if (answer.ok && mine === newest) {
          const html = await answer.text();
          if (mine === newest) show(results, html);
        }
      } catch {
        // the button still searches
      }
    }

    input.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(look, TYPING_MS);
    });
  }

  function copy(button) {
    const field = document.getElementById(button.dataset.copy);
    if (!navigator.clipboard) return;
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(field.value);
        button.textContent = "Copied";
        announcer.textContent = "The link was copied";
      } catch {
        field.select();
      }
    });
  }

  polish(document);
  document.querySelectorAll("[data-live]").forEach(follow);
  document.querySelectorAll("[data-search]").forEach(search);
})();
