// One feature at a time: how the prediction runs along it, the others staying as they are.

function slicePanel(page) {
  byId("slicing").hidden = page.order.length === 0;
  if (page.order.length === 0) return { needs: [], draw: () => {} };
  const select = byId("slice-feature");
  for (const f of page.order) {
    select.append(el("option", { value: f }, clip(page.data.features[f].name, 60)));
  }
  select.addEventListener("change", () => drawSlice(page));
  return { needs: ["values", "weights", "neuron", "size"], draw: drawSlice };
}

// Which of the output values the slice shows, and what it is called.
function sliceOutput(page) {
  const { data, neuron } = page;
  if (data.task === "binary") return { index: 1, name: `P(${data.labels[1]})`, isShare: true };
  const isShare = data.task === "multiclass" || data.task === "multilabel";
  const of = data.labels[neuron];
  if (isShare) return { index: neuron, name: `P(${of})`, isShare };
  const name = data.neurons.length > 1 ? of : data.target_name || "prediction";
  return { index: neuron, name: data.task === "margin" ? `margin of ${of}` : name, isShare };
}

function drawSlice(page) {
  const f = Number(byId("slice-feature").value);
  const feature = page.data.features[f];
  const output = sliceOutput(page);
  const stops = feature.levels ? levelStops(page, f) : numberStops(page, f);
  const curve = stops.map((v) => [v, valueAt(page, f, v)[output.index]]);
  const points = page.nRows ? realPoints(page, f, output) : [];
  const values = [...curve, ...points].map((p) => p[1]).filter(Number.isFinite);
  let range = output.isShare ? [0, 1] : extent(values);
  if (!(range[1] > range[0])) range = [range[0] - 1, range[1] + 1];
  const { node, width, height } = chart(byId("slice"), 300, sliceLabel(feature, output, curve));
  const left = tickRoom(range);
  const frame = { left, right: width - 14, bottom: height - (feature.levels ? 86 : 44), top: 30 };
  const y = scaleBetween(range[0], range[1], frame.bottom, frame.top);
  yAxis(node, y, range, left, frame.right, clip(output.name, 40));
  if (feature.levels) drawLevels(page, node, { f, curve, points, y, frame });
  else drawAlong(page, node, { f, curve, points, y, frame });
  byId("slice-text").textContent = sliceWords(page, points);
}

function numberStops(page, f) {
  const { min, max } = page.data.features[f];
  const value = page.values[f];
  const ends = Number.isNaN(value) ? [min, max] : extent([min, max, value]);
  const stops = [];
  for (let i = 0; i <= 80; i += 1) stops.push(ends[0] + ((ends[1] - ends[0]) * i) / 80);
  if (!Number.isNaN(value)) stops.push(value);
  return stops.sort((a, b) => a - b);
}

// The most frequent levels, and the one chosen.
function levelStops(page, f) {
  const stops = page.data.features[f].by_share.slice(0, 30);
  const value = page.values[f];
  if (value >= 0 && !stops.includes(value)) stops.push(value);
  return stops;
}

// The outputs with feature f at this value: only its own inputs are computed anew.
function valueAt(page, f, value) {
  const x = page.x.slice();
  setInputs(x, page.data.features[f], value);
  return page.model.outputs(page.model.weightedSums(x, page.weights, page.rest)).values;
}

// Real rows: what was observed where y is known, else what the neuron predicts for them.
function realPoints(page, f, output) {
  const { data } = page;
  const { y, n } = data.rows;
  const column = data.rows.columns[f];
  const observed = y && data.task === "regression" ? y : null;
  const points = [];
  for (let row = 0; row < n; row += 1) {
    if (Number.isNaN(column[row])) continue;
    const per = observed ? observed.length / n : 1;
    const value = observed
      ? observed[row * per + (per > 1 ? output.index : 0)]
      : page.rowOutputs[row].values[output.index];
    points.push([column[row], value, row]);
  }
  return points;
}

function sliceWords(page, points) {
  const line_ = "The line: this row, with only this feature moved.";
  if (!points.length) return line_;
  const isObserved = page.data.rows.y && page.data.task === "regression";
  const meaning = isObserved ? "what was observed" : "what the neuron says of them";
  return `${line_} The dots: the rows of the sample, and ${meaning}.`;
}

function drawAlong(page, node, { f, curve, points, y, frame }) {
  const ends = extent(curve.map((p) => p[0]));
  const x = scaleBetween(ends[0], ends[1], frame.left, frame.right);
  xAxis(node, x, ends, frame.bottom + 4, [frame.left, frame.right], clip(page.data.features[f].name, 50));
  const inside = points.filter(([u]) => u >= ends[0] && u <= ends[1]);
  node.append(dots(inside.map(([u, v]) => [x(u), y(v)]), "real"));
  const own = inside.filter((p) => p[2] === page.row);
  node.append(dots(own.map(([u, v]) => [x(u), y(v)]), "real here"));
  node.append(path(curve.map(([u, v]) => [x(u), y(v)]), "curve"));
  const value = page.values[f];
  if (Number.isNaN(value)) return;
  const now = curve.find((p) => p[0] === value);
  node.append(line(x(value), frame.bottom + 4, x(value), y(now[1]), "drop"));
  node.append(svg("circle", { cx: x(value), cy: y(now[1]), r: 6.5, class: "dot" }));
}

function drawLevels(page, node, { f, curve, points, y, frame }) {
  const { levels } = page.data.features[f];
  const place = new Map(curve.map(([level], i) => [level, i]));
  const step = (frame.right - frame.left) / curve.length;
  const x = (level) => frame.left + (place.get(level) + 0.5) * step;
  // Side by side, so that they do not cover one another.
  const aside = (row) => (((row * 7919) % 101) / 101 - 0.5) * Math.min(step * 0.6, 26);
  const inside = points.filter(([level]) => place.has(level));
  node.append(dots(inside.map(([level, v, row]) => [x(level) + aside(row), y(v)]), "real"));
  for (const [level, v] of curve) {
    const isHere = level === page.values[f];
    const half = Math.min(step * 0.38, 20);
    node.append(line(x(level) - half, y(v), x(level) + half, y(v), isHere ? "level here" : "level"));
    if (isHere) node.append(svg("circle", { cx: x(level), cy: y(v), r: 6.5, class: "dot" }));
    const label = textAt(0, 0, clip(levels[level], 14), isHere ? "tick strong" : "tick", "end");
    label.setAttribute("transform", `translate(${x(level) + 4},${frame.bottom + 14}) rotate(-55)`);
    node.append(label);
  }
}

function sliceLabel(feature, output, curve) {
  const [first, last] = [curve[0], curve.at(-1)];
  if (!first) return output.name;
  return `${output.name} along ${feature.name}: from ${fmt(first[1])} to ${fmt(last[1])}`;
}
