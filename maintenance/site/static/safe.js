"use strict";
// Answers "is my release safe?" from what the tables say.
addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("safe"), data = document.getElementById("safe-data");
  if (!form || !data) return;
  const rows = JSON.parse(data.textContent), answer = document.getElementById("answer");
  const find = (release, worker, proxy) => rows.find((row) => row[0] === release && row[1] === worker && row[2] === proxy);

  function say() {
    const { release, worker, proxy } = form.elements;
    const exact = find(release.value, worker.value, proxy.value), plain = find(release.value, worker.value, "h2o");
    const shown = exact ?? plain;
    const where = exact ? "" : ` (not tried behind ${proxy.value}; this is behind h2o, which hides nothing)`;
    answer.textContent = shown ? `${shown[3]}: ${shown[4]}${where}` : "not tried";
    answer.className = !shown || shown[3] === "-" ? "unsure" : shown[3] === "safe" ? "good" : "bad";
    const choice = { from: release.value, to: release.value, worker: worker.value };
    document.getElementById("evidence").href = `cells.html#${new URLSearchParams(choice)}`;
  }

  form.addEventListener("change", say);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  say();
});
