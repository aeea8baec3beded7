"""Keys on loan: how an agent of a node opens the one repository that its order is about.

An agent may not open a Vault: it has no right to read the Secrets, and so knows no root key. Its
service lends it the key of a repository (password, place, credentials) when the run on record has
given it a step there that is under way, sealed to a key pair that is made for this one request.

deciding.py    which requests are granted; pure
sealing.py     what is lent, sealed to who asked
lender.py      the side that may open Vaults
borrowing.py   the agent's side: repositories that are opened with what is lent
"""

from appshield.lending.borrowing import BorrowedRepositories, OrdersRepositories
from appshield.lending.lender import Lender, RepositoryKeys

__all__ = ["BorrowedRepositories", "Lender", "OrdersRepositories", "RepositoryKeys"]
