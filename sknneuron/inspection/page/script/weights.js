// The weights, to read and to edit: per unit of the column, and on the neuron's own scale.

const FIRST_WEIGHTS = 12;

function weightsPanel(page) {
  const body = byId("weights-body");
  const rows = [];
  for (const f of page.order) rows.push(...weightRows(page, f));
  body.append(...rows.map((row) => row.node));
  const bias = biasRow(page);
  byId("bias-body").append(bias.node);
  const more = byId("more-weights");
  const isOpen = () => more.getAttribute("aria-expanded") === "true";
  more.addEventListener("click", () => {
    more.setAttribute("aria-expanded", !isOpen());
    draw();
  });
  byId("weights-notes").replaceChildren(...page.data.weight_notes.map((note) => el("li", {}, note)));
  byId("weights-back").addEventListener("click", () => page.backToFitted());
  byId("unshown").textContent = page.data.rest ? page.data.rest.words : "";
  const hasLevels = page.data.features.some((feature) => feature.levels);
  const draw = (_, what) => {
    // The values matter here only for which level of a category holds.
    if (what === "values" && !hasLevels) return;
    const largest = Math.max(...rows.map((row) => Math.abs(row.own())), 1e-300);
    let shown = 0;
    for (const row of rows) {
      row.draw(largest);
      // At first a few features, and of a category the level that holds.
      row.node.hidden = !isOpen() && (!row.isOn() || shown >= FIRST_WEIGHTS);
      shown += !row.node.hidden;
    }
    bias.draw();
    more.hidden = !isOpen() && shown === rows.length;
    more.textContent = isOpen() ? "Fewer weights" : `All ${fmt(rows.length, 6)} weights`;
    byId("weights-back").disabled = !page.edited && page.iterate === null;
  };
  return { needs: ["values", "weights", "neuron"], draw };
}

// A line for each input of a feature, a category's levels among them.
function weightRows(page, f) {
  const feature = page.data.features[f];
  return feature.inputs.map((j, i) => weightRow(page, { f, feature, j, i }));
}

// How far an input goes in the words beside its weight.
function unitOf(feature, i) {
  if (feature.levels) return [1, "where it holds"];
  if (feature.slope[i]) return [feature.slope[i], "per unit"];
  const step = feature.can_miss ? feature.missing[i] - feature.offset[i] : 0;
  return step ? [step, "where it is missing"] : [1, "per unit"];
}

function weightRow(page, { f, feature, j, i }) {
  const [slope, unit] = unitOf(feature, i);
  const name = page.data.inputs[j];
  const own = () => page.weights.coef[page.neuron * page.model.nInputs + j];
  const field = el("input", { type: "number", step: "any", "aria-label": `weight of ${name}` });
  field.addEventListener("change", () => {
    const value = field.value === "" ? NaN : Number(field.value);
    if (Number.isFinite(value)) page.setWeight(j, value / slope);
    else field.value = plain(own() * slope);
  });
  const isOn = () => !feature.levels || page.x[j] !== feature.offset[i];
  const bar = el("span", { class: "bar" });
  const ownCell = el("td", { class: "number" });
  const node = el(
    "tr",
    { "data-input": j, "data-feature": f },
    el("th", { scope: "row" }, named(name)),
    el("td", {}, field, el("small", {}, unit)),
    ownCell,
    el("td", { class: "track-cell", "aria-hidden": "true" }, el("span", { class: "track" }, bar)),
  );
  const draw = (largest) => {
    if (document.activeElement !== field || Number(field.value) !== own() * slope) {
      field.value = plain(own() * slope);
    }
    ownCell.textContent = signed(own());
    ownCell.className = `number ${signOf(own())}-text`;
    bar.className = `bar ${signOf(own())}`;
    bar.style.width = `${(100 * Math.abs(own())) / largest}%`;
    node.classList.toggle("off", !isOn());
  };
  return { node, draw, own, isOn };
}

function biasRow(page) {
  const field = el("input", { type: "number", step: "any", id: "bias", "aria-label": "bias" });
  field.addEventListener("change", () => {
    const value = field.value === "" ? NaN : Number(field.value);
    if (Number.isFinite(value)) page.setBias(value);
    else draw();
  });
  const own = el("td", { class: "number" });
  const node = el(
    "tr",
    {},
    el("th", { scope: "row" }, "bias"),
    el("td", {}, field),
    own,
    el("td", {}),
  );
  const draw = () => {
    const bias = page.weights.intercept[page.neuron];
    field.value = plain(bias);
    own.textContent = signed(bias);
  };
  return { node, draw };
}
