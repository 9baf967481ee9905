"""The exception tree. Services raise these; only `app.problems` knows HTTP.

ShuituError
├── InvalidInput            the request or file says something that cannot be
│   ├── UnreadableFile      the file cannot be opened as what it claims to be
│   ├── TooCostly           it could be answered, but takes longer than anyone may keep the database
│   └── TooLarge            more than is taken in one request
├── NotSignedIn             the action needs an actor
├── NotAllowed              the actor may not do this
├── NotFound                nothing by that name (or none that the actor may see)
├── Conflict                the fact changed meanwhile, or the step is not possible from this state
├── PreconditionFailed      the fact is not as the client believes it to be
├── PreconditionRequired    the client must say which state of the fact it changes
├── UnsupportedMedia        the body is of a type that is not taken here
├── NotAcceptable           no form of the answer that the client would take
├── NotReady                a part of the service is not up (yet): database, migration, front end
└── ConfigurationError      settings or installation are wrong; says what to do
"""

from collections.abc import Mapping


class ShuituError(Exception):
    """Base of all expected failures. `str(error)` is a sentence that a person can act on."""

    def __init__(self, message: str, **facts: object) -> None:
        super().__init__(message)
        self.facts: Mapping[str, object] = facts


class InvalidInput(ShuituError):
    """Input that cannot be accepted; `facts` name the field, the value and what was expected."""


class UnreadableFile(InvalidInput):
    """A file that cannot be opened as what it claims to be."""


class TooCostly(InvalidInput):
    """A question that takes longer to answer than anyone may keep the database."""


class TooLarge(InvalidInput):
    """More than is taken in one request."""


class NotSignedIn(ShuituError):
    """The action needs an actor, and the request carries none."""


class NotAllowed(ShuituError):
    """The actor is known but may not do this."""


class NotFound(ShuituError):
    """Nothing by that name, or nothing that the actor may see."""


class Conflict(ShuituError):
    """The fact changed meanwhile, or the step is not possible from the present state."""


class PreconditionFailed(ShuituError):
    """The fact is not in the state that the client names."""


class PreconditionRequired(ShuituError):
    """A change must name the state of the fact that it changes."""


class UnsupportedMedia(ShuituError):
    """The body is of a type that is not taken here."""


class NotAcceptable(ShuituError):
    """The client accepts no form in which the answer could be given."""


class NotReady(ShuituError):
    """A part of the service is not up."""


class ConfigurationError(ShuituError):
    """Settings or installation are wrong; the message says how to mend it."""
