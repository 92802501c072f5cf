// How z comes about: from the start, feature by feature, to the sum.

function waterfallPanel(page) {
  const buttons = { bias: byId("from-bias"), average: byId("from-average") };
  for (const [baseline, button] of Object.entries(buttons)) {
    button.addEventListener("click", () => page.setBaseline(baseline));
  }
  byId("baseline").hidden = !page.data.means;
  return {
    needs: ["values", "weights", "neuron", "size"],
    draw: () => {
      for (const [baseline, button] of Object.entries(buttons)) {
        button.setAttribute("aria-pressed", page.baseline === baseline);
      }
      byId("waterfall-text").textContent = waterfallWords(page);
      drawWaterfall(page);
    },
  };
}

function waterfallWords(page) {
  const { data } = page;
  const from = page.baseline === "bias" ? "the bias" : "the average row of the data given";
  const words = `From ${from} to z, feature by feature. Filled bars push up, hollow ones down.`;
  if (!data.multiplies) return words;
  return `${words} The prediction is an exponential of z, so each push multiplies it: in per cent.`;
}

function drawWaterfall(page) {
  const { start, data } = page;
  const box = byId("waterfall");
  const terms = termsOf(page, 12);
  const z = page.z[page.neuron];
  const step = 27;
  const height = (terms.length + 2) * step + 12;
  const { node, width } = chart(box, height, waterfallLabel(page, terms, z));
  const left = Math.min(210, width * 0.38);
  const words = [fmt(z), fmt(start.z), ...terms.map((t) => pushWords(t, data))];
  const right = width - 18 - 7 * Math.max(...words.map((w) => w.length));
  const stops = [start.z];
  for (const t of terms) stops.push(stops.at(-1) + t.push);
  const [low, high] = extent([...stops, z]);
  const x = scaleBetween(low, high, left + 8, right);
  const lineOf = (i) => 8 + i * step;
  node.append(totalLine(lineOf(0), start.name, start.z, x, left, right));
  terms.forEach((t, i) => {
    node.append(termLine(lineOf(i + 1), t, x, [stops[i], stops[i + 1]], { left, right, step, data }));
  });
  node.append(totalLine(lineOf(terms.length + 1), "z", z, x, left, right));
}

function pushWords({ push }, { multiplies }) {
  const change = 100 * Math.expm1(push);
  const digits = Math.abs(change) < 10 ? 2 : 3;
  return signed(push, 3) + (multiplies ? `, ${signed(change, digits)} %` : "");
}

function totalLine(y, name, value, x, left, right) {
  return svg(
    "g",
    {},
    textAt(left - 4, y + 14, name, "label total", "end"),
    line(x(value), y, x(value), y + 19, "total-mark"),
    textAt(right + 8, y + 14, fmt(value), "number total"),
  );
}

function termLine(y, t, x, [from, to], { left, right, step, data }) {
  const [a, b] = [x(Math.min(from, to)), x(Math.max(from, to))];
  const name = t.feature === null ? `${t.name} together` : `${t.name} = ${t.value}`;
  return svg(
    "g",
    {},
    svg("title", {}, name),
    textAt(left - 4, y + 14, clip(name, Math.floor(left / 8.2)), "label", "end"),
    svg("rect", { x: a, y: y + 2, width: Math.max(b - a, 1), height: 15, class: `fall ${signOf(t.push)}` }),
    line(x(to), y + 17, x(to), y + step + 2, "joint"),
    textAt(right + 8, y + 14, pushWords(t, data), `number ${signOf(t.push)}-text`),
  );
}

function waterfallLabel(page, terms, z) {
  const parts = terms.map((t) => `${t.name} ${signed(t.push, 3)}`);
  return `From ${page.start.name} ${fmt(page.start.z)}: ${parts.join(", ")}; in all z ${fmt(z)}`;
}
