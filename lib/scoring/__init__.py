"""Scores of forecasts, and the models that compete with the forecast of this project."""
