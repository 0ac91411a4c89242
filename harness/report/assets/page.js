"use strict";
// Draws the timeline and lets the reader zoom: with the buttons, the keyboard, or by dragging over a stretch of time.
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const spec = read("chart"), range = read("range");
  const holder = document.getElementById("timeline"), said = document.getElementById("shown");
  const whole = [range.from, range.to];
  let shown = whole, result = null, drawnWidth = 0, start = null, redraw = 0;

  const axisWidth = 62 + 12;
  const sized = (width) => {
    const copy = structuredClone(spec);
    copy.vconcat.forEach((panel) => { panel.width = Math.max(width - axisWidth, 160); });
    copy.config.title.limit = width - axisWidth; // a longer one would widen the picture
    copy.config.legend.columns = width < 560 ? 2 : 4;
    copy.params.forEach((one, at) => { one.value = shown[at]; });
    return copy;
  };

  async function draw() {
    const width = holder.clientWidth;
    if (width === drawnWidth) return;
    drawnWidth = width;
    const before = result;
    const fresh = document.createElement("div");
    const next = await vegaEmbed(fresh, sized(width), {
      actions: false, ast: true, mode: "vega-lite", renderer: "svg", tooltip: { theme: "custom", disableDefaultStyle: true },
      logLevel: 1, // errors only
    });
    if (before) before.finalize();
    result = next;
    holder.replaceChildren(fresh);
    holder.dataset.afterMs ??= performance.now(); // since the page was asked for
    holder.dataset.drawn = "yes";
  }

  function show(from, to) {
    const least = Math.max((whole[1] - whole[0]) / 5000, 0.002);
    const width = Math.min(Math.max(to - from, least), whole[1] - whole[0]);
    const left = Math.min(Math.max(from, whole[0]), whole[1] - width);
    shown = [left, left + width];
    said.textContent = `${shown[0].toFixed(3)} s to ${shown[1].toFixed(3)} s`;
    if (result) result.view.signal("shown_from", shown[0]).signal("shown_to", shown[1]).runAsync();
  }

  const scaled = (factor) => {
    const middle = (shown[0] + shown[1]) / 2, half = ((shown[1] - shown[0]) * factor) / 2;
    show(middle - half, middle + half);
  };
  const moved = (part) => show(shown[0] + part * (shown[1] - shown[0]), shown[1] + part * (shown[1] - shown[0]));
  const actions = {
    focus: () => range.focus !== null && show(range.focus - range.near / 3, range.focus + (range.near * 2) / 3),
    whole: () => show(...whole),
    nearer: () => scaled(0.5),
    farther: () => scaled(2),
    earlier: () => moved(-0.25),
    later: () => moved(0.25),
  };
  const keys = { f: "focus", 0: "whole", "+": "nearer", "=": "nearer", "-": "farther", ArrowLeft: "earlier", ArrowRight: "later" };

  document.querySelectorAll("button[data-do]").forEach((button) => {
    button.addEventListener("click", () => actions[button.dataset.do]());
  });
  holder.addEventListener("keydown", (event) => {
    const name = keys[event.key];
    if (name && !event.ctrlKey && !event.metaKey && !event.altKey) { event.preventDefault(); actions[name](); }
  });

  // Where a place on the screen lies in time; the panels share one scale.
  const secondAt = (clientX) => {
    const frame = holder.getBoundingClientRect();
    const scale = result.view.scale("x"), left = result.view.origin()[0];
    const [low, high] = scale.range();
    return scale.invert(Math.min(Math.max(clientX - frame.left - left, low), high));
  };
  holder.addEventListener("pointerdown", (event) => {
    if (!result || event.button !== 0 || event.pointerType === "touch") return;
    start = event.clientX;
    holder.setPointerCapture(event.pointerId);
  });
  holder.addEventListener("pointermove", (event) => {
    if (start === null) return;
    let box = document.getElementById("chosen");
    if (!box) { box = document.createElement("div"); box.id = "chosen"; holder.append(box); }
    const frame = holder.getBoundingClientRect();
    box.style.left = `${Math.min(start, event.clientX) - frame.left}px`;
    box.style.width = `${Math.abs(event.clientX - start)}px`;
  });
  const end = (event) => {
    if (start === null) return;
    const ends = [start, event.clientX].sort((a, b) => a - b);
    start = null;
    document.getElementById("chosen")?.remove();
    if (event.type === "pointerup" && ends[1] - ends[0] > 5) show(secondAt(ends[0]), secondAt(ends[1]));
  };
  holder.addEventListener("pointerup", end);
  holder.addEventListener("pointercancel", end);
  holder.addEventListener("dblclick", actions.whole);

  new ResizeObserver(() => {
    cancelAnimationFrame(redraw);
    redraw = requestAnimationFrame(() => draw().catch(failed));
  }).observe(holder);
  const failed = (problem) => { holder.textContent = `The timeline could not be drawn: ${problem.message}`; };
  show(...whole);
})();
