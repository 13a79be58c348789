"""What a page must offer to everybody, measured in the browser itself.

Contrast: https://www.w3.org/TR/WCAG22/#contrast-minimum, AA. Targets:
https://www.w3.org/TR/WCAG22/#target-size-minimum, with 44 pixels for buttons instead of 24.
"""

from playwright.sync_api import Frame, Page

_FAINT = """
() => {
  const parse = (text) => {
    const found = text.match(/[\\d.]+/g).map(Number);
    if (text.startsWith("color(srgb")) return [...found.slice(0, 3).map((one) => one * 255), found[3] ?? 1];
    return [found[0], found[1], found[2], found[3] ?? 1];
  };
  const over = (top, under) =>
    top.slice(0, 3).map((one, i) => one * top[3] + under[i] * (1 - top[3])).concat(1);
  const ground = (element) => {
    const layers = [];
    for (let one = element; one; one = one.parentElement) {
      layers.push(parse(getComputedStyle(one).backgroundColor));
    }
    const canvas = matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18, 1] : [255, 255, 255, 1];
    return layers.reverse().reduce((under, top) => over(top, under), canvas);
  };
  const light = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((one) => one / 255)
      .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    if (!text || !element.checkVisibility()) continue;
    if (element.closest(".visually-hidden, script, noscript, .skip")) continue;
    const style = getComputedStyle(element);
    const under = ground(element);
    const own = over(parse(style.color), under);
    const [high, low] = [light(own), light(under)].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) faint.push(`${text.slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return faint;
}
"""

_UNNAMED = """
() => {
  const faults = [];
  const name = (one) => (one.getAttribute("aria-label") || one.innerText || "").trim()
    || [...one.querySelectorAll("img")].map((image) => image.alt).join("").trim()
    || [...(one.labels ?? [])].map((label) => label.innerText).join("").trim();
  const controls = "a[href], button, input:not([type=hidden]), select, progress";
  for (const one of document.querySelectorAll(controls)) {
    if (one.checkVisibility() && !name(one)) faults.push(`no name: ${one.outerHTML.slice(0, 100)}`);
  }
  for (const one of document.querySelectorAll("img:not([alt])")) faults.push(`no alt: ${one.outerHTML}`);
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) faults.push(`twice: ${id}`);
  for (const one of document.querySelectorAll("[aria-labelledby], label[for]")) {
    const id = one.getAttribute("aria-labelledby") ?? one.htmlFor;
    if (!document.getElementById(id)) faults.push(`names nothing: ${id}`);
  }
  let level = 0;
  for (const head of document.querySelectorAll("h1, h2, h3, h4")) {
    if (!head.checkVisibility()) continue;
    const own = Number(head.tagName[1]);
    if (level && own > level + 1) faults.push(`heading jumps to ${head.innerText}`);
    level = own;
  }
  if (document.querySelectorAll("h1").length !== 1) faults.push("not one h1");
  if (document.querySelectorAll("main").length !== 1) faults.push("not one main");
  if (!document.documentElement.lang) faults.push("no language");
  return faults;
}
"""

_SMALL = """
() => [...document.querySelectorAll("button, a.button, nav a, input:not([type=hidden])")]
  .filter((one) => one.checkVisibility())
  .map((one) => [one, (one.type === "checkbox" && one.closest("label") || one).getBoundingClientRect()])
  .filter(([, box]) => box.height < 44 || box.width < 24)
  .map(([one, box]) => `${(one.innerText || one.outerHTML).slice(0, 60)}: ${box.width}x${box.height}`)
"""

_WIDER = """
() => document.documentElement.scrollWidth > innerWidth
  ? [...document.querySelectorAll("body *")]
      .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
      .filter((one) => !one.closest(".visually-hidden")).map((one) => one.outerHTML.slice(0, 80)).slice(0, 5)
  : []
"""


def wider(page: Page | Frame) -> list[str]:
    """What does not fit into the width of the window."""
    return list(page.evaluate(_WIDER))


def faults(page: Page | Frame) -> list[str]:
    """Everything that keeps somebody from using the page as it is shown now."""
    page.wait_for_load_state("load")
    measures = {"faint": _FAINT, "unnamed": _UNNAMED, "small": _SMALL, "wider than the window": _WIDER}
    return [f"{kind}: {fault}" for kind, script in measures.items() for fault in page.evaluate(script)]
