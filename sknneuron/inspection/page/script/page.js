// What the reader sees now: values, weights, neuron; and what follows from them. Panels draw it.

const FEW_TERMS = 9;

class Page {
  constructor(data) {
    this.data = data;
    this.model = new Model(data);
    this.panels = [];
    this.neuron = 0;
    this.iterate = null;
    this.edited = false;
    this.baseline = data.baseline;
    this.row = null;
    this.values = data.features.map((feature) => feature.start);
    this.rest = data.rest ? Array.from(data.rest.start) : null;
    this.weights = this.fitted();
    this.rowInputs = this.inputsOfRows();
    this.order = orderOfFeatures(data.features);
    this.calculateRows();
    if (data.rows) this.startWith(data.rows.start);
    this.calculate();
    this.chooseTerms();
  }

  // A row to begin with, and of several classes the neuron of the one that it is taken for.
  startWith(row) {
    this.row = row;
    this.values = this.rowValues(row);
    this.rest = this.restOfRow(row);
    const { chosen } = this.rowOutputs[row];
    if (this.data.task === "multiclass") this.neuron = chosen;
  }

  get nRows() {
    return this.data.rows ? this.data.rows.n : 0;
  }

  fitted() {
    const { coef, intercept } = this.data;
    return { coef: Float64Array.from(coef), intercept: Float64Array.from(intercept) };
  }

  rowValues(row) {
    return this.data.rows.columns.map((column) => column[row]);
  }

  // What the features that are not on the page add for a row, at the weights shown.
  restOfRow(row) {
    const { rest } = this.data;
    if (!rest) return null;
    const k = this.model.nNeurons;
    return rest.rows.slice(row * k, row * k + k);
  }

  inputsOfRows() {
    const inputs = [];
    for (let row = 0; row < this.nRows; row += 1) inputs.push(this.model.inputs(this.rowValues(row)));
    return inputs;
  }

  calculate() {
    const { model, weights, neuron } = this;
    this.x = model.inputs(this.values);
    this.z = model.weightedSums(this.x, weights, this.rest);
    this.outputs = model.outputs(this.z);
    this.pushes = model.pushes(this.x, weights, neuron);
    this.averagePushes = this.data.means ? model.pushes(this.data.means, weights, neuron) : null;
  }

  calculateRows() {
    const { model, weights } = this;
    this.rowZ = this.rowInputs.map((x, row) => model.weightedSums(x, weights, this.restOfRow(row)));
    this.rowOutputs = this.rowZ.map((z) => model.outputs(z));
  }

  // From where the pushes are counted: the bias, or the average row.
  get start() {
    const rest = this.rest ? this.rest[this.neuron] : 0;
    const bias = this.weights.intercept[this.neuron];
    if (this.baseline === "bias") return { name: "bias", z: bias, pushes: this.pushes, rest };
    const average = this.averagePushes;
    const restAverage = this.data.rest ? this.data.rest.start[this.neuron] : 0;
    const z = bias + average.reduce((sum, v) => sum + v, restAverage);
    const size = Math.abs(bias) + average.reduce((sum, v) => sum + Math.abs(v), Math.abs(restAverage));
    return {
      name: "average row",
      // What is left where terms cancel is rounding.
      z: Math.abs(z) > 1e-13 * size ? z : 0,
      pushes: this.pushes.map((v, f) => v - average[f]),
      rest: rest - restAverage,
    };
  }

  // Which features get lines of their own in the diagram: chosen anew with each row and neuron, and
  // left as they are while a slider moves.
  chooseTerms() {
    const { pushes } = this.start;
    const few = this.order.length <= FEW_TERMS;
    this.terms = few ? this.order : this.order.slice().sort((a, b) => Math.abs(pushes[b]) - Math.abs(pushes[a]));
  }

  bringForward(feature) {
    const at = this.terms.indexOf(feature);
    if (at < FEW_TERMS - 4) return;
    this.terms.splice(at, 1);
    this.terms.splice(FEW_TERMS - 5, 0, feature);
  }

  // -- what the reader can do ---------------------------------------------------------------------

  setValue(feature, value) {
    this.values[feature] = value;
    this.bringForward(feature);
    this.changed("values");
  }

  loadRow(row) {
    this.row = row;
    this.values = this.rowValues(row);
    this.rest = this.restOfRow(row);
    this.changed("row");
  }

  loadTypical() {
    this.row = null;
    this.values = this.data.features.map((feature) => feature.start);
    this.rest = this.data.rest ? Array.from(this.data.rest.start) : null;
    this.changed("row");
  }

  // Whether the values are still those of the row that was loaded.
  get isRow() {
    return this.row !== null && this.rowValues(this.row).every((v, f) => Object.is(v, this.values[f]));
  }

  setWeight(input, value) {
    this.weights.coef[this.neuron * this.model.nInputs + input] = value;
    this.edited = true;
    this.changed("weights");
  }

  setBias(value) {
    this.weights.intercept[this.neuron] = value;
    this.edited = true;
    this.changed("weights");
  }

  scrub(iterate) {
    const { history } = this.data;
    const size = this.model.nNeurons * this.model.nInputs;
    const k = this.model.nNeurons;
    this.iterate = iterate;
    this.edited = false;
    this.weights = {
      coef: Float64Array.from(history.coef.slice(iterate * size, (iterate + 1) * size)),
      intercept: Float64Array.from(history.intercept.slice(iterate * k, (iterate + 1) * k)),
    };
    this.changed("weights");
  }

  backToFitted() {
    this.iterate = null;
    this.edited = false;
    this.weights = this.fitted();
    this.changed("weights");
  }

  pickNeuron(neuron) {
    this.neuron = neuron;
    this.changed("neuron");
  }

  setBaseline(baseline) {
    this.baseline = baseline;
    this.changed("row");
  }

  changed(what) {
    if (what === "weights") {
      this.calculateRows();
    }
    this.calculate();
    if (what === "row" || what === "neuron") this.chooseTerms();
    this.draw(what === "row" ? "values" : what);
  }

  draw(what) {
    for (const panel of this.panels) {
      if (what === "all" || panel.needs.includes(what)) panel.draw(this, what);
    }
  }

  // -- words --------------------------------------------------------------------------------------

  get neuronName() {
    return this.data.neurons[this.neuron];
  }

  valueText(feature, digits = 4) {
    const value = this.values[feature];
    const { levels } = this.data.features[feature];
    if (Number.isNaN(value)) return "missing";
    if (!levels) return fmt(value, digits);
    return value < 0 ? "other" : levels[value];
  }
}

// Those that move the prediction most come first; a few are left in the order of the columns.
function orderOfFeatures(features) {
  const order = features.map((_, f) => f);
  return order.sort((a, b) => features[b].movement - features[a].movement || a - b);
}
