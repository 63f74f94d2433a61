"""An existing library made parallel: scikit-learn on Ray tasks."""
