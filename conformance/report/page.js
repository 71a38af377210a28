// Filters by verdict, area and words. Without this script the page shows everything.
(() => {
  const root = document.documentElement;
  const rows = [...document.querySelectorAll(".requirement")];
  const sections = [...document.querySelectorAll("section[data-area]")];
  const buttons = [...document.querySelectorAll(".filters button")];
  const area = document.querySelector("#area");
  const words = document.querySelector("#words");
  const empty = document.querySelector(".empty");
  root.classList.add("scripted");

  const apply = () => {
    const shown = new Set(buttons.filter((one) => one.getAttribute("aria-pressed") === "true").map((one) => one.value));
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) {
      const text = row.dataset.text;
      row.hidden = !shown.has(row.dataset.verdict) || (area.value && row.dataset.area !== area.value)
        || !wanted.every((word) => text.includes(word));
    }
    for (const section of sections) section.hidden = !section.querySelector(".requirement:not([hidden])");
    empty.style.display = sections.every((section) => section.hidden) ? "block" : "none";
  };

  for (const button of buttons) {
    button.addEventListener("click", (event) => {
      if (event.altKey) {
        for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      } else {
        button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
      }
      apply();
    });
  }
  area.addEventListener("change", apply);
  words.addEventListener("input", apply);

  // A link to a requirement, or to what it stands behind, opens it and what folds it away.
  const open = () => {
    const row = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!row) return;
    for (let one = row.closest("details"); one; one = one.parentElement.closest("details")) one.open = true;
    row.scrollIntoView();
  };
  window.addEventListener("hashchange", open);
  open();
})();
