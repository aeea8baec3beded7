"""`python -m appshield.local.forking CONTROL`: the parent of the services as a program."""

import socket
import sys

from appshield.local.forking.parent import import_services, serve

if __name__ == "__main__":
    import_services()
    sys.exit(serve(socket.socket(fileno=int(sys.argv[1]))))
