// Reads the data, builds the panels, and draws them for the first time.

const PANELS = [
  predictionPanel,
  paintPanel,
  controlsPanel,
  diagramPanel,
  formulaPanel,
  waterfallPanel,
  activationPanel,
  trainingPanel,
  rowsPanel,
  slicePanel,
  weightsPanel,
  neuronsPanel,
  findingsPanel,
  exactnessPanel,
  statePanel,
];

// Long runs of numbers travel as base64 of little-endian arrays: exact, and small.
const ARRAYS = { u1: Uint8Array, i2: Int16Array, i4: Int32Array, f4: Float32Array, f8: Float64Array };

function unpack(_, value) {
  if (value === null || typeof value !== "object" || typeof value.packed !== "string") return value;
  const bytes = Uint8Array.from(atob(value.packed), (c) => c.charCodeAt(0));
  return Array.from(new ARRAYS[value.type](bytes.buffer));
}

// Whether the weights shown are those of the fit, and the way back to them.
function statePanel(page) {
  byId("back").addEventListener("click", () => page.backToFitted());
  return {
    needs: ["weights"],
    draw: () => {
      const { history } = page.data;
      const isFitted = !page.edited && page.iterate === null;
      byId("state").hidden = isFitted;
      if (isFitted) return;
      const words = page.iterate === null ? "" : `weights of ${iterateWords(history, page.iterate)}`;
      const edited = page.edited ? "edited weights" : "";
      byId("state-text").textContent = `You see ${[words, edited].filter(Boolean).join(", with ")}.`;
    },
  };
}

function themeButton() {
  const button = byId("theme");
  const root = document.documentElement;
  const isDark = () =>
    root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const draw = () => {
    button.textContent = isDark() ? "Light" : "Dark";
  };
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    draw();
  });
  draw();
}

function showPage() {
  const page = new Page(JSON.parse(byId("data").textContent, unpack));
  themeButton();
  byId("facts").replaceChildren(
    ...page.data.facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, named(value)))),
  );
  byId("notes").replaceChildren(...page.data.notes.map((note) => el("li", {}, named(note))));
  page.panels = PANELS.map((build) => build(page));
  page.draw("all");
  let width = innerWidth;
  addEventListener("resize", () => {
    // Phones change the height as the address bar comes and goes.
    if (innerWidth !== width) {
      widths.clear();
      page.draw("size");
    }
    width = innerWidth;
  });
  document.documentElement.dataset.ready = "true";
}

showPage();
