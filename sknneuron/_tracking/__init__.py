"""Tracking in MLflow: `hook` is all that the estimators know; the rest is loaded with MLflow."""
