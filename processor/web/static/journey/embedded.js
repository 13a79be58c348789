// The journey's pages in a panel or popup of another page, which embed.js opened there: they tell that page how
// they stand, and Codat's Link opens in a window of its own, because platforms refuse frames.
(() => {
  "use strict";

  const LINK_WINDOW = "journey-link";
  const isFramed = window.parent !== window;
  const [mark, origin] = window.name.split(" ");
  const isListed = document.documentElement.dataset.embedders.split(" ").includes(origin);
  const partner = mark === "journey" && isListed ? (isFramed ? window.parent : window.opener) : null;

  if (!isFramed && window.name === LINK_WINDOW && location.pathname === "/return") {
    window.close(); // the panel shows what came of it
    return;
  }

  // To the page that opened the journey, and to no other.
  function tell(type) {
    if (partner) partner.postMessage({ source: "journey", type, connections: standing() }, origin);
  }

  function standing() {
    const elements = [...document.querySelectorAll("[data-connection]")];
    return Object.fromEntries(elements.map(({ dataset }) => [dataset.connection, dataset.outcome]));
  }

  function follow(region) {
    let before = standing();
    new MutationObserver(() => {
      const now = standing();
      const news = Object.keys(now).filter((id) => now[id] !== before[id]).map((id) => now[id]);
      before = now;
      if (news.includes("ready")) tell("ready");
      else if (news.includes("syncing")) tell("connected");
    }).observe(region, { childList: true });
  }

  function leave() {
    tell("left");
    if (!isFramed) window.close();
  }

  function showClose() {
    const button = document.getElementById("close-panel");
    button.hidden = false;
    button.addEventListener("click", leave);
    document.addEventListener("keydown", (event) => {
      const isClearing = event.target.type === "search" && event.target.value;
      if (event.key === "Escape" && !isClearing) leave();
    });
  }

  function openLink(form) {
    const address = new URL(form.action);
    address.searchParams.set("lang", document.documentElement.lang);
    form.action = address;
    form.target = window.open("", LINK_WINDOW, "popup,width=640,height=800") ? LINK_WINDOW : "_top";
  }

  if (partner) {
    if (isFramed) showClose();
    document.addEventListener("click", (event) => {
      if (!event.target.closest("#leave")) return;
      event.preventDefault();
      leave();
    });
    document.querySelectorAll("[data-live]").forEach(follow);
    tell("opened");
  }
  if (isFramed) {
    document.addEventListener("submit", (event) => {
      if (event.target.matches("[data-leaves]")) openLink(event.target);
    });
    document.addEventListener("click", (event) => {
      const link = event.target.closest("a[href^=http]");
      if (link && link.origin !== location.origin) link.target = "_blank";
    });
  }
})();
