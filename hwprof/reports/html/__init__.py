"""The report as one HTML file: page.py says what stands where, the charts draw it, render.py fills the template."""
