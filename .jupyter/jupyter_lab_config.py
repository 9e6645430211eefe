"""JupyterLab opens on the start notebook; installed into the environment's etc/jupyter with the package."""

from pathlib import Path

# Only where there is one: the same environment may serve another folder.
if Path("notebooks/start.ipynb").is_file():
    c = get_config()  # noqa: F821 - given by Jupyter, which runs this file
    c.LabApp.default_url = "/lab/tree/notebooks/start.ipynb"
