// The neuron drawn: inputs, wires as wide as they push, the sum, the activation, the output.

const HOLLOW = 4;

function diagramPanel() {
  return { needs: ["values", "weights", "neuron", "size"], draw: drawDiagram };
}

// The features that get a line of their own, always in the same order, and one line for the rest.
function termsOf(page, most) {
  const { pushes, rest } = page.start;
  const order = page.terms;
  const cut = order.length > most || page.data.rest ? Math.min(order.length, most - 1) : order.length;
  const terms = order.slice(0, cut).map((f) => ({
    feature: f,
    name: page.data.features[f].name,
    value: page.valueText(f),
    push: pushes[f],
  }));
  const others = order.slice(cut);
  const hidden = others.length + (page.data.rest ? page.data.rest.count : 0);
  if (hidden) {
    const push = others.reduce((sum, f) => sum + pushes[f], rest);
    terms.push({ feature: null, name: `${fmt(hidden, 6)} others`, value: "together", push });
  }
  return terms;
}

function drawDiagram(page) {
  const box = byId("diagram");
  const isNarrow = widthOf(box) < 560;
  const terms = termsOf(page, isNarrow ? 7 : FEW_TERMS);
  const start = page.start;
  const all = [...terms, { name: start.name, value: "", push: start.z, isStart: true }];
  const step = isNarrow ? 36 : 40;
  const height = Math.max(all.length * step + 24, 250);
  const { node, width } = chart(box, height, diagramWords(page, terms));
  const at = {
    text: isNarrow ? width * 0.29 : Math.min(210, width * 0.26),
    sum: width * (isNarrow ? 0.55 : 0.5),
    curve: width * (isNarrow ? 0.735 : 0.71),
    out: width - (isNarrow ? 30 : 52),
    y: height / 2,
    half: isNarrow ? 29 : 48,
    r: isNarrow ? 22 : 34,
  };
  const largest = Math.max(...terms.map((t) => Math.abs(t.push))) || 1;
  const labels = [];
  all.forEach((term, i) => {
    const y = height / 2 + (i - (all.length - 1) / 2) * step;
    node.append(wire(at, y, term, largest), inputLabel(at, y, term, isNarrow));
    if (!isNarrow) labels.push(pushLabel(at, y, term));
  });
  node.append(...labels, ...neuronBody(page, at, isNarrow));
}

function wire(at, y, term, largest) {
  const from = at.text + 14;
  const to = at.sum - at.r;
  const middle = from + (to - from) * 0.55;
  const share = term.isStart ? 0.12 : Math.min(Math.abs(term.push) / largest, 1);
  const d = `M${from},${y} C${middle},${y} ${middle},${at.y} ${to},${at.y}`;
  const width = 0.75 + 10 * share;
  const outer = svg("path", { d, class: `wire ${signOf(term.push)}` });
  outer.style.strokeWidth = `${width.toFixed(2)}px`;
  if (term.push >= 0) return outer;
  // Downwards: a hollow wire; a dashed one where it is too thin for that.
  if (width < HOLLOW) {
    outer.classList.add("thin");
    return outer;
  }
  const inner = svg("path", { d, class: "wire hollow" });
  inner.style.strokeWidth = `${(width - 2.6).toFixed(2)}px`;
  return svg("g", {}, outer, inner);
}

function inputLabel(at, y, term, isNarrow) {
  const room = Math.floor(at.text / (isNarrow ? 6.6 : 7.4));
  const label = term.value ? [textAt(at.text, y - 3, clip(term.name, room), "label", "end")] : [];
  if (term.value) label.push(textAt(at.text, y + 12, clip(term.value, room), "quiet", "end"));
  else label.push(textAt(at.text, y + 4, term.name, "label start-label", "end"));
  const dot = term.isStart
    ? svg("rect", { x: at.text + 8, y: y - 5, width: 10, height: 10, class: "input-dot" })
    : svg("circle", { cx: at.text + 13, cy: y, r: 5, class: "input-dot" });
  return svg("g", {}, svg("title", {}, term.name), ...label, dot);
}

// Outside of the bend of the wire: above one that comes down, below one that comes up.
function pushLabel(at, y, term) {
  const beside = y > at.y ? y + 16 : y - 7;
  return textAt(at.text + 26, beside, signed(term.push, 3), `quiet halo ${signOf(term.push)}-text`);
}

function neuronBody(page, at, isNarrow) {
  const { z, outputs, neuron, data } = page;
  const level = data.task === "sum" ? z[neuron] : outputs.levels[neuron];
  const parts = [
    line(at.sum + at.r, at.y, at.curve - at.half, at.y, "link"),
    line(at.curve + at.half, at.y, at.out - at.r, at.y, "link"),
    svg("circle", { cx: at.sum, cy: at.y, r: at.r, class: "sum" }),
    textAt(at.sum, at.y - (isNarrow ? 2 : 4), "Σ", "sigma", "middle"),
    textAt(at.sum, at.y + (isNarrow ? 12 : 16), isNarrow ? brief(z[neuron]) : fmt(z[neuron]), "inside", "middle"),
    textAt(at.sum, at.y + at.r + 16, "z", "caption", "middle"),
    ...smallCurve(page, at),
    textAt(at.curve, at.y + at.half + 16, data.activation.name.replace("_", " "), "caption", "middle"),
    svg("circle", { cx: at.out, cy: at.y, r: at.r, class: "out" }),
    textAt(at.out, at.y + 5, brief(level), "inside out-text", "middle"),
    textAt(at.out, at.y + at.r + 16, "level a", "caption", "middle"),
  ];
  return [...parts, ...predictionBelow(page, at)];
}

