// The neuron itself: raw values -> its inputs -> z -> levels -> prediction, as Python computes them.

class Model {
  constructor(data) {
    this.data = data;
    this.features = data.features;
    this.nInputs = data.n_inputs;
    this.nNeurons = data.neurons.length;
    this.activation = data.activation;
    this.owner = new Int32Array(this.nInputs);
    this.features.forEach((feature, f) => {
      for (const j of feature.inputs) this.owner[j] = f;
    });
  }

  // The neuron's inputs for one row of raw values.
  inputs(values) {
    const x = new Float64Array(this.nInputs);
    this.features.forEach((feature, f) => setInputs(x, feature, values[f]));
    return x;
  }

  // Weighted sums of all neurons; `rest` is what the features that the page lacks add.
  weightedSums(x, weights, rest) {
    const { coef, intercept } = weights;
    const z = new Array(this.nNeurons);
    for (let k = 0; k < this.nNeurons; k += 1) {
      let sum = 0;
      const start = k * this.nInputs;
      for (let j = 0; j < this.nInputs; j += 1) sum += coef[start + j] * x[j];
      z[k] = sum + (rest ? rest[k] : 0) + intercept[k];
    }
    return z;
  }

  // How far each feature pushes neuron k.
  pushes(x, weights, k) {
    const push = new Float64Array(this.features.length);
    const start = k * this.nInputs;
    for (let j = 0; j < this.nInputs; j += 1) push[this.owner[j]] += weights.coef[start + j] * x[j];
    return push;
  }

  level(z) {
    return ACTIVATIONS[this.activation.name].f(z, this.activation.params);
  }

  levels(z) {
    return this.activation.name === "softmax" ? softmax(z) : z.map((v) => this.level(v));
  }

  probability(z) {
    if (this.activation.name === "tanh") return logistic(2 * z);
    const [low, high] = this.activation.range;
    return (this.level(z) - low) / (high - low);
  }

  // Everything that follows z: levels, the values that Python's predict or predict_proba gives,
  // and, in a classifier, the class.
  outputs(z) {
    const { task, threshold, target } = this.data;
    if (task === "sum") return { levels: z, values: z };
    const levels = this.levels(z);
    if (task === "regression") return { levels, values: levels.map((a, k) => targetValue(a, target, k)) };
    const decision = z.map((v) => v - threshold);
    if (task === "margin") {
      return { levels, values: decision, chosen: this.chosen(decision) };
    }
    return { levels, values: this.probabilities(z, levels), chosen: this.chosen(decision) };
  }

  chosen(decision) {
    if (this.data.task === "multilabel" || this.data.multilabel) {
      return decision.map((d) => d > 0);
    }
    return decision.length === 1 ? Number(decision[0] > 0) : argmax(decision);
  }

  probabilities(z, levels) {
    const { task, activation } = this.data;
    if (activation.name === "softmax") return levels;
    const p = z.map((v) => this.probability(v));
    if (task === "multilabel") return p;
    if (task === "binary") {
      const complement = COMPLEMENTS[activation.name];
      return [complement ? complement(z[0]) : 1 - p[0], p[0]];
    }
    const total = p.reduce((sum, v) => sum + v, 0);
    return p.map((v) => (total > 0 ? v / total : 1 / p.length));
  }
}

// A number feeds each of its inputs with offset + slope * value; a category with offset, to which
// its level adds `codes[c]` to `inputs[code_inputs[c]]`, c from code_starts[level] up to the next
// level's. A missing value, and a level that training has not seen, stand for inputs of their own.
function setInputs(x, feature, value) {
  const { inputs, slope, offset } = feature;
  if (Number.isNaN(value)) {
    inputs.forEach((j, i) => {
      x[j] = feature.missing[i];
    });
  } else if (!feature.levels) {
    inputs.forEach((j, i) => {
      x[j] = offset[i] + slope[i] * value;
    });
  } else if (value < 0) {
    inputs.forEach((j, i) => {
      x[j] = feature.unknown[i];
    });
  } else {
    inputs.forEach((j, i) => {
      x[j] = offset[i];
    });
    for (let c = feature.code_starts[value]; c < feature.code_starts[value + 1]; c += 1) {
      x[inputs[feature.code_inputs[c]]] += feature.codes[c];
    }
  }
}

// `steps` follow the level of neuron k; an affine one has a number for each neuron.
function targetValue(level, steps, k) {
  let value = level;
  for (const step of steps) {
    value = step.name ? TARGET_STEPS[step.name](value) : value * step.scale[k] + step.shift[k];
  }
  return value;
}
