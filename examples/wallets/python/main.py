"""The wallets on PyPI's `cloudstate`, a support library of 2020, as it is."""

from cloudstate.cloudstate import CloudState
from cloudstate.event_sourced_context import EventSourcedCommandContext, SnapshotContext
from cloudstate.event_sourced_entity import EventSourcedEntity

import wallets_pb2
from wallets_pb2 import Balance, Change, Changed, Saved, Wallet

# The state of a wallet is a Saved message. Handlers get what they declare, by type.
wallets = EventSourcedEntity(
    wallets_pb2.DESCRIPTOR.services_by_name["Wallets"],
    [wallets_pb2.DESCRIPTOR],
    lambda wallet_id: Saved(),
    persistence_id="wallets",
    snapshot_every=5,
)


@wallets.command_handler("Deposit")
def deposit(state: Saved, change: Change, ctx: EventSourcedCommandContext):
    if change.cents <= 0:
        ctx.fail("a deposit must be more than 0")
        return None
    ctx.emit(Changed(cents=change.cents))
    return Balance(cents=state.cents + change.cents)


@wallets.command_handler("Withdraw")
def withdraw(state: Saved, change: Change, ctx: EventSourcedCommandContext):
    if change.cents > state.cents:
        ctx.fail(f"there are only {state.cents} cents")
        return None
    ctx.emit(Changed(cents=-change.cents))
    return Balance(cents=state.cents - change.cents)


@wallets.command_handler("GetBalance")
def get_balance(state: Saved, _wallet: Wallet):
    return Balance(cents=state.cents)


@wallets.event_handler(Changed)
def changed(state: Saved, event: Changed):
    return Saved(cents=state.cents + event.cents)


@wallets.snapshot()
def snapshot(state: Saved, _ctx: SnapshotContext):
    return state


@wallets.snapshot_handler()
def handle_snapshot(_state: Saved, saved: Saved):
    return saved


if __name__ == "__main__":
    CloudState().register_event_sourced_entity(wallets).start()
