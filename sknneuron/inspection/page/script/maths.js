// Activations and what they need, to the last digits of double precision.

// The complementary error function: a series of positive terms near zero, a continued fraction
// past one, where the series would have to be subtracted from one and lose its digits.
function erfc(x) {
  if (Number.isNaN(x)) return NaN;
  if (x < 0) return 2 - erfc(-x);
  if (x < 1) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > 1e-18 * sum; n += 1) {
      term *= (2 * x * x) / (2 * n + 1);
      sum += term;
    }
    return 1 - (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
  }
  if (x > 27) return 0;
  let fraction = x;
  for (let k = Math.ceil(20 + 230 / (x * x)); k > 0; k -= 1) fraction = x + k / 2 / fraction;
  return Math.exp(-x * x) / (Math.sqrt(Math.PI) * fraction);
}

function normalDistribution(z) {
  return 0.5 * erfc(-z * Math.SQRT1_2);
}

function logistic(z) {
  if (z >= 0) return 1 / (1 + Math.exp(-z));
  const e = Math.exp(z);
  return e / (1 + e);
}

// f by name; `p` holds the activation's parameters. Softmax is not here: it needs all z at once.
const ACTIVATIONS = {
  identity: { formula: "f(z) = z", f: (z) => z },
  sigmoid: { formula: "f(z) = 1 / (1 + exp(−z))", f: logistic },
  tanh: { formula: "f(z) = tanh(z)", f: Math.tanh },
  relu: { formula: "f(z) = max(z, 0)", f: (z) => Math.max(z, 0) },
  leaky_relu: {
    formula: "f(z) = z above 0, a small share of z below",
    f: (z, p) => (z > 0 ? z : p.negative_slope * z),
  },
  elu: { formula: "f(z) = z above 0, exp(z) − 1 below", f: (z) => (z > 0 ? z : Math.expm1(z)) },
  softplus: {
    formula: "f(z) = log(1 + exp(z))",
    f: (z) => Math.log1p(Math.exp(-Math.abs(z))) + Math.max(z, 0),
  },
  gelu: { formula: "f(z) = z Φ(z)", f: (z) => z * normalDistribution(z) },
  silu: { formula: "f(z) = z / (1 + exp(−z))", f: (z) => z * logistic(z) },
  softsign: { formula: "f(z) = z / (1 + |z|)", f: (z) => z / (1 + Math.abs(z)) },
  exp: { formula: "f(z) = exp(z)", f: Math.exp },
  probit: { formula: "f(z) = Φ(z), the normal distribution", f: normalDistribution },
  cloglog: { formula: "f(z) = 1 − exp(−exp(z))", f: (z) => -Math.expm1(-Math.exp(z)) },
};

// One minus the rescaled level, without losing the digits of a small one.
const COMPLEMENTS = {
  sigmoid: (z) => logistic(-z),
  tanh: (z) => logistic(-2 * z),
  probit: (z) => normalDistribution(-z),
  cloglog: (z) => Math.exp(-Math.exp(z)),
};

function softmax(z) {
  const largest = Math.max(...z);
  const e = z.map((v) => Math.exp(v - largest));
  const total = e.reduce((sum, v) => sum + v, 0);
  return e.map((v) => v / total);
}

// What can follow a regressor's level: the inverse of a transformed target.
const TARGET_STEPS = {
  exp: Math.exp,
  expm1: Math.expm1,
  exp2: (v) => 2 ** v,
  log: Math.log,
  log1p: Math.log1p,
  log2: Math.log2,
  log10: Math.log10,
  exp10: (v) => 10 ** v,
  square: (v) => v * v,
  sqrt: Math.sqrt,
  cbrt: Math.cbrt,
  negative: (v) => -v,
  reciprocal: (v) => 1 / v,
  logistic,
};

function argmax(values) {
  let best = 0;
  for (let i = 1; i < values.length; i += 1) if (values[i] > values[best]) best = i;
  return best;
}

// The least and the greatest of what is finite.
function extent(values) {
  let low = Infinity;
  let high = -Infinity;
  for (const v of values) {
    if (v < low && v > -Infinity) low = v;
    if (v > high && v < Infinity) high = v;
  }
  return low <= high ? [low, high] : [0, 1];
}

// Round numbers that divide an axis, about `count` of them.
function ticks(low, high, count = 5) {
  if (!(high > low)) return [low];
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough * 0.999);
  const marks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i += 1) {
    marks.push(i * step);
  }
  return marks.length < 2 && count < 20 ? ticks(low, high, 2 * count) : marks;
}
