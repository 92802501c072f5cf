// What diagnose found, and how far this page is from Python.

function findingsPanel(page) {
  const { findings } = page.data;
  byId("findings").hidden = !findings;
  if (!findings) return { needs: [], draw: () => {} };
  const signs = { info: "●", warning: "▲", error: "✖" };
  byId("findings-text").textContent = findings.length
    ? "What a check of this fit found."
    : "A check of this fit found nothing to worry about.";
  byId("findings-list").replaceChildren(
    ...findings.map((finding) =>
      el(
        "li",
        { class: `finding ${finding.severity}` },
        el("span", { class: "severity" }, `${signs[finding.severity]} ${finding.severity}`),
        el("strong", {}, finding.code),
        el("span", {}, named(finding.message)),
        finding.advice ? el("span", { class: "advice" }, named(finding.advice)) : null,
      ),
    ),
  );
  return { needs: [], draw: () => {} };
}

// The largest difference between what Python said of the checked rows and what this page says.
function differenceFrom(page) {
  const { checks } = page.data;
  const { model } = page;
  const width = checks.values.length / checks.n;
  const fitted = page.fitted();
  let absolute = 0;
  let relative = 0;
  for (let i = 0; i < checks.n; i += 1) {
    const x = checks.inputs
      ? checks.inputs.slice(i * model.nInputs, (i + 1) * model.nInputs)
      : page.rowInputs[i];
    const rest = page.data.rest && !checks.inputs ? page.restOfRow(i) : null;
    const { values } = model.outputs(model.weightedSums(x, fitted, rest));
    for (let j = 0; j < width; j += 1) {
      const python = checks.values[i * width + j];
      const off = Math.abs(values[j] - python);
      // What is not finite in Python has come as NaN.
      if (values[j] === python || (Number.isNaN(python) && !Number.isFinite(values[j]))) continue;
      absolute = Math.max(absolute, Number.isNaN(off) ? Infinity : off);
      relative = Math.max(relative, Number.isNaN(off) ? Infinity : off / Math.max(Math.abs(python), 1));
    }
  }
  return { absolute, relative };
}

function exactnessPanel(page) {
  const { checks } = page.data;
  const { absolute, relative } = differenceFrom(page);
  const node = byId("difference");
  node.dataset.absolute = absolute;
  node.dataset.relative = relative;
  const share = relative < absolute ? `, ${relative.toExponential(1)} of the value` : "";
  node.textContent = `This page and Python differ by at most ${absolute ? absolute.toExponential(1) : "0"}${share}.`;
  byId("checked").textContent = checks.words;
  return { needs: [], draw: () => {} };
}
