// SPDX-License-Identifier: Apache-2.0
// The page reads well without this. It adds a theme that is remembered, tables that sort and filter, and tooltips.
(() => {
  "use strict";
  const root = document.documentElement;
  const remembered = (theme) => {
    try { return theme ? localStorage.setItem("theme", theme) : localStorage.getItem("theme"); } catch { return null; }
  };
  if (["light", "dark"].includes(remembered())) root.dataset.theme = remembered();

  const themes = () => {
    const button = document.getElementById("theme");
    const dark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
    const label = () => { button.textContent = dark() ? "Light" : "Dark"; };
    button.hidden = false;
    button.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; remembered(root.dataset.theme); label(); });
    label();
  };

  const value = (row, column) => {
    const cell = row.cells[column];
    const text = cell.dataset.value ?? cell.textContent.trim();
    return text === "" || Number.isNaN(Number(text)) ? text : Number(text);
  };
  // What has no value comes last, whichever way the rest goes.
  const order = (down) => (a, b) => {
    if (a === "" || b === "") return (a === "") - (b === "");
    const rising = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
    return down ? -rising : rising;
  };
  const sortable = (table) => {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      if (!head.textContent.trim()) return;
      const control = document.createElement("button");
      control.type = "button";
      control.append(...head.childNodes);
      head.append(control);
      control.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const compare = order(down);
        table.tBodies[0].append(...[...table.tBodies[0].rows].sort((a, b) => compare(value(a, column), value(b, column))));
      });
    });
  };

  const filtered = (table) => {
    const rows = [...table.tBodies[0].rows];
    if (rows.length < 8) return;
    const label = document.createElement("label");
    const input = document.createElement("input");
    const count = document.createElement("span");
    label.className = "filter";
    input.type = "search";
    input.placeholder = "Filter";
    input.setAttribute("aria-label", `Filter ${rows.length} rows`);
    count.setAttribute("role", "status");
    label.append(input, count);
    (table.closest(".scroll") ?? table).before(label);
    const words = rows.map((row) => row.textContent.toLowerCase());
    input.addEventListener("input", () => {
      const wanted = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      rows.forEach((row, at) => { row.hidden = !wanted.every((word) => words[at].includes(word)); });
      const shown = rows.filter((row) => !row.hidden).length;
      count.textContent = wanted.length ? `${shown} of ${rows.length}` : "";
    });
  };

  const tooltips = () => {
    const tip = document.createElement("div");
    tip.className = "tip";
    tip.hidden = true;
    tip.setAttribute("role", "status");
    document.body.append(tip);
    const hide = () => { tip.hidden = true; };
    const show = (mark) => {
      if (mark.title) { mark.dataset.tip = mark.title; mark.removeAttribute("title"); }
      tip.textContent = mark.dataset.tip ?? mark.getAttribute("aria-label");
      tip.hidden = false;
      const box = mark.getBoundingClientRect();
      const left = Math.min(box.left + box.width / 2 - tip.offsetWidth / 2, root.clientWidth - tip.offsetWidth - 8);
      const above = box.top - tip.offsetHeight - 8;
      tip.style.left = `${Math.max(8, left)}px`;
      tip.style.top = `${above < 56 ? box.bottom + 8 : above}px`;
    };
    const marks = "[title], [data-tip], .drawing svg [aria-label]";
    document.addEventListener("pointerover", (event) => {
      const mark = event.target.closest?.(marks);
      if (mark) show(mark); else hide();
    });
    document.addEventListener("scroll", hide, { passive: true, capture: true });
    // The arrow keys walk along the marks of a drawing that has the focus.
    for (const drawing of document.querySelectorAll(".drawing")) {
      const points = [...drawing.querySelectorAll("svg [aria-label]")];
      let at = -1;
      drawing.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (event.key === "Escape") hide();
        if (!step || !points.length) return;
        event.preventDefault();
        at = (at + step + points.length) % points.length;
        show(points[at]);
      });
      drawing.addEventListener("blur", hide);
    }
  };

  // Two runs, no more and no fewer, can be compared.
  const choose = (form) => {
    const boxes = [...form.querySelectorAll("input[type=checkbox]")];
    const button = form.querySelector("button[type=submit]");
    const update = () => {
      const chosen = boxes.filter((box) => box.checked).length;
      for (const box of boxes) box.disabled = chosen === 2 && !box.checked;
      button.disabled = chosen !== 2;
      button.textContent = chosen === 2 ? "Compare these two" : `Compare: choose ${2 - chosen}${chosen ? " more" : " runs"}`;
    };
    form.addEventListener("change", update);
    update();
  };

  document.addEventListener("DOMContentLoaded", () => {
    themes();
    document.querySelectorAll("table.sortable").forEach(sortable);
    document.querySelectorAll("table.filtered").forEach(filtered);
    document.querySelectorAll("form.choose").forEach(choose);
    tooltips();
  });
})();
