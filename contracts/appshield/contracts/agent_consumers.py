"""The consumers that agents on nodes have beside those that every worker of a service shares."""

from appshield.contracts.agents import AgentService
from appshield.contracts.stream_specs import ConsumerSpec
from appshield.contracts.streams import COMMANDS, WORKER_ACK_WAIT_S, WORKER_SILENCE_MAX_S
from appshield.contracts.subjects import orders


def agent_consumer(service: AgentService, cluster: str, node: str) -> ConsumerSpec:
    """Describe the consumer of an agent: the orders for its own node."""
    noun, verb = ("source", "store") if service == "uploader" else ("volume", "load")
    return ConsumerSpec(
        name=f"{service}-{cluster.replace('.', '_')}-{node.replace('.', '_')}",
        stream=COMMANDS.name,
        filters=(orders(noun, verb, cluster=cluster, node=node),),
        ack_wait_s=WORKER_ACK_WAIT_S,
        silence_max_s=WORKER_SILENCE_MAX_S,
    )
