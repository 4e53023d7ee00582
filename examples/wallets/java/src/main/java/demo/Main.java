package demo;

import demo.wallets.WalletsProto;
import io.cloudstate.javasupport.CloudState;

public final class Main {
  public static void main(String[] args) throws Exception {
    new CloudState()
        .registerEventSourcedEntity(
            WalletEntity.class,
            WalletsProto.getDescriptor().findServiceByName("Wallets"),
            WalletsProto.getDescriptor()) // where the events' types are
        .start()
        .toCompletableFuture()
        .get();
  }

  private Main() {}
}
