// The weights, to read and to edit: per unit of the column, and on the neuron's own scale.

const FIRST_WEIGHTS = 12;

function weightsPanel(page) {
  const body = byId("weights-body");
  const rows = [];
  for (const f of page.order) rows.push(...weightRows(page, f));
  body.append(...rows.map((row) => row.node));
  const bias = biasRow(page);
  byId("bias-body").append(bias.node);
  hideAfter(body, FIRST_WEIGHTS, byId("more-weights"), "weight");
  byId("weights-notes").replaceChildren(...page.data.weight_notes.map((note) => el("li", {}, note)));
  byId("weights-back").addEventListener("click", () => page.backToFitted());
  byId("unshown").textContent = page.data.rest ? page.data.rest.words : "";
  return {
    needs: ["values", "weights", "neuron"],
    draw: () => {
      const largest = Math.max(...rows.map((row) => Math.abs(row.own())), 1e-300);
      for (const row of rows) row.draw(largest);
      bias.draw();
      byId("weights-back").disabled = !page.edited && page.iterate === null;
    },
  };
}

// A line for each input of a feature, a category's levels among them.
function weightRows(page, f) {
  const feature = page.data.features[f];
  return feature.inputs.map((j, i) => weightRow(page, { f, feature, j, i }));
}

function weightRow(page, { f, feature, j, i }) {
  const slope = feature.levels ? 1 : feature.slope[i] || 1;
  const name = page.data.inputs[j];
  const own = () => page.weights.coef[page.neuron * page.model.nInputs + j];
  const field = el("input", { type: "number", step: "any", "aria-label": `weight of ${name}` });
  field.addEventListener("change", () => {
    const value = field.value === "" ? NaN : Number(field.value);
    if (Number.isFinite(value)) page.setWeight(j, value / slope);
    else field.value = plain(own() * slope);
  });
  const bar = el("span", { class: "bar" });
  const ownCell = el("td", { class: "number" });
  const unit = feature.levels ? "where it holds" : "per unit";
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
    const isOn = !feature.levels || Math.abs(page.x[j] - feature.offset[i]) > 0;
    node.classList.toggle("off", !isOn);
  };
  return { node, draw, own };
}

function biasRow(page) {
  const field = el("input", { type: "number", step: "any", id: "bias", "aria-label": "bias" });
  field.addEventListener("change", () => {
    const value = field.value === "" ? NaN : Number(field.value);
    if (Number.isFinite(value)) page.setBias(value);
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
