"""Ask for a backup with nothing but a NATS client: URL, key file, cluster, namespace, name."""

import asyncio
import json
import sys
import uuid

import nats


async def main(url: str, key_file: str, *place: str) -> None:
    """Publish the request; it is stored when this returns."""
    bus = await nats.connect(url, nkeys_seed=key_file, inbox_prefix=b"_INBOX_person")
    app = dict(zip(("cluster", "namespace", "name"), place, strict=True))
    request = {"type": "appshield.v1.request_backup", "app": app, "request_id": str(uuid.uuid4())}
    subject = ".".join(("appshield.v1.cmd.backup.request", *place))
    await bus.jetstream().publish(subject, json.dumps(request).encode())
    await bus.close()
    sys.stdout.write(f"{request['request_id']}\n")


asyncio.run(main(*sys.argv[1:]))
