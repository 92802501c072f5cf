// The activation curve with this row on it, the zones without slope, and the rows' z below.

function activationPanel(page) {
  byId("activation-text").textContent = activationWords(page.data);
  return { needs: ["values", "weights", "neuron", "size"], draw: drawActivation };
}

function activationWords({ activation, task }) {
  if (task === "sum") return "This page stops at the weighted sum.";
  if (activation.name === "softmax") {
    return "Softmax: the level depends on every neuron's z. The curve moves this one's alone.";
  }
  const flat = {
    dead: " In the shaded zone the neuron is silent: its slope has all but gone.",
    saturated: " In the shaded zones it is saturated: its slope has all but gone.",
  };
  return `${ACTIVATIONS[activation.name].formula}.${flat[activation.flat] || ""}`;
}

// The level as a function of this neuron's z, those of the others staying as they are.
function curveOf(page) {
  const { data, model, neuron } = page;
  if (data.task === "sum") return (z) => z;
  if (data.activation.name !== "softmax") return (z) => model.level(z);
  const others = page.z.slice();
  return (z) => {
    others[neuron] = z;
    return softmax(others)[neuron];
  };
}

function curveRange(page) {
  const { data, neuron } = page;
  const seen = page.rowZ.map((z) => z[neuron]);
  const marks = [page.z[neuron], ...seen, ...data.z_range];
  const [low, high] = extent(marks.filter(Number.isFinite));
  const margin = 0.06 * (high - low) || 1;
  return [low - margin, high + margin];
}

function drawActivation(page) {
  const { data, neuron } = page;
  const f = curveOf(page);
  const [low, high] = curveRange(page);
  const points = curvePoints(f, low, high, data.activation.marks);
  const levels = extent([...points.map((p) => p[1]), ...data.activation.range.filter(Number.isFinite)]);
  const box = byId("activation");
  const { node, width, height } = chart(box, 300, activationLabel(page));
  const left = tickRoom(levels);
  const x = scaleBetween(low, high, left, width - 12);
  const bottom = page.nRows ? height - 86 : height - 42;
  const y = scaleBetween(levels[0], levels[1], bottom, 26);
  if (data.task !== "sum") node.append(...flatZones(data, x, [low, high], bottom));
  yAxis(node, y, levels, left, width - 12, "level a");
  if (page.nRows) node.append(...rowStrip(page, x, [low, high], bottom + 40));
  xAxis(node, x, [low, high], height - 38, [left, width - 12], "z");
  node.append(path(points.map(([u, v]) => [x(u), y(v)]), "curve"));
  node.append(...thresholdMark(data, x, bottom));
  const z = page.z[neuron];
  const at = [x(z), y(f(z))];
  node.append(
    line(at[0], height - 38, at[0], at[1], "drop"),
    line(left, at[1], at[0], at[1], "drop"),
    svg("circle", { cx: at[0], cy: at[1], r: 6.5, class: "dot" }),
  );
}

// Evenly spaced, and on both sides of each kink.
function curvePoints(f, low, high, marks) {
  const zs = [];
  for (let i = 0; i <= 160; i += 1) zs.push(low + ((high - low) * i) / 160);
  zs.push(...marks.filter((m) => m > low && m < high));
  return zs.sort((a, b) => a - b).map((z) => [z, f(z)]);
}

function flatZones({ activation }, x, [low, high], bottom) {
  const [from, to] = activation.responsive;
  const zones = [];
  const zone = (a, b) => {
    if (b <= a) return;
    zones.push(svg("rect", { x: x(a), y: 14, width: x(b) - x(a), height: bottom - 14, class: "zone" }));
    if (x(b) - x(a) > 60) {
      zones.push(textAt((x(a) + x(b)) / 2, 26, activation.flat, "zone-name", "middle"));
    }
  };
  if (Number.isFinite(from)) zone(low, Math.min(from, high));
  if (Number.isFinite(to)) zone(Math.max(to, low), high);
  return zones;
}

function thresholdMark(data, x, bottom) {
  if (data.threshold === null || data.activation.name === "softmax") return [];
  const at = x(data.threshold);
  const words = { binary: "p = ½", multilabel: "p = ½", margin: "margin 0" }[data.task] || "";
  return [line(at, 14, at, bottom, "threshold"), textAt(at + 4, bottom - 6, words, "quiet halo")];
}

// How many rows lie where, as a strip of bars.
function rowStrip(page, x, [low, high], base) {
  const counts = new Array(48).fill(0);
  for (const z of page.rowZ) {
    const bin = Math.floor(((z[page.neuron] - low) / (high - low)) * counts.length);
    counts[Math.min(Math.max(bin, 0), counts.length - 1)] += 1;
  }
  const most = Math.max(...counts);
  const step = (high - low) / counts.length;
  return counts.map((count, i) => {
    const height = (30 * count) / most;
    return svg("rect", {
      x: x(low + i * step) + 0.5,
      y: base - height,
      width: Math.max(x(low + step) - x(low) - 1, 1),
      height,
      class: "strip",
    });
  });
}

function activationLabel(page) {
  const { data, outputs, neuron } = page;
  const level = fmt(outputs.levels[neuron]);
  return `Curve of ${data.activation.name}: at z ${fmt(page.z[neuron])} the level is ${level}`;
}
