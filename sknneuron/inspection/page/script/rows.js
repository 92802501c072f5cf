// The rows of the sample: a histogram of levels, the strongest and the weakest, to click.

const BINS = 24;

function rowsPanel(page) {
  byId("rows").hidden = !page.nRows;
  if (!page.nRows) return { needs: [], draw: () => {} };
  byId("rows-text").textContent = page.data.rows.words;
  return { needs: ["values", "weights", "neuron", "size"], draw: drawRows };
}

function drawRows(page, what) {
  const { data, neuron } = page;
  if (what === "values") {
    // The rows are as they were; only where this one stands has changed.
    moveMarker(page);
    return;
  }
  const levels = page.rowOutputs.map((o) => (data.task === "sum" ? o.values[neuron] : o.levels[neuron]));
  drawHistogram(page, levels);
  const order = levels.map((_, i) => i).sort((a, b) => levels[b] - levels[a] || a - b);
  byId("strongest").replaceChildren(...order.slice(0, 5).map((row) => rowButton(page, row, levels)));
  byId("weakest").replaceChildren(...order.slice(-5).reverse().map((row) => rowButton(page, row, levels)));
  moveMarker(page);
}

function rowButton(page, row, levels) {
  const { values } = page.rowOutputs[row];
  const shown = page.data.task === "regression" ? values[page.neuron] : levels[row];
  const button = el(
    "button",
    { type: "button", class: "row-button", "data-row": row },
    named(page.data.rows.names[row]),
    el("span", { class: "number" }, fmt(shown)),
  );
  button.addEventListener("click", () => page.loadRow(row));
  return el("li", {}, button);
}

// Rows by level, in bins of equal width.
function binsOf(levels) {
  let [low, high] = extent(levels);
  const isSpread = high - low > 1e-8 * Math.max(Math.abs(low), Math.abs(high));
  // Then all stand in the middle of one bin.
  if (!isSpread) [low, high] = [low - 12.5 / BINS, low + 11.5 / BINS];
  const bins = Array.from({ length: BINS }, () => []);
  levels.forEach((level, row) => {
    bins[Math.min(Math.floor(((level - low) / (high - low)) * BINS), BINS - 1)]?.push(row);
  });
  return { bins, low, high };
}

function drawHistogram(page, levels) {
  const box = byId("histogram");
  const { bins, low, high } = binsOf(levels);
  const most = Math.max(...bins.map((b) => b.length));
  const { node, width, height } = chart(box, 210, "Rows by level");
  node.setAttribute("role", "group");
  const left = 44;
  const x = scaleBetween(low, high, left, width - 12);
  const y = scaleBetween(0, most, height - 44, 26);
  yAxis(node, y, [0, most], left, width - 12, "rows", 3);
  xAxis(node, x, [low, high], height - 40, [left, width - 12], "level a");
  const first = bins.findIndex((b) => b.length);
  bins.forEach((rows, i) => {
    if (!rows.length) return;
    node.append(histogramBar(page, rows, i, { x, y, low, step: (high - low) / BINS, height, first }));
  });
  const mark = svg(
    "g",
    { class: "here-mark" },
    line(0, 22, 0, height - 44, "marker"),
    svg("circle", { cx: 0, cy: 22, r: 5, class: "dot" }),
  );
  node.append(mark);
  page.markLevel = (level) => {
    mark.setAttribute("transform", `translate(${x(Math.min(Math.max(level, low), high))},0)`);
  };
  page.binOfRow = (row) => bins.findIndex((b) => b.includes(row));
}

// Shows where the values stand among the rows, and which row was loaded.
function moveMarker(page) {
  page.markLevel(page.data.task === "sum" ? page.z[page.neuron] : page.outputs.levels[page.neuron]);
  const holder = page.row === null ? -1 : page.binOfRow(page.row);
  for (const node of document.querySelectorAll(".histogram-bar")) {
    node.classList.toggle("here", Number(node.dataset.bin) === holder);
  }
  for (const button of document.querySelectorAll(".row-button")) {
    button.setAttribute("aria-pressed", Number(button.dataset.row) === page.row);
  }
}

// One tab stop for all bars: arrow keys go from one to the next, Enter loads a row of it.
function histogramBar(page, rows, i, { x, y, low, step, height, first }) {
  const [from, to] = [low + i * step, low + (i + 1) * step];
  const words = `${rows.length} ${rows.length > 1 ? "rows" : "row"}, level ${fmt(from, 3)} to ${fmt(to, 3)}: load one`;
  const node = svg(
    "rect",
    {
      x: x(from) + 1,
      y: y(rows.length),
      width: Math.max(x(to) - x(from) - 2, 1),
      height: height - 44 - y(rows.length),
      class: "histogram-bar",
      role: "button",
      tabindex: i === first ? 0 : -1,
      "aria-label": words,
      "data-bin": i,
    },
    svg("title", {}, words),
  );
  const load = () => page.loadRow(rows[(rows.indexOf(page.row) + 1) % rows.length]);
  node.addEventListener("click", load);
  node.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      load();
    }
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const bars = [...node.parentNode.querySelectorAll(".histogram-bar")];
    const next = bars[bars.indexOf(node) + by];
    if (!next) return;
    node.setAttribute("tabindex", -1);
    next.setAttribute("tabindex", 0);
    next.focus();
  });
  return node;
}
