"""The report as one HTML file: `gather` reads and analyses, `page` arranges sections of charts and tables, `render`
fills the template. Charts are SVG with the classes of templates/figure.css.

The order of the page is `page.EVIDENCE`. A part is a function of the material that gives sections. A section that
has nothing but lines on what is absent is shown as these lines, without a heading.

Imported by others: `gather.gather`, `page.build`, `render.render`, and the charts (`speed`, `association`,
`hardware`), which the Markdown report has too.
"""
