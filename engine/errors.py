"""What can go wrong, and the exit code that each error means.

FullshelfError
├── UsageError            2   nothing was written
│   ├── ConfigError           the configuration or the command line is wrong
│   └── InputError            an input file cannot be used at all (a bad row is no error: it goes to `rejects`)
├── RunError              1   the run failed; what is committed stays, the next call resumes
└── Interrupted          75   SIGTERM or Ctrl-C; call again
"""


class FullshelfError(Exception):
    """Base of all errors that fullshelf raises on purpose; the message says what was found and what to do."""

    exit_code = 1


class UsageError(FullshelfError):
    """The caller must change something before anything can run."""

    exit_code = 2


class ConfigError(UsageError):
    """The configuration file or a command-line option is wrong."""


class InputError(UsageError):
    """An input file is missing, unreadable, empty, or lacks a required column."""


class RunError(FullshelfError):
    """The run stopped half-way; committed shards stay and the next call resumes."""


class Interrupted(FullshelfError):
    """The run was asked to stop; the next call resumes."""

    exit_code = 75
