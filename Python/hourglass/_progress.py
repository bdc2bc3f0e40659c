"""What fit shows while it trains."""
import json
import sys


class Bar:
    """One line on standard error for the steps, by tqdm where it is there, which draws a bar in Jupyter."""

    def __init__(self):
        try:
            from tqdm.auto import tqdm
        except ImportError:
            tqdm = None
        self._tqdm, self._bar = tqdm, None

    def __call__(self, progress):
        row = json.loads(progress.metrics) if progress.metrics else None
        text = f"loss {progress.loss:.4g}"
        if row and row.get("validationLoss") is not None:
            text += f", validation {row['validationLoss']:.4g}"
        if self._tqdm:
            if self._bar is None:
                self._bar = self._tqdm(total=progress.last_step, unit="step")
            self._bar.set_postfix_str(text, refresh=False)
            self._bar.update(progress.step - self._bar.n)
        elif row:
            print(f"epoch {row['epoch']}: {text}", file=sys.stderr)

    def close(self):
        if self._bar is not None:
            self._bar.close()


def observer(progress):
    """The observer of an argument `progress`: False, True, or a function that is told the row of each epoch."""
    if not progress:
        return None
    if not callable(progress):
        return Bar()

    def observe(report):
        if report.metrics:
            progress(json.loads(report.metrics))
    return observe
