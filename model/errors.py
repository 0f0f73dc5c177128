"""What can go wrong in the learner, drawn as one tree. Every message says what happened and what to do.

ModelError
|- ModelFileError      a model directory that must not be loaded: tampered, foreign, pickled, incomplete
|  `- LabelMismatch    its labels are not ours
|- BaseModelError      the encoder it stands on is missing or is another one
|- DataError           examples that cannot be read, results that cannot be written
|  `- Leak             texts to be judged on are among the texts to be trained on
|- LicenceError        a source whose licence forbids the declared use
|- TrainingError       a run that cannot start or cannot go on
|- DeviceFailed        the device has no memory left, or never worked: no text is to blame
`- DeviceLost          the device went down on a batch: a text in it may be to blame
"""

from __future__ import annotations


class ModelError(Exception):
    """Anything this package refuses to do. A command that meets one prints it and leaves with `exit_status`."""

    exit_status = 1


class ModelFileError(ModelError):
    """A model directory that must not be loaded."""


class LabelMismatch(ModelFileError):
    """A model that speaks other labels than `model.labels`."""


class BaseModelError(ModelError):
    """The base encoder is missing, or is not the one the model was trained on."""

    exit_status = 2


class DataError(ModelError):
    """Examples that cannot be read, or a result that cannot be written; the message names the file, and the line."""

    exit_status = 2


class Leak(DataError):
    """Near copies of evaluation texts were found among the training texts."""


class LicenceError(ModelError):
    """A source whose licence is unknown or forbids the declared use."""

    exit_status = 2


class TrainingError(ModelError):
    """A run that cannot start, or a checkpoint that cannot be resumed."""


class DeviceFailed(ModelError):
    """The device has no memory left, or never worked: no text is to blame."""


class DeviceLost(ModelError):
    """The device had worked and went down on a batch: time and again, that is the doing of a text in it."""
