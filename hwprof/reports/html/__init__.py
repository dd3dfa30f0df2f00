"""The report as one HTML file: `gather` reads and analyses, `page` arranges sections of charts and tables, `render`
fills the template. Charts are SVG with the classes of templates/figure.css.

Imported by others: `gather.gather`, `page.build`, `render.render`, and the charts (`speed`, `association`,
`hardware`), which the Markdown report has too.
"""
