"""The task strip: who was busy when, in at most ten lines, and one verdict in words."""

from raykit.measure.strip.drawing import draw
from raykit.measure.strip.nodes import present
from raykit.measure.strip.summary import summarise
from raykit.measure.strip.tasks import Arm, lacks_nodes
from raykit.measure.strip.verdicts import verdict

__all__ = ["Arm", "draw", "lacks_nodes", "present", "summarise", "verdict"]
