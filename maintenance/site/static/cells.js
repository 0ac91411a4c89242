"use strict";
// Sorts the table of cells and narrows it down to what is chosen; the choice stays in the address, to be passed on.
addEventListener("DOMContentLoaded", () => {
  const table = document.getElementById("cells"), form = document.getElementById("filters");
  if (!table) return;
  const rows = [...table.tBodies[0].rows], heads = [...table.tHead.rows[0].cells];
  const boxes = [...form.querySelectorAll("input")], lists = [...form.querySelectorAll("select")];
  const boxed = ["worker", "proxy", "disturb"], said = document.getElementById("shown");
  const order = new Map([...form.elements.from.options].map((option, at) => [option.value, at]));
  const usual = { from: form.elements.from.options[0].value, to: form.elements.to.options[0].value, outcome: "", finding: "" };

  const ticked = (name) => boxes.filter((box) => box.name === name && box.checked).map((box) => box.value);

  function apply() {
    const wanted = Object.fromEntries(boxed.map((name) => [name, new Set(ticked(name))]));
    const { from, to, outcome, finding } = Object.fromEntries(lists.map((list) => [list.name, list.value]));
    for (const row of rows) {
      const { release, findings } = row.dataset;
      row.hidden = !(boxed.every((name) => wanted[name].has(row.dataset[name]))
        && order.get(release) >= order.get(from) && order.get(release) <= order.get(to)
        && (!outcome || row.dataset.outcome === outcome) && (!finding || findings.split(" ").includes(finding)));
    }
    const left = rows.filter((row) => !row.hidden).length;
    said.textContent = `${left} of ${rows.length} cells`;
    document.getElementById("none").hidden = left > 0;
    for (const button of form.querySelectorAll("[data-only]")) {
      button.textContent = ticked(button.dataset.only).length ? "none" : "all";
    }
  }

  function sort(at, direction) {
    const value = (row) => row.cells[at].dataset.order ?? row.cells[at].textContent.trim();
    const numeric = rows.every((row) => row.cells[at].dataset.order !== undefined);
    const compare = (a, b) => numeric ? value(a) - value(b) : value(a).localeCompare(value(b));
    rows.sort((a, b) => (direction === "ascending" ? compare(a, b) : compare(b, a)));
    table.tBodies[0].append(...rows);
    for (const head of heads) head.setAttribute("aria-sort", head === heads[at] ? direction : "none");
  }

  function remember() {
    const choice = new URLSearchParams();
    for (const { name, value } of lists) if (value !== usual[name]) choice.set(name, value);
    for (const name of boxed) {
      if (boxes.some((box) => box.name === name && !box.checked)) choice.set(name, ticked(name).join(","));
    }
    const at = heads.findIndex((head) => head.getAttribute("aria-sort") !== "none");
    const direction = heads[at].getAttribute("aria-sort");
    if (at || direction !== "descending") choice.set("sort", `${at}-${direction}`);
    history.replaceState(null, "", `${choice}` ? `#${choice}` : location.pathname + location.search);
  }

  function recall() {
    const choice = new URLSearchParams(location.hash.slice(1));
    for (const list of lists) {
      const value = choice.get(list.name) ?? usual[list.name];
      list.value = [...list.options].some((option) => option.value === value) ? value : usual[list.name];
    }
    for (const box of boxes) box.checked = !choice.has(box.name) || choice.get(box.name).split(",").includes(box.value);
    const [, at, direction] = /^(\d)-(ascending|descending)$/.exec(choice.get("sort") ?? "") ?? [];
    const now = heads.findIndex((head) => head.getAttribute("aria-sort") !== "none");
    if (heads[at] || now) sort(heads[at] ? Number(at) : 0, heads[at] ? direction : "descending"); // else it is so already
    apply();
  }

  heads.forEach((head, at) => {
    const place = head.querySelector(".head"), button = document.createElement("button");
    button.type = "button";
    button.textContent = place.textContent;
    place.replaceChildren(button);
    button.addEventListener("click", () => {
      sort(at, head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending");
      remember();
    });
  });
  form.addEventListener("change", () => { apply(); remember(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("click", ({ target: { id, dataset } }) => {
    if (id === "reset") {
      for (const box of boxes) box.checked = true;
      for (const list of lists) list.value = usual[list.name];
    } else if (dataset.only) {
      const none = ticked(dataset.only).length === 0;
      for (const box of boxes) if (box.name === dataset.only) box.checked = none;
    } else {
      return;
    }
    apply();
    remember();
  });
  addEventListener("hashchange", recall);
  form.hidden = false;
  recall();
});
