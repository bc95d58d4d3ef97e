"""How Sphinx makes the site of a language; `cargo d2l book` calls it with the language's name."""

import os

language = os.environ["D2L_BOOK_LANGUAGE"]
other = {"en": ("ja", "日本語"), "ja": ("en", "English")}[language]
project = {"en": "Dive into Deep Learning in Rust", "ja": "Rust で学ぶ Dive into Deep Learning"}[language]
author = "the d2l project"
html_title = project

extensions = ["myst_nb", "sphinx-mathjax-offline"]
# The outputs are those that the notebooks are committed with.
nb_execution_mode = "off"
myst_enable_extensions = ["dollarmath"]
nb_ipywidgets_js = {}
# evcxr's commands, such as `:dep`, are no Rust.
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "sphinx_book_theme"
html_theme_options = {"show_navbar_depth": 1, "use_download_button": True, "home_page_in_toc": True}
html_sidebars = {"**": ["navbar-logo.html", "language.html", "search-button-field.html", "sbt-sidebar-nav.html"]}
html_context = {"other_language": other[0], "other_language_name": other[1]}
templates_path = ["templates"]
html_static_path = ["static"]
html_js_files = ["search_ja.js"] if language == "ja" else []
html_show_sphinx = False
html_copy_source = False
