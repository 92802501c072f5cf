// The training: the loss curve, the paths of the strongest weights, and a slider over iterations.

const MOST_PATHS = 6;

function trainingPanel(page) {
  const { history } = page.data;
  byId("training").hidden = !history;
  if (!history) return { needs: [], draw: () => {} };
  byId("training-text").textContent = history.words;
  const scrubber = byId("scrubber");
  const hasWeights = Boolean(history.coef);
  byId("scrubbing").hidden = !hasWeights;
  byId("paths").hidden = !hasWeights;
  if (hasWeights) {
    scrubber.max = history.recorded.length - 1;
    scrubber.value = scrubber.max;
    scrubber.addEventListener("input", () => page.scrub(Number(scrubber.value)));
    byId("play").addEventListener("click", () => play(page));
    byId("to-fitted").addEventListener("click", () => page.backToFitted());
  }
  return {
    needs: ["weights", "neuron", "size"],
    draw: () => {
      if (hasWeights) drawScrubber(page);
      drawLoss(page);
      if (hasWeights) drawPaths(page);
    },
  };
}

// From the first iterate to the last; a second press stops it.
function play(page) {
  const button = byId("play");
  if (button.dataset.timer) {
    stopPlaying(button);
    return;
  }
  const last = page.data.history.recorded.length - 1;
  let at = page.iterate === null || page.iterate === last ? -1 : page.iterate;
  const pause = Math.min(400, Math.max(60, 6000 / (last + 1)));
  button.textContent = "Stop";
  button.dataset.timer = setInterval(() => {
    at += 1;
    page.scrub(at);
    if (at >= last) stopPlaying(button);
  }, pause);
}

function stopPlaying(button) {
  clearInterval(Number(button.dataset.timer));
  delete button.dataset.timer;
  button.textContent = "Play";
}

function drawScrubber(page) {
  const { history } = page.data;
  const scrubber = byId("scrubber");
  const last = history.recorded.length - 1;
  const at = page.iterate === null ? last : page.iterate;
  if (Number(scrubber.value) !== at) scrubber.value = at;
  const words = page.iterate === null ? (page.edited ? "edited weights" : "fitted") : iterateWords(history, at);
  byId("scrub-text").textContent = words;
  scrubber.setAttribute("aria-valuetext", words);
}

function iterateWords(history, at) {
  const i = history.recorded[at];
  const rows = history.n_rows[i] === history.n_rows.at(-1) ? "" : ` on ${fmt(history.n_rows[i], 7)} rows`;
  return `iteration ${history.iteration[i]}, loss ${fmt(history.loss[i], 5)}${rows}`;
}

// Where on the axis of iterations the reader stands.
function placeOf(page) {
  const { history } = page.data;
  if (page.iterate === null) return history.iteration.at(-1);
  return history.iteration[history.recorded[page.iterate]];
}

function drawLoss(page) {
  const { history } = page.data;
  const { iteration, loss, validation_loss: validation } = history;
  const curves = [loss, ...(validation ? [validation] : [])];
  const all = curves.flatMap((c) => Array.from(c)).filter(Number.isFinite);
  const [low, high] = extent(all);
  const isLog = low > 0 && high / low > 50;
  const by = isLog ? Math.log10 : (v) => v;
  const range = [by(low), by(high)];
  const { node, width, height } = chart(byId("loss"), 210, `Loss from ${fmt(loss[0])} to ${fmt(loss.at(-1))}`);
  const left = isLog ? 62 : tickRoom([low, high]);
  const x = scaleBetween(iteration[0], iteration.at(-1), left, width - 14);
  const y = scaleBetween(range[0], range[1], height - 44, 30);
  if (isLog) logAxis(node, y, range, left, width - 14);
  else yAxis(node, y, range, left, width - 14, "loss");
  xAxis(node, x, [iteration[0], iteration.at(-1)], height - 40, [left, width - 14], "iteration", true);
  curves.forEach((curve, c) => {
    const points = [];
    curve.forEach((v, i) => Number.isFinite(v) && points.push([x(iteration[i]), y(by(v))]));
    node.append(path(points, c ? "curve second" : "curve"));
    if (iteration.length <= 40) {
      node.append(...points.map(([u, v]) => svg("circle", { cx: u, cy: v, r: 3, class: "point" })));
    }
  });
  if (validation) {
    node.append(textAt(width - 14, 18, "solid: training, dashed: validation", "quiet", "end"));
  }
  node.append(marker(page, x, height - 40));
  pickByClick(page, node, x);
}

