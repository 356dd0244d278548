"""The run as arithmetic: batch of each step, steps, tokens and progress, before anything trains."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from schemas.errors import SettingsError
from schemas.manifest import Manifest
from train.data.config import BatchConfig
from train.optim.schedules import Progress
from train.settings import StopConfig


@dataclass(frozen=True)
class StepSpan:
    """A step, and the samples `start <= n < start + count` that it reads."""

    step: int
    start: int
    count: int


@dataclass(frozen=True, kw_only=True)
class SampleSkip:
    """Samples that a run jumps over.

    Attributes:
        at: How many samples the run has trained on where it jumps; a border between two steps.
        count: How many it leaves out there.
    """

    at: int
    count: int


@dataclass(frozen=True, kw_only=True)
class RunPlan:
    """Sizes of a run; every answer is a function of the step or of the samples consumed.

    Samples before `first_sample` were read by an earlier phase; steps, tokens and passes of this
    one count from there. Samples that are jumped over (`skips`) shift what later steps read and count
    as nothing else: neither the schedule nor the number of steps changes.
    """

    batch: BatchConfig
    stop: StopConfig
    seq_len: int
    rows_per_pass: int
    first_sample: int = 0
    skips: tuple[SampleSkip, ...] = ()

    @classmethod
    def of(
        cls, manifest: Manifest, batch: BatchConfig, stop: StopConfig, *, first_sample: int
    ) -> RunPlan:
        """The plan of a run on a manifest."""
        return cls(
            batch=batch,
            stop=stop,
            seq_len=manifest.seq_len,
            rows_per_pass=manifest.train.rows,
            first_sample=first_sample,
        )

    def batch_at(self, samples: int) -> int:
        """Number of rows of the step that begins after so many samples."""
        ramp = self.batch.ramp
        tokens = samples * self.seq_len
        if ramp is None or tokens >= ramp.over_tokens:
            return self.batch.sequences
        grown = (self.batch.sequences - ramp.start_sequences) * tokens // ramp.over_tokens
        return ramp.start_sequences + grown // ramp.quantum * ramp.quantum

    @cached_property
    def _ramp_starts(self) -> tuple[int, ...]:
        """The first sample of each step of the ramp, and of the first step after it."""
        starts = [0]
        while self.batch_at(starts[-1]) < self.batch.sequences:
            starts.append(starts[-1] + self.batch_at(starts[-1]))
        return tuple(starts)

    def span(self, step: int) -> StepSpan:
        """The samples of a step, counted from the beginning of the data's order."""
        start = self.trained_samples(step)
        skipped = sum(skip.count for skip in self.skips if skip.at <= start)
        return StepSpan(step, self.first_sample + skipped + start, self._batch_of(step, start))

    def _batch_of(self, step: int, start: int) -> int:
        changed = [one.sequences for one in self.batch.changes if one.from_step <= step]
        return changed[-1] if changed else self.batch_at(start)

    def trained_samples(self, step: int) -> int:
        """Number of rows of the steps before this one: without those that were jumped over."""
        changes = [one for one in self.batch.changes if one.from_step < step]
        borders = [one.from_step for one in changes] + [step]
        rows = sum(
            one.sequences * (end - one.from_step)
            for one, end in zip(changes, borders[1:], strict=True)
        )
        return self._unchanged_samples(borders[0]) + rows

    def _unchanged_samples(self, step: int) -> int:
        """Number of rows of the steps before this one, if the batch had no changes."""
        ramp = self._ramp_starts
        if step < len(ramp):
            return ramp[step]
        return ramp[-1] + (step - len(ramp) + 1) * self.batch.sequences

    def skip_batches(self, step: int, batches: int) -> SampleSkip:
        """Jump over so many batches before a step."""
        after = self.trained_samples(step + batches)
        return SampleSkip(at=self.trained_samples(step), count=after - self.trained_samples(step))

    def step_of(self, sample: int) -> int:
        """The step that reads a sample; 0 for samples before the run."""
        low, high = 0, max(sample - self.first_sample, 0) + 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.span(middle).start <= sample else (low, middle)
        return low

    @cached_property
    def total_steps(self) -> int:
        """Number of steps until the run stops; the last one is a whole batch."""
        if self.stop.steps is not None:
            return self.stop.steps
        if self.stop.tokens is not None:
            samples = -(-self.stop.tokens // self.seq_len)
        else:
            samples = int((self.stop.epochs or 0) * self.rows_per_pass)
        if samples <= 0:
            raise SettingsError(f"stop: {self.stop} leaves no step of {self.batch.sequences} rows")
        low, high = 0, 1
        while self.trained_samples(high) < samples:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.trained_samples(middle) >= samples else (middle, high)
        return high

    @property
    def total_samples(self) -> int:
        """Number of rows that are read until the run stops."""
        return self.trained_samples(self.total_steps)

    def progress(self, step: int) -> Progress:
        """Progress before the update of `step`."""
        span = self.span(step)
        done = self.trained_samples(step)
        return Progress(
            step=step,
            tokens=done * self.seq_len,
            total_steps=self.total_steps,
            total_tokens=self.total_samples * self.seq_len,
            tokens_per_pass=self.rows_per_pass * self.seq_len,
            # exact for a batch without ramp; the epochwise rule is defined without one
            step_in_pass=(done % self.rows_per_pass) // self.batch.sequences,
            batch_fraction=span.count / self.batch.sequences,
        )
