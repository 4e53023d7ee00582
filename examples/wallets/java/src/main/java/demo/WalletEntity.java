package demo;

import demo.wallets.WalletsProto.Balance;
import demo.wallets.WalletsProto.Change;
import demo.wallets.WalletsProto.Changed;
import demo.wallets.WalletsProto.Saved;
import io.cloudstate.javasupport.eventsourced.CommandContext;
import io.cloudstate.javasupport.eventsourced.CommandHandler;
import io.cloudstate.javasupport.eventsourced.EventHandler;
import io.cloudstate.javasupport.eventsourced.EventSourcedEntity;
import io.cloudstate.javasupport.eventsourced.Snapshot;
import io.cloudstate.javasupport.eventsourced.SnapshotHandler;

/** One wallet. */
@EventSourcedEntity(persistenceId = "wallets", snapshotEvery = 5)
public class WalletEntity {
  private int cents = 0;

  @CommandHandler
  public Balance deposit(Change change, CommandContext ctx) {
    if (change.getCents() <= 0) throw ctx.fail("a deposit must be more than 0");
    ctx.emit(Changed.newBuilder().setCents(change.getCents()).build());
    return balance(cents + change.getCents());
  }

  @CommandHandler
  public Balance withdraw(Change change, CommandContext ctx) {
    if (change.getCents() > cents) throw ctx.fail("there are only " + cents + " cents");
    ctx.emit(Changed.newBuilder().setCents(-change.getCents()).build());
    return balance(cents - change.getCents());
  }

  @CommandHandler
  public Balance getBalance() {
    return balance(cents);
  }

  /** Called when the command that emitted it has ended, and at each replay. */
  @EventHandler
  public void changed(Changed event) {
    cents += event.getCents();
  }

  @Snapshot
  public Saved snapshot() {
    return Saved.newBuilder().setCents(cents).build();
  }

  @SnapshotHandler
  public void handleSnapshot(Saved saved) {
    cents = saved.getCents();
  }

  private static Balance balance(int cents) {
    return Balance.newBuilder().setCents(cents).build();
  }
}
