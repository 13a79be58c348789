// On every page of the operators: times in the browser's own zone with UTC beside, buttons that copy an id, and
// loading again, where the address asks for it, unless somebody is at something on the page. Without this script
// the pages are the same, with UTC alone.
(() => {
  "use strict";

  const DATE = { day: "numeric", month: "short", year: "numeric" };
  const TIME = { hour: "2-digit", minute: "2-digit", second: "2-digit" };

  function localize(root) {
    for (const element of root.querySelectorAll("time[datetime]:not([data-utc])")) {
      const at = new Date(element.dateTime);
      const utc = element.textContent;
      if (Number.isNaN(at.getTime()) || !utc.endsWith(" UTC") || at.getTimezoneOffset() === 0) continue;
      element.dataset.utc = utc;
      const beside = document.createElement("span");
      const day = at.toLocaleDateString("en-GB", DATE);
      beside.className = "ago";
      beside.textContent = ` (${utc.startsWith(`${at.getUTCDate()} `) && at.getDate() === at.getUTCDate() ? utc.split(", ").pop() : utc})`;
      element.replaceChildren(`${day}, ${at.toLocaleTimeString("en-GB", TIME)}`, beside);
    }
  }

  function addCopyButtons(root) {
    if (!navigator.clipboard) return;
    for (const element of root.querySelectorAll("dd.id, tbody th .id, .field input[readonly]")) {
      const text = element.value || element.textContent.trim();
      if (!text || element.dataset.copied) continue;
      element.dataset.copied = "offered";
      const button = document.createElement("button");
      button.type = "button";
      button.className = "copy";
      button.textContent = "Copy";
      button.setAttribute("aria-label", `Copy ${element.value ? "it" : text}`);
      button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(text);
        button.textContent = "Copied";
        setTimeout(() => { button.textContent = "Copy"; }, 2000);
      });
      if (element.tagName === "DD") element.append(button);
      else element.after(button);
    }
  }

  function improve() {
    localize(document);
    addCopyButtons(document);
  }

  function reloadLater({ reloadS, reloadUrl }) {
    setTimeout(() => {
      if (document.hidden || document.activeElement !== document.body) reloadLater(document.body.dataset);
      else location.replace(reloadUrl);
    }, 1000 * reloadS);
  }

  improve();
  if (document.body.dataset.reloadS) reloadLater(document.body.dataset);
  const live = document.getElementById("live");
  if (live) new MutationObserver(improve).observe(live, { childList: true });
})();