function logAxis(node, y, [low, high], left, right) {
  const marks = [];
  for (let e = Math.ceil(low); e <= high; e += 1) marks.push(e);
  if (marks.length < 2) marks.splice(0, marks.length, low, high);
  const every = Math.ceil(marks.length / 5);
  marks.filter((_, i) => i % every === 0).forEach((e) => {
    node.append(line(left, y(e), right, y(e), "grid"), textAt(left - 6, y(e) + 4, fmt(10 ** e, 2), "tick", "end"));
  });
  node.append(textAt(0, 16, "loss, logarithmic", "axis-name", "start"));
}

function marker(page, x, bottom) {
  const at = x(placeOf(page));
  return svg("g", {}, line(at, 24, at, bottom, "marker"), svg("circle", { cx: at, cy: bottom, r: 4, class: "dot" }));
}

function pickByClick(page, node, x) {
  const { history } = page.data;
  if (!history.coef) return;
  node.addEventListener("click", (event) => {
    const wanted = x.back(event.clientX - node.getBoundingClientRect().left);
    const distance = (at) => Math.abs(history.iteration[history.recorded[at]] - wanted);
    const places = history.recorded.map((_, at) => at);
    page.scrub(places.reduce((best, at) => (distance(at) < distance(best) ? at : best), 0));
  });
}

function drawPaths(page) {
  const { data, model, neuron } = page;
  const { history } = data;
  const box = byId("paths");
  const { node, width, height } = chart(box, 230, "Paths of the strongest weights over the training");
  const weightAt = (at, j) => history.coef[(at * model.nNeurons + neuron) * model.nInputs + j];
  const last = history.recorded.length - 1;
  const inputs = Array.from({ length: model.nInputs }, (_, j) => j);
  const strength = (j) => Math.abs(data.coef[neuron * model.nInputs + j]);
  inputs.sort((a, b) => strength(b) - strength(a));
  const shown = inputs.slice(0, 40);
  const values = shown.flatMap((j) => history.recorded.map((_, at) => weightAt(at, j)));
  const range = extent([0, ...values]);
  const left = tickRoom(range);
  const right = width - Math.min(170, width * 0.32);
  const first = history.iteration[0];
  const x = scaleBetween(first, history.iteration.at(-1), left, right);
  const y = scaleBetween(range[0], range[1], height - 44, 30);
  yAxis(node, y, range, left, right, "weight, on the neuron's own scale");
  xAxis(node, x, [first, history.iteration.at(-1)], height - 40, [left, right], "iteration", true);
  const pathOf = (j) =>
    history.recorded.map((i, at) => [x(history.iteration[i]), y(weightAt(at, j))]);
  shown.slice(MOST_PATHS).forEach((j) => node.append(path(pathOf(j), "other-path")));
  const strongest = shown.slice(0, MOST_PATHS);
  const labels = spread(strongest.map((j) => y(weightAt(last, j))), 15, 30, height - 44);
  strongest.forEach((j, i) => {
    const points = pathOf(j);
    const sign = signOf(weightAt(last, j));
    node.append(path(points, `weight-path ${sign}`));
    node.append(line(points.at(-1)[0], points.at(-1)[1], right + 10, labels[i], "joint"));
    const name = clip(data.inputs[j], Math.floor((width - right - 14) / 6.6));
    node.append(textAt(right + 13, labels[i] + 4, name, `quiet ${sign}-text`));
  });
  node.append(line(left, y(0), right, y(0), "axis"), marker(page, x, height - 40));
  pickByClick(page, node, x);
}

// Move labels apart so that none covers another, as little as may be.
function spread(wanted, gap, top, bottom) {
  const order = wanted.map((_, i) => i).sort((a, b) => wanted[a] - wanted[b]);
  const placed = wanted.slice();
  order.forEach((i, n) => {
    const least = n ? placed[order[n - 1]] + gap : top;
    placed[i] = Math.max(placed[i], least);
  });
  for (let n = order.length - 1; n >= 0; n -= 1) {
    const most = n === order.length - 1 ? bottom : placed[order[n + 1]] - gap;
    placed[order[n]] = Math.min(placed[order[n]], most);
  }
  return placed;
}
