// Several neurons side by side: their levels, and what each looks for.

const MOST_CARDS = 40;

function neuronsPanel(page) {
  const { data } = page;
  const many = data.neurons.length > 1;
  byId("neurons").hidden = !many;
  byId("neuron-picker").hidden = !many;
  if (!many) return { needs: [], draw: () => {} };
  const select = byId("neuron");
  data.neurons.forEach((name, k) => select.append(el("option", { value: k }, clip(name, 60))));
  select.addEventListener("change", () => page.pickNeuron(Number(select.value)));
  byId("neurons-text").textContent = neuronsWords(data);
  const cards = data.neurons.slice(0, MOST_CARDS).map((_, k) => neuronCard(page, k));
  byId("cards").append(...cards.map((card) => card.node));
  return {
    needs: ["values", "weights", "neuron"],
    draw: (_, what) => {
      select.value = page.neuron;
      for (const card of cards) card.draw(what);
    },
  };
}

function neuronsWords(data) {
  const cut = data.neurons.length > MOST_CARDS ? ` The first ${MOST_CARDS} are drawn.` : "";
  if (data.picture) {
    return `Each neuron's weights as a picture: a filled square asks for ink there, a hollow one for none, and its size says how much.${cut}`;
  }
  return `The same input, seen through the weights of each neuron. Choose one to look at it closely.${cut}`;
}

function neuronCard(page, k) {
  const { data } = page;
  const bar = el("span", { class: "bar pos" });
  const number = el("span", { class: "number" });
  const face = el("span", { class: "face" });
  const node = el(
    "button",
    { type: "button", class: "card", "data-neuron": k },
    el("span", { class: "card-name" }, named(data.neurons[k])),
    face,
    el("span", { class: "card-level" }, el("span", { class: "track" }, bar), number),
  );
  node.addEventListener("click", () => page.pickNeuron(k));
  const draw = (what) => {
    node.setAttribute("aria-pressed", k === page.neuron);
    const level = page.outputs.levels[k];
    number.textContent = fmt(level, 3);
    const largest = Math.max(...page.outputs.levels.map(Math.abs)) || 1;
    bar.className = `bar ${signOf(level)}`;
    bar.style.width = `${(100 * Math.abs(level)) / largest}%`;
    if (what !== "values" || !data.picture) {
      face.replaceChildren(data.picture ? hinton(page, k) : strongestWords(page, k));
    }
  };
  return { node, draw };
}

// A picture of weights that needs no colour: size is strength, filled is positive, hollow negative.
function hinton(page, k) {
  const { rows, columns } = page.data.picture;
  const { nInputs } = page.model;
  const weights = page.weights.coef.subarray(k * nInputs, (k + 1) * nInputs);
  const largest = Math.max(...weights.map(Math.abs)) || 1;
  const cells = [];
  weights.forEach((w, j) => {
    const side = 0.94 * Math.sqrt(Math.abs(w) / largest);
    if (side < 0.12) return;
    const inset = w < 0 ? 0.06 : 0;
    cells.push(
      svg("rect", {
        x: (j % columns) + 0.5 - side / 2 + inset,
        y: Math.floor(j / columns) + 0.5 - side / 2 + inset,
        width: side - 2 * inset,
        height: side - 2 * inset,
        class: `cell ${signOf(w)}`,
      }),
    );
  });
  return svg("svg", { viewBox: `0 0 ${columns} ${rows}`, class: "picture", "aria-hidden": "true" }, cells);
}

function strongestWords(page, k) {
  const pushes = page.model.pushes(page.x, page.weights, k);
  const order = Array.from(pushes.keys()).sort((a, b) => Math.abs(pushes[b]) - Math.abs(pushes[a]));
  const lines = order.slice(0, 3).map((f) =>
    el(
      "span",
      { class: `card-line ${signOf(pushes[f])}-text` },
      named(clip(page.data.features[f].name, 18)),
      ` ${signed(pushes[f], 3)}`,
    ),
  );
  return el("span", { class: "card-lines" }, lines);
}

// -- the input as a picture, to paint on ----------------------------------------------------------

function paintPanel(page) {
  const { picture, features } = page.data;
  byId("paint").hidden = !picture;
  if (!picture) return { needs: [], draw: () => {} };
  const { rows, columns } = picture;
  const cells = features.map((_, f) =>
    svg("rect", { x: f % columns, y: Math.floor(f / columns), width: 1, height: 1, class: "pixel" }),
  );
  const canvas = svg(
    "svg",
    { viewBox: `0 0 ${columns} ${rows}`, class: "canvas", role: "img" },
    svg("rect", { width: columns, height: rows, class: "paper" }),
    cells,
  );
  canvas.setAttribute("aria-label", "The inputs as a picture; the sliders below change them one by one");
  byId("canvas").append(canvas);
  const cellAt = (event) => {
    const box = canvas.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * columns);
    const row = Math.floor(((event.clientY - box.top) / box.height) * rows);
    const inside = column >= 0 && column < columns && row >= 0 && row < rows;
    return inside ? row * columns + column : -1;
  };
  const paint = (event) => {
    const f = cellAt(event);
    if (f < 0) return;
    const { min, max } = features[f];
    const value = byId("erase").checked ? min : max;
    if (page.values[f] !== value) page.setValue(f, value);
  };
  canvas.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    paint(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.buttons) paint(event);
  });
  byId("clear").addEventListener("click", () => {
    page.values = features.map((feature) => feature.min);
    page.changed("row");
  });
  return {
    needs: ["values"],
    draw: () => {
      cells.forEach((cell, f) => {
        const { min, max } = features[f];
        cell.style.opacity = Math.min(Math.max((page.values[f] - min) / (max - min || 1), 0), 1);
      });
    },
  };
}
