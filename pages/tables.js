// Sorts a table by the column whose heading is pressed: with the mouse, or with Enter and Space.
"use strict";
(() => {
  const SIZES = { k: 1e3, M: 1e6, G: 1e9 };

  // The number that a cell begins with ("1,234", "12.3%", "3.4 M"), or null.
  const number = (text) => {
    const found = /^([+-]?[\d,]*\.?\d+(?:e[+-]?\d+)?)\s*([kMG%]?)/.exec(text);
    return found ? Number(found[1].replaceAll(",", "")) * (SIZES[found[2]] ?? 1) : null;
  };
  const content = (row, column) => {
    const cell = row.cells[column];
    return ((cell.querySelector("summary") ?? cell).textContent || cell.firstElementChild?.getAttribute("aria-label") || "").trim();
  };

  const sort = (table, column, button) => {
    const heading = button.closest("th");
    const body = table.tBodies[0];
    const isNumber = heading.classList.contains("n");
    const order = heading.getAttribute("aria-sort") === (isNumber ? "descending" : "ascending")
      ? (isNumber ? "ascending" : "descending") : (isNumber ? "descending" : "ascending");
    const sign = order === "ascending" ? 1 : -1;
    const keyed = [...body.rows].filter((row) => !row.matches(".sum")).map((row) => {
      const text = content(row, column);
      return { row, text, value: isNumber ? number(text) : null };
    });
    // Cells without a number stay below, whichever way the others go.
    keyed.sort((one, other) => {
      if (!isNumber) return sign * one.text.localeCompare(other.text);
      if (one.value === null || other.value === null) return (one.value === null) - (other.value === null);
      return sign * (one.value - other.value);
    });
    const sums = [...body.rows].filter((row) => row.matches(".sum"));
    body.append(...keyed.map((one) => one.row), ...sums);
    for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", order);
  };

  for (const table of document.querySelectorAll(".wide > table")) {
    if (table.tBodies[0].rows.length < 3) continue;
    const headings = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
    headings.forEach((heading, column) => {
      if (heading.tagName !== "TH") return;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => sort(table, column, button));
    });
  }
})();
