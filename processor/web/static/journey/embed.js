// Opens the journey in a panel (or popup) of the page that includes this script:
//   <a href="CONNECT_URL" data-journey="panel">Connect your accounts</a> <script src="https://…/embed.js" defer></script>
// The link gets the events journey:opened, journey:connected, journey:ready and journey:left, which bubble.
(() => {
  "use strict";

  const home = new URL(document.currentScript.src).origin;
  const name = `journey ${location.origin}`; // tells the journey's pages who shows them
  const LEVELS = { syncing: 1, ready: 2 };
  const SILENCE_MS = 3000; // a frame that is loaded and says nothing so long was refused
  const POPUP_INTERVAL_MS = 500;
  let session = null;

  function tell(type, detail) {
    session.link.dispatchEvent(new CustomEvent(`journey:${type}`, { bubbles: true, detail: detail || {} }));
  }

  // Tells what a connection has reached since the journey was opened.
  function note(id, level) {
    const before = session.levels.get(id) || 0;
    session.levels.set(id, level);
    if (level >= 1 && before < 1) tell("connected", { connection_id: id });
    if (level >= 2 && before < 2) tell("ready", { connection_id: id });
  }

  function end() {
    tell("left");
    session = null;
  }

  function openPanel(link) {
    const dialog = document.createElement("dialog");
    const frame = document.createElement("iframe");
    const label = link.textContent.trim();
    dialog.setAttribute("aria-label", label);
    Object.assign(dialog.style, {
      width: "min(100%, 48rem)", height: "min(100%, 60rem)", maxWidth: "100vw", maxHeight: "100dvh",
      padding: 0, border: 0, borderRadius: "12px", overflow: "hidden",
    });
    Object.assign(frame.style, { display: "block", width: "100%", height: "100%", border: 0 });
    Object.assign(frame, { name, title: label, referrerPolicy: "no-referrer", allow: "clipboard-write", src: link.href });
    dialog.append(frame);
    document.body.append(dialog);
    session = { link, levels: null, window: () => frame.contentWindow, close: () => dialog.close() };
    const opened = session;
    frame.addEventListener("load", () => setTimeout(() => {
      if (session === opened && !session.levels) location.assign(link.href);
    }, SILENCE_MS), { once: true });
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.addEventListener("close", () => {
      dialog.remove();
      link.focus();
      end();
    });
    dialog.showModal(); // keeps the focus inside, and closes by Escape
    frame.focus();
  }

  function openPopup(link) {
    const popup = window.open(link.href, name, "popup,width=640,height=800");
    if (!popup) {
      location.assign(link.href);
      return;
    }
    const finish = () => {
      clearInterval(timer);
      link.focus();
      end();
    };
    const timer = setInterval(() => popup.closed && finish(), POPUP_INTERVAL_MS);
    session = { link, levels: null, window: () => popup, close: () => popup.close(), finish };
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-journey]");
    const isPlain = !(event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
    if (!link || link.origin !== home || !isPlain || event.defaultPrevented) return;
    event.preventDefault();
    if (session && session.window().closed) session.finish();
    if (session) session.window().focus();
    else if (link.dataset.journey === "popup") openPopup(link);
    else openPanel(link);
  });

  addEventListener("message", ({ origin, source, data }) => {
    if (!session || origin !== home || source !== session.window() || !data || data.source !== "journey") return;
    if (data.type === "left") {
      session.close();
    } else if (data.type === "opened" && !session.levels) {
      session.levels = new Map(Object.entries(data.connections).map(([id, outcome]) => [id, LEVELS[outcome] || 0]));
      tell("opened");
    } else if (session.levels) {
      for (const [id, outcome] of Object.entries(data.connections)) note(id, LEVELS[outcome] || 0);
    }
  });
})();
