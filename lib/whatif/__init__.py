"""The what-if page and its widgets: any goal for any flow, judged and forecast as the notebooks do."""
