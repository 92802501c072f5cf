"""Settings of the documentation; the build needs no network."""

import ast
import importlib
import inspect
import json
import re
import sys
import tomllib
from pathlib import Path

from docutils import nodes
from docutils.utils.math import MathError, latex2mathml
from sphinx.util import logging

import sknneuron
from sknneuron.activations import ACTIVATIONS
from sknneuron.inspection.diagnosis import CHECKS
from sknneuron.losses import LOSSES
from sknneuron.pairing import make_pair

logger = logging.getLogger(__name__)
DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))
# Pages of fitted neurons, written by every build and embedded by neuron_page.rst.
PAGES = DOCS / "generated" / "pages"
PAGES.mkdir(parents=True, exist_ok=True)
# What is timed of a memory map.
PASSES = ("read_once_seconds", "evaluation_seconds")

project = "sknneuron"
author = "sknneuron developers"
copyright = "sknneuron developers"
version = release = sknneuron.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "generated/README*", "auto_examples/**/*.ipynb"]
templates_path = ["_templates"]
nitpicky = True
# Classes that type hints and "Bases:" name, of packages that are documented elsewhere.
nitpick_ignore_regex = [("py:.*", r"(?!sknneuron).*")]
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
html_math_renderer = "mathml"
# What is copied is what can be run: without prompts and results.
copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    # Every example is executed at build, and a failure fails the build.
    "filename_pattern": r"\.py$",
    "ignore_pattern": r"__init__\.py$",
    "abort_on_example_error": True,
    "doc_module": ("sknneuron",),
    "backreferences_dir": "generated/backreferences",
    "reference_url": {"sknneuron": None},
    # It says where the machine that built the pages keeps its runs.
    "ignore_repr_types": r"mlflow\.entities",
    "remove_config_comments": True,
    "show_memory": False,
    "write_computation_times": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "sknneuron"
html_theme_options = {"show_toc_level": 2, "navigation_with_keys": False}
html_copy_source = False
html_static_path = ["_static", "generated/pages"]
html_css_files = ["layout.css"]
html_show_sourcelink = False


def _range(low, high):
    return f"{low:g} to {high:g}".replace("inf", "∞")


def _first_line(cls):
    return inspect.getdoc(cls).splitlines()[0]


def _table(head, rows, *options):
    """A list-table of reStructuredText."""
    options = (":header-rows: 1", ":widths: auto", *options)
    lines = [".. list-table::", *(f"   {option}" for option in options), ""]
    for row in [head, *rows]:
        lines += [f"   {'* -' if i == 0 else '  -'} {cell}" for i, cell in enumerate(row)]
    return "\n".join([*lines, ""])


def _write_tables(app):
    """Write the tables of activations and losses from the classes themselves."""
    folder = app.srcdir / "generated"
    folder.mkdir(exist_ok=True)
    activations = [
        (
            f"``{name}``",
            _first_line(cls),
            _range(*cls.range),
            {None: "", "dead": "dead", "saturated": "saturated"}[cls.flat],
        )
        for name, cls in ACTIVATIONS.items()
    ]
    losses = [
        (
            f"``{name}``",
            _first_line(cls),
            "y is -1 or 1" if cls.margin else _targets(cls().target_range),
            "yes" if cls.smooth else "no",
        )
        for name, cls in LOSSES.items()
    ]
    head = ("name", "formula", "range of levels", "where it goes flat a neuron is")
    (folder / "activations.inc").write_text(_table(head, activations), encoding="utf-8")
    head = ("name", "formula", "targets", "smooth")
    (folder / "losses.inc").write_text(_table(head, losses), encoding="utf-8")
    targets = re.findall(r"^([a-z-]+):.*## (.+)$", (DOCS.parent / "Makefile").read_text(), re.M)
    table = _table(("command", "what it does"), [(f"``make {t}``", does) for t, does in targets])
    (folder / "targets.inc").write_text(table, encoding="utf-8")
    (folder / "rooms.inc").write_text(_rooms(), encoding="utf-8")
    (folder / "pairs.inc").write_text(_pairs(), encoding="utf-8")
    checks = [(f"``{code}``", _first_line(cls)) for code, cls in CHECKS.items()]
    table = _table(("code", "what it means"), checks)
    (folder / "checks.inc").write_text(table, encoding="utf-8")
    measured = json.loads((DOCS / "_static" / "memory_map.json").read_text(encoding="utf-8"))
    (folder / "memory_map.inc").write_text(_memory_map(measured), encoding="utf-8")


