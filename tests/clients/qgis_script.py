"""Runs under Debian's Python, which has QGIS: opens a layer that is described on standard input as JSON, and tells what
it found as JSON. Not a test itself; `test_qgis.py` starts it.

{"kind": "vector" | "tiles" | "raster", "provider": …, "uri": …, "point": [lon, lat], "where": …, "extent": […], "picture": …}
"""

import json
import os
import sys

os.environ["QT_QPA_PLATFORM"] = "offscreen"
from qgis.core import (
    QgsApplication,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsFeatureRequest,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorLayer,
    QgsVectorTileBasicRenderer,
    QgsVectorTileLayer,
)
from qgis.PyQt.QtCore import QEventLoop, QSize, QTimer
from qgis.PyQt.QtGui import QColor

PATIENCE_MS = 60_000
WEB = QgsCoordinateReferenceSystem("EPSG:3857")
DEGREES = QgsCoordinateReferenceSystem("OGC:CRS84")


def read(layer, asked):
    request = QgsFeatureRequest()
    if "extent" in asked:
        request.setFilterRect(QgsRectangle(*asked["extent"]))
    if asked.get("where"):
        request.setFilterExpression(asked["where"])
    found = []
    for feature in layer.getFeatures(request):
        geometry = feature.geometry()
        centre = None if geometry.isNull() else geometry.boundingBox().center()
        values = {
            field.name(): value
            if isinstance(value, (int, float, str, bool))
            else (
                None
                if value is None or not hasattr(value, "toString")
                else value.toString("yyyy-MM-ddTHH:mm:ss")
            )
            for field, value in zip(feature.fields(), feature.attributes(), strict=True)
        }
        found.append({"at": centre and [centre.x(), centre.y()], "values": values})
    box = layer.extent()
    return {
        "features": found,
        "count": layer.featureCount(),
        "extent": [box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum()],
        "crs": layer.crs().authid(),
        "fields": {field.name(): field.typeName() for field in layer.fields()},
    }


def draw(layer, asked):
    """The picture of a box in degrees, and how many of its pixels are not white."""
    settings = QgsMapSettings()
    settings.setDestinationCrs(WEB)
    turn = QgsCoordinateTransform(DEGREES, WEB, QgsProject.instance())
    settings.setExtent(turn.transformBoundingBox(QgsRectangle(*asked["extent"])))
    settings.setOutputSize(QSize(*asked.get("size", [512, 512])))
    settings.setBackgroundColor(QColor("white"))
    settings.setLayers([layer])
    job = QgsMapRendererParallelJob(settings)
    loop = QEventLoop()
    job.finished.connect(loop.quit)
    QTimer.singleShot(PATIENCE_MS, loop.quit)
    job.start()
    loop.exec_()
    image = job.renderedImage()
    if asked.get("picture"):
        image.save(asked["picture"])
    dark = [
        [x, y]
        for y in range(image.height())
        for x in range(image.width())
        if image.pixelColor(x, y).name() != "#ffffff"
    ]
    # Where what is drawn lies, in shares of the picture from its upper left corner.
    middle = dark and [
        sum(p[i] for p in dark) / len(dark) / (image.width(), image.height())[i] for i in (0, 1)
    ]
    return {"drawn": len(dark), "middle": middle or None, "errors": [error.message for error in job.errors()]}


def opened(asked):
    if asked["kind"] == "tiles":
        layer = QgsVectorTileLayer(asked["uri"], "tiles")
        layer.setRenderer(QgsVectorTileBasicRenderer())
        layer.renderer().setStyles(QgsVectorTileBasicRenderer.simpleStyle(
            QColor("red"), QColor("red"), 0.5, QColor("blue"), 0.5, QColor("black"), QColor("black"), 3.0))  # fmt: skip
        return layer
    if asked["kind"] == "raster":
        return QgsRasterLayer(asked["uri"], "raster", asked["provider"])
    return QgsVectorLayer(asked["uri"], "vector", asked["provider"])


def main():
    application = QgsApplication([], True)
    application.initQgis()
    messages = []
    application.messageLog().messageReceived.connect(
        lambda text, tag, level: messages.append(f"{tag}: {text}")
    )
    answers = []
    for asked in json.load(sys.stdin):
        layer = opened(asked)
        answer = {"valid": layer.isValid()}
        if layer.isValid():
            answer.update(read(layer, asked) if asked["kind"] == "vector" else draw(layer, asked))
        answer["messages"] = messages[-5:]
        answers.append(answer)
    print(json.dumps(answers))
    sys.stdout.flush()
    os._exit(0)  # its threads may hang at the end of the interpreter


main()
