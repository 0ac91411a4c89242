"use strict";
// Narrows the table and the map down to what is chosen, and keeps the choice in the address, so that it can be passed on.
(() => {
  const form = document.getElementById("filters"), said = document.getElementById("shown");
  const heads = [...document.querySelectorAll(".matrix thead [data-worker]")];
  const rows = [...document.querySelectorAll(".matrix tbody tr")];
  const transitions = [...document.querySelectorAll("#map tbody tr")];
  const boxes = [...form.querySelectorAll("input")], kind = form.elements.kind;
  const names = ["worker", "proxy", "disturb"];

  const chosen = (name) => boxes.filter((box) => box.name === name && box.checked).map((box) => box.value);
  const plural = (count, all, noun) => `${count} of ${all} ${noun}${all === 1 ? "" : "s"}`;

  function apply() {
    const wanted = Object.fromEntries(names.map((name) => [name, new Set(chosen(name))]));
    const fits = (element) => names.every((name) => wanted[name].has(element.dataset[name]));
    const isOfKind = ({ dataset: { kinds } }) => // a cell that was not tried is of none
      kinds !== undefined && (kind.value === "all" || kinds.split(" ").includes(kind.value));
    for (const element of [...heads, ...transitions]) element.hidden = !fits(element);
    for (const row of rows) {
      const cells = [...row.querySelectorAll("td")];
      for (const cell of cells) cell.hidden = !fits(cell);
      row.hidden = !cells.some((cell) => !cell.hidden && isOfKind(cell));
    }
    const columns = heads.filter((head) => !head.hidden).length, left = rows.filter((row) => !row.hidden).length;
    said.textContent = `${plural(left, rows.length, "release")}, ${plural(columns, heads.length, "column")}`;
    document.getElementById("none").hidden = left > 0;
  }

  function remember() {
    const choice = new URLSearchParams();
    for (const name of names) {
      if (boxes.some((box) => box.name === name && !box.checked)) {
        choice.append(name, ""); // none at all is a choice, too
        for (const value of chosen(name)) choice.append(name, value);
      }
    }
    if (kind.value !== "all") choice.set("kind", kind.value);
    history.replaceState(null, "", `${choice}` ? `#${choice}` : location.pathname + location.search);
  }

  function recall() {
    const choice = new URLSearchParams(location.hash.slice(1));
    for (const box of boxes) box.checked = !choice.has(box.name) || choice.getAll(box.name).includes(box.value);
    const wanted = choice.get("kind") ?? "all";
    kind.value = [...kind.options].some((option) => option.value === wanted) ? wanted : "all";
    apply();
  }

  form.addEventListener("change", () => { apply(); remember(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("reset").addEventListener("click", () => {
    for (const box of boxes) box.checked = true;
    kind.value = "all";
    apply();
    remember();
  });
  addEventListener("hashchange", recall);
  addEventListener("pageshow", recall); // a browser that comes back may have put the boxes back by itself
  form.hidden = false;
  recall();
})();