// What the level becomes where the target was transformed.
function predictionBelow(page, at) {
  const { data, outputs, neuron } = page;
  if (data.task !== "regression" || !data.target.length) return [];
  const x = at.out + at.r;
  return [
    line(at.out, at.y + at.r + 22, at.out, at.y + at.r + 36, "link"),
    textAt(x, at.y + at.r + 54, fmt(outputs.values[neuron]), "total", "end"),
    textAt(x, at.y + at.r + 70, clip(data.target_name || "prediction", 18), "caption", "end"),
  ];
}

function smallCurve(page, at) {
  const { half } = at;
  const [low, high] = curveRange(page);
  const f = curveOf(page);
  const points = [];
  for (let i = 0; i <= 60; i += 1) points.push([low + ((high - low) * i) / 60]);
  for (const p of points) p.push(f(p[0]));
  const [bottom, top] = extent(points.map((p) => p[1]));
  const x = scaleBetween(low, high, at.curve - half + 7, at.curve + half - 7);
  const y = scaleBetween(bottom, top, at.y + half - 9, at.y - half + 9);
  const z = Math.min(Math.max(page.z[page.neuron], low), high);
  return [
    svg("rect", {
      x: at.curve - half, y: at.y - half, width: 2 * half, height: 2 * half, rx: 10, class: "box",
    }),
    path(points.map(([u, v]) => [x(u), y(v)]), "curve"),
    svg("circle", { cx: x(z), cy: y(f(z)), r: 5, class: "dot" }),
  ];
}

function diagramWords(page, terms) {
  const pushes = terms.map((t) => `${t.name} ${t.value} pushes ${signed(t.push, 3)}`).join("; ");
  const level = fmt(page.outputs.levels[page.neuron]);
  return `${pushes}; sum z ${fmt(page.z[page.neuron])}; level ${level}`;
}

// -- the formula, with this row's numbers ---------------------------------------------------------

function formulaPanel() {
  return { needs: ["values", "weights", "neuron"], draw: drawFormula };
}

function drawFormula(page) {
  const { data, neuron } = page;
  const lines = [sumLine(page), levelLine(page), ...targetLines(page)];
  byId("formula").replaceChildren(...lines.filter(Boolean).map((parts) => el("p", {}, ...parts)));
  byId("formula-text").textContent =
    data.neurons.length > 1
      ? `Neuron ${neuron + 1} of ${data.neurons.length}: z = x · w + b, then a = f(z).`
      : "z = x · w + b, then a = f(z).";
}

function sumLine(page) {
  const terms = termsOf(page, 6);
  const { z, name } = page.start;
  const parts = ["z = ", formulaTerm(z, name, true)];
  for (const t of terms) {
    const what = t.feature === null ? t.name : `${t.name} ${t.value}`;
    parts.push(" ", formulaTerm(t.push, what, false, productOf(page, t.feature)));
  }
  return [...parts, ` = ${fmt(page.z[page.neuron], 6)}`];
}

// A push as weight times input, where it is one: less the average, if pushes count from there.
function productOf(page, f) {
  if (f === null || page.data.features[f].inputs.length > 1) return null;
  const j = page.data.features[f].inputs[0];
  const weight = page.weights.coef[page.neuron * page.model.nInputs + j];
  const x = page.baseline === "bias" ? page.x[j] : page.x[j] - page.data.means[j];
  return `${fmt(weight, 3)} × ${fmt(x, 3)}`;
}

function formulaTerm(value, name, isFirst = false, product = null) {
  const sign = value < 0 ? "−" : isFirst ? "" : "+";
  const space = isFirst ? "" : " ";
  return el(
    "span",
    { class: "term" },
    `${sign}${space}${fmt(Math.abs(value))}`,
    el("small", {}, named(clip(name, 28))),
    product && el("small", {}, product),
  );
}

function levelLine(page) {
  const { data, outputs, neuron } = page;
  if (data.task === "sum") return null;
  const z = fmt(page.z[neuron], 6);
  const a = fmt(outputs.levels[neuron], 6);
  if (data.activation.name === "softmax") {
    return [`a = exp(z) / Σ exp(z of every neuron) = ${a}`];
  }
  return [`a = f(${z}) = ${a}`, el("small", {}, ACTIVATIONS[data.activation.name].formula)];
}

function targetLines(page) {
  const { data, outputs, neuron } = page;
  if (data.task === "regression") {
    if (!data.target.length) return [];
    let words = "a";
    for (const step of data.target) {
      words = step.name ? `${step.name}(${words})` : `${fmt(step.scale[neuron])} × ${words} ${signed(step.shift[neuron])}`;
    }
    return [[`prediction = ${words} = ${fmt(outputs.values[neuron], 6)}`]];
  }
  if (data.task === "binary") {
    return [["P(", named(data.labels[1]), `) = ${fmt(outputs.values[1], 6)}`]];
  }
  return [];
}
