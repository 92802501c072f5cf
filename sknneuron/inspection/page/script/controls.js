// The rail on the left: the prediction, and a control for every feature.

const FIRST_CONTROLS = 12;
const MOST_OUTPUTS = 12;

function predictionPanel() {
  return { needs: ["values", "weights", "neuron"], draw: drawPrediction };
}

function drawPrediction(page) {
  const { data, outputs } = page;
  const box = byId("prediction");
  const isRegression = data.task === "regression" || data.task === "sum";
  const k = isRegression ? page.neuron : 0;
  const parts = isRegression
    ? [el("span", { class: "headline" }, fmt(outputs.values[k]))]
    : [el("span", { class: "headline" }, named(chosenText(page)))];
  box.dataset.value = isRegression ? outputs.values[k] : chosenText(page);
  box.replaceChildren(el("span", { class: "what" }, predictedWhat(page)), ...parts);
  const actual = page.isRow && data.rows.y ? actualText(page) : null;
  byId("actual").replaceChildren(actual || " ");
  // A long list scrolls, on narrow screens at least: the keyboard must get there.
  if (outputs.values.length > 4) byId("outputs").setAttribute("tabindex", 0);
  byId("outputs").replaceChildren(...(outputs.values.length > 1 || !isRegression ? outputBars(page) : []));
}

function predictedWhat(page) {
  const { data } = page;
  if (data.task === "sum") return "weighted sum z";
  if (data.neurons.length > 1 && data.task === "regression") return named(page.neuronName);
  return named(data.target_name || "prediction");
}

function chosenText(page) {
  const { data, outputs } = page;
  if (!Array.isArray(outputs.chosen)) return data.labels[outputs.chosen];
  const labels = data.labels.filter((_, i) => outputs.chosen[i]);
  return labels.length ? labels.join(", ") : "none";
}

function actualText(page) {
  const { data, row } = page;
  const { y } = data.rows;
  if (data.task === "regression" || data.task === "sum") {
    const n = y.length / data.rows.n;
    const actual = y[row * n + (n > 1 ? page.neuron : 0)];
    if (data.task === "sum") return `actual ${fmt(actual)}`;
    const off = page.outputs.values[n > 1 ? page.neuron : 0] - actual;
    return `actual ${fmt(actual)}, predicted ${fmt(Math.abs(off), 3)} ${off < 0 ? "too low" : "too high"}`;
  }
  if (data.task === "multilabel" || data.multilabel) {
    const n = data.labels.length;
    const labels = data.labels.filter((_, i) => y[row * n + i] > 0);
    return `actual: ${labels.join(", ") || "none"}`;
  }
  return `actual: ${y[row] < 0 ? "another label" : data.labels[y[row]]}`;
}

// One line for each class or target: its name, a bar, its value to the last digit in data-value.
function outputBars(page) {
  const { data, outputs } = page;
  const names = data.labels;
  const isShare = data.task !== "regression" && data.task !== "margin" && data.task !== "sum";
  const byValue = outputs.values.map((_, i) => i).sort((a, b) => outputs.values[b] - outputs.values[a]);
  const isLong = byValue.length > MOST_OUTPUTS;
  const order = isLong ? byValue.slice(0, MOST_OUTPUTS) : outputs.values.map((_, i) => i);
  const largest = isShare ? 1 : Math.max(...outputs.values.map(Math.abs)) || 1;
  const lines = order.map((i) => {
    const value = outputs.values[i];
    const bar = el("span", { class: `bar ${signOf(value)}` });
    bar.style.width = `${(100 * Math.abs(value)) / largest}%`;
    const node = el(
      "li",
      { "data-output": i, "data-value": value },
      el("span", { class: "name" }, named(names[i])),
      el("span", { class: "track" }, bar),
      el("span", { class: "number" }, isShare ? percent(value) : signed(value)),
    );
    node.style.setProperty("--rank", byValue.indexOf(i));
    return node;
  });
  if (isLong) {
    const rest = byValue.length - MOST_OUTPUTS;
    lines.push(el("li", { class: "more" }, `and ${fmt(rest)} more, all smaller`));
  }
  return lines;
}

function controlsPanel(page) {
  const list = byId("controls");
  const controls = [];
  const order = page.data.features.length > FIRST_CONTROLS ? page.order : page.data.features.keys();
  for (const f of order) {
    controls[f] = buildControl(page, f);
    list.append(controls[f].node);
  }
  hideAfter(list, FIRST_CONTROLS, byId("more-controls"), "feature");
  byId("row").max = page.nRows;
  byId("row-picker").hidden = !page.nRows;
  byId("row-count").textContent = `of ${fmt(page.nRows, 7)}`;
  byId("row").addEventListener("change", (event) => {
    const row = Math.round(Number(event.target.value)) - 1;
    if (row >= 0 && row < page.nRows) page.loadRow(row);
    else page.draw("values");
  });
  // Enter brings the row back as it was, even if its number is the same.
  byId("row").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && page.row !== null && Number(event.target.value) === page.row + 1) {
      page.loadRow(page.row);
    }
  });
  const step = (by) => page.loadRow(((page.row ?? -by) + by + page.nRows) % page.nRows);
  byId("previous-row").addEventListener("click", () => step(-1));
  byId("next-row").addEventListener("click", () => step(1));
  byId("typical").addEventListener("click", () => page.loadTypical());
  return { needs: ["values", "weights", "neuron"], draw: () => drawControls(page, controls) };
}

