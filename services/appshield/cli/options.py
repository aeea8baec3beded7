"""Arguments and options that several commands share."""

from typing import Annotated, Literal, TypeAlias

from cyclopts import Parameter

AppName: TypeAlias = Annotated[
    str, Parameter(name="APP", help="The application: [NAMESPACE/]NAME.")
]
Namespace: TypeAlias = Annotated[
    str, Parameter(name=("--namespace", "-n"), help="The application's namespace.")
]
History: TypeAlias = Annotated[
    str,
    Parameter(name="--history", help="The id of one history, where several had the name."),
]
Output: TypeAlias = Annotated[
    Literal["text", "json"],
    Parameter(name=("--output", "-o"), help="Text, or JSON: the records of contracts/README.md."),
]
Wait: TypeAlias = Annotated[
    bool, Parameter(name="--wait", negative="", help="Wait for the end and show progress.")
]
RunId: TypeAlias = Annotated[str, Parameter(name="RUN", help="The run's id, or its beginning.")]
