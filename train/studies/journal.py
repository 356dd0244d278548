"""The ledger of a search: optuna's journal in one file, of lines of JSON, written by one worker at a time.

Every change is one line, so a worker that is killed leaves the ledger as it was or with the change. A trial is added with
all of its values at once; nothing of optuna's that is pickled is stored.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from train.studies.claims import held
from train.studies.promotion import Standing
from train.studies.search_settings import SearchConfig
from train.studies.settings import Changes
from train.studies.spaces import as_params, as_values, distributions

if TYPE_CHECKING:
    import optuna
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

JOURNAL_NAME, QUEUE_NAME = "search.journal", "queue"
_STUDY = "search"
# Keys of a trial's notes.
HOW, SEEN, WHY = "how", "seen", "why"


class _HeldElsewhere:
    """The journal's own lock, which is not needed: whoever opens the ledger holds a lock of the kernel."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        return None


class Ledger:
    """The trials of a search; values are as the measure has them, lower being better where `sign` is 1.

    Args:
        storage: Optuna's, of one study.
        config: The search.
    """

    def __init__(self, storage: BaseStorage, config: SearchConfig) -> None:
        import optuna

        self.study: optuna.Study = optuna.load_study(study_name=_STUDY, storage=storage)
        self._storage, self._config = storage, config

    def trials(self) -> list[FrozenTrial]:
        """All trials by their numbers."""
        return list(self.study.get_trials(deepcopy=False))

    def values(self, trial: FrozenTrial) -> Changes:
        """The settings of a trial."""
        return as_values(self._config, trial.params)

    def standings(self) -> list[Standing]:
        """All trials as the rungs see them."""
        return [
            Standing(
                number=trial.number,
                values=dict(trial.intermediate_values),
                is_over=trial.state.is_finished(),
            )
            for trial in self.trials()
        ]

    def add(self, values: Changes, notes: Mapping[str, Any]) -> FrozenTrial:
        """A new trial, begun, with all of its settings."""
        from optuna.trial import TrialState, create_trial

        trial = create_trial(
            state=TrialState.RUNNING,
            params=as_params(self._config, values),
            distributions=distributions(self._config, values),
            user_attrs=dict(notes),
        )
        self.study.add_trial(trial)
        return self.trials()[-1]

    def report(self, trial: FrozenTrial, rung: int, value: float) -> None:
        """The measure of a trial at a rung."""
        self._storage.set_trial_intermediate_value(self._id(trial), rung, value)

    def note(self, trial: FrozenTrial, why: str) -> None:
        """Why a trial will be given up when its measure is reported."""
        self._storage.set_trial_user_attr(self._id(trial), WHY, why)

    def complete(self, trial: FrozenTrial, value: float) -> None:
        """A trial came to its end."""
        self.study.tell(trial.number, value)

    def give_up(self, trial: FrozenTrial, why: str, *, failed: bool = False) -> None:
        """A trial does not go on."""
        from optuna.trial import TrialState

        self.note(trial, why)
        state = TrialState.FAIL if failed else TrialState.PRUNED
        self._storage.set_trial_state_values(self._id(trial), state)

    def _id(self, trial: FrozenTrial) -> int:
        study_id = self._storage.get_study_id_from_name(_STUDY)
        return self._storage.get_trial_id_from_study_id_trial_number(study_id, trial.number)


@contextmanager
def open_ledger(folder: Path, config: SearchConfig) -> Iterator[Ledger]:
    """The ledger of a study, held while the block runs; begun where it is not there."""
    with held(folder / QUEUE_NAME, "search"):
        yield Ledger(_open(folder), config)


def _open(folder: Path) -> BaseStorage:
    quiet_optuna()
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    path = folder / JOURNAL_NAME
    _cut_torn_line(path)
    backend = JournalFileBackend(str(path), lock_obj=_HeldElsewhere())  # type: ignore[arg-type]
    storage = JournalStorage(backend)
    optuna.create_study(study_name=_STUDY, storage=storage, load_if_exists=True)
    return storage


def _cut_torn_line(path: Path) -> None:
    """Take away what a killed worker has written of a line: its change was not made."""
    if not path.is_file():
        return
    text = path.read_bytes()
    whole = text.rfind(b"\n") + 1
    if whole < len(text):
        with path.open("r+b") as file:
            file.truncate(whole)


def quiet_optuna() -> Any:
    """Optuna without its own log lines."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


@contextmanager
def experimental_is_meant() -> Iterator[None]:
    """No warnings of what optuna calls experimental, while the block runs."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=quiet_optuna().exceptions.ExperimentalWarning)
        yield
