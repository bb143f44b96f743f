"""A plugin for napari: layers styled beside their originals, and solids from sections.

napari finds it by the entry point `napari.manifest`; `napari.yaml` says what there is. `layers` is what an image
layer is to volstyle and how a result becomes one; `following` is how a run is watched; `panels` are the widgets.
"""
