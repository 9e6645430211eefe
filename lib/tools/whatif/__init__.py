"""The what-if page: any goal for any flow, judged and forecast in the browser as the notebooks do."""
