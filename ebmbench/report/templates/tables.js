// All of it is made here, so that without scripts a page has no control that does nothing.

// Links to the parts of the page, for keyboards and telephones.
const parts = [...document.querySelectorAll("main h2[id]")];
if (parts.length > 2) {
  const nav = document.createElement("nav");
  nav.setAttribute("aria-label", "Parts of this page");
  for (const part of parts) {
    const link = document.createElement("a");
    link.href = `#${part.id}`;
    link.textContent = part.textContent;
    nav.append(link);
  }
  document.querySelector("header").append(nav);
}

// Headers become buttons: the first press sorts upwards, the second downwards; what is not known goes last.
function sortable(table) {
  const body = table.tBodies[0];
  const headers = [...table.tHead.rows[0].cells];
  const value = (row, column) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
  const compare = (a, b) => {
    const [x, y] = [Number(a), Number(b)];
    const [p, q] = [Number.isNaN(x), Number.isNaN(y)];
    return p && q ? a.localeCompare(b, undefined, { numeric: true }) : p - q || x - y;
  };
  headers.forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => {
      const sign = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      const known = [];
      const missing = [];
      for (const row of body.rows) {
        (["nan", "", "–"].includes(value(row, column)) ? missing : known).push(row);
      }
      known.sort((a, b) => sign * compare(value(a, column), value(b, column)));
      headers.forEach((other) => other.removeAttribute("aria-sort"));
      header.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
      body.append(...known, ...missing);
    });
  });
}

// A field above the table: the rows that hold all of its words stay, in whatever order and case.
function filterable(table) {
  const rows = [...table.tBodies[0].rows];
  const box = document.createElement("div");
  box.className = "filter";
  const label = document.createElement("label");
  const field = document.createElement("input");
  const count = document.createElement("output");
  field.type = "search";
  field.placeholder = "words";
  field.autocomplete = "off";
  field.spellcheck = false;
  label.append("Only rows with ", field);
  box.append(label, count);
  const scroll = table.closest(".scroll");
  field.setAttribute("aria-label", `Only rows of ${scroll.ariaLabel ?? "this table"} with these words`);
  scroll.before(box);
  const texts = rows.map((row) => row.textContent.toLowerCase().replace(/\s+/g, " "));
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/);
    let shown = 0;
    rows.forEach((row, place) => {
      row.hidden = !words.every((word) => texts[place].includes(word));
      shown += !row.hidden;
    });
    count.textContent = shown < rows.length ? `${shown} of ${rows.length} rows` : "";
  });
}

const LONG = 6; // rows from which a reader looks for some of them
for (const table of document.querySelectorAll(".scroll table")) {
  sortable(table);
  if (table.tBodies[0].rows.length >= LONG) filterable(table);
}