def _rooms():
    """Every module with the first line of its docstring, in the order of the import contract."""
    with open(DOCS.parent / "pyproject.toml", "rb") as file:
        layers = tomllib.load(file)["tool"]["importlinter"]["contracts"][0]["layers"]
    rows = []
    for name in (name.strip() for layer in layers for name in layer.split("|")):
        path = DOCS.parent / "sknneuron" / name
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
        for file in sorted(files, key=lambda file: (file.parent, file.name)):
            text = (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").split(
                "\n"
            )
            room = file.relative_to(DOCS.parent / "sknneuron").as_posix()
            if text[0]:
                room = room.replace("__init__.py", "")
                rows.append((f"``{room}``", re.sub("`+", "``", text[0])))
    return _table(("", "what it is"), rows)


def _memory_map(measured):
    """What a fit on a memory map takes, beside reading the file once."""
    size = f"{measured['n_rows']:,} x {measured['n_features']}, {measured['bytes'] / 1e9:.0f} GB"
    head = (
        size,
        "training, s",
        "most memory on top, MB",
        "read once, s: cold, warm",
        "one pass, s: cold, warm",
    )
    rows = [
        (
            f"``{fit['neuron'].split('(')[0]}``",
            fit["seconds"],
            fit["peak_anonymous_MB"] - fit["anonymous_before_MB"],
            *(f"{fit['cold'][key]}, {fit['warm'][key]}" for key in PASSES),
        )
        for fit in measured["fits"]
    ]
    return _table(head, rows)


def _pairs():
    """Which activation goes with which loss, in the regressor and in the classifier."""
    return "\n".join(
        f"{title}\n\n"
        + _table(
            ("", *(f"``{name}``" for name in LOSSES)),
            _verdicts(is_classifier),
            ":class: upright-heads",
        )
        for title, is_classifier in (("In the regressor:", False), ("In the classifier:", True))
    )


def _verdicts(is_classifier):
    for activation in ACTIVATIONS:
        if is_classifier or activation != "softmax":
            verdicts = [_verdict(activation, loss, is_classifier) for loss in LOSSES]
            if any(verdicts):
                yield f"``{activation}``", *verdicts


def _verdict(activation, loss, is_classifier):
    try:
        pair = make_pair(activation, loss, classifier=is_classifier)
    except ValueError:
        return ""
    return "●" if pair.convex else "○"


def _targets(target_range):
    low, high, has_low, has_high = target_range
    if (low, high) == (-float("inf"), float("inf")):
        return "any number"
    left, right = "[" if has_low else "(", "]" if has_high else ")"
    return f"in {left}{low:g}, {high:g}{right}".replace("inf", "∞")


def _write_neuron_pages(app):
    from neuron_pages import write_pages

    write_pages(PAGES)


def _hide_this_machine(app, docname, source):
    """Examples print where they and their programs lie; pages are read on other machines."""
    for place in (Path(sys.executable).parent, DOCS.parent):
        source[0] = source[0].replace(f"{place}/", "")


def _own_methods(modules):
    """Public methods that are ours, by class; scikit-learn's are described there."""
    found = {}
    for module in map(importlib.import_module, modules):
        for cls in (getattr(module, name) for name in module.__all__):
            if inspect.isclass(cls):
                found[f"{module.__name__}.{cls.__name__}"] = [
                    name
                    for name in dir(cls)
                    if not name.startswith("_") and _is_ours(getattr(cls, name))
                ]
    return found


def _is_ours(method):
    return callable(method) and str(getattr(method, "__module__", "")).startswith("sknneuron")


autosummary_context = {
    "own_methods": _own_methods(["sknneuron", "sknneuron.inspection", "sknneuron.sources"])
}


def _draw_math(as_block):
    def draw(writer, node):
        try:
            formula = latex2mathml.tex2mathml(node.astext(), as_block=as_block)
        except MathError as error:
            logger.warning("%s: %s", error, node.astext(), location=node)
        else:
            style = "overflow-x: auto; margin: 1rem 0"
            box = f'<div class="math" style="{style}">{formula}</div>' if as_block else formula
            writer.body.append(box)
        raise nodes.SkipNode

    return draw


def setup(app):
    """Hook in what is made from the code itself before sources are read."""
    app.connect("builder-inited", _write_tables)
    app.connect("builder-inited", _write_neuron_pages)
    app.connect("source-read", _hide_this_machine)
    # MathML, which browsers draw themselves: formulas need no script from elsewhere.
    app.add_html_math_renderer("mathml", (_draw_math(False), None), (_draw_math(True), None))
