// The rows of the sample: a histogram of levels, the strongest and the weakest, to click.

const BINS = 24;

function rowsPanel(page) {
  byId("rows").hidden = !page.nRows;
  if (!page.nRows) return { needs: [], draw: () => {} };
  byId("rows-text").textContent = page.data.rows.words;
  return { needs: ["values", "weights", "neuron", "size"], draw: drawRows };
}

function drawRows(page) {
  const { data, neuron } = page;
  const levels = page.rowOutputs.map((o) => (data.task === "sum" ? o.values[neuron] : o.levels[neuron]));
  drawHistogram(page, levels);
  const order = levels.map((_, i) => i).sort((a, b) => levels[b] - levels[a] || a - b);
  byId("strongest").replaceChildren(...order.slice(0, 5).map((row) => rowButton(page, row, levels)));
  byId("weakest").replaceChildren(...order.slice(-5).reverse().map((row) => rowButton(page, row, levels)));
}

function rowButton(page, row, levels) {
  const { values } = page.rowOutputs[row];
  const shown = page.data.task === "regression" ? values[page.neuron] : levels[row];
  const button = el(
    "button",
    { type: "button", class: "row-button", "aria-pressed": page.row === row, "data-row": row },
    named(page.data.rows.names[row]),
    el("span", { class: "number" }, fmt(shown)),
  );
  button.addEventListener("click", () => {
    page.loadRow(row);
    // The list has been drawn anew: stay where the reader was.
    document.querySelector(`.row-button[data-row="${row}"]`)?.focus();
  });
  return el("li", {}, button);
}

// Rows by level, in bins of equal width.
function binsOf(levels) {
  let [low, high] = extent(levels);
  if (!(high > low)) [low, high] = [low - 0.5, high + 0.5];
  const bins = Array.from({ length: BINS }, () => []);
  levels.forEach((level, row) => {
    bins[Math.min(Math.floor(((level - low) / (high - low)) * BINS), BINS - 1)]?.push(row);
  });
  return { bins, low, high };
}

function drawHistogram(page, levels) {
  const box = byId("histogram");
  const focused = box.contains(document.activeElement) ? document.activeElement.dataset.bin : null;
  const { bins, low, high } = binsOf(levels);
  const most = Math.max(...bins.map((b) => b.length));
  const { node, width, height } = chart(box, 210, "Rows by level");
  node.setAttribute("role", "group");
  const left = 44;
  const x = scaleBetween(low, high, left, width - 12);
  const y = scaleBetween(0, most, height - 44, 26);
  yAxis(node, y, [0, most], left, width - 12, "rows", 3);
  xAxis(node, x, [low, high], height - 40, [left, width - 12], "level a");
  const holder = page.row === null ? -1 : bins.findIndex((b) => b.includes(page.row));
  const first = focused ?? String(Math.max(holder, bins.findIndex((b) => b.length)));
  bins.forEach((rows, i) => {
    if (!rows.length) return;
    node.append(histogramBar(page, rows, i, { x, y, low, step: (high - low) / BINS, height, first, holder }));
  });
  const level = page.data.task === "sum" ? page.z[page.neuron] : page.outputs.levels[page.neuron];
  const at = x(Math.min(Math.max(level, low), high));
  node.append(line(at, 22, at, height - 44, "marker"), svg("circle", { cx: at, cy: 22, r: 5, class: "dot" }));
  if (focused !== null) box.querySelector(`[data-bin="${focused}"]`)?.focus();
}

// One tab stop for all bars: arrow keys go from one to the next, Enter loads a row of it.
function histogramBar(page, rows, i, { x, y, low, step, height, first, holder }) {
  const [from, to] = [low + i * step, low + (i + 1) * step];
  const words = `${rows.length} ${rows.length > 1 ? "rows" : "row"}, level ${fmt(from, 3)} to ${fmt(to, 3)}: load one`;
  const node = svg(
    "rect",
    {
      x: x(from) + 1,
      y: y(rows.length),
      width: Math.max(x(to) - x(from) - 2, 1),
      height: height - 44 - y(rows.length),
      class: i === holder ? "histogram-bar here" : "histogram-bar",
      role: "button",
      tabindex: String(i) === first ? 0 : -1,
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
    bars[bars.indexOf(node) + by]?.focus();
  });
  return node;
}
