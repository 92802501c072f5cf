// Building blocks: elements, numbers in words, charts in SVG. Names and titles that come from data
// only ever become text nodes and attribute values, never markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) node.append(child);
  }
  return node;
}

function el(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function byId(id) {
  return document.getElementById(id);
}

// A name from the data, kept apart from the direction of the text around it.
function named(name) {
  return el("bdi", { title: name.length > 40 ? name : null }, name);
}

// Chinese letters and emoji are as wide as two others.
const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60]|\p{Emoji_Presentation}/u;

function clip(name, length) {
  const letters = Array.from(name);
  let end = 0;
  const ends = letters.map((letter) => (end += WIDE.test(letter) ? 2 : 1));
  if (end <= length) return name;
  return `${letters.filter((_, i) => ends[i] < length).join("")}…`;
}

// A number for people: four digits, grouped thousands, a true minus.
function fmt(value, digits = 4) {
  if (Number.isNaN(value)) return "missing";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = sizeText(Math.abs(value), digits);
  return value < 0 && /[1-9]/.test(size) ? `−${size}` : size;
}

function sizeText(size, digits) {
  if (size !== 0 && (size < 1e-4 || size >= 1e15)) {
    return size.toExponential(Math.max(digits - 2, 1)).replace("e+", "e").replace("e-", "e−");
  }
  if (size >= 10 ** (digits - 1) || (Number.isInteger(size) && size >= 1000)) {
    return Math.round(size).toString().replace(/\B(?=(\d{3})+$)/g, "\u202f");
  }
  const rounded = size.toPrecision(digits);
  return rounded.includes(".") ? rounded.replace(/\.?0+$/, "") : rounded;
}

// A number in little room.
function brief(value) {
  const full = fmt(value, 3);
  if (full.length <= 6) return full;
  const short = Math.abs(value).toExponential(1).replace("e+", "e").replace("e-", "e−");
  return value < 0 ? `−${short}` : short;
}

function signed(value, digits = 4) {
  return value > 0 ? `+${fmt(value, digits)}` : fmt(value, digits);
}

// A number for an input field: plain, short enough to read, and the same again when it is parsed.
function plain(value) {
  if (value === null || Number.isNaN(value)) return "";
  return String(Number(value.toPrecision(6)));
}

function signOf(value) {
  return value < 0 ? "neg" : "pos";
}

function percent(p) {
  if (p > 0 && p < 0.001) return "< 0.1 %";
  if (p < 1 && p > 0.999) return "> 99.9 %";
  return `${(100 * p).toFixed(1)} %`;
}

function scaleBetween(low, high, from, to) {
  const span = high - low || 1;
  // What overflows goes far out of the picture, but stays a place.
  const map = (v) => {
    const place = from + ((v - low) / span) * (to - from);
    return Number.isNaN(place) ? from : Math.min(Math.max(place, -1e5), 1e5);
  };
  map.back = (p) => low + ((p - from) / (to - from)) * span;
  return map;
}

// Asking for a width makes the browser lay everything out: once is enough until the window changes.
const widths = new Map();

function widthOf(box) {
  if (!widths.has(box)) widths.set(box, Math.max(box.clientWidth, 240));
  return widths.get(box);
}

// A chart's SVG at the width of its box, so that text keeps its size on every screen.
function chart(box, height, label) {
  const width = widthOf(box);
  const node = svg("svg", {
    width,
    height,
    viewBox: `0 0 ${width} ${height}`,
    role: "img",
    "aria-label": label,
  });
  box.replaceChildren(node);
  return { node, width, height };
}

function textAt(x, y, content, className, anchor = "start") {
  return svg("text", { x, y, class: className, "text-anchor": anchor }, content);
}

function line(x1, y1, x2, y2, className) {
  return svg("line", { x1, y1, x2, y2, class: className });
}

function path(points, className) {
  const d = points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(2)},${y.toFixed(2)}`).join("");
  return svg("path", { d, class: className });
}

// Many dots as one element: lines of no length with round ends.
function dots(points, className) {
  const d = points.map(([x, y]) => `M${x.toFixed(1)},${y.toFixed(1)}h0`).join("");
  return svg("path", { d, class: className });
}

// So many digits that neighbours differ.
function tickDigits(marks) {
  const most = Math.max(...marks.map(Math.abs));
  const needed = Math.ceil(Math.log10(most / (marks[1] - marks[0])) - 1e-9) + 1;
  return needed > 4 ? Math.min(needed, 15) : 4;
}

// Axis below: ticks with numbers, and a name at its end.
function xAxis(node, scale, [low, high], y, [left, right], name, isWhole = false) {
  node.append(line(left, y, right, y, "axis"));
  const marks = ticks(low, high, Math.max(2, Math.floor((right - left) / 90)));
  const digits = tickDigits(marks);
  for (const v of isWhole ? marks.filter(Number.isInteger) : marks) {
    const x = scale(v);
    node.append(line(x, y, x, y + 4, "axis"), textAt(x, y + 17, fmt(v, digits), "tick", "middle"));
  }
  if (name) node.append(textAt(right, y + 33, name, "axis-name", "end"));
}

function yAxis(node, scale, [low, high], x, right, name, count = 4) {
  for (const v of ticks(low, high, count)) {
    const y = scale(v);
    node.append(line(x, y, right, y, "grid"), textAt(x - 6, y + 4, fmt(v), "tick", "end"));
  }
  if (name) node.append(textAt(0, scale(high) - 13, name, "axis-name", "start"));
}

// Room that the numbers of a vertical axis take.
function tickRoom([low, high], count = 4) {
  return 14 + 6.6 * Math.max(...ticks(low, high, count).map((v) => fmt(v).length));
}