// Show the first few of a long list, and a button for the rest.
function hideAfter(list, count, button, noun) {
  const rest = [...list.children].slice(count);
  const all = list.children.length;
  button.hidden = rest.length === 0;
  const show = (open) => {
    for (const node of rest) node.hidden = !open;
    button.setAttribute("aria-expanded", open);
    button.textContent = open ? `Only the first ${count}` : `All ${all} ${noun}s`;
  };
  show(false);
  button.onclick = () => show(button.getAttribute("aria-expanded") === "false");
}

function buildControl(page, f) {
  const feature = page.data.features[f];
  const id = `feature-${f}`;
  const push = el("span", { class: "push" });
  const label = el("label", { for: id, class: "name" }, named(feature.name));
  const build = feature.levels ? buildChoice : buildSlider;
  const control = build(page, f, feature, id);
  const missing = feature.can_miss ? buildMissing(page, f, feature) : null;
  const node = el(
    "div",
    { class: "control", "data-feature": f },
    el("div", { class: "line" }, label, missing, push),
    control.node,
  );
  return { ...control, node, push, missing };
}

function buildSlider(page, f, feature, id) {
  const slider = el("input", {
    type: "range",
    id,
    min: feature.min,
    max: feature.max,
    step: feature.integer ? 1 : "any",
  });
  const field = el("input", { type: "number", step: "any", "aria-label": `${feature.name}, exact value` });
  slider.addEventListener("input", () => page.setValue(f, Number(slider.value)));
  field.addEventListener("change", () => {
    const value = field.value === "" ? NaN : Number(field.value);
    if (Number.isFinite(value)) page.setValue(f, value);
    else drawControl();
  });
  const drawControl = () => {
    const value = page.values[f];
    const isMissing = Number.isNaN(value);
    if (!isMissing && Number(slider.value) !== value) slider.value = value;
    slider.classList.toggle("absent", isMissing);
    slider.setAttribute("aria-valuetext", isMissing ? "missing" : plain(value));
    if (document.activeElement !== field || isMissing) field.value = plain(value);
    else if (Number(field.value) !== value) field.value = plain(value);
  };
  return { node: el("div", { class: "line" }, slider, field), draw: drawControl };
}

function buildChoice(page, f, feature, id) {
  const select = el("select", { id });
  feature.levels.forEach((level, i) => select.append(el("option", { value: i }, level)));
  if (feature.has_other) select.append(el("option", { value: -1 }, "other (not seen in training)"));
  if (feature.can_miss) select.append(el("option", { value: "missing" }, "missing"));
  select.addEventListener("change", () => {
    page.setValue(f, select.value === "missing" ? NaN : Number(select.value));
  });
  const drawChoice = () => {
    const value = page.values[f];
    select.value = Number.isNaN(value) ? "missing" : value;
  };
  return { node: el("div", { class: "line" }, select), draw: drawChoice };
}

function buildMissing(page, f, feature) {
  if (feature.levels) return null;
  const button = el("button", { type: "button", class: "small", "aria-pressed": false }, "missing");
  button.title = "Leave this value out: the pipeline fills it in";
  button.addEventListener("click", () => {
    const isMissing = Number.isNaN(page.values[f]);
    page.setValue(f, isMissing ? feature.start : NaN);
  });
  return button;
}

function drawControls(page, controls) {
  const { pushes } = page.start;
  controls.forEach((control, f) => {
    control.draw();
    control.push.className = `push ${signOf(pushes[f])}`;
    control.push.textContent = pushText(pushes[f]);
    if (control.missing) control.missing.setAttribute("aria-pressed", Number.isNaN(page.values[f]));
  });
  byId("row").value = page.row === null ? "" : page.row + 1;
  byId("row-name").textContent = rowText(page);
}

// The sign twice over: as a sign, and as the way an arrow points.
function pushText(push) {
  if (Math.abs(push) < 1e-12) return "· 0";
  return push > 0 ? `▲ ${signed(push, 3)}` : `▼ ${signed(push, 3)}`;
}

function rowText(page) {
  if (page.row === null) return "typical values now";
  return `${page.data.rows.names[page.row]}${page.isRow ? "" : ", changed"}`;
}
