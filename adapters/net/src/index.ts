export { connect, type ConnectOptions } from "./connect.ts";
export { connectDefaults, type ConnectLimits, listenDefaults, type ListenLimits } from "./limits.ts";
export { listen, type Listener, type ListenHandlers, type ListenOptions } from "./listen.ts";
export { checkTls, type ClientTls, type ServerTls, type TlsIdentity } from "./tls.ts";
