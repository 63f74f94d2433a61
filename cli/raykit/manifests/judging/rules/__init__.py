"""KubeRay's own rules, which its CRDs do not hold: the operator refuses such objects in an event.

They repeat what `ray-operator/controllers/ray/utils/validation.go` decides at 1.6.2 and 1.7.0.
"""
